"""What every test has at hand."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of all asynchronous tests: aiohttp runs on asyncio alone."""
    return "asyncio"
