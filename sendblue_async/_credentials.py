"""Where the two keys come from, and how they and other secrets are kept out of sight."""

from __future__ import annotations

import html
import json
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex
from urllib.parse import quote, unquote

from .exceptions import ConfigurationError, ConfigurationWarning

if TYPE_CHECKING:
    from typing_extensions import Self

_STARS = "***"
# What is shorter may be a word of somebody's sentence, or a part of one.
_SHORTEST_MASKED = 8
_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
_FILE = Path("~/.sendblue/credentials.json")


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
        TypeError: If it is to be pickled, which would put it into a file or a message queue.
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
        TypeError: If it is to be pickled, which would put it into a file or a message queue.
    """

    __slots__ = ("_value",)

    _value: Revealed

    def __new__(cls, value: str) -> Self:
        # Empty if its value is, so that it is false then.
        made = super().__new__(cls, _STARS if value else "")
        made._value = value.reveal() if isinstance(value, Secret) else Revealed(value)
        return made

    def reveal(self) -> Revealed:
        """The value itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, Secret) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._value)


def hidden(value: Any) -> Any:
    """The same value out of sight: each string as a secret, also in a mapping or a sequence."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, (list, tuple)):
        return [hidden(each) for each in value]
    if isinstance(value, Mapping):
        return {name: hidden(each) for name, each in value.items()}
    return value


def redactor(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """A function that masks these secrets in what others say.

    It knows them as URLs, JSON, HTML and quoted bytes spell them, too. Secrets of fewer than
    eight characters stay, or they would eat words.
    """
    masked = sorted(
        {
            Revealed(form(secret.reveal()))
            for secret in secrets
            if len(secret.reveal()) >= _SHORTEST_MASKED
            for form in _SPELLINGS
        },
        key=len,
        reverse=True,
    )

    def redact(text: str) -> str:
        for spelling in masked:
            text = text.replace(spelling, _STARS)
        return text

    return redact


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    unquote,
    html.escape,
    lambda value: quote(value, safe=""),
    lambda value: json.dumps(value)[1:-1],
    lambda value: repr(str(value))[1:-1],
)


class Credentials(NamedTuple):
    """The two keys that authenticate every request."""

    api_key: Secret
    api_secret: Secret

    @property
    def headers(self) -> dict[str, str]:
        """The two request headers that carry the keys."""
        return dict(zip(KEY_HEADERS, (key.reveal() for key in self), strict=True))

    @property
    def account(self) -> str:
        """What tells this account from others, for a hash."""
        return str(self.api_key.reveal())

    def redact(self, text: str) -> str:
        """The text with both keys masked, should a server have sent them back."""
        return redactor(self)(text)


KEY_HEADERS = ("sb-api-key-id", "sb-api-secret-key")


class _Half(NamedTuple):
    """One of the two keys, and where it was found."""

    value: Any
    place: str


_Pair = tuple[_Half | None, _Half | None]

_ARGUMENTS = ("api_key", "api_secret")
_ENTRIES = ("apiKey", "apiSecret")
# Those of Sendblue's reference and SDKs, then the ones that most applications set.
_VARIABLES = (
    ("SENDBLUE_API_API_KEY", "SENDBLUE_API_API_SECRET"),
    ("SENDBLUE_API_KEY", "SENDBLUE_API_SECRET"),
    ("SENDBLUE_API_KEY_ID", "SENDBLUE_API_SECRET_KEY"),
)


def check_credentials(api_key: Any, api_secret: Any) -> None:
    """Refuse keys that are given and cannot be sent.

    Raises:
        ConfigurationError: If a key that is not ``None`` cannot stand in a header.
    """
    _check_sendable(_given(api_key, api_secret))


def find_credentials(api_key: str | None, api_secret: str | None) -> Credentials:
    """The two keys: the arguments, or else both from the first place that has both.

    The places are the pairs of environment variables, in their order, and then the file that
    Sendblue's official command-line tool keeps. One key that is given as an argument takes the
    other from the first place that has it, unless another key stands beside it there. Only if
    no place fits are two halves put together, with a :class:`ConfigurationWarning`.

    Raises:
        ConfigurationError: If a key is not found, or cannot stand in a header (one error names
            all that is wrong), or if the file is needed and cannot be read.
    """
    # No key is to be seen in a traceback that shows the locals of this frame.
    api_key, api_secret = hidden(api_key), hidden(api_secret)
    given = _given(api_key, api_secret)
    pairs = [_pair([os.environ.get(name) for name in names], names) for names in _VARIABLES]
    found = _first_whole(given, [given, *pairs])
    if found is None:
        entries = _read_file()
        places = [f"{entry} of {_FILE}" for entry in _ENTRIES]
        file = _pair([entries.get(entry) for entry in _ENTRIES], places)
        found = _first_whole(given, [file])
        if found == file:
            _warn_of_halves_left_out(pairs)
        pairs.append(file)
    key, secret = found or _two_halves([given, *pairs])
    _check_sendable((key, secret), missing=_missing((key, secret)))
    assert key is not None
    assert secret is not None
    if found is None:
        _warn(
            f"The API key is that of {key.place} and the secret that of {secret.place}. If these "
            "belong to two accounts, requests will be refused; keep both in one place."
        )
    return Credentials(key.value, secret.value)


def _given(api_key: Any, api_secret: Any) -> _Pair:
    halves = [
        None if value is None else _Half(hidden(value), f"the argument {name}")
        for name, value in zip(_ARGUMENTS, (api_key, api_secret), strict=True)
    ]
    return halves[0], halves[1]


def _pair(values: list[Any], places: Iterable[str]) -> _Pair:
    """What a place has of the two keys; an empty one is not there."""
    halves = [
        None if value is None or value == "" else _Half(hidden(value), place)
        for value, place in zip(values, places, strict=True)
    ]
    return halves[0], halves[1]


def _first_whole(given: _Pair, pairs: Iterable[_Pair]) -> _Pair | None:
    """The first pair that makes what is given whole and does not contradict it."""
    for pair in pairs:
        (key, secret), (other_key, other_secret) = given, pair
        if key and other_key and key.value != other_key.value:
            continue
        if secret and other_secret and secret.value != other_secret.value:
            continue
        whole = key or other_key, secret or other_secret
        if None not in whole:
            return whole
    return None


def _two_halves(pairs: list[_Pair]) -> _Pair:
    """The first of each key, wherever they are."""
    keys, secrets = zip(*pairs, strict=True)
    return next(filter(None, keys), None), next(filter(None, secrets), None)


def _warn_of_halves_left_out(pairs: list[_Pair]) -> None:
    halves = [half.place for pair in pairs for half in pair if half]
    if halves:
        _warn(
            f"{' and '.join(halves)}: set without the other key, so both keys are those of "
            f"{_FILE}. Set both variables, or neither."
        )


def _missing(pair: _Pair) -> Iterator[str]:
    for index, half in enumerate(pair):
        if half is None:
            *variables, last = (names[index] for names in _VARIABLES)
            yield (
                f"No {_ARGUMENTS[index]}: it is not an argument, not in the environment as "
                f"{', '.join(variables)} or {last}, and not in {_FILE} as {_ENTRIES[index]}."
            )
    if None in pair:
        found = [half.place for half in pair if half]
        what = f"it beside {found[0]}" if found else "both in one place"
        yield f"Set {what}; no account is needed for a sandbox."


def _check_sendable(pair: _Pair, missing: Iterable[str] = ()) -> None:
    problems = [*missing]
    for name, half in zip(_ARGUMENTS, pair, strict=True):
        if half and not half.value:
            problems.append(f"The {name} is empty ({half.place}).")
        elif half and not (
            isinstance(half.value, Secret) and _PRINTABLE.fullmatch(half.value.reveal())
        ):
            problems.append(
                f"The {name} ({half.place}) cannot be sent in a header: it must be plain ASCII "
                "text with no line break and no space around it. Check how it was copied."
            )
    if problems:
        raise ConfigurationError(" ".join(problems))


def _read_file() -> dict[str, Any]:
    """The credentials file, or nothing if there is none."""
    try:
        with _FILE.expanduser().open("rb") as file:
            _check_private(os.fstat(file.fileno()))
            content = json.load(file, object_hook=hidden)
        if isinstance(content, dict):
            return content
        problem = "not a JSON object"
    except FileNotFoundError:
        return {}
    except (OSError, RuntimeError, ValueError) as error:
        problem = type(error).__name__
    # Raised here and not above, as a JSON error carries the whole document, keys and all.
    content = None
    raise ConfigurationError(f"{_FILE} cannot be read ({problem}).")


def _check_private(status: os.stat_result) -> None:
    """Warn of a credentials file that others can read or change; a link's target is meant."""
    if not hasattr(os, "geteuid"):
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o066:
        _warn(
            f"{_FILE} holds your API keys, and other users of this machine can "
            f"{'change' if mode & 0o022 else 'read'} it (mode {mode:o}). Run: chmod 600 {_FILE}"
        )
    if status.st_uid not in (os.geteuid(), 0):
        _warn(
            f"{_FILE} belongs to another user (uid {status.st_uid}), who can read and change the "
            f"API keys in it. Make it yours, then run: chmod 600 {_FILE}"
        )


def _warn(message: str) -> None:
    warnings.warn(message, ConfigurationWarning, stacklevel=2)
