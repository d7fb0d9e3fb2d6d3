"""An import through the blocking client, whose progress is shown on the caller's thread."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import (
    AuthenticationError,
    ImportProgress,
    JournalError,
    SendOptions,
    SyncSendblueClient,
)
from sendblue_async.sandbox import Faults, Sandbox

from .test_create_contacts import Serve, client, heeds_ctrl_c, serve, until

__all__ = ["client", "heeds_ctrl_c", "serve"]

ROWS = 300
QUICK: dict[str, Any] = {"rate_limit": 1e6}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of contacts."""
    path = tmp_path / "contacts.csv"
    rows = [f"+1415555{number:04},Ada {number}\n" for number in range(ROWS)]
    path.write_text("number,first_name\n" + "".join(rows))
    return path


def test_progress_may_use_what_belongs_to_the_thread(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path
) -> None:
    """It is called on the caller's thread: it may write to a database and call the client."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE shown (entries INTEGER, known INTEGER)")

        def show(progress: ImportProgress) -> None:
            known = client.count_contacts().count
            database.execute("INSERT INTO shown VALUES (?, ?)", (progress.entries, known))

        report = client.import_contacts(path, progress=show, **QUICK)
        assert database.execute("SELECT entries, known FROM shown ORDER BY rowid DESC").fetchone()[
            :2
        ] == (ROWS, ROWS)
    assert (report.finished, report.created) == (True, ROWS)


def test_slow_progress_holds_up_nothing_but_itself(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path
) -> None:
    """The import goes on meanwhile; of what it shows then the last is shown next."""
    shown: list[ImportProgress] = []

    def show(progress: ImportProgress) -> None:
        shown.append(progress)
        until(lambda: len(sandbox.contacts) == ROWS)

    report = client.import_contacts(path, progress=show, **QUICK)
    assert report.created == ROWS
    assert shown[-1].counts == {"created": ROWS}
    # What was in the queue when the first one came back, and the last.
    assert len(shown) <= 3


def test_other_threads_go_on_while_progress_is_shown(
    client: SyncSendblueClient, path: Path
) -> None:
    """A call of another thread does not wait for somebody's progress."""
    counts: list[Any] = []

    def show(_: ImportProgress) -> None:
        thread = threading.Thread(target=lambda: counts.append(client.count_contacts().count))
        thread.start()
        thread.join(timeout=20)

    client.import_contacts(path, progress=show, **QUICK)
    assert counts
    assert counts[-1] == ROWS


@pytest.mark.parametrize("kind", [ValueError, IndexError, SystemExit, KeyboardInterrupt])
def test_what_progress_raises_ends_the_import(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path, kind: Any
) -> None:
    """It comes out as it is, the client goes on working, and the journal can be resumed from."""
    raised = kind("enough")

    def show(progress: ImportProgress) -> None:
        if progress.counts:
            raise raised

    with pytest.raises(kind) as caught:
        client.import_contacts(path, progress=show, concurrency=4, **QUICK)
    assert caught.value is raised
    assert client.count_contacts().count == len(sandbox.contacts)
    report = client.import_contacts(path, resume=True, **QUICK)
    assert (report.finished, report.remaining, len(sandbox.contacts)) == (True, 0, ROWS)
    gc.collect()


def test_progress_may_raise_when_all_is_done(client: SyncSendblueClient, path: Path) -> None:
    """Even the last word of it comes out."""

    def show(progress: ImportProgress) -> None:
        if progress.counts.get("created") == ROWS:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.import_contacts(path, progress=show, **QUICK)
    assert client.import_contacts(path, resume=True).created == ROWS


def test_progress_is_shown_before_the_error(serve: Serve, path: Path) -> None:
    """An import that ends in an error shows how far it came, and then raises."""
    from ..client.servers import refusal

    _, client = serve(refusal(401))
    shown: list[ImportProgress] = []
    with pytest.raises(AuthenticationError):
        client.import_contacts(path, progress=shown.append, **QUICK)
    assert shown
    assert all(isinstance(progress, ImportProgress) for progress in shown)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("progress", [None, lambda _: None], ids=["without", "with progress"])
def test_after_ctrl_c_the_journal_is_free(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path, progress: Callable[[Any], Any] | None
) -> None:
    """Ctrl-C ends the import before it comes out, so that one may resume at once."""
    sandbox.faults = Faults(latency=30)
    main = threading.get_ident()

    def interrupt() -> None:
        until(lambda: sandbox.counts["requests"])
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.import_contacts(path, progress=progress, **QUICK)
    thread.join()
    sandbox.faults = Faults()
    report = client.import_contacts(path, resume=True, **QUICK)
    assert (report.finished, len(sandbox.contacts)) == (True, ROWS)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_that_progress_forks_ends_by_itself(client: SyncSendblueClient, path: Path) -> None:
    """What a forked child raises ends the child's part alone, and the import goes on."""
    ends: list[int] = []

    def show(_: ImportProgress) -> None:
        if ends:
            return
        child = os.fork()
        if not child:
            raise SystemExit(3)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    here = os.getpid()
    try:
        report = client.import_contacts(path, progress=show, **QUICK)
    except SystemExit as end:
        if os.getpid() == here:
            raise
        # The child must not go on as a second test run.
        os._exit(int(str(end)))
    assert (ends, report.created) == ([3], ROWS)


