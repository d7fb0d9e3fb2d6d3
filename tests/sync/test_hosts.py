"""The blocking client's event loop and its thread: whatever ends, stops or forbids them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from sendblue_async import ConfigurationError, SyncSendblueClient
from sendblue_async.sandbox import Faults, Sandbox

from .programs import Programs

NUMBER = "+14155550123"
BODY = b'{"contact":{"phone":"+14155550123"},"status":"OK"}'


@pytest.fixture
def in_hook() -> list[Callable[[], object]]:
    """What the client's hook does at the next requests, one after the other."""
    return []


@pytest.fixture
def client(sandbox: Sandbox, in_hook: list[Callable[[], object]]) -> Iterator[SyncSendblueClient]:
    """A blocking client of the sandbox, with a hook."""

    async def strike(*_: object) -> None:
        if in_hook:
            in_hook.pop(0)()

    hook = aiohttp.TraceConfig()
    hook.on_request_start.append(strike)
    with SyncSendblueClient(
        sandbox.api_key,
        sandbox.api_secret,
        base_url=sandbox.base_url,
        trace_configs=[hook],
        allow_blocking_loop=True,
    ) as client:
        yield client


def interrupt() -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


async def ends_in_exit() -> AsyncIterator[dict[str, str]]:
    """A source that ends the program."""
    yield {"number": NUMBER}
    sys.exit(3)


@pytest.mark.parametrize(("end", "error"), [(sys.exit, SystemExit), (interrupt, KeyboardInterrupt)])
def test_what_ends_a_program_comes_out_of_the_call(
    sandbox: Sandbox,
    client: SyncSendblueClient,
    in_hook: list[Callable[[], object]],
    end: Callable[[], object],
    error: type[BaseException],
) -> None:
    """SystemExit and KeyboardInterrupt from a hook come out as they are, and end no other call."""
    client.create_contact(NUMBER)
    sandbox.faults = Faults(latency=1)
    with ThreadPoolExecutor(4) as pool:
        before = sandbox.counts["requests"]
        others = [pool.submit(client.get_contact, NUMBER) for _ in range(4)]
        while sandbox.counts["requests"] < before + 4:
            pass
        in_hook.append(end)
        with pytest.raises(error):
            client.get_contact(NUMBER)
        assert client.get_contact(NUMBER).contact.phone == NUMBER
        assert [other.result(timeout=20).contact.phone for other in others] == [NUMBER] * 4


