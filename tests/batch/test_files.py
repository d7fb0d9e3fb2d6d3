"""Output files on a real disk: whole or not at all, for nobody who could not read the input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendblue_async._files import (
    check_replaceable,
    is_same_file,
    is_stream,
    open_to_replace,
)
from sendblue_async.batch._importing._journal import EntryOutcome
from sendblue_async.batch._importing._options import ImportOptions
from sendblue_async.batch._importing._paths import import_files
from sendblue_async.batch._importing._rejected import write_rejected

from ..sync.programs import Programs


def mode_of(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[None]:
    """The usual umask, whatever the suite runs with."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The file that an output is made from."""
    path = tmp_path / "people.csv"
    path.write_text("number\nnobody\n")
    return path


def write(path: Path, source: Path, text: str = "new") -> None:
    """Write an output file."""
    with open_to_replace(path, like=source) as file:
        file.write(text)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("of_source", "of_old", "expected"),
    [
        (0o600, None, 0o600),
        (0o640, None, 0o640),
        (0o644, None, 0o644),
        (0o666, None, 0o644),
        (0o400, None, 0o600),
        (0o755, None, 0o644),
        (0o600, 0o644, 0o600),
        (0o644, 0o600, 0o600),
    ],
)
def test_nobody_reads_an_output_who_could_not_read_the_input(
    source: Path, of_source: int, of_old: int | None, expected: int
) -> None:
    """The mode is no wider than that of the input, of the file before and the umask allow."""
    output = source.with_name("output")
    if of_old is not None:
        output.write_text("old")
        output.chmod(of_old)
    source.chmod(of_source)
    with open_to_replace(output, like=source) as file:
        file.write("new")
        [temporary] = {*source.parent.iterdir()} - {source, output}
        assert mode_of(temporary) == expected
    assert mode_of(output) == expected
    assert output.read_text() == "new"


@pytest.mark.usefixtures("umask")
def test_another_group_reads_no_more_than_everybody(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the output belongs to another group than the input, that group has no right of its own."""
    source.chmod(0o640)
    look = os.fstat

    def of_another_group(descriptor: int) -> os.stat_result:
        fields = [*look(descriptor)]
        fields[5] += 1
        return os.stat_result(fields)

    output = source.with_name("output")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", of_another_group)
        write(output, source)
    assert mode_of(output) == 0o600


def test_an_input_that_is_gone_is_taken_for_private(source: Path) -> None:
    """Who could read it cannot be told any more."""
    output = source.with_name("output")
    source.unlink()
    write(output, source)
    assert mode_of(output) == 0o600


@pytest.mark.parametrize("to", ["victim", "nowhere"])
def test_a_link_in_place_of_the_output_is_not_followed(source: Path, to: str) -> None:
    """It is replaced, and what it led to is as it was."""
    victim = source.with_name("victim")
    victim.write_text("precious")
    output = source.with_name("output")
    output.symlink_to(source.with_name(to))
    write(output, source)
    assert not output.is_symlink()
    assert output.read_text() == "new"
    assert victim.read_text() == "precious"
    assert not source.with_name("nowhere").exists()


def test_rejected_rows_follow_no_planted_link(source: Path) -> None:
    """A name that can be foreseen leads to nobody else's file."""
    victim = source.with_name("victim")
    victim.write_text("precious")
    rejected = source.with_name("people.csv.rejected.csv")
    source.with_name("people.csv.rejected.csv.unfinished").symlink_to(victim)
    source.chmod(0o600)
    table = ImportOptions().read(source).table
    assert write_rejected(rejected, table, iter([EntryOutcome(0, "rejected", 2, "x", "No.")]))
    assert victim.read_text() == "precious"
    assert "nobody" in rejected.read_text(encoding="utf-8-sig")
    assert mode_of(rejected) == 0o600


def test_an_error_on_the_way_leaves_the_old_file(source: Path) -> None:
    """Half a file is nowhere to be seen, under no name."""
    output = source.with_name("output")
    output.write_text("old")

    def write_half() -> None:
        with open_to_replace(output, like=source) as file:
            file.write("half")
            file.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert {path.name for path in source.parent.iterdir()} == {"people.csv", "output"}
    assert output.read_text() == "old"


FULL_DISK = """
    import pathlib, resource, signal, sys
    from sendblue_async._files import open_to_replace
    source, output = map(pathlib.Path, sys.argv[1:])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with open_to_replace(output, like=source) as file:
            file.write("x" * 20_000)
    except OSError as error:
        print(error.strerror)
    # What counts the lines run has more to write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


def test_a_full_disk_leaves_the_old_file(programs: Programs) -> None:
    """What cannot be written whole replaces nothing."""
    source, output = programs.folder / "people.csv", programs.folder / "output"
    source.write_text("number\n")
    output.write_text("old")
    before = {*programs.folder.iterdir()}
    with programs.start(FULL_DISK, arguments=[str(source), str(output)]) as program:
        assert program.communicate(timeout=30) == ("File too large\n", "")
    assert output.read_text() == "old"
    assert {*programs.folder.iterdir()} - before <= {programs.folder / "program.py"}


def test_a_file_is_on_the_disk_before_it_has_its_name(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content is flushed, then it is renamed, then the folder is flushed."""
    steps: list[str] = []
    output = source.with_name("output")
    flush, rename = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"flush {kind}")
        flush(descriptor)

    def renamed(*names: Any) -> None:
        steps.append("rename")
        rename(*names)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    write(output, source)
    assert steps == ["flush file", "rename", "flush folder"]


