"""Iterating over all contacts on the blocking client."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from typing import Any

import anyio
import pytest

from sendblue_async import (
    ConfigurationError,
    RetryPolicy,
    ServerError,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async.sandbox import Faults, Sandbox

NUMBERS = [f"+1415555{number:04}" for number in range(25)]


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SyncSendblueClient]:
    """A blocking client of a sandbox with 25 contacts."""
    with SyncSendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        client.create_contacts_bulk([{"number": number} for number in NUMBERS])
        yield client


def settled(sandbox: Sandbox) -> int:
    """How many requests have come, once no more do."""
    seen = -1
    while seen != sandbox.counts["requests"]:
        seen = sandbox.counts["requests"]
        time.sleep(0.1)
    return seen


@pytest.mark.parametrize("page_size", [10, 24, 25, 26, 1000])
def test_every_contact_comes_in_order(client: SyncSendblueClient, page_size: int) -> None:
    """A plain iterator gives every contact once, oldest first, and then ends."""
    contacts = client.iter_contacts(page_size=page_size)
    assert iter(contacts) is contacts
    assert [contact.phone for contact in contacts] == NUMBERS
    assert list(contacts) == []


def test_contacts_since_a_time(client: SyncSendblueClient) -> None:
    """With created_at_gte only contacts from that time on come."""
    assert list(client.iter_contacts(created_at_gte=datetime(2000, 1, 1, tzinfo=timezone.utc)))
    assert not list(client.iter_contacts(created_at_gte=datetime(2999, 1, 1, tzinfo=timezone.utc)))


def test_bad_arguments_raise_at_the_call(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """What cannot be asked for raises before the first contact is wanted."""
    before = sandbox.counts["requests"]
    with pytest.raises(ValidationError, match="page_size"):
        client.iter_contacts(page_size=0)
    assert sandbox.counts["requests"] == before


def test_one_left_early_fetches_no_more(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """A loop that breaks leaves nothing running, and the client goes on working."""
    before = sandbox.counts["requests"]
    for _ in islice(client.iter_contacts(page_size=10), 3):
        pass
    gc.collect()
    assert settled(sandbox) <= before + 2
    assert client.count_contacts().count == 25


def test_an_error_reaches_the_caller(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """A page that cannot be had raises after the contacts before it, and ends the iteration."""
    once = client.with_options(retry=RetryPolicy(attempts=1))
    contacts = once.iter_contacts(page_size=10)
    first = next(contacts)
    settled(sandbox)
    sandbox.faults = Faults(server_error=1)
    with pytest.raises(ServerError):
        list(contacts)
    assert first.phone == NUMBERS[0]
    assert list(contacts) == []


def test_threads_may_share_the_work(client: SyncSendblueClient) -> None:
    """Iterations of several threads do not disturb each other."""
    results: list[Any] = []

    def work() -> None:
        results.append([contact.phone for contact in client.iter_contacts(page_size=10)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [NUMBERS] * 8


def test_a_batch_is_a_plain_iterator(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """Rows from a generator come back with what became of them, those that exist too."""
    rows = ({"number": number} for number in [*NUMBERS[:5], "+14155559901", "+14155559902"])
    results = client.create_contacts(rows, rate_limit=1e6, concurrency=4)
    assert iter(results) is results
    found = {result.row["number"]: result.outcome for result in results}
    assert found == {
        **dict.fromkeys(NUMBERS[:5], "existing"),
        "+14155559901": "created",
        "+14155559902": "created",
    }
    assert len(sandbox.contacts) == 27


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [True, False])
async def test_an_iteration_moved_into_an_event_loop_is_refused(
    sandbox: Sandbox, begun: bool
) -> None:
    """A step that would block an event loop raises, and the iteration goes on elsewhere."""
    client = SyncSendblueClient(sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url)

    def begin() -> Any:
        client.create_contacts_bulk([{"number": number} for number in NUMBERS])
        contacts = client.iter_contacts()
        if begun:
            next(contacts)
        return contacts

    contacts = await anyio.to_thread.run_sync(begin)
    with pytest.raises(ConfigurationError, match=r"await SendblueClient\.iter_contacts"):
        next(contacts)
    rest = await anyio.to_thread.run_sync(list, contacts)
    assert [contact.phone for contact in rest] == NUMBERS[begun:]
    await anyio.to_thread.run_sync(client.close)
