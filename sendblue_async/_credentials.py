"""The two keys, and where they are found: arguments, environment, the credentials file."""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ._redaction import Secret, hide, make_redactor
from .exceptions import ConfigurationError, ConfigurationWarning

_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
_FILE = Path("~/.sendblue/credentials.json")


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
        return make_redactor(self)(text)


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
    api_key, api_secret = hide(api_key), hide(api_secret)
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
        None if value is None else _Half(hide(value), f"the argument {name}")
        for name, value in zip(_ARGUMENTS, (api_key, api_secret), strict=True)
    ]
    return halves[0], halves[1]


def _pair(values: list[Any], places: Iterable[str]) -> _Pair:
    """What a place has of the two keys; an empty one is not there."""
    halves = [
        None if value is None or value == "" else _Half(hide(value), place)
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
            content = json.load(file, object_hook=hide)
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
