"""The same contacts from every kind of source: stored alike, and rejected alike."""

from __future__ import annotations

import collections
import csv
import dataclasses
import gzip
import io
import json
import os
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import numpy
import pandas
import polars
import pytest

from sendblue_async import (
    ConfigurationError,
    ImportOptions,
    SendblueClient,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async.models import ContactCreate
from sendblue_async.sandbox import Sandbox

from ..sync.test_create_contacts import client as blocking_client

__all__ = ["blocking_client"]

pytestmark = pytest.mark.anyio

NAMES = ("number", "first_name", "last_name")
ROWS: list[tuple[str, str | None, str | None]] = [
    ("+12015550101", "Ada", "King"),
    ("call me", "Bob", None),
    ("(201) 555-0103", None, "Hopper"),
]
CSV = "number,first_name,last_name\n" + "".join(
    ",".join(cell or "" for cell in row) + "\n" for row in ROWS
)
CARDS = "".join(
    f"BEGIN:VCARD\nVERSION:3.0\nN:{last or ''};{first or ''};;;\nTEL:{number}\nEND:VCARD\n"
    for number, first, last in ROWS
)
STORED = {"+12015550101": ("Ada", "King"), "+12015550103": (None, "Hopper")}


def mappings() -> list[dict[str, str | None]]:
    """The rows as mappings."""
    return [dict(zip(NAMES, row, strict=True)) for row in ROWS]


JSON_LINES = "".join(json.dumps(row) + "\n" for row in mappings())


async def later() -> AsyncIterator[dict[str, str | None]]:
    """The rows, asynchronously."""
    for row in mappings():
        yield row


_OPENED: list[sqlite3.Connection] = []
_IDLE = sqlite3.connect(":memory:")


@pytest.fixture(autouse=True)
def close_databases() -> Iterator[None]:
    """Close what the sources of a test have opened."""
    yield
    while _OPENED:
        _OPENED.pop().close()


def cursor(row_factory: Any = None) -> sqlite3.Cursor:
    """A cursor that has executed a SELECT."""
    database = sqlite3.connect(":memory:")
    _OPENED.append(database)
    database.row_factory = row_factory
    database.execute("CREATE TABLE contact (number, first_name, last_name)")
    database.executemany("INSERT INTO contact VALUES (?, ?, ?)", ROWS)
    return database.execute("SELECT * FROM contact")


class Cursor:
    """A cursor that nothing can iterate over, as Python's database interface allows."""

    description = tuple((name, *[None] * 6) for name in NAMES)

    def __init__(self) -> None:
        self.rows = [*ROWS]

    def fetchmany(self, size: int) -> list[Any]:
        """Return some of the rows."""
        found, self.rows = self.rows[:2], self.rows[2:]
        return found


class AsyncCursor:
    """A cursor as asynchronous drivers have it."""

    description = Cursor.description

    async def fetchmany(self, size: int) -> list[Any]:
        """Not called."""
        raise AssertionError

    async def __aiter__(self) -> AsyncIterator[Any]:
        for row in ROWS:
            yield row


Named = collections.namedtuple("Named", NAMES)


@dataclasses.dataclass
class Data:
    """A row as a dataclass."""

    number: str
    first_name: str | None
    last_name: str | None


@attrs.frozen
class Attrs:
    """A row as an attrs class."""

    number: str
    first_name: str | None
    last_name: str | None


class Keyed:
    """A row with keys and values by them, as records of drivers and web forms have it."""

    def __init__(self, values: dict[str, str | None]) -> None:
        self._values = values

    def keys(self) -> list[str]:
        """The names of its values."""
        return [*self._values]

    def __getitem__(self, key: str) -> str | None:
        return self._values[key]


class Iterated(Keyed):
    """One of those that iterates over its keys."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


def frame() -> pandas.DataFrame:
    """A DataFrame of pandas, in which what is missing is NaN, NaT, NA or None."""
    made = pandas.DataFrame(mappings())
    made["first_name"] = [made["first_name"][0], made["first_name"][1], float("nan")]
    made["last_name"] = [made["last_name"][0], pandas.NA, made["last_name"][2]]
    made["since"] = [pandas.Timestamp(2026, 1, 1), pandas.NaT, None]
    return made


ROW_SOURCES: dict[str, Callable[[], Any]] = {
    "list": mappings,
    "generator": lambda: (row for row in mappings()),
    "asynchronous": later,
    "DictReader": lambda: csv.DictReader(io.StringIO(CSV)),
    "pandas": frame,
    "pandas, indexed": lambda: frame().set_index("number"),
    "pandas, Arrow-like": lambda: frame().convert_dtypes(),
    "polars": lambda: polars.DataFrame(mappings()),
    "cursor": cursor,
    "cursor of rows": lambda: cursor(sqlite3.Row),
    "cursor without iteration": Cursor,
    "asynchronous cursor": AsyncCursor,
    "rows": lambda: cursor(sqlite3.Row).fetchall(),
    "named tuples": lambda: [Named(*row) for row in ROWS],
    "dataclasses": lambda: [Data(*row) for row in ROWS],
    "attrs": lambda: [Attrs(*row) for row in ROWS],
    "rows with keys": lambda: [Keyed(row) for row in mappings()],
    "rows that iterate over keys": lambda: [Iterated(row) for row in mappings()],
}
FILE_SOURCES: dict[str, Callable[[], Any]] = {
    "text": lambda: io.StringIO(CSV),
    "bytes": lambda: io.BytesIO(CSV.encode()),
    "UTF-16": lambda: io.BytesIO(CSV.encode("utf-16")),
    "gzip": lambda: io.BytesIO(gzip.compress(CSV.encode())),
    "JSON Lines": lambda: io.BytesIO(JSON_LINES.encode()),
    "JSON Lines, text": lambda: io.StringIO(JSON_LINES),
    "vCard": lambda: io.BytesIO(CARDS.encode()),
    "vCard, gzip": lambda: io.BytesIO(gzip.compress(CARDS.encode())),
}
TUPLES: dict[str, Callable[[], Any]] = {
    "tuples": lambda: [*ROWS],
    "reader": lambda: csv.reader(io.StringIO(CSV.partition("\n")[2])),
    "array": lambda: numpy.array(ROWS, dtype=object),
}
LINES = {"vCard": 6, "vCard, gzip": 6, "JSON Lines": 2, "JSON Lines, text": 2}


def position(kind: str) -> int:
    """Where the rejected row stands: its line in a file, and its number among rows."""
    return LINES.get(kind, 3) if kind in FILE_SOURCES else 2


def stored(server: Sandbox) -> dict[str, tuple[Any, Any]]:
    """The names that are stored, by number."""
    return {
        number: (each.get("first_name"), each.get("last_name"))
        for number, each in server.contacts.items()
    }


def check(report: Any, server: Sandbox, kind: str) -> None:
    """Check what is stored, and that the rejected row is kept with its position."""
    assert (report.created, report.rejected, report.journal) == (2, 1, None)
    assert dict(report.codes) == {"invalid_number": 1}
    assert stored(server) == STORED
    assert report.unit == ("line" if kind in FILE_SOURCES else "row")
    text = report.rejected_path.read_text(encoding="utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert "call me" in row.values()
    assert int(row["line"]) == position(kind)


EVERY = ROW_SOURCES | FILE_SOURCES | TUPLES


@pytest.mark.parametrize("kind", EVERY)
async def test_every_source_is_imported_alike(
    server: Sandbox, client: SendblueClient, tmp_path: Path, kind: str
) -> None:
    """Files, rows, tables: the same contacts are stored, and the same row is rejected."""
    columns = NAMES if kind in TUPLES else None
    report = await client.import_contacts(
        EVERY[kind](), region="US", columns=columns, rejected=tmp_path / "rejected.csv"
    )
    check(report, server, kind)


@pytest.mark.parametrize("kind", EVERY)
def test_every_source_is_imported_alike_by_the_blocking_client(
    sandbox: Sandbox, blocking_client: SyncSendblueClient, tmp_path: Path, kind: str
) -> None:
    """A cursor and a generator are used on the thread that they belong to."""
    columns = NAMES if kind in TUPLES else None
    options = ImportOptions(region="US", columns=columns)
    with blocking_client.import_job(
        EVERY[kind](), options, rejected=tmp_path / "rejected.csv"
    ) as job:
        tried = job.dry_run()
        assert tried is not None
        assert (tried.contacts, dict(tried.codes)) == (2, {"invalid_number": 1})
        check(job.run(), sandbox, kind)


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl.gz", ".vcf.gz", ".gz", ".csv"])
async def test_a_compressed_file_is_known_by_its_content(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str
) -> None:
    """Its journal and its rejected rows are beside it, and its name decides as without ``.gz``."""
    text = {".jsonl.gz": JSON_LINES, ".vcf.gz": CARDS}.get(suffix, CSV)
    path = tmp_path / f"people{suffix}"
    path.write_bytes(gzip.compress(text.encode()))
    report = await client.import_contacts(path, region="US")
    assert (report.created, report.rejected, report.path) == (2, 1, path)
    assert stored(server) == STORED
    assert report.journal == Path(f"{path}.journal")
    assert report.rejected_path == Path(f"{path}.rejected.csv")
    # Compressed again, at another time and level, it is the same file.
    path.write_bytes(gzip.compress(text.encode(), compresslevel=1, mtime=1))
    again = await client.import_contacts(path, region="US", resume=True)
    assert (again.created, again.finished) == (2, True)


@pytest.mark.parametrize("cut", [-1, -9, 30])
async def test_a_compressed_file_that_is_cut_short_is_refused(
    server: Sandbox, client: SendblueClient, tmp_path: Path, cut: int
) -> None:
    """Before anything is sent; so is one that is damaged."""
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode())[:cut])
    with pytest.raises(ValidationError, match="is cut short"):
        await client.import_contacts(path, region="US")
    with pytest.raises(ValidationError, match="is cut short"):
        await client.import_contacts(io.BytesIO(path.read_bytes()), region="US")
    whole = bytearray(gzip.compress(CSV.encode()))
    whole[-6] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValidationError, match="is damaged"):
        await client.import_contacts(path, region="US")
    assert not server.contacts


async def test_a_bomb_is_not_unpacked(client: SendblueClient, tmp_path: Path) -> None:
    """What unpacks to more than a hundred times its size is refused on the way."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(ValidationError, match="more than 100 times its size"):
        await client.import_contacts(path)


async def test_an_open_file_is_read_from_where_it_is_and_left_open(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What was read before is not read again, and its name has no journal beside it."""
    path = tmp_path / "people.csv"
    path.write_text("exported by a program\n" + CSV)
    for mode in ("r", "rb"):
        with path.open(mode) as file:
            file.readline()
            report = await client.import_contacts(file, region="US", update_if_exists=True)
            assert not file.closed
        assert (report.stored, report.source, report.path) == (2, str(path), None)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", ["list", "cursor", "pandas", "text"])
async def test_a_source_without_a_name_is_resumed_by_its_content(
    server: Sandbox, client: SendblueClient, tmp_path: Path, kind: str
) -> None:
    """With a journal; without one there is nothing to resume it by."""
    journal = tmp_path / "crm.journal"
    make = EVERY[kind]
    with pytest.raises(ConfigurationError, match="Name the journal"):
        await client.import_contacts(make(), region="US", resume=True)
    first = await client.import_contacts(make(), region="US", journal=journal)
    again = await client.import_contacts(make(), region="US", journal=journal, resume=True)
    assert (first.created, first.journal) == (again.created, again.journal) == (2, journal)
    assert len(server.contacts) == 2


def broken(rows: int) -> Iterator[dict[str, str]]:
    """Rows, then an error."""
    for number in range(rows):
        yield {"number": f"+1201555{number:04}"}
    raise OSError("the database has gone away")


@pytest.mark.parametrize("rows", [0, 1, 777])
async def test_a_source_that_fails_says_how_far_it_came(
    server: Sandbox, client: SendblueClient, rows: int
) -> None:
    """Nothing was sent, and the error of the source is the cause."""
    with pytest.raises(ValidationError, match=f"failed after {rows} rows .OSError") as caught:
        await client.import_contacts(broken(rows))
    assert isinstance(caught.value.__cause__, OSError)
    assert not server.contacts


@pytest.mark.parametrize(
    ("column", "read"),
    [
        ([2015550101.0, float("nan")], ["+12015550101"]),
        (numpy.array([2015550101, 0], dtype="int64"), ["+12015550101"]),
        (pandas.Series([2015550101, None], dtype="Int64"), ["+12015550101"]),
        (pandas.Series([2015550101.0], dtype="float32"), []),
        (pandas.Series([2015550101.0], dtype="Float32"), []),
        ([2.015550101e20], []),
        ([2015550101.5], []),
        ([Decimal("2015550101.0"), Decimal("NaN")], ["+12015550101"]),
        ([numpy.float32(2015550101)], []),
        ([numpy.int64(2015550101)], ["+12015550101"]),
    ],
    ids=str,
)
async def test_a_float_is_a_number_only_where_it_is_exact(
    server: Sandbox, client: SendblueClient, column: Any, read: list[str]
) -> None:
    """No digits are made up that the float does not tell."""
    await client.import_contacts(pandas.DataFrame({"phone": column}), region="US")
    assert [*server.contacts] == read


async def test_narrow_floats_of_polars_are_not_exact(
    server: Sandbox, client: SendblueClient
) -> None:
    """They come as Python's floats, which do not tell how wide they were."""
    table = polars.DataFrame({"phone": [2015550101.0]}, schema={"phone": polars.Float32})
    report = await client.import_contacts(table, region="US")
    assert dict(report.codes) == {"spreadsheet_number": 1}


async def test_values_of_all_kinds_are_written_as_text(
    server: Sandbox, client: SendblueClient
) -> None:
    """Lists are tags, mappings are variables, and a contact is a row."""
    await client.import_contacts(
        [
            ContactCreate(number="+12015550101", tags=["vip"], custom_variables={"plan": "a"}),
            {"number": 12015550102, "tags": ("vip", "lead"), "custom_variables": {"n": 1}},
        ],
        region="US",
    )
    first, second = server.contacts.values()
    assert (first["tags"], first["custom_variables"]) == (["vip"], {"plan": "a"})
    assert (second["tags"], second["custom_variables"]) == (["vip", "lead"], {"n": "1"})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "not NoneType"),
        ({"number": "+12015550101"}, "not dict"),
        (b"number", "not bytes"),
        (["+12015550101"], "Row 1 of the list is of the type str"),
        ([("+12015550101",)], "for tuples, name the columns"),
        (_IDLE.cursor(), "Execute a SELECT"),
        (polars.LazyFrame({"number": []}), "collect"),
        (cursor(sqlite3.Row).connection.execute("SELECT 1 AS a, 2 AS a").fetchall(), "of one name"),
    ],
)
async def test_what_is_no_source_is_refused(
    client: SendblueClient, source: Any, words: str
) -> None:
    """In one error that says what to pass."""
    with pytest.raises(ValidationError, match=words):
        await client.import_contacts(source)


