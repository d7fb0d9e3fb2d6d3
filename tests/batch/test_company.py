"""Companies of an import: where they are read from, what stores them, and what is compared."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

from sendblue_async import ImportOptions, ImportReport, SendblueClient, SendOptions
from sendblue_async.sandbox import Sandbox

from ..client.conftest import Timer, make_client
from ..client.servers import contact, echo, refusal, reply, running
from .workbooks import Sheet, write

pytestmark = pytest.mark.anyio

QUICK = SendOptions(rate_limit=1e6)
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bulk": {"bulk": True},
    "upsert": {"update_if_exists": True},
}


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1201555{n:04}"


def written(folder: Path, text: str, name: str = "people.csv") -> Path:
    """A file of contacts."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def companies(server: Sandbox) -> dict[str, str | None]:
    """The companies that are stored, by number."""
    return {key: there["company_name"] for key, there in server.contacts.items()}


def writes(server: Sandbox) -> list[str]:
    """The requests that were to change something, as method and path."""
    return [
        f"{request.method} {request.path.removeprefix('/api/v2/contacts')}".strip()
        for request in server.requests
        if request.method != "GET"
    ]


def counts(report: ImportReport) -> dict[str, int]:
    """What became of the rows, without what became of none."""
    names = ("created", "stored", "unchanged", "existing", "rejected", "unknown", "remaining")
    return {name: count for name in names if (count := getattr(report, name))}


