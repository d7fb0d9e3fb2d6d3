"""Where the header of a CSV file is, and what is done where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch import ImportOptions
from sendblue_async.batch._mapping._contact_reader import ContactReader
from sendblue_async.exceptions import SendblueError, ValidationError

Read = Callable[..., ContactReader]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as the contacts of a CSV file."""

    def reader(text: str, **options: Any) -> ContactReader:
        path = tmp_path / "contacts.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return ImportOptions(region="US", **options).read(path)

    return reader


def stored(reader: ContactReader) -> list[tuple[str, str | None]]:
    """The number and the first name of each contact."""
    return [
        (entry.contact.number, entry.contact.first_name)
        for entry in reader.entries()
        if entry.contact is not None
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2015550101,Ada\n2015550102,Alan\n",
        "Ada,2015550101\nAlan,2015550102\n",
        '"2015550101","Ada"\n"2015550102","Alan"\n',
        "201 555 0101;Ada\n",
        "(201) 555-0101\tAda\n",
        "201.555.0101|Ada\n",
        "+12015550101,Ada\n",
        "'2015550101,Ada\n",
        '="2015550101",Ada\n',
        "tel:+12015550101,Ada\n",
        "2015550101\n2015550102\n",
        " 2015550101 \n",
        "5550101,Ada\n",
        "My contacts\n2015550101,Ada\n",
        "sep=;\n2015550101;Ada\n",
        "\ufeff2015550101,Ada\n",
        "Ada;King;vip;(201) 555-0101\nAlan;Turing;;(201) 555-0102\n",
        "https://wa.me/12015550101,Ada\n",
        "https://api.whatsapp.com/send?phone=12015550101,Ada\n",
        "(201) 555-0101 / (201) 555-0102,Ada\n",
    ],
)
def test_a_file_without_a_header_says_so(read: Read, text: str) -> None:
    """The error says which row holds a number, and which column it is; that settles it."""
    with pytest.raises(ValidationError, match=r"no header: .* holds a phone number,") as caught:
        read(text)
    position = str(caught.value).partition("columns={'")[2][0]
    numbers = [
        number for number, _ in stored(read(text, header=False, columns={position: "number"}))
    ]
    assert len(numbers) >= text.count("2015550")
    with pytest.raises(SendblueError):
        read(text, columns={text.split(",")[0].strip(): "number"})


def test_without_a_header_columns_go_by_position(read: Read) -> None:
    """The first row is a contact as all others are."""
    columns = {"2": "number", "1": "first_name"}
    reader = read("Ada,2015550101\nAlan,2015550102,,,\n", header=False, columns=columns)
    assert stored(reader) == [("+12015550101", "Ada"), ("+12015550102", "Alan")]
    assert [entry.line for entry in reader.entries()] == [1, 2]


