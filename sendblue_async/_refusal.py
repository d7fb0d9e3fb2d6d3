"""What the body of a refusal says: the server's words, its codes, and what they mean. No I/O.

The contacts API puts its words into ``message``, the messaging part into ``error_message`` beside
``error_code`` and ``error_key``, and everything under ``/v3`` into an object ``error``. Whatever
else comes there is taken for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from http import HTTPStatus
from typing import Any

from attrs import frozen

from ._redaction import redact_excerpt

_WORDS = ("message", "error_message", "error")
_CODES = ("error_code", "error_key", "code")
_LONGEST, _LONGEST_CODE = 200, 60
_UNAUTHORIZED, _BAD_REQUEST = (401, 403), (400, 422)
_REFUSED = "error"
_CONTACT = re.compile(r"\bcontact\b", re.IGNORECASE)
_NO_KEYS = "did not get inputs for authorization"


class Meaning(Enum):
    """What a refusal means that its status does not tell."""

    NO_KEYS = "the headers with the keys did not arrive"
    PLAN_LIMIT = "a cap of the account's plan is reached, which is no rate limit"


@frozen(kw_only=True)
class Refusal:
    """What the server said when it refused a request.

    Attributes:
        reason: Its words and codes on one line, or those of the status.
        code: The first of its codes, or ``None``.
        meaning: What it means beyond its status, or ``None``.
    """

    reason: str
    code: str | None = None
    meaning: Meaning | None = None


def is_refusal(status: object) -> bool:
    """Whether the ``status`` in the body of a 2xx says that the request was refused after all."""
    # The first comparison spares most answers the others.
    return status != "OK" and type(status) is str and status.strip().lower() == _REFUSED


def is_contact_not_found(document: Any) -> bool:
    """Whether the body of a 404 says that there is no such contact: a gateway that knows no such
    path has a status of its own, or none, and says nothing of a contact."""
    if type(document) is not dict:
        return False
    words = (value for value in _values(document, _WORDS) if type(value) is str)
    return is_refusal(document.get("status")) or any(map(_CONTACT.search, words))


def read_refusal(status: int, document: Any, redact: Callable[[str], str]) -> Refusal:
    """What a refusal says.

    Args:
        status: Its HTTP status.
        document: Its JSON document, or ``None`` if it has none; any shape will do.
        redact: Masks the keys, should the server have sent them back.
    """

    def line(value: object, longest: int) -> str:
        """A text of the server's that is safe to show, or nothing."""
        if type(value) is not str:
            return ""
        return redact_excerpt(value, longest, redact, on_one_line=True).rstrip(".")

    words = next(filter(None, (line(text, _LONGEST) for text in _values(document, _WORDS))), "")
    found = (line(_code(value), _LONGEST_CODE) for value in _values(document, _CODES))
    codes = list(dict.fromkeys(code for code in found if code and code != words))
    reason = words or _phrase(status)
    return Refusal(
        reason=f"{reason} (code {', '.join(codes)})" if codes else reason,
        code=codes[0] if codes else None,
        meaning=_meaning(status, words, codes),
    )


def _meaning(status: int, words: str, codes: list[str]) -> Meaning | None:
    if status in _UNAUTHORIZED and _NO_KEYS in words.lower():
        return Meaning.NO_KEYS
    if "429" in codes and (status in _BAD_REQUEST or 200 <= status < 300):
        return Meaning.PLAN_LIMIT
    return None


def _values(document: Any, keys: tuple[str, ...]) -> Iterator[object]:
    """What stands under these keys in a document, and then in the ``error`` in it."""
    while type(document) is dict:
        for key in keys:
            yield document.get(key)
        document = document.get("error")


def _code(value: object) -> object:
    """A code as text, as which it may come or not."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return str(value) if type(value) is int else value


def _phrase(status: int) -> str:
    """The words of a status, other than those of a success."""
    try:
        return "no reason given" if 200 <= status < 300 else HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
