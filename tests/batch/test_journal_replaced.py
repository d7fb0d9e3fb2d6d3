"""A journal gives way to an import of another input once nothing is left that only it knows."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch._importing._journal import Journal
from sendblue_async.batch._importing._journal_schema import APPLICATION_ID, MERGED, VERSION
from sendblue_async.batch._results import EntryOutcome
from sendblue_async.exceptions import JournalError

from .test_journal import SETTINGS, error_of, open_journal, program

OTHER = {"fingerprint": "other"}
CHANGED = {"settings": SETTINGS | {"region": "GB"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "people.csv.journal"


def leave(path: Path, kind: str) -> None:
    """Leave the journal of an import that has come so far."""
    with open_journal(path) as journal:
        if kind == "not checked":
            return
        journal.finish_check(0 if kind == "no rows" else 3)
        if kind == "rejected only":
            journal.commit([], [EntryOutcome(0, "rejected", 2, "http_400", "No.")])
        elif kind == "skipped only":
            journal.commit([], [EntryOutcome(0, "skipped", 2, MERGED, "1")])
        elif kind in ("begun", "stored", "unknown", "existing", "finished"):
            journal.commit([0], [])
        if kind in ("stored", "unknown", "existing"):
            journal.commit([], [EntryOutcome(0, kind, 2)])
        if kind == "finished":
            journal.commit([], [EntryOutcome(n, "stored", n + 2) for n in range(3)])


OVER = ["not checked", "no rows", "nothing sent", "rejected only", "skipped only", "finished"]
OPEN = ["begun", "stored", "unknown", "existing"]


def begin_in_its_place(path: Path, **options: Any) -> None:
    """Begin an import in a journal, of which nothing of the earlier one is left."""
    with open_journal(path, **options) as journal:
        assert (journal.checked, journal.entries, journal.counts()) == (False, 0, {})
        assert not journal.was_finished
        journal.finish_check(1)
        journal.commit([0], [])
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", OVER)
def test_a_journal_of_another_input_is_replaced_if_nothing_is_open(
    path: Path, kind: str, resume: bool
) -> None:
    """Finished, or ended before anything was stored: it holds up no import of another file."""
    leave(path, kind)
    begin_in_its_place(path, **OTHER, resume=resume)
    # From now on it is that import's own.
    assert "have changed" in error_of(path)
    with open_journal(path, **OTHER) as journal:
        assert journal.counts() == {"in progress": 1}


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("kind", OPEN)
def test_one_that_is_not_finished_is_refused(path: Path, kind: str, resume: bool) -> None:
    """Some of it may be stored, and some is not: nobody but the user can say what to do."""
    leave(path, kind)
    content = path.read_bytes()
    assert "which is not finished" in error_of(path, **OTHER, resume=resume)
    assert path.read_bytes() == content
    open_journal(path).close()


@pytest.mark.parametrize("kind", OVER)
def test_other_settings_begin_anew_unless_it_is_resumed(path: Path, kind: str) -> None:
    """The options of the nightly line may change, too; who resumes is told of them."""
    leave(path, kind)
    assert "region" in error_of(path, **CHANGED)
    with open_journal(path, **CHANGED, resume=False) as journal:
        assert journal.counts() == {}


@pytest.mark.parametrize("kind", OVER)
def test_the_same_input_goes_on_with_what_is_known(path: Path, kind: str) -> None:
    """An export that has not changed since sends nothing again."""
    leave(path, kind)
    with open_journal(path, resume=False) as journal:
        assert journal.was_finished == (kind in ("finished", "no rows"))
        assert journal.counts().get("stored", 0) == (3 if kind == "finished" else 0)


def write_older(path: Path, *, ended: bool) -> None:
    """Write the journal of 0.3.0, which is in WAL mode."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(f"""
            PRAGMA journal_mode = WAL;
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = 1;
            CREATE TABLE about (
                fingerprint TEXT NOT NULL, salt BLOB NOT NULL, entries INTEGER, reported INTEGER
            );
            CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE state (
                entry INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, line INTEGER, code, reason
            );
            INSERT INTO about VALUES ('abc', x'00', 2, NULL);
            INSERT INTO state (entry, outcome) VALUES (0, 1), (1, {int(ended)});
        """)


def test_one_of_an_older_version_that_is_not_finished_is_refused(path: Path) -> None:
    """It says how to resume it, and not one byte of it changes."""
    write_older(path, ended=False)
    content = path.read_bytes()
    for resume in (True, False):
        said = error_of(path, resume=resume)
        assert "older version of sendblue-async" in said
        assert "Resume with that version, or start over (--start-over, or" in said
    assert path.read_bytes() == content


def test_one_of_an_older_version_gives_way_as_well(path: Path) -> None:
    """An update of the package stops no nightly import whose last run was finished."""
    write_older(path, ended=False)
    for resume in (False, True):
        assert "older version" in error_of(path, **OTHER, resume=resume)
    path.unlink()
    write_older(path, ended=True)
    assert "older version" in error_of(path)
    with open_journal(path, **OTHER) as journal:
        assert journal.counts() == {}
    path.unlink()
    write_older(path, ended=True)
    open_journal(path, resume=False).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] & 255 == VERSION


@pytest.mark.parametrize("changes", [{}, OTHER, CHANGED])
@pytest.mark.parametrize("kind", [*OVER, *OPEN, "older"])
def test_who_starts_over_replaces_whatever_came_of_the_earlier_import(
    path: Path, kind: str, changes: dict[str, Any]
) -> None:
    """Of the same input as well; it leaves no second file, and then it is as any other journal."""
    if kind == "older":
        write_older(path, ended=False)
    else:
        leave(path, kind)
    begin_in_its_place(path, resume=False, start_over=True, **changes)
    assert "is not finished" in error_of(path, resume=False, **changes)
    with open_journal(path, **changes) as journal:
        assert journal.counts() == {"in progress": 1}


def test_who_starts_over_takes_nothing_that_is_not_his(path: Path) -> None:
    """Neither the journal of an import that runs, nor a file of another kind."""
    start_over = {"resume": False, "start_over": True}
    with open_journal(path) as running:
        running.finish_check(1)
        assert "in use by another import" in error_of(path, **start_over)
        running.commit([0], [])
    path.unlink()
    for content in (b"number,first_name\n" * 100, b"x" * 5000):
        path.write_bytes(content)
        assert "is not the journal of an import" in error_of(path, **start_over)
        assert path.read_bytes() == content


def test_where_there_is_no_journal_to_start_over_begins(path: Path) -> None:
    """The same command works on the first day."""
    with open_journal(path, resume=False, start_over=True) as journal:
        assert journal.counts() == {}


DIE = """
import os, signal
from sendblue_async.batch._importing import _journal
def die(*given):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("point", "new"),
    [
        ("_journal.Journal._fill = die", False),
        ("_journal.os.replace = die", False),
        ("_journal.flush_folder = die", True),
        ("_journal.Journal._resume = die", True),
    ],
)
@pytest.mark.parametrize("with_log", [False, True])
def test_killed_while_it_is_replaced_it_is_one_or_the_other(
    path: Path, point: str, new: bool, with_log: bool
) -> None:
    """There is no moment at which both the old and the new one are lost, or mixed."""
    if with_log:
        source = """
            journal = open_journal(path)
            journal.finish_check(1)
            journal.commit([0], [])
            journal.commit([], [EntryOutcome(0, "stored", 2)])
            signal.raise_signal(signal.SIGKILL)
        """
        with program(source, path) as one:
            one.wait(timeout=30)
        assert Path(f"{path}-wal").exists()
    else:
        leave(path, "finished")
    source = f"{DIE}{point}\n"
    source += "Journal.open(path, fingerprint='other', settings=SETTINGS, resume=False)"
    with program(source, path) as one:
        assert one.wait(timeout=30) == -signal.SIGKILL
    with open_journal(path, **(OTHER if new else {})) as journal:
        assert journal.was_finished != new
        assert (journal.counts() == {}) == new
    with open_journal(path, **OTHER) as journal:
        journal.finish_check(1)
    assert not Path(f"{path}-wal").exists()


