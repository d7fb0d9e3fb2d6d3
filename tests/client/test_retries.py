"""The loop of attempts: how often, after which waits, and when it is over."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Any

import aiohttp
import anyio
import pytest
from attrs import evolve

from sendblue_async import (
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    RetryPolicy,
    SendblueError,
    ServerError,
    Timeouts,
)

from .servers import contact, drip, hang, late, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
HTTP_NOW = 1_700_000_000


async def upsert(client: Any, number: str = NUMBER) -> Any:
    """One create that is harmless to repeat; nothing is looked up afterwards."""
    client = client.with_options(retry=evolve(client._retry, settle=False))
    return await client.create_contact(number, update_if_exists=True)


@pytest.mark.parametrize(
    ("status", "policy", "waits"),
    [
        (500, RetryPolicy(), [0.25, 0.5, 1]),
        (500, RetryPolicy(attempts=1), []),
        (500, RetryPolicy(attempts=2), [0.25]),
        (500, RetryPolicy(attempts=9), [0.25, 0.5, 1, 2, 4, 8, 8, 8]),
        (500, RetryPolicy(attempts=5, base=2, cap=5), [2, 4, 5, 5]),
        (500, RetryPolicy(attempts=5, base=3, cap=1), [1, 1, 1, 1]),
        (500, RetryPolicy(attempts=3, base=0), [0, 0]),
        (429, RetryPolicy(attempts=6), [1, 2, 4, 8, 8]),
        (429, RetryPolicy(rate_limit_base=0.5), [0.5, 1, 2]),
        (425, RetryPolicy(), [0.25]),
        (400, RetryPolicy(), []),
    ],
)
async def test_the_schedule_is_exact(
    serve: Any, connect: Any, timer: Any, status: int, policy: RetryPolicy, waits: list[float]
) -> None:
    """With jitter pinned to 1 each wait is the formula's, and none follows the last attempt."""
    server = await serve(refusal(status))
    with pytest.raises(SendblueError) as caught:
        await upsert(connect(server, timer=timer, retry=policy))
    assert timer.waits == waits
    assert caught.value.attempts == len(server.requests) == len(waits) + 1


@pytest.mark.parametrize("drawn", [0.0, 0.25, 0.5])
async def test_jitter_scales_the_whole_wait(
    serve: Any, connect: Any, timer: Any, drawn: float
) -> None:
    """The draw is a share of the wait, down to nothing: full jitter."""
    timer.drawn = drawn
    server = await serve(refusal(500))
    with pytest.raises(ServerError):
        await upsert(connect(server, timer=timer))
    assert timer.waits == [0.25 * drawn, 0.5 * drawn, 1.0 * drawn]


async def test_a_retry_sends_the_same_request(serve: Any, connect: Any, timer: Any) -> None:
    """Every attempt has the same path, headers and body as the first one."""
    server = await serve(refusal(500), refusal(429), contact())
    response = await connect(server, timer=timer).create_contact(NUMBER, first_name="Ada")
    assert response.meta.attempts == 3
    first, *others = server.requests
    assert others == [first, first]


DATE = formatdate(HTTP_NOW, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"Retry-After": "20"}, (20.0, 21.0)),
        ({"Retry-After": "1.5"}, (1.5, 1.575)),
        ({"Retry-After": formatdate(HTTP_NOW + 30, usegmt=True), "Date": DATE}, (30.0, 31.5)),
        ({"Retry-After": "0"}, (0.0, 0.25)),
        ({"Retry-After": formatdate(HTTP_NOW - 30, usegmt=True), "Date": DATE}, (0.0, 0.25)),
        ({"Retry-After": "soon"}, (0.0, 0.25)),
    ],
)
async def test_retry_after_is_never_undercut(
    serve: Any, connect: Any, timer: Any, headers: dict[str, str], waits: tuple[float, float]
) -> None:
    """The wait is what was asked for and up to 5 % more; what names no time is plain backoff."""
    for timer.drawn, wait in zip((0.0, 1.0), waits, strict=True):
        server = await serve(reply(503, b"", headers), contact())
        timer.waits.clear()
        await upsert(connect(server, timer=timer))
        assert timer.waits == [pytest.approx(wait)]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_wait_beyond_the_deadline_raises_at_once(
    serve: Any, connect: Any, timer: Any, status: int
) -> None:
    """Nothing is slept, nothing more is sent, and the error has the time that was asked for."""
    server = await serve(refusal(status, Retry_After="60"))
    with pytest.raises(SendblueError) as caught:
        await upsert(connect(server, timer=timer, timeouts=Timeouts(total=60)))
    assert (caught.value.retry_after, caught.value.status) == (60, status)
    assert (timer.waits, len(server.requests), caught.value.attempts) == ([], 1, 1)


