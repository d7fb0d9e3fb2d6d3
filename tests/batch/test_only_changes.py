"""Imports that send only what the account does not have yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import (
    CLEAR,
    ConfigurationError,
    ImportOptions,
    ImportProgress,
    ImportReport,
    JournalError,
    SendblueClient,
    SendOptions,
    ServerError,
)
from sendblue_async.sandbox import Faults, Sandbox

from ..client.conftest import Timer, make_client

pytestmark = pytest.mark.anyio

ONLY_CHANGES: dict[str, Any] = {"update_if_exists": True, "only_changes": True, "rate_limit": 1e6}
HEADER = "number,first_name,last_name,assigned_to_email,sendblue_number,tags,custom_variables.plan"
READ_LAG = 3.0


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1201555{n:04}"


@pytest.fixture
def timer() -> Timer:
    """A clock that jumps ahead at every wait."""
    return Timer()


@pytest.fixture
async def server(timer: Timer) -> AsyncIterator[Sandbox]:
    """A sandbox that goes by this clock."""
    async with Sandbox(clock=lambda: 1_700_000_000 + timer.now) as sandbox:
        yield sandbox


@pytest.fixture
async def client(server: Sandbox, timer: Timer) -> AsyncIterator[SendblueClient]:
    """A client of the sandbox that goes by the same clock."""
    keys = server.api_key, server.api_secret
    async with make_client(timer.clock, *keys, base_url=server.base_url) as client:
        yield client


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A file with these rows."""
    path = folder / "people.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def files_in(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return [path.name for path in folder.iterdir()]


def writes(server: Sandbox) -> list[Any]:
    """The documents that the sandbox was sent to create, oldest first."""
    return [request.json for request in server.requests if request.method == "POST"]


def counts(report: ImportReport) -> dict[str, int]:
    """What became of the rows, without what became of none."""
    names = ("created", "stored", "unchanged", "existing", "rejected", "unknown", "skipped")
    return {name: count for name in (*names, "remaining") if (count := getattr(report, name))}


async def store(client: SendblueClient, server: Sandbox, *contacts: dict[str, Any]) -> None:
    """Put contacts into the account, long ago."""
    for contact in contacts:
        await client.create_contact(update_if_exists=True, **contact)
    server.requests.clear()


ADA: dict[str, Any] = {
    "number": number(1),
    "first_name": "Ada",
    "last_name": "King",
    "assigned_to_email": "ada@example.com",
    "sendblue_number": "+15125550100",
    "tags": ["vip", "lead"],
    "custom_variables": {"plan": "gold", "age": "36"},
}
ROW = f'{number(1)},Ada,King,ada@example.com,+15125550100,"lead,vip",gold'


