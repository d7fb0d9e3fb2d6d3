"""The journal of an import, on real files: kills, full disks, foreign files and a dictionary."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async.batch._importing._journal import Journal
from sendblue_async.batch._importing._journal_schema import IN_PROGRESS, MERGED, VERSION
from sendblue_async.batch._results import EntryOutcome
from sendblue_async.exceptions import ConfigurationError, JournalError

SETTINGS = {"region": "US", "upsert": "yes"}
OUTCOMES = ["created", "stored", "existing", "rejected", "unknown", "skipped"]
BATCH = 32
PROGRAM = """
import itertools, pathlib, resource, signal, sys
from sendblue_async.batch._importing._journal import Journal
from sendblue_async.exceptions import JournalError
from sendblue_async.batch._results import EntryOutcome

SETTINGS = {"region": "US", "upsert": "yes"}
BATCH = 32
path = pathlib.Path(sys.argv[1])

def open_journal(path):
    return Journal.open(path, fingerprint="abc", settings=SETTINGS, resume=True)

def commit(journal, batch):
    # So many bytes that pages are moved from the log into the file every sixty commits.
    first = batch * BATCH
    after = first + BATCH
    ended = [EntryOutcome(n, "rejected", n + 2, "409", "x" * 2000) for n in range(first, after)]
    journal.commit(range(after, after + BATCH), ended)

def say(*words):
    print(*words, flush=True)
