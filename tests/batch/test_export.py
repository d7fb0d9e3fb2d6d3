"""Exports of the whole account, and that an import reads them back."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from sendblue_async import (
    ConfigurationError,
    SendblueClient,
    ServerError,
    SyncSendblueClient,
    ValidationError,
)
from sendblue_async.batch import ExportReport
from sendblue_async.batch._exporting._formats import WorkbookWriter
from sendblue_async.models import Contact
from sendblue_async.sandbox import Faults, Sandbox

from ..client.conftest import Timer, make_client

pytestmark = pytest.mark.anyio

FORMATS = ("csv", "jsonl", "xlsx")
NUMBER = "+12015550001"
FIELDS = (
    "first_name",
    "last_name",
    "company_name",
    "assigned_to_email",
    "sendblue_number",
    "tags",
    "custom_variables",
)
# What spreadsheets, CSV, JSON, XML and the importer itself have a meaning for.
ODD = (
    "=1+1",
    "'=1+1",
    '="Ada"',
    '\'="Ada"',
    '=""Ada""',
    "+12015550002",
    "-2+3",
    "@SUM(A1)",
    "\t=x",
    "\r=x",
    "'",
    "''",
    '"',
    'a "b" c',
    "a,b",
    "a;b",
    "a:::b",
    ":::",
    "* myContacts",
    "[x]",
    '["a"]',
    "{}",
    "line\nbreak",
    "line\r\nbreak",
    "\n",
    " ",
    " both ",
    "end\n",
    "\u00a0wide\u00a0",
    "\u200bhidden",
    "\ufeffmark",
    "12345678901234567890",
    "00123",
    "4.41E+11",
    "1/2",
    "TRUE",
    "null",
    "#N/A",
    "#REF!",
    "Err:501",
    "sep=;",
    "\ufffd",
    "a\x00b",
    "\x0b\x0c\x1c\x85\u2028\u2029",
    "_x000D_",
    "日本語",
    "JosÃ©",
    "à\x80\x80",
    "👩‍💻",
    "é",
    "\\n",
    "\n" * 1200,
)


@pytest.fixture
async def server() -> AsyncIterator[Sandbox]:
    """A sandbox."""
    async with Sandbox() as sandbox:
        yield sandbox


def connect(server: Sandbox) -> SendblueClient:
    """A client of the sandbox whose waits take no time."""
    keys = server.api_key, server.api_secret
    return make_client(Timer().clock, *keys, base_url=server.base_url)


@pytest.fixture
async def client(server: Sandbox) -> AsyncIterator[SendblueClient]:
    """A client of the sandbox."""
    async with connect(server) as client:
        yield client


def fields_of(server: Sandbox, number: str = NUMBER) -> dict[str, Any]:
    """What an import can store of a contact; blank and missing are the same."""
    stored = server.contacts[number]
    return {name: stored[name] for name in FIELDS if stored[name] not in (None, "", [], {})}


TEXT = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"])))
PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "first_name": TEXT,
        "last_name": TEXT,
        "company_name": TEXT,
        "assigned_to_email": TEXT,
        "sendblue_number": st.just("+15125550100"),
        "tags": st.lists(TEXT, max_size=3),
        "custom_variables": st.dictionaries(TEXT, TEXT, max_size=3),
    },
)


@pytest.mark.parametrize("format", FORMATS)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(people=st.lists(PEOPLE, min_size=1, max_size=8))
@example(people=[dict.fromkeys(FIELDS[:4], odd) for odd in ODD])
@example(people=[{"tags": [odd], "custom_variables": {odd: odd}} for odd in ODD])
@example(people=[{"tags": ["vip", "lead"]}, {"tags": ["", ""]}, {"tags": ["a", "a"]}])
@example(people=[{"assigned_to_email": "null"}])
@example(people=[{"first_name": "nan"}, {"company_name": "NULL"}, {"assigned_to_email": "n/a"}])
async def test_an_import_reads_an_export_back(
    tmp_path_factory: pytest.TempPathFactory, format: str, people: list[dict[str, Any]]
) -> None:
    """Into another account it stores the same contacts; into this one it sends no write."""
    path = tmp_path_factory.mktemp("export") / f"contacts.{format}"
    async with Sandbox() as one, Sandbox() as other, connect(one) as client:
        for n, person in enumerate(people):
            await client.create_contact(f"+1201555{n:04}")
            if person:
                await client.update_contact(f"+1201555{n:04}", **person)
        report = await client.export_contacts(path)
        assert report == ExportReport(path=path, format=format, contacts=len(people))
        async with connect(other) as importer:
            report = await importer.import_contacts(path, rate_limit=1e6)
        assert (report.created, report.rejected) == (len(people), 0)
        for number in one.contacts:
            assert fields_of(other, number) == fields_of(one, number)
        one.requests.clear()
        report = await client.import_contacts(
            path,
            update_if_exists=True,
            only_changes=True,
            rate_limit=1e6,
        )
        assert (report.unchanged, report.entries) == (len(people), len(people))
        assert {request.method for request in one.requests} == {"GET"}


async def store(client: SendblueClient) -> None:
    """Put two contacts into the account, one of them hostile."""
    await client.create_contact(
        "+12015550001",
        first_name="=cmd()",
        last_name="'=1",
        tags=["vip", "lead"],
        custom_variables={"plan": "gold"},
        sendblue_number="+15125550100",
    )
    await client.create_contact("+12015550002", first_name="Zoë ", tags=["a,b"])


def files_in(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(file.name for file in folder.iterdir())


def read_csv(text: str) -> list[dict[str, str]]:
    """The rows of CSV."""
    return [*csv.DictReader(io.StringIO(text, newline=""))]


async def test_csv_has_no_formula(client: SendblueClient, tmp_path: Path) -> None:
    """Texts that are one are shown; numbers stand as they are, for programs to join."""
    await store(client)
    await client.export_contacts(path := tmp_path / "contacts.csv")
    ada, zoe = read_csv(path.read_text(encoding="utf-8"))
    assert (ada["number"], ada["sendblue_number"]) == ("+12015550001", "+15125550100")
    assert (ada["first_name"], ada["last_name"]) == ("'=cmd()", "''=1")
    assert (ada["tags"], ada["custom_variables"]) == ("vip,lead", '{"plan": "gold"}')
    assert (zoe["first_name"], zoe["tags"]) == ("Zoë ", '["a,b"]')
    assert zoe["exact_values"] == r'{"first_name":["Zo\u00eb","Zo\u00eb "]}'
    assert ada["contact_id"]
    assert ada["contact_id"] != zoe["contact_id"]


async def test_json_lines_have_types(client: SendblueClient, tmp_path: Path) -> None:
    """Lists and objects are such, and what has no value is left out."""
    await store(client)
    await client.export_contacts(path := tmp_path / "contacts.jsonl")
    ada, zoe = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (ada["first_name"], ada["tags"]) == ("=cmd()", ["vip", "lead"])
    assert ada["custom_variables"] == {"plan": "gold"}
    assert (ada["opt_out"], zoe["opt_out"]) == (False, False)
    assert "last_name" not in zoe


async def test_a_workbook_has_text_cells(client: SendblueClient, tmp_path: Path) -> None:
    """No cell is a formula, and none becomes one when it is edited."""
    await store(client)
    await client.export_contacts(path := tmp_path / "contacts.xlsx")
    sheet = load_workbook(path).active
    assert sheet is not None
    header, ada, _ = sheet.iter_rows()
    cells = {str(name.value): cell for name, cell in zip(header, ada, strict=True)}
    assert cells["first_name"].value == "=cmd()"
    assert cells["number"].value == "+12015550001"
    for name in ("number", "first_name", "last_name"):
        assert cells[name].data_type == "s"
        assert cells[name].quotePrefix


async def test_an_existing_file_is_replaced_only_if_asked(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """It is refused before anything is listed, and replaced as a whole with its permissions."""
    path = tmp_path / "contacts.csv"
    path.write_text("mine", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(ValidationError, match=r"exists\. Name another file, or pass overwrite"):
        await client.export_contacts(path)
    assert not server.requests
    server.faults = Faults(server_error=1.0)
    with pytest.raises(ServerError):
        await client.export_contacts(path, overwrite=True)
    assert path.read_text(encoding="utf-8") == "mine"
    server.faults = Faults()
    await client.export_contacts(path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("number,")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    await client.export_contacts(private := tmp_path / "private.csv")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert files_in(tmp_path) == ["contacts.csv", "private.csv"]


async def test_a_file_that_appears_meanwhile_is_left_alone(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What was exported is dropped instead."""
    path = tmp_path / "contacts.csv"
    create = client._list

    async def list_late(query: Any) -> Any:
        path.write_text("mine", encoding="utf-8")
        return await create(query)

    client._list = list_late  # type: ignore[method-assign]
    with pytest.raises(ValidationError, match="exists"):
        await client.export_contacts(path)
    assert files_in(tmp_path) == ["contacts.csv"]
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("format", FORMATS)
async def test_an_open_file_stays_open(client: SendblueClient, format: Any) -> None:
    """Of bytes in each format, also after an error; of text where that is text."""
    await store(client)
    file = io.BytesIO()
    report = await client.export_contacts(file, format=format)
    assert (report.path, report.contacts, file.closed) == (None, 2, False)
    if format == "xlsx":
        assert file.getvalue().startswith(b"PK")
        with pytest.raises(ConfigurationError, match="open for bytes"):
            await client.export_contacts(io.StringIO(), format=format)
        return
    text = io.StringIO(newline="")
    await client.export_contacts(text, format=format)
    assert text.getvalue() == file.getvalue().decode()


