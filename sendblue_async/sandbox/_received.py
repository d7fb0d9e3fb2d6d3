"""What arrived at a sandbox, kept for tests to look at."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from attrs import field, frozen

__all__ = ["KEY_HEADER", "SECRET_HEADER", "ReceivedRequest"]

KEY_HEADER = "sb-api-key-id"
SECRET_HEADER = "sb-api-secret-key"
_HIDDEN = frozenset({KEY_HEADER.encode(), SECRET_HEADER.encode(), b"authorization"})


@frozen(kw_only=True)
class ReceivedRequest:
    """One request as it came over the wire, without the values of its secret headers."""

    method: str
    path: str
    """The request target as sent, with its percent-encoding and query string."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names as spelled by the client, in order; the values of keys and tokens are ``"***"``."""
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body read as JSON, or None where it is empty or is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case, or None."""
        wanted = name.lower()
        return next((value for given, value in self.headers if given.lower() == wanted), None)

    @classmethod
    def read(cls, request: web.BaseRequest, body: bytes) -> ReceivedRequest:
        """The record of a request whose body has been read.

        :meta private:
        """
        headers = tuple(
            (name.decode(errors="replace"), "***")
            if name.lower() in _HIDDEN
            else (name.decode(errors="replace"), value.decode(errors="replace"))
            for name, value in request.raw_headers
        )
        return cls(method=request.method, path=request.raw_path, headers=headers, body=body)
