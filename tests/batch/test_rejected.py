"""What comes of a file of rejected rows: left as it is, mended, and rejected again."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch._importing._journal import EntryOutcome
from sendblue_async.batch._importing._options import ImportOptions
from sendblue_async.batch._importing._rejected import write_rejected
from sendblue_async.batch._sources._table import read_table

REASON = "It was refused."
# Files in which a row is damaged, that of +12015550111.
DAMAGED = {
    "undecodable": (
        "a.csv",
        "number,first_name,last_name\n+12015550110,Zoë,B\n".encode() + b"+12015550111,Bj\xf6rk,A\n",
    ),
    "undecodable before": ("a.csv", "number,first_name\n+12015550111,Bj\ufffdrk\n".encode()),
    "too_many_cells": ("a.csv", b"number,first_name,last_name\n+12015550111,Ada,King,Lovelace\n"),
    "too many by a lot": ("a.csv", b"first_name,number\nAda,+12015550111,=1,x,,y,z,1,2,3,4\n"),
    "stray_quote": ("a.csv", b'number,first_name,last_name\n+12015550111,"Ada,King\n'),
    "stray quote in front": ("a.csv", b'first_name;number\n"A"da;+12015550111\n'),
    "two stray quotes": ("a.csv", b'number,last_name,first_name\n+12015550111,"x","y"z\n'),
    "not_json": ("a.jsonl", b'{"number": "+12015550110"}\n{"number": "+12015550111"\n'),
    "repeated_key": ("a.jsonl", b'{"number": "+12015550111", "number": "+12015550112"}\n'),
    "broken key": (
        "a.jsonl",
        b'{"number": "+12015550110", "x": "\xc3\xab"}\n{"number": "+12015550112", "\xff": 1}',
    ),
    "bad_vcard": ("a.vcf", b"BEGIN:VCARD\nTEL:+12015550111\n"),
}  # fmt: skip


def sent_and_rejected(path: Path) -> tuple[list[dict[str, Any]], Path | None]:
    """The contacts of a file, and the file of its rejected rows if there are any."""
    reader = ImportOptions().read(path)
    contacts = []
    ended = []
    for entry in reader.entries():
        if entry.contact is not None:
            contacts.append(entry.contact.to_dict())
        elif entry.problem is not None:
            problem = entry.problem
            ended.append(
                EntryOutcome(entry.index, "rejected", entry.line, problem.code, problem.reason)
            )
    rejected = path.with_name(f"{path.name}.rejected.csv")
    return contacts, rejected if write_rejected(rejected, reader.table, iter(ended)) else None


def all_rejected(path: Path) -> Path:
    """The file of rejected rows, if the server rejected each of them."""
    table = read_table(path)

    def ended() -> Iterator[EntryOutcome]:
        for place, row in enumerate(table.rows()):
            yield EntryOutcome(place, "rejected", row.line, "http_400", REASON)

    rejected = path.with_name(f"{path.name}.rejected.csv")
    assert write_rejected(rejected, table, ended())
    return rejected


def records(path: Path) -> list[list[str]]:
    """The cells of a file as any other program reads them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = ";" if ";" in file.readline() else ","
        file.seek(0)
        return list(csv.reader(file, delimiter=delimiter))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_row_is_rejected_until_it_is_mended(tmp_path: Path, damage: str) -> None:
    """Imported as it is, the file gives the same cells to mend again, and no contact."""
    name, content = DAMAGED[damage]
    path = tmp_path / name
    path.write_bytes(content)
    _, rejected = sent_and_rejected(path)
    assert rejected is not None
    [header, row] = records(rejected)
    for _ in range(2):
        contacts, rejected = sent_and_rejected(rejected)
        assert contacts == []
        assert rejected is not None
        again = records(rejected)
        assert [cells[:-3] for cells in again] == [header[:-3], row[:-3]]
        assert again[0] == header


