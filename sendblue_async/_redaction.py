"""Keys and phone numbers out of whatever is shown: errors, log lines, reasons."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from typing_extensions import Self

_STARS = "***"
# What is shorter may be a word of somebody's sentence, or a part of one.
_MIN_SECRET_LENGTH = 8
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_ADDRESS = rf"(?<![0-9.+]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?[0-9])"
# Seven digits and more, however they are set apart: a date looks like that, too. So do addresses
# of machines, which an error has to name, and of objects.
_NUMBER = re.compile(
    rf"(?P<address>{_ADDRESS}|0x[0-9a-fA-F]+)|(?:\+|%2B)?\(?[0-9](?:(?:%20|[^\w\n,:;]){{0,3}}[0-9]){{6,}}"
)


class _Hidden(str):
    """A string whose ``repr`` is stars, and that is not pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{_STARS}'"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A key or password is not pickled; make a client in each process.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class Revealed(_Hidden):
    """The value of a secret, for the wire and for comparison.

    aiohttp writes a header with ``str()``, which gives the value, as do a string's methods. What
    reporters do with the locals of a frame gives stars: ``repr``, slices, iteration, formatting.

    Raises:
        TypeError: If it is pickled, which would write it into a file or a message queue.
    """

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return _STARS[key] if isinstance(key, slice) else _STARS[0]

    def __iter__(self) -> Iterator[str]:
        return iter(_STARS)

    def __format__(self, spec: str) -> str:
        return format(_STARS, spec)


class Secret(_Hidden):
    """Stars that stand for a key, a token or a password, however they are shown or written.

    Two are equal if their values are, and one is equal to its value.

    Raises:
        TypeError: If it is pickled, which would write it into a file or a message queue.
    """

    __slots__ = ("_value",)

    _value: Revealed

    def __new__(cls, value: str) -> Self:
        # Empty if its value is, so that it is false then.
        secret = super().__new__(cls, _STARS if value else "")
        secret._value = value.reveal() if isinstance(value, Secret) else Revealed(value)
        return secret

    def reveal(self) -> Revealed:
        """The value itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, Secret) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._value)


def hide(value: Any) -> Any:
    """Return the value with each string in it as a secret, also in a mapping or a sequence."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, (list, tuple)):
        return [hide(each) for each in value]
    if isinstance(value, Mapping):
        return {name: hide(each) for name, each in value.items()}
    return value


def make_redactor(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """Return a function that masks these secrets in what others say.

    It knows them as URLs, JSON, HTML and quoted bytes spell them, too. Secrets of fewer than
    eight characters stay, or they would eat words.
    """
    masked = sorted(
        {
            Revealed(form(secret.reveal()))
            for secret in secrets
            if len(secret.reveal()) >= _MIN_SECRET_LENGTH
            for form in _SPELLINGS
        },
        key=len,
        reverse=True,
    )

    def redact_secrets(text: str) -> str:
        for spelling in masked:
            text = text.replace(spelling, _STARS)
        return text

    return redact_secrets


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    unquote,
    html.escape,
    lambda value: quote(value, safe=""),
    lambda value: json.dumps(value)[1:-1],
    lambda value: repr(str(value))[1:-1],
)


def redact_numbers(text: str) -> str:
    """Cut each phone number in a text to its last four digits."""
    return _NUMBER.sub(_shorten, text)


def _shorten(match: re.Match[str]) -> str:
    if match["address"]:
        return match[0]
    return f"…{re.sub('%2[0B]|[^0-9]', '', match[0])[-4:]}"


def redact_path(path: str) -> str:
    """Make a percent-encoded path readable, without any phone number or control character."""
    return _escape_control(redact_numbers(unquote(path)))


def show_route(path: str) -> str:
    """Make a percent-encoded path readable, with ``{number}`` for each phone number."""
    return _escape_control(_NUMBER.sub(lambda match: match["address"] or "{number}", unquote(path)))


def _escape_control(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def redact_excerpt(
    text: str | bytes,
    length: int,
    redact_secrets: Callable[[str], str],
    *,
    on_one_line: bool = False,
) -> str:
    """Return the beginning of what somebody else wrote, without secrets and phone numbers.

    Args:
        text: The text, or its bytes.
        length: How many characters of it are shown at most.
        redact_secrets: Masks the secrets, as :func:`make_redactor` makes one.
        on_one_line: Whether line breaks, and what cannot be printed, become spaces.
    """
    # More than is shown, so that no part of a key which is cut in two remains.
    begin = text[: 16 * length]
    words = redact_secrets(begin if isinstance(begin, str) else begin.decode("utf-8", "replace"))
    if on_one_line:
        words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return redact_numbers(words)[:length]


def find_chain(error: BaseException) -> list[BaseException]:
    """Find an error and those behind it, as a traceback shows them."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def redact_cause(
    error: BaseException, redact_secrets: Callable[[str], str]
) -> tuple[BaseException | None, str]:
    """Return an error and its words; instead of it ``None``, if a secret or number is in the chain.

    Args:
        error: The error.
        redact_secrets: Masks the secrets, as :func:`make_redactor` makes one.
    """
    shown = [f"{type(link).__name__}: {link}" for link in find_chain(error)]
    redacted = [redact_numbers(redact_secrets(text)) for text in shown]
    return error if shown == redacted else None, redacted[0]
