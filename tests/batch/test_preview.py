"""What is said of a file before anything is sent, and what is refused as doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from sendblue_async import ImportOptions, SendblueClient, ValidationError
from sendblue_async.batch import ImportMapping
from sendblue_async.batch._importing._preview import preview
from sendblue_async.batch._sources._row import Row
from sendblue_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

# The second number is as good as the first one, and is another one in one row.
RIVALS = "Mobile,Handy,Name\n+12015550101,+12015550101,Ada\n+12015550102,+12015550103,Bob\n"
ABROAD = "Phone,Residence\n7702345678,India\n201-555-0101,USA\n"
COUNTED = "Number,Reach at\n2026000123,(201) 555-0101\n"
BETTER = "Phone,Reach me at\nhouse 4,+12015550101\nhouse 5,+12015550102\n,+12015550103\n"


def written(tmp_path: Path, text: str, name: str = "people.csv") -> Path:
    """A file of contacts."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def listed(folder: Path) -> list[Path]:
    """The files in a folder."""
    return [*folder.iterdir()]


def look(tmp_path: Path, text: str, **options: Any) -> ImportMapping:
    """What is said of a file."""
    return preview(ImportOptions(**options).read(written(tmp_path, text)))


def test_each_column_is_named(tmp_path: Path) -> None:
    """Those that are read with their fields, and all others with what they hold."""
    header = "Phone 1 - Label;Phone 1 - Value;Mobile;Full Name;Land;Tags;Plan;Second line;Note;Fax"
    row = "Work;201-555-0101;+12015550102;Ada King;US;vip;gold;201-555-0103;x;+12015550104"
    rows = [row] * 20
    text = "\n".join([header, *rows])
    mapping = look(tmp_path, text, region="US", columns={"Plan": "custom_variables.plan"})
    assert mapping.fields == {
        "number": ("Mobile", "Phone 1 - Value"),
        "number_label": ("Phone 1 - Label",),
        "full_name": ("Full Name",),
        "country": ("Land",),
        "tags": ("Tags",),
        "custom_variables.plan": ("Plan",),
    }
    assert mapping.unused == {"Second line": "numbers", "Note": None, "Fax": None}
    assert (mapping.encoding, mapping.delimiter, mapping.sheet) == ("utf-8", ";", None)
    assert (mapping.region, mapping.doubts) == ("US", ())


@pytest.mark.parametrize(
    ("cells", "holds"),
    [
        (["Ada King", "Grace Hopper", "José García", "山田 太郎", "Anne-Marie d'Arc"], "names"),
        (["King, Ada", "Hopper, Grace"], "names"),
        (["gold", "gold", "silver", "gold", "silver"], None),
        (["ada@example.com", "grace@example.com"], None),
        (["1 Main St", "2 Main St"], None),
        (["Met in May. Likes tea.", "Wants to be called in the evening if possible"], None),
        (["2026-01-01", "2026-01-02"], None),
        (["", " "], None),
        (["+12015550101", "", "x"], "numbers"),
        (["201-555-0101"], "numbers"),
        (["2026", "17"], None),
    ],
)
def test_what_an_unused_column_holds(tmp_path: Path, cells: list[str], holds: str | None) -> None:
    """Names are looked for only where no column is known to hold them."""
    rows = [f'+1201555{n:04},"{cell}"' for n, cell in enumerate(cells)]
    text = "\n".join(["Mobile,Whatever", *rows])
    assert look(tmp_path, text, region="US").unused == {"Whatever": holds}
    named = "\n".join(["Mobile,Whatever,First Name", *(f"{row},Ada" for row in rows)])
    known = None if holds == "names" else holds
    assert look(tmp_path, named, region="US").unused == {"Whatever": known}


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (RIVALS, {}, "two_number_columns"),
        (RIVALS.replace("0103", "0102"), {}, None),
        (RIVALS.replace("+12015550103", "nobody"), {}, None),
        (RIVALS, {"columns": {"Handy": "number"}}, None),
        (RIVALS, {"columns": {"Mobile": "number"}}, None),
        (RIVALS, {"all_numbers": True}, None),
        (RIVALS.replace("Handy", "Mobile 2"), {}, None),
        (RIVALS.replace("Handy", "Phone"), {}, None),
        (RIVALS.replace("Handy", "WhatsApp"), {}, None),
        (RIVALS.replace("Handy", "Work Mobile"), {}, None),
        (RIVALS.replace("Mobile", "Telephone").replace("Handy", "Phone"), {}, "two_number_columns"),
        (BETTER, {}, "unused_numbers"),
        (BETTER, {"columns": {"Reach me at": "number"}}, None),
        (BETTER.replace("house 4", "+12015550109").replace("house 5", "+12015550108"), {}, None),
        (BETTER.replace("Reach me at", "Fax"), {}, None),
        ("Phone,Land\n201-555-0101,USA\n0171 2345678,Germany\n", {"region": "US"}, None),
        (ABROAD, {"region": "US"}, "unused_country"),
        (ABROAD.replace("India", "+91").replace("USA", "+1"), {"region": "US"}, "unused_country"),
        (ABROAD.replace("7702345678", "+17702345678"), {"region": "US"}, None),
        (ABROAD.replace("7702345678", "201-555-0102"), {"region": "US"}, None),
        (ABROAD.replace("India", "91").replace("USA", "27"), {"region": "US"}, None),
        (ABROAD.replace("India", "IN").replace("USA", "NJ"), {"region": "US"}, None),
        (ABROAD.replace("Residence", "Land"), {"region": "US"}, None),
        (ABROAD, {"region": "US", "columns": {"Residence": "country"}}, None),
        (ABROAD, {}, None),
        (COUNTED, {"region": "US"}, "counting_column"),
        (COUNTED.replace("Number", "No."), {"region": "US"}, "counting_column"),
        (COUNTED.replace("Reach", "Fax"), {"region": "US"}, None),
        (COUNTED.replace("(201) 555-0101", "soon"), {"region": "US"}, None),
        (COUNTED.replace("Number", "Phone"), {"region": "US"}, None),
        (COUNTED.replace("Number", "Contact Number"), {"region": "US"}, None),
        (COUNTED, {"region": "US", "columns": {"Number": "number"}}, None),
        (COUNTED, {"region": "US", "columns": {"Reach at": "number"}}, None),
        ("Phone,Note\nx,y\n", {}, None),
        ("Phone,Note\n", {}, None),
    ],
)  # fmt: skip
def test_what_is_doubtful(
    tmp_path: Path, text: str, options: dict[str, Any], code: str | None
) -> None:
    """Only what makes a difference to this file, and nothing that an option has settled."""
    found = [doubt.code for doubt in look(tmp_path, text, **options).doubts]
    assert found == ([code] if code else [])


