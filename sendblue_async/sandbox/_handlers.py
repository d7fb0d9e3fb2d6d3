"""What each endpoint does. A handler is one function and one line in ``_ROUTES``."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from attrs import field, frozen

from ._answer import Answer, error_answer, json_answer
from ._contact import Refusal, StoredContact, normalized_number, read_create
from ._store import Store

__all__ = [
    "Call",
    "Desk",
    "Handler",
    "answer_call",
    "create_contact",
    "find_handler",
    "retrieve_contact",
]

_COLLECTION = "/api/v2/contacts"


@frozen(kw_only=True)
class Desk:
    """What the handlers work on, and how they answer."""

    store: Store
    seed: int
    camel_case: bool
    created_status: int
    counts: Counter[str] = field(repr=False)

    def envelope(self, contact: StoredContact) -> dict[str, Any]:
        """The body that create and retrieve answer with."""
        shown = contact.as_camel_dict() if self.camel_case else contact.as_dict()
        return {"contact": shown, "status": "OK"}


@frozen(kw_only=True)
class Call:
    """One request, past authentication and routing."""

    phone_number: str
    """The decoded last part of the path, or nothing where the path has no such part."""
    query: str
    """The query string as sent, without its question mark."""
    body: bytes


Handler = Callable[[Desk, Call], Answer]


def create_contact(desk: Desk, call: Call) -> Answer:
    """Create a contact, or update the stored one when the body says ``update_if_exists``."""
    order = read_create(call.body)
    with desk.store.exclusive():
        stored = desk.store.get(order.number)
        if stored is None:
            status, done = desk.created_status, "created"
            contact = StoredContact(
                phone=order.number,
                created_at=_utc_text(int(time.time())),
                contact_id=_contact_id(desk.seed, order.number),
                **order.changes,
            )
        elif order.update_if_exists:
            status, done = 200, "updated"
            contact = stored.merged(order.changes)
        else:
            raise Refusal(409, "Contact already exists")
        desk.store.put(contact)
    desk.counts[done] += 1
    return json_answer(status, desk.envelope(contact))


def retrieve_contact(desk: Desk, call: Call) -> Answer:
    """The contact whose number stands in the path."""
    try:
        contact = desk.store.get(normalized_number(call.phone_number))
    except Refusal:
        contact = None
    if contact is None:
        raise Refusal(404, "Contact not found")
    return json_answer(200, desk.envelope(contact))


# Fixed paths come before the path with a number in it.
_FIXED: dict[str, dict[str, Handler]] = {_COLLECTION: {"POST": create_contact}}
_ONE_CONTACT: dict[str, Handler] = {"GET": retrieve_contact}


def find_handler(method: str, target: str, body: bytes) -> tuple[Handler, Call] | Answer:
    """The handler for a request, and the call to give it; or the 404 or 405 to answer."""
    path, _, query = target.partition("?")
    methods: Mapping[str, Handler] | None = _FIXED.get(path)
    number = ""
    if methods is None and path.startswith(_COLLECTION + "/"):
        last = path[len(_COLLECTION) + 1 :]
        if last and "/" not in last:
            methods, number = _ONE_CONTACT, unquote(last)
    if methods is None:
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


# A million contacts created in a minute share sixty texts.
@lru_cache(maxsize=2)
def _utc_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _contact_id(seed: int, number: str) -> str:
    # From the number instead of from a running sequence: concurrent creates may arrive in any
    # order, and a restart must not hand out the same ids again.
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))
