"""Words that programs write where a value is missing: blank cells, unless they may be names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ImportOptions, SendblueClient, ValidationError
from sendblue_async.sandbox import Sandbox

from .workbooks import Sheet, write

pytestmark = pytest.mark.anyio

HEADER = ["Phone", "Mobile", "first_name", "last_name", "custom_variables.plan"]
NEVER_NAMES = ["NaN", "NaT", "<NA>", r"\N"]
MAYBE_NAMES = ["nan", "NULL", "null", "None", "N/A", "n/a"]
FORMATS = [".csv", ".jsonl", ".xlsx", "rows"]


def source_of(folder: Path, suffix: str, rows: list[list[str]]) -> Any:
    """The rows in a format."""
    path = folder / f"people{suffix}"
    documents = [dict(zip(HEADER, row, strict=True)) for row in rows]
    if suffix == "rows":
        return documents
    if suffix == ".xlsx":
        return write(path, Sheet([HEADER, *rows]))
    lines = (
        map(json.dumps, documents) if suffix == ".jsonl" else map(",".join, [HEADER, *rows])
    )  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1201555{n:04}"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("word", [*NEVER_NAMES, *MAYBE_NAMES])
async def test_it_is_blank_where_it_stands_for_a_number_too(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str, word: str
) -> None:
    """Of whatever column; the next number is taken, and a row with none has none."""
    rows = [
        [number(1), word, "Ada", word, word],
        [word, number(2), word, "King", "gold"],
        [word, word, "Bob", "Moss", word],
    ]
    report = await client.import_contacts(source_of(tmp_path, suffix, rows), rate_limit=1e6)
    assert (report.created, dict(report.codes)) == (2, {"missing_number": 1})
    first, second = server.contacts[number(1)], server.contacts[number(2)]
    assert (first["first_name"], first.get("last_name"), first["custom_variables"]) == (
        "Ada",
        None,
        {},
    )
    assert (second.get("first_name"), second["last_name"]) == (None, "King")
    assert second["custom_variables"] == {"plan": "gold"}


@pytest.mark.parametrize("word", [*MAYBE_NAMES, "Null", "Nan", "NA"])
async def test_somebody_may_be_called_so(
    server: Sandbox, client: SendblueClient, tmp_path: Path, word: str
) -> None:
    """Of a few people nobody is asked, and the name is stored; so is a value of a variable."""
    rows = [[number(n), "", "Ada", word if n % 30 == 0 else "King", word] for n in range(90)]
    report = await client.import_contacts(source_of(tmp_path, ".csv", rows), rate_limit=1e6)
    assert report.created == len(rows)
    assert server.contacts[number(0)]["last_name"] == word
    assert server.contacts[number(1)]["custom_variables"] == {"plan": word}


@pytest.mark.parametrize("column", [2, 3])
@pytest.mark.parametrize("word", MAYBE_NAMES)
async def test_where_many_are_called_so_it_is_asked(
    server: Sandbox, client: SendblueClient, tmp_path: Path, word: str, column: int
) -> None:
    """Nothing is sent before somebody says that these are names."""
    rows = [[number(n), "", "Ada", "King", ""] for n in range(60)]
    for row in rows[::10]:
        row[column] = word
    path = source_of(tmp_path, ".csv", rows)
    with pytest.raises(ValidationError, match=f"{word!r} stands in '{HEADER[column]}' in 6 of"):
        await client.import_contacts(path)
    assert not server.contacts
    await client.import_contacts(path, rate_limit=1e6, accept_doubts=True)
    assert server.contacts[number(0)][HEADER[column]] == word


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx"])
async def test_an_export_is_read_as_it_was_stored(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str
) -> None:
    """Whatever people are called."""
    words = [*NEVER_NAMES, *MAYBE_NAMES] * 3
    for n, word in enumerate(words):
        await client.create_contact(number(n), first_name=word, last_name="King")
    path = tmp_path / f"export.{suffix}"
    await client.export_contacts(path)
    await client.delete_contacts_bulk([number(n) for n in range(len(words))])
    options = ImportOptions(update_if_exists=True)
    report = await client.import_job(path, options).run()
    assert (report.stored, dict(report.codes)) == (len(words), {})
    for n, word in enumerate(words):
        assert server.contacts[number(n)]["first_name"] == word