VCARD = f"BEGIN:VCARD\nVERSION:3.0\nN:King;Ada;;;\nTEL:{number(1)}\nORG:{{}}\nEND:VCARD\n"
SOURCES: dict[str, tuple[Callable[[Path], Any], dict[str, str]]] = {
    "csv": (lambda at: written(at, f"number,company_name\n{number(1)},Navy\n"), {}),
    "csv, Company": (lambda at: written(at, f"Phone,Company\n{number(1)}, Navy \n"), {}),
    "csv, Firma": (lambda at: written(at, f"Telefon;Firma\n{number(1)};Navy\n"), {}),
    "csv, mapped": (
        lambda at: written(at, f"Phone,Klient,Company\n{number(1)},Navy,Army\n"),
        {"Klient": "company_name"},
    ),
    "json lines": (
        lambda at: written(at, f'{{"number":"{number(1)}","company_name":"Navy"}}\n', "a.jsonl"),
        {},
    ),
    "vcard": (lambda at: written(at, VCARD.format("Navy;Research"), "a.vcf"), {}),
    "workbook": (
        lambda at: write(at / "a.xlsx", Sheet([["Phone", "Company"], [number(1), "Navy"]])),
        {},
    ),
    "DataFrame": (
        lambda at: pandas.DataFrame({"Phone": [number(1)], "Organization": ["Navy"]}),
        {},
    ),
    "rows": (lambda at: [{"number": number(1), "company_name": "Navy"}], {}),
    "stream": (lambda at: io.StringIO(f"Phone,Employer\n{number(1)},Navy\n"), {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", SOURCES)
async def test_a_company_of_every_source_is_stored(
    server: Sandbox, client: SendblueClient, tmp_path: Path, source: str, kind: str
) -> None:
    """Under its own name, under that of other programs, and mapped; with every way to send it."""
    make, columns = SOURCES[source]
    report = await client.import_contacts(
        make(tmp_path), columns=columns, rate_limit=1e6, **KINDS[kind]
    )
    assert counts(report) == {"stored" if kind == "upsert" else "created": 1}
    assert companies(server) == {number(1): "Navy"}


async def test_the_preview_names_the_column(client: SendblueClient, tmp_path: Path) -> None:
    """As that of any other field; a second one is not used, and one of a department neither."""
    path = written(tmp_path, f"Phone,Organization,Employer,Company Size\n{number(1)},Navy,Army,3\n")
    async with client.import_job(path) as job:
        mapping = await job.inspect()
    assert mapping.fields == {"number": ("Phone",), "company_name": ("Organization",)}
    assert {*mapping.unused} == {"Employer", "Company Size"}
    assert mapping.doubts == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_of_one_number_are_merged_with_their_companies(
    server: Sandbox, client: SendblueClient, tmp_path: Path, kind: str
) -> None:
    """The later one counts, and a blank one does not take the earlier one away."""
    rows = [f"{number(1)},Ada,Army", f"{number(2)},Bob,", f"{number(1)},Ada,Navy",
            f"{number(2)},Bob,Corps", f"{number(1)},Ada,"]  # fmt: skip
    path = written(tmp_path, "\n".join(["number,first_name,company_name", *rows]))
    report = await client.import_contacts(path, rate_limit=1e6, **KINDS[kind])
    assert report.skipped == 3
    assert companies(server) == {number(1): "Navy", number(2): "Corps"}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_existing_contact_is_changed_only_by_an_upsert(
    server: Sandbox, client: SendblueClient, tmp_path: Path, kind: str
) -> None:
    """With an address of its own or without; a blank company changes none."""
    for n in range(3):
        await client.create_contact(number(n))
        await client.update_contact(number(n), company_name="Old")
    rows = [f"{number(0)},Navy,", f"{number(1)},Navy,a@example.com", f"{number(2)},,"]
    path = written(tmp_path, "\n".join(["number,company_name,assigned_to_email", *rows]))
    report = await client.import_contacts(path, rate_limit=1e6, **KINDS[kind])
    new = "Navy" if kind == "upsert" else "Old"
    assert counts(report) == {"stored" if kind == "upsert" else "existing": 3}
    assert companies(server) == {number(0): new, number(1): new, number(2): "Old"}


async def test_with_only_changes_the_company_is_compared(
    tmp_path: Path,
) -> None:
    """One that differs or is new is sent, one that is stored is not, and a blank one is no value.

    So the company that an account fills in by itself is no change.
    """
    timer = Timer()
    async with Sandbox(clock=lambda: 1_700_000_000 + timer.now) as server:
        keys = server.api_key, server.api_secret
        async with make_client(timer.clock, *keys, base_url=server.base_url) as client:
            for n in range(4):
                await client.create_contact(number(n), first_name="Ada")
                await client.update_contact(number(n), company_name="Navy")
            server.requests.clear()
            rows = ["Ada,Navy", "Ada,", "Ada,Army", "Eve,Navy", "Bob,Corps"]
            lines = [f"{number(n)},{row}" for n, row in enumerate(rows)]
            path = written(tmp_path, "\n".join(["number,first_name,company_name", *lines]))
            options = ImportOptions(update_if_exists=True, only_changes=True)
            plan = await client.import_job(path, options, QUICK).dry_run()
            assert plan is not None
            assert (plan.contacts, plan.unchanged, plan.requests) == (3, 2, 5)
            assert [dict(change.fields) for change in plan.changes] == [
                {"company_name": {"stored": "Navy", "new": "Army"}},
                {"first_name": {"stored": "Ada", "new": "Eve"}},
                {
                    "first_name": {"stored": None, "new": "Bob"},
                    "company_name": {"stored": None, "new": "Corps"},
                },
            ]
            assert writes(server) == []
            report = await client.import_job(path, options, QUICK).run()
            assert counts(report) == {"unchanged": 2, "stored": 3}
            # The contact whose company is known to be stored takes one request alone.
            assert sorted(line.split()[0] for line in writes(server)) == ["POST"] * 3 + ["PUT"] * 2
            there = {n: server.contacts[number(n)] for n in range(5)}
            assert [(one["first_name"], one["company_name"]) for one in there.values()] == [
                ("Ada", "Navy"),
                ("Ada", "Navy"),
                ("Ada", "Army"),
                ("Eve", "Navy"),
                ("Bob", "Corps"),
            ]
            server.requests.clear()
            path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
            again = await client.import_job(path, options, QUICK).run()
            assert (counts(again), writes(server)) == ({"unchanged": 5}, [])


@pytest.mark.parametrize(
    ("options", "send", "requests"),
    [
        ({}, {}, 1 + 1 + 2),
        ({}, {"bulk": True}, 1 + 2),
        ({"update_if_exists": True}, {}, 1 + 2 + 2),
    ],
)
async def test_a_dry_run_counts_the_updates(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    options: dict[str, Any],
    send: dict[str, Any],
    requests: int,
) -> None:
    """As many requests as the import then makes."""
    rows = [f"{number(0)},,", f"{number(1)},Navy,", f"{number(2)},Navy,a@example.com"]
    path = written(tmp_path, "\n".join(["number,company_name,assigned_to_email", *rows]))
    quick = SendOptions(rate_limit=1e6, **send)
    plan = await client.import_job(path, ImportOptions(**options), quick).dry_run()
    assert plan is not None
    assert plan.requests == requests
    assert plan.samples[-1]["company_name"] == "Navy"
    await client.import_job(path, ImportOptions(**options), quick).run()
    assert len(server.requests) == requests


async def test_a_refused_company_is_in_the_rejected_rows(tmp_path: Path) -> None:
    """With the word that the contact is stored, so that its mended row is imported as an update."""
    path = written(
        tmp_path, f"number,company_name,assigned_to_email\n{number(1)},Navy,a@b.example\n"
    )
    async with (
        running(POST=echo(contact_id="7"), PUT=refusal(400, "Too long")) as server,
        SendblueClient("key", "secret", base_url=server.base_url) as client,
    ):
        report = await client.import_contacts(
            path, rate_limit=1e6, results=tmp_path / "results.csv"
        )
    assert (counts(report), dict(report.codes)) == ({"rejected": 1}, {"http_400": 1})
    assert report.rejected_path is not None
    for file in (report.rejected_path, tmp_path / "results.csv"):
        [row] = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
        assert row["code"] == "http_400"
        assert row["reason"].startswith("The contact is stored, without its company: PUT ")
        assert row["reason"].endswith("Mended, it needs update_if_exists=True.")
    assert "Navy" not in (tmp_path / "results.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("email", ["", "a@b.example"])
async def test_an_interrupted_row_is_finished_when_it_is_resumed(
    tmp_path: Path, email: str
) -> None:
    """Whatever it had done: the row is no ``existing`` one, and its company is stored."""
    path = written(tmp_path, f"number,company_name,assigned_to_email\n{number(1)},Navy,{email}\n")
    async with (
        running(POST=refusal(401), PUT=refusal(401)) as server,
        SendblueClient("key", "secret", base_url=server.base_url) as client,
    ):
        made = contact(number(1), assigned_to_email=email)
        if email:
            # The create succeeds, and the update does not.
            server.steps["POST"] = [echo()]
        else:
            # The create succeeds, and nobody answers.
            server.steps["POST"] = [refusal(500)] * 3 + [refusal(401)]
            server.steps["GET"] = [refusal(401)]
        with pytest.raises(Exception, match="401"):
            await client.import_contacts(path, rate_limit=1e6)
        if email:
            server.steps["POST"] = [refusal(409, "Contact already exists")]
            server.steps["PUT"] = [contact(number(1), company_name="Navy")]
        else:
            server.steps["POST"] = [reply(200, {"contacts": [], "status": "OK"})]
            made = contact(number(1), company_name="Navy")
        server.steps["GET"] = [made]
        server.requests.clear()
        report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert counts(report) == {"created": 1}
    methods = [request.method for request in server.requests]
    assert methods == (["POST", "GET", "PUT"] if email else ["POST", "GET"])
