"""Programs, and the servers that they have their account on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendblue_async.sandbox import Sandbox

from .programs import Programs


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that answers nothing by itself, so that a call takes as long as a test wants."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    """Programs that have their account on the sandbox."""
    return Programs(tmp_path, sandbox.base_url)


@pytest.fixture
def slow_programs(tmp_path: Path, listener: socket.socket) -> Programs:
    """Programs that have their account on the listener."""
    return Programs(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}")
