"""Verified contacts, who may be reached over a shared line: create, retrieve, list."""

from __future__ import annotations

from typing import Any

from .._bodies import read_json_object, read_texts, require_number
from .._contact import StoredContact
from .._query import ListQuery
from ._context import Call, Handler, HandlerContext

__all__ = ["ROUTES"]

_LINE = {"phone_number": "+15550100001", "type": "shared"}
_INSTRUCTIONS = f"Have the contact send any message to {_LINE['phone_number']}."
_ALL = 1_000_000_000


def create_verified_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Create a verified contact, or return the one with this number."""
    texts = read_texts(read_json_object(call.body), {"phone_number": "number"})
    number = require_number(texts.get("number"))
    with context.verified.exclusive():
        contact = context.verified.get(number)
        if contact is None:
            contact = context.new_contact(number, {})
            context.verified.put(contact)
            context.counts["verified_contacts"] += 1
    return _envelope(contact)


def retrieve_verified_contact(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Return the verified contact with the number in the path."""
    return _envelope(context.find(call.number, context.verified.read_view()))


def list_verified_contacts(context: HandlerContext, _: Call) -> dict[str, Any]:
    """Return all verified contacts, newest first."""
    page = context.verified.read_view().page(ListQuery(limit=_ALL))
    return {"data": {"contacts": [_show(contact) for contact in page], "line": _LINE}}


def _envelope(contact: StoredContact) -> dict[str, Any]:
    instructions = None if contact.verified else _INSTRUCTIONS
    data = {"contact": _show(contact), "line": _LINE, "verification_instructions": instructions}
    return {"data": data}


def _show(contact: StoredContact) -> dict[str, Any]:
    return {
        "phone_number": contact.phone,
        "verified": contact.verified,
        "verification_status": "verified" if contact.verified else "pending",
        "created_at": contact.created_at,
        "updated_at": contact.created_at,
    }


ROUTES: dict[str, Handler] = {
    "POST /v3/verified-contacts": create_verified_contact,
    "GET /v3/verified-contacts": list_verified_contacts,
    "GET /v3/verified-contacts/{number}": retrieve_verified_contact,
}
