"""Phone numbers out of whatever is shown: errors, log lines, reasons."""

from __future__ import annotations

import re
from urllib.parse import unquote

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_ADDRESS = rf"(?<![0-9.+]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?[0-9])"
# Seven digits and more, however they are set apart: a date looks like that, too. So do addresses
# of machines, which an error has to name, and of objects.
_NUMBER = re.compile(
    rf"(?P<address>{_ADDRESS}|0x[0-9a-fA-F]+)|(?:\+|%2B)?\(?[0-9](?:(?:%20|[^\w\n,:;]){{0,3}}[0-9]){{6,}}"
)


def shortened(text: str) -> str:
    """The text with each phone number in it cut to its last four digits."""
    return _NUMBER.sub(_shorten, text)


def _shorten(match: re.Match[str]) -> str:
    if match["address"]:
        return match[0]
    return f"…{re.sub('%2[0B]|[^0-9]', '', match[0])[-4:]}"


def show_path(path: str) -> str:
    """Make a percent-encoded path readable, without any phone number or control character."""
    words = shortened(unquote(path))
    return "".join(char if char.isprintable() else "\ufffd" for char in words)
