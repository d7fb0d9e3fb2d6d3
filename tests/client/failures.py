"""Every way in which an attempt can fail, made to happen for real on the loopback interface.

A :data:`Failure` sets a scene; from then on every attempt of a call ends there in the same way.
"""

from __future__ import annotations

import asyncio
import datetime
import gzip
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from attrs import Factory, define, frozen

from sendblue_async import Timeouts

from .servers import (
    CUT_SHORT,
    CUT_SHORT_UNANNOUNCED,
    NOT_HTTP,
    Request,
    Server,
    Step,
    contact,
    full_backlog_url,
    hang,
    hang_up,
    raw,
    refusal,
    refused_url,
    reply,
    reset,
    running,
)

NUMBER = "+14155550123"
MISSING = reply(404)
# A machine under load must still get as far as it is meant to get.
NO_CONNECTION_LIMIT = 0.05
NO_HANDSHAKE_LIMIT = 0.1
NO_ANSWER_LIMIT = 0.2


@frozen(kw_only=True)
class Setting:
    """What a failure may make use of.

    Attributes:
        stack: Ends what the failure has begun.
        authority: A certificate authority that no machine trusts.
        method: The HTTP method of the call that is to fail; look-ups by GET find nothing.
    """

    stack: AsyncExitStack
    authority: trustme.CA
    method: str = "POST"


@define(eq=False, kw_only=True)
class Scene:
    """A place where attempts fail.

    Attributes:
        url: The base URL of the place.
        attempts: How many attempts the other side has noticed; nobody is there to tell if
            ``None``.
        requests: What the other side got to read of them.
        options: What a client needs to get this far.
        timeouts: The patience that a client needs to get this far.
        warm_up: What a client has to do first.
        timed_out: Whether time is what runs out.
        status: The status that a client gets to see.
        server: The server, where there is one.
    """

    url: str
    attempts: Callable[[], int] | None = None
    requests: list[Request] = Factory(list)
    options: dict[str, Any] = Factory(dict)
    timeouts: Timeouts = Factory(Timeouts)
    warm_up: Callable[[Any], Awaitable[Any]] | None = None
    timed_out: bool = False
    status: int | None = None
    server: Server | None = None


Failure = Callable[[Setting], Awaitable[Scene]]


