"""A rate limiter of the user's own, in the place of a number."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sendblue_async import (
    ConfigurationError,
    RateLimiter,
    RateLimitError,
    RetryPolicy,
    SendblueError,
    SyncSendblueClient,
    Timeouts,
)
from sendblue_async.batch import SendOptions
from sendblue_async.sandbox import Sandbox

from .servers import contact, echo, refusal

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"


class Spaced(RateLimiter):
    """Slots so many seconds apart, and a list of what it was asked and told."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.next = 0.0
        self.given: list[float] = []
        self.told: list[tuple[str, float | None]] = []

    def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Give the next slot, if it comes before that."""
        slot = max(now, self.next)
        if slot < before:
            self.next = slot + self.interval
            self.given.append(slot)
        return slot

    def next_slot_at(self, now: float) -> float:
        """Tell when the next slot comes."""
        return max(now, self.next)

    def pause(self, now: float, seconds: float) -> Awaitable[None] | None:
        """Write down what was asked for."""
        self.told.append(("pause", seconds))
        return None

    def on_accepted(self, now: float) -> None:
        """Write down that there was an answer."""
        self.told.append(("accepted", None))

    def on_throttled(self, now: float) -> None:
        """Write down that there was a 429."""
        self.told.append(("throttled", None))


class Remote(RateLimiter):
    """The same limiter behind a wait, as if another machine had it."""

    def __init__(self, limiter: Spaced, paused_until: Callable[[], float] = lambda: 0.0) -> None:
        self.limiter = limiter
        self._paused_until = paused_until
        self.informed = 0

    async def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Ask for a slot."""
        await asyncio.sleep(0)
        return self.limiter.reserve_slot(now, before)

    async def paused_until(self) -> float:
        """Ask for the end of the pause."""
        await asyncio.sleep(0)
        return self._paused_until()

    async def pause(self, now: float, seconds: float) -> None:
        """Share a pause."""
        self.limiter.pause(now, seconds)
        await asyncio.sleep(0)
        self.informed += 1


async def upsert(client: Any) -> None:
    """Make a call."""
    await client.create_contact(NUMBER, update_if_exists=True)


@pytest.mark.parametrize("remote", [False, True])
async def test_each_request_takes_a_slot(
    serve: Any, connect: Any, timer: Any, remote: bool
) -> None:
    """Calls and their retries are sent in the slots that the limiter gives them."""
    spaced = Spaced(2.0)
    server = await serve(refusal(503, Retry_After="1"), echo())
    client = connect(server, timer=timer, rate_limit=Remote(spaced) if remote else spaced)
    await upsert(client)
    await upsert(client)
    assert spaced.given == [1000, 1002, 1004]
    assert timer.now == 1004


@pytest.mark.parametrize("remote", [False, True])
async def test_a_batch_keeps_to_the_clients_rate_limiter(
    start_sandbox: Any, connect: Any, remote: bool
) -> None:
    """Without a limit of its own, a batch uses the client's limiter, and one slot a request."""
    spaced = Spaced(0.002)
    limiter = Remote(spaced) if remote else spaced
    sandbox = await start_sandbox()
    client = connect(sandbox, rate_limit=limiter)
    rows = [{"number": f"+1415555{n:04}"} for n in range(100)]
    results = [result async for result in client.create_contacts(rows)]
    assert {result.outcome for result in results} == {"created"}
    assert len(spaced.given) == len(sandbox.requests) == 100


@pytest.mark.parametrize("own", [False, True])
async def test_a_batch_may_have_a_rate_limiter(start_sandbox: Any, connect: Any, own: bool) -> None:
    """Both limits are kept then; the client's own limiter, given again, is asked only once."""
    of_client, of_batch = Spaced(0.001), Spaced(0.002)
    sandbox = await start_sandbox()
    client = connect(sandbox, rate_limit=of_client)
    rows = [{"number": f"+1415555{n:04}"} for n in range(50)]
    given = of_client if own else of_batch
    assert len([result async for result in client.create_contacts(rows, rate_limit=given)]) == 50
    assert len(of_client.given) == 50
    assert len(of_batch.given) == (0 if own else 50)


async def test_a_number_and_a_rate_limiter_are_both_kept(start_sandbox: Any, connect: Any) -> None:
    """A batch with a rate sends no faster than that, and in the slots of the client's limiter."""
    spaced = Spaced(0.0001)
    sandbox = await start_sandbox()
    client = connect(sandbox, rate_limit=Remote(spaced))
    rows = [{"number": f"+1415555{n:04}"} for n in range(20)]
    began = time.monotonic()
    assert len([result async for result in client.create_contacts(rows, rate_limit=50)]) == 20
    assert time.monotonic() - began > 0.35
    # None was taken long before it could be used.
    assert all(
        later - earlier > 0.01
        for earlier, later in zip(spaced.given, spaced.given[2:], strict=False)
    )


