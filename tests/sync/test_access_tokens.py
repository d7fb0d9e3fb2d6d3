"""Access tokens of the blocking client in whole processes: forks, the end, many rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async import ContactCreate, SyncSendblueClient
from sendblue_async.sandbox import Sandbox

from .programs import Programs

ISSUE = """
    import os, sys, threading, time
    from sendblue_async import SyncSendblueClient

    issuer = SyncSendblueClient()
    asked = []

    def issue():
        asked.append(os.getpid())
        time.sleep(PAUSE)
        return issuer.request("POST", "/v3/auth/tokens").data

    client = SyncSendblueClient(access_token=issue)

    def in_child(work):
        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_child_process_goes_on_with_the_token_that_was_found(programs: Programs) -> None:
    """A fork after the first call asks for no other; one before it lets the child ask."""
    source = (
        ISSUE.replace("PAUSE", "0")
        + """
    def count():
        assert client.count_contacts().count == 0
        print(len(asked), flush=True)

    in_child(count)
    count()
    in_child(count)
    """
    )
    assert programs.run(source) == "1\n1\n1\n"


def test_a_fork_while_a_token_is_asked_for(programs: Programs) -> None:
    """The thread that is asking stays behind in the parent; the child asks for itself."""
    source = (
        ISSUE.replace("PAUSE", "0.5")
        + """
    def count():
        assert client.count_contacts().count == 0

    def count_in_child():
        count()
        assert os.getpid() in asked

    caller = threading.Thread(target=count)
    caller.start()
    while not asked:
        time.sleep(0.01)
    in_child(count_in_child)
    caller.join()
    print(len(asked))
    """
    )
    assert programs.run(source) == "1\n"


# Python 3.12.0 and 3.12.1 start no thread after the main thread's end.
if sys.version_info[:3] not in ((3, 12, 0), (3, 12, 1)):

    def test_a_token_is_asked_for_after_the_last_line(programs: Programs) -> None:
        """A thread that outlives the main one makes the first call, and so does ``atexit``."""
        source = (
            ISSUE.replace("PAUSE", "0")
            + """
    import atexit

    def count():
        time.sleep(0.3)
        print(client.count_contacts().count, flush=True)

    threading.Thread(target=count).start()
    """
        )
        assert programs.run(source) == "0\n"
        source = source.replace("threading.Thread(target=count).start()", "atexit.register(count)")
        assert programs.run(source) == "0\n"


def test_a_function_that_hangs_does_not_hold_up_the_end(programs: Programs) -> None:
    """Nobody waits for its thread when the program ends."""
    source = (
        ISSUE.replace("PAUSE", "30")
        + """
    from sendblue_async import ConnectError, Timeouts

    try:
        client.with_options(timeouts=Timeouts(total=0.2)).count_contacts()
    except ConnectError as error:
        print(error.timed_out)
    """
    )
    started = time.monotonic()
    assert programs.run(source) == "True\n"
    assert time.monotonic() - started < 20


@pytest.fixture
def short_lived() -> Iterator[Sandbox]:
    """A sandbox whose tokens live for two seconds."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox(token_lifetime=2)) as sandbox,
    ):
        yield sandbox


def create_rows(sandbox: Sandbox, read_token: Callable[[Any], Any]) -> Iterator[str]:
    """The outcomes of a batch of 300 contacts that takes three seconds."""
    keys = sandbox.api_key, sandbox.api_secret
    rows = [ContactCreate(number=f"+1415555{number:04}") for number in range(300)]

    def issue() -> Any:
        return read_token(issuer.request("POST", "/v3/auth/tokens").data["data"])

    with (
        SyncSendblueClient(*keys, base_url=sandbox.base_url) as issuer,
        SyncSendblueClient(access_token=issue, base_url=sandbox.base_url) as client,
    ):
        for result in client.create_contacts(rows, rate_limit=100, concurrency=20):
            yield result.outcome


def test_a_batch_outlives_a_token_that_expires(short_lived: Sandbox) -> None:
    """Every row is stored once, with a token that is replaced before its end."""
    assert [*create_rows(short_lived, lambda data: data)] == ["created"] * 300
    assert len(short_lived.contacts) == short_lived.counts["created"] == 300
    assert short_lived.counts["tokens"] >= 2


def test_a_batch_outlives_tokens_that_are_refused(sandbox: Sandbox) -> None:
    """Every row is stored once, however often all calls on their way are refused together."""
    outcomes = []
    for outcome in create_rows(sandbox, lambda data: data["token"]):
        outcomes.append(outcome)
        if len(outcomes) in (100, 200):
            sandbox.revoke_tokens()
    assert outcomes == ["created"] * 300
    assert len(sandbox.contacts) == sandbox.counts["created"] == 300
    assert sandbox.counts["tokens"] == 3


def test_a_batch_waits_while_no_token_can_be_had(sandbox: Sandbox) -> None:
    """What the function raises may pass, as an outage of the server may."""
    keys = sandbox.api_key, sandbox.api_secret
    fails = [True, True]

    async def issue() -> Any:
        await anyio.lowlevel.checkpoint()
        if fails:
            fails.pop()
            raise OSError("The vault is sealed.")
        return (await issuer._client.request("POST", "/v3/auth/tokens")).data

    with (
        SyncSendblueClient(*keys, base_url=sandbox.base_url) as issuer,
        SyncSendblueClient(access_token=issue, base_url=sandbox.base_url) as client,
    ):
        rows = [{"number": f"+1415555{number:04}"} for number in range(5)]
        results = [*client.create_contacts(rows, concurrency=1)]
    assert [result.outcome for result in results] == ["created"] * 5
