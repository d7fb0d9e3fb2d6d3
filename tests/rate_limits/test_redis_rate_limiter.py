"""One limit kept by a real Redis, seen from one process; ``test_processes.py`` has several."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ConfigurationError, RedisRateLimiter, SendblueClient
from sendblue_async._clock import SYSTEM_CLOCK, Clock
from sendblue_async._rate_limits import make_rate_limiter
from sendblue_async.sandbox import Sandbox

from .redis_server import RedisServer

pytestmark = pytest.mark.anyio


Make = Callable[..., RedisRateLimiter]


@pytest.fixture
async def make(redis_server: RedisServer) -> AsyncIterator[Make]:
    """Makes a limiter with a rate of 50, as another process would have it."""
    made: list[RedisRateLimiter] = []

    def make(url: str = redis_server.url, **options: Any) -> RedisRateLimiter:
        # A busy machine is not to look like a Redis that is gone.
        made.append(RedisRateLimiter(url, **{"rate": 50, "timeout": 10, **options}))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


async def wait_of(limiter: RedisRateLimiter, within: float = 1e6) -> float:
    """Seconds to the slot that the limiter gives to somebody with so much time."""
    now = time.monotonic()
    return await limiter.reserve_slot(now, now + within) - now


async def connections(server: RedisServer, expected: int) -> int:
    """How many connections the server has, this question's included, once it has noticed."""
    for _ in range(500):
        answer = server.ask("INFO", "clients").partition("connected_clients:")[2]
        count = int(answer.split()[0])
        if count == expected:
            break
        await asyncio.sleep(0.01)
    return count


async def slots_of(limiter: RedisRateLimiter, count: int) -> float:
    """Seconds from the first to the last of so many slots."""
    slots = [await limiter.reserve_slot(time.monotonic()) for _ in range(count)]
    return slots[-1] - slots[0]


async def test_slots_are_evenly_spaced_whoever_asks(make: Make) -> None:
    """No two are nearer than the rate has it, and none is left out; no burst after a quiet time."""
    limiters = [make() for _ in range(3)]
    now = time.monotonic()
    slots = sorted(await asyncio.gather(*(each.reserve_slot(now) for each in limiters * 10)))
    assert slots[-1] - slots[0] == pytest.approx(29 / 50, abs=0.4)
    await asyncio.sleep(0.7)
    assert await slots_of(limiters[0], 5) > 0.04


async def test_each_key_has_a_limit_of_its_own(make: Make) -> None:
    """Two accounts do not slow each other down."""
    for _ in range(50):
        await wait_of(make(rate=1, key="one"))
    assert await wait_of(make(rate=1, key="other")) < 0.5
    assert await wait_of(make(rate=1, key="one")) > 40


async def test_a_slot_after_the_deadline_is_not_taken(make: Make) -> None:
    """Whoever has no time for the next slot learns when it comes, and holds up nobody."""
    ours = make(rate=0.1)
    await wait_of(ours)
    waits = [await wait_of(ours, within=5) for _ in range(20)]
    assert all(5 < wait <= 10.5 for wait in waits)
    assert 5 < await wait_of(ours) <= 10.5
    assert await wait_of(ours) > 10.5


async def test_a_pause_is_shared(make: Make) -> None:
    """All are held back for as long as any was told, and come back evenly spaced."""
    ours, theirs = make(), make()
    await wait_of(theirs)
    await ours.pause(time.monotonic(), 20)
    await theirs.pause(time.monotonic(), 5)
    # What was just heard is not asked for again at once.
    await asyncio.sleep(0.1)
    assert await theirs.paused_until() - time.monotonic() == pytest.approx(20, abs=2)
    waits = [await wait_of(theirs) for _ in range(3)]
    assert waits[0] == pytest.approx(20, abs=2)
    assert 0 < waits[2] - waits[0] < 1
    now = time.monotonic()
    assert theirs.next_slot_at(now) - now == pytest.approx(20, abs=2)


async def test_whoever_waits_learns_of_a_pause(sandbox: Sandbox, make: Make) -> None:
    """A call that waits for its slot takes a later one, if others were told to pause meanwhile."""
    async with SendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url, rate_limit=make(rate=1)
    ) as client:
        began = time.monotonic()
        await client.create_contact("+14155550123")
        waiting = asyncio.ensure_future(client.create_contact("+14155550124"))
        await asyncio.sleep(0.3)
        await make(rate=1).pause(time.monotonic(), 3)
        await waiting
    assert 3.25 < time.monotonic() - began < 8