class OfThisThread:
    """An iterable that belongs to the thread that made it, as many a query does."""

    def __init__(self, *items: Any) -> None:
        self._items = items
        self._thread = threading.get_ident()

    def __iter__(self) -> Iterator[Any]:
        assert threading.get_ident() == self._thread
        return iter(self._items)


def test_iterables_are_iterated_over_on_the_callers_thread(client: SyncSendblueClient) -> None:
    """Tags, contacts and numbers may come from a query, also inside the rows of a batch."""
    one, two, three = (f"+1415555010{n}" for n in range(3))
    tags = OfThisThread("vip")
    assert client.create_contact(one, tags=tags).contact.tags == ("vip",)  # type: ignore[arg-type]
    assert client.update_contact(one, tags=OfThisThread("b")).contact.tags == ("b",)  # type: ignore[arg-type]
    bulk = OfThisThread({"number": two})
    assert len(client.create_contacts_bulk(bulk).contacts) == 1  # type: ignore[arg-type]
    [result] = client.create_contacts(OfThisThread({"number": three, "tags": tags}), **QUICK)  # type: ignore[arg-type]
    assert (result.outcome, result.row["tags"]) == ("created", tags)  # type: ignore[index]
    assert client.delete_contacts_bulk(numbers=OfThisThread(one, two)).amount == 2  # type: ignore[arg-type]
    assert client.create_contacts_bulk(contacts=iter([{"number": one}])).contacts


def test_a_journal_in_use_is_still_refused(client: SyncSendblueClient, path: Path) -> None:
    """An import of the file that is being imported is refused, from inside its progress too."""
    refused: list[JournalError] = []

    def show(_: ImportProgress) -> None:
        if not refused:
            with pytest.raises(JournalError) as caught:
                client.import_contacts(path, resume=True, **QUICK)
            refused.append(caught.value)

    assert client.import_contacts(path, progress=show, **QUICK).created == ROWS
    assert len(refused) == 1


def test_a_job_is_run_by_the_thread_that_calls_it(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path
) -> None:
    """Its progress is shown on that thread, and it can be tried out first."""
    threads: set[int] = set()

    def show(_: ImportProgress) -> None:
        threads.add(threading.get_ident())

    with client.import_job(path, send_options=SendOptions(**QUICK), progress=show) as job:
        found = job.dry_run()
        assert found is not None
        assert (found.contacts, job.report, job.journal_path.exists()) == (ROWS, None, False)
        report = job.run()
    assert (report.created, job.report) == (ROWS, report)
    assert (job.path, job.journal_path) == (path, report.journal)
    assert {path, report.journal} < {*job.files}
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("by", ["progress", "another thread", "a signal"])
def test_a_job_is_stopped_while_its_thread_waits(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path, by: str
) -> None:
    """In ``progress``, by another thread or in a signal handler; the rest can be resumed."""
    sandbox.faults = Faults(latency=0.05)

    def show(progress: ImportProgress) -> None:
        if not progress.counts:
            return
        if by == "progress":
            job.stop()
        elif by == "another thread":
            threading.Thread(target=job.stop).start()
        else:
            signal.raise_signal(signal.SIGUSR1)

    options = SendOptions(rate_limit=1e6, concurrency=2)
    job = client.import_job(path, send_options=options, progress=show)
    before = signal.signal(signal.SIGUSR1, lambda *_: job.stop())
    try:
        report = job.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert 0 < report.created < ROWS
    assert report.remaining == ROWS - report.created
    assert len(sandbox.contacts) == report.created


def test_leaving_a_job_ends_it_on_another_thread(
    sandbox: Sandbox, client: SyncSendblueClient, path: Path
) -> None:
    """Once the block is left, the journal is free."""
    sandbox.faults = Faults(latency=0.05)
    options = SendOptions(rate_limit=1e6, concurrency=2)
    with client.import_job(path, send_options=options) as job:
        thread = threading.Thread(target=job.run)
        thread.start()
        until(lambda: len(sandbox.contacts) > 0)
    sandbox.faults = Faults()
    report = client.import_contacts(path, resume=True, **QUICK)
    assert (report.created, report.finished) == (ROWS, True)
    thread.join()
    assert job.report is not None
    assert job.report.remaining > 0