def test_an_exit_in_an_asynchronous_source_comes_out(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """sys.exit() in a source that the event loop reads ends the batch, and nothing else."""
    with pytest.raises(SystemExit) as caught:
        list(client.create_contacts(ends_in_exit()))
    assert caught.value.code == 3
    [result] = client.create_contacts([{"number": "+14155550124"}])
    assert result.outcome == "created"


def test_a_call_on_the_thread_of_all_calls_is_refused(
    client: SyncSendblueClient, in_hook: list[Callable[[], object]]
) -> None:
    """A hook that calls the client, even one that may block loops, cannot wait for itself."""
    seen: list[BaseException] = []

    def call() -> None:
        try:
            client.get_contact(NUMBER)
        except ConfigurationError as error:
            seen.append(error)

    in_hook.append(call)
    client.create_contact(NUMBER)
    assert "wait for itself" in str(seen[0])


def test_a_hook_that_stops_the_event_loop_stops_no_call(
    client: SyncSendblueClient, in_hook: list[Callable[[], object]]
) -> None:
    """The loop goes on for the calls that need it."""
    in_hook.append(lambda: asyncio.get_running_loop().stop())
    assert client.create_contact(NUMBER).contact.phone == NUMBER
    assert client.get_contact(NUMBER).contact.phone == NUMBER


# What keeps the thread from starting, and what lets it start.
OBSTACLES = {
    "no memory for a thread": ("threading.stack_size(1 << 46)", "threading.stack_size(0)"),
    "no file descriptor": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/dev/fd')) - 1, limits[1]))",
        "resource.setrlimit(resource.RLIMIT_NOFILE, limits)",
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_thread_that_cannot_start(programs: Programs, sandbox: Sandbox, obstacle: str) -> None:
    """The first calls of all threads end with an error that has a cause; the next ones work."""
    forbid, allow = OBSTACLES[obstacle]
    printed = programs.run(
        f"""
        import os, resource, threading
        from concurrent.futures import ThreadPoolExecutor
        from sendblue_async import ConfigurationError, SyncSendblueClient

        client = SyncSendblueClient()
        together = threading.Barrier(8)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)

        def call(index):
            together.wait(timeout=20)
            try:
                return client.create_contact(f"+1415555012{{index}}").status
            except ConfigurationError as error:
                assert error.outcome == "not_sent"
                return type(error.__cause__).__name__

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: together.wait(timeout=20), range(8)))
            {forbid}
            print(set(pool.map(call, range(8))) <= {{"OSError", "RuntimeError"}})
            {allow}
            print(set(pool.map(call, range(8))))
        """
    )
    assert printed == "True\n{'OK'}\n"
    assert len(sandbox.contacts) == 8


def test_pytest_may_disable_sockets(programs: Programs, sandbox: Sandbox) -> None:
    """Under pytest --disable-socket a call fails with an error of ours; the next test's works."""
    test = programs.write(
        "test_application.py",
        """
        import pytest
        from sendblue_async import ConfigurationError, SyncSendblueClient
        client = SyncSendblueClient()

        def test_disabled():
            with pytest.raises(ConfigurationError) as caught:
                client.create_contact("+14155550123")
            assert type(caught.value.__cause__).__name__ == "SocketBlockedError"

        @pytest.mark.enable_socket
        def test_enabled():
            client.create_contact("+14155550123")
        """,
    )
    command = [sys.executable, "-m", "pytest", "--disable-socket", "-q", str(test)]
    done = subprocess.run(
        [
            *command,
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            "--rootdir",
            str(test.parent),
        ],
        env=programs.environment,
        cwd=programs.folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert list(sandbox.contacts) == [NUMBER]


def test_uvloop_may_be_installed(programs: Programs, sandbox: Sandbox) -> None:
    """A process whose event loops are uvloop's may fork after a call; all of them end in order."""
    printed = programs.run(
        """
        import asyncio, os, sys, warnings
        with warnings.catch_warnings():
            # Python 3.14 and uvloop both want a loop factory instead.
            warnings.simplefilter("ignore")
            import uvloop
            uvloop.install()
            assert isinstance(asyncio.get_event_loop_policy(), uvloop.EventLoopPolicy)
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        client.create_contact("+14155550100")
        for used in False, True:
            child = os.fork()
            if child == 0:
                if used:
                    client.create_contact("+14155550101")
                sys.exit()
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        client.create_contact("+14155550102")
        """
    )
    assert printed == "0\n0\n"
    assert len(sandbox.contacts) == 3


FROZEN = {
    "at the call": "",
    "at the import": "import freezegun; freezegun.freeze_time('2030-01-01').start()",
    # As time-machine did up to its version 2: in what all copies of the module share.
    "in C": """
        import ctypes, time
        function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
        stopped = function(lambda module, nothing: 1000.0)
        pointer = ctypes.c_void_p
        method = pointer.from_address(id(time.monotonic) + object.__basicsize__).value
        code = pointer.from_address(method + ctypes.sizeof(pointer))
        code.value = ctypes.cast(stopped, pointer).value
        assert time.monotonic() == 1000.0
    """,
}


@pytest.mark.parametrize("frozen", FROZEN)
@pytest.mark.parametrize("tick", [False, True])
def test_time_may_be_frozen(
    slow_programs: Programs, listener: socket.socket, frozen: str, tick: bool
) -> None:
    """With a frozen clock a failed attempt is repeated, and a deadline ends the call, in time."""
    source = f"""{textwrap.dedent(FROZEN[frozen])}\n""" + textwrap.dedent(f"""
        from sendblue_async import SendblueError, SyncSendblueClient, Timeouts
        from freezegun import freeze_time
        client = SyncSendblueClient()
        hasty = client.with_options(timeouts=Timeouts(total=1))

        with freeze_time("2026-01-01", tick={tick}):
            print(client.create_contact("+14155550123").meta.attempts, flush=True)
            try:
                hasty.get_contact("+14155550123")
            except SendblueError as error:
                print(error.timed_out)
        """)
    with slow_programs.start(source) as program:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            for status, body in [(500, b"{}"), (200, BODY)]:
                assert connection.recv(65536).startswith(b"POST ")
                answer = b"HTTP/1.1 %d Said So\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(answer % (status, len(body)) + body)
            started = time.monotonic()
            assert connection.recv(65536).startswith(b"GET ")
            assert program.communicate(timeout=20) == ("2\nTrue\n", "")
            assert time.monotonic() - started < 10
        assert program.returncode == 0