"""


def open_journal(path: Path | None, **changes: Any) -> Journal:
    """A journal of an import like all others here, but for what a test changes."""
    same: dict[str, Any] = {"fingerprint": "abc", "settings": SETTINGS, "resume": True}
    return Journal.open(path, **(same | changes))


def begin(path: Path) -> None:
    """Leave the journal of an import that has begun one of two entries."""
    with open_journal(path) as journal:
        journal.finish_check(2)
        journal.commit([0], [])


def error_of(path: Path, **changes: Any) -> str:
    """What the error says with which the journal cannot be opened."""
    with pytest.raises(JournalError) as caught:
        open_journal(path, **changes)
    assert str(path) in str(caught.value)
    return str(caught.value)


@contextlib.contextmanager
def program(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A running program, which is killed if it outlives the block."""
    text = PROGRAM + textwrap.dedent(source)
    command = [sys.executable, "-W", "error", "-c", text, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_of(source: str, *arguments: object) -> list[str]:
    """What a program prints; it must exit with 0."""
    with program(source, *arguments) as process:
        printed, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    return printed.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be; with signs that mean something in a URI."""
    return tmp_path / "kontakte ä #1?mode=ro%20.csv.journal"


@pytest.fixture
def full(path: Path) -> bytes:
    """The bytes of a journal with some thousand entries."""
    with open_journal(path) as journal:
        for entry in range(3000):
            journal.add_number(entry, f"+1555{entry % 2000:07d}")
        journal.finish_check(3000)
        journal.commit([], [EntryOutcome(entry, "rejected", entry, "409") for entry in range(3000)])
    return path.read_bytes()


def test_a_journal_goes_on_where_it_was_closed(path: Path) -> None:
    """The first pass, intents and outcomes are all there in the next run, and in the one file."""
    with open_journal(path, resume=False) as journal:
        assert (journal.checked, journal.entries, journal.counts()) == (False, 0, {})
        for entry, number in enumerate(["+1", "+2", "+1", "+3", "+1"]):
            journal.add_number(entry, number)
        journal.finish_check(5)
        assert (journal.checked, journal.entries) == (True, 5)
        journal.commit([0, 1], [])
        journal.commit(
            [3],
            [EntryOutcome(0, "created", 2), EntryOutcome(2, "skipped", 4, "repeated", "Again.")],
        )
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with open_journal(path) as journal:
        assert (journal.checked, journal.entries) == (True, 5)
        assert journal.states(0, 10) == {0: "created", 1: IN_PROGRESS, 2: "skipped", 3: IN_PROGRESS}
        assert journal.states(1, 2) == {1: IN_PROGRESS, 2: "skipped"}
        assert journal.counts() == {"created": 1, "skipped": 1, IN_PROGRESS: 2}
        assert journal.find_repeats("+1") == (0, 4)
        assert journal.find_repeats("+2") is None


def test_the_files_are_for_their_owner_alone(path: Path) -> None:
    """Neither the journal nor the log beside it can be read by others, whatever the umask."""
    with open_journal(path) as journal:
        journal.commit([1], [])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600}


def test_each_commit_is_flushed_to_the_disk(path: Path) -> None:
    """SQLite is told to wait for the disk at each commit, not only now and then (2 is FULL)."""
    for _ in range(2):
        with open_journal(path) as journal:
            ask = journal._connection.execute
            assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
            assert ask("PRAGMA synchronous").fetchone() == (2,)
            assert ask("PRAGMA fullfsync").fetchone() == (1,)


@pytest.mark.parametrize("name", ["file:journal?mode=memory", ":memory:", "file:journal", "%41"])
def test_any_name_is_that_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A name that means something to SQLite is a file's name all the same."""
    monkeypatch.chdir(tmp_path)
    with open_journal(Path(name)) as journal:
        journal.commit([1], [])
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with open_journal(Path(name)) as journal:
        assert journal.counts() == {IN_PROGRESS: 1}


@pytest.mark.parametrize("finished", [False, True])
def test_a_temporary_journal_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """Without a path a journal does the same, and afterwards there is no file and no memory."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with open_journal(None, resume=False) as journal:
            assert (journal.checked, journal.counts()) == (False, {})
            for entry in range(20_000):
                journal.add_number(entry, str(entry // 2))
            if finished:
                journal.finish_check(20_000)
                assert journal.find_repeats("7") == (14, 15)
            journal.commit([1], [EntryOutcome(2, "unknown", 9)])
            assert journal.counts() == {IN_PROGRESS: 1, "unknown": 1}
            journal.commit([], [EntryOutcome(3, "rejected", 9)])
            assert list(journal.rejected()) == [EntryOutcome(3, "rejected", 9)]
        assert list(tmp_path.iterdir()) == []


def test_a_journal_may_change_threads(path: Path) -> None:
    """Every call may come from another thread than the one before."""

    def work(entry: int) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(journal.commit, [entry], []).result()

    with ThreadPoolExecutor(1) as pool:
        journal = pool.submit(open_journal, path).result()
    for entry in range(3):
        work(entry)
    assert journal.counts() == {IN_PROGRESS: 3}
    journal.close()
    journal.close()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 30), max_size=6),
            st.lists(
                st.builds(
                    EntryOutcome,
                    index=st.integers(0, 30),
                    outcome=st.sampled_from(OUTCOMES),
                    line=st.integers(1, 2**40),
                    code=st.sampled_from(["", "409"]),
                    reason=st.text(
                        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                        max_size=9,
                    ),
                ),
                max_size=6,
            ),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_states_are_those_of_a_dictionary(
    commits: list[tuple[list[int], list[EntryOutcome], bool]], first: int, count: int
) -> None:
    """After any commits, with or without a new run between, each entry is what it became last."""
    expected: dict[int, EntryOutcome | None] = {}
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "journal"
        journal = open_journal(path)
        stack.callback(lambda: journal.close())
        for begun, ended, again in commits:
            journal.commit(iter(begun), iter(ended))
            expected |= dict.fromkeys(begun) | {one.index: one for one in ended}
            if again:
                journal.close()
                journal = open_journal(path)
        states = {entry: one.outcome if one else IN_PROGRESS for entry, one in expected.items()}
        window = range(first, first + count)
        assert journal.states(first, count) == {e: s for e, s in states.items() if e in window}
        assert journal.counts() == Counter(states.values())
        assert list(journal.rejected()) == [
            one for _, one in sorted(expected.items()) if one and one.outcome == "rejected"
        ]


def test_what_was_rejected_is_streamed_in_order(path: Path) -> None:
    """Thousands of entries come in order, one that stopped reading holds up no commit."""
    kinds = ["rejected", "created", "unknown", "existing", "skipped", "stored"]
    rows = [EntryOutcome(n, kinds[n % 6], n + 2, "409" if n % 2 else "") for n in range(9000)]
    with open_journal(path) as journal:
        journal.commit([9001], reversed(rows))
        assert list(journal.rejected()) == rows[::6]
        stopped = journal.rejected()
        assert next(stopped) == rows[0]
        journal.commit([], [EntryOutcome(9001, "created", 3)])
        assert journal.counts()["created"] == 1501
        assert sum(1 for _ in stopped) == 1499


def test_the_lines_of_an_outcome_are_told_in_order(path: Path) -> None:
    """The first ones that have it, however they came, and no more than were asked for."""
    with open_journal(path) as journal:
        journal.commit([1, 9], [EntryOutcome(7, "unknown", 30), EntryOutcome(2, "unknown", 5)])
        journal.commit([], [EntryOutcome(4, "unknown", 12), EntryOutcome(5, "unknown", 12)])
        journal.commit([], [EntryOutcome(3, "existing", 8)])
        assert journal.lines("unknown", 9) == (5, 12, 30)
        assert journal.lines("unknown", 2) == (5, 12)
        assert journal.lines("existing", 9) == (8,)
        assert journal.lines("created", 9) == ()


def test_what_was_merged_into_a_rejected_entry_is_with_it(path: Path) -> None:
    """It has the code and the reason of the entry; one merged elsewhere is left out."""
    with open_journal(path) as journal:
        journal.commit(
            [],
            [
                EntryOutcome(0, "skipped", 2, MERGED, "2"),
                EntryOutcome(1, "skipped", 3, MERGED, "4"),
                EntryOutcome(2, "rejected", 4, "http_400", "No"),
                EntryOutcome(3, "skipped", 5, "duplicate"),
                EntryOutcome(4, "created", 6),
            ],
        )
        assert list(journal.rejected()) == [
            EntryOutcome(0, "skipped", 2, "http_400", "No"),
            EntryOutcome(2, "rejected", 4, "http_400", "No"),
        ]


def test_what_is_withdrawn_was_never_begun(path: Path) -> None:
    """An entry that was not sent after all has no state, in the same commit as all else."""
    with open_journal(path) as journal:
        journal.commit([1, 2, 3], [])
        journal.commit([4], [EntryOutcome(1, "created", 2)], [2, 3])
        assert journal.states(0, 9) == {1: "created", 4: IN_PROGRESS}


def test_a_nul_cuts_no_reason_short(path: Path) -> None:
    """All else of it is kept."""
    with open_journal(path) as journal:
        journal.commit([], [EntryOutcome(1, "rejected", 2, "http_400", "no\0thing \\u0000")])
        assert list(journal.rejected()) == [
            EntryOutcome(1, "rejected", 2, "http_400", "nothing \\u0000")
        ]


def test_an_unknown_outcome_is_refused_as_a_whole(path: Path) -> None:
    """A commit with an outcome that is none changes nothing, and the next one is taken."""
    with open_journal(path) as journal:
        with pytest.raises(KeyError):
            journal.commit([1], [EntryOutcome(2, "lost", 3)])
        assert journal.counts() == {}
        journal.commit([1], [])
        assert journal.counts() == {IN_PROGRESS: 1}


def test_a_commit_that_fails_half_way_leaves_nothing(path: Path) -> None:
    """Of a commit that ends in an error nothing is kept, and the journal takes no other."""
    four: Any = "four"
    with open_journal(path) as journal:
        journal.commit([1], [])
        with pytest.raises(JournalError):
            journal.commit([2, 3], [EntryOutcome(four, "rejected", 5)])
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.commit([5], [])
        assert journal.counts() == {IN_PROGRESS: 1}
    with open_journal(path) as journal:
        assert journal.states(0, 9) == {1: IN_PROGRESS}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.none() | st.sampled_from(["+1", "+2", "+3", "", "١", "+12"]), max_size=20))
def test_repeats_are_those_that_a_counter_finds(numbers: list[str | None]) -> None:
    """A number repeats if it was noted twice or more; entries without any are passed over."""
    places = defaultdict(list)
    with open_journal(None) as journal:
        for entry, number in enumerate(numbers):
            if number is not None:
                journal.add_number(entry, number)
                places[number].append(entry)
        journal.finish_check(len(numbers))
        assert journal.entries == len(numbers)
        for number in ["+1", "+2", "+3", "", "١", "+12", "+123"]:
            there = places[number]
            expected = (there[0], there[-1]) if len(there) > 1 else None
            assert journal.find_repeats(number) == expected


def test_a_hundred_thousand_numbers_are_told_apart(path: Path) -> None:
    """Of many numbers, far more than are written at once, exactly the repeated ones are found."""
    numbers = [f"+1555{n % 99_000:07d}" for n in range(100_001)]
    with open_journal(path) as journal:
        for entry, number in enumerate(numbers):
            journal.add_number(entry, number)
        journal.finish_check(len(numbers))
    with open_journal(path) as journal:
        found = {number: journal.find_repeats(number) for number in numbers}
    counted = Counter(numbers)
    assert {number for number, places in found.items() if places} == {
        number for number, count in counted.items() if count > 1
    }
    assert found[numbers[1000]] == (1000, 100_000)
    # One kept by its hash takes about thirty bytes, and the others nothing.
    assert path.stat().st_size < 100_000


def test_memory_does_not_grow_with_the_numbers(path: Path) -> None:
    """A quarter of a million numbers, half of them twice, take a few megabytes of memory."""
    peaks = lines_of(
        """
        def say_peak():
            say(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

        with open_journal(path) as journal:
            say_peak()
            for entry in range(250_000):
                journal.add_number(entry, str(entry % 125_000))
            journal.finish_check(250_000)
            assert journal.find_repeats("7") == (7, 125_007)
        say_peak()
        """,
        path,
    )
    before, after = map(int, peaks)
    unit = 1 if sys.platform == "darwin" else 1024
    assert (after - before) * unit < 10_000_000


def test_no_number_is_in_the_files(path: Path) -> None:
    """Numbers are in neither the journal nor its log, and their hashes differ in each journal."""
    numbers = [f"+1555{n % 150:07d}" for n in range(300)]
    hashes = set()
    for place in (path, path.with_name("other")):
        with open_journal(place) as journal:
            for entry, number in enumerate(numbers):
                journal.add_number(entry, number)
            journal.finish_check(300)
            journal.commit(range(300), [])
            written = place.with_name(f"{place.name}-wal").read_bytes() + place.read_bytes()
        for content in (written, place.read_bytes()):
            assert b"15550000" not in content
            assert not any((15_550_000_000 + n).to_bytes(5, "big") in content for n in range(150))
        with contextlib.closing(sqlite3.connect(place)) as database:
            hashes |= {row[0] for row in database.execute("SELECT number FROM repeated")}
    assert len(hashes) == 2 * 150


@pytest.mark.parametrize("seed", range(2))
def test_what_was_committed_survives_kills(path: Path, seed: int) -> None:
    """Killed over and over at any instant, an import has all commits it was told of, and whole."""
    chance = random.Random(seed)
    done = 0
    for _ in range(3):
        with program(
            """
            with open_journal(path) as journal:
                for batch in itertools.count(int(sys.argv[2])):
                    commit(journal, batch)
                    say(batch)
            """,
            path,
            done,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == f"{done}\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.3))
            process.kill()
            reported = int((f"{done}\n" + process.stdout.read()).split()[-1])
        assert process.returncode == -signal.SIGKILL
        with open_journal(path) as journal:
            counts = journal.counts()
            done = counts["rejected"] // BATCH
            # The last one may be on the disk before it could be reported.
            assert done - 1 in (reported, reported + 1)
            assert counts == {"rejected": done * BATCH, IN_PROGRESS: BATCH}
            states = journal.states(0, (done + 2) * BATCH)
            assert list(states) == list(range((done + 1) * BATCH))
            assert {states[entry] for entry in range(done * BATCH)} == {"rejected"}


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_while_it_is_made_leaves_a_usable_file(path: Path, seed: int) -> None:
    """A journal that was being made when the process was killed is made by the next run."""
    with program(
        """
        for n in itertools.count():
            open_journal(path.with_name(str(n))).close()
            say(n)
        """,
        path,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(random.Random(seed).uniform(0, 0.05))
        process.kill()
        reported = int(("0\n" + process.stdout.read()).split()[-1])
    for n in range(reported + 1):
        assert "other settings" in error_of(path.with_name(str(n)), settings={})
    with open_journal(path.with_name(str(reported + 1))) as journal:
        journal.commit([1], [])


def test_a_first_pass_that_was_killed_is_done_again(path: Path) -> None:
    """Numbers noted before a kill are forgotten, and the journal takes them anew."""
    with program(
        """
        journal = open_journal(path)
        for entry in range(20_000):
            journal.add_number(entry, str(entry // 2))
        say("noted")
        sys.stdin.read()
        """,
        path,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "noted\n"
    with open_journal(path) as journal:
        assert (journal.checked, journal.entries) == (False, 0)
        journal.add_number(0, "+1")
        journal.add_number(1, "1")
        journal.finish_check(2)
        assert journal.find_repeats("1") is None


def test_nobody_else_gets_in(path: Path) -> None:
    """A journal is refused at once to all others until its holder closes it or is killed."""
    attempt = """
        try:
            open_journal(path).close()
        except JournalError as error:
            say(error)
        else:
            say("free")
    """
    with open_journal(path) as journal:
        began = time.monotonic()
        assert "in use" in error_of(path)
        # SQLite's own patience is five seconds.
        assert time.monotonic() - began < 3
        assert lines_of(attempt, path) == [error_of(path)]
        journal.commit([1], [])
        journal.finish_check(1)
        assert "in use" in error_of(path, resume=False)
        assert lines_of(attempt, path) == [error_of(path)]
        journal.commit([2], [])
    assert lines_of(attempt, path) == ["free"]
    with program("journal = open_journal(path); say('held'); sys.stdin.read()", path) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert "in use" in error_of(path)
    open_journal(path).close()


@pytest.mark.parametrize("limit", [20_000, 100_000, 1_000_000, 4_500_000, 6_000_000])
def test_a_disk_that_is_full_loses_nothing(path: Path, limit: int) -> None:
    """A file that cannot grow ends the commits, and a later run finds exactly those reported."""
    *reported, failure, refusal, counted = lines_of(
        """
        journal = open_journal(path)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        try:
            for batch in itertools.count():
                commit(journal, batch)
                say(batch)
        except JournalError as error:
            say(error)
        try:
            journal.commit([], [])
        except JournalError as error:
            say(error)
        say(journal.counts().get("rejected", 0))
        journal.close()
        """,
        path,
        limit,
    )
    assert "The disk failed the journal" in failure
    assert "takes nothing more" in refusal
    done = len(reported)
    assert reported == [str(batch) for batch in range(done)]
    assert counted == str(done * BATCH)
    with open_journal(path) as journal:
        assert journal.counts() == ({"rejected": done * BATCH, IN_PROGRESS: BATCH} if done else {})
        journal.commit([10**6], [])
        assert journal.states(10**6, 1) == {10**6: IN_PROGRESS}


def test_a_first_pass_on_a_full_disk_is_done_again(path: Path) -> None:
    """Notes that find no room end the first pass, and the next run begins with it."""
    said, *rest = lines_of(
        """
        journal = open_journal(path)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000,) * 2)
        try:
            for entry in range(1_000_000):
                journal.add_number(entry, str(entry))
        except JournalError as error:
            say(error)
        journal.close()
        """,
        path,
    )
    assert "The disk failed the journal" in said
    assert rest == []
    with open_journal(path) as journal:
        assert not journal.checked
        journal.finish_check(0)
    with open_journal(path) as journal:
        assert (journal.checked, journal.entries) == (True, 0)


def test_a_full_disk_is_called_so(path: Path) -> None:
    """If SQLite finds no page left, the error says to free some space and to resume."""
    with open_journal(path) as journal:
        journal._connection.execute("PRAGMA max_page_count = 20")
        rows = [EntryOutcome(entry, "rejected", entry, reason="x" * 90) for entry in range(5000)]
        with pytest.raises(JournalError, match=r"disk is full.*Free some space, then resume\.$"):
            journal.commit([], rows)
        with pytest.raises(JournalError, match="an earlier commit failed"):
            journal.commit([1], [])
        assert journal.counts() == {}


def test_an_import_is_not_begun_twice(path: Path) -> None:
    """Without resuming, a journal that is there is refused, and it says what to do."""
    with open_journal(path, resume=False) as journal:
        journal.finish_check(2)
        journal.commit([0, 1], [EntryOutcome(0, "created", 2)])
    said = error_of(path, resume=False)
    assert "is not finished" in said
    assert "--resume" in said
    assert "resume=True" in said
    assert "or start over (--start-over, or start_over=True in Python)" in said
    with open_journal(path) as journal:
        journal.commit([], [EntryOutcome(1, "rejected", 3)])
    for resume in (False, True):
        with open_journal(path, resume=resume) as journal:
            assert journal.counts() == {"created": 1, "rejected": 1}
            assert journal.was_finished
    path.unlink()
    with open_journal(path, resume=False) as journal:
        assert journal.counts() == {}


def test_another_input_is_refused(path: Path) -> None:
    """A journal goes on with the input that it was begun with, and with no other; said at once."""
    begin(path)
    for resume in (False, True):
        said = error_of(path, fingerprint="abd", resume=resume)
        assert "have changed" in said
        assert "as they were, or start over (--start-over, or start_over=True in Python)" in said
        assert ("--resume" in said) != resume
    open_journal(path).close()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"region": "GB", "upsert": "yes"}, "settings: region was 'US' and is 'GB' now."),
        ({"upsert": "yes"}, "settings: region was 'US' and is not given now."),
        (SETTINGS | {"tag": "x"}, "settings: tag was not given and is 'x' now."),
        ({"region": "GB", "upsert": ""},
         "settings: region was 'US' and is 'GB' now, upsert was 'yes' and is '' now."),
        (SETTINGS | {"region": "None"}, "settings: region was 'US' and is not given now."),
        (SETTINGS | {"account": "a1d8"}, "settings: the account or the base URL is another one."),
        (SETTINGS | {"columns": "{}"}, "settings: the columns are mapped differently."),
        (SETTINGS | {"phonenumbers": "9"}, "settings: phonenumbers was not given and is '9' now."),
        (SETTINGS | {"all_numbers": "True", "phonenumbers": "9.0"},
         "settings: all_numbers was not given and is 'True' now."),
    ],
)  # fmt: skip
def test_other_settings_are_named(path: Path, now: dict[str, str], said: str) -> None:
    """Each setting that differs is named with what it was and what it is."""
    begin(path)
    assert said in error_of(path, settings=now)
    assert said in error_of(path, settings=now, resume=False)
    open_journal(path, settings=dict(reversed(SETTINGS.items()))).close()


@pytest.mark.parametrize(
    "content", [b"number\n+15550001111\n", b"\0\0", b"SQLite format 3\0", b"\n" * 9999]
)
def test_a_file_that_is_no_journal_is_left_alone(path: Path, content: bytes) -> None:
    """A file of another kind is refused, and not one byte of it changes."""
    path.write_bytes(content)
    for resume in (True, False):
        assert "is not the journal of an import" in error_of(path, resume=resume)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("application", [0, 1])
def test_another_database_is_left_alone(path: Path, mode: str, application: int) -> None:
    """A SQLite database of somebody else's is refused, and not one byte of it changes."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute(f"PRAGMA application_id = {application}")
        database.execute("CREATE TABLE state (entry)")
    content = path.read_bytes()
    assert "is not the journal of an import" in error_of(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_becomes_a_journal(path: Path, content: bytes) -> None:
    """A file without content is as good as none; for SQLite, a single byte is no content."""
    path.write_bytes(content)
    with open_journal(path, resume=False) as journal:
        journal.commit([1], [])
    with open_journal(path) as journal:
        assert journal.counts() == {IN_PROGRESS: 1}


def test_a_log_without_its_journal_is_not_used(path: Path) -> None:
    """If a killed run's journal is deleted, the log that it left does not come back to life."""
    with program("journal = open_journal(path); commit(journal, 0); say(1); input()", path) as one:
        assert one.stdout
        assert one.stdout.readline() == "1\n"
    assert path.with_name(f"{path.name}-wal").stat().st_size
    path.unlink()
    with open_journal(path, resume=False) as journal:
        assert journal.counts() == {}


def test_a_newer_journal_is_refused(path: Path) -> None:
    """A journal in a format that this version does not know is refused and left as it is."""
    open_journal(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    content = path.read_bytes()
    assert "newer version" in error_of(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_journal_that_was_cut_off_is_refused(path: Path, full: bytes, share: float) -> None:
    """A journal whose end is missing is called damaged, wherever it was cut."""
    path.write_bytes(full[: int(len(full) * share)])
    assert "is damaged" in error_of(path)


@pytest.mark.parametrize("seed", range(20))
def test_a_journal_that_was_overwritten_is_refused(path: Path, full: bytes, seed: int) -> None:
    """A journal with other bytes somewhere behind its header is called damaged."""
    chance = random.Random(seed)
    damaged = bytearray(full)
    place = chance.randrange(100, len(full) - 4096)
    damaged[place : place + 4096] = chance.randbytes(4096)
    path.write_bytes(damaged)
    said = {error_of(path), error_of(path, resume=False)}
    assert len(said) == 1
    assert "is damaged" in said.pop()


def test_damage_behind_the_check_is_an_error_too(path: Path) -> None:
    """A file that breaks while it is in use raises the same error as one found broken."""
    # More than SQLite keeps in memory.
    rows = [EntryOutcome(entry, "rejected", entry, reason="x" * 2000) for entry in range(4000)]
    with open_journal(path) as journal:
        journal.commit([], rows)
    with open_journal(path) as journal:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(path.stat().st_size - 4096))
        with pytest.raises(JournalError, match="is damaged"):
            list(journal.rejected())


@pytest.mark.parametrize("kind", ["folder", "no folder"])
def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A path that is a folder, or in none, raises an error that names it and its cause."""
    path = tmp_path / "locked" if kind == "folder" else tmp_path / "is full" / "journal"
    if kind == "folder":
        path.mkdir()
    said = error_of(path)
    assert "cannot be used" in said
    assert ("unable to open" if kind == "folder" else "No such file") in said


def test_an_error_is_one_of_configuration_with_its_cause(path: Path) -> None:
    """All trouble is a JournalError, whose cause is the error of SQLite or the system."""
    path.write_text("something else", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_journal(path)
    assert isinstance(caught.value, JournalError)
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
    journal = open_journal(None)
    journal.close()
    for call in (
        journal.counts,
        lambda: journal.commit([1], []),
        lambda: next(journal.rejected()),
    ):
        with pytest.raises(JournalError, match="closed database"):
            call()


def test_a_journal_can_be_moved_while_closed(path: Path) -> None:
    """A closed journal is one file, which may be copied elsewhere and gone on with there."""
    with open_journal(path) as journal:
        journal.commit([1], [])
    other = shutil.copy(path, path.with_name("copy"))
    with open_journal(other) as journal:
        assert journal.counts() == {IN_PROGRESS: 1}
