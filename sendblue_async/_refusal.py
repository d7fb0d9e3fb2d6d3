"""Read the body of a refusal: the server's words, its codes, and what they mean. No I/O.

The contacts API puts its words into ``message``, the messaging part into ``error_message`` beside
``error_code`` and ``error_key``, and everything under ``/v3`` into an object ``error``. Anything
else there is ignored.
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
_MAX_REASON_LENGTH, _MAX_CODE_LENGTH = 200, 60
_UNAUTHORIZED, _BAD_REQUEST = (401, 403), (400, 422)
_REFUSED = "error"
_CONTACT = re.compile(r"\bcontact\b", re.IGNORECASE)
_NO_KEYS = "did not get inputs for authorization"


class Meaning(Enum):
    """What a refusal means beyond its status."""

    NO_KEYS = "the authentication headers did not arrive"
    PLAN_LIMIT = "a limit of the account's plan is reached, not a rate limit"


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
    """Whether the body of a 404 is the API's own and says that there is no such contact.

    A gateway that knows no such path, or a proxy, says nothing of a contact.
    """
    if type(document) is not dict:
        return False
    words = (value for value in _find_values(document, _WORDS) if type(value) is str)
    return is_refusal(document.get("status")) or any(map(_CONTACT.search, words))


def read_refusal(status: int, document: Any, redact: Callable[[str], str]) -> Refusal:
    """Read what a refusal says.

    Args:
        status: Its HTTP status.
        document: Its JSON document, or ``None`` if it has none; any shape will do.
        redact: Masks the keys, should the server have sent them back.
    """

    def show(value: object, max_length: int) -> str:
        """Make a text of the server's safe to show; anything else becomes empty."""
        if type(value) is not str:
            return ""
        return redact_excerpt(value, max_length, redact, on_one_line=True).rstrip(".")

    words = next(
        filter(None, (show(text, _MAX_REASON_LENGTH) for text in _find_values(document, _WORDS))),
        "",
    )
    found = (
        show(_format_code(value), _MAX_CODE_LENGTH) for value in _find_values(document, _CODES)
    )
    codes = list(dict.fromkeys(code for code in found if code and code != words))
    reason = words or _describe_status(status)
    return Refusal(
        reason=f"{reason} (code {', '.join(codes)})" if codes else reason,
        code=codes[0] if codes else None,
        meaning=_find_meaning(status, words, codes),
    )


def show_target(location: str, redact: Callable[[str], str]) -> str:
    """Show where a redirect leads, without a password and its query, which can hold anything."""
    place = re.split("[?#]", location, maxsplit=1)[0]
    place = re.sub("//[^/]*@", "//", place)
    return redact_excerpt(place, _MAX_REASON_LENGTH, redact, on_one_line=True)


def _find_meaning(status: int, words: str, codes: list[str]) -> Meaning | None:
    if status in _UNAUTHORIZED and _NO_KEYS in words.lower():
        return Meaning.NO_KEYS
    if "429" in codes and (status in _BAD_REQUEST or 200 <= status < 300):
        return Meaning.PLAN_LIMIT
    return None


def _find_values(document: Any, keys: tuple[str, ...]) -> Iterator[object]:
    """Find what a document, and then the ``error`` in it, has under these keys."""
    while type(document) is dict:
        for key in keys:
            yield document.get(key)
        document = document.get("error")


def _format_code(value: object) -> object:
    """Write a code as text; it may come as a number."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return str(value) if type(value) is int else value


def _describe_status(status: int) -> str:
    """Say what a status means, unless it is a success."""
    try:
        return "no reason given" if 200 <= status < 300 else HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
