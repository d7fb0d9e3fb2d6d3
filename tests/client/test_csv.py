"""The real job: every row of a file becomes one contact, with every field as it stands there."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ContactResponse, SyncSendblueClient

pytestmark = pytest.mark.anyio

FILE = Path(__file__).parents[1] / "data" / "contacts.csv"
COLUMNS = ["number", "first_name", "last_name", "tags", "assigned_to_email"]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The file, read by the csv module alone."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def arguments(row: Mapping[str, str]) -> dict[str, Any]:
    """What ``create_contact`` is given for a row; an empty cell is no tag, and no value."""
    tags = [tag for tag in row["tags"].split(";") if tag]
    fields = {name: row[name] or None for name in COLUMNS if name != "tags"}
    return {**fields, "tags": tags or None}


def check_stored(sandbox: Any, rows: list[dict[str, str]]) -> None:
    """Fail unless the sandbox has these rows and nothing else, field by field."""
    stored = sandbox.contacts
    assert len(stored) == len(rows)
    for row in rows:
        there = stored[row["number"]]
        cells = {name: there[name] or "" for name in COLUMNS[1:] if name != "tags"}
        assert {
            "number": there["phone"],
            "tags": ";".join(there["tags"]),
            **cells,
        } == row
        unset = ("company_name", "sendblue_number", "custom_variables", "opt_out", "verified")
        assert not any(there[name] for name in unset)


def check_answers(answers: list[ContactResponse], rows: list[dict[str, str]]) -> None:
    """Fail unless each answer is its row's own, after one attempt."""
    for answer, row in zip(answers, rows, strict=True):
        assert (answer.contact.phone, answer.meta.attempts) == (row["number"], 1)
        assert answer.contact.first_name == (row["first_name"] or None)


async def test_five_thousand_rows_fifty_at_a_time(
    sandbox: Any, connect: Any, rows: list[dict[str, str]]
) -> None:
    """Fifty workers create all rows of the file, and the sandbox then holds exactly the file."""
    assert len(rows) == 5000
    assert list(rows[0]) == COLUMNS
    client = connect(sandbox, max_connections=50)
    places: Iterator[int] = iter(range(len(rows)))
    answers: dict[int, ContactResponse] = {}

    async def work() -> None:
        for place in places:
            answers[place] = await client.create_contact(**arguments(rows[place]))

    await asyncio.gather(*(work() for _ in range(50)))
    check_stored(sandbox, rows)
    check_answers([answers[place] for place in range(len(rows))], rows)
    assert sandbox.counts == {"requests": 5000, "created": 5000}


async def test_five_hundred_rows_from_eight_threads(
    sandbox: Any, rows: list[dict[str, str]]
) -> None:
    """Eight threads share one blocking client, and the sandbox then holds exactly their rows."""
    some = rows[::10]
    keys = "sandbox-key", "sandbox-secret"

    def create_all() -> list[ContactResponse]:
        with (
            SyncSendblueClient(*keys, base_url=sandbox.base_url) as client,
            ThreadPoolExecutor(8) as threads,
        ):
            return list(threads.map(lambda row: client.create_contact(**arguments(row)), some))

    answers = await asyncio.to_thread(create_all)
    check_stored(sandbox, some)
    check_answers(answers, some)
    assert sandbox.counts == {"requests": 500, "created": 500}