async def test_an_empty_result_is_a_finished_import(client: SendblueClient) -> None:
    """A query that finds nobody new is no mistake."""
    for source in ([], pandas.DataFrame({"number": []}), polars.DataFrame({"number": []})):
        report = await client.import_contacts(source)
        assert (report.entries, report.finished) == (0, True)


async def test_a_wrong_header_of_a_table_is_one_error(
    server: Sandbox, client: SendblueClient
) -> None:
    """It is not one rejection for each column, nor one for each row."""
    table = pandas.DataFrame({"Mobile Phone": ["+12015550101"] * 3})
    with pytest.raises(ValidationError, match="'Mobile Phone'"):
        client.create_contacts(table)
    with pytest.raises(ValidationError, match="column"):
        await client.import_contacts(pandas.DataFrame({"a": ["x"], "b": ["y"]}))


@pytest.mark.parametrize("kind", ROW_SOURCES | TUPLES)
async def test_create_contacts_takes_the_same_rows(
    server: Sandbox, client: SendblueClient, kind: str
) -> None:
    """With fields by their names; there is no region to read a number in."""
    source = fields_alone(EVERY[kind]())
    columns = NAMES if kind in TUPLES else None
    results = [result async for result in client.create_contacts(source, columns=columns)]
    assert sorted(result.outcome for result in results) == ["created", "rejected", "rejected"]
    assert stored(server) == {"+12015550101": ("Ada", "King")}


def fields_alone(source: Any) -> Any:
    """Drop the column that is no field of a contact."""
    return source.drop(columns="since") if isinstance(source, pandas.DataFrame) else source


@pytest.mark.parametrize("kind", ["pandas", "cursor", "rows", "tuples", "polars"])
def test_blocking_create_contacts_takes_the_same_rows(
    sandbox: Sandbox, blocking_client: SyncSendblueClient, kind: str
) -> None:
    """A cursor belongs to the thread that waits for the results."""
    source = fields_alone(EVERY[kind]())
    columns = NAMES if kind in TUPLES else None
    results = [*blocking_client.create_contacts(source, columns=columns)]
    assert sorted(result.outcome for result in results) == ["created", "rejected", "rejected"]
    assert stored(sandbox) == {"+12015550101": ("Ada", "King")}
