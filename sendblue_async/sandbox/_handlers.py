"""What each endpoint does. A handler is one function and one line in a table of routes."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from attrs import field, frozen

from ._answer import Answer, error_answer, json_answer
from ._bodies import (
    read_bulk_create,
    read_bulk_delete,
    read_create,
    read_opt_out,
    read_update,
    read_verify,
)
from ._contact import Refusal, Spelling, StoredContact, normalized_number
from ._query import read_list_query
from ._replica import ReplicatedStore

__all__ = [
    "Call",
    "Desk",
    "Handler",
    "answer_call",
    "count_contacts",
    "create_contact",
    "create_contacts_bulk",
    "delete_contact",
    "delete_contacts_bulk",
    "find_handler",
    "list_contacts",
    "opt_out_contact",
    "retrieve_contact",
    "update_contact",
    "verify_contact",
]

_COLLECTION = "/api/v2/contacts"


@frozen(kw_only=True)
class Desk:
    """What the handlers work on, and how they answer."""

    store: ReplicatedStore
    seed: int
    spelling: Spelling
    created_status: int
    clock: Callable[[], float]
    counts: Counter[str] = field(repr=False)

    def shown(self, contact: StoredContact) -> dict[str, Any]:
        """A contact as answers show it."""
        return contact.shown(self.spelling)

    def envelope(self, contact: StoredContact) -> dict[str, Any]:
        """The body of an answer about one contact."""
        return {"contact": self.shown(contact), "status": "OK"}

    def new_contact(self, number: str, changes: dict[str, Any]) -> StoredContact:
        """A contact made now; it is not stored yet."""
        return StoredContact(
            phone=number,
            created_at=_utc_text(int(self.clock())),
            contact_id=_contact_id(self.seed, number),
            **changes,
        )

    def stored(self, number: str) -> StoredContact:
        """The stored contact with this number.

        Raises:
            Refusal: 404, if there is none.
        """
        return _found(self.store.get(number))


@frozen(kw_only=True)
class Call:
    """One request, past authentication and routing."""

    phone_number: str
    """The decoded last part of the path, or nothing where the path has no such part."""
    query: str
    """The query string as sent, without its question mark."""
    body: bytes

    @property
    def number(self) -> str:
        """The E.164 form of the number in the path.

        Raises:
            Refusal: 404, if it is no number: no contact can have it.
        """
        try:
            return normalized_number(self.phone_number)
        except Refusal:
            raise Refusal(404, "Contact not found") from None


Handler = Callable[[Desk, Call], Answer]


def create_contact(desk: Desk, call: Call) -> Answer:
    """Create a contact, or update the stored one when the body says ``update_if_exists``."""
    order = read_create(call.body)
    with desk.store.exclusive():
        stored = desk.store.get(order.number)
        if stored is None:
            status, done = desk.created_status, "created"
            contact = desk.new_contact(order.number, order.changes)
        elif order.update_if_exists:
            status, done = 200, "updated"
            contact = stored.merged(order.changes)
        else:
            raise Refusal(409, "Contact already exists")
        desk.store.put(contact)
    desk.counts[done] += 1
    return json_answer(status, desk.envelope(contact))


def list_contacts(desk: Desk, call: Call) -> Answer:
    """The contacts that the query asks for, as a bare array."""
    page = desk.store.reads().page(read_list_query(call.query))
    return json_answer(200, [desk.shown(contact) for contact in page])


def retrieve_contact(desk: Desk, call: Call) -> Answer:
    """The contact whose number stands in the path."""
    return json_answer(200, desk.envelope(_found(desk.store.reads().get(call.number))))


def update_contact(desk: Desk, call: Call) -> Answer:
    """Change the contact whose number stands in the path."""
    changes = read_update(call.body)
    with desk.store.exclusive():
        contact = desk.stored(call.number).merged(changes)
        desk.store.put(contact)
    desk.counts["updated"] += 1
    return json_answer(200, desk.envelope(contact))


def delete_contact(desk: Desk, call: Call) -> Answer:
    """Forget the contact whose number stands in the path."""
    if not desk.store.remove(call.number):
        raise Refusal(404, "Contact not found")
    desk.counts["deleted"] += 1
    return json_answer(200, {"status": "OK"})


def count_contacts(desk: Desk, _: Call) -> Answer:
    """How many contacts there are."""
    return json_answer(200, {"count": len(desk.store.reads())})


def verify_contact(desk: Desk, call: Call) -> Answer:
    """Pretend to send a verification message; ``verified`` waits for an answer to it."""
    desk.stored(read_verify(call.body))
    desk.counts["verifications"] += 1
    return json_answer(200, {"status": "OK"})


def opt_out_contact(desk: Desk, call: Call) -> Answer:
    """Opt a contact out, or back in."""
    order = read_opt_out(call.body)
    with desk.store.exclusive():
        desk.store.put(desk.stored(order.number).merged({"opt_out": order.opted_out}))
    desk.counts["opt_outs"] += 1
    return json_answer(200, {"number": order.number, "opted_out": order.opted_out, "status": "OK"})


def create_contacts_bulk(desk: Desk, call: Call) -> Answer:
    """Create those contacts whose numbers are not stored yet, and answer with these."""
    created: list[StoredContact] = []
    entries = read_bulk_create(call.body)
    with desk.store.exclusive():
        for entry in entries:
            # Looked up one by one, so that a number given twice is found the second time.
            if desk.store.get(entry.number) is None:
                contact = desk.new_contact(entry.number, entry.changes)
                desk.store.put(contact)
                created.append(contact)
    if created:
        desk.counts["created"] += len(created)
    shown = [desk.shown(contact) for contact in created]
    return json_answer(200, {"contacts": shown, "status": "OK"})


def delete_contacts_bulk(desk: Desk, call: Call) -> Answer:
    """Forget the contacts with these numbers, and answer how many there were."""
    numbers = read_bulk_delete(call.body)
    with desk.store.exclusive():
        amount = sum(desk.store.remove(number) for number in numbers)
    if amount:
        desk.counts["deleted"] += amount
    return json_answer(200, {"amount": amount, "status": "OK"})


_FIXED: dict[str, dict[str, Handler]] = {
    _COLLECTION: {
        "GET": list_contacts,
        "POST": create_contact,
        "DELETE": delete_contacts_bulk,
    },
    f"{_COLLECTION}/bulk": {"POST": create_contacts_bulk},
    f"{_COLLECTION}/count": {"GET": count_contacts},
    f"{_COLLECTION}/verify": {"POST": verify_contact},
    f"{_COLLECTION}/opt-out": {"POST": opt_out_contact},
}
_ONE_CONTACT: dict[str, Handler] = {
    "GET": retrieve_contact,
    "PUT": update_contact,
    "DELETE": delete_contact,
}


def find_handler(method: str, target: str, body: bytes) -> tuple[Handler, Call] | Answer:
    """The handler for a request, and the call to give it; or the 404 or 405 to answer."""
    path, _, query = target.partition("?")
    methods = _FIXED.get(path, {})
    number = ""
    last = path.removeprefix(f"{_COLLECTION}/")
    if method not in methods and last != path and last and "/" not in last:
        # What no fixed path takes goes to a contact, even to one that would be called "bulk".
        methods, number = {**methods, **_ONE_CONTACT}, unquote(last)
    if not methods:
        return error_answer(404, "Not found")
    handler = methods.get(method)
    if handler is None:
        return error_answer(405, "Method not allowed", {"Allow": ", ".join(sorted(methods))})
    return handler, Call(phone_number=number, query=query, body=body)


def answer_call(desk: Desk, handler: Handler, call: Call) -> Answer:
    """Carry a call out; what the rules refuse becomes the answer that says so."""
    try:
        return handler(desk, call)
    except Refusal as refusal:
        return error_answer(refusal.status, refusal.message)


def _found(contact: StoredContact | None) -> StoredContact:
    if contact is None:
        raise Refusal(404, "Contact not found")
    return contact


# A million contacts created in a minute share sixty texts.
@lru_cache(maxsize=2)
def _utc_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _contact_id(seed: int, number: str) -> str:
    # From the number instead of from a running sequence: concurrent creates may arrive in any
    # order, and a restart must not hand out the same ids again.
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))
