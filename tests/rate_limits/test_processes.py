"""Four processes that share one limit through a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .redis_server import RedisServer

pytestmark = pytest.mark.timeout(240)

# Since 3.12 a fork beside other threads warns.
PYTHON = [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning"]
RATE = 50
PROCESSES = 4

# Calls until its input ends. What it logs goes to a file.
PROGRAM = """
import asyncio, logging, sys
from sendblue_async import RedisRateLimiter, SendblueClient, SendblueError

url, rate, log = sys.argv[1:]
logging.basicConfig(filename=log, format="%(message)s")

async def call(client):
    while True:
        try:
            await client.create_contact("+14155550123", update_if_exists=True)
        except SendblueError as error:
            print(error)

async def main():
    # A busy machine is not to look like a Redis that is gone.
    limiter = RedisRateLimiter(url, rate=float(rate), timeout=10)
    async with SendblueClient(rate_limit=limiter) as client:
        callers = [asyncio.create_task(call(client)) for _ in range(8)]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

asyncio.run(main())
"""

# Forks after its first call, as the worker processes of a web server do.
FORKS = """
import gc, os, sys
from sendblue_async import RedisRateLimiter, SyncSendblueClient

url, rate = sys.argv[1:]
client = SyncSendblueClient(rate_limit=RedisRateLimiter(url, rate=float(rate)))
client.create_contact("+14155550123", update_if_exists=True)
child = os.fork()
if child:
    for _ in range(30):
        client.create_contact("+14155550123", update_if_exists=True)
    assert os.wait()[1] == 0
    client.create_contact("+14155550123", update_if_exists=True)
else:
    rows = [{"number": f"+1415555{n:04}"} for n in range(30)]
    assert len(list(client.create_contacts(rows))) == 30
    gc.collect()
client.close()
"""


@contextmanager
def started(
    program: str, sandbox: Sandbox, folder: Path, *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """A program with its account on the sandbox, which is killed if it outlives the block."""
    inherited = {key: value for key, value in os.environ.items() if "SENDBLUE" not in key}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*PYTHON, "-c", program, *arguments],
        cwd=folder,
        env=inherited
        | {
            "SENDBLUE_API_KEY": sandbox.api_key,
            "SENDBLUE_API_SECRET": sandbox.api_secret,
            "SENDBLUE_API_BASE_URL": sandbox.base_url,
        },
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> None:
    """Let a program end, which must be content with everything."""
    printed, _ = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "")


@pytest.fixture
def logs(sandbox: Sandbox, redis_server: RedisServer, tmp_path: Path) -> Iterator[list[Path]]:
    """What four processes log that call as fast as they may, for as long as the test lasts."""
    files = [tmp_path / f"{n}.log" for n in range(PROCESSES)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                started(PROGRAM, sandbox, tmp_path, redis_server.url, str(RATE), str(file))
            )
            for file in files
        ]
        members = "sendblue:rate-limit:{default}:processes"
        until(lambda: redis_server.ask("ZCARD", members) == f":{PROCESSES}\r\n")
        # By then each has had an answer that counts them all.
        time.sleep(1)
        yield files
        for process in processes:
            ended(process)


def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true; fail if it does not in a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def rate(sandbox: Sandbox, seconds: float) -> float:
    """Requests per second from now on, for so long."""
    before, began = sandbox.counts["requests"], time.monotonic()
    time.sleep(seconds)
    return (sandbox.counts["requests"] - before) / (time.monotonic() - began)


def holds_the_limit(sandbox: Sandbox) -> bool:
    """Whether 50 requests a second come, 5 % more or less, for ten seconds."""
    # A busy machine may stop everybody for a while: slots pass unused, or are used late.
    return any(rate(sandbox, 10) == pytest.approx(RATE, rel=0.05) for _ in range(4))


def test_four_processes_hold_one_limit(sandbox: Sandbox, logs: list[Path]) -> None:
    """Together they send 50 requests a second, 5 % more or less."""
    assert holds_the_limit(sandbox)
    assert [file.read_text() for file in logs] == [""] * PROCESSES


def test_four_processes_share_a_pause(sandbox: Sandbox, logs: list[Path]) -> None:
    """After a 429 with ``Retry-After`` in one of them, none sends anything until it is over."""
    sandbox.faults = Faults(too_many_requests=1.0, retry_after="5")
    until(lambda: sandbox.counts["too_many_requests"])
    began = time.monotonic()
    sandbox.faults = Faults()
    # Some were on their way.
    time.sleep(1.5)
    assert rate(sandbox, 3) == 0
    assert sandbox.counts["too_many_requests"] < 25
    time.sleep(max(0, began + 5.5 - time.monotonic()))
    assert rate(sandbox, 3) == pytest.approx(RATE, rel=0.2)


def test_four_processes_go_on_without_redis(
    sandbox: Sandbox, logs: list[Path], redis_server: RedisServer
) -> None:
    """Each keeps to its quarter of the rate, with one warning; together again when it is back."""
    redis_server.kill()
    time.sleep(1)
    alone = rate(sandbox, 4)
    assert 0.8 * RATE < alone < 1.1 * RATE
    redis_server.start()
    time.sleep(2.5)
    assert holds_the_limit(sandbox)
    for file in logs:
        gone, back = file.read_text().splitlines()
        assert "is unavailable (ConnectionError): this process continues at 12.5 of the 50" in gone
        assert "answers again" in back


def test_forked_processes_share_a_limit(
    sandbox: Sandbox, redis_server: RedisServer, tmp_path: Path
) -> None:
    """The blocking client's calls and batches do, also after a fork; neither disturbs the other."""
    began = time.monotonic()
    with started(FORKS, sandbox, tmp_path, redis_server.url, "30") as process:
        ended(process)
    assert sandbox.counts["requests"] == 62
    assert time.monotonic() - began > 61 / 30
    members = "sendblue:rate-limit:{default}:processes"
    assert redis_server.ask("ZCARD", members) == ":2\r\n"


def test_without_the_extra_it_says_what_to_install() -> None:
    """The package itself works; only making the limiter needs the library."""
    program = """
import sys
sys.modules["redis"] = None
from sendblue_async import ConfigurationError, RedisRateLimiter
try:
    RedisRateLimiter("redis://:hunter2@localhost", rate=50)
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run(
        [*PYTHON, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install '.[redis]'" in done.stdout
    assert "hunter2" not in done.stdout
