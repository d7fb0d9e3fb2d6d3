"""What every test has at hand."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
# Where the system, the interpreter and the tests keep their own, should the clone lie above that.
_FOLDERS = (ROOT, *sys.path, sys.prefix, sys.base_prefix, "/dev", "/etc", "/lib", "/proc", "/usr")
_BESIDE = os.path.join(ROOT.parent, "")
_TEMPORARY = ("pytest-", "tmp", "sendblue-", "openpyxl.")
if not os.path.join(tempfile.gettempdir(), "").startswith(_BESIDE):
    # The clone may lie in such a folder itself, and what is beside it is none of the tests' then.
    _TEMPORARY = ()
_ALLOWED = (
    *(f"{os.path.realpath(folder)}{os.sep}" for folder in _FOLDERS),
    *(os.path.join(tempfile.gettempdir(), start) for start in _TEMPORARY),
)


def _refuse_what_lies_beside_the_clone(event: str, arguments: tuple[Any, ...]) -> None:
    """Let no test read what a clone into an empty folder would not have."""
    if event not in {"open", "os.listdir", "os.scandir", "sqlite3.connect"}:
        return
    path = arguments[0]
    if event == "open" and path == tempfile.gettempdir():
        return  # a file without a name, as `tempfile.TemporaryFile` makes it
    if isinstance(path, (str, bytes, os.PathLike)):
        absolute = f"{os.path.realpath(os.fsdecode(path))}{os.sep}"
        if absolute.startswith(_BESIDE) and not absolute.startswith(_ALLOWED):
            raise PermissionError(f"{absolute} lies outside the clone; a test may not use it.")


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Let no test reach another machine, least of all the provider's."""
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if host not in {"localhost", "0.0.0.0", "::1", "::"} and not host.startswith("127."):
            raise PermissionError(f"{host} is another machine; a test may not reach it.")


sys.addaudithook(_refuse_what_lies_beside_the_clone)
sys.addaudithook(_refuse_other_machines)


# A program that is started in the background ignores Ctrl-C, and so do those that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of all asynchronous tests: aiohttp runs on asyncio alone."""
    return "asyncio"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test after no long bytes: what packs them may put the time into them.

    All workers have to find tests of the same names.
    """
    return argname if isinstance(val, bytes) and len(val) > 16 else None


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give each asynchronous test 120 seconds, after which it fails inside its event loop.

    The timeout of the suite strikes outside the loop, and the fixtures would then wait for ever
    for a test that is still on their loop.
    """
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def limited(**arguments: Any) -> None:
            with anyio.fail_after(120):
                await test(**arguments)

        pyfuncitem.obj = limited


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox, on a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox()) as sandbox,
    ):
        yield sandbox
