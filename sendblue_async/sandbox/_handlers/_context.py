"""What handlers are given: what they work on, and one request."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from attrs import field, frozen

from .._answer import Answer
from .._contact import Refusal, Spelling, StoredContact, normalize_number
from .._replica import ReplicatedStore
from .._store import Store

__all__ = ["Call", "Handler", "HandlerContext"]


@frozen(kw_only=True)
class HandlerContext:
    """What the handlers work on, and how they answer."""

    store: ReplicatedStore
    verified: ReplicatedStore
    """Verified contacts, which are not contacts of the account."""
    seed: int
    spelling: Spelling
    created_status: int
    clock: Callable[[], float]
    counts: Counter[str] = field(repr=False)

    def show(self, contact: StoredContact) -> dict[str, Any]:
        """Show a contact as answers do."""
        return contact.show(self.spelling)

    def envelope(self, contact: StoredContact) -> dict[str, Any]:
        """The body of an answer about one contact."""
        return {"contact": self.show(contact), "status": "OK"}

    def new_contact(self, number: str, changes: dict[str, Any]) -> StoredContact:
        """Make a contact now, without storing it."""
        return StoredContact(
            phone=number,
            created_at=_utc_text(int(self.clock())),
            contact_id=_contact_id(self.seed, number),
            **changes,
        )

    def find(self, number: str, store: Store | None = None) -> StoredContact:
        """Find the contact with this number, by default as it is stored and not as reads see it.

        Raises:
            Refusal: 404, if there is none.
        """
        # An empty store is false.
        contact = (self.store if store is None else store).get(number)
        if contact is None:
            raise Refusal(404, "Contact not found")
        return contact


@frozen(kw_only=True)
class Call:
    """One request, past authentication and routing."""

    path: str
    """The path as sent, without its query."""
    phone_number: str
    """The decoded last part of the path, or nothing where the path has no such part."""
    query: str
    """The query string as sent, without its question mark."""
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters in the query; the last of equal names counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def number(self) -> str:
        """The E.164 form of the number in the path.

        Raises:
            Refusal: 404, if it is no number: no contact can have it.
        """
        try:
            return normalize_number(self.phone_number)
        except Refusal:
            raise Refusal(404, "Contact not found") from None


Handler = Callable[[HandlerContext, Call], "Answer | dict[str, Any] | list[Any]"]
"""Does what an endpoint does, and returns the JSON document of a 200, or another answer.

It raises :class:`Refusal` for what the rules of the API turn down.
"""


# A million contacts created in a minute share sixty texts.
@lru_cache(maxsize=2)
def _utc_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _contact_id(seed: int, number: str) -> str:
    # From the number instead of from a running sequence: concurrent creates may arrive in any
    # order, and a restart must not hand out the same ids again.
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))