@pytest.mark.parametrize(
    "above",
    [
        "Contacts of 2026-11-01\n",
        "Customers\n\n\n",
        "Export,2026-11-01\n",
        "Report;;\n2026-11-01;;\nTotal;5000;\n\n",
        "Total: 1234567\n",
        "Total,1234567\n",
        "# Exported by the CRM\n# on 2026-11-01, by Ada\n",
        "From 2026-11-01 to 2026-11-30\n",
        "01.11.2026-30.11.2026\n",
        "2026-11-01T13:37:00.000Z\n",
        "sep=,\n",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
def test_the_header_is_found_below_titles(read: Read, above: str, delimiter: str) -> None:
    """Titles, totals, dates and comments above it are no rows, whatever stands between cells."""
    if above.startswith("sep="):
        above = f"sep={delimiter}\n"
    cells = [
        ("Phone", "First Name", "Price"),
        ("2015550101", "Ada", "1,5"),
        ("2015550102", "Bo", "2"),
    ]
    if delimiter == ",":
        cells[1] = (*cells[1][:2], "1.5")
    table = "".join(delimiter.join(row) + "\n" for row in cells)
    reader = read(above + table)
    assert stored(reader) == [("+12015550101", "Ada"), ("+12015550102", "Bo")]
    assert reader.table.delimiter == delimiter
    assert next(iter(reader.entries())).line == above.count("\n") + 2


@pytest.mark.parametrize(
    "groups",
    ["Person,,Phones,", "Contact,,Phone,", "Name,,Phone", ",,Mobile,", "Tags,,Phone,,,,"],
)
@pytest.mark.parametrize("above", ["", "Report 2026\n\n"])
def test_names_of_groups_of_columns_are_not_the_header(read: Read, groups: str, above: str) -> None:
    """The row below has more names of columns, and no number."""
    text = f"{above}{groups}\nFirst Name,Last Name,Mobile,Home\nAda,King,2015550101,2015550102\n"
    assert stored(read(text)) == [("+12015550101", "Ada")]


@pytest.mark.parametrize(
    "row", ["Ada,2015550101,Phone,Mobile,Tags", "Ada,,Phone,Mobile", "Phone,2015550101,vip"]
)
def test_a_contact_below_the_header_is_none(read: Read, row: str) -> None:
    """Neither names of columns in its cells nor more cells make it the header."""
    assert read(f"First Name,Phone,Tags\n{row}\n").table.columns == ("First Name", "Phone", "Tags")


def test_contacts_above_the_header_are_not_left_out(read: Read) -> None:
    """A row with a number before the header makes the file unusable."""
    with pytest.raises(ValidationError, match=r"line 1, and line 2 looks like the header\."):
        read("2015550101,Ada,x\nPhone,First Name,Tags\n2015550102,Alan,y\n")


@pytest.mark.parametrize(
    "text",
    [
        "Rufnr,Anzeige,Quelle\n2015550101,Phone,Mobile\n2015550102,Email,Mobile\n",
        "Art,Kanal,Rufnr\nPhone,Mobile,2015550101\nPhone,Mobile,2015550102\n",
    ],
)
def test_a_contact_with_names_of_columns_in_it_is_no_header(read: Read, text: str) -> None:
    """Below a row as wide, a number is that of a contact, whatever stands beside it."""
    with pytest.raises(ValidationError, match=r"The columns are .*Rufnr"):
        read(text)


def test_a_mapped_name_makes_the_header(read: Read) -> None:
    """A row with a column that the user named is the header."""
    reader = read("Bericht 2026\nAAA,BBB\n2015550101,Ada\n", columns={"AAA": "number"})
    assert [number for number, _ in stored(reader)] == ["+12015550101"]


def test_a_repeated_header_is_no_row(read: Read) -> None:
    """Files that were put together have it once for each, behind a byte order mark."""
    text = "\ufeffPhone,First Name\n2015550101,Ada\n\ufeffPhone,First Name\n2015550102,Bo\n\x1a"
    reader = read(text)
    assert stored(reader) == [("+12015550101", "Ada"), ("+12015550102", "Bo")]
    assert len(list(reader.entries())) == 2


@pytest.mark.parametrize(
    "text",
    [
        'Phone,First Name\n="2015550101",="Ada"\n',
        'Phone, "First Name"\n2015550101, "Ada"\n',
        '"Phone", "First Name"\n"2015550101",   "Ada"\n',
        "'Phone','First Name'\n'2015550101','Ada'\n",
        "Phone,First Name\n'2015550101','Ada'\n",
        "'Phone';'First Name'\n2015550101;'Ada'\n'2015550101';'Ada'\n",
        'Phone,First Name\n"=""2015550101""","=""Ada"""\n',
    ],
)
def test_wrapping_is_no_part_of_a_value(read: Read, text: str) -> None:
    """Formulas that are text, quotes behind a space, and apostrophes around all that is text."""
    assert {*stored(read(text))} == {("+12015550101", "Ada")}


def test_a_single_apostrophe_is_a_part_of_a_name(read: Read) -> None:
    """So is a quote in a cell that was quoted as it should be."""
    text = 'Phone,First Name\n2015550101,\'t Hart\n2015550102,"""Ada"""\n'
    assert stored(read(text)) == [("+12015550101", "'t Hart"), ("+12015550102", '"Ada"')]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("BEGIN:VCARD\nN:King;Ada\nTEL:+12015550101\nEND:VCARD\n", "vCard"),
        ("dn: cn=Ada,o=x\nmobile: +12015550101\n", "LDIF"),
        ("version: 1\n\ndn: cn=Ada\n", "LDIF"),
        ("BEGIN:VCALENDAR\n", "a calendar"),
        ("INSERT INTO people VALUES (1);\n", "SQL"),
        ("{\\rtf1 Phone}\n", "RTF"),
        ("<contacts>\n<c/>\n", "HTML or XML"),
        ("<div><table>\n", "HTML or XML"),
        ("<html><table><tr><td>Phone</td></tr></table>", "HTML or XML"),
    ],
)
def test_another_format_is_called_what_it_is(read: Read, text: str, what: str) -> None:
    """The error goes by what is in the file, and not by the end of its name."""
    with pytest.raises(ValidationError, match=f" is {what}, whatever its name says"):
        read(text)


def test_blank_values_of_variables_delete_nothing(read: Read) -> None:
    """A blank value in JSON is as a blank cell."""
    reader = read('number,custom_variables\n2015550101,"{""plan"": """"}"\n', update_if_exists=True)
    [entry] = reader.entries()
    assert entry.contact is not None
    assert entry.contact.to_dict() == {"number": "+12015550101", "update_if_exists": True}


@pytest.mark.parametrize(
    ("text", "options", "advice"),
    [
        ("Ask,Reach\nAda,2015550101\n", {}, "columns={'Reach': 'number'}"),
        ("Ada,2015550101\nAlan,2015550102\n", {"header": False}, "columns={'2': 'number'}"),
        ("Ada,King,\nAlan,Turing,2015550102\n", {}, "header=False"),
        ("Ask,Reach\nAda,soon\n", {}, "columns={NAME: 'number'}"),
    ],
)
def test_what_is_advised_where_no_column_has_a_known_name(
    read: Read, text: str, options: dict[str, Any], advice: str
) -> None:
    """To use the column that holds numbers; no other one is recommended."""
    with pytest.raises(ValidationError, match="No column was recognised") as caught:
        read(text, **options)
    said = str(caught.value)
    assert advice in said
    assert "'Ask': 'number'" not in said
    assert "'Ada': 'number'" not in said
    assert "'King': 'number'" not in said
