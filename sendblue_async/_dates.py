"""Points in time as the API writes them: ISO 8601, aware."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timezone

_OFFSET = re.compile(r"(T.*[+-][0-9]{2})([0-9]{2})$")
_FRACTION = re.compile(r"\.([0-9]+)")


def parse_datetime(value: object) -> datetime:
    """Parse an ISO 8601 string into an aware datetime; without an offset it is taken as UTC.

    Raises:
        TypeError: If it is no string.
        ValueError: If it is no date.
    """
    if type(value) is not str:
        raise TypeError("not a string")
    text = value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        # Python 3.10 reads fractions of three or six digits and offsets with a colon only.
        text = _FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", text, count=1)
        text = _OFFSET.sub(r"\1:\2", text)
        parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def format_datetime(value: datetime) -> str:
    """Format an aware datetime for the wire: ISO 8601 in UTC with a ``Z``."""
    # In the first and the last hours of the calendar the offset stays.
    with suppress(OverflowError):
        value = value.astimezone(timezone.utc)
    return value.isoformat().replace("+00:00", "Z")
