"""Fresh interpreters: for what is measured, so that no two imports mix, and for servers."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

_SPAWN = multiprocessing.get_context("spawn")

Server = Callable[..., AbstractAsyncContextManager[tuple[str, dict[str, int]]]]
"""Opens a server; gives its base URL, and its counts of what happened, which go on."""


@dataclass
class Served:
    """A server that runs, and its counts once it has ended."""

    base_url: str
    counts: dict[str, int] = field(default_factory=dict)


def measured(function: Callable[..., T], *args: Any) -> T:
    """What a function returns that is called in a fresh interpreter, or what it raises.

    The interpreter imports the running program and the function's module, so these leave what
    must not be mixed to be imported in the function.
    """
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as executor:
        return executor.submit(function, *args).result()


@contextlib.contextmanager
def serving(server: Server, *args: Any) -> Iterator[Served]:
    """A server in a process of its own; its counts are there when the block has ended."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_run, args=(server, theirs, args), daemon=True)
    process.start()
    # Only the server may hold its end, or nobody would notice that it could not start.
    theirs.close()
    try:
        served = Served(ours.recv())
        yield served
        ours.send("the counts")
        served.counts = ours.recv()
    finally:
        process.kill()
        process.join()
        ours.close()


def _run(server: Server, pipe: Connection, args: tuple[Any, ...]) -> None:
    asyncio.run(_serve(server, pipe, args))


async def _serve(server: Server, pipe: Connection, args: tuple[Any, ...]) -> None:
    async with server(*args) as (base_url, counts):
        pipe.send(base_url)
        # Ends as well when the program that asked for the server is gone.
        with contextlib.suppress(EOFError):
            await asyncio.to_thread(pipe.recv)
            pipe.send(dict(counts))
