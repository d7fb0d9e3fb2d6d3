"""A sandbox, a client of it, and programs that have one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sendblue_async import SendblueClient
from sendblue_async.sandbox import Sandbox

from ..sync.programs import Programs


@pytest.fixture
async def server() -> AsyncIterator[Sandbox]:
    """A sandbox on this event loop."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(server: Sandbox) -> AsyncIterator[SendblueClient]:
    """A client of the sandbox."""
    async with SendblueClient(
        server.api_key, server.api_secret, base_url=server.base_url
    ) as client:
        yield client


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    """Programs that have their account on the sandbox."""
    return Programs(tmp_path, sandbox.base_url)
