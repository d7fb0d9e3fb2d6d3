"""Text that an earlier program decoded wrongly, whatever the source: rejected, and never stored."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest

from sendblue_async import SendblueClient
from sendblue_async.sandbox import Sandbox

from .workbooks import SUFFIXES, Sheet, write

pytestmark = pytest.mark.anyio

HEADER = ["number", "first_name"]
# Names as they are, and as their bytes read in an encoding of another kind.
RIGHT = ["Zoë", "Ægir", "Œdipe", "Ñuñez", "Łukasz", "Ивáн", "张伟", "Ada", "20\N{DEGREE SIGN}C"]
GARBLED = ["JosÃ©", "MÃ¼ller", "WaÅ‚Ä™sa", "Oâ€™Brien", "Ð˜Ð²Ð°Ð½", "å¼µå‰", "Jos√©"]
# Many good ones in front, as nobody looks at the first rows alone.
ROWS = [
    [f"+1201555{n:04}", name] for n, name in enumerate([*RIGHT * 20, *GARBLED])
]  # fmt: skip
MAPPINGS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]

Make = Callable[[Path], Any]


def text_of(rows: list[list[str]]) -> str:
    """The rows as CSV."""
    return "\n".join(",".join(row) for row in [HEADER, *rows]) + "\n"


def written(name: str, text: str) -> Make:
    """Make a file of text."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def workbook(suffix: str) -> Make:
    """Make a workbook."""
    return lambda folder: write(folder / f"people{suffix}", Sheet([HEADER, *ROWS]))


def cursor(folder: Path) -> list[Any]:
    """The rows of a query, as ``sqlite3.Row``."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        database.execute("CREATE TABLE people (number, first_name)")
        database.executemany("INSERT INTO people VALUES (?, ?)", ROWS)
        return database.execute("SELECT * FROM people").fetchall()


VCARDS = "".join(f"BEGIN:VCARD\nN:;{name}\nTEL:{number}\nEND:VCARD\n" for number, name in ROWS)
ESCAPED = "\n".join(map(json.dumps, MAPPINGS))
SOURCES: dict[str, Make] = {
    "csv": written("a.csv", text_of(ROWS)),
    "json": written("a.jsonl", "\n".join(json.dumps(r, ensure_ascii=False) for r in MAPPINGS)),
    "escaped json": written("a.jsonl", ESCAPED),
    "vcard": written("a.vcf", VCARDS),
    **{suffix: workbook(suffix) for suffix in SUFFIXES},
    "mappings": lambda folder: MAPPINGS,
    "sqlite3.Row": cursor,
    "pandas": lambda folder: pandas.DataFrame(MAPPINGS),
    "polars": lambda folder: polars.DataFrame(MAPPINGS),
    "text file": lambda folder: io.StringIO(text_of(ROWS)),
    "bytes": lambda folder: io.BytesIO(text_of(ROWS).encode()),
    "open vcard": lambda folder: io.StringIO(VCARDS),
}


@pytest.mark.parametrize("name", SOURCES)
async def test_its_row_is_rejected_and_no_other(
    server: Sandbox, client: SendblueClient, tmp_path: Path, name: str
) -> None:
    """In the last rows, too; the rejected row has the text with its place marked."""
    report = await client.import_contacts(
        SOURCES[name](tmp_path),
        rate_limit=1e6,
        rejected=tmp_path / "rejected.csv",
        journal=tmp_path / "journal",
    )
    assert dict(report.codes) == {"undecodable": len(GARBLED)}
    stored = {number: contact["first_name"] for number, contact in server.contacts.items()}
    assert stored == {number: first for number, first in ROWS if first not in GARBLED}
    text = tmp_path.joinpath("rejected.csv").read_text(encoding="utf-8-sig")
    for each in GARBLED:
        assert each in text.replace("\ufffd", "")
    assert text.count("\ufffd") >= len(GARBLED)


@pytest.mark.parametrize("name", ["csv", "json", "escaped json", "vcard", "bytes"])
async def test_a_given_encoding_settles_it(
    server: Sandbox, client: SendblueClient, tmp_path: Path, name: str
) -> None:
    """Whoever names it wants the text as it is."""
    report = await client.import_contacts(
        SOURCES[name](tmp_path), rate_limit=1e6, encoding="utf-8", journal=tmp_path / "journal"
    )
    assert report.created == len(ROWS)
    stored = [contact["first_name"] for contact in server.contacts.values()]
    assert sorted(stored) == sorted(first for _, first in ROWS)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx"])
async def test_what_the_account_has_is_exported_and_read_back(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str
) -> None:
    """As it is: an export says of its own values that they are right."""
    for n, garbled in enumerate(GARBLED):
        await client.create_contact(
            f"+1201555{n:04}",
            first_name=garbled,
            tags=[garbled, "vip"],
            custom_variables={"x": garbled},
        )
    before = {phone: dict(contact) for phone, contact in server.contacts.items()}
    path = tmp_path / f"export.{suffix}"
    await client.export_contacts(path)
    options: dict[str, Any] = {"update_if_exists": True, "rate_limit": 1e6}
    report = await client.import_contacts(path, **options)
    assert (report.stored, dict(report.codes)) == (len(GARBLED), {})
    for phone, contact in server.contacts.items():
        for field in ("first_name", "tags", "custom_variables"):
            assert contact[field] == before[phone][field]