async def test_an_open_file_stays_open_after_an_error(
    server: Sandbox, client: SendblueClient
) -> None:
    """Its owner may want to say so in it."""
    server.faults = Faults(server_error=1.0)
    file = io.BytesIO()
    with pytest.raises(ServerError):
        await client.export_contacts(file)
    assert not file.closed


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        ("contacts.txt", {}, ConfigurationError, "tells no format"),
        ("contacts.csv", {"format": "tsv"}, ConfigurationError, "format must be"),
        ("missing/contacts.csv", {}, ValidationError, "cannot be written: No such file"),
        (3, {}, ValidationError, "must be the name of a file or an open one, not int"),
        ("contacts.csv", {"overwrite": 1}, ConfigurationError, "overwrite must be"),
    ],
)
async def test_what_cannot_be_is_refused(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: Any,
    options: Any,
    error: type[Exception],
    words: str,
) -> None:
    """Before anything is listed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=re.escape(words)):
        await client.export_contacts(target, **options)
    assert not server.requests


def test_the_blocking_client_exports(sandbox: Sandbox, tmp_path: Path) -> None:
    """With the same arguments and the same report."""
    keys = sandbox.api_key, sandbox.api_secret
    with SyncSendblueClient(*keys, base_url=sandbox.base_url) as client:
        client.create_contact("+12015550001", first_name="Ada")
        report = client.export_contacts(tmp_path / "contacts.jsonl")
    assert (report.contacts, report.format) == (1, "jsonl")


def test_what_does_not_fit_into_a_workbook_is_refused() -> None:
    """A cell that Excel would cut off is an error that names another format."""
    with (
        closing(WorkbookWriter(io.BytesIO())) as writer,
        pytest.raises(ValidationError, match="Export these contacts as CSV"),
    ):
        writer.write([Contact(phone=NUMBER, first_name="x" * 32_768)])


async def test_what_was_mended_in_a_spreadsheet_counts(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """A cell that somebody changed is not restored to what it stood for."""
    await client.create_contact(NUMBER, first_name="Zoë ", last_name="King ")
    await client.export_contacts(path := tmp_path / "contacts.csv")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Zoë ,", "Zoe,"), encoding="utf-8")
    await client.import_contacts(path, update_if_exists=True, rate_limit=1e6)
    stored = server.contacts[NUMBER]
    assert (stored["first_name"], stored["last_name"]) == ("Zoe", "King ")
