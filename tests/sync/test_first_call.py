"""The first call of a process, a thread or a child finds the keys, and all have the same."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sendblue_async import SendblueClient


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without keys."""
    for name in [name for name in os.environ if name.startswith("SENDBLUE_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def set_keys(environment: pytest.MonkeyPatch, sandbox: Any) -> None:
    """Put the keys and the address of a sandbox into the environment."""
    environment.setenv("SENDBLUE_API_KEY_ID", sandbox.api_key)
    environment.setenv("SENDBLUE_API_SECRET_KEY", sandbox.api_secret)
    environment.setenv("SENDBLUE_API_BASE_URL", sandbox.base_url)


def test_threads_that_race_in_the_first_call_find_the_same_keys(
    sandbox: Any, environment: pytest.MonkeyPatch
) -> None:
    """Whatever the environment is made meanwhile, all of them have the keys that one has found."""
    set_keys(environment, sandbox)
    for _ in range(20):
        client = SendblueClient()
        ready = threading.Barrier(8)

        def look(number: int, client: Any = client, ready: Any = ready) -> str:
            ready.wait(10)
            os.environ["SENDBLUE_API_KEY_ID"] = f"key-{number}"
            return str(client._transport.account)

        with ThreadPoolExecutor(8) as pool:
            assert len({*pool.map(look, range(8))}) == 1


def test_a_child_process_looks_for_itself_or_keeps_what_was_found(
    sandbox: Any, environment: pytest.MonkeyPatch
) -> None:
    """A fork before the first call leaves the look-up to the child; after it, nothing changes."""
    program = """
import os, sys
from sendblue_async import SyncSendblueClient

client = SyncSendblueClient()
if sys.argv[1] == "after":
    client.count_contacts()
found = dict(os.environ)
os.environ["SENDBLUE_API_SECRET_KEY"] = "wrong"
child = os.fork()
if child == 0:
    if sys.argv[1] == "before":
        os.environ.update(found)
    os._exit(client.count_contacts().count)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    set_keys(environment, sandbox)
    for when in ("before", "after"):
        subprocess.run([sys.executable, "-c", program, when], check=True, timeout=30)
