"""Files as tables: which format, what makes a file useless, and how little memory it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from attrs.exceptions import FrozenInstanceError

from sendblue_async.batch._sources import _json_lines
from sendblue_async.batch._sources._row import Row
from sendblue_async.batch._sources._table import read_table
from sendblue_async.exceptions import ConfigurationError, ValidationError

CARD = "BEGIN:VCARD\nFN:Ada\nEND:VCARD\n"


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("a.jsonl", '{"x": "y"}\n', ("x",)),
        ("a.NDJSON", '{"x": "y"}\n', ("x",)),
        ("a.txt", "a,b\n", ("a", "b")),
        ("a", "a\tb\n", ("a", "b")),
        ("a.vcf.csv", "a;b\n", ("a", "b")),
        ("jsonl", "a;b\n", ("a", "b")),
    ],
)
def test_the_name_tells_the_format(
    tmp_path: Path, name: str, text: str, columns: tuple[str, ...]
) -> None:
    """JSON Lines and vCard go by their suffixes, and everything else is CSV."""
    (tmp_path / name).write_text(text)
    table = read_table(str(tmp_path / name))
    assert table.columns == columns
    assert table.path == tmp_path / name
    assert (table.delimiter is None) == name.lower().endswith((".jsonl", ".ndjson"))


@pytest.mark.parametrize("name", ["a.vcf", "a.VCARD"])
def test_both_suffixes_of_vcard_are_known(tmp_path: Path, name: str) -> None:
    """A vCard file is known by either suffix and has the columns of an export."""
    (tmp_path / name).write_text(CARD)
    table = read_table(tmp_path / name)
    assert table.columns[:3] == ("First Name", "Last Name", "Phone")
    assert table.delimiter is None


def test_rows_begin_anew_at_each_call(tmp_path: Path) -> None:
    """Two readings of one table run side by side, each from the first row on."""
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    table = read_table(path)
    first = table.rows()
    assert next(first) == Row(2, ("1", "2"))
    assert list(table.rows()) == [Row(2, ("1", "2")), Row(3, ("3", "4"))]
    assert list(first) == [Row(3, ("3", "4"))]


def test_a_table_cannot_be_changed(tmp_path: Path) -> None:
    """A table is a fact about a file."""
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(FrozenInstanceError):
        read_table(tmp_path / "a.csv").columns = ()  # type: ignore[misc]


def test_a_file_without_rows_is_a_table(tmp_path: Path) -> None:
    """A header is enough."""
    (tmp_path / "a.csv").write_text("a,b")
    assert list(read_table(tmp_path / "a.csv").rows()) == []


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.vcf"])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str) -> None:
    """Missing, a folder, a pipe, empty, or out of reach: the error names the file and a remedy."""
    path = tmp_path / name
    with pytest.raises(ValidationError, match=r"There is no file .*Check its name"):
        read_table(path)
    with pytest.raises(ValidationError, match=r"cannot be read: File name too long\. "):
        read_table(tmp_path / ("x" * 5000 + name))
    path.touch()
    with pytest.raises(ValidationError, match=r" is empty\. Export "):
        read_table(path)
    with pytest.raises(ValidationError, match=r"cannot be read: Not a directory\. ") as caught:
        read_table(path / name)
    assert str(path / name) in str(caught.value)
    assert caught.value.field == "path"
    path.unlink()
    path.mkdir()
    with pytest.raises(ValidationError, match=r" is a folder\. Name a file"):
        read_table(path)
    with pytest.raises(ValidationError, match=r"^path is empty\. Name a file"):
        read_table("")
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ValidationError, match=r" is a pipe\. Read it as standard input, "):
        read_table(path)
    with pytest.raises(ValidationError, match=r"^/dev/null is not an ordinary file\. "):
        read_table("/dev/null")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.vcf"])
@pytest.mark.parametrize("content", [b"\xef\xbb\xbf", b"\n\n \n", b"\xff\xfe\n\0"])
def test_a_file_with_nothing_in_it_cannot_be_used(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """A byte order mark or blank lines are not enough, in any format."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValidationError) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_a_file_that_vanishes_is_an_error_of_its_rows(tmp_path: Path) -> None:
    """What happens to the file later is reported as clearly as before."""
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    table = read_table(path)
    path.unlink()
    with pytest.raises(ValidationError, match="There is no file"):
        next(table.rows())


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", "a,b\n1,2\n"), ("a.jsonl", '{"a": 1}\n'), ("a.vcf", CARD)]
)
def test_a_file_that_changes_is_noticed(tmp_path: Path, name: str, text: str) -> None:
    """Reading changes nothing; a new time, size or file does, and so does none at all."""
    path = tmp_path / name
    path.write_text(text)
    os.utime(path, ns=(0, 1_000))

    table = read_table(path)
    list(table.rows())
    table.check_unchanged()

    def copied() -> None:
        other = tmp_path / "other"
        other.write_text(path.read_text())
        os.utime(other, ns=(0, 1_000))
        os.replace(other, path)

    def grown() -> None:
        with path.open("a") as file:
            file.write("\n")
        os.utime(path, ns=(0, 1_000))

    def touched() -> None:
        os.utime(path, ns=(0, 1_001))

    for change in (grown, copied, touched, path.unlink):
        change()
        with pytest.raises(ValidationError, match=r" has changed .* or start over\.$") as caught:
            table.check_unchanged()
        assert caught.value.field == "path"
        assert str(path) in str(caught.value)
        if path.exists():
            table = read_table(path)
            table.check_unchanged()


