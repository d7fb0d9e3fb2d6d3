"""The servers that clients are measured against, both on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

HOST = "127.0.0.1"
KEYS: dict[str, Any] = {"api_key": "benchmark-key", "api_secret": "benchmark-secret"}
"""What clients and servers share."""

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


@asynccontextmanager
async def answering_at_once() -> AsyncIterator[tuple[str, dict[str, int]]]:
    """A server that answers every request as the API answers a create, and stores nothing.

    It costs less time than any client, and always the same, so that what is measured is the
    client. It counts ``requests``.
    """
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: _Connection(counts), HOST, backlog=256) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}", counts


@asynccontextmanager
async def answering_late() -> AsyncIterator[tuple[str, dict[str, int]]]:
    """The same, but every answer takes 30 to 90 ms, so that answers come one by one."""
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(
        lambda: _LateConnection(counts), HOST, backlog=256
    ) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}", counts


@asynccontextmanager
async def sandbox(
    rate_limit: float | None = None, window: float = 0.0, latency: float = 0.0
) -> AsyncIterator[tuple[str, dict[str, int]]]:
    """The package's own sandbox, which keeps the contacts in memory and any keys of a user's.

    It counts ``requests``, contacts ``created`` and requests refused for the ``rate_limit``.

    Args:
        rate_limit: Requests per second, or ``None`` for no limit.
        window: Seconds in each of which the limit is counted anew; by default a token bucket.
        latency: Seconds that every request waits.
    """
    # Not above: what is measured imports this module too, and is to be without the sandbox.
    from sendblue_async.sandbox import Faults, Sandbox

    faults = Faults(rate_limit=rate_limit, rate_limit_window=window, latency=latency)
    async with Sandbox(HOST, faults=faults, **KEYS) as running:
        yield running.base_url, running.counts


class _Connection(asyncio.Protocol):
    """One connection, over which requests come one after the other."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (request := self._taken()) is not None:
            self._counts["requests"] += 1
            self._answer(_answer(json.loads(request)))

    def _answer(self, answer: bytes) -> None:
        self._transport.write(answer)

    def _taken(self) -> bytes | None:
        """The body of the next request, if all of it is there."""
        head, found, rest = self._received.partition(_END_OF_HEAD)
        if not found:
            return None
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if len(rest) < size:
            return None
        self._received = rest[size:]
        return rest[:size]


class _LateConnection(_Connection):
    """One whose answers take a while."""

    def _answer(self, answer: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(random.uniform(0.03, 0.09), self._transport.write, answer)


def _answer(order: dict[str, Any]) -> bytes:
    """What the API says to a create of this contact, with all the 12 fields it shows."""
    contact = {
        "phone": order["number"],
        "first_name": order.get("first_name"),
        "last_name": order.get("last_name"),
        "company_name": None,
        "assigned_to_email": None,
        "sendblue_number": None,
        "tags": order.get("tags", []),
        "verified": False,
        "created_at": "2026-01-02T03:04:05Z",
        "custom_variables": {},
        "opt_out": False,
        "contact_id": "6f1a3f0e-3d0b-4c5e-9b1a-0c2f4d6e8a10",
    }
    body = json.dumps({"contact": contact, "status": "OK"}).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