async def test_no_pause_lasts_for_ever(make: Make) -> None:
    """After five minutes one caller of all finds out whether it is over, and then the others."""
    ours, theirs = make(), make()
    await ours.pause(time.monotonic(), 999_999_999)
    first, second = await wait_of(theirs), await wait_of(ours)
    assert first == pytest.approx(300, abs=2)
    assert second - first == pytest.approx(5, abs=1)
    assert await wait_of(theirs) - second < 1


async def test_a_clock_that_is_set_back_stops_nobody(redis_server: RedisServer, make: Make) -> None:
    """Waits stay as long as they were; the new clock may be that of another machine."""
    ours = make(rate=1)
    await wait_of(ours)
    state = "sendblue:rate-limit:{default}"
    hour = 3600 * 1_000_000
    for field in ("now", "next_slot", "paused_until"):
        redis_server.ask("HINCRBY", state, field, str(hour))
    assert await wait_of(ours) == pytest.approx(1, abs=0.9)
    assert await wait_of(ours) == pytest.approx(2, abs=0.9)


async def test_what_redis_keeps_ends_by_itself(redis_server: RedisServer, make: Make) -> None:
    """Two keys in one hash slot, without a secret, for ten minutes after the last slot."""
    await wait_of(make(rate=0.001, key="crm"))
    answer = redis_server.ask("KEYS", "*")
    keys = sorted(word for word in answer.split("\r\n") if word.startswith("sendblue"))
    assert keys == ["sendblue:rate-limit:{crm}", "sendblue:rate-limit:{crm}:processes"]
    lives = [int(redis_server.ask("TTL", key).strip(":\r\n")) for key in keys]
    assert lives == [pytest.approx(1600, abs=5), pytest.approx(600, abs=5)]


async def test_it_goes_on_at_its_share_without_redis(
    redis_server: RedisServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Its share is by those who were seen lately; one warning says so, and one that it is over."""
    ours, *others = [make() for _ in range(4)]
    for each in (*others, ours):
        await wait_of(each)
    redis_server.kill()
    assert 0.39 < await slots_of(ours, 6) < 0.8
    now = time.monotonic()
    assert ours.next_slot_at(now) - now == pytest.approx(6 / 12.5, abs=0.3)
    [warning] = caplog.records
    assert (warning.name, warning.levelno) == ("sendblue_async", logging.WARNING)
    assert "12.5 of the 50 requests per second" in caplog.text
    # It comes back without its memory, scripts included.
    redis_server.start()
    await asyncio.sleep(1.1)
    assert await slots_of(ours, 6) < 0.35
    assert len(caplog.records) == 2
    assert "answers again" in caplog.records[1].getMessage()


@pytest.mark.parametrize(("options", "rate"), [({}, 5), ({"fallback_rate": 2}, 2)])
async def test_a_redis_that_was_never_there(
    redis_server: RedisServer, make: Make, options: dict[str, float], rate: float
) -> None:
    """Nobody knows how many share the rate then: a tenth of it is used, or what the user chose."""
    redis_server.kill()
    ours = make(**options)
    assert await slots_of(ours, 3) == pytest.approx(2 / rate, abs=0.1)


async def test_a_pause_outlives_redis(redis_server: RedisServer, make: Make) -> None:
    """What was heard before Redis went away is kept, also when it comes back without it."""
    ours, theirs = make(), make()
    await theirs.pause(time.monotonic(), 30)
    await wait_of(ours)
    redis_server.kill()
    assert await wait_of(ours) == pytest.approx(30, abs=2)
    redis_server.start()
    await asyncio.sleep(1.1)
    assert await wait_of(ours) == pytest.approx(28.9, abs=2)


async def test_a_redis_that_hangs_holds_up_hardly_anybody(
    redis_server: RedisServer, make: Make
) -> None:
    """One question waits for its time, those behind it for the same, and later ones for none."""
    ours = make(timeout=0.3)
    await wait_of(ours)
    redis_server.hang()
    try:
        began = time.monotonic()
        await asyncio.gather(*(wait_of(ours) for _ in range(50)))
        assert 0.25 < time.monotonic() - began < 5
        began = time.monotonic()
        for _ in range(100):
            await wait_of(ours)
        assert time.monotonic() - began < 0.25
    finally:
        redis_server.go_on()
    await asyncio.sleep(1.4)
    await wait_of(ours)
    assert ours._fallback is None


async def test_a_cancelled_caller_spoils_nothing(redis_server: RedisServer, make: Make) -> None:
    """Neither the connection nor the answers of those who asked at the same time."""
    ours = make()
    await wait_of(ours)
    connected = redis_server.ask("INFO", "stats").partition("total_connections_received:")[2]
    for ticks in range(30):
        asked = [asyncio.ensure_future(wait_of(ours)) for _ in range(3)]
        for _ in range(ticks % 10):
            await asyncio.sleep(0)
        asked[ticks % 3].cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        given = [answer for answer in answers if isinstance(answer, float)]
        assert len(given) >= 2
        assert all(later > earlier for earlier, later in pairwise(sorted(given)))
    again = redis_server.ask("INFO", "stats").partition("total_connections_received:")[2]
    # The one that asks is a connection, too.
    assert int(again.split()[0]) == int(connected.split()[0]) + 1


async def test_those_cancelled_in_the_queue_take_no_slot(make: Make) -> None:
    """A hundred callers that gave up before they were asked for hold up nobody."""
    ours = make(rate=10)
    await wait_of(ours)
    asked = [asyncio.ensure_future(wait_of(ours)) for _ in range(100)]
    await asyncio.sleep(0)
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert await wait_of(ours) < 1


async def test_a_server_that_takes_no_writes_is_left(redis_server: RedisServer, make: Make) -> None:
    """After a failover the old address may lead to another machine: the connection is not kept."""
    ours = make()
    await wait_of(ours)
    redis_server.ask("REPLICAOF", "127.0.0.1", "1")
    await wait_of(ours)
    assert ours._fallback is not None
    assert ours._connections == {}
    redis_server.ask("REPLICAOF", "NO", "ONE")
    await asyncio.sleep(1.1)
    await wait_of(ours)
    assert ours._fallback is None


async def test_a_password_is_used_and_never_shown(
    guarded_server: RedisServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in no repr, message, log line or pickle; a wrong one is like no Redis."""
    caplog.set_level(logging.DEBUG)
    url = f"redis://:hunter2-of-redis@127.0.0.1:{guarded_server.port}/0"
    ours = make(url)
    await wait_of(ours)
    assert ours._fallback is None
    wrong = make(url.replace("hunter2", "hunter3"))
    await wait_of(wrong)
    assert wrong._fallback is not None
    shown = f"{ours!r} {wrong!r} {vars(ours)} {caplog.text}"
    assert f"127.0.0.1:{guarded_server.port}" in shown
    assert "hunter" not in shown
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="is not pickled"):
            write(ours)


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "http://localhost"},
        {"url": "redis://:hun/ter2@localhost"},
        {"url": "redis://:pw#hunter2@localhost"},
        {"url": "redis://localhost:6379/0?db=hunter2"},
        {"url": "redis://:hunter2@localhost?pasword=hunter2"},
        {"url": "rediss://localhost?ssl_cert_reqs=hunter2"},
        {"url": 5},
        {"rate": 0},
        {"rate": "hunter2"},
        {"key": ""},
        {"key": 5},
        {"timeout": 0},
        {"fallback_rate": -1},
    ],
    ids=str,
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any]) -> None:
    """Each is refused when the limiter is made, by its name, and without a piece of the URL."""
    with pytest.raises(ConfigurationError, match=f"^{next(iter(arguments))} must ") as caught:
        RedisRateLimiter(**{"url": "redis://localhost", "rate": 50, **arguments})
    assert "hunter" not in str(caught.value)
    assert "RateLimiter" not in str(caught.value)
    assert caught.value.__context__ is None


