"""All contacts: which of them a list is to show, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from attrs import converters, field, frozen, validators

from .._spellings import wire
from ._contacts import Contact
from ._fields import (
    OrderBy,
    e164,
    number_in,
    one_of,
    show_fields,
    sort_field,
    validate_aware,
    validate_text,
)
from ._responses import Response, ResponseMeta


@frozen(kw_only=True, slots=False, repr=False)
class ContactQuery:
    """Which contacts a list is to show, and how; checked when it is made.

    The limits are the API's. What is ``None`` is left to the server.

    Attributes:
        limit: How many contacts at most, 1 to 1,000; the server's default is 100.
        offset: How many to skip, 0 to 10,000.
        order_by: The field to sort by, ``"created_at"`` by default; or ``"first_name"``,
            ``"last_name"`` or ``"phone"``. Kept as the API spells it.
        order_direction: ``"asc"``, or ``"desc"`` as is the server's default.
        number: Only the contact with this phone number.
        contact_id: Only the contact with this identifier of Sendblue's.
        created_at_gte: Only contacts created at this time or later; with a time zone.

    Raises:
        ValidationError: If a value is out of range or of the wrong type; names the field.
    """

    limit: int | None = field(default=None, validator=validators.optional(number_in(1, 1000)))
    offset: int | None = field(default=None, validator=validators.optional(number_in(0, 10_000)))
    order_by: OrderBy | None = field(default=None, converter=converters.optional(sort_field))
    order_direction: Literal["asc", "desc"] | None = field(
        default=None, validator=validators.optional(one_of("asc", "desc"))
    )
    number: str | None = field(
        default=None, converter=converters.optional(e164), metadata=wire("phone_number")
    )
    contact_id: str | None = field(
        default=None, validator=validators.optional(validate_text), metadata=wire("cid")
    )
    created_at_gte: datetime | None = field(
        default=None, validator=validators.optional(validate_aware)
    )

    def __repr__(self) -> str:
        return show_fields(self)


@frozen(kw_only=True, slots=False)
class ContactPage:
    """One page of contacts; iterating over it gives them.

    Attributes:
        contacts: The contacts, in the order in which the server lists them.
        meta: How the answer came about; takes no part in equality.
    """

    contacts: tuple[Contact, ...] = ()
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False)

    def __iter__(self) -> Iterator[Contact]:
        return iter(self.contacts)

    def __len__(self) -> int:
        return len(self.contacts)


@frozen(kw_only=True, slots=False, repr=False)
class CountResponse(Response):
    """How many contacts there are.

    Attributes:
        count: How many contacts the account has.
    """

    count: int
