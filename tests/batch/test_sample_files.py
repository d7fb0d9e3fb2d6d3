"""The sample files are imported; what is to be stored is derived without this package."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from attrs import define, field

from sendblue_async import SendblueClient
from sendblue_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
SAMPLES: dict[str, dict[str, Any]] = {
    "contacts.csv": {
        "number": "number",
        "first_name": "first_name",
        "last_name": "last_name",
        "tags": "tags",
        "assigned_to_email": "assigned_to_email",
        "between": ";",
    },
    "google-contacts.csv": {
        "number": "Phone 1 - Value",
        "first_name": "First Name",
        "last_name": "Last Name",
        "tags": "Labels",
        "between": ":::",
    },
    "dirty-semicolons.csv": {
        "number": "Telefon",
        "first_name": "Vorname",
        "last_name": "Nachname",
        "tags": "Tags",
        "between": ",",
    },
}


@define
class Derived:
    """What should come of a file."""

    contacts: dict[str, dict[str, Any]] = field(factory=dict)
    rejected: list[dict[str, Any]] = field(factory=list)
    repeated: int = 0


def number_in(text: str) -> str | None:
    """The valid number in a cell, numbers without a country being American."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def derived(path: Path, *, merges: bool) -> Derived:
    """What the csv module and phonenumbers make of a file."""
    names = SAMPLES[path.name]
    found = Derived()
    with path.open(encoding="utf-8-sig", newline="") as file:
        between_cells = ";" if ";" in file.readline() else ","
        file.seek(0)
        for row in csv.DictReader(file, delimiter=between_cells, restval=""):
            if not any(cell.strip() for cell in row.values()):
                continue
            number = number_in(row[names["number"]])
            if number is None:
                found.rejected.append(row)
                continue
            contact: dict[str, Any] = {}
            for name in ("first_name", "last_name", "assigned_to_email"):
                if row.get(names.get(name), "").strip():
                    contact[name] = row[names[name]].strip()
            tags = [tag.strip() for tag in row[names["tags"]].split(names["between"])]
            tags = [tag for tag in tags if tag and tag != "* myContacts"]
            if tags:
                contact["tags"] = tags
            earlier = found.contacts.pop(number, None)
            found.repeated += earlier is not None
            if merges and earlier:
                both = dict.fromkeys([*earlier.get("tags", []), *contact.get("tags", [])])
                contact = {**earlier, **contact, **({"tags": list(both)} if both else {})}
            found.contacts[number] = contact
    return found


@pytest.mark.parametrize(
    ("name", "on_duplicate", "update"),
    [
        ("contacts.csv", "merge", False),
        ("google-contacts.csv", "last", True),
        ("dirty-semicolons.csv", "merge", True),
        ("dirty-semicolons.csv", "last", False),
    ],
)
async def test_every_field_of_every_row(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    name: str,
    on_duplicate: Any,
    update: bool,
) -> None:
    """Counts, stored fields and rejected rows are those that the file itself gives."""
    path = Path(shutil.copy(DATA / name, tmp_path))
    expected = derived(path, merges=on_duplicate == "merge")
    report = await client.import_contacts(
        path, region="US", on_duplicate=on_duplicate, update_if_exists=update, rate_limit=1e6
    )
    assert report.finished
    assert (report.stored if update else report.created) == len(expected.contacts)
    assert (report.rejected, report.skipped) == (len(expected.rejected), expected.repeated)
    assert (report.existing, report.unknown, report.remaining) == (0, 0, 0)
    rows = len(expected.contacts) + len(expected.rejected) + expected.repeated
    assert report.entries == rows
    assert sum(report.codes.values()) == report.rejected

    assert {*server.contacts} == {*expected.contacts}
    for number, contact in expected.contacts.items():
        stored = server.contacts[number]
        given = {field: stored[field] for field in contact}
        assert given == contact
        for blank in {"first_name", "last_name", "assigned_to_email", "tags"} - {*contact}:
            assert not stored[blank]

    if not expected.rejected:
        assert report.rejected_path is None
        return
    assert report.rejected_path == tmp_path / f"{name}.rejected.csv"
    with report.rejected_path.open(encoding="utf-8-sig", newline="") as file:
        rejected = list(csv.DictReader(file, delimiter=report.delimiter or ","))
    assert Counter(row["code"] for row in rejected) == report.codes
    for row, original in zip(rejected, expected.rejected, strict=True):
        cells = {column: row[column].removeprefix("'") for column in original}
        assert cells == original
        assert row["reason"]