def test_several_event_loops(redis_server: RedisServer) -> None:
    """Each has its own connection, which ends with it; the next one goes on where it stopped."""
    ours = RedisRateLimiter(redis_server.url, rate=1)
    waits = [asyncio.run(wait_of(ours)) for _ in range(3)]
    assert waits == [pytest.approx(n, abs=0.9) for n in range(3)]

    async def close() -> None:
        await wait_of(ours)
        await ours.aclose()
        await ours.aclose()
        # It may be closed while others use it.
        calls = [ours.aclose() if n == 2 else wait_of(ours) for n in range(5)]
        await asyncio.gather(*calls)
        assert ours._fallback is None

    asyncio.run(close())
    assert asyncio.run(connections(redis_server, 1)) == 1


async def test_a_limiter_that_is_dropped_closes_its_connection(redis_server: RedisServer) -> None:
    """Nothing is left open when nobody has it any more."""
    await wait_of(RedisRateLimiter(redis_server.url, rate=50))
    gc.collect()
    assert await connections(redis_server, 1) == 1


async def test_two_batches_share_a_limit(sandbox: Sandbox, make: Make) -> None:
    """Each of two clients sends at what the other leaves, and its report has the rate of both."""

    async def work(limiter: RedisRateLimiter, start: int) -> float:
        async with SendblueClient(
            sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url, rate_limit=limiter
        ) as client:
            rows = [{"number": f"+1415555{n:04}"} for n in range(start, start + 50)]
            results = [result async for result in client.create_contacts(rows)]
        assert [result.outcome for result in results] == ["created"] * 50
        return time.monotonic()

    began = time.monotonic()
    ends = await asyncio.gather(work(make(), 0), work(make(), 100))
    assert 99 / 50 < max(ends) - began < 8
    # Neither waits for the other to finish.
    assert min(ends) - began > 1.2