def test_a_cell_that_is_too_long_falls_into_no_shorter_ones(tmp_path: Path) -> None:
    """Its row stays rejected, also where the delimiter stands in the cell."""
    path = tmp_path / "a.csv"
    half = "x" * (csv.field_size_limit() // 2)
    path.write_text(f'number,tags,note\n+12015550111,"{half},{half}"\n')
    for _ in range(3):
        contacts, rejected = sent_and_rejected(path)
        assert contacts == []
        assert rejected is not None
        path = rejected


@pytest.mark.parametrize(
    ("damage", "damaged", "mended", "contact"),
    [
        ("undecodable", ["Bj\ufffdrk"], ["Björk"], {"first_name": "Björk", "last_name": "A"}),
        (
            "too_many_cells",
            ["\ufffdKing,Lovelace"],
            ["King"],
            {"first_name": "Ada", "last_name": "King"},
        ),
        ("stray_quote", ['\ufffd"Ada'], ["Ada"], {"first_name": "Ada", "last_name": "King"}),
        (
            "two stray quotes",
            ['\ufffd"x"', '\ufffd"y"z'],
            ["x", 'y "z"'],
            {"first_name": 'y "z"', "last_name": "x"},
        ),
        ("not_json", ['\ufffd{"number": "+12015550111"'], ["+12015550111"], {}),
    ],
)
def test_mended_cells_are_all_it_takes(
    tmp_path: Path, damage: str, damaged: list[str], mended: list[str], contact: dict[str, Any]
) -> None:
    """Line, code and reason stay as they are, and the row is imported."""
    name, content = DAMAGED[damage]
    path = tmp_path / name
    path.write_bytes(content)
    _, rejected = sent_and_rejected(path)
    assert rejected is not None
    rows = records(rejected)
    instead = dict(zip(damaged, mended, strict=True))
    assert {*instead} <= {*rows[1]}
    with rejected.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[instead.get(cell, cell) for cell in row] for row in rows])
    assert sent_and_rejected(rejected) == ([{"number": "+12015550111", **contact}], None)


def test_the_reason_does_not_keep_a_row_out(tmp_path: Path) -> None:
    """U+FFFD in a server's words is no damage of the row."""
    path = tmp_path / "a.csv"
    path.write_text("number\n+12015550111\n")
    rejected = tmp_path / "a.csv.rejected.csv"
    ended = EntryOutcome(0, "rejected", 2, "http_400", "Bj\ufffdrk was refused.")
    assert write_rejected(rejected, read_table(path), iter([ended]))
    assert records(rejected)[1] == ["'+12015550111", "2", "http_400", "Bj?rk was refused."]
    assert sent_and_rejected(rejected) == ([{"number": "+12015550111"}], None)


@pytest.mark.parametrize(
    ("columns", "added"),
    [
        ("number,note", "line,code,reason"),
        ("number,line", "import_line,import_code,import_reason"),
        ("code,number", "import_line,import_code,import_reason"),
        ("reason,line,number,code", "import_line,import_code,import_reason"),
        ("number,Line", "line,code,reason"),
    ],
)
def test_the_added_columns_take_no_name_of_another(
    tmp_path: Path, columns: str, added: str
) -> None:
    """They stand there once, also if rows of that file are rejected again."""
    path = tmp_path / "a.csv"
    path.write_text(f"{columns}\n" + "+12015550111," * columns.count(",") + "+12015550111\n")
    for _ in range(3):
        path = all_rejected(path)
        header, row = records(path)
        assert header == f"{columns},{added}".split(",")
        assert row[-3:] == ["2", "http_400", REASON]
        assert sent_and_rejected(path) == ([{"number": "+12015550111"}], None)
        path = all_rejected(path)


@pytest.mark.parametrize(
    ("header", "written"),
    [
        ("=cmd(),number", ["'=cmd()", "number"]),
        ("'=cmd(),number", ["'=cmd()", "number"]),
        ("@x,+y,-z,number", ["'@x", "'+y", "'-z", "number"]),
        ("Email,number,Email", ["Email (1)", "number", "Email (2)"]),
        ("number,,,Vorname", ["number", "", "", "Vorname"]),
    ],
)
def test_the_header_is_safe_and_reads_back(tmp_path: Path, header: str, written: list[str]) -> None:
    """A name that is a formula gets an apostrophe, which is taken off again, each time."""
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n" + ",".join(["x"] * len(written)) + "\n")
    columns = read_table(path).columns
    for _ in range(2):
        path = all_rejected(path)
        assert records(path)[0][:-3] == written
        assert read_table(path).columns[:-3] == columns


def test_without_rejected_rows_a_file_is_left_alone(tmp_path: Path) -> None:
    """It is of an earlier import, or somebody else's."""
    path = tmp_path / "a.csv"
    path.write_text("number\nx\n")
    rejected = all_rejected(path)
    assert not write_rejected(rejected, read_table(path), iter([]))
    assert {*tmp_path.iterdir()} == {path, rejected}
