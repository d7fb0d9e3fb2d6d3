"""Creates thousands of contacts at a server that fails in every way, and says what came of it.

From the folder above ``tests``:
``python -m tests.chaos.run --calls 20000 --official 2000 --read-lag 2``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import ssl
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import sendblue_api
import trustme
from attrs import Factory, define, frozen

from sendblue_async import RetryPolicy, SendblueClient, SendblueError, Timeouts

from .faults import SOMEBODY
from .verdict import Told, Verdict, errors_table, fields_of, judge, rows_table, verdict_table

T = TypeVar("T")
Job = Coroutine[Any, Any, T]

KEYS = {"api_key": "chaos-key", "api_secret": "chaos-secret"}
WORKERS = 64
HASTY = Timeouts(connect=1, attempt=1.5, total=30)
POLICY = RetryPolicy(base=0.005, cap=0.05, rate_limit_base=0.005)


@frozen
class Place:
    """Certificate files for the server, and TLS settings that trust the right one of them."""

    certificates: dict[str, str]
    trusting: ssl.SSLContext


@define
class Running:
    """A server that runs, and its report once it has ended."""

    base_url: str
    report: dict[str, Any] = Factory(dict)


@frozen
class Run:
    """One client's run.

    Attributes:
        verdict: What is to be said of it.
        told: What the caller of each number was told.
        report: What the server stored and saw.
        unconnected: The connections that came to nothing, by the reason that our client had.
    """

    verdict: Verdict
    told: dict[str, Told]
    report: dict[str, Any]
    unconnected: Counter[str] = Factory(Counter)


@contextlib.contextmanager
def certificates() -> Iterator[Place]:
    """A good certificate, one for another host and one of an authority that nobody trusts."""
    authority, stranger = trustme.CA(), trustme.CA()
    issued = {
        "served": authority.issue_cert("127.0.0.1"),
        "wrong host name": authority.issue_cert("other.example"),
        "unknown CA": stranger.issue_cert("127.0.0.1"),
    }
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for place, (name, leaf) in enumerate(issued.items()):
            path = Path(folder, f"{place}.pem")
            leaf.private_key_and_cert_chain_pem.write_to_path(path)
            paths[name] = str(path)
        yield Place(paths, trusting)


@contextlib.contextmanager
def serving(
    place: Place, *, seed: int, ordered: bool = True, read_lag: float = 0.0
) -> Iterator[Running]:
    """A server in a process of its own; its report is there when the block has ended."""
    settings = {
        "seed": seed,
        "ordered": ordered,
        "read_lag": read_lag,
        "certificates": place.certificates,
    }
    program = [sys.executable, str(Path(__file__).with_name("server.py")), json.dumps(settings)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            running = Running(process.stdout.readline().strip())
            yield running
            process.stdin.close()
            running.report = json.loads(process.stdout.read())
        finally:
            process.kill()


async def call_all(numbers: Iterable[str], call: Callable[[str], Job[Told]]) -> dict[str, Told]:
    """What the caller of each number was told, with a fixed number of calls under way."""
    told: dict[str, Told] = {}
    left = iter(numbers)

    async def work() -> None:
        for number in left:
            told[number] = await call(number)

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return told


def numbers_of(calls: int) -> list[str]:
    """As many phone numbers as there are calls."""
    return [f"+1415{2_000_000 + place}" for place in range(calls)]


def counting_unconnected(counts: Counter[str]) -> aiohttp.TraceConfig:
    """Hooks that count what no server can: connections refused, and certificates not liked."""

    async def on_exception(_: Any, __: Any, parameters: Any) -> None:
        error = parameters.exception
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            counts["bad certificate"] += 1
        elif isinstance(getattr(error, "os_error", None), ConnectionRefusedError):
            counts["refused"] += 1

    hooks = aiohttp.TraceConfig()
    hooks.on_request_exception.append(on_exception)
    return hooks


async def create_ours(client: SendblueClient, number: str, upsert: bool | None) -> Told:
    """What our client says of one create."""
    sent = fields_of(number)
    try:
        response = await client.create_contact(number, update_if_exists=upsert, **sent)
    except SendblueError as error:
        outcome = "unknown" if error.outcome == "unknown" else "failed"
        return Told(outcome, type(error).__name__)
    except Exception as error:
        return Told("failed", type(error).__name__, outside=True)
    contact = response.contact
    shown = contact.to_dict()
    del shown["created_at"]
    differs = shown != {"phone": number, **sent}
    return Told("ok", settled=response.meta.settled, differs=differs)


def run_ours(
    place: Place,
    calls: int,
    *,
    seed: int,
    upsert: bool = False,
    ordered: bool = True,
    timeouts: Timeouts = HASTY,
    read_lag: float = 0.0,
) -> Run:
    """Our client's run.

    Args:
        place: The certificates.
        calls: How many contacts to create.
        seed: Which faults the server has.
        upsert: Whether existing contacts are to be updated.
        ordered: Whether there are faults that depend on the order of requests or connections.
        timeouts: The client's.
        read_lag: How many seconds the server's reads lag behind its writes.
    """
    counts: Counter[str] = Counter()

    async def run(base_url: str) -> dict[str, Told]:
        async with SendblueClient(
            **KEYS,
            base_url=base_url,
            timeouts=timeouts,
            retry=POLICY,
            max_connections=WORKERS,
            ssl=place.trusting,
            trace_configs=[counting_unconnected(counts)],
        ) as client:
            return await call_all(
                numbers_of(calls), lambda number: create_ours(client, number, upsert or None)
            )

    name = f"ours, {'upserts' if upsert else 'plain creates'}"
    # Before 3.11, asyncio says so of every TLS connection that the other side has ended.
    leaves = "unclosed transport <asyncio.sslproto" if sys.version_info < (3, 11) else None
    if read_lag:
        name = f"{name}, reads {read_lag:g} s behind"
    verdict, told, report = _run(
        name, run, place, seed=seed, ordered=ordered, read_lag=read_lag, leaves=leaves
    )
    return Run(verdict, told, report, counts)


async def create_officially(client: sendblue_api.AsyncSendblueAPI, number: str) -> Told:
    """What the official SDK says of one plain create; it knows no outcome but done and failed."""
    sent = fields_of(number)
    try:
        await client.contacts.create(
            number=number,
            body_first_name_1=sent["first_name"],
            body_last_name_1=sent["last_name"],
            tags=sent["tags"],
            custom_variables=sent["custom_variables"],
        )
    except sendblue_api.SendblueAPIError as error:
        return Told("failed", type(error).__name__)
    except Exception as error:
        return Told("failed", type(error).__name__, outside=True)
    return Told("ok")


def run_official(place: Place, calls: int, *, seed: int) -> Run:
    """The official SDK's run of plain creates, its retries as it comes."""
    timeout = sendblue_api.Timeout(HASTY.attempt, connect=HASTY.connect)

    async def run(base_url: str) -> dict[str, Told]:
        http_client = sendblue_api.DefaultAsyncHttpxClient(verify=place.trusting, timeout=timeout)
        async with sendblue_api.AsyncSendblueAPI(
            **KEYS, base_url=base_url, http_client=http_client
        ) as client:
            return await call_all(
                numbers_of(calls), lambda number: create_officially(client, number)
            )

    name = "official SDK, plain creates"
    return Run(*_run(name, run, place, seed=seed, leaves="unclosed"))


