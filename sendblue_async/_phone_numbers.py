"""Whom an answer is about, by the phone numbers that it shows in whatever spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_NO_DIGITS = re.compile(r"[^0-9]+")
# The names under which an object may show a contact's phone number.
_NAMES = ("phone", "number", "phone_number", "phoneNumber")


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
