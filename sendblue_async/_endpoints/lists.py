"""All contacts: a page of them, one after another, and how many there are."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Literal

from .._arguments import NoOthers, hide_others, misspelling_error
from .._converter import unstructure
from .._pages import Walk, iterate_contacts
from .._retry_rules import Effect
from .._wire import Operation, make_reader, read_page
from ..models import Contact, ContactPage, CountResponse
from ..models._fields import OrderBy
from ..models._lists import ContactQuery
from .contacts import CONTACTS, Contacts

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

_LIST = Operation(method="GET", path=CONTACTS, effect=Effect.SAFE, read=read_page)
_COUNT = Operation(
    method="GET", path=f"{CONTACTS}/count", effect=Effect.SAFE, read=make_reader(CountResponse)
)


class ContactLists(Contacts):
    """Lists and counts contacts."""

    @hide_others
    async def list_contacts(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: OrderBy | None = None,
        order_direction: Literal["asc", "desc"] | None = None,
        number: str | None = None,
        contact_id: str | None = None,
        created_at_gte: datetime | None = None,
        **others: Unpack[NoOthers],
    ) -> ContactPage:
        """List one page of contacts, newest first unless asked otherwise.

        :meth:`iter_contacts` gives all of them.

        Args:
            limit: How many contacts at most, 1 to 1,000. The server's default is 100.
            offset: How many to skip, 0 to 10,000. Default 0.
            order_by: The field to sort by: ``"created_at"``, which is the default,
                ``"first_name"``, ``"last_name"`` or ``"phone"``.
            order_direction: ``"asc"``, or ``"desc"``, which is the default.
            number: Only the contact with this phone number.
            contact_id: Only the contact with this identifier of Sendblue's.
            created_at_gte: Only contacts created at this time or later; with a time zone.

        Raises:
            ValidationError: If a value cannot be sent; nothing was.
            SendblueError: If the call failed.
        """
        if others:
            raise misspelling_error(ContactLists.list_contacts, others)
        query = ContactQuery(
            limit=limit,
            offset=offset,
            order_by=order_by,
            order_direction=order_direction,
            number=number,
            contact_id=contact_id,
            created_at_gte=created_at_gte,
        )
        return await self._list(query)

    @hide_others
    def iter_contacts(
        self,
        *,
        created_at_gte: datetime | None = None,
        page_size: int = 1000,
        **others: Unpack[NoOthers],
    ) -> AsyncGenerator[Contact, None]:
        """Iterate over all contacts, oldest first, none twice; use it with ``async for``.

        A contact that is there from the first page to the last is given, whatever others create
        and delete meanwhile, as long as every contact shows when it was created and the server
        sorts by that as asked. Reads may lag behind writes: contacts created some seconds ago may
        be missing. An account with more than 10,000 contacts of one and the same time is an
        error. At most one page is fetched ahead. The numbers of all contacts given so far are
        kept in memory.

        Args:
            created_at_gte: Only contacts created at this time or later; with a time zone. To
                fetch what is new since the last time, go back a minute further than that: reads
                may lag behind writes, and Sendblue's own clients overlap by 60 seconds.
            page_size: How many contacts to fetch at once, 10 to 1,000. Default 1,000.

        Raises:
            ValidationError: If a value is out of range; nothing was sent.
            APIError: If the API cannot list any further, or as below.
            SendblueError: If fetching a page failed; it comes after the contacts before it.
        """
        if others:
            raise misspelling_error(ContactLists.iter_contacts, others)
        walk = Walk(page_size=page_size, created_at_gte=created_at_gte)
        return iterate_contacts(walk, self._list)

    async def count_contacts(self) -> CountResponse:
        """Count the contacts of the account, in the answer's ``count``.

        Raises:
            SendblueError: If the call failed.
        """
        return await self._send_settling(_COUNT.call())

    async def _list(self, query: ContactQuery) -> ContactPage:
        call = _LIST.call(query=unstructure(query), number=query.number or "")
        return await self._send_settling(call)