async def test_a_slot_after_the_deadline_is_not_waited_for(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The call fails at once, says when its slot would have come, and takes none."""
    spaced = Spaced(100.0)
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=Remote(spaced))
    await upsert(client)
    with pytest.raises(RateLimitError) as caught:
        await upsert(client)
    assert caught.value.retry_after == 100
    assert (timer.waits, spaced.given) == ([], [1000])


async def test_a_rate_limiter_that_never_answers_holds_no_call_beyond_its_deadline(
    serve: Any, connect: Any
) -> None:
    """Whatever it has to be awaited for, the call ends in time, and leaves nothing taken."""

    class Silent(RateLimiter):
        async def reserve_slot(self, now: float, before: float = math.inf) -> float:
            await asyncio.sleep(3600)
            raise AssertionError

    server = await serve(contact())
    client = connect(
        server, rate_limit=Silent(), max_connections=1, timeouts=Timeouts(total=0.3, connect=0.1)
    )
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(SendblueError, match="waited for the rate limiter") as caught:
            await upsert(client)
        assert time.monotonic() - began < 5
        assert (caught.value.outcome, caught.value.timed_out) == ("not_sent", True)
    assert server.requests == []


async def test_a_pause_elsewhere_is_seen_after_a_wait(serve: Any, connect: Any, timer: Any) -> None:
    """A caller that waited for its slot takes another one, if others were told to pause."""
    spaced = Spaced(2.0)
    server = await serve(echo())
    client = connect(
        server,
        timer=timer,
        rate_limit=Remote(spaced, lambda: 1010.0 if timer.now < 1010 else 0.0),
    )
    spaced.next = 1002.0
    timer.on_wait = lambda: setattr(spaced, "next", 1010.0)
    await upsert(client)
    assert (spaced.given, timer.now) == ([1002, 1010], 1010)


@pytest.mark.parametrize("remote", [False, True])
async def test_a_429_is_told_and_pauses_the_client(
    serve: Any, connect: Any, timer: Any, remote: bool
) -> None:
    """The limiter learns of the pause; callers of this client keep it, whether it does or not."""
    spaced = Spaced(0.0)
    limiter = Remote(spaced) if remote else spaced
    server = await serve(refusal(429, Retry_After="10"), echo())
    client = connect(server, timer=timer, rate_limit=limiter)
    with pytest.raises(RateLimitError):
        await upsert(client.with_options(retry=RetryPolicy(attempts=1)))
    await upsert(client)
    assert timer.now == 1010
    assert ("pause", 10) in spaced.told
    if remote:
        assert limiter.informed == 1
    else:
        assert spaced.told == [("throttled", None), ("pause", 10), ("accepted", None)]


async def test_a_pause_beyond_the_deadline_takes_no_slot(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The call fails at once, as with a number, and the limiter is not asked."""
    spaced = Spaced(1.0)
    server = await serve(refusal(429, Retry_After="100"), echo())
    client = connect(server, timer=timer, rate_limit=Remote(spaced))
    for _ in range(2):
        with pytest.raises(RateLimitError) as caught:
            await upsert(client)
        assert caught.value.retry_after == 100
    assert (timer.waits, spaced.given) == ([], [1000])


async def test_whole_numbers_are_times_too(serve: Any, connect: Any) -> None:
    """A limiter may return an int."""

    class Free(RateLimiter):
        def reserve_slot(self, now: float, before: float = math.inf) -> float:
            return 0

    await upsert(connect(await serve(echo()), rate_limit=Free()))


async def test_cancelling_ends_the_wait_for_a_rate_limiter(serve: Any, connect: Any) -> None:
    """A caller that is cancelled meanwhile holds no connection."""
    release = asyncio.Event()

    class Slow(RateLimiter):
        async def reserve_slot(self, now: float, before: float = math.inf) -> float:
            await release.wait()
            return now

    client = connect(await serve(echo()), rate_limit=Slow(), max_connections=1)
    with anyio.move_on_after(0.05):
        await upsert(client)
    release.set()
    await upsert(client)


async def test_the_blocking_client_takes_one_too(sandbox: Sandbox) -> None:
    """Its calls and its batches are sent in the slots of the limiter."""
    spaced = Spaced(0.001)

    def work() -> None:
        keys = sandbox.api_key, sandbox.api_secret
        limiter = Remote(spaced)
        with SyncSendblueClient(*keys, base_url=sandbox.base_url, rate_limit=limiter) as client:
            client.create_contact(NUMBER)
            rows = [{"number": f"+1415555{n:04}"} for n in range(20)]
            assert len(list(client.create_contacts(rows))) == 20

    await anyio.to_thread.run_sync(work)
    assert len(spaced.given) == 21


def test_what_is_no_rate_limit_is_not_shown() -> None:
    """A URL that belongs elsewhere may hold a password."""
    with pytest.raises(ConfigurationError, match=r"^rate_limit must be .* not a str") as caught:
        SyncSendblueClient("key", "secret", rate_limit="redis://:hunter2@localhost")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("make", [SyncSendblueClient, SendOptions])
def test_a_class_is_no_rate_limiter(make: Any) -> None:
    """Whoever forgets to make one learns of it at once, and not at the first call."""
    with pytest.raises(ConfigurationError, match=r"^rate_limit must be .* not the class Spaced\.$"):
        make(rate_limit=Spaced)
