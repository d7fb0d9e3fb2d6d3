"""``Retry-After`` and HTTP dates. No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
# Of two servers on the way, each may have set the header.
_REPEATED = re.compile(r"(.{1,40}?)(?:[ \t]*,[ \t]*\1)+", re.ASCII)
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_YEAR = "[1-9][0-9]{3}"
_HTTP_DATE = re.compile(
    rf"[A-Z][a-z]{{2}}, [0-9]{{2}} [A-Z][a-z]{{2}} {_YEAR} {_TIME} GMT"
    rf"|[A-Z][a-z]{{5,8}}, [0-9]{{2}}-[A-Z][a-z]{{2}}-[0-9]{{2}} {_TIME} GMT"
    rf"|[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ 0-9][0-9] {_TIME} {_YEAR}",
    re.ASCII,
)


def parse_http_date(text: str | None) -> float | None:
    """Seconds since the epoch, from one of the three date forms of RFC 9110 §5.6.7, or ``None``."""
    text = text.strip(" \t") if text else ""
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        # The asctime form names no zone; without one the parser would not know it is UTC.
        return parsedate_to_datetime(text if "GMT" in text else f"{text} GMT").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait, or ``None`` if it names no usable time.

    Zero and a time in the past are not usable: they would make a hot loop of the retries.

    Args:
        headers: The response's headers, their names in lower case.
        now: Seconds since the epoch, for a response without a ``Date`` of its own.
    """
    value = headers.get("retry-after", "").strip(" \t")
    if repeated := _REPEATED.fullmatch(value):
        value = repeated[1]
    if _SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        until = parse_http_date(value)
        if until is None:
            return None
        sent = parse_http_date(headers.get("date"))
        seconds = until - (now if sent is None else sent)
    return seconds if seconds > 0 else None
