"""Servers, clients and a clock that the tests of the asynchronous client are given."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme
from attrs import Factory, define, frozen

from sendblue_async import RetryPolicy, SendblueClient, Timeouts
from sendblue_async._clock import SYSTEM_CLOCK, Clock
from sendblue_async.sandbox import Sandbox

from .servers import Server, Step, running

Connect = Callable[..., SendblueClient]
Serve = Callable[..., Awaitable[Server]]
StartSandbox = Callable[..., Awaitable[Sandbox]]


@define(eq=False)
class Timer:
    """A clock that a test winds: it jumps ahead at every wait, or else stands until told."""

    now: float = 1000.0
    drawn: float = 1.0
    jumps: bool = True
    waits: list[float] = Factory(list)
    on_wait: Callable[[], object] = lambda: None
    time_of_day: Callable[[], float] = time.time
    _alarms: list[tuple[float, asyncio.Event]] = Factory(list)

    @property
    def clock(self) -> Clock:
        """What a client is given to go by this timer."""
        return Clock(
            monotonic=lambda: self.now,
            time=lambda: self.time_of_day(),
            sleep=self.sleep,
            random=lambda: self.drawn,
        )

    async def sleep(self, seconds: float) -> None:
        """Wait, and put the wait on record."""
        self.waits.append(seconds)
        self.on_wait()
        if self.jumps:
            self.now += seconds
            return
        rings = asyncio.Event()
        self._alarms.append((self.now + seconds, rings))
        await rings.wait()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for due, rings in self._alarms:
            if due <= self.now:
                rings.set()


def make_client(clock: Clock, *arguments: Any, **options: Any) -> SendblueClient:
    """A client that goes by this clock."""

    class TimedClient(SendblueClient):
        _clock = clock

    return TimedClient(*arguments, **options)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Ends what was begun in a test, in the opposite order."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    """Starts a server that misbehaves as told."""

    async def serve(*steps: Step, **options: Any) -> Server:
        return await stack.enter_async_context(running(*steps, **options))

    return serve


@pytest.fixture
def start_sandbox(stack: AsyncExitStack) -> StartSandbox:
    """Starts a sandbox with the given arguments."""

    async def start_sandbox(**arguments: Any) -> Sandbox:
        return await stack.enter_async_context(Sandbox(**arguments))

    return start_sandbox


@pytest.fixture
async def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    """A sandbox with nothing set."""
    return await start_sandbox()


@pytest.fixture
def connect(stack: AsyncExitStack) -> Connect:
    """Makes a client that has the sandbox's keys; with a ``timer``, it waits by that one."""

    def connect(
        server: Sandbox | Server | str,
        *,
        timer: Timer | None = None,
        clock: Clock = SYSTEM_CLOCK,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        **options: Any,
    ) -> SendblueClient:
        url = server if isinstance(server, str) else server.base_url
        keys = "sandbox-key", "sandbox-secret"
        client = make_client(
            timer.clock if timer else clock,
            *keys,
            base_url=url,
            timeouts=timeouts,
            retry=retry,
            **options,
        )
        stack.push_async_callback(client.close)
        return client

    return connect


@pytest.fixture
def timer() -> Timer:
    """A clock that jumps ahead at every wait, and a jitter pinned to its upper end."""
    return Timer()


@pytest.fixture
def standing_timer() -> Timer:
    """A clock that stands still until it is told to go on."""
    return Timer(jumps=False)


@frozen
class Tls:
    """A certificate authority of the test's own, a certificate from it, and who trusts it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that no machine trusts."""
    return trustme.CA()


@pytest.fixture
def tls_for(authority: trustme.CA) -> Callable[[str], Tls]:
    """Makes the two ends' TLS settings for a host."""

    def tls_for(host: str) -> Tls:
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(host).configure_cert(server)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        return Tls(server, trusting)

    return tls_for
