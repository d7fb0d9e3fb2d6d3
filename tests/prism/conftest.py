"""A mock server that somebody else's tool generates from the contract."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONTRACT = HERE.parent / "contract" / "contacts.openapi.yaml"
PRISM = HERE / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
LISTENING = "Prism is listening on "


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the first test of this folder the time that installing Prism takes."""
    item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def prism_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running mock of the contract; it demands the two auth headers."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("Prism needs Node: install nodejs and npm to run this test.")
    # With everything in place this asks no registry and takes a second. Each worker that runs
    # tests of this folder comes here, one after another.
    install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"]
    with (HERE / "package.json").open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        done = subprocess.run(install, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    # A file, since nobody would empty a pipe while the tests run.
    log = tmp_path_factory.mktemp("prism") / "log.txt"
    command = [node, PRISM, "mock", "--host", "127.0.0.1", "--port", "0", "--multiprocess", "false"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*command, CONTRACT], stdout=output, stderr=output, start_new_session=True
        ) as prism,
    ):
        try:
            yield announced_url(prism, log)
        finally:
            if prism.poll() is None:
                os.killpg(prism.pid, signal.SIGTERM)


def announced_url(prism: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> str:
    """The address in Prism's log, once it is there."""
    deadline = time.monotonic() + seconds
    while prism.poll() is None and time.monotonic() < deadline:
        _, found, rest = log.read_text().partition(LISTENING)
        if found and "\n" in rest:
            return rest.splitlines()[0].strip()
        time.sleep(0.05)
    raise AssertionError(f"Prism did not start to listen:\n{log.read_text()}")
