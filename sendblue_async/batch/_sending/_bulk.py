"""Contacts that are in flight together go into one request, where the bulk endpoint takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from attrs import define, evolve

from ..._clock import Clock
from ..._phone_numbers import digits_of
from ...exceptions import SendblueError, ValidationError
from ...models import BulkContact, BulkCreateResponse, ContactCreate, ContactResponse
from ._circuit_breaker import is_final_refusal
from ._worker_pool import FATAL, Create, Created

# Seconds that a request waits for the contacts of other workers, which begin with it.
_LINGER = 0.01


def to_bulk(contact: ContactCreate) -> BulkContact | None:
    """Convert a contact for a bulk request; ``None`` if that cannot carry all of it."""
    if contact.update_if_exists is False:
        # That is what a bulk request does anyway.
        contact = evolve(contact, update_if_exists=None)
    try:
        return BulkContact.of(contact)
    except ValidationError:
        return None


class CreateBulk(Protocol):
    """Sends one request, as :meth:`SendblueClient.create_contacts_bulk` does."""

    async def __call__(self, contacts: Sequence[BulkContact], /) -> BulkCreateResponse:
        """Create the contacts, and return those that were created."""
        ...


@define
class _Item:
    """One contact of a bulk request.

    Attributes:
        contact: The contact.
        is_sent: Whether its request has ended.
        response: The answer, if it was created.
        error: Why its request failed.
        since: When the request began that may have created it, in seconds since the epoch.
    """

    contact: BulkContact
    is_sent: bool = False
    response: ContactResponse | None = None
    error: SendblueError | None = None
    since: float | None = None


class BulkCreator:
    """Creates contacts in bulk. Workers call it with one at a time; one request is in flight.

    What they call it with meanwhile goes into the next request, so that a request never has more
    contacts than there are workers. A contact that the endpoint cannot take, or did not create, is
    created on its own: that tells whether it exists, and what is wrong with it.

    Args:
        create: Creates one contact.
        create_bulk: Creates many.
        clock: Tells the time, and waits.
    """

    def __init__(
        self,
        create: Create,
        create_bulk: CreateBulk,
        *,
        clock: Clock,
    ) -> None:
        self._create = create
        self._create_bulk = create_bulk
        self._clock = clock
        self._lock = asyncio.Lock()
        self._waiting: list[_Item] = []

    async def __call__(self, contact: ContactCreate, *, since: float | None) -> Created:
        """Create the contact, which an earlier call, begun at ``since``, may have created."""
        # Only a look-up settles an unknown outcome, and a bulk request makes none.
        bulk_contact = None if since is not None else to_bulk(contact)
        if bulk_contact is not None:
            item = _Item(bulk_contact)
            await self._send_with_others(item)
            if item.error is not None:
                raise item.error
            if item.response is not None:
                return item.response
            since = item.since
        return await self._create(contact, since=since)

    async def _send_with_others(self, item: _Item) -> None:
        self._waiting.append(item)
        async with self._lock:
            if not item.is_sent:
                await self._clock.sleep(_LINGER)
                items, self._waiting = self._waiting, []
                await self._send(items)

    async def _send(self, items: list[_Item]) -> None:
        began = self._clock.time()
        for item in items:
            # Until an answer says otherwise, and if none comes at all.
            item.is_sent, item.since = True, began
        try:
            answer = await self._create_bulk([item.contact for item in items])
        except SendblueError as error:
            # A refusal does not say which contact is wrong, nor a lost answer what was done: each
            # is found out by creating them one at a time.
            is_unknown = error.outcome == "unknown"
            is_refused = is_final_refusal(error) and not isinstance(error, FATAL)
            for item in items:
                item.since = began if is_unknown else None
                item.error = None if is_unknown or is_refused else error
            return
        created = {digits_of(contact.phone): contact for contact in answer.contacts or ()}
        for item in items:
            item.since = began if answer.contacts is None else None
            contact = created.get(digits_of(item.contact.number))
            if contact is not None:
                item.response = ContactResponse(
                    contact=contact, status=answer.status, meta=answer.meta
                )
