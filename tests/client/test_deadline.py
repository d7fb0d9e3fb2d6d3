"""The deadline of a call: it holds whatever fails, and no wall clock moves it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Any

import anyio
import pytest
import trustme

from sendblue_async import OutcomeUnknownError, RetryPolicy, SendblueError, Timeouts
from sendblue_async._clock import Clock

from .failures import FAILURES, NUMBER, Failure, Setting, answered, ends_in
from .servers import Step, contact, drip, hang, refusal, reply

pytestmark = pytest.mark.anyio

TOTAL = 0.3
# A tenth of a second is promised; a machine under load takes longer.
ROOM = 0.5
# Takes the time of day from where a test sets it.
WALL_CLOCK = Clock(time=lambda: time.time())
PATIENT = Timeouts(connect=5, attempt=20, total=TOTAL)
PERSISTENT = RetryPolicy(attempts=10_000, base=0.01, cap=0.02)


def dripping(content: bytes) -> Step:
    """These very bytes, one at a time, and again from the start for ever."""

    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for place in range(len(content)):
                await asyncio.sleep(0.01)
                writer.write(content[place : place + 1])
                await writer.drain()

    return step


def long_answer(status: int, header: str, body: Step) -> Step:
    """The head of an answer, and a body that takes its time."""

    async def step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Said So\r\n{header}\r\n\r\n".encode())
        await body(reader, writer)

    return step


# What takes for ever, unless the deadline ends it.
ENDLESS: dict[str, Failure] = {
    "no answer": ends_in(hang),
    "body that drips": ends_in(drip(b" " * 1000, 0.01)),
    "body that drips to its end": ends_in(long_answer(200, "X-A: b", dripping(b" "))),
    "body that drips in chunks": ends_in(
        long_answer(200, "Transfer-Encoding: chunked", dripping(b"1\r\n \r\n"))
    ),
    "head that drips": ends_in(dripping(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20)),
    "answers that promise one": ends_in(dripping(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "refusal that drips": ends_in(long_answer(500, "Content-Length: 999", dripping(b" "))),
    "connect timeout": FAILURES["connect timeout"],
    "TLS handshake timeout": FAILURES["TLS handshake timeout"],
}
QUICK: dict[str, Failure] = {
    **{
        name: FAILURES[name]
        for name in (
            "connection refused",
            "reset before an answer",
            "closed before an answer",
            "body cut short",
            "2xx with HTML",
            "not HTTP",
            "reset in the TLS handshake",
        )
    },
    **{str(status): answered(status) for status in (408, 429, 500, 503, 521)},
}


async def seconds_until_it_fails(call: Any) -> float:
    """How long a call takes on the wall clock until it raises an error of ours."""
    began = time.monotonic()
    with pytest.raises(SendblueError):
        await call
    return time.monotonic() - began


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("name", ENDLESS)
async def test_what_takes_for_ever_ends_with_the_deadline(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, name: str, upsert: bool
) -> None:
    """Neither bytes that keep coming nor a look-up prolong the call."""
    scene = await ENDLESS[name](Setting(stack=stack, authority=authority))
    client = connect(scene.url, retry=PERSISTENT, timeouts=PATIENT)
    call = client.create_contact(NUMBER, update_if_exists=upsert)
    assert 0.9 * TOTAL - 0.05 < await seconds_until_it_fails(call) < TOTAL + ROOM


@pytest.mark.parametrize("name", QUICK)
async def test_what_fails_at_once_ends_before_the_deadline(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, name: str
) -> None:
    """However often it is repeated, on the wall clock too."""
    scene = await QUICK[name](Setting(stack=stack, authority=authority))
    client = connect(scene.url, retry=PERSISTENT, timeouts=PATIENT)
    assert await seconds_until_it_fails(client.create_contact(NUMBER)) < TOTAL + ROOM


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("name", QUICK)
async def test_waits_never_pass_the_deadline(
    stack: AsyncExitStack,
    authority: trustme.CA,
    connect: Any,
    timer: Any,
    name: str,
    upsert: bool,
) -> None:
    """On a clock that only waits move, the last attempt comes before it, and none was left out.

    Nor is a look-up, which comes after waits of its own.
    """
    scene = await QUICK[name](Setting(stack=stack, authority=authority))
    began = timer.now
    policy = RetryPolicy(attempts=40, base=1, cap=8)
    client = connect(scene.url, timer=timer, retry=policy, timeouts=Timeouts(total=60))
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    assert timer.waits[:9] == [1, 2, 4, 8, 8, 8, 8, 8, 8]
    looks_up = caught.value.outcome == "unknown"
    assert timer.now - began == (55.5 if looks_up else 55)
    assert caught.value.attempts == 10


@contextlib.asynccontextmanager
async def a_wall_clock_that_jumps(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The time of day leaps an hour back and forth, all the while."""
    real, hours = time.time, [0]
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours[0])

    async def leap() -> None:
        while True:
            for hours[0] in (1, -1, 0):
                await asyncio.sleep(0.003)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leap)
        yield
        tasks.cancel_scope.cancel()


async def test_a_jump_of_the_wall_clock_does_not_move_the_deadline(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts time out and the call ends as if nothing had happened to the time of day."""
    server = await serve(hang)
    timeouts = Timeouts(attempt=0.1, total=2 * TOTAL)
    client = connect(server, clock=WALL_CLOCK, retry=PERSISTENT, timeouts=timeouts)
    async with a_wall_clock_that_jumps(monkeypatch):
        began = time.monotonic()
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.create_contact(NUMBER, update_if_exists=True)
        taken = time.monotonic() - began
    assert 2 * TOTAL - 0.1 < taken < 2 * TOTAL + ROOM
    assert 2 <= caught.value.attempts <= 7


async def test_a_jump_of_the_wall_clock_does_not_end_a_call(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that fail and are repeated succeed as they always do."""
    server = await serve(*[refusal(500), contact()] * 20, contact())
    client = connect(server, clock=WALL_CLOCK, retry=RetryPolicy(base=0.01))
    async with a_wall_clock_that_jumps(monkeypatch):
        for _ in range(20):
            response = await client.create_contact(NUMBER, update_if_exists=True)
            assert response.meta.attempts == 2
            assert 0 < response.meta.elapsed < 5


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wrong_wall_clock_does_not_change_a_date(
    serve: Any,
    connect: Any,
    timer: Any,
    status: int,
    hours: int,
) -> None:
    """A date in ``Retry-After`` is measured from the answer's own, whatever the time is here."""
    timer.drawn, leaps = 0.0, [0]
    timer.time_of_day = lambda: time.time() + 3600 * leaps[0]
    timer.on_wait = lambda: leaps.append(leaps.pop() + hours)
    server_time = 1_700_000_000
    headers = {
        "Retry-After": formatdate(server_time + 7, usegmt=True),
        "Date": formatdate(server_time, usegmt=True),
    }
    server = await serve(*[reply(status, b"", headers)] * 3, contact())
    response = await connect(server, timer=timer).create_contact(NUMBER, update_if_exists=True)
    assert (timer.waits, response.meta.attempts) == ([7.0] * 3, 4)
    assert leaps == [3 * hours]
