"""How near a batch comes to the limit of a server that allows so many requests a second.

From the folder above: ``python -m benchmarks.rate_limits --rows 600 --limit 50 --window 1``, or
with ``--limit 0 --latency 0.05`` what finding a limit costs where there is none.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from .clients import CONCURRENCY
from .processes import measured, serving
from .server import KEYS, sandbox
from .tables import ratio, spread, table

_FIELDS: dict[str, Any] = {"tags": ["vip", "lead"], "update_if_exists": True}


class Told(NamedTuple):
    """What a batch took, and what its caller was told: so many stored, all others not."""

    seconds: float
    stored: int


class Batch(NamedTuple):
    """A batch, and what the server saw of it.

    Attributes:
        told: What the caller was told.
        created: Contacts that were created.
        requests: All requests.
        refused: Those of them that were answered with 429.
    """

    told: Told
    created: int
    requests: int
    refused: int

    @property
    def rate(self) -> float:
        """Contacts created a second."""
        return self.created / self.told.seconds

    @property
    def refused_share(self) -> float:
        """How many of a hundred requests were refused."""
        return 100 * self.refused / self.requests


def ours(base_url: str, rows: int, rate_limit: float | None = None) -> Told:
    """The contacts in one batch of this package's client, which discovers the rate limit."""
    from sendblue_async import SendblueClient

    async def run() -> int:
        stored = 0
        contacts = ({"number": number, "first_name": "Ada", **_FIELDS} for number in _numbers(rows))
        async with SendblueClient(base_url=base_url, **KEYS) as client:
            async for result in client.create_contacts(
                contacts, concurrency=CONCURRENCY, rate_limit=rate_limit
            ):
                stored += result.outcome == "stored"
        return stored

    return _timed(run)


def official(base_url: str, rows: int) -> Told:
    """The contacts by the provider's own SDK, which has no batch, from as many tasks."""
    from sendblue_api import AsyncSendblueAPI, SendblueAPIError

    async def run() -> int:
        numbers = iter(_numbers(rows))
        async with AsyncSendblueAPI(base_url=base_url, **KEYS) as client:

            async def work() -> int:
                stored = 0
                for number in numbers:
                    try:
                        await client.contacts.create(
                            number=number, body_first_name_1="Ada", **_FIELDS
                        )
                    except SendblueAPIError:
                        continue
                    stored += 1
                return stored

            return sum(await asyncio.gather(*(work() for _ in range(CONCURRENCY))))

    return _timed(run)


def unlimited(base_url: str, rows: int) -> Told:
    """The same contacts where the client is told that there is no limit."""
    return ours(base_url, rows, 1e9)


CLIENTS = {"SendblueClient.create_contacts": ours, "official SDK, async, 32 tasks": official}


def _numbers(rows: int) -> list[str]:
    return [f"+1415{2_000_000 + row}" for row in range(rows)]


def _timed(run: Callable[[], Coroutine[Any, Any, int]]) -> Told:
    started = time.perf_counter()
    stored = asyncio.run(run())
    return Told(time.perf_counter() - started, stored)


def measure(client: Callable[[str, int], Told], rows: int, *server: float | None) -> Batch:
    """One batch at a sandbox with these arguments, which knows no contact."""
    with serving(sandbox, *server) as serves:
        told = measured(client, serves.base_url, rows)
    counts = serves.counts
    return Batch(told, counts["created"], counts["requests"], counts.get("rate_limit", 0))


def main() -> None:
    """Measure round by round, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_500)
    parser.add_argument("--limit", type=float, default=50.0, help="requests per second; 0: none")
    parser.add_argument("--window", type=float, default=0.0, help="seconds; 0: a token bucket")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    clients = CLIENTS if chosen.limit else {"adaptive": ours, "rate_limit=1e9": unlimited}
    batches: dict[str, list[Batch]] = {name: [] for name in clients}
    for _ in range(chosen.rounds):
        for name, client in clients.items():
            server = (chosen.limit or None, chosen.window, chosen.latency)
            batches[name].append(measure(client, chosen.rows, *server))

    print(f"{chosen.rows:,} rows, {chosen.limit:g} requests a second allowed:\n")
    rows = [
        [
            name,
            spread([one.created for one in of_one]),
            spread([chosen.rows - one.told.stored for one in of_one]),
            spread([one.told.seconds for one in of_one], ".1f"),
            spread([one.rate for one in of_one], ".1f"),
            spread([one.requests for one in of_one]),
            f"{spread([one.refused_share for one in of_one], '.1f')} %",
        ]
        for name, of_one in batches.items()
    ]
    head = ["client", "stored", "reported as failed", "seconds", "stored/s", "requests", "refused"]
    print(table(head, rows))

    ours_of_all, theirs_of_all = batches.values()
    if not chosen.limit:
        longer = [
            a.told.seconds - b.told.seconds for a, b in zip(ours_of_all, theirs_of_all, strict=True)
        ]
        print(table(["figure", "goal", "measured"], [["s longer", "≤ 3", spread(longer, ".1f")]]))
        return
    rates = [[one.rate for one in all_of] for all_of in (ours_of_all, theirs_of_all)]
    refused = spread([one.refused_share for one in ours_of_all], ".1f")
    rows = [
        ["stored/s", f"≥ {0.9 * chosen.limit:g}", spread(rates[0], ".1f")],
        ["stored/s, against the official SDK", "", ratio(*rates)],
        ["requests refused", "< 3 %", f"{refused} %"],
    ]
    print(table(["figure", "goal", "measured"], rows))


if __name__ == "__main__":
    main()
