"""What failures leave behind: no connection, no file descriptor, and never one too many."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
import trustme

from sendblue_async import RetryPolicy, SendblueClient, SendblueError, Timeouts

from .failures import FAILURES, NUMBER, Failure, Scene, Setting, answered
from .servers import (
    CUT_SHORT,
    NOT_HTTP,
    Server,
    Step,
    contact,
    drip,
    hang,
    hang_up,
    raw,
    refusal,
    reply,
    reset,
)

pytestmark = pytest.mark.anyio

STATUSES = (307, 400, 401, 404, 408, 409, 425, 429, 500, 503, 521)
KINDS: dict[str, Failure] = {
    **FAILURES,
    **{str(status): answered(status) for status in STATUSES},
}
FAILED_CALLS = 1000
# Connections on which an answer came whole are kept for the next request.
REUSABLE = {"keep-alive race", "2xx with HTML", "2xx with nothing", "2xx with another document"}
REUSABLE |= {"2xx with status ERROR", "503 with Retry-After", *map(str, STATUSES)}
QUICK = RetryPolicy(attempts=2, base=0, rate_limit_base=0)


def open_descriptors() -> list[str]:
    """What this process has open, other than what this very question opens."""
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(link) for link in links if link.is_symlink())


async def fail_many(client: SendblueClient, calls: int, *, upsert: bool) -> None:
    """Let so many calls fail, all at once."""
    creates = [client.create_contact(NUMBER, update_if_exists=upsert) for _ in range(calls)]
    answers = await asyncio.gather(*creates, return_exceptions=True)
    assert all(isinstance(answer, SendblueError) for answer in answers)


async def fail_at(scene: Scene, client: SendblueClient, calls: int, *, reusable: bool) -> None:
    """Let so many calls of a client fail there, and see that it lets go of every connection."""
    async with client:
        if scene.warm_up is not None:
            await scene.warm_up(client)
        # A look-up would leave a connection that can be used again.
        alone = client.with_options(retry=RetryPolicy(settle=False))
        await fail_many(alone, calls // 2, upsert=True)
        if scene.server is not None and not reusable:
            await closed(scene.server)
        await fail_many(client, calls - calls // 2, upsert=False)
    if scene.server is not None:
        await closed(scene.server)


async def closed(server: Server) -> None:
    """Wait until a server has seen its connections closed."""
    await server.until(lambda: server.open == 0)


async def test_a_thousand_failures_of_every_kind_leave_nothing_open(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, timer: Any
) -> None:
    """Broken connections are closed at once, the others with the client; then all is as before."""
    setting = Setting(stack=stack, authority=authority)
    scenes = {name: await fail(setting) for name, fail in KINDS.items()}
    gc.collect()
    before = open_descriptors()
    calls = -(-FAILED_CALLS // len(scenes))
    for name, scene in scenes.items():
        client = connect(scene.url, timer=timer, timeouts=scene.timeouts, **scene.options)
        await fail_at(scene, client, calls, reusable=name in REUSABLE)
    gc.collect()
    with anyio.fail_after(30):
        while open_descriptors() != before:  # noqa: ASYNC110 - no event tells of a descriptor
            await asyncio.sleep(0.01)


def connected_to(port: int) -> int:
    """How many sockets of this machine are connected, or connecting, to a port of it."""
    ours = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, *_ = line.split()
        # States 01 and 02 are ESTABLISHED and SYN_SENT: closed ones are in others at once.
        ours += int(remote.split(":")[1], 16) == port and state in ("01", "02")
    return ours


async def test_failures_never_open_a_third_socket(serve: Any, connect: Any) -> None:
    """With ``max_connections=2``, whatever becomes of 50 calls at once, two sockets are open."""
    failing: list[Step] = [reset, hang_up, hang, CUT_SHORT, NOT_HTTP, drip(b" " * 99, 0.01)]
    answering = [refusal(500), reply(200, b"<html>"), refusal(429), contact(), raw(b"", close=True)]
    steps = (failing + answering) * 20
    counted: list[int] = []

    def counting(step: Step) -> Step:
        async def counted_step(reader: Any, writer: Any) -> None:
            counted.append(connected_to(urlsplit(server.base_url).port or 0))
            await step(reader, writer)

        return counted_step

    server = await serve(*map(counting, steps), counting(contact()))
    timeouts = Timeouts(attempt=0.05, connect=5, total=20)
    client = connect(server, max_connections=2, retry=QUICK, timeouts=timeouts)
    await asyncio.gather(
        *(client.create_contact(NUMBER, update_if_exists=True) for _ in range(50)),
        return_exceptions=True,
    )
    assert len(counted) > 50
    assert max(counted) == 2


async def test_a_descriptor_too_many_would_be_noticed() -> None:
    """The count that the tests above rely on sees an open socket."""
    before = open_descriptors()
    with socket.socket():
        assert open_descriptors() != before
    assert open_descriptors() == before