@pytest.mark.parametrize(
    ("text", "settled", "numbers"),
    [
        (RIVALS, {"columns": {"Handy": "number"}}, {"+12015550101", "+12015550103"}),
        (RIVALS, {"accept_doubts": True}, {"+12015550101", "+12015550102"}),
        (BETTER, {"columns": {"Reach me at": "number"}},
         {"+12015550101", "+12015550102", "+12015550103"}),
    ],
)  # fmt: skip
async def test_a_doubt_is_refused_before_anything_is_sent(
    server: Sandbox,
    client: SendblueClient,
    tmp_path: Path,
    text: str,
    settled: dict[str, Any],
    numbers: set[str],
) -> None:
    """The error has the argument that settles it, and shows no whole number."""
    path = written(tmp_path, text)
    with pytest.raises(ValidationError, match=r"columns=\{'.*': 'number'\}") as refused:
        await client.import_contacts(path)
    assert "accept_doubts=True" in str(refused.value)
    assert refused.value.outcome == "not_sent"
    assert (len(server.requests), listed(tmp_path)) == (0, [path])
    await client.import_contacts(path, **settled)
    assert {*server.contacts} == numbers


async def test_a_dry_run_shows_what_is_doubtful(client: SendblueClient, tmp_path: Path) -> None:
    """It goes on all the same; the job knows the mapping once it was looked at."""
    async with client.import_job(written(tmp_path, RIVALS)) as job:
        assert job.mapping is None
        result = await job.dry_run()
        assert result is not None
        assert [doubt.code for doubt in result.mapping.doubts] == ["two_number_columns"]
        assert await job.inspect() == result.mapping == job.mapping


async def test_a_file_that_changes_after_it_was_looked_at_is_refused(
    server: Sandbox, client: SendblueClient, tmp_path: Path
) -> None:
    """What was shown is what is sent."""
    path = written(tmp_path, "Phone\n+12015550101\n")
    async with client.import_job(path) as job:
        await job.inspect()
        written(tmp_path, "Phone,Name\n+12015550102,Bob\n")
        with pytest.raises(ValidationError, match="has changed"):
            await job.run()
    assert not server.contacts


def test_few_rows_are_looked_at(tmp_path: Path) -> None:
    """However many there are, and fewer if they are long."""
    reader = ImportOptions().read(written(tmp_path, "Phone,Note\n"))
    for note, most in (("x", 110), ("x" * 100_000, 20)):
        taken: list[int] = []

        def read(note: str = note, taken: list[int] = taken) -> Iterator[Row]:
            for line in range(2, 10_000):
                taken.append(line)
                yield Row(line, ("+12015550101", note))

        preview(evolve(reader, table=evolve(reader.table, read_rows=read)))
        assert len(taken) <= most


@pytest.mark.parametrize(
    ("header", "row", "region"),
    [
        ("Vorwahl;Rufnummer", "0171;5551234", "DE"),
        ("Vorname;Ortsvorwahl;Telefon", "Ada;030;2345678", "DE"),
        ("Area Code,Phone", "201,5550101", "US"),
        ("Phone,Area code", "555-0101,(201)", "US"),
        ("Country Code,Phone Area Code,Phone Number", "1,201,5550101", "US"),
        ("DDD;Telefone;Nome", "11;912345678;Ada", "BR"),
        ("LADA,Teléfono", "55,12345678", "MX"),
        ("Prefijo,Teléfono", "91,2345678", "ES"),
        ("Netnummer;Telefoon", "020;7946001", "NL"),
        ("Код города;Телефон", "495;1234567", "RU"),
        ("市外局番,電話番号", "03,12345678", "JP"),
        ("Mobile,Area Code,Phone", ",201,5550101", "US"),
    ],
)
def test_numbers_without_their_area_code_are_doubtful(
    tmp_path: Path, header: str, row: str, region: str
) -> None:
    """Without the column beside it, a number is another one, or none."""
    [doubt] = look(tmp_path, f"{header}\n{row}\n", region=region).doubts
    assert doubt.code == "unused_area_code"
    assert doubt.message.endswith("Write each number with its area code in one column.")


@pytest.mark.parametrize(
    "row", ["201,201-555-0101", "201,+1 (201) 555-0101", "0201,12015550101", ",2015550101", "n/a,x"]
)
def test_an_area_code_that_the_number_has_is_no_doubt(tmp_path: Path, row: str) -> None:
    """Some exports show a part of the number once more."""
    assert look(tmp_path, f"Area Code,Phone\n{row}\n", region="US").doubts == ()
