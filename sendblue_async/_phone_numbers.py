"""Phone numbers in whatever spelling: the signs in them, and whom an answer is about by them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_NO_DIGITS = re.compile(r"[^0-9]+")
# The names under which an object may show a contact's phone number.
_NAMES = ("phone", "number", "phone_number", "phoneNumber")

# Fillers and joiners that Unicode counts as letters or marks; the last one draws a key.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x20E3}
_DASHES = {0x007E, 0x02D7, 0x2043, 0x207B, 0x208B, 0x2212, 0x223C, 0x2500, 0x2501, 0x30FC, 0xFF70}
_DOTS = {0x00B7, 0x2022, 0x2024, 0x2027, 0x2219, 0x22C5, 0x30FB, 0xFF65}
_SLASHES = {0x2044, 0x2215}
_LINE_BREAKS = {0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029}


class _Signs(dict[int, str]):
    """What each character of a number stands for, worked out when it is met."""

    def __missing__(self, code: int) -> str:
        self[code] = sign = _read_sign(code)
        return sign


def _read_sign(code: int) -> str:
    char = chr(code)
    kind = unicodedata.category(char)
    if code in _LINE_BREAKS:
        return "\n"
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if kind == "Cf" or code in _INVISIBLE or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return ""
    if kind == "Zs" or code in (0x09, 0x2800):
        return " "
    if kind == "Pd" or code in _DASHES:
        return "-"
    if code in _DOTS:
        return "."
    if code in _SLASHES:
        return "/"
    if code == 0x2795:
        return "+"
    # Full-width signs; but no raised digit, which points to a footnote.
    plain = unicodedata.normalize("NFKC", char)
    return plain if plain.isascii() and len(plain) == 1 and kind[0] in "PS" else char


_SIGNS = _Signs()


def simplify_number(text: str) -> str:
    """Write a phone number with the signs of ASCII, without those that nobody sees.

    Any decimal digit becomes its ASCII one, any dash ``-``, any space a plain one, any line break
    ``"\\n"``; marks of direction, joiners, variation selectors and byte order marks are dropped.
    """
    return text.translate(_SIGNS)


def digits_of(number: object) -> str:
    """The digits of a phone number as an answer may spell it; none if it is no number.

    ``"+14155550123"``, ``"1 (415) 555-0123"``, ``"%2B14155550123"`` and ``14155550123`` are one.
    """
    if type(number) is int:
        return str(number)
    if type(number) is not str:
        return ""
    return _NO_DIGITS.sub("", unquote(number)).lstrip("0")


def shows_another(document: Any, *, number: str, sent: Any) -> bool:
    """Whether an answer shows the phone number of a contact that the request did not name.

    Such an answer belongs to another request: a server or proxy has sent one too many.

    Args:
        document: The answer, as JSON.
        number: The phone number of the contact that the request is about, if it is about one.
        sent: The document of the request, which may name others; ``None`` if it had none.
    """
    named = {digits_of(number), *_numbers_in(sent)} - {""}
    if not named:
        return False
    # Everything under ``/v3`` is wrapped in ``data``.
    wrapped = document.get("data") if type(document) is dict else None
    return not named.issuperset((*_numbers_in(document), *_numbers_in(wrapped)))


def _numbers_in(document: Any) -> Iterator[str]:
    """The digits of the phone numbers of the contacts in an answer or a request."""
    contacts: list[Any] = document if type(document) is list else [document]
    if type(document) is dict:
        several, numbers = document.get("contacts"), document.get("contact_ids")
        contacts = [document, document.get("contact")]
        contacts += several if type(several) is list else ()
        contacts += [{"number": number} for number in numbers] if type(numbers) is list else ()
    for contact in contacts:
        if type(contact) is dict:
            yield from filter(None, map(digits_of, map(contact.get, _NAMES)))