@pytest.mark.parametrize("other", ["/proc/output", "missing/output", "people.csv/output", "."])
def test_what_cannot_be_written_is_found_out_beforehand(source: Path, other: str) -> None:
    """A folder that takes no file, one that is not there, and a folder in place of the file."""
    with pytest.raises(OSError, match="directory"):
        check_replaceable(source.parent / other)
    check_replaceable(source)
    assert [*source.parent.iterdir()] == [source]


def test_one_file_is_recognised_by_any_name(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a link, another spelling of the path, and another case where that may be ignored."""
    folder = source.parent
    monkeypatch.chdir(folder)
    folder.joinpath("link").symlink_to(source)
    folder.joinpath("there").symlink_to(folder)
    os.link(source, folder / "hard")
    for same in ("people.csv", "./people.csv", "link", "hard", "there/people.csv", source):
        assert is_same_file(Path(same), source)
        assert is_same_file(source, Path(same))
    journal = Path("people.csv.journal")
    for same in ("there/people.csv.journal", "People.CSV.journal", folder / journal):
        assert is_same_file(Path(same), journal)
    assert is_same_file(Path("\u00fc.csv"), Path("U\u0308.csv"))
    for other in ("other.csv", "nowhere/people.csv", "people.csv/people.csv", "."):
        assert not is_same_file(Path(other), source)
        assert not is_same_file(Path(other), journal)


def test_the_files_of_an_import_are_known_by_name() -> None:
    """A file without a name, such as the folder that holds it, is none that raises."""
    assert {
        *map(
            str,
            import_files(
                Path("a/b.csv"),
                Path("a/b.csv.journal"),
                Path("a/b.csv.rejected.csv"),
                Path("a/b.results.csv"),
            ),
        )
    } == {
        "a/b.csv",
        "a/b.csv.journal",
        "a/b.csv.journal-wal",
        "a/b.csv.journal-shm",
        "a/b.csv.journal-journal",
        "a/b.csv.rejected.csv",
        "a/b.results.csv",
    }
    assert import_files(Path(), Path(".journal"), None, None)
    assert import_files(Path("/"), None, None, None)


def test_streams_are_told_from_files(source: Path) -> None:
    """A pipe, a device and an open descriptor cannot be replaced; files and folders are none."""
    pipe = source.with_name("pipe")
    os.mkfifo(pipe)
    link = source.with_name("link")
    link.symlink_to("/dev/stdout")
    loop = source.with_name("loop")
    loop.symlink_to(loop)
    with source.open() as file:
        for stream in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}"):
            assert is_stream(Path(stream))
    assert all(map(is_stream, [pipe, link, Path("/dev/null"), Path("/dev/stdout")]))
    assert not any(map(is_stream, [source, source.parent, source / "x", source.with_name("x")]))
    with pytest.raises(OSError, match="loop"):
        is_stream(loop)