class Names(AbstractResolver):
    """Knows no name but the ones it was given; those are on this machine."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """This machine, for a name that is known."""
        self.asked.append(host)
        if host not in self.names:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        address = {"host": "127.0.0.1", "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{"hostname": host, "port": port, **address}]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        """Nothing is held open."""


async def _name_unknown(setting: Setting) -> Scene:
    names = Names()
    connector = aiohttp.TCPConnector(resolver=names)
    session = await setting.stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    return Scene(
        url="https://api.example", attempts=lambda: len(names.asked), options={"session": session}
    )


async def _refused(setting: Setting) -> Scene:
    return Scene(url=setting.stack.enter_context(refused_url()))


async def _connect_timeout(setting: Setting) -> Scene:
    url = setting.stack.enter_context(full_backlog_url())
    return Scene(url=url, timeouts=Timeouts(connect=NO_CONNECTION_LIMIT), timed_out=True)


async def _short_attempt(setting: Setting) -> Scene:
    """The limit of the attempt is the one that ends the connecting."""
    url = setting.stack.enter_context(full_backlog_url())
    return Scene(url=url, timeouts=Timeouts(attempt=NO_CONNECTION_LIMIT), timed_out=True)


def _handshake(step: Step, *, timed_out: bool = False) -> Failure:
    """A server that does this where a TLS handshake is expected."""

    async def fail(setting: Setting) -> Scene:
        listener = await _listening(setting.stack, step)
        return Scene(
            url=listener.url,
            attempts=lambda: listener.accepted,
            timeouts=Timeouts(connect=NO_HANDSHAKE_LIMIT if timed_out else 5),
            timed_out=timed_out,
        )

    return fail


@define(eq=False)
class _Listener:
    url: str = ""
    accepted: int = 0


async def _listening(stack: AsyncExitStack, step: Step) -> _Listener:
    """A server that takes one step with every connection, whatever comes over it."""
    listener = _Listener()
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        listener.accepted += 1
        try:
            await reader.read(1)
            await step(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    async def end() -> None:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = await asyncio.start_server(handle, "127.0.0.1")
    stack.push_async_callback(end)
    listener.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return listener


def _certified(
    *, host: str = "127.0.0.1", trusted: bool = True, expired: bool = False
) -> Callable[[trustme.CA], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """The TLS settings of the two ends, for a certificate of this kind."""

    def make(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        last_year = yesterday - datetime.timedelta(days=365)
        validity: Any = {"not_before": last_year, "not_after": yesterday} if expired else {}
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(host, **validity).configure_cert(server)
        client = ssl.create_default_context()
        if trusted:
            authority.configure_trust(client)
        return server, client

    return make


def _bad_certificate(**kind: Any) -> Failure:
    async def fail(setting: Setting) -> Scene:
        ours, theirs = _certified(**kind)(setting.authority)
        handshakes = count_handshakes(ours)
        server = await setting.stack.enter_async_context(running(contact(), tls=ours))
        return Scene(
            url=server.base_url,
            attempts=lambda: len(handshakes),
            requests=server.requests,
            options={"ssl": theirs},
            server=server,
        )

    return fail


def count_handshakes(context: ssl.SSLContext) -> list[str | None]:
    """The host names that clients of a server will ask for, one for each handshake begun."""
    handshakes: list[str | None] = []

    def note(_: object, name: str | None, __: object) -> None:
        handshakes.append(name)

    context.sni_callback = note  # type: ignore[assignment]
    return handshakes


def ends_in(
    step: Step,
    *,
    looked_up: Step = MISSING,
    timeouts: Timeouts | None = None,
    timed_out: bool = False,
    status: int | None = None,
) -> Failure:
    """A server that takes this step with each request of the call."""

    async def fail(setting: Setting) -> Scene:
        steps: dict[str, Any] = {"GET": looked_up, setting.method: step}
        server = await setting.stack.enter_async_context(running(**steps))
        return Scene(
            url=server.base_url,
            attempts=lambda: server.count(setting.method),
            requests=server.requests,
            timeouts=timeouts or Timeouts(),
            timed_out=timed_out,
            status=status,
            server=server,
        )

    return fail


def answered(status: int, **headers: str) -> Failure:
    """A server that answers with a refusal of this status."""
    # A 304 has no body; one that came all the same would be the start of the next answer.
    step = reply(status) if status == 304 else refusal(status, **headers)
    return ends_in(step, status=status)


def succeeded_with(body: Any) -> Failure:
    """A server that answers 200 with this body, and asks for a pause that nobody owes it."""
    return ends_in(reply(200, body, {"Retry-After": "7"}), status=200)


async def _closes_idle_connections_too_late(setting: Setting) -> Scene:
    """Connections that were used before, and end at the moment of the next request."""
    connections = 3
    came = 0
    raced: list[bytes] = []
    together = asyncio.Event()

    async def race(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        if came > connections:
            return await MISSING(reader, writer)
        if came == connections:
            together.set()
        await together.wait()
        await contact()(reader, writer)
        if first := await reader.read(1):
            raced.append(first)
            await reset(reader, writer)

    async def warm_up(client: Any) -> None:
        await asyncio.gather(*(client.get_contact(NUMBER) for _ in range(connections)))

    server = await setting.stack.enter_async_context(running(race))
    return Scene(url=server.base_url, attempts=lambda: len(raced), warm_up=warm_up, server=server)


def _answer_cut_short(status: int, **headers: str) -> Step:
    """A refusal of which little more than the status comes."""
    lines = "".join(f"{name.replace('_', '-')}: {headers[name]}\r\n" for name in headers)
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 99\r\n{lines}\r\n"
    return raw(head.encode() + b'{"mess', close=True)


CHUNKS_CUT_SHORT = raw(
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n{"contact": {"pho', close=True
)
HEAD_CUT_SHORT = raw(b"HTTP/1.1 200 OK\r\nContent-Le", close=True)
PLAIN_TEXT = raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", close=True)
HTML = b"<html><head><title>Bad gateway</title></head></html>"
# Forty megabytes.
TOO_MUCH = gzip.compress(b" " * 40 * 2**20)

FAILURES: dict[str, Failure] = {
    "name unknown to DNS": _name_unknown,
    "connection refused": _refused,
    "connect timeout": _connect_timeout,
    "attempt over while connecting": _short_attempt,
    "TLS handshake timeout": _handshake(hang, timed_out=True),
    "reset in the TLS handshake": _handshake(reset),
    "closed in the TLS handshake": _handshake(hang_up),
    "certificate of an unknown authority": _bad_certificate(trusted=False),
    "certificate for another host": _bad_certificate(host="api.example"),
    "certificate that has expired": _bad_certificate(expired=True),
    "plain text on a TLS port": _handshake(PLAIN_TEXT),
    "reset before an answer": ends_in(reset),
    "closed before an answer": ends_in(hang_up),
    "closed within the head": ends_in(HEAD_CUT_SHORT),
    "keep-alive race": _closes_idle_connections_too_late,
    "read timeout": ends_in(hang, timeouts=Timeouts(attempt=NO_ANSWER_LIMIT), timed_out=True),
    "body cut short": ends_in(CUT_SHORT, status=200),
    "body cut short, no length": ends_in(CUT_SHORT_UNANNOUNCED, status=200),
    "body cut short, in chunks": ends_in(CHUNKS_CUT_SHORT, status=200),
    "2xx with HTML": succeeded_with(HTML),
    "2xx with nothing": succeeded_with(b""),
    "2xx with another document": succeeded_with("OK"),
    "2xx about another contact": succeeded_with({"contact": {"phone": "+19995550100"}}),
    "2xx that unpacks to too much": ends_in(
        reply(200, TOO_MUCH, {"Content-Encoding": "gzip", "Retry-After": "7"}), status=200
    ),
    "2xx that cannot be unpacked": ends_in(
        reply(200, HTML, {"Content-Encoding": "gzip", "Retry-After": "7"}), status=200
    ),
    "a header that is too large": ends_in(reply(200, HTML, {"X-Trace": "x" * 70_000})),
    "not HTTP": ends_in(NOT_HTTP),
    "2xx with status ERROR": succeeded_with({"status": "ERROR", "message": "No such line"}),
    "503 with Retry-After": answered(503, Retry_After="7"),
    "500 cut short": ends_in(_answer_cut_short(500, Retry_After="7"), status=500),
    "429 cut short": ends_in(_answer_cut_short(429, Retry_After="7"), status=429),
    "400 cut short": ends_in(_answer_cut_short(400, Retry_After="7"), status=400),
    "409 cut short": ends_in(_answer_cut_short(409, Retry_After="7"), status=409),
}
