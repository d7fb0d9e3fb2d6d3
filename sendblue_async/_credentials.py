"""Where the two keys come from, and how they are kept out of sight."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .exceptions import ConfigurationError

_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
_FILE = Path("~/.sendblue/credentials.json")


class Secret(str):
    """A string that does not show itself in a ``repr``, and so not in a traceback's locals.

    Raises:
        TypeError: If it is to be pickled, which would put it into a file or a message queue.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A key or password is not pickled; make a client in each process.")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self


def hidden(value: Any) -> Any:
    """The same value, which does not show itself in a ``repr`` if it is a string."""
    return Secret(value) if isinstance(value, str) else value


class _Key(NamedTuple):
    argument: str
    variables: tuple[str, str]
    entry: str


_API_KEY = _Key("api_key", ("SENDBLUE_API_API_KEY", "SENDBLUE_API_KEY"), "apiKey")
_API_SECRET = _Key("api_secret", ("SENDBLUE_API_API_SECRET", "SENDBLUE_API_SECRET"), "apiSecret")


class Credentials(NamedTuple):
    """The two keys that authenticate every request."""

    api_key: Secret
    api_secret: Secret

    @property
    def headers(self) -> dict[str, str]:
        """The two request headers that carry the keys."""
        return {"sb-api-key-id": self.api_key, "sb-api-secret-key": self.api_secret}

    def redact(self, text: str) -> str:
        """The text with both keys masked, should a server have sent them back."""
        return masked(text, self)


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with stars for each secret in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def find_credentials(api_key: str | None, api_secret: str | None) -> Credentials:
    """The two keys: each from its argument, or the environment, or the credentials file.

    The variables are those of Sendblue's reference and SDKs, then the ones most applications
    set; the file is the one that Sendblue's official command-line tool keeps.

    Raises:
        ConfigurationError: If a key is nowhere to be found (names every place that was looked
            in), cannot stand in a header, or if the file is needed and cannot be read.
    """
    api_key, api_secret = hidden(api_key), hidden(api_secret)
    return Credentials(_find(_API_KEY, api_key), _find(_API_SECRET, api_secret))


def _find(key: _Key, value: Any) -> Secret:
    if value is None:
        value = next(
            (hidden(os.environ[name]) for name in key.variables if os.environ.get(name)), None
        )
        value = value or _read_file().get(key.entry)
    if value is None or value == "":
        raise ConfigurationError(
            f"No {key.argument}: it is not an argument, not in the environment as "
            f"{key.variables[0]} or {key.variables[1]}, and not in {_FILE} as "
            f"{key.entry}. Set one of them; no account is needed for a sandbox."
        )
    if not isinstance(value, Secret) or not _PRINTABLE.fullmatch(value):
        raise ConfigurationError(
            f"The {key.argument} cannot be sent in a header: it must be plain ASCII text "
            "with no line break and no space around it. Check how it was copied."
        )
    return value


def _read_file() -> dict[str, Any]:
    """The credentials file, or nothing if there is none."""
    try:
        content = json.loads(_FILE.expanduser().read_bytes(), object_hook=_hide_values)
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


def _hide_values(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: hidden(value) for name, value in entries.items()}