async def test_backoff_stops_at_the_deadline(serve: Any, connect: Any, timer: Any) -> None:
    """A wait that still fits is taken; the first one that does not ends the call."""
    server = await serve(refusal(500))
    client = connect(server, timer=timer, timeouts=Timeouts(total=1), retry=RetryPolicy(attempts=9))
    with pytest.raises(ServerError):
        await upsert(client)
    assert timer.waits == [0.25, 0.5]
    assert len(server.requests) == 3


async def test_a_429_pauses_every_caller_of_the_client(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """Until the time it names nobody sends, not even through a view; then everybody does."""
    timer = standing_timer
    server = await serve(refusal(429, Retry_After="20"), contact())
    client = connect(server, timer=timer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(upsert, client)
        await server.until(lambda: timer.waits)
        for caller in (client, client.with_options()):
            tasks.start_soon(upsert, caller)
        tasks.start_soon(client.get_contact, NUMBER)
        await server.until(lambda: len(timer.waits) == 4)
        assert timer.waits == [21.0, 20.0, 20.0, 20.0]
        timer.advance(19.9)
        await asyncio.sleep(0.02)
        assert len(server.requests) == 1
        timer.advance(1.2)
    assert len(server.requests) == 5


async def test_a_pause_beyond_the_deadline_is_not_waited_for(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """A caller whose deadline comes before the end of the pause learns so at once."""
    server = await serve(refusal(429, Retry_After="90"), contact())
    client = connect(server, timer=standing_timer)
    with pytest.raises(RateLimitError) as first:
        await upsert(client)
    with pytest.raises(RateLimitError) as second:
        await client.create_contact(NUMBER)
    assert (first.value.outcome, first.value.retry_after) == ("rejected", 90)
    assert (second.value.outcome, second.value.retry_after) == ("not_sent", 90)
    assert second.value.status is None
    assert len(server.requests) == 1
    standing_timer.advance(90)
    await upsert(client)


@pytest.mark.parametrize(("rate", "asked", "paused"), [(10, "90", 90), (None, "999999999", 300)])
async def test_calls_that_come_too_late_hold_up_nobody(
    serve: Any, connect: Any, timer: Any, rate: float | None, asked: str, paused: float
) -> None:
    """A pause that is too long for many calls ends when it was to end, with a probe first."""
    server = await serve(refusal(429, Retry_After=asked), contact())
    client = connect(server, timer=timer, rate_limit=rate)
    for _ in range(200):
        with pytest.raises(RateLimitError):
            await upsert(client)
    timer.advance(paused)
    await upsert(client)
    assert timer.waits == []
    await upsert(client)
    assert timer.waits == pytest.approx([1 / rate if rate else 5])
    assert len(server.requests) == 3


@pytest.mark.parametrize("answer", [refusal(429), refusal(503, Retry_After="20")])
async def test_other_answers_pause_nobody_else(
    serve: Any, connect: Any, standing_timer: Any, answer: Any
) -> None:
    """A 429 without a time, or a 503 with one, concerns only the call that got it."""
    server = await serve(answer, contact())
    client = connect(server, timer=standing_timer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(upsert, client)
        await server.until(lambda: standing_timer.waits)
        await upsert(client)
        assert len(standing_timer.waits) == 1
        tasks.cancel_scope.cancel()


async def test_an_outage_stops_the_retries_and_recovery_starts_them(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Of 100 tokens 49 failures leave 51, so 37 retries are sent in all; each success gives one."""
    timer.drawn = 0.0
    server = await serve(refusal(500))
    client = connect(server, timer=timer)
    for _ in range(200):
        with pytest.raises(ServerError):
            await upsert(client)
    assert len(server.requests) == 200 + 37

    server.steps["*"] = [contact()]
    for _ in range(52):
        assert (await upsert(client)).meta.attempts == 1
    server.steps["*"] = [refusal(500), contact()]
    assert (await upsert(client)).meta.attempts == 2


async def test_refusals_cost_no_retries(serve: Any, connect: Any, timer: Any) -> None:
    """Answers that are not retried, such as 400, leave the throttle alone."""
    server = await serve(refusal(400))
    client = connect(server, timer=timer)
    for _ in range(120):
        with pytest.raises(SendblueError):
            await upsert(client)
    server.steps["*"] = [refusal(500), contact()]
    assert (await upsert(client)).meta.attempts == 2


async def test_rate_limit_spaces_the_requests(serve: Any, connect: Any, timer: Any) -> None:
    """Calls one after the other are sent at even distances, the first one at once."""
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=10)
    for _ in range(5):
        await upsert(client)
    assert timer.waits == [pytest.approx(0.1)] * 4
    timer.now += 60
    await upsert(client)
    assert len(timer.waits) == 4


async def test_rate_limit_spaces_concurrent_calls_and_retries(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """Each caller gets a place of its own, and no more requests go out than time has passed."""
    timer = standing_timer
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=4)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(upsert, client)
        await server.until(lambda: len(timer.waits) == 4)
        assert timer.waits == [0.25, 0.5, 0.75, 1.0]
        for sent in range(1, 6):
            await server.until(lambda sent=sent: len(server.requests) == sent)
            timer.advance(0.25)


async def test_a_pause_does_not_end_in_a_burst(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """Callers whose places fall into a pause take new ones after it, as far apart as before."""
    server = await serve(refusal(429, Retry_After="10"))
    client = connect(server, timer=standing_timer, rate_limit=1)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(upsert, client)
        await server.until(lambda: len(standing_timer.waits) == 4)
        assert sorted(standing_timer.waits) == [1, 2, 3, 10.5]
        standing_timer.advance(3)
        await server.until(lambda: len(standing_timer.waits) == 7)
        assert sorted(standing_timer.waits[4:]) == [7, 8, 9]
        tasks.cancel_scope.cancel()
    assert len(server.requests) == 1


async def test_a_call_that_is_held_back_holds_nobody_else_back(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """A call without time for its slot of the rate limit gives up alone, the others keep theirs."""
    server = await serve(contact())
    client = connect(server, timer=standing_timer, rate_limit=1)
    hasty = client.with_options(timeouts=Timeouts(total=1.5))
    await upsert(client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(upsert, client)
        await server.until(lambda: len(standing_timer.waits) == 1)
        with pytest.raises(RateLimitError):
            await upsert(hasty)
        standing_timer.advance(1)
    assert len(server.requests) == 2


async def test_a_place_beyond_the_deadline_is_not_waited_for(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """A rate limit that cannot be met in time raises at once, and nothing is sent."""
    server = await serve(contact())
    client = connect(server, timer=standing_timer, rate_limit=0.01)
    await upsert(client)
    with pytest.raises(RateLimitError, match="after the deadline") as caught:
        await upsert(client)
    assert (caught.value.outcome, caught.value.retry_after) == ("not_sent", 100)
    assert caught.value.attempts == 0
    assert len(server.requests) == 1


class Stopwatch:
    """Seconds of real time in a ``with`` block."""

    seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self.began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self.began


FAST = RetryPolicy(attempts=50, base=0)


async def test_one_deadline_covers_a_body_that_drips(serve: Any, connect: Any) -> None:
    """Bytes that keep coming do not prolong the call."""
    server = await serve(drip(b" " * 1000, 0.02))
    client = connect(server, retry=FAST, timeouts=Timeouts(total=0.4))
    with Stopwatch() as watch, pytest.raises(OutcomeUnknownError) as caught:
        await client.create_contact(NUMBER)
    assert caught.value.timed_out
    assert 0.35 < watch.seconds < 2
    assert server.count("POST") == 1


async def test_one_deadline_covers_all_attempts_and_the_look_up(serve: Any, connect: Any) -> None:
    """Attempts that time out one after the other share the time of the call."""
    server = await serve(hang)
    client = connect(server, retry=FAST, timeouts=Timeouts(attempt=0.15, total=0.5))
    with Stopwatch() as watch, pytest.raises(OutcomeUnknownError) as caught:
        await client.create_contact(NUMBER)
    assert 0.45 < watch.seconds < 2
    assert 2 <= caught.value.attempts <= 5


async def test_one_deadline_covers_the_queue(serve: Any, connect: Any) -> None:
    """A call that gets no connection until its time is over was not sent."""
    server = await serve(hang)
    client = connect(server, max_connections=1)
    hasty = client.with_options(timeouts=Timeouts(total=0.2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.create_contact, NUMBER)
        await server.until(lambda: server.requests)
        with Stopwatch() as watch, pytest.raises(ConnectError, match="free connection") as caught:
            await hasty.create_contact(NUMBER)
        tasks.cancel_scope.cancel()
    assert (caught.value.outcome, caught.value.timed_out) == ("not_sent", True)
    assert 0.15 < watch.seconds < 2
    assert len(server.requests) == 1


async def test_a_queue_that_is_full_does_not_stop_the_retries(serve: Any, connect: Any) -> None:
    """Calls that were never sent say nothing about the server, so the throttle stays open."""
    server = await serve(hang)
    client = connect(server, max_connections=1, retry=RetryPolicy(base=0))
    hasty = client.with_options(timeouts=Timeouts(total=0.1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.create_contact, NUMBER)
        await server.until(lambda: server.requests)
        refused = await asyncio.gather(
            *(hasty.create_contact(NUMBER) for _ in range(60)), return_exceptions=True
        )
        assert {type(error) for error in refused} == {ConnectError}
        tasks.cancel_scope.cancel()
    server.steps["*"] = [refusal(500), contact()]
    assert (await upsert(client)).meta.attempts == 2


@pytest.mark.parametrize("given", [False, True])
async def test_the_queue_does_not_count_against_an_attempt(
    serve: Any, connect: Any, stack: AsyncExitStack, given: bool
) -> None:
    """Nine calls of 0.3 s share a connection, and none hits its limit of 2 s per attempt."""
    server = await serve(late(0.3, contact()))
    options: dict[str, Any] = {"max_connections": 1}
    if given:
        connector = aiohttp.TCPConnector(limit=1)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        options = {"session": session}
    client = connect(server, timeouts=Timeouts(attempt=2), **options)
    answers = await asyncio.gather(*(upsert(client) for _ in range(9)))
    assert [answer.meta.attempts for answer in answers] == [1] * 9
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("method", "requests"),
    [("GET", 4), ("HEAD", 4), ("OPTIONS", 4), ("PUT", 4), ("DELETE", 4), ("POST", 1), ("PATCH", 1)],
)
async def test_request_repeats_an_unknown_outcome_only_if_harmless(
    serve: Any, connect: Any, timer: Any, method: str, requests: int
) -> None:
    """Idempotent methods are repeated after a 500; the others are not, but are after a 429."""
    for status, expected in ((500, requests), (429, 4)):
        server = await serve(reply(status))
        with pytest.raises(SendblueError):
            await connect(server, timer=timer).request(method, "/")
        assert len(server.requests) == expected
