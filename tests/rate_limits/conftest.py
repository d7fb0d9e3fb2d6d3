"""Redis servers for the tests of the rate limit that processes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .redis_server import RedisServer


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis that nobody else uses."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis with the password ``hunter2-of-redis``."""
    with RedisServer(tmp_path, "--requirepass", "hunter2-of-redis") as server:
        yield server
