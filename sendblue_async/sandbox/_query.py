"""How the parameters of a list request are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import frozen

from ._contact import Refusal, normalize_number

__all__ = ["ListQuery", "read_list_query"]

# What a list can be sorted by, as the query spells it, and the field that it is.
_ORDERS = {
    "created_at": "created_at",
    "firstName": "first_name",
    "lastName": "last_name",
    "phone": "phone",
}
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
# RFC 3339, which is what OpenAPI calls a date-time; a comma is ISO 8601's other decimal sign.
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


@frozen(kw_only=True)
class ListQuery:
    """Which contacts to list, in which order."""

    limit: int = 100
    """How many at most."""
    offset: int = 0
    """How many to skip."""
    order_by: str = "created_at"
    """One of the 12 field names; contacts with equal values stand in the order of creation."""
    descending: bool = True
    """The exact reverse of the ascending order."""
    number: str | None = None
    """Only the contact with this E.164 number."""
    contact_id: str | None = None
    """Only the contact with this id."""
    created_from: str | None = None
    """Only contacts created at this time or later, in the form in which times are stored."""


def read_list_query(given: Mapping[str, str]) -> ListQuery:
    """Read the parameters of a list; names that are not known are ignored.

    Raises:
        Refusal: 400, for a value out of range or of the wrong form; the message names it.
    """
    direction = given.get("order_direction", "desc")
    if direction not in ("asc", "desc"):
        raise Refusal(400, "order_direction must be asc or desc")
    number = given.get("phone_number")
    return ListQuery(
        limit=_whole_number(given, "limit", 1, 1000, 100),
        offset=_whole_number(given, "offset", 0, 10_000, 0),
        # The contract allows any text here, so what is none of them is no mistake.
        order_by=_ORDERS.get(given.get("order_by", ""), "created_at"),
        descending=direction == "desc",
        number=None if number is None else normalize_number(number),
        contact_id=given.get("cid"),
        created_from=_earliest(given.get("created_at_gte")),
    )


def _whole_number(given: Mapping[str, str], name: str, least: int, most: int, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not _WHOLE_NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise Refusal(400, f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _earliest(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return _whole_second(text)
    except ValueError:
        example = "2024-01-15T10:30:00Z"
        raise Refusal(
            400, f"created_at_gte must be a date and time with its offset, like {example}"
        ) from None


def _whole_second(text: str) -> str:
    """The first whole second at or after a time, in UTC, as contacts have it.

    Contacts are stamped with whole seconds, so comparing with this one loses nothing.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, minute, second, fraction, sign, hours, minutes = match.groups()
    moment = datetime.strptime(f"{day} {minute}", "%Y-%m-%d %H:%M")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    # 60 is a leap second, which RFC 3339 allows.
    if int(second) > 60 or int(minutes or 0) > 59 or int(hours or 0) > 23:
        raise ValueError(text)
    wait = timedelta(seconds=int(second) + bool((fraction or "").strip("0")))
    try:
        moment += wait + (offset if sign == "-" else -offset)
    except OverflowError:
        moment = datetime.min if sign == "+" else datetime.max
    return moment.isoformat(timespec="seconds") + "Z"
