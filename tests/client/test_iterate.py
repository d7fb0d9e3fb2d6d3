"""Iterating over all contacts of a sandbox that others change meanwhile."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from datetime import datetime, timezone
from itertools import count
from random import Random
from typing import Any

import pytest

from sendblue_async import APIError, SendblueClient, SendblueError, ValidationError
from sendblue_async.sandbox import Faults

from .servers import reply

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()


def number(place: int) -> str:
    """The number of a contact that stays."""
    return f"+1415{place:07}"


def passing(place: int) -> str:
    """The number of a contact that comes and goes."""
    return f"+1628{place:07}"


class Clock:
    """The time at which a sandbox creates contacts, in the hands of the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


async def fill(client: SendblueClient, numbers: list[str], clock: Clock, in_a_second: int) -> None:
    """Create contacts in bulk, so many of them in each second."""
    for place in range(0, len(numbers), 1000):
        clock.now = START + place // in_a_second
        batch = [{"number": number} for number in numbers[place : place + 1000]]
        await client.create_contacts_bulk(batch)


@pytest.mark.parametrize("in_a_second", [1000, 5000])
async def test_twenty_five_thousand_while_others_come_and_go(
    start_sandbox: Any, connect: Any, in_a_second: int
) -> None:
    """25,000 contacts come exactly once each while another task creates and deletes."""
    clock = Clock()
    sandbox = await start_sandbox(clock=clock)
    client = connect(sandbox)
    # Every sixth contact is one that will be deleted on the way.
    numbers = [passing(n) if n % 6 == 0 else number(n) for n in range(30_000)]
    await fill(client, numbers, clock, in_a_second)
    stays = {one for one in numbers if one.startswith("+1415")}
    assert len(stays) == 25_000
    leaving = [one for one in numbers if one.startswith("+1628")]
    Random(1).shuffle(leaving)
    deleted: set[str] = set()
    coming = map(passing, count(100_000))
    done = asyncio.Event()

    async def disturb() -> None:
        while not done.is_set():
            clock.now += 1
            await client.create_contact(next(coming))
            batch = [leaving.pop() for _ in range(20)]
            await client.delete_contacts_bulk(batch)
            deleted.update(batch)

    task = asyncio.create_task(disturb())
    given = Counter([one.phone async for one in client.iter_contacts()])
    done.set()
    await task
    assert set(given.values()) == {1}
    assert given.keys() >= stays
    # Some were deleted before their turn came, and some after it.
    assert deleted - given.keys()
    assert deleted & given.keys()


async def test_what_cannot_be_reached_is_an_error(start_sandbox: Any, connect: Any) -> None:
    """More contacts of one second than the API can list are an error, not an early end."""
    clock = Clock()
    client = connect(await start_sandbox(clock=clock))
    await fill(client, [number(n) for n in range(12_000)], clock, in_a_second=100_000)
    given: list[str | None] = []

    async def take() -> None:
        async for one in client.iter_contacts():
            given.append(one.phone)  # noqa: PERF401 - a list that is whole at an error

    with pytest.raises(APIError, match="may be incomplete"):
        await take()
    assert given == [number(n) for n in range(len(given))]
    assert len(given) > 10_000


async def test_numbers_that_come_again_in_the_same_second(start_sandbox: Any, connect: Any) -> None:
    """A contact deleted and created again within its second, with its old id, hides nobody."""
    sandbox = await start_sandbox(clock=Clock())
    client = connect(sandbox)
    await client.create_contacts_bulk([{"number": number(n)} for n in range(40)])
    walk = client.iter_contacts(page_size=10)
    given = [(await walk.__anext__()).phone for _ in range(11)]
    gone = [number(n) for n in range(12)]
    await client.delete_contacts_bulk(gone)
    await client.create_contact(gone[0])
    given += [one.phone async for one in walk]
    assert len(given) == len(set(given))
    assert set(given) >= {number(n) for n in range(12, 40)}


