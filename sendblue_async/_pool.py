"""aiohttp sessions: one per event loop, made on first use and closed with its loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from typing import Any

import aiohttp
import anyio

# Passed on to the client for its signatures, as no other module may import aiohttp.
from aiohttp import ClientSession as ClientSession
from aiohttp import TraceConfig as TraceConfig
from aiohttp.abc import AbstractStreamWriter
from attrs import define, field

from ._event_loop import require_asyncio
from ._resolver import make_resolver
from .exceptions import ConfigurationError

MAX_HEADER_SIZE = 64 * 2**10
"""Bytes that one header of an answer may have."""

# The setting is newer than the oldest aiohttp that will do; that one counts no headers.
_HEADER_COUNT: dict[str, Any] = (
    {"max_headers": 1000} if "max_headers" in signature(ClientSession).parameters else {}
)


# Pools with a session to close. In a client that the garbage collector takes whole, as after an
# error whose traceback leads to it, a session would complain before anybody could close it.
_open_pools: set[Pool] = set()


@define(eq=False)
class Pool:
    """The session of one event loop, and the slots for its requests.

    Attributes:
        session: The session.
        slots: One for each request that may be in flight.
        guard: A generator that closes the session when it is closed, or ``None`` if the session
            is not ours.
        process: The process that made it.
    """

    session: ClientSession
    slots: anyio.Semaphore
    guard: AsyncGenerator[None, None] | None
    process: int = field(factory=os.getpid, init=False)

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that made it."""
        return self.process != os.getpid()

    def abandon(self, keep: set[Pool] = _open_pools) -> None:
        """Let go of the session without closing it: its event loop does not run here."""
        keep.discard(self)
        if self.guard is not None:
            self.session.detach()

    async def close(self) -> None:
        """Close the session, on its event loop."""
        try:
            if self.guard is not None:
                await self.guard.aclose()
        finally:
            _open_pools.discard(self)


