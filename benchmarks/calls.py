"""What one create costs, in processor time and in throughput, and what it takes to get there.

From the folder above: ``python -m benchmarks.calls --seconds 1 --rounds 9``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .clients import (
    CONCURRENCY,
    Cost,
    aiohttp_by_hand,
    official,
    official_blocking,
    ours,
    ours_blocking,
)
from .processes import measured, serving
from .server import answering_at_once
from .tables import ratio, spread, table

# Those that are compared are measured shortly after each other, so they stand together.
CLIENTS: dict[str, Callable[[str, float], Cost]] = {
    "hand-written aiohttp": aiohttp_by_hand,
    "SendblueClient": ours,
    "official SDK, async, as installed": official,
    "official SDK, async, on aiohttp": partial(official, on_aiohttp=True),
    "SyncSendblueClient, 1 thread": partial(ours_blocking, threads=1),
    "official SDK, sync, 1 thread": partial(official_blocking, threads=1),
    "SyncSendblueClient, 8 threads": partial(ours_blocking, threads=8),
    "official SDK, sync, 8 threads": partial(official_blocking, threads=8),
}

# What makes a client that is ready for its first call; nothing is cleaned up afterwards.
_READY = "import os; from {0} import {1}; {1}(api_key='k', api_secret='s'); os._exit(0)"
_OFFICIAL = _READY.format("sendblue_api", "AsyncSendblueAPI")
_WITHOUT_EXTRA = "import sys; sys.modules['httpx_aiohttp'] = None"
STARTS = {
    "SendblueClient": _READY.format("sendblue_async", "SendblueClient"),
    # It imports aiohttp wherever its extra is installed, as here, but with most users it is not.
    "official SDK, async, as installed": f"{_WITHOUT_EXTRA}; {_OFFICIAL}",
    "official SDK, async, with its extra for aiohttp": _OFFICIAL,
    "the interpreter alone": "import os; os._exit(0)",
}


class Goal(NamedTuple):
    """A figure of ours that is to be so many times that of somebody else.

    Attributes:
        figure: What is compared.
        goal: What its ratio is to be.
        of: Gets the figure from a measurement.
        ours, theirs: Whose it is, by the names above.
    """

    figure: str
    goal: str
    of: Callable[[Cost], float]
    ours: str
    theirs: str


def _cpu(cost: Cost) -> float:
    return cost.cpu_each


def _rate(cost: Cost) -> float:
    return cost.rate


GOALS = [
    Goal("CPU per call", "≤ 1.00 ×", _cpu, "SendblueClient", "hand-written aiohttp"),
    Goal("calls/s", "≥ 14 ×", _rate, "SendblueClient", "official SDK, async, as installed"),
    Goal("calls/s", "≥ 5 ×", _rate, "SendblueClient", "official SDK, async, on aiohttp"),
    *(
        Goal("calls/s", goal, _rate, f"SyncSendblueClient, {n}", f"official SDK, sync, {n}")
        for n, goal in (("1 thread", "≥ 2 ×"), ("8 threads", "≥ 4 ×"))
    ),
]


def start_time(program: str, compiled: str) -> float:
    """Seconds that an interpreter takes to start and to run a program.

    Args:
        program: The program.
        compiled: The folder where compiled modules are found, and put if they are not there.
    """
    # Elsewhere some modules may be compiled and others not, depending on who installed them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return time.perf_counter() - started


def measure(seconds: float, rounds: int) -> tuple[dict[str, list[Cost]], dict[str, list[float]]]:
    """What calls cost each client, and how many seconds each start took, round by round."""
    costs: dict[str, list[Cost]] = {name: [] for name in CLIENTS}
    starts: dict[str, list[float]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as compiled, serving(answering_at_once) as server:
        for program in STARTS.values():
            start_time(program, compiled)
        for _ in range(rounds):
            for name, client in CLIENTS.items():
                costs[name].append(measured(client, server.base_url, seconds))
            for name, program in STARTS.items():
                starts[name].append(start_time(program, compiled))
    return costs, starts


def main() -> None:
    """Measure all clients round by round, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of calls, each client a round")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    costs, starts = measure(chosen.seconds, chosen.rounds)

    print(f"Creates, {CONCURRENCY} in flight at once where they are awaited:\n")
    rows = [
        [name, spread([*map(_rate, of_one)]), spread([*map(_cpu, of_one)])]
        for name, of_one in costs.items()
    ]
    print(table(["client", "calls/s", "CPU µs per call"], rows))

    print("From the start of the interpreter to a client that can be called:\n")
    rows = [[name, spread([second * 1000 for second in of_one])] for name, of_one in starts.items()]
    print(table(["client", "ms"], rows))

    rows = [
        [
            f"{goal.figure}: {goal.ours} against {goal.theirs}",
            goal.goal,
            ratio([*map(goal.of, costs[goal.ours])], [*map(goal.of, costs[goal.theirs])]),
        ]
        for goal in GOALS
    ]
    one, installed, with_extra, _ = STARTS
    rows += [
        [f"import and construct: {one} against {other}", goal, ratio(starts[one], starts[other])]
        for other, goal in ((installed, "≤ 0.45 ×"), (with_extra, ""))
    ]
    print(table(["figure", "goal", "measured"], rows))


if __name__ == "__main__":
    main()
