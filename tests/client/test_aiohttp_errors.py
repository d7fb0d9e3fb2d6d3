"""Every exception of aiohttp's becomes one of ours, with the right outcome."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from sendblue_async import (
    ConnectError,
    OutcomeUnknownError,
    ResponseFormatError,
    RetryPolicy,
    SendblueError,
    TLSError,
)

from .checks import check_cause, check_copies
from .servers import contact

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
# What becomes of an exception that comes when the request has left. The names are looked up in
# aiohttp, as not every version has them all.
LOST = (OutcomeUnknownError, "unknown", False)
LATE = (OutcomeUnknownError, "unknown", True)
UNREADABLE = (ResponseFormatError, "unknown", False)
NO_CONNECTION = (ConnectError, "not_sent", False)
BAD_TLS = (TLSError, "not_sent", False)
TABLE: dict[str, tuple[type[SendblueError], str, bool]] = {
    "ClientConnectionError": LOST,
    "ClientConnectionResetError": LOST,
    "ClientConnectorCertificateError": BAD_TLS,
    "ClientConnectorDNSError": NO_CONNECTION,
    "ClientConnectorError": NO_CONNECTION,
    "ClientConnectorSSLError": BAD_TLS,
    "ClientError": LOST,
    "ClientHttpProxyError": NO_CONNECTION,
    "ClientOSError": LOST,
    "ClientPayloadError": UNREADABLE,
    "ClientProxyConnectionError": NO_CONNECTION,
    "ClientResponseError": UNREADABLE,
    "ClientSSLError": BAD_TLS,
    "ConnectionTimeoutError": (ConnectError, "not_sent", True),
    "ContentTypeError": UNREADABLE,
    "InvalidURL": LOST,
    "InvalidUrlClientError": LOST,
    "InvalidUrlRedirectClientError": LOST,
    "NonHttpUrlClientError": LOST,
    "NonHttpUrlRedirectClientError": LOST,
    "RedirectClientError": LOST,
    "ServerConnectionError": LOST,
    "ServerDisconnectedError": LOST,
    "ServerFingerprintMismatch": BAD_TLS,
    "ServerTimeoutError": LATE,
    "SocketTimeoutError": LATE,
    "TooManyRedirects": UNREADABLE,
    "UnixClientConnectorError": NO_CONNECTION,
    "UploadAbortedError": LOST,
    "WSServerHandshakeError": UNREADABLE,
}
# Raised by what this package does not use: web sockets, multipart bodies, streams of a server.
ELSEWHERE = {
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "EofStream",
    "WSMessageTypeError",
    "WebSocketError",
}
BUILTIN = {
    OSError: LOST,
    ConnectionResetError: LOST,
    BrokenPipeError: LOST,
    ssl.SSLError: LOST,
    RuntimeError: LOST,
    asyncio.TimeoutError: LATE,
}


def found() -> dict[str, type[Exception]]:
    """Every exception that aiohttp has for its users."""
    exceptions = {}
    for module, names in ((aiohttp, aiohttp.__all__), (client_exceptions, dir(client_exceptions))):
        for name in names:
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, Exception):
                exceptions[name] = thing
    return exceptions


FOUND = found()
RAISED = sorted(set(FOUND) - ELSEWHERE)


def made(kind: type[Exception]) -> Exception:
    """One exception of a kind, with all that its constructor asks for."""
    key = ConnectionKey("api.example", 443, True, True, None, None, None)
    why: Any = OSError(5, "why")
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(key, ssl.SSLCertVerificationError(1, "why"))
    if issubclass(kind, client_exceptions.UnixClientConnectorError):
        return kind("/path", key, why)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(key, why)
    if issubclass(kind, aiohttp.ClientResponseError):
        url = URL("https://api.example/")
        headers: Any = {}
        return kind(aiohttp.RequestInfo(url, "POST", headers, url), (), message="why")
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"expected", b"got", "api.example", 443)
    return kind("why")


def test_no_exception_of_aiohttps_is_overlooked() -> None:
    """A version of aiohttp that has a new one needs a new line here."""
    assert set(FOUND) - ELSEWHERE <= set(TABLE)


class Unconnected(aiohttp.TCPConnector):
    """A connector that fails to connect."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def connect(self, *_: Any, **__: Any) -> Any:
        """No connection, but the error."""
        raise self.error


def breaks_off(error: Exception) -> aiohttp.ClientMiddlewareType:
    """A middleware that loses the answer to a request that was sent."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        (await handler(request)).close()
        raise error

    return middleware


async def check(
    client: Any, error: Exception, expected: tuple[type[SendblueError], str, bool]
) -> None:
    """Fail unless a create that fails with this error ends as expected."""
    kind, outcome, timed_out = expected
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=True)
    assert type(caught.value) is kind
    assert (caught.value.outcome, caught.value.timed_out) == (outcome, timed_out)
    assert (caught.value.method, caught.value.attempts) == ("POST", 1)
    assert caught.value.cause
    check_cause(caught.value)
    check_copies(caught.value)


ALL: list[tuple[type[Exception], tuple[type[SendblueError], str, bool]]] = [
    *((FOUND[name], TABLE.get(name, LOST)) for name in RAISED),
    *BUILTIN.items(),
]
NAMES = [kind.__name__ for kind, _ in ALL]
ONCE = RetryPolicy(attempts=1, settle=False)


@pytest.mark.parametrize(("kind", "expected"), ALL, ids=NAMES)
async def test_an_exception_after_the_request_has_left(
    serve: Any,
    connect: Any,
    stack: AsyncExitStack,
    kind: type[Exception],
    expected: tuple[type[SendblueError], str, bool],
) -> None:
    """It may have been done, unless the exception can only come from connecting."""
    server, error = await serve(contact()), made(kind)
    session = aiohttp.ClientSession(middlewares=(breaks_off(error),))
    await stack.enter_async_context(session)
    await check(connect(server, session=session, retry=ONCE), error, expected)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("kind", "expected"), ALL, ids=NAMES)
async def test_an_exception_before_the_request_has_left(
    connect: Any,
    stack: AsyncExitStack,
    kind: type[Exception],
    expected: tuple[type[SendblueError], str, bool],
) -> None:
    """Whatever it is, a request with a body of which nothing was written was not sent."""
    error = made(kind)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=Unconnected(error)))
    client = connect("https://api.example", session=session, retry=ONCE)
    ours = TLSError if expected is BAD_TLS else ConnectError
    await check(client, error, (ours, "not_sent", isinstance(error, asyncio.TimeoutError)))


async def called(connect: Any, url: str, call: str, **options: Any) -> None:
    """A call of a client for this address, from its making on."""
    await getattr(connect(url, **options), call)(NUMBER)


@pytest.mark.parametrize("call", ["create_contact", "get_contact", "delete_contact"])
async def test_an_address_that_aiohttp_does_not_take(connect: Any, timer: Any, call: str) -> None:
    """A host that is no canonical IPv4 address is never connected to, so nothing was sent."""
    with pytest.raises(SendblueError) as caught:
        await called(connect, "https://127.1:9", call, timer=timer)
    assert caught.value.outcome == "not_sent"
