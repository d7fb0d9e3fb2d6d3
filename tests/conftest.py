"""What every test has at hand."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async.sandbox import Sandbox


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of all asynchronous tests: aiohttp runs on asyncio alone."""
    return "asyncio"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give each asynchronous test 40 seconds, after which it fails inside its event loop.

    The timeout of the suite strikes outside the loop, and the fixtures would then wait for ever
    for a test that is still on their loop.
    """
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def limited(**arguments: Any) -> None:
            with anyio.fail_after(40):
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