async def test_contacts_since_a_time(start_sandbox: Any, connect: Any) -> None:
    """With created_at_gte only contacts created at that time or later come."""
    clock = Clock()
    client = connect(await start_sandbox(clock=clock))
    for n in range(10):
        clock.now = START + n
        await client.create_contact(number(n))
    since = datetime.fromtimestamp(START + 6, timezone.utc)
    walk = client.iter_contacts(created_at_gte=since, page_size=10)
    assert [one.phone async for one in walk] == [number(n) for n in range(6, 10)]


@pytest.mark.parametrize(
    "dial", ["server_error", "reset", "short_body", "garbage", "not_http", "drop_after_commit"]
)
async def test_faults_on_the_way_lose_nothing(
    start_sandbox: Any, connect: Any, timer: Any, dial: str
) -> None:
    """Pages that fail are asked for again, and every contact still comes once."""
    clock = Clock()
    sandbox = await start_sandbox(clock=clock, seed=5)
    client = connect(sandbox, timer=timer)
    await fill(client, [number(n) for n in range(100)], clock, in_a_second=1000)
    sandbox.faults = Faults(**{dial: 0.2})
    given = [one.phone async for one in client.iter_contacts(page_size=10)]
    assert given == [number(n) for n in range(100)]
    assert sandbox.counts[dial] > 0


async def test_the_pages_are_large(sandbox: Any, connect: Any) -> None:
    """By default a page has as many contacts as the API allows, in one request."""
    client = connect(sandbox)
    await client.create_contacts_bulk([{"number": number(n)} for n in range(999)])
    assert len([one async for one in client.iter_contacts()]) == 999
    # One to create them, one for all, and one to see that there are no more.
    assert sandbox.counts["requests"] == 3


async def test_bad_arguments_raise_at_the_call(sandbox: Any, connect: Any) -> None:
    """What cannot be asked for raises before the first contact is wanted."""
    with pytest.raises(ValidationError, match="page_size"):
        connect(sandbox).iter_contacts(page_size=9)
    with pytest.raises(ValidationError, match="created_at_gte"):
        connect(sandbox).iter_contacts(created_at_gte="2026")
    assert sandbox.counts["requests"] == 0


async def test_one_left_early_leaves_nothing_running(start_sandbox: Any, connect: Any) -> None:
    """A loop that breaks ends the page under way, and the client goes on working."""
    sandbox = await start_sandbox(faults=Faults(latency=0.2))
    client = connect(sandbox)
    await client.create_contacts_bulk([{"number": number(n)} for n in range(100)])
    async for _ in client.iter_contacts(page_size=10):
        break
    gc.collect()
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if "iterate_contacts" in repr(task)]
    assert (await client.count_contacts()).count == 100


async def test_a_closed_client_ends_the_iteration(sandbox: Any, connect: Any) -> None:
    """A client that is closed on the way is an error of ours when the next page is due."""
    client = connect(sandbox)
    await client.create_contacts_bulk([{"number": number(n)} for n in range(100)])

    async def close_on_the_way() -> None:
        async for _ in client.iter_contacts(page_size=10):
            await client.close()

    with pytest.raises(SendblueError):
        await close_on_the_way()


@pytest.mark.parametrize("page_size", [10, 1000])
async def test_a_server_that_always_lists_the_same_is_an_error(
    serve: Any, connect: Any, page_size: int
) -> None:
    """The walk ends, after what there was to give."""
    page = [{"phone": number(n), "created_at": f"2026-01-01T00:00:{n:02}Z"} for n in range(10)]
    server = await serve(reply(200, page))
    given: list[str | None] = []

    async def take() -> None:
        async for one in connect(server).iter_contacts(page_size=page_size):
            given.append(one.phone)  # noqa: PERF401 - a list that is whole at an error

    with pytest.raises(APIError, match="same contacts again and again"):
        await take()
    assert given == [number(n) for n in range(10)]
    assert len(server.requests) < 40
