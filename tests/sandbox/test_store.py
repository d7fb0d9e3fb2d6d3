"""Contacts in a file: they survive a restart, and a wrong file is a clear error."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sendblue_async.sandbox import Faults, Sandbox
from sendblue_async.sandbox._contact import StoredContact
from sendblue_async.sandbox._store import MemoryStore, SqliteStore, Store

pytestmark = pytest.mark.anyio


def names_in(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def copied(folder: Path) -> Path:
    """A copy of a folder as it stands, as a sudden end would leave it."""
    return Path(shutil.copytree(folder, folder / "copy"))


async def test_a_restart_finds_the_contacts(start: Any, tmp_path: Path) -> None:
    """What was stored is there after a restart, still refuses duplicates, and merges on."""
    file = tmp_path / "contacts.db"
    api = await start(db=file)
    before = (
        await api.create(first_name="Zoë \ud83d", tags=["a"], custom_variables={"Plan": "gold"})
    ).contact
    await api.create("+14155550199")
    await api.sandbox.close()
    assert names_in(tmp_path) == ["contacts.db"]

    api = await start(db=str(file), seed=9)
    assert list(api.sandbox.contacts) == ["+14155550123", "+14155550199"]
    assert api.sandbox.contacts["+14155550123"] == before
    assert (await api.create()).status == 409
    after = (await api.create(custom_variables={"City": "Paris"}, update_if_exists=True)).contact
    assert after == {**before, "custom_variables": {"Plan": "gold", "City": "Paris"}}
    assert list(api.sandbox.contacts) == ["+14155550123", "+14155550199"]


async def test_a_killed_sandbox_loses_nothing(start: Any, tmp_path: Path) -> None:
    """A create that was answered is in the file even if the sandbox never closes."""
    api = await start(db=tmp_path / "contacts.db", faults=Faults(drop_after_commit=0.5))
    for n in range(10):
        with contextlib.suppress(aiohttp.ClientError):
            await api.create(f"+1415555010{n}")
    again = await start(db=copied(tmp_path) / "contacts.db")
    assert again.sandbox.contacts == api.sandbox.contacts
    assert len(again.sandbox.contacts) == 10


async def test_two_sandboxes_may_share_a_file(start: Any, tmp_path: Path) -> None:
    """Check and write are one step for both together."""
    one = await start(db=tmp_path / "contacts.db")
    two = await start(db=tmp_path / "contacts.db")
    replies = await asyncio.gather(*[api.create() for _ in range(20) for api in (one, two)])
    assert sorted(reply.status for reply in replies) == [200] + [409] * 39
    assert one.sandbox.contacts == two.sandbox.contacts


async def test_nothing_comes_between_check_and_write(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a create looks for a duplicate, no other process can write to the file."""
    file = tmp_path / "contacts.db"
    api = await start(db=file)
    look_up = api.sandbox._store.get
    attempts: list[str] = []

    def look_up_and_intrude(number: str) -> object:
        with contextlib.closing(sqlite3.connect(file, timeout=0)) as rival:
            try:
                rival.execute("DELETE FROM contacts")
            except sqlite3.OperationalError as error:
                attempts.append(str(error))
        return look_up(number)

    monkeypatch.setattr(api.sandbox._store, "get", look_up_and_intrude)
    assert (await api.create()).status == 200
    assert attempts == ["database is locked"]


async def test_a_failed_write_is_rolled_back(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error in the store the answer is 500 and the next create works."""
    api = await start(db=tmp_path / "contacts.db")

    def fail(_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(api.sandbox._store, "put", fail)
        assert (await api.create()).refusal == (500, "The sandbox failed: OperationalError")
    assert not api.sandbox.contacts
    assert (await api.create()).status == 200


async def test_contacts_can_be_read_from_another_thread(start: Any, tmp_path: Path) -> None:
    """A test that runs beside the server's thread may look at the contacts."""
    api = await start(db=tmp_path / "contacts.db")
    await api.create()
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(api.sandbox.contacts))
    reader.start()
    await asyncio.to_thread(reader.join)
    assert seen == ["+14155550123"]


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("folder", OSError, "unable to open"),
        ("missing folder", OSError, "unable to open"),
        ("text", ValueError, "is not a SQLite file"),
        ("foreign", ValueError, "belongs to another program"),
    ],
)
async def test_an_unusable_file_is_a_clear_error(
    tmp_path: Path, kind: str, error: type[Exception], message: str
) -> None:
    """The error names the file, nothing is left running, and a foreign file stays as it was."""
    file = tmp_path / "contacts.db"
    if kind == "folder":
        file.mkdir()
    elif kind == "missing folder":
        file = tmp_path / "none" / "contacts.db"
    elif kind == "text":
        file.write_text("phone,first_name\n" * 100)
    else:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE contacts (name TEXT)")
    before = file.read_bytes() if file.is_file() else None
    sandbox = Sandbox(db=file)
    with pytest.raises(error, match=message) as caught:
        await sandbox.start()
    assert str(file) in str(caught.value)
    assert before is None or file.read_bytes() == before
    with pytest.raises(RuntimeError):
        _ = sandbox.base_url


async def test_a_file_is_readable_only_while_the_sandbox_runs(tmp_path: Path) -> None:
    """Contacts of a file raise RuntimeError before the start and after the end."""
    sandbox = Sandbox(db=tmp_path / "contacts.db")
    with pytest.raises(RuntimeError, match="only while the sandbox runs"):
        list(sandbox.contacts)
    async with sandbox:
        assert list(sandbox.contacts) == []
    with pytest.raises(RuntimeError, match="only while the sandbox runs"):
        len(sandbox.contacts)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_both_stores_keep_the_same_promises(kind: str, tmp_path: Path) -> None:
    """Put replaces, remove says whether there was one, and order is that of creation."""
    store: Store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "contacts.db")
    store.open()
    store.open()
    first = StoredContact(phone="+14155550199", created_at="", contact_id="1", tags=["a"])
    second = StoredContact(phone="+14155550123", created_at="", contact_id="2")
    changed = first.merge({"first_name": "Ada"})
    with store.exclusive():
        store.put(first)
        store.put(second)
        store.put(changed)
    assert store.numbers() == ["+14155550199", "+14155550123"]
    assert store.get("+14155550199") == changed
    assert store.get("+10000000") is None
    assert len(store) == 2
    assert store.remove("+14155550199") is True
    assert store.remove("+14155550199") is False
    assert store.numbers() == ["+14155550123"]
    store.close()
    store.close()
