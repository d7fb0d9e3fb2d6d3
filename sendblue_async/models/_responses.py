"""What all answers have in common, as frozen attrs classes."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, resolve_types

from .._converter import unstructure
from .._request_id import read_request_id
from .._spellings import EXTRA, LOCAL
from ._fields import show_fields


@frozen(kw_only=True, slots=False)
class ResponseMeta:
    """How an answer came about.

    Attributes:
        status_code: The HTTP status of the answer.
        headers: The answer's headers, their names in lower case; the values of one that came
            several times are joined with commas, and of ``set-cookie`` the last one stands.
        attempts: How many attempts were made, the first included.
        elapsed: Seconds from the call to its answer, waits included.
        settled: Whether an attempt had ended without a usable answer, and it was found out
            afterwards that it had been done.
    """

    status_code: int = 0
    headers: dict[str, str] = field(factory=dict, hash=False)
    attempts: int = 0
    elapsed: float = 0.0
    settled: bool = False

    @property
    def request_id(self) -> str | None:
        """The server's identifier of the request, for its support; ``None`` if it sent none.

        From the first of these headers that the answer has: ``X-Request-Id``, ``Request-Id``,
        ``X-Correlation-Id``, ``X-Amzn-RequestId``, ``X-Amzn-Trace-Id`` and ``CF-Ray``.
        """
        return read_request_id(self.headers)


# Resolved, so that the hints of an answer mean something in whatever module it is.
@resolve_types
@frozen(kw_only=True, slots=False, repr=False)
class Response:
    """What every answer has that is a JSON object.

    Attributes:
        extra: Keys that are unknown here, and values that are not of their field's type.
        meta: How the answer came about; takes no part in equality.
    """

    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False, metadata=LOCAL)

    def __repr__(self) -> str:
        return show_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """The answer as a JSON object, under the API's preferred spellings."""
        return unstructure(self)


@frozen(kw_only=True, slots=False, repr=False)
class StatusResponse(Response):
    """The answer of an operation that says no more than that it was done.

    Attributes:
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    status: str | None = None


@frozen(kw_only=True, slots=False)
class RawResponse:
    """The answer to a call that has no typed method.

    Attributes:
        data: The JSON document of the answer as it came, or ``None`` if its body was empty. What
            is under ``/v3`` comes wrapped in an object with the key ``data``.
        meta: How the answer came about; takes no part in equality.
    """

    data: Any = field(default=None, hash=False)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False)
