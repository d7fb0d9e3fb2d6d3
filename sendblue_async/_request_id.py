"""The identifier that a server gives a request, to quote when asking its support."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The application's own before those of what stands in front of it.
HEADERS = (
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "cf-ray",
)
_MAX_LENGTH = 128
_NOT_PRINTABLE = re.compile(r"[^!-~]+")


def read_request_id(headers: Mapping[str, str]) -> str | None:
    """Read the identifier that the server gave a request: printable ASCII, at most 128 characters.

    Args:
        headers: The answer's headers, their names in lower case.
    """
    for name in HEADERS:
        if value := _NOT_PRINTABLE.sub("", headers.get(name, ""))[:_MAX_LENGTH]:
            return value
    return None
