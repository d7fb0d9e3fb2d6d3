"""The clients that are compared, each making the same call over and over.

Each imports its library in its own function: it runs in an interpreter that has no other.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from .server import KEYS

CONCURRENCY = 32
"""Calls in flight at once, of the clients that are awaited."""

# Seconds in which connections are opened and caches filled, before anything is measured.
_WARM_UP = 0.3

_NAMES = {"first_name": "Ada", "last_name": "Lovelace"}
_REST = {"tags": ["vip", "lead"], "update_if_exists": True}
_FIELDS: dict[str, Any] = {**_NAMES, **_REST}
# The official SDK calls some fields differently.
_OFFICIAL_FIELDS: dict[str, Any] = {
    **{f"body_{name}_1": value for name, value in _NAMES.items()},
    **_REST,
}
_NUMBERS = map("+1415{}".format, itertools.count(2_000_000))


class Cost(NamedTuple):
    """What calls took.

    Attributes:
        calls: How many were made.
        seconds: From the first to the end of the last.
        cpu: Seconds of processor time of the client's process, all its threads included.
    """

    calls: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def cpu_each(self) -> float:
        """Microseconds of processor time per call."""
        return self.cpu / self.calls * 1e6


def aiohttp_by_hand(base_url: str, seconds: float) -> Cost:
    """What one would write without any client: aiohttp and the json module."""
    import aiohttp

    url = f"{base_url}/api/v2/contacts"
    keys = {"sb-api-key-id": KEYS["api_key"], "sb-api-secret-key": KEYS["api_secret"]}

    async def run() -> Cost:
        async with aiohttp.ClientSession(headers=keys) as session:

            async def create(number: str) -> Any:
                body = {"number": number, **_FIELDS}
                async with session.post(url, json=body) as response:
                    response.raise_for_status()
                    return json.loads(await response.read())

            return await _awaited(create, seconds)

    return asyncio.run(run())


def ours(base_url: str, seconds: float) -> Cost:
    """This package's client."""
    from sendblue_async import SendblueClient

    async def run() -> Cost:
        async with SendblueClient(base_url=base_url, **KEYS) as client:
            return await _awaited(partial(client.create_contact, **_FIELDS), seconds)

    return asyncio.run(run())


def official(base_url: str, seconds: float, on_aiohttp: bool = False) -> Cost:
    """The provider's own SDK, on httpx as it comes or on aiohttp."""
    from sendblue_api import AsyncSendblueAPI, DefaultAioHttpClient

    async def run() -> Cost:
        http_client = DefaultAioHttpClient() if on_aiohttp else None
        async with AsyncSendblueAPI(base_url=base_url, http_client=http_client, **KEYS) as client:

            async def create(number: str) -> Any:
                return await client.contacts.create(number=number, **_OFFICIAL_FIELDS)

            return await _awaited(create, seconds)

    return asyncio.run(run())


def ours_blocking(base_url: str, seconds: float, threads: int) -> Cost:
    """This package's blocking client, shared by so many threads."""
    from sendblue_async import SyncSendblueClient

    with SyncSendblueClient(base_url=base_url, **KEYS) as client:
        return _called(partial(client.create_contact, **_FIELDS), seconds, threads)


def official_blocking(base_url: str, seconds: float, threads: int) -> Cost:
    """The blocking client of the provider's own SDK, shared by so many threads."""
    from sendblue_api import SendblueAPI

    with SendblueAPI(base_url=base_url, **KEYS) as client:

        def create(number: str) -> Any:
            return client.contacts.create(number=number, **_OFFICIAL_FIELDS)

        return _called(create, seconds, threads)


async def _awaited(create: Callable[[str], Awaitable[Any]], seconds: float) -> Cost:
    async def work(until: float) -> int:
        calls = 0
        while time.perf_counter() < until:
            await create(next(_NUMBERS))
            calls += 1
        return calls

    async def work_together(seconds: float) -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(work(until) for _ in range(CONCURRENCY))))

    await work_together(_WARM_UP)
    started, cpu = time.perf_counter(), time.process_time()
    calls = await work_together(seconds)
    return Cost(calls, time.perf_counter() - started, time.process_time() - cpu)


def _called(create: Callable[[str], Any], seconds: float, threads: int) -> Cost:
    def work(until: float) -> int:
        calls = 0
        while time.perf_counter() < until:
            create(next(_NUMBERS))
            calls += 1
        return calls

    with ThreadPoolExecutor(threads) as pool:

        def work_together(seconds: float) -> int:
            until = time.perf_counter() + seconds
            return sum(pool.map(work, [until] * threads))

        work_together(_WARM_UP)
        started, cpu = time.perf_counter(), time.process_time()
        calls = work_together(seconds)
        return Cost(calls, time.perf_counter() - started, time.process_time() - cpu)
