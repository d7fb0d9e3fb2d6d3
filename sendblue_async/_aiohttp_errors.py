"""Read aiohttp's errors: what each means for an attempt."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from ._connect_reasons import explain_no_connection
from ._pool import MAX_HEADER_SIZE
from ._redaction import find_chain, redact_cause
from ._retry import Failure
from ._retry_rules import RULES, FailureKind
from ._settings import Settings

# An event loop without a thread pool, as in an interpreter that exits, is a RuntimeError.
ERRORS = (aiohttp.ClientError, OSError, asyncio.TimeoutError, RuntimeError)
"""What a request, or reading its answer, may raise."""

# What can come of connecting alone, even if part of the request is given to the connection.
_NOT_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)
_BAD_TLS = (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)


def read_error(
    error: BaseException, settings: Settings, *, was_sent: bool, connect_timeout: float = 0.0
) -> Failure:
    """Say what one of aiohttp's errors means.

    Args:
        error: The error; its traceback is dropped.
        settings: What the request was made with.
        was_sent: Whether the server may have seen the whole request.
        connect_timeout: How many seconds connecting was given.
    """
    kind, message = _classify(error, was_sent)
    if not message:
        proxy = settings.proxy.url if settings.proxy else None
        message = explain_no_connection(error, settings.base_url, proxy, connect_timeout)
    for link in find_chain(error):
        # aiohttp's frames hold the request's headers, and so the keys.
        link.__traceback__ = None
    # A server that sends the keys back as something other than HTTP gets them quoted, and some
    # quote the number in a request's.
    cause, cause_text = redact_cause(error, settings.redact)
    return Failure(
        rule=RULES[kind],
        message=message,
        cause=cause,
        cause_text=cause_text,
        timed_out=isinstance(error, asyncio.TimeoutError),
    )


def _classify(error: BaseException, was_sent: bool) -> tuple[FailureKind, str]:
    """Find the kind of an error, and words for it; none if it is about connecting.

    The order matters, as aiohttp's classes overlap.
    """
    if isinstance(error, _BAD_TLS):
        return FailureKind.BAD_TLS, ""
    if not was_sent or isinstance(error, _NOT_CONNECTED):
        return FailureKind.NO_CONNECTION, ""
    if isinstance(error, asyncio.TimeoutError):
        return FailureKind.TIMED_OUT, "got no answer in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return FailureKind.UNREADABLE, "got an answer that was cut short"
    if isinstance(error, aiohttp.ClientResponseError):
        if any(isinstance(link, LineTooLong) for link in find_chain(error)):
            kilobytes = MAX_HEADER_SIZE // 2**10
            message = f"got an answer with a header of more than {kilobytes} kB"
            return FailureKind.UNREADABLE, message
        return FailureKind.UNREADABLE, "got an answer that is not HTTP"
    return FailureKind.LOST, "lost the connection before an answer came"