async def test_what_the_account_has_is_not_sent(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Tags in any order, a cell that is blank, and a variable of which the file knows nothing."""
    await store(client, server, ADA, {"number": number(2), "first_name": "Grace"})
    path = written(tmp_path, ROW, f"{number(2)},,,,,,", f"{number(3)},Alan,,,,,", "nobody,,,,,,")
    report = await client.import_contacts(path, **ONLY_CHANGES)
    assert counts(report) == {"stored": 1, "unchanged": 2, "rejected": 1}
    assert report.finished
    assert report.to_dict()["unchanged"] == 2
    sent = {"number": number(3), "first_name": "Alan", "update_if_exists": True}
    assert writes(server) == [sent]


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("Ada", "ada"),
        ROW.replace("King", "Lovelace"),
        ROW.replace("ada@", "king@"),
        ROW.replace("0100", "0101"),
        ROW.replace('"lead,vip"', "lead"),
        ROW.replace('"lead,vip"', '"lead,vip,new"'),
        ROW.replace("gold", "silver"),
        ROW.replace(number(1), number(2)),
    ],
)
async def test_each_value_counts(
    server: Sandbox, client: SendblueClient, tmp_path: Path, row: str
) -> None:
    """A row that differs in one value is sent as a whole, and stored."""
    await store(client, server, ADA)
    report = await client.import_contacts(written(tmp_path, row), **ONLY_CHANGES)
    assert counts(report) == {"stored": 1}
    assert len(writes(server)) == 1
    cells = row.replace('"', "").split(",")
    assert server.contacts[cells[0]]["first_name"] == cells[1]
    assert server.contacts[cells[0]]["custom_variables"]["plan"] == cells[-1]


async def test_what_was_changed_or_deleted_a_moment_ago_is_sent(
    server: Sandbox, client: SendblueClient, timer: Timer, tmp_path: Path
) -> None:
    """Lists still show three contacts as the file has them; none of them is so any more."""
    people = [{"number": number(n), "first_name": "Ada", "tags": ["vip"]} for n in (1, 2, 3, 4)]
    await store(client, server, *people)
    timer.now += 60
    server.faults = Faults(read_lag=READ_LAG - 0.1)
    await client.delete_contact(number(1))
    await client.update_contact(number(2), first_name="Eve")
    await client.update_contact(number(3), tags=CLEAR)
    server.requests.clear()
    rows = [f"{number(n)},Ada,,,,vip," for n in (1, 2, 3, 4)]
    report = await client.import_contacts(written(tmp_path, *rows), **ONLY_CHANGES)
    assert counts(report) == {"stored": 3, "unchanged": 1}
    for n in (1, 2, 3, 4):
        stored = server.contacts[number(n)]
        assert (stored["first_name"], stored["tags"]) == ("Ada", ["vip"])


@pytest.mark.parametrize(
    ("on_duplicate", "expected"),
    [("merge", {"stored": 1, "unchanged": 1, "skipped": 2}), ("last", {"stored": 2, "skipped": 2})],
)
async def test_rows_of_one_number_count_together(
    server: Sandbox, client: SendblueClient, tmp_path: Path, on_duplicate: Any, expected: Any
) -> None:
    """What is compared is what would be sent for all of them, not what one of them says."""
    await store(
        client,
        server,
        {"number": number(1), "first_name": "Ada"},
        {"number": number(2), "first_name": "Grace", "tags": ["vip", "navy"]},
    )
    rows = [
        f"{number(1)},Ada,,,,,",
        f"{number(2)},Grace,,,,vip,",
        f"{number(2)},,,,,navy,",
        f"{number(1)},Eve,,,,,",
    ]
    path = written(tmp_path, *rows)
    report = await client.import_contacts(path, on_duplicate=on_duplicate, **ONLY_CHANGES)
    assert counts(report) == expected
    assert server.contacts[number(1)]["first_name"] == "Eve"
    tags = server.contacts[number(2)]["tags"]
    assert tags == (["vip", "navy"] if on_duplicate == "merge" else ["navy"])


async def test_it_takes_a_request_for_a_thousand_contacts(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Of 3,000 contacts 1 % has changed: 30 writes, and a few pages that overlap."""
    amount = 3_000
    rows = [f"{number(n)},Ada {n},,,,," for n in range(amount)]
    await client.import_contacts(written(tmp_path, *rows), update_if_exists=True, rate_limit=1e6)
    changed = [row.replace("Ada", "Grace") if n % 100 == 0 else row for n, row in enumerate(rows)]
    before = server.counts["requests"]
    report = await client.import_contacts(written(tmp_path, *changed), **ONLY_CHANGES)
    assert counts(report) == {"stored": 30, "unchanged": 2_970}
    assert server.counts["requests"] - before <= 36
    assert server.contacts[number(200)]["first_name"] == "Grace 200"


async def test_a_file_that_has_not_changed_is_compared_again(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Its import is finished, but somebody has changed the account since."""
    path = written(tmp_path, f"{number(1)},Ada,,,,,", f"{number(2)},Grace,,,,,")
    assert counts(await client.import_contacts(path, **ONLY_CHANGES)) == {"stored": 2}
    assert counts(await client.import_contacts(path, **ONLY_CHANGES)) == {"unchanged": 2}
    await client.delete_contact(number(1))
    report = await client.import_contacts(path, **ONLY_CHANGES)
    assert counts(report) == {"stored": 1, "unchanged": 1}
    assert number(1) in server.contacts


async def test_a_killed_import_resumes(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What was in flight is sent again, even if it is there; all else is compared anew."""
    path = written(tmp_path, *(f"{number(n)},Ada,,,,," for n in range(6)))
    await store(client, server, {"number": number(0), "first_name": "Ada"})
    held = asyncio.Event()

    def hold(progress: ImportProgress) -> None:
        # The first two writes are about to be sent.
        if server.requests:
            server.faults = Faults(latency=60.0)
            held.set()

    options = {"concurrency": 2, "progress": hold, **ONLY_CHANGES}
    running = asyncio.create_task(client.import_contacts(path, **options))
    await held.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.faults = Faults()
    people = ({"number": number(n), "first_name": "Ada"} for n in (1, 5))
    await store(client, server, *people)
    report = await client.import_contacts(path, resume=True, **ONLY_CHANGES)
    assert counts(report) == {"stored": 4, "unchanged": 2}
    assert sorted(sent["number"] for sent in writes(server)) == [number(n) for n in (1, 2, 3, 4)]


async def test_results_tell_who_is_unchanged(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """With the identifier that the list of the account has shown."""
    await store(client, server, ADA)
    path, results = written(tmp_path, ROW), tmp_path / "results.csv"
    await client.import_contacts(path, results=results, **ONLY_CHANGES)
    contact_id = server.contacts[number(1)]["contact_id"]
    assert f"2,unchanged,{number(1)},{contact_id}," in results.read_text(encoding="utf-8")


async def test_the_journal_knows_what_was_asked_for(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """An import that was begun with it is not resumed without it."""
    path = written(tmp_path, f"{number(1)},Ada,,,,,", f"{number(2)},Ada,,,,,")
    job = client.import_job(
        path,
        ImportOptions(update_if_exists=True, only_changes=True),
        SendOptions(concurrency=1, rate_limit=1e6),
        progress=lambda progress: progress.counts.get("stored") and job.stop(),
    )
    assert counts(await job.run()) == {"stored": 1, "remaining": 1}
    with pytest.raises(JournalError, match="only_changes was 'True' and is 'False' now"):
        await client.import_contacts(path, update_if_exists=True, resume=True)
    report = await client.import_contacts(path, resume=True, **ONLY_CHANGES)
    assert counts(report) == {"stored": 2}


async def test_nothing_is_sent_if_the_account_cannot_be_listed(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """The import ends before its first write, and can be resumed."""
    await store(client, server, ADA)
    path = written(tmp_path, f"{number(2)},Grace,,,,,")
    server.faults = Faults(server_error=1.0)
    with pytest.raises(ServerError):
        await client.import_contacts(path, **ONLY_CHANGES)
    assert writes(server) == []
    server.faults = Faults()
    assert counts(await client.import_contacts(path, **ONLY_CHANGES)) == {"stored": 1}


def test_plain_creates_change_nothing() -> None:
    """It is refused with what to do."""
    with pytest.raises(ConfigurationError, match="only_changes needs update_if_exists=True"):
        ImportOptions(only_changes=True)


async def test_a_dry_run_is_a_plan(server: Sandbox, client: SendblueClient, tmp_path: Path) -> None:
    """It tells what would change of whom, field by field, and sends no write."""
    await store(client, server, ADA, {"number": number(2), "first_name": "Grace"})
    path = written(
        tmp_path,
        ROW.replace("Ada", "Augusta").replace("gold", "silver"),
        f"{number(2)},Grace,,,,,",
        f"{number(3)},Alan,,,,vip,",
    )
    options = ImportOptions(update_if_exists=True, only_changes=True)
    plan = await client.import_job(path, options, SendOptions(rate_limit=1e6)).dry_run()
    assert plan is not None
    assert (plan.contacts, plan.unchanged, plan.requests) == (2, 1, 2)
    changed, new = plan.changes
    assert (changed.line, changed.number, changed.is_new) == (2, "…0001", False)
    assert changed.fields == {
        "first_name": {"stored": "Ada", "new": "Augusta"},
        "custom_variables.plan": {"stored": "gold", "new": "silver"},
    }
    assert (new.line, new.number, new.is_new) == (4, "…0003", True)
    assert new.fields == {
        "first_name": {"stored": None, "new": "Alan"},
        "tags": {"stored": None, "new": ["vip"]},
    }
    assert writes(server) == []
    assert files_in(tmp_path) == [path.name]