def _run(
    name: str,
    run: Callable[[str], Job[dict[str, Told]]],
    place: Place,
    *,
    seed: int,
    ordered: bool = True,
    read_lag: float = 0.0,
    leaves: str | None,
) -> tuple[Verdict, dict[str, Told], dict[str, Any]]:
    """The verdict on a run, and what it rests on.

    Args:
        name: Whose run it is.
        run: Makes all calls to a base URL.
        place: The certificates.
        seed: Which faults the server has.
        ordered: Whether there are faults that depend on the order of requests or connections.
        read_lag: How many seconds the server's reads lag behind its writes.
        leaves: How the warnings begin about what the client is known not to close, if anything.
    """
    with (
        serving(place, seed=seed, ordered=ordered, read_lag=read_lag) as server,
        warnings.catch_warnings(),
    ):
        if leaves:
            warnings.filterwarnings("ignore", leaves, ResourceWarning)
        started = time.monotonic()
        told = asyncio.run(run(server.base_url))
        seconds = time.monotonic() - started
        # What was not closed is to be complained of here, and not in whatever runs next.
        gc.collect()
    verdict = judge(name, told, server.report, somebody=SOMEBODY, seconds=seconds)
    return verdict, told, server.report


def main() -> None:
    """Run the clients one after the other, and print the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=20_000, help="of our client, of each kind")
    parser.add_argument("--official", type=int, default=0, help="calls of the official SDK")
    parser.add_argument(
        "--read-lag", type=float, default=0.0, help="seconds; adds runs with reads that lag so much"
    )
    parser.add_argument("--details", action="store_true", help="rows met and exceptions, too")
    chosen = parser.parse_args()
    with certificates() as place:
        runs = [
            run_ours(place, chosen.calls, seed=chosen.seed, upsert=upsert, read_lag=lag)
            for lag in sorted({0.0, chosen.read_lag})
            for upsert in (False, True)
        ]
        ours = len(runs)
        if chosen.official:
            runs.append(run_official(place, chosen.official, seed=chosen.seed))
    print(verdict_table([run.verdict for run in runs]))
    if chosen.details:
        for run in runs:
            title = f"\n{run.verdict.client}; without a connection: {dict(run.unconnected)}\n"
            print(title, errors_table(run.told), rows_table(run.report), sep="\n")
    if any(run.verdict.wrongs or run.report["surprises"] for run in runs[:ours]):
        raise SystemExit("Our client, or the server, went wrong.")


if __name__ == "__main__":
    main()
