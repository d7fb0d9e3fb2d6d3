"""Imports of workbooks: resumed, mended and looked at beforehand, as those of text are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from sendblue_async import (
    AuthenticationError,
    ImportOptions,
    JournalError,
    SendblueClient,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async.sandbox import Sandbox

from .workbooks import SUFFIXES, Sheet, text_cell, write, write_cells

pytestmark = pytest.mark.anyio
each_format = pytest.mark.parametrize("suffix", SUFFIXES)

CONTACTS = Sheet(
    [
        ["Customers of 2026"],
        ["number", "first_name", "custom_variables.fee", "custom_variables.since", "note"],
        [14155550123, "Ada", 12.5, True, "#N/A"],
        ["call me", "Bob"],
        ["+1 415 555 0124", "Grace", None, None],
        ["14155550125", "#N/A"],
        ["14155550126", "Alan", "#REF!"],
    ],
    "Contacts",
    hidden=frozenset({4}),
)
OTHER = Sheet([["number"], ["+14155550199"]], "Other")


def journal_of(path: Path) -> Path:
    """Where the journal of an import is."""
    return path.with_name(f"{path.name}.journal")


@each_format
@pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient])
async def test_a_workbook_is_imported_and_its_rejected_rows_after_it(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str, cls: type
) -> None:
    """Rejected rows go into a CSV file with the row numbers of the sheet, and import as CSV."""
    path = write(tmp_path / f"people{suffix}", CONTACTS, OTHER)
    options: dict[str, Any] = {"region": "US", "rate_limit": 1e6}
    if cls is SendblueClient:
        report = await client.import_contacts(path, **options)
    else:
        keys = server.api_key, server.api_secret
        blocking = SyncSendblueClient(*keys, base_url=server.base_url)
        report = await anyio.to_thread.run_sync(lambda: blocking.import_contacts(path, **options))
        await anyio.to_thread.run_sync(blocking.close)
    assert (report.entries, report.created, report.rejected) == (5, 2, 3)
    assert report.codes == {"invalid_number": 1, "spreadsheet_error": 2}
    assert (report.sheet, report.other_sheets, report.hidden_rows) == ("Contacts", ("Other",), 1)
    assert (report.unit, report.encoding, report.delimiter) == ("row", None, None)
    stored = server.contacts["+14155550123"]
    assert stored["first_name"] == "Ada"
    assert stored["custom_variables"] == {"fee": "12.5", "since": "TRUE"}
    rejected = report.rejected_path
    assert rejected == tmp_path / f"people{suffix}.rejected.csv"
    first, *rows = rejected.read_text(encoding="utf-8-sig").splitlines()
    assert first.endswith(",note,line,code,reason")
    assert [row.split(",")[:2] for row in rows] == [
        ["call me", "Bob"],
        ["14155550125", "#N/A"],
        ["14155550126", "Alan"],
    ]
    assert [row.split(",")[5:7] for row in rows] == [
        ["4", "invalid_number"],
        ["6", "spreadsheet_error"],
        ["7", "spreadsheet_error"],
    ]
    # As it is it is rejected again, and mended it is not.
    again = await client.import_contacts(rejected, **options)
    assert (again.created, again.codes) == (0, report.codes)
    mended = rejected.read_text(encoding="utf-8-sig").replace("call me", "+14155550127")
    rejected.write_text(mended.replace("#N/A", "Zoë").replace("#REF!", ""), encoding="utf-8")
    journal_of(rejected).unlink()
    assert (await client.import_contacts(rejected, **options)).created == 3


@each_format
async def test_a_workbook_is_resumed_with_its_sheet(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str
) -> None:
    """By name or number; another sheet is another import, and so is another file after it."""
    path = write(tmp_path / f"people{suffix}", CONTACTS, OTHER)
    wrong = SendblueClient(server.api_key, "mistyped", base_url=server.base_url)
    async with wrong:
        with pytest.raises(AuthenticationError):
            await wrong.import_contacts(path, sheet=2)
    with pytest.raises(JournalError, match=r"sheet was 'Other' and is 'Contacts' now"):
        await client.import_contacts(path, resume=True)
    report = await client.import_contacts(path, sheet="Other", resume=True)
    assert (report.created, report.sheet, report.other_sheets) == (1, "Other", ("Contacts",))
    write(path, OTHER, Sheet([["number"], ["+14155550198"]], "Contacts"))
    report = await client.import_contacts(path, sheet="Other", resume=True)
    assert (report.created, report.existing) == (0, 1)


async def test_existing_rows_are_named_by_their_rows(
    client: SendblueClient, tmp_path: Path
) -> None:
    """Their numbers are those that the sheet shows."""
    await client.create_contact("+14155550199")
    path = write(tmp_path / "a.xlsx", Sheet([["title"], [], ["number", "x"], ["+14155550199"]]))
    report = await client.import_contacts(path)
    assert (report.lines["existing"], report.unit) == ((4,), "row")


async def test_formulas_without_a_value_are_rejected(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """Their rows are in the file of rejected rows, whose line tells the row."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f"<row>{text_cell('A1', 'number')}{text_cell('B1', 'first_name')}</row>"
        f'<row>{text_cell("A2", "+14155550123")}<c r="B2"><f>1+1</f></c></row>',
    )
    report = await client.import_contacts(path)
    assert report.codes == {"formula_without_value": 1}
    assert report.rejected_path is not None
    assert "+14155550123,\ufffd,2,formula" in report.rejected_path.read_text(encoding="utf-8-sig")
    assert not server.contacts


@each_format
async def test_what_cannot_be_used_sends_nothing(
    server: Sandbox, client: SendblueClient, tmp_path: Path, suffix: str
) -> None:
    """A workbook is refused before there is a journal."""
    path = write(tmp_path / f"a{suffix}", Sheet([["name"], ["Ada"]]))
    with pytest.raises(ValidationError, match="No column was recognised as phone numbers"):
        await client.import_contacts(path)
    assert not journal_of(path).exists()
    assert not server.contacts


@each_format
def test_a_dry_run_tells_the_sheet(tmp_path: Path, suffix: str) -> None:
    """It reads all and sends nothing."""
    path = write(tmp_path / f"people{suffix}", CONTACTS, OTHER)
    with SyncSendblueClient().import_job(path, ImportOptions(region="US")) as job:
        found = job.dry_run()
    assert found is not None
    assert (found.entries, found.contacts, found.encoding) == (5, 2, None)
    assert (found.sheet, found.other_sheets, found.hidden_rows) == ("Contacts", ("Other",), 1)
    assert [*tmp_path.iterdir()] == [path]