def test_of_many_imports_at_once_one_replaces_it(path: Path) -> None:
    """All others find it in use, and may try again later."""
    source = """
import os
input()
fingerprint = f"other {os.getpid() % 2}"
try:
    journal = Journal.open(path, fingerprint=fingerprint, settings=SETTINGS, resume=True)
    journal.finish_check(2)
    journal.commit([0], [])
    say("open")
    input()
except JournalError as error:
    say("in use" if error.retryable else error)
"""
    for _ in range(3):
        path.unlink(missing_ok=True)
        leave(path, "finished")
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(program(source, path)) for _ in range(6)]
            for one in running:
                assert one.stdin
                one.stdin.write("\n")
                one.stdin.flush()
            said = [one.stdout.readline() for one in running if one.stdout]
        assert sorted(said) == ["in use\n"] * 5 + ["open\n"]
        with contextlib.suppress(JournalError):
            open_journal(path, **{"fingerprint": "other 0"}).close()


def test_one_that_was_replaced_after_it_was_opened_is_in_use(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever locks the old file when the new one has its name takes it for no journal of his."""
    leave(path, "finished")
    lock = Journal._lock

    def replace_and_lock(journal: Journal) -> None:
        os.replace(path, path.with_name("old"))
        path.write_bytes(path.with_name("old").read_bytes())
        lock(journal)

    monkeypatch.setattr(Journal, "_lock", replace_and_lock)
    with pytest.raises(JournalError, match="in use by another import") as caught:
        open_journal(path)
    assert caught.value.retryable


def test_a_replaced_journal_is_not_written_through_a_link(path: Path) -> None:
    """The link is replaced; what it led to stays a journal of its own."""
    other = path.with_name("elsewhere")
    leave(other, "finished")
    path.symlink_to(other)
    with open_journal(path, **OTHER) as journal:
        journal.finish_check(1)
    assert not path.is_symlink()
    with open_journal(other) as journal:
        assert journal.was_finished


def test_a_disk_that_is_full_leaves_the_old_one(path: Path) -> None:
    """The new one is whole before it takes the place."""
    leave(path, "finished")
    source = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
try:
    Journal.open(path, fingerprint="other", settings=SETTINGS, resume=False)
except JournalError as error:
    say(error)
"""
    with program(source, path) as one:
        out, _ = one.communicate(timeout=30)
    assert isinstance(out, str)
    assert "disk" in out
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with open_journal(path) as journal:
        assert journal.was_finished


def test_the_programs_of_these_tests_run(path: Path) -> None:
    """What is killed on purpose would have ended well."""
    leave(path, "finished")
    source = "Journal.open(path, fingerprint='other', settings=SETTINGS, resume=False).close()"
    with program(source, path) as one:
        assert one.wait(timeout=30) == 0
    assert isinstance(one, subprocess.Popen)
    with open_journal(path, **OTHER) as journal:
        assert not journal.was_finished