async def test_an_import_keeps_to_a_shared_limit(
    sandbox: Sandbox, make: Make, tmp_path: Path
) -> None:
    """Another process has its share of the rate meanwhile; the report tells the whole rate."""
    path = tmp_path / "contacts.csv"
    path.write_text("number\n" + "".join(f"+1415555{n:04}\n" for n in range(60)))
    other = make()

    async def take_slots() -> None:
        for _ in range(1000):
            await asyncio.sleep(await wait_of(other))

    began = time.monotonic()
    taking = asyncio.ensure_future(take_slots())
    async with SendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        report = await client.import_contacts(path, rate_limit=make())
    taking.cancel()
    assert (report.created, report.requests_per_second) == (60, 50)
    assert time.monotonic() - began > 59 / 50


async def test_a_client_and_a_batch_close_what_they_opened(
    sandbox: Sandbox, redis_server: RedisServer, make: Make
) -> None:
    """The limiter may be kept; it connects again when it is used again."""
    of_client, of_batch = make(), make()
    for _ in range(2):
        async with SendblueClient(
            sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url, rate_limit=of_client
        ) as client:
            rows = [{"number": "+14155550123"}]
            options = {"update_if_exists": True, "rate_limit": of_batch}
            [result] = [each async for each in client.create_contacts(rows, **options)]
            assert result.outcome == "stored"
            assert await connections(redis_server, 1) == 1
            await client.create_contact("+14155550123", update_if_exists=True)
            assert await connections(redis_server, 2) == 2
        assert await connections(redis_server, 1) == 1


async def test_a_batch_knows_when_the_next_slot_comes(make: Make) -> None:
    """As far as the last answer says, other processes' slots included."""
    ours, theirs = make(rate=1), make(rate=1)
    for _ in range(5):
        await wait_of(theirs)
    await wait_of(ours)
    now = time.monotonic()
    assert ours.next_slot_at(now) - now == pytest.approx(6, abs=0.9)


@pytest.mark.parametrize("available", [True, False])
async def test_a_batch_waits_for_a_pause_once(
    redis_server: RedisServer, make: Make, available: bool
) -> None:
    """Its own limiter and the shared one know of the same pause, with Redis and without it."""
    ours = make()
    await wait_of(ours)
    if not available:
        redis_server.kill()
        await wait_of(ours)
    of_client = make_rate_limiter(ours, clock=SYSTEM_CLOCK)
    of_batch = make_rate_limiter(None, parent=of_client, clock=SYSTEM_CLOCK)
    now = time.monotonic()
    pausing = of_batch.pause(now, 30)
    assert pausing is not None
    await pausing
    for limiter in (of_batch, of_client, ours):
        assert limiter.next_slot_at(now) - now == pytest.approx(30, abs=2)


async def test_it_goes_by_the_clock_that_it_is_given(redis_server: RedisServer) -> None:
    """Slots, pauses and their ends are times of one clock."""

    class Timed(RedisRateLimiter):
        _clock = Clock(monotonic=lambda: 1e6)

    ours = Timed(redis_server.url, rate=1)
    assert [await ours.reserve_slot(1e6) - 1e6 for _ in range(2)] == [0, pytest.approx(1, abs=0.9)]
    await ours.pause(1e6, 30)
    assert await ours.paused_until() - 1e6 == pytest.approx(30, abs=2)
    assert ours.next_slot_at(1e6) - 1e6 == pytest.approx(30, abs=2)
    assert await ours.reserve_slot(1e6) - 1e6 == pytest.approx(30, abs=2)
    redis_server.kill()
    assert await ours.reserve_slot(1e6) - 1e6 == pytest.approx(30, abs=2)
    assert ours.next_slot_at(1e6) - 1e6 == pytest.approx(31, abs=2)
    await ours.aclose()


@pytest.mark.parametrize(
    ("rate", "fallback_rate", "words"),
    [
        (1000, None, "continues at 1000 of the 1000 requests per second"),
        (2_500_000.0, 1234.5, "continues at 1234.5 of the 2500000 requests per second"),
        (1 / 3, 0.00001, "continues at 0.00001 of the 0.333333 requests per second"),
    ],
)
async def test_rates_are_logged_without_an_exponent(
    redis_server: RedisServer,
    make: Make,
    caplog: pytest.LogCaptureFixture,
    rate: float,
    fallback_rate: float | None,
    words: str,
) -> None:
    """A person reads them, whatever their size."""
    ours = make(rate=rate, fallback_rate=fallback_rate)
    await wait_of(ours)
    redis_server.kill()
    await wait_of(ours)
    assert words in caplog.text