def test_a_change_while_the_file_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the state before the first byte was read."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n')
    read = _json_lines.read_columns

    def changed(name: str, lines: Iterable[str]) -> tuple[str, ...]:
        columns = read(name, lines)
        path.write_text('{"a": 1}\n{"a": 2}\n')
        return columns

    monkeypatch.setattr(_json_lines, "read_columns", changed)
    with pytest.raises(ValidationError, match=" has changed "):
        read_table(path).check_unchanged()


@pytest.mark.parametrize("name", ["pipes", ":", "", ",,"])
def test_an_unknown_delimiter_is_refused(tmp_path: Path, name: str) -> None:
    """The error names the delimiters there are."""
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(ConfigurationError, match="Use comma, semicolon, tab, pipe, "):
        read_table(tmp_path / "a.csv", delimiter=name)


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", '{"a": 1}\n'), ("a.vcf", CARD)])
def test_only_csv_has_a_delimiter(tmp_path: Path, name: str, text: str) -> None:
    """A delimiter that would have no effect is refused."""
    (tmp_path / name).write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"is read as (JSON Lines|vCard), which has no delimiter\."
    ):
        read_table(tmp_path / name, delimiter=",")


def peak(path: Path, expected: int) -> int:
    """How many bytes it takes at most to read a file and all its rows."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_table(path).rows()) == expected
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Long enough for a quarter of the rows to fill every buffer that a row is kept in.
LONG = "Zoë" * 20


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("a.csv", "number,name\n", f"+14155550123,{LONG}\n"),
        ("stray.csv", "number,name\n", f'+14155550123,"{LONG}\n'),
        ("open.csv", "number,name\n", f'a",b,"{LONG}\n'),
        ("a.jsonl", "", f'{{"number": "+14155550123", "name": "{LONG}"}}\n'),
        ("a.vcf", "", f"BEGIN:VCARD\nFN:{LONG}\nTEL:+14155550123\nEND:VCARD\n"),
        ("b.vcf", "BEGIN:VCARD\nEND:VCARD\n", "BEGIN:VCARD\n"),
    ],
    ids=["a.csv", "stray.csv", "open.csv", "a.jsonl", "a.vcf", "b.vcf"],
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str, head: str, row: str) -> None:
    """Four times the rows take the same memory, but for noise."""
    path = tmp_path / name

    def peak_of(rows: int) -> int:
        path.write_text(head + row * rows, encoding="utf-8")
        return peak(path, rows + head.count("END:"))

    # What is loaded at first use does not count.
    peak_of(1)
    small = peak_of(1_500)
    assert peak_of(6_000) < small + 100_000


@pytest.mark.parametrize(("name", "text"), [("a.csv", "a,b\n1,2\n"), ("a.vcf", CARD)])
def test_text_does_not_load_the_libraries_of_workbooks(
    tmp_path: Path, name: str, text: str
) -> None:
    """Only workbooks pay for them."""
    (tmp_path / name).write_text(text)
    program = (
        "import sys; from sendblue_async.batch._sources._table import read_table;"
        f"list(read_table({str(tmp_path / name)!r}).rows());"
        "assert not {'python_calamine', 'olefile'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