class Pools:
    """The pools of one client.

    Args:
        slots: Requests in flight at once, per event loop.
        trace_configs: aiohttp's hooks, given to the sessions made here.
        session: A session of the caller's own, used instead of any made here and left open.
    """

    def __init__(
        self,
        *,
        slots: int,
        trace_configs: list[TraceConfig],
        session: ClientSession | None,
    ) -> None:
        self._slots = slots
        self._trace_configs = trace_configs
        self._session = session
        # The event loop that first used that session.
        self._session_loop: asyncio.AbstractEventLoop | None = None
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._blocks = 0
        self._closed = False
        # One for each process, as a fork may come while another thread holds the parent's. It is
        # reentrant for signal handlers, which may interrupt its holder.
        self._locks: dict[int, threading.RLock] = {}

    def _lock(self) -> threading.RLock:
        return self._locks.setdefault(os.getpid(), threading.RLock())

    def enter(self) -> None:
        """Begin a block that needs sessions, also after a close."""
        with self._lock():
            self._blocks += 1
            self._closed = False

    def leave(self) -> bool:
        """End a block; return whether it was the last one, so that it is time to close."""
        with self._lock():
            self._blocks = max(0, self._blocks - 1)
            return self._blocks == 0

    def find(self) -> Pool | None:
        """Find the pool of the running event loop, if there is one yet.

        Raises:
            ConfigurationError: If no asyncio task runs here.
        """
        pool = self._pools.get(require_asyncio())
        return None if pool is None or pool.is_inherited else pool

    async def open(self) -> Pool:
        """Make the pool of the running event loop, and drop those of loops that ended.

        Raises:
            ConfigurationError: If the client, or the session given to it, is closed.
        """
        if self._closed:
            raise ConfigurationError(
                "This client is closed. Make a new one, or enter it again with a `with` block."
            )
        # One by one, as loops on other threads may be adding their pools meanwhile.
        for loop, pool in list(self._pools.items()):
            if pool.is_inherited or loop.is_closed():
                pool.abandon()
                self._pools.pop(loop, None)
        slots, session, guard = self._slots, self._session, None
        if session is None:
            session = ClientSession(
                connector=_Connector(limit=slots, resolver=make_resolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=self._trace_configs,
                request_class=_Request,
                **_HEADER_COUNT,
            )
            guard = _close_with_loop(session)
            await guard.asend(None)
        elif session.closed or session.connector is None:
            raise ConfigurationError("The aiohttp session given to this client is closed.")
        elif self._session_loop not in (None, asyncio.get_running_loop()):
            raise ConfigurationError(
                "The aiohttp session given to this client belongs to another event loop. "
                "Leave the session out, and the client makes one for each loop."
            )
        else:
            self._session_loop = asyncio.get_running_loop()
            # Zero is no limit.
            limits = session.connector.limit, session.connector.limit_per_host
            slots = min([slots, *filter(None, limits)])
        # A caller that finds a slot free does not yield to others first.
        pool = Pool(session, anyio.Semaphore(slots, fast_acquire=True), guard)
        if guard is not None:
            _open_pools.add(pool)
        self._pools[asyncio.get_running_loop()] = pool
        return pool

    async def close(self) -> None:
        """Close the sessions that were made here, and make no more until a block begins."""
        here = require_asyncio()
        with self._lock():
            if self._blocks and _only_if_unused.get():
                return
            self._blocks = 0
            self._closed = True
            pools, self._pools = self._pools, {}
        for loop, pool in pools.items():
            if pool.is_inherited or loop.is_closed():
                pool.abandon()
            elif loop is here:
                await pool.close()
            else:
                asyncio.run_coroutine_threadsafe(pool.close(), loop)

    def __del__(
        self,
        # An interpreter that exits may have taken the names of modules away.
        warn: Callable[..., None] = warnings.warn,
        category: type[Warning] = ResourceWarning,
        is_finalizing: Callable[[], bool] = sys.is_finalizing,
        submit: Callable[..., object] = asyncio.run_coroutine_threadsafe,
        process: Callable[[], int] = os.getpid,
    ) -> None:
        here = process()
        own = [pool for pool in self._pools.values() if pool.process == here]
        for loop, pool in self._pools.items():
            if pool in own and loop.is_running() and not is_finalizing():
                submit(pool.close(), loop)
            else:
                pool.abandon()
        # Last, as it may raise.
        if own:
            warn("unclosed Sendblue client", category, stacklevel=2, source=self)


_connect = aiohttp.TCPConnector.connect


class _Connector(aiohttp.TCPConnector):
    """A connector that does not complain when it is dropped, as :class:`Pools` does.

    A connection on which something arrived while it was idle is not used again: aiohttp would
    take that for the answer to the next request.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> aiohttp.connector.Connection:
        """Return a connection on which nothing has arrived yet."""
        connection, closed = await _connect(self, req, traces, timeout), 0
        # There are no more idle connections than the limit, and a new one may greet, too.
        while (
            (protocol := connection.protocol) is not None
            and protocol.should_close
            and closed < self.limit
        ):
            connection.close()
            connection, closed = await _connect(self, req, traces, timeout), closed + 1
        return connection

    def __del__(self, _: object = None) -> None:
        pass


class _Request(aiohttp.ClientRequest):
    """A request that knows whether it was given to a connection."""

    was_sent = False

    def send(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, conn: aiohttp.connector.Connection
    ) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        self.was_sent = True
        return super().send(conn)


class RequestBody(aiohttp.BytesPayload):
    """A request body that knows whether any of it was given to a connection."""

    was_sent = False

    def write_with_length(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> Coroutine[Any, Any, None]:
        self.was_sent = True
        return super().write_with_length(writer, content_length)


def drop_connection(response: aiohttp.ClientResponse) -> None:
    """Close the connection of an answer, even if it has ended and others may use it by now."""
    # There is no public way from an answer that has ended to its connection.
    protocol = getattr(response, "_protocol", None)
    transport = getattr(protocol, "transport", None)
    if transport is not None:
        transport.close()


class ConnectionLost(aiohttp.ClientConnectionError):
    """A lost connection, as a class of error after which aiohttp does not resend the request.

    The original error is its cause.
    """


class SingleSend:
    """A middleware that has aiohttp send a request only once.

    The truth table decides what is repeated. aiohttp by itself silently resends a GET, PUT or
    DELETE whose connection is lost before an answer: a DELETE that was carried out would then
    seem to find nothing.

    Attributes:
        middlewares: The ``middlewares`` of the request: this one, and those of its session.
    """

    def __init__(self, session: ClientSession) -> None:
        # There is no public way to learn the middlewares of a session that came from outside, and
        # those of a request replace them; better a request sent twice than theirs left out.
        theirs = getattr(session, "_middlewares", None)
        self.middlewares = None if theirs is None else (self, *theirs)
        self._request: aiohttp.ClientRequest | None = None

    @property
    def was_sent(self) -> bool:
        """Whether the server may have seen the request."""
        if self._request is None:
            return self.middlewares is None
        # The requests of a session that came from outside do not know.
        return getattr(self._request, "was_sent", True)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request, once."""
        self._request = request
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            # Not sent, and not resent: hooks that trace requests see it unchanged.
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise ConnectionLost from error


async def _close_with_loop(session: ClientSession) -> AsyncGenerator[None, None]:
    """Close the session when this generator is closed.

    An event loop closes its asynchronous generators before it stops. That is the last moment at
    which a session can be closed, and the only sign of it that a library gets.
    """
    try:
        yield
    finally:
        await session.close()


_only_if_unused: ContextVar[bool] = ContextVar("_only_if_unused", default=False)


@contextmanager
def close_unless_in_use() -> Iterator[None]:
    """Meanwhile, :meth:`Pools.close` does nothing if another thread has begun a block."""
    before = _only_if_unused.set(True)
    try:
        yield
    finally:
        _only_if_unused.reset(before)
