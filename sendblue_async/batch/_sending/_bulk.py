"""Contacts that are under way together go into one request, where the bulk endpoint takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from attrs import define, evolve

from ..._checks import check_flags
from ..._clock import Clock
from ..._phone_numbers import digits_of
from ...exceptions import ConfigurationError, SendblueError, ValidationError
from ...models import BulkContact, BulkCreateResponse, ContactCreate, ContactResponse
from ._circuit_breaker import was_answered
from ._workers import FATAL, Create

# Seconds that a request waits for the contacts of the other workers, which begin with it.
_GATHERS = 0.01


def checked_bulk(bulk: bool, update_if_exists: bool | None) -> bool:
    """Whether contacts are sent in bulk.

    Raises:
        ConfigurationError: If they are to be updated, which the bulk endpoint does not do, or if an
            option is neither true nor false.
    """
    check_flags(bulk=bulk)
    if update_if_exists is not None:
        check_flags(update_if_exists=update_if_exists)
    if bulk and update_if_exists:
        raise ConfigurationError(
            "The bulk endpoint does not update contacts: leave out bulk or update_if_exists."
        )
    return bulk


def entry_of(contact: ContactCreate) -> BulkContact | None:
    """The contact as an entry of a bulk request, or ``None`` if that cannot carry all of it."""
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
        """The contacts that it created."""
        ...


@define
class _Place:
    """The place of one contact in a request, and what came of it.

    Attributes:
        entry: The contact.
        sent: Whether its request has ended.
        response: The answer, if it was created.
        error: Why the call for it failed.
        since: When the request began that may have created it, in seconds since the epoch.
    """

    entry: BulkContact
    sent: bool = False
    response: ContactResponse | None = None
    error: SendblueError | None = None
    since: float | None = None


class BulkCreates:
    """Creates contacts in bulk. Workers call it for one at a time, and one request is under way.

    What is called for meanwhile goes into the next request, so that a request never has more
    contacts than there are workers. A contact that the endpoint cannot take, or that it did not
    create, is created on its own: that tells whether it exists, and what is wrong with it.

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
        self._turn = asyncio.Lock()
        self._waiting: list[_Place] = []

    async def __call__(
        self, contact: ContactCreate, *, since: float | None
    ) -> ContactResponse | None:
        """Create the contact, which an earlier call, begun at ``since``, may have created."""
        # Only a look-up settles a doubt, and of that a bulk request knows nothing.
        entry = None if since is not None else entry_of(contact)
        if entry is not None:
            place = await self._sent(_Place(entry))
            if place.error is not None:
                raise place.error
            if place.response is not None:
                return place.response
            since = place.since
        return await self._create(contact, since=since)

    async def _sent(self, place: _Place) -> _Place:
        self._waiting.append(place)
        async with self._turn:
            if not place.sent:
                await self._clock.sleep(_GATHERS)
                places, self._waiting = self._waiting, []
                await self._send(places)
        return place

    async def _send(self, places: list[_Place]) -> None:
        began = self._clock.time()
        for place in places:
            # Until an answer says otherwise, and if none comes at all.
            place.sent, place.since = True, began
        try:
            answer = await self._create_bulk([place.entry for place in places])
        except SendblueError as error:
            # A refusal does not say whose fault it is, and a lost answer not what was done: that
            # is found out one at a time.
            lost = error.outcome == "unknown"
            refused = was_answered(error) and not isinstance(error, FATAL)
            for place in places:
                place.since = began if lost else None
                place.error = None if lost or refused else error
            return
        created = {digits_of(contact.phone): contact for contact in answer.contacts or ()}
        for place in places:
            place.since = began if answer.contacts is None else None
            contact = created.get(digits_of(place.entry.number))
            if contact is not None:
                place.response = ContactResponse(
                    contact=contact, status=answer.status, meta=answer.meta
                )
