"""Time, waiting and randomness as one object, which a test replaces by its own.

It is out of reach of whatever fakes the time for a program's tests. A faked clock would break
deadlines, and tell the server's time wrong: that one is real.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from importlib.util import find_spec, module_from_spec
from typing import Any

from attrs import frozen


def _load_time() -> Any:
    """Load the module ``time`` once more, as the interpreter brings it.

    freezegun replaces the functions of the module that everybody imports, and every name in
    other modules that leads to one of them.
    """
    spec = find_spec("time")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_time = _load_time()
# Forked processes share what a seeded generator draws next, and would repeat their calls together.
_random = random.SystemRandom()


@frozen
class Clock:
    """What a client asks of the machine it runs on.

    Attributes:
        monotonic: Seconds that only grow, from which deadlines count.
        time: Seconds since the epoch.
        sleep: Waits for so many seconds.
        random: A random number from [0, 1).
    """

    # time-machine, up to its version 2, stops time.monotonic in every copy of the module.
    monotonic: Callable[[], float] = _time.perf_counter
    time: Callable[[], float] = _time.time
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = _random.random


SYSTEM_CLOCK = Clock()
"""The clock of every client outside of tests."""
