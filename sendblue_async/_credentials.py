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
        """What tells this account from others, to be hashed."""
        return str(self.api_key.reveal())

    def redact(self, text: str) -> str:
        """Mask both keys in a text, should a server have sent them back."""
        return make_redactor(self)(text)


KEY_HEADERS = ("sb-api-key-id", "sb-api-secret-key")


class _FoundKey(NamedTuple):
    """One of the two keys, and where it comes from."""

    value: Any
    origin: str


_Pair = tuple[_FoundKey | None, _FoundKey | None]

_ARGUMENTS = ("api_key", "api_secret")
_ENTRIES = ("apiKey", "apiSecret")
# Those of Sendblue's reference and SDKs, then the ones that most applications set.
_VARIABLES = (
    ("SENDBLUE_API_API_KEY", "SENDBLUE_API_API_SECRET"),
    ("SENDBLUE_API_KEY", "SENDBLUE_API_SECRET"),
    ("SENDBLUE_API_KEY_ID", "SENDBLUE_API_SECRET_KEY"),
)


def check_credentials(api_key: Any, api_secret: Any) -> None:
    """Refuse keys that cannot be sent.

    Raises:
        ConfigurationError: If a key that is not ``None`` cannot stand in a header.
    """
    _check_sendable(_pair_of_arguments(api_key, api_secret))


def find_credentials(api_key: str | None, api_secret: str | None) -> Credentials:
    """Find the two keys: the arguments, or else both from the first origin that has both.

    The origins are the pairs of environment variables, in their order, and then the file of
    Sendblue's official command-line tool. If one key is an argument, the other comes from the
    first origin that has it, unless that holds another key beside it. Only if no origin fits
    are keys of two origins combined, with a :class:`ConfigurationWarning`.

    Raises:
        ConfigurationError: If a key is not found, or cannot stand in a header (one error names
            all that is wrong), or if the file is needed and cannot be read.
    """
    # Keeps the keys out of tracebacks that show the locals of this frame.
    api_key, api_secret = hide(api_key), hide(api_secret)
    given = _pair_of_arguments(api_key, api_secret)
    pairs = [_make_pair([os.environ.get(name) for name in names], names) for names in _VARIABLES]
    found = _find_complete(given, [given, *pairs])
    if found is None:
        entries = _read_file()
        origins = [f"{entry} of {_FILE}" for entry in _ENTRIES]
        file = _make_pair([entries.get(entry) for entry in _ENTRIES], origins)
        found = _find_complete(given, [file])
        if found == file:
            _warn_of_ignored_keys(pairs)
        pairs.append(file)
    key, secret = found or _combine([given, *pairs])
    _check_sendable((key, secret), missing=_explain_missing((key, secret)))
    assert key is not None
    assert secret is not None
    if found is None:
        _warn(
            f"The API key is that of {key.origin} and the secret that of {secret.origin}. If these "
            "belong to two accounts, requests will be refused; keep both in one place."
        )
    return Credentials(key.value, secret.value)


def _pair_of_arguments(api_key: Any, api_secret: Any) -> _Pair:
    keys = [
        None if value is None else _FoundKey(hide(value), f"the argument {name}")
        for name, value in zip(_ARGUMENTS, (api_key, api_secret), strict=True)
    ]
    return keys[0], keys[1]


def _make_pair(values: list[Any], origins: Iterable[str]) -> _Pair:
    """Pair the two keys of one origin; an empty one counts as missing."""
    keys = [
        None if value is None or value == "" else _FoundKey(hide(value), origin)
        for value, origin in zip(values, origins, strict=True)
    ]
    return keys[0], keys[1]


def _find_complete(given: _Pair, pairs: Iterable[_Pair]) -> _Pair | None:
    """Return the first pair that completes what is given and does not contradict it."""
    for pair in pairs:
        (key, secret), (other_key, other_secret) = given, pair
        if key and other_key and key.value != other_key.value:
            continue
        if secret and other_secret and secret.value != other_secret.value:
            continue
        complete = key or other_key, secret or other_secret
        if None not in complete:
            return complete
    return None


def _combine(pairs: list[_Pair]) -> _Pair:
    """Take the first of each key, wherever they are."""
    keys, secrets = zip(*pairs, strict=True)
    return next(filter(None, keys), None), next(filter(None, secrets), None)


def _warn_of_ignored_keys(pairs: list[_Pair]) -> None:
    origins = [key.origin for pair in pairs for key in pair if key]
    if origins:
        _warn(
            f"{' and '.join(origins)}: set without the other key, so both keys are those of "
            f"{_FILE}. Set both variables, or neither."
        )


def _explain_missing(pair: _Pair) -> Iterator[str]:
    for index, key in enumerate(pair):
        if key is None:
            *variables, last = (names[index] for names in _VARIABLES)
            yield (
                f"No {_ARGUMENTS[index]}: it is not an argument, not in the environment as "
                f"{', '.join(variables)} or {last}, and not in {_FILE} as {_ENTRIES[index]}."
            )
    if None in pair:
        found = [key.origin for key in pair if key]
        what = f"it beside {found[0]}" if found else "both in one place"
        yield f"Set {what}; no account is needed for a sandbox."


def _check_sendable(pair: _Pair, missing: Iterable[str] = ()) -> None:
    problems = [*missing]
    for name, key in zip(_ARGUMENTS, pair, strict=True):
        if key and not key.value:
            problems.append(f"The {name} is empty ({key.origin}).")
        elif key and not (
            isinstance(key.value, Secret) and _PRINTABLE.fullmatch(key.value.reveal())
        ):
            problems.append(
                f"The {name} ({key.origin}) cannot be sent in a header: it must be plain ASCII "
                "text with no line break and no space around it. Check how it was copied."
            )
    if problems:
        raise ConfigurationError(" ".join(problems))


def _read_file() -> dict[str, Any]:
    """Read the credentials file; an empty mapping if there is none."""
    try:
        with _FILE.expanduser().open("rb") as file:
            _check_private(os.fstat(file.fileno()))
            content = json.load(file, object_hook=hide)
        if isinstance(content, dict):
            return content
        problem = "not a JSON object"
    except FileNotFoundError:
        return {}
    except ValueError:
        problem = "not JSON"
    except (OSError, RuntimeError) as error:
        problem = getattr(error, "strerror", None) or type(error).__name__
    names = _VARIABLES[1]
    # Raised here and not above, as a JSON error carries the whole document, keys and all.
    content = None
    raise ConfigurationError(
        f"{_FILE} cannot be read ({problem}). Mend or delete it, or set {names[0]} and {names[1]}."
    )


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
