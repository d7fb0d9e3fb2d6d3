"""One contact: create, retrieve, update, delete, verify, opt out."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from .._answer import Answer, json_answer
from .._bodies import read_changes, read_flags, read_json_object, read_texts, require_number
from .._contact import Refusal
from ._context import Call, Handler, HandlerContext

__all__ = ["ROUTES"]

# Preferred spellings come before deprecated ones: of those that are there, the first one counts.
_NAMES = {
    "first_name": "first_name",
    "firstName": "first_name",
    "last_name": "last_name",
    "lastName": "last_name",
    "assigned_to_email": "assigned_to_email",
    "assignedToEmail": "assigned_to_email",
    "sendblue_number": "sendblue_number",
    "sendblueNumber": "sendblue_number",
}
_NUMBER = {"number": "number"}
_CREATE_TEXTS = {
    **_NUMBER,
    "phone_number": "number",
    "phoneNumber": "number",
    **_NAMES,
}
_UPDATE_TEXTS = {**_NAMES, "company_name": "company_name", "companyName": "company_name"}
_UPDATE_FLAGS = {"opt_out": "opt_out", "optOut": "opt_out"}


@frozen(kw_only=True)
class CreateRequest:
    """The body of a create, checked."""

    number: str
    changes: dict[str, Any]
    """The fields that were given, under their preferred names."""
    update_if_exists: bool


@frozen(kw_only=True)
class OptOut:
    """Whom to opt out, or back in."""

    number: str
    opted_out: bool


def create_contact(context: HandlerContext, call: Call) -> Answer:
    """Create a contact, or update the stored one when the body says ``update_if_exists``."""
    request = read_create(call.body)
    with context.store.exclusive():
        stored = context.store.get(request.number)
        if stored is None:
            status, event = context.created_status, "created"
            contact = context.new_contact(request.number, request.changes)
        elif request.update_if_exists:
            status, event = 200, "updated"
            contact = stored.merge(request.changes)
        else:
            raise Refusal(409, "Contact already exists")
        context.store.put(contact)
    context.counts[event] += 1
    return json_answer(status, context.envelope(contact))


def retrieve_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Return the contact with the number in the path."""
    return context.envelope(context.find(call.number, context.store.read_view()))


def update_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Change the contact with the number in the path."""
    changes = read_update(call.body)
    with context.store.exclusive():
        contact = context.find(call.number).merge(changes)
        context.store.put(contact)
    context.counts["updated"] += 1
    return context.envelope(contact)


def delete_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Delete the contact with the number in the path."""
    if not context.store.remove(call.number):
        raise Refusal(404, "Contact not found")
    context.counts["deleted"] += 1
    return {"status": "OK"}


def verify_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Pretend to send a verification message; ``verified`` waits for an answer to it."""
    context.find(read_verify(call.body))
    context.counts["verifications"] += 1
    return {"status": "OK"}


def opt_out_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Opt a contact out, or back in."""
    request = read_opt_out(call.body)
    with context.store.exclusive():
        context.store.put(context.find(request.number).merge({"opt_out": request.opted_out}))
    context.counts["opt_outs"] += 1
    return {"number": request.number, "opted_out": request.opted_out, "status": "OK"}


def read_create(body: bytes) -> CreateRequest:
    """Read a create's JSON body; keys that are not known are ignored.

    Raises:
        Refusal: 400, for what is not a JSON object, a wrong type, no number, or a bad number.
    """
    given = read_json_object(body)
    changes = read_changes(given, _CREATE_TEXTS)
    number = changes.pop("number", None)
    upsert = read_flags(given, {"update_if_exists": "update_if_exists"}).get("update_if_exists")
    return CreateRequest(
        number=require_number(number), changes=changes, update_if_exists=bool(upsert)
    )


def read_update(body: bytes) -> dict[str, Any]:
    """Read the fields that an update gives, under their preferred names; other keys are ignored.

    Raises:
        Refusal: 400, for what is not a JSON object, or a wrong type.
    """
    given = read_json_object(body)
    flags = read_flags(given, _UPDATE_FLAGS)
    return {
        **read_changes(given, _UPDATE_TEXTS),
        **{name: bool(value) for name, value in flags.items()},
    }


def read_verify(body: bytes) -> str:
    """Read the number to verify.

    Raises:
        Refusal: 400, for what is not a JSON object, no number, or a bad number.
    """
    return require_number(read_texts(read_json_object(body), _NUMBER).get("number"))


def read_opt_out(body: bytes) -> OptOut:
    """Read the number to opt out, or back in where ``opted_out`` is false.

    Raises:
        Refusal: 400, for what is not a JSON object, no number, a bad number, or a wrong type.
    """
    given = read_json_object(body)
    opted_out = given.get("opted_out", True)
    # Unlike elsewhere null is no "not given" here: it must not opt anybody out.
    if not isinstance(opted_out, bool):
        raise Refusal(400, "opted_out must be a boolean")
    number = require_number(read_texts(given, _NUMBER).get("number"))
    return OptOut(number=number, opted_out=opted_out)


ROUTES: dict[str, Handler] = {
    "POST /api/v2/contacts": create_contact,
    "GET /api/v2/contacts/{number}": retrieve_contact,
    "PUT /api/v2/contacts/{number}": update_contact,
    "DELETE /api/v2/contacts/{number}": delete_contact,
    "POST /api/v2/contacts/verify": verify_contact,
    "POST /api/v2/contacts/opt-out": opt_out_contact,
}
