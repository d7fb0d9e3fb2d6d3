"""The log of a journal after a kill: what was lost of it is noticed, and what was not goes on."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch._importing import _journal_errors, _journal_file
from sendblue_async.batch._importing._journal import Journal
from sendblue_async.batch._importing._journal_header import (
    JournalHeader,
    commits_in,
    user_version,
    version_in,
)
from sendblue_async.batch._importing._journal_schema import IN_PROGRESS, VERSION
from sendblue_async.batch._results import EntryOutcome
from sendblue_async.exceptions import JournalError
from sendblue_async.sandbox import Faults, Sandbox

from ..sync.programs import Programs
from .kills import number
from .test_journal import BATCH, error_of, open_journal, program

COMMITS = 12
# So many that pages have been moved into the main file, and the log was begun anew.
MANY = 200
LOST = "lacks what was last committed to it"


def log_of(path: Path) -> Path:
    """The log of a journal."""
    return path.with_name(f"{path.name}-wal")


class Killed:
    """A journal whose process was killed, as it was then.

    Attributes:
        path: The journal.
        commits: How many batches were committed to it.
    """

    def __init__(self, path: Path, commits: int) -> None:
        self.path, self.commits = path, commits
        with program(
            """
            journal = open_journal(path)
            for batch in range(int(sys.argv[2])):
                commit(journal, batch)
            say("done")
            sys.stdin.read()
            """,
            path,
            commits,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "done\n"
            process.kill()
            process.wait()
        assert process.returncode == -signal.SIGKILL
        self._was = {each: each.read_bytes() for each in path.parent.iterdir()}
        assert {*self._was} == {path, log_of(path)}

    @property
    def log(self) -> bytes:
        """The log as it was."""
        return self._was[log_of(self.path)]

    def restore(self) -> None:
        """Put the files back."""
        for path in self.path.parent.iterdir():
            path.unlink()
        for path, content in self._was.items():
            path.write_bytes(content)

    def check_refused(self, log: bytes | None) -> None:
        """With this log, or with none, the journal is refused, twice, and left as it is."""
        self.restore()
        if log is None:
            log_of(self.path).unlink()
        else:
            log_of(self.path).write_bytes(log)
        for resume in (True, False):
            assert LOST in error_of(self.path, resume=resume)
            assert self.path.read_bytes() == self._was[self.path]
            if log:
                assert log_of(self.path).read_bytes() == log
            assert {*self.path.parent.iterdir()} <= {*self._was}

    def check_whole(self) -> None:
        """All batches are in it, and it takes another one."""
        with open_journal(self.path) as journal:
            assert journal.counts() == {"rejected": self.commits * BATCH, IN_PROGRESS: BATCH}
            journal.commit([10**6], [])
        with open_journal(self.path) as journal:
            assert journal.states(10**6, 1) == {10**6: IN_PROGRESS}
        assert [*self.path.parent.iterdir()] == [self.path]


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """A journal of which all is in the log."""
    return Killed(tmp_path / "people.csv.journal", COMMITS)


def test_without_a_loss_it_goes_on(killed: Killed) -> None:
    """After a kill, all that was committed is there."""
    killed.check_whole()


def test_a_log_that_is_not_there_is_missed(killed: Killed) -> None:
    """Left out of a copy, or emptied, it is called missing; put back, the journal is whole."""
    killed.check_refused(None)
    killed.check_refused(b"")
    log_of(killed.path).write_bytes(killed.log)
    killed.check_whole()


@pytest.mark.parametrize("seed", range(3))
def test_a_log_that_is_damaged_anywhere_is_refused(killed: Killed, seed: int) -> None:
    """Wherever it is cut or a bit of it is turned, and the right one makes the journal whole."""
    draw = random.Random(seed)
    places = [0, 31, 32, 40, 55, 56, len(killed.log) - 1]
    places += [draw.randrange(len(killed.log)) for _ in range(20)]
    for place in places:
        killed.check_refused(killed.log[:place])
        flipped = bytearray(killed.log)
        flipped[place] ^= 1 << draw.randrange(8)
        killed.check_refused(bytes(flipped))
    log_of(killed.path).write_bytes(killed.log)
    killed.check_whole()


def test_a_log_that_was_begun_anew_is_missed_as_well(tmp_path: Path) -> None:
    """Also where most of what was committed is in the main file."""
    killed = Killed(tmp_path / "people.csv.journal", MANY)
    assert killed.path.stat().st_size > 1_000_000
    killed.check_refused(None)
    killed.check_refused(b"")
    killed.check_refused(killed.log[: len(killed.log) // 20])
    killed.restore()
    killed.check_whole()


def test_an_older_log_is_refused(tmp_path: Path) -> None:
    """What a log held some commits ago is as good as cut off."""
    killed = Killed(tmp_path / "people.csv.journal", 2)
    older = killed.log
    killed.check_refused(older[: len(older) // 2])


def test_the_main_file_alone_is_no_copy(tmp_path: Path) -> None:
    """Copied while the import runs, it is refused elsewhere, and the original goes on."""
    path, copy = tmp_path / "journal", tmp_path / "copy"
    with open_journal(path) as journal:
        journal.finish_check(9)
        shutil.copy(path, copy)
        journal.commit([1], [])
    open_journal(copy).close()
    with open_journal(path) as journal:
        journal.commit([2], [])
        shutil.copy(path, copy)
    assert LOST in error_of(copy)
    with open_journal(path) as journal:
        assert journal.counts() == {IN_PROGRESS: 2}


def test_before_anything_was_begun_nothing_is_lost(tmp_path: Path) -> None:
    """A log that was lost after the first pass, before a row was sent, is not missed."""
    path, copy = tmp_path / "journal", tmp_path / "copy"
    with open_journal(path) as journal:
        journal.add_number(0, "+1")
        journal.add_number(1, "+1")
        shutil.copy(path, copy)
        with open_journal(copy) as other:
            assert not other.checked
        journal.finish_check(2)
        shutil.copy(path, copy)
    with open_journal(copy) as journal:
        assert (journal.checked, journal.entries, journal.find_repeats("+1")) == (True, 2, (0, 1))


def test_a_log_that_another_program_has_put_in_its_place_is_not_missed(killed: Killed) -> None:
    """Whoever looks at the journal with SQLite has the log moved into the main file."""
    with contextlib.closing(sqlite3.connect(killed.path)) as database:
        assert database.execute("SELECT count(*) FROM state").fetchone() == (13 * BATCH,)
    assert not log_of(killed.path).exists()
    killed.check_whole()


def test_a_kill_before_the_commit_is_counted_is_no_loss(killed: Killed) -> None:
    """The log may hold one commit more than the main file says."""
    header = JournalHeader(killed.path)
    assert header.commits() == COMMITS
    header.write(COMMITS - 1)
    header.close()
    killed.check_whole()


def test_the_count_stops_where_it_has_no_more_room(tmp_path: Path) -> None:
    """From eight million commits on it stays as it is, and the version beside it too."""
    most = commits_in(user_version(10**9))
    assert most == 2**23 - 1
    assert version_in(user_version(10**9)) == VERSION
    with open_journal(tmp_path / "journal") as journal:
        journal._commits = most - 1
        for entry in range(3):
            journal.commit([entry], [])
    with open_journal(tmp_path / "journal") as journal:
        assert journal.counts() == {IN_PROGRESS: 3}


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_a_killed_import_without_its_log_sends_nothing_again(
    programs: Programs, sandbox: Sandbox, damage: str
) -> None:
    """Resumed, it says what is wrong and what to do; with the log put back, no row is lost."""
    path = programs.folder / "people.csv"
    rows = [f"{number(n)},n{n}" for n in range(300)]
    path.write_text("\n".join(["number,first_name", *rows]) + "\n")
    source = """
        import sys
        from sendblue_async import JournalError, SyncSendblueClient
        client = SyncSendblueClient()
        try:
            report = client.import_contacts(sys.argv[1], resume=True, rate_limit=1e6, concurrency=4)
        except JournalError as error:
            print(error.outcome, error)
        else:
            print(report.created, report.existing)
    """
    sandbox.faults = Faults(latency=0.01)
    with programs.start(source, arguments=[str(path)]) as running:
        while len(sandbox.contacts) < 40:
            assert running.poll() is None
        running.kill()
        running.communicate()
    log = log_of(path.with_name("people.csv.journal"))
    whole = log.read_bytes()
    if damage == "missing":
        log.unlink()
    elif damage == "cut":
        log.write_bytes(whole[: len(whole) // 2])
    else:
        log.write_bytes(whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])
    time.sleep(1)  # What the killed program had sent may still come in.
    seen = sandbox.counts["requests"]
    for _ in range(2):
        with programs.start(source, arguments=[str(path)]) as running:
            said, complaints = running.communicate(timeout=40)
        assert complaints == ""
        assert said.startswith("not_sent ")
        assert LOST in said
        assert "Put both files back as they were, or delete the journal" in said
    assert sandbox.counts["requests"] == seen
    log.write_bytes(whole)
    with programs.start(source, arguments=[str(path)]) as running:
        assert running.communicate(timeout=40) == ("300 0\n", "")


def test_each_journal_has_its_version(tmp_path: Path) -> None:
    """Other versions of this package can tell it, however often it was written to."""
    path = tmp_path / "journal"
    for _ in range(3):
        with open_journal(path) as journal:
            journal.commit([1], [])
        with contextlib.closing(sqlite3.connect(path)) as database:
            (found,) = database.execute("PRAGMA user_version").fetchone()
        assert version_in(found) == VERSION
        # 0.3.0 looks whether it is above 1.
        assert found > 1


@pytest.mark.parametrize("text", ["", "whole"])
def test_a_file_that_was_there_before_is_for_its_owner_alone(tmp_path: Path, text: str) -> None:
    """Whatever its mode was, neither the journal nor its log is open to others."""
    path = tmp_path / "journal"
    path.touch()
    if text:
        open_journal(path).close()
    path.chmod(0o666)
    with open_journal(path) as journal:
        journal.commit([1], [])
        for each in tmp_path.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_a_journal_is_not_begun_through_a_link(tmp_path: Path) -> None:
    """A planted link makes a journal of nobody else's file; one that was moved goes on."""
    path, other = tmp_path / "journal", tmp_path / "other"
    other.touch()
    path.symlink_to(other)
    assert "symbolic link" in error_of(path)
    assert other.read_bytes() == b""
    open_journal(other).close()
    with open_journal(path) as journal:
        assert journal.counts() == {}


