"""All contacts of an account, page by page, while others create and delete some.

An offset alone loses contacts: each one deleted before it moves the rest up by one. So
the walk goes by time of creation, oldest first, and begins each page at the time where the last
one ended. Within contacts of one and the same time it has to go by offset after all; there each
page overlaps the last one, and if the overlap is gone, the walk steps back to find it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any, Protocol

from attrs import define, field, validators

from ._event_loop import require_asyncio
from .exceptions import APIError
from .models import Contact, ContactPage
from .models._fields import number_in, validate_aware
from .models._lists import ContactQuery

_LAST_OFFSET = 10_000
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class SeenContacts(Protocol):
    """Remembers what identifies the contacts that were given."""

    def __contains__(self, key: Any, /) -> bool: ...

    def add(self, key: Any, /) -> object:
        """Remember one."""
        ...


@define
class Walk:
    """The state of a walk over all contacts. No I/O.

    Attributes:
        page_size: How many contacts to ask for at once, 10 to 1,000. Of fewer than ten, a page
            may seem ordered by chance.
        created_at_gte: The time of creation that the next page starts at; ``None`` for all.
        seen: Remembers the contacts that were given; a set in memory by default.
        offset: How many contacts from that time on the next page skips.
        ended: Whether there is no next page.

    Raises:
        ValidationError: If a value is out of range or of the wrong type.
    """

    page_size: int = field(validator=number_in(10, 1000))
    created_at_gte: datetime | None = field(
        default=None, validator=validators.optional(validate_aware)
    )
    seen: SeenContacts = field(factory=set, kw_only=True, repr=False)
    offset: int = field(default=0, init=False)
    ended: bool = field(default=False, init=False)
    _sorted: bool = field(default=True, init=False)
    _lost_track: bool = field(default=False, init=False)
    # How many contacts of the next page were on earlier ones, if nothing has changed.
    _expected: int = field(default=0, init=False)
    _largest: int = field(default=0, init=False)
    # How many pages in a row have shown nothing new, and where the last one ended that did.
    _idle: int = field(default=0, init=False)
    _reach: int = field(default=0, init=False)
    # The index of each contact, from ``created_at_gte`` on, when a page showed it.
    _indexes: dict[Any, int] = field(factory=dict, init=False)

    def next_query(self) -> ContactQuery:
        """Make the query for the next page.

        Raises:
            APIError: If the API cannot show what comes next.
        """
        if self.offset > _LAST_OFFSET:
            start = self.created_at_gte or "the first one"
            raise APIError(
                f"The API cannot list any further: it skips at most {_LAST_OFFSET:,} contacts, and "
                f"more may follow from {start} on without a later time of creation to continue at. "
                "The contacts so far are right, but may be incomplete.",
                outcome="rejected",
            )
        return ContactQuery(
            limit=self.page_size,
            offset=self.offset,
            order_by="created_at",
            order_direction="asc",
            created_at_gte=self.created_at_gte,
        )

    def take_page(self, page: Sequence[Contact]) -> list[Contact]:
        """Take the page just asked for, and return its contacts that were not given before.

        Raises:
            APIError: If the API shows the same contacts whatever it is asked for.
        """
        fresh = []
        for contact in page:
            key = _key(contact)
            if key not in self.seen:
                self.seen.add(key)
                fresh.append(contact)
        if fresh:
            self._idle, self._reach = 0, self.offset + len(page)
        else:
            self._idle += 1
        self._move_on(page)
        # As many as it takes to go back to the beginning and forth again, a few times over.
        step = max(1, min(self._largest, self.page_size) // 2)
        if not self.ended and self._idle > 10 + 5 * (self._reach // step):
            raise APIError(
                "The API lists the same contacts again and again, as if it ignored offset and "
                "created_at_gte. The contacts so far are right, but may be incomplete.",
                outcome="rejected",
            )
        return fresh

    def _move_on(self, page: Sequence[Contact]) -> None:
        occurrences = [_occurrence(contact) for contact in page]
        if self.offset and not self._overlaps(occurrences):
            self.offset = max(0, self.offset - self.page_size + 1)
            self._lost_track = True
            self._expected = -1
            return
        # Not any short page: the server may have a lower limit of its own.
        new = [each for each in occurrences if each not in self._indexes]
        self._largest = max(self._largest, len(page))
        self.ended = not new and (len(page) <= self._expected or len(page) < self._largest)
        self._indexes.update({each: self.offset + n for n, each in enumerate(occurrences)})
        newest = self._newest(page)
        if newest is not None and newest > (self.created_at_gte or _LONG_AGO):
            latest = [_occurrence(contact) for contact in page if contact.created_at == newest]
            self._indexes = {each: n for n, each in enumerate(latest)}
            self.created_at_gte, self.offset, self._expected = newest, 0, len(latest)
            return
        # Where contacts are being deleted, half a page is left for them to move up in.
        overlap = len(page) // 2 if self._lost_track else 1
        onward = self.offset + max(0, len(page) - max(1, overlap))
        if self.offset < _LAST_OFFSET:
            onward = min(onward, _LAST_OFFSET)
        self._expected = max(1, self.offset + len(page) - onward)
        self.offset = onward

    def _overlaps(self, occurrences: list[Any]) -> bool:
        """Whether a page begins with one of those before it.

        In order of creation they can only have moved up: one that stood further up was deleted
        and created again, and stands behind the others. In another order they move down, too.
        """
        index = self._indexes.get(occurrences[0]) if occurrences else None
        return index is not None and (index >= self.offset or not self._sorted)

    def _newest(self, page: Sequence[Contact]) -> datetime | None:
        """When the last contact was created, if the page proves to be ordered by that."""
        times = [contact.created_at for contact in page]
        known = [time for time in times if time is not None]
        self._sorted = self._sorted and all(a <= b for a, b in pairwise(known))
        proves = self._sorted and len(known) == len(times) and known and known[0] < known[-1]
        return known[-1] if proves else None


def _key(contact: Contact) -> Any:
    """What identifies a contact, also after it was deleted and created anew."""
    return contact.phone or contact.contact_id or contact


def _occurrence(contact: Contact) -> Any:
    """One contact at one index; created anew it occurs elsewhere."""
    return _key(contact), contact.contact_id, contact.created_at


async def iterate_contacts(
    walk: Walk, fetch: Callable[[ContactQuery], Awaitable[ContactPage]]
) -> AsyncGenerator[Contact, None]:
    """Give each contact once; fetch the next page while those of one are given.

    Raises:
        APIError: If the API cannot show all of them, after those that it did show.
    """

    require_asyncio()

    async def fetch_next() -> ContactPage:
        return await fetch(walk.next_query())

    page: asyncio.Task[ContactPage] | None = asyncio.create_task(fetch_next())
    try:
        while page is not None:
            contacts = walk.take_page((await page).contacts)
            page = None if walk.ended else asyncio.create_task(fetch_next())
            for contact in contacts:
                yield contact
    finally:
        if page is not None:
            page.cancel()
            # Also takes note of an error that nobody will ask for any more.
            await asyncio.gather(page, return_exceptions=True)