def test_a_folder_that_locks_no_files_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says of any lock that fails that it is taken; on some network folders all fail."""

    def fail(*_: Any) -> None:
        raise OSError(37, "No locks available")

    path = tmp_path / "journal"
    with open_journal(path):
        assert "in use by another import" in error_of(path)
        monkeypatch.setattr(_journal_errors.fcntl, "lockf", fail)
        said = error_of(path)
    assert "in use" not in said
    assert "locks no files (No locks available)" in said
    assert "local disk" in said


class Keeping(sqlite3.Connection):
    """A connection whose cursors nobody frees, as on a free-threaded Python for a while."""

    kept: list[sqlite3.Cursor]

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Keep the cursor."""
        cursor = super().execute(*arguments)
        self.kept.append(cursor)
        return cursor

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Keep the cursor."""
        cursor = super().executemany(*arguments)
        self.kept.append(cursor)
        return cursor


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[sqlite3.Cursor]]:
    """All cursors of all journals."""
    connect = sqlite3.connect
    Keeping.kept = []

    def connect_keeping(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, factory=Keeping, **options)

    monkeypatch.setattr(_journal_file.sqlite3, "connect", connect_keeping)
    yield Keeping.kept
    Keeping.kept.clear()


def test_a_closed_journal_is_not_in_use(tmp_path: Path, kept: list[sqlite3.Cursor]) -> None:
    """Also where nothing is freed in time: each cursor is closed as soon as it was used."""
    path = tmp_path / "journal"

    def use(journal: Journal) -> None:
        journal.commit([1, 2], [EntryOutcome(3, "rejected", 4, "x", "No.")], [2])
        next(journal.rejected())
        journal.states(0, 9)
        journal.mark_rejected_written(1)

    with open_journal(path, resume=False) as journal:
        for entry in range(6000):
            journal.add_number(entry, str(entry // 2))
        journal.finish_check(6000)
        assert journal.find_repeats("1") == (2, 3)
        use(journal)
    assert len(kept) > 20
    with program("open_journal(path).close(); say('free')", path) as process:
        printed, _ = process.communicate(timeout=40)
    assert printed == "free\n"
    assert error_of(path, resume=False)
    with open_journal(path) as journal:
        use(journal)
    for cursor in kept:
        with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
            cursor.fetchone()
    assert not os.path.exists(f"{path}-wal")


def test_an_error_says_that_the_journal_is_of_no_use(tmp_path: Path) -> None:
    """A lost log is an error of the journal like any other."""
    killed = Killed(tmp_path / "people.csv.journal", 1)
    log_of(killed.path).unlink()
    with pytest.raises(JournalError) as caught:
        open_journal(killed.path)
    assert f"{killed.path}-wal" in str(caught.value)
    assert caught.value.outcome == "not_sent"
