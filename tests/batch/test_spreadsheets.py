"""Workbooks of Excel and LibreOffice: which sheet, which rows, and every value as it stands."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msoffcrypto.format.ooxml
import openpyxl
import pytest
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table as OdsTable
from odf.table import TableCell, TableRow
from odf.text import P

from sendblue_async.batch._sources import _archive, _spreadsheet
from sendblue_async.batch._sources._row import Row
from sendblue_async.batch._sources._table import read_table
from sendblue_async.exceptions import ConfigurationError, ValidationError

from .workbooks import SUFFIXES, Sheet, rewrite, text_cell, write, write_cells

WRITTEN = Path(__file__).parents[1] / "data" / "workbooks"
each_format = pytest.mark.parametrize("suffix", SUFFIXES)
SEVERAL = (
    Sheet([], "Blank"),
    Sheet([["number"], ["hidden"]], "Hidden", visible=False),
    Sheet([["number"], ["first"]], "Kontakte"),
    Sheet([["number"], ["second"]], "2"),
    Sheet([["number"], ["third"]], "Zoë 🚀"),
)


def rows_of(path: Path, **options: Any) -> list[Row]:
    """All rows of a file."""
    return list(read_table(path, **options).rows())


def cells_of(path: Path, **options: Any) -> list[tuple[str, ...]]:
    """The cells of all rows of a file."""
    return [row.cells for row in rows_of(path, **options)]


@each_format
@pytest.mark.parametrize("name", ["contacts{}", "contacts.csv", "contacts.jsonl", "contacts"])
def test_a_workbook_is_known_by_what_is_in_it(tmp_path: Path, suffix: str, name: str) -> None:
    """Whatever its name is; a row is known by its number in the sheet."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number", "name"], ["+14155550123", "Ada"]]))
    path = path.rename(tmp_path / name.format(suffix))
    table = read_table(path)
    assert table.columns == ("number", "name")
    assert (table.unit, table.sheet, table.encoding, table.delimiter) == (
        "row",
        "Sheet",
        None,
        None,
    )
    assert list(table.rows()) == [Row(2, ("+14155550123", "Ada"))]
    table.check_unchanged()


@each_format
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (14155550123, "14155550123"),
        (14155550123.0, "14155550123"),
        (441234567890123, "441234567890123"),
        (9007199254740991, "9007199254740991"),
        (-3, "-3"),
        (0, "0"),
        (1.5, "1.5"),
        (0.25, "0.25"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        ("0049 89 123", "0049 89 123"),
        ("007", "007"),
        (" Zoë\n🚀 ", " Zoë\n🚀 "),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 13, 37, 59), "2026-01-02T13:37:59"),
    ],
    ids=str,
)
def test_values_are_texts_with_all_their_digits(
    tmp_path: Path, suffix: str, value: Any, text: str
) -> None:
    """Numbers never in exponents or with a decimal point too many, dates as ISO 8601."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number", "value"], ["x", value]]))
    assert cells_of(path) == [("x", text)]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
@pytest.mark.parametrize(
    ("value", "text"), [(time(3, 4, 5), "03:04:05"), (timedelta(hours=30, seconds=1), "30:00:01")]
)
def test_times_are_texts(tmp_path: Path, suffix: str, value: Any, text: str) -> None:
    """Times of day and durations read as a spreadsheet shows them."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number", "value"], ["x", value]]))
    assert cells_of(path) == [("x", text)]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("12345678901234567890", "12345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ("-12345678901234567", "-12345678901234567"),
        ("1.4155550123E10", "14155550123"),
        ("14155550123.0", "14155550123"),
        ("1.2345678901234567E+19", "12345678901234567000"),
    ],
)
def test_long_numbers_have_the_digits_of_the_file(tmp_path: Path, number: str, text: str) -> None:
    """Where the file has more digits than a value keeps, all of them are read."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f'<row>{text_cell("A1", "number")}</row><row><c r="A2"><v>{number}</v></c></row>',
    )
    assert cells_of(path) == [(text,)]
    ods = OpenDocumentSpreadsheet()
    sheet = OdsTable(name="Sheet")
    for cell in (TableCell(valuetype="string"), TableCell(valuetype="float", value=number)):
        cell.addElement(P(text="number"))
        row = TableRow()
        row.addElement(cell)
        sheet.addElement(row)
    ods.spreadsheet.addElement(sheet)
    ods.save(str(tmp_path / "a.ods"))
    assert cells_of(tmp_path / "a.ods") == [(text,)]


@each_format
def test_what_libreoffice_writes(suffix: str) -> None:
    """Values of formulas, currencies, percentages, a title, a comment, a hidden row, errors."""
    table = read_table(WRITTEN / f"libreoffice{suffix}")
    assert table.columns == (
        *("Phone", "First Name", "Last Name", "Joined", "Share", "Fee", "Active", "Code", "Full"),
        *("Next", "Broken", "At", "Ratio"),
    )
    yes, no = ("1", "0") if suffix == ".ods" else ("TRUE", "FALSE")
    ratio = "0.333333333333333"
    assert [(row.line, *row.cells) for row in table.rows()] == [
        (
            *(4, "14155550123", "Ada", "King", "2026-01-01", "0.25", "12.5", yes, "007"),
            *("Ada King", "14155550124", "2", "13:37:00", ratio),
        ),
        (
            *(5, "+1 415 555 0124", "Grace", "Hopper", "2026-01-02T03:04:05", "0.5", "99.99", no),
            *("0042", "Grace Hopper", "2", "#DIV/0!", "13:37:00", ratio),
        ),
        (
            *(6, "14155550125", "Hidden", "Row", "2026-01-03", "1", "1", yes, "1", "Hidden Row"),
            *("14155550126", "#REF!", "13:37:00", ratio),
        ),
        (
            *(8, "14155550126", "#N/A", "Turing", "2026-01-04", "0", "0", yes, "x", "#N/A"),
            *("14155550127", "#N/A", "13:37:00", ratio),
        ),
    ]
    assert all(row.problem is None for row in table.rows())
    assert (table.sheet, table.other_sheets, table.hidden_rows) == ("Kontakte", ("Other",), 1)


@each_format
def test_the_first_visible_sheet_with_rows_is_read(tmp_path: Path, suffix: str) -> None:
    """What other sheets there are is told; blank and hidden ones are none."""
    path = write(tmp_path / f"a{suffix}", *SEVERAL)
    table = read_table(path)
    assert (table.sheet, table.other_sheets) == ("Kontakte", ("2", "Zoë 🚀"))
    assert [row.cells for row in table.rows()] == [("first",)]


@each_format
@pytest.mark.parametrize(
    ("sheet", "text"),
    [
        ("Zoë 🚀", "third"),
        ("Hidden", "hidden"),
        # A name goes before a number; a number counts what is seen.
        ("2", "second"),
        (2, "first"),
        (3, "second"),
        ("4", "third"),
    ],
)
def test_a_sheet_is_given_by_name_or_number(
    tmp_path: Path, suffix: str, sheet: str | int, text: str
) -> None:
    """Hidden ones only by name."""
    path = write(tmp_path / f"a{suffix}", *SEVERAL)
    table = read_table(path, sheet=sheet)
    assert [row.cells for row in table.rows()] == [(text,)]
    assert table.sheet not in table.other_sheets


@each_format
@pytest.mark.parametrize("sheet", ["None", "", "sheet", 0, -1, 2, "2", 99, True, 1.0, "²"])
def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path, suffix: str, sheet: Any) -> None:
    """The error lists those that are."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number"], ["x"]]), Sheet([], "B", visible=False))
    with pytest.raises(ConfigurationError, match=r"has no sheet .* Its sheets are 'Sheet', 'B'\."):
        read_table(path, sheet=sheet)


@each_format
@pytest.mark.parametrize("options", [{}, {"sheet": "Sheet"}])
def test_a_workbook_without_rows_cannot_be_used(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    """The error says that there is no header."""
    path = write(tmp_path / f"a{suffix}", Sheet([]))
    with pytest.raises(ValidationError, match=r"has no header that can be used\. .*heet.* row"):
        read_table(path, **options)


@each_format
def test_titles_above_the_header_are_passed_over(tmp_path: Path, suffix: str) -> None:
    """Merged over the table, or alone in their row, with dates and blank rows between them."""
    rows = [
        ["Customers", None, None],
        ["26.11.2026"],
        [],
        ["Exported by Ada", None, None],
        [None, "number", "name"],
        [None, "+14155550123", "Ada"],
        [None, None, None],
        [None, "+14155550124", "Alan"],
    ]
    table = read_table(write(tmp_path / f"a{suffix}", Sheet(rows, wide={0: [3]})))
    assert table.columns == ("", "number", "name")
    assert [(row.line, row.cells[1]) for row in table.rows()] == [
        (6, "+14155550123"),
        (8, "+14155550124"),
    ]


@each_format
def test_a_name_may_stand_over_several_columns(tmp_path: Path, suffix: str) -> None:
    """In a header with other names it is that of the first of them."""
    rows = [["address", None, "number", "name"], ["a", "b", "c", "d"]]
    path = write(tmp_path / f"a{suffix}", Sheet(rows, wide={0: [2]}))
    assert read_table(path).columns == ("address", "", "number", "name")
    rows = [["number", "name", "address", None], ["a", "b", "c", "d"]]
    write(path, Sheet(rows, wide={0: [1, 1, 2]}))
    assert read_table(path).columns == ("number", "name", "address")


@each_format
def test_a_title_above_one_column_is_passed_over(tmp_path: Path, suffix: str) -> None:
    """Where it is merged over several, and however far down the table begins."""
    rows = [["Customers", None], *[[]] * 200, ["number"], ["+14155550123"], ["+14155550124"]]
    table = read_table(write(tmp_path / f"a{suffix}", Sheet(rows, wide={0: [2]})))
    assert table.columns == ("number",)
    assert [row.line for row in table.rows()] == [203, 204]


@each_format
@pytest.mark.parametrize("rows", [[["Customers", None]], [[" "], ["\t"]]])
def test_a_sheet_with_nothing_but_a_title_is_refused(
    tmp_path: Path, suffix: str, rows: list[list[Any]]
) -> None:
    """Or with blank texts alone."""
    path = write(tmp_path / f"a{suffix}", Sheet(rows, wide={0: [2]} if rows[0][0] != " " else {}))
    with pytest.raises(ValidationError, match=r" has no header .* No row of the sheet names col"):
        read_table(path)


@each_format
def test_headings_over_groups_of_columns_are_passed_over(tmp_path: Path, suffix: str) -> None:
    """A row whose cells are merged over the columns below is no header."""
    rows = [["Contact", None, "Address", None], ["number", "name", "city", "country"], ["x"]]
    table = read_table(write(tmp_path / f"a{suffix}", Sheet(rows, wide={0: [2, 2]})))
    assert table.columns == ("number", "name", "city", "country")


@each_format
@pytest.mark.parametrize(
    "rows",
    [
        [["number"], ["+14155550123"], ["+14155550124", "a note"]],
        [["number"], ["+14155550123", "a note"]],
        [["number"], [14155550123], [14155550124, "a note", "another"]],
    ],
)
def test_a_header_of_one_column_is_no_title(
    tmp_path: Path, suffix: str, rows: list[list[Any]]
) -> None:
    """A name above phone numbers is that of their column, whatever stands beside them."""
    table = read_table(write(tmp_path / f"a{suffix}", Sheet(rows)))
    assert table.columns == ("number",)
    assert len(list(table.rows())) == len(rows) - 1


@each_format
@pytest.mark.parametrize("number", ["+14155550123", 14155550123, "(415) 555-0123"])
def test_a_sheet_without_a_header_is_refused(tmp_path: Path, suffix: str, number: Any) -> None:
    """A phone number in the first row names no column."""
    path = write(tmp_path / f"a{suffix}", Sheet([[number, "Ada"], ["+14155550124", "Alan"]]))
    with pytest.raises(ValidationError, match=r"no header .* Row 1 has a phone number in it\."):
        read_table(path)


@each_format
@pytest.mark.parametrize("number", ["tel:+14155550123", "https://wa.me/14155550123"])
def test_a_number_in_other_words_is_no_header(tmp_path: Path, suffix: str, number: str) -> None:
    """Workbooks and CSV agree on what looks like a phone number."""
    path = write(tmp_path / f"a{suffix}", Sheet([["Ada", number], ["Alan", "+14155550124"]]))
    with pytest.raises(ValidationError, match=r"no header .* Row 1 has a phone number in it\."):
        read_table(path)


@each_format
@pytest.mark.parametrize(
    "above",
    [
        [["Export", "2026-11-01"]],
        [["Total", 1234567], []],
        [["Report"], ["Region", "West"], ["From 2026-11-01 to 2026-11-30"]],
    ],
)
def test_the_header_is_found_by_its_names(
    tmp_path: Path, suffix: str, above: list[list[Any]]
) -> None:
    """Titles of several cells are passed over as those of CSV are, but no contact is."""
    rows = [*above, ["number", "name"], ["+14155550124", "Alan"]]
    path = write(tmp_path / f"a{suffix}", Sheet(rows))
    table = read_table(path, is_known={"number", "name"}.__contains__)
    assert table.columns == ("number", "name")
    assert list(table.rows()) == [Row(len(rows), ("+14155550124", "Alan"))]
    write(path, Sheet([["+14155550123", "Ada"], *rows]))
    with pytest.raises(ValidationError, match=r"no header .* Row 1 has a phone number in it\."):
        read_table(path, is_known={"number", "name"}.__contains__)


@each_format
def test_a_repeated_header_is_no_row(tmp_path: Path, suffix: str) -> None:
    """Sheets that were put together have it once for each."""
    rows = [["number", "name"], ["x", "y"], ["number", "name"], ["z", "y"]]
    path = write(tmp_path / f"a{suffix}", Sheet(rows))
    assert rows_of(path) == [Row(2, ("x", "y")), Row(4, ("z", "y"))]


@each_format
def test_columns_of_one_name_are_numbered(tmp_path: Path, suffix: str) -> None:
    """As those of CSV are."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number", "a", None, "a"], ["x", 1, 2, 3]]))
    table = read_table(path)
    assert table.columns == ("number", "a (1)", "", "a (2)")
    assert table.header == ("number", "a", "", "a")
    assert list(table.rows()) == [Row(2, ("x", "1", "2", "3"))]


@each_format
def test_rows_keep_their_numbers(tmp_path: Path, suffix: str) -> None:
    """Blank rows are passed over, hidden ones are read and counted, short ones filled up."""
    rows = [["number", "name"], ["a", "b"], [], ["c"], [" "], ["d", None, "right of the table"]]
    path = write(tmp_path / f"a{suffix}", Sheet(rows, hidden=frozenset({0, 3, 4})))
    table = read_table(path)
    assert list(table.rows()) == [Row(2, ("a", "b")), Row(4, ("c", "")), Row(6, ("d", ""))]
    assert table.hidden_rows == 2


@each_format
def test_an_apostrophe_of_the_rejected_rows_is_taken_off(tmp_path: Path, suffix: str) -> None:
    """So that the file of rejected rows may be mended and saved as a workbook."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number", "'=x"], ["'+14155550123", "'s"]]))
    table = read_table(path)
    assert table.columns == ("number", "=x")
    assert list(table.rows()) == [Row(2, ("+14155550123", "'s"))]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('<c r="B2" t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "#DIV/0!"),
        ('<c r="B2" t="e">\n <v>#REF!</v>\n</c>', "#REF!"),
        ('<c t="s" /><c t="e"><v>#NAME?</v></c>', "#NAME?"),
    ],
)
def test_errors_are_seen(tmp_path: Path, cell: str, text: str) -> None:
    """Where a formula has no result, the cell says why, and is not blank."""
    rows = f"<row>{text_cell('A1', 'a')}{text_cell('B1', 'b')}{text_cell('C1', 'c')}</row>"
    rows += f'<row r="2">{cell}{text_cell("C2", "c")}</row>'
    assert rows_of(write_cells(tmp_path / "a.xlsx", rows)) == [Row(2, ("", text, "c"))]


def test_an_error_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """The error names the cell, as the library reads nothing of such a sheet."""
    path = write(tmp_path / "a.xlsx", Sheet([["a"], ["b"]]), Sheet([["a"], ["b"]], "Other"))
    error = b'<row r="3"><c r="A3" t="e"><v>#ERROR!</v></c></row></sheetData>'
    rewrite(path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", error))
    with pytest.raises(ValidationError, match=r"The cell A3 of .* #ERROR!, .*Mend the formula"):
        read_table(path)
    assert cells_of(path, sheet="Other") == [("b",)]


def test_a_formula_that_was_never_calculated_is_a_problem(tmp_path: Path) -> None:
    """A program wrote the formula and no value; in a spreadsheet program it gets one."""
    path = tmp_path / "a.xlsx"
    workbook = openpyxl.Workbook()
    workbook.active.append(["number", "name"])
    workbook.active.append(["+14155550123", '="A"&"da"'])
    workbook.active.append(["+14155550124", "Alan"])
    workbook.save(path)
    first, second = rows_of(path)
    assert first.cells == ("+14155550123", "\ufffd")
    assert first.problem is not None
    assert first.problem.code == "formula_without_value"
    assert second == Row(3, ("+14155550124", "Alan"))
    sheet = "xl/worksheets/sheet1.xml"
    rewrite(path, sheet, lambda xml: re.sub(rb"<v ?/>|<v></v>", b"", xml))
    assert rows_of(path) == [first, second]


@pytest.mark.parametrize("suffix", [".xlsx", ".ods"])
def test_rows_of_nothing_but_such_formulas_are_rows(tmp_path: Path, suffix: str) -> None:
    """Also below the last row with a value, where the library sees none."""
    path = tmp_path / f"a{suffix}"
    if suffix == ".xlsx":
        formula = '<c r="{0}"><f>A2</f></c>'
        rows = [text_cell("A1", "number"), text_cell("A2", "x"), *map(formula.format, ("A3", "A5"))]
        write_cells(path, "".join(f'<row r="{cell[7]}">{cell}</row>' for cell in rows))
    else:
        write(path, Sheet([["number"], ["x"], ["y"], [], ["y"]]))
        formula_cell = b'<table:table-cell table:formula="of:=[.A2]"/>'
        cell = rb"<table:table-cell [^>]*><text:p>y</text:p></table:table-cell>"
        rewrite(path, "content.xml", lambda xml: re.sub(cell, formula_cell, xml))
    first, *others = rows_of(path)
    assert first == Row(2, ("x",))
    assert [(row.line, row.problem and row.problem.code) for row in others] == [
        (3, "formula_without_value"),
        (5, "formula_without_value"),
    ]


def test_a_formula_right_of_the_table_is_no_problem(tmp_path: Path) -> None:
    """Nothing there is read, so that nothing there can be missing."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f"<row>{text_cell('A1', 'number')}{text_cell('B1', 'name')}</row>"
        f'<row>{text_cell("A2", "x")}{text_cell("B2", "y")}<c r="C2"><f>1+1</f></c></row>',
    )
    assert rows_of(path) == [Row(2, ("x", "y"))]


def test_a_formula_whose_value_is_blank_is_blank(tmp_path: Path) -> None:
    """A formula may well come to an empty text."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f"<row>{text_cell('A1', 'a')}{text_cell('B1', 'b')}</row>"
        f'<row>{text_cell("A2", "x")}<c r="B2" t="str"><f>""</f><v></v></c></row>',
    )
    assert rows_of(path) == [Row(2, ("x", ""))]


def encrypt(path: Path) -> None:
    """Encrypt a workbook as Excel does."""
    buffer = io.BytesIO()
    with path.open("rb") as file:
        msoffcrypto.format.ooxml.OOXMLFile(file).encrypt("secret", buffer)
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "protected.xls", "protected.ods"])
def test_a_protected_workbook_is_refused(tmp_path: Path, name: str) -> None:
    """The error says so, for each way in which programs encrypt one."""
    path = tmp_path / name
    if name.startswith("protected"):
        path.write_bytes((WRITTEN / name).read_bytes())
    else:
        write(tmp_path / "a.xlsx", Sheet([["number"], ["x"]])).rename(path)
        encrypt(path)
    with pytest.raises(ValidationError, match=r" is protected by a password\. Save it without"):
        read_table(path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
def test_text_under_the_name_of_a_workbook_is_read_as_text(tmp_path: Path, name: str) -> None:
    """A CSV file that is called .xlsx is CSV."""
    path = tmp_path / name
    path.write_text("number;name\n+14155550123;Ada\n")
    table = read_table(path)
    assert (table.columns, table.delimiter, table.unit) == (("number", "name"), ";", "line")


@pytest.mark.parametrize(
    "text",
    [
        "<html><body><table><tr><td>number</td></tr></table></body></html>",
        '\ufeff\n  <!DOCTYPE html>\n<html lang="de">',
        "<TABLE border=1><tr><th>number",
        '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><Workbook/>',
        '<meta http-equiv="content-type" content="text/html">',
    ],
)
@pytest.mark.parametrize("name", ["a.xls", "a.csv"])
def test_html_under_the_name_of_a_workbook_is_refused(tmp_path: Path, text: str, name: str) -> None:
    """Some programs write a page for the browser and call it .xls."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError, match=r" is HTML or XML, whatever its name says\. Open it"):
        read_table(tmp_path / name)


def cut(content: bytes) -> bytes:
    """The first half."""
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    """One byte in the middle is another one."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@each_format
@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_workbook_is_refused(
    tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    """The error says what to do, whatever the library makes of it."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number"], *[[f"text {n}"] for n in range(400)]]))
    path.write_bytes(damage(path.read_bytes()))
    if damage is flip and suffix == ".xls":
        # Nothing in this format would tell.
        assert len(rows_of(path)) == 400
        return
    with pytest.raises(ValidationError, match=r"damaged.* Open it in|damaged\. Save"):
        read_table(path)


@each_format
def test_no_damage_brings_another_error(tmp_path: Path, suffix: str) -> None:
    """Whatever byte changes, the workbook is read or refused in words of ours."""
    content = (WRITTEN / f"libreoffice{suffix}").read_bytes()
    chance = random.Random(14)
    path = tmp_path / f"a{suffix}"
    for _ in range(150):
        damaged = bytearray(content)
        first = chance.randrange(len(damaged))
        damaged[first : first + chance.choice([1, 4])] = chance.randbytes(chance.choice([0, 1, 4]))
        path.write_bytes(damaged)
        with contextlib.suppress(ValidationError):
            rows_of(path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
def test_an_offset_before_the_beginning_is_damage(tmp_path: Path, name: str) -> None:
    """Of an archive, whose directory says where everything is."""
    path = write(tmp_path / name, Sheet([["number"], ["x"]]))
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\x05\x06")
    content[end + 16 : end + 20] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    with pytest.raises(ValidationError, match=r"is a damaged workbook|is damaged"):
        read_table(path)


@each_format
def test_a_workbook_cut_anywhere_is_refused_or_read(tmp_path: Path, suffix: str) -> None:
    """No cut brings anything but an error of ours."""
    content = write(tmp_path / f"a{suffix}", Sheet([["number"], ["x"]])).read_bytes()
    for size in range(8, len(content), len(content) // 60):
        path = tmp_path / "cut"
        path.write_bytes(content[:size])
        with contextlib.suppress(ValidationError):
            assert cells_of(path) == [("x",)]


@pytest.mark.parametrize(
    ("member", "xml"),
    [
        ("xl/workbook.xml", b"<workbook"),
        ("xl/workbook.xml", b"<workbook><sheets><sheet name='a'/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", b"<Relationships/>"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row r='x'/></sheetData></worksheet>"),
    ],
)
def test_xml_that_makes_no_sense_is_refused(tmp_path: Path, member: str, xml: bytes) -> None:
    """It is a damaged workbook, or one without rows."""
    path = write(tmp_path / "a.xlsx", Sheet([["number"], ["x"]]))
    rewrite(path, member, lambda old: xml)
    with pytest.raises(ValidationError, match=r"damaged workbook|no header"):
        read_table(path)


def test_xml_that_declares_what_it_means_is_refused(tmp_path: Path) -> None:
    """No workbook does, and a few lines of that can stand for more than fits into memory."""
    path = write(tmp_path / "a.xlsx", Sheet([["number"], ["x"]]))
    declared = b"<!DOCTYPE worksheet [<!ENTITY a 'b'>]>"
    rewrite(path, "xl/worksheets/sheet1.xml", lambda old: declared + old)
    with pytest.raises(ValidationError, match=r" is a damaged workbook\. "):
        read_table(path)


@pytest.mark.parametrize(("depth", "refused"), [(900, False), (1_000, True)])
@pytest.mark.parametrize(
    ("name", "member", "end"),
    [
        ("a.xlsx", "xl/worksheets/sheet1.xml", b"</worksheet>"),
        ("a.ods", "content.xml", b"</office:spreadsheet>"),
    ],
)
def test_xml_nested_without_end_is_refused(
    tmp_path: Path, name: str, member: str, end: bytes, depth: int, refused: bool
) -> None:
    """Each open element takes memory, and a small archive can have a hundred million."""
    path = write(tmp_path / name, Sheet([["number"], ["x"]]))
    nested = b"<a>" * depth + b"</a>" * depth
    rewrite(path, member, lambda xml: xml.replace(end, nested + end))
    if refused:
        with pytest.raises(ValidationError, match=r" is a damaged workbook\. "):
            read_table(path)
    else:
        assert rows_of(path) == [Row(2, ("x",))]


def test_an_encrypted_member_is_a_password(tmp_path: Path) -> None:
    """ZIP archives have passwords of their own."""
    path = write(tmp_path / "a.xlsx", Sheet([["number"], ["x"]]))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(ValidationError, match=" is protected by a password"):
        read_table(path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
@pytest.mark.parametrize("lies", [False, True])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, name: str, lies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it says of itself that it is small."""
    monkeypatch.setattr(_archive, "LARGEST", 1 << 20)
    path = write(tmp_path / name, Sheet([["number"], ["x"]]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", bytes(1 << 21))
    if lies:
        content = path.read_bytes()
        path.write_bytes(content.replace((1 << 21).to_bytes(4, "little"), b"\x01\0\0\0"))
    with pytest.raises(ValidationError, match=r" unpacks to more than 1 MB\. "):
        read_table(path)


def test_sizes_that_are_wrong_are_damage(tmp_path: Path) -> None:
    """An archive says of each member how large it is, and the library believes it."""
    path = write(tmp_path / "a.xlsx", Sheet([["number"], ["x"]]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", bytes(1 << 21))
    path.write_bytes(path.read_bytes().replace((1 << 21).to_bytes(4, "little"), b"\x01\0\0\0"))
    with pytest.raises(ValidationError, match=r" is a damaged workbook\. "):
        read_table(path)


@pytest.mark.parametrize("reference", ["XFD1048576", "A99999999", "ZZZ2"])
def test_a_cell_far_away_is_refused(tmp_path: Path, reference: str) -> None:
    """It would take memory for all cells up to it."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f"<row>{text_cell('A1', 'number')}</row><row>{text_cell('B900000', 'x')}</row>"
        f"<row>{text_cell(reference, 'x')}</row>",
    )
    with pytest.raises(ValidationError, match=r"A sheet of .* reaches to cell .* too far\. Delete"):
        read_table(path)


@pytest.mark.parametrize("cell", [{"numberrowsrepeated": 1048576}, {}])
def test_a_repeated_cell_counts_as_often_as_it_stands(tmp_path: Path, cell: dict[str, Any]) -> None:
    """OpenDocument has one cell for a million."""
    document = OpenDocumentSpreadsheet()
    sheet = OdsTable(name="Sheet")
    row = TableRow(**cell)
    each = TableCell(valuetype="string", numbercolumnsrepeated=16384)
    each.addElement(P(text="x"))
    row.addElement(each)
    sheet.addElement(row)
    document.spreadsheet.addElement(sheet)
    document.save(str(tmp_path / "a.ods"))
    if cell:
        with pytest.raises(ValidationError, match=r" reaches to cell XFD1048576"):
            read_table(tmp_path / "a.ods")
    else:
        assert len(read_table(tmp_path / "a.ods").columns) == 16384


@pytest.mark.parametrize("hidden", [True, False])
def test_notes_on_repeated_cells_are_limited(tmp_path: Path, hidden: bool) -> None:
    """What is noted beside the values, an error or a hidden row, takes more memory than a value."""
    path = tmp_path / "a.ods"
    sheet = OdsTable(name="Sheet")
    columns = 1 if hidden else 16
    options: dict[str, Any] = {"visibility": "collapse"} if hidden else {}
    row = TableRow(numberrowsrepeated=(1 << 20) + 2 if hidden else 1_000_000, **options)
    cell = TableCell(valuetype="string", formula="of:=1/0", numbercolumnsrepeated=columns)
    cell.addElement(P(text="x" if hidden else "#DIV/0!"))
    row.addElement(cell)
    sheet.addElement(row)
    document = OpenDocumentSpreadsheet()
    document.spreadsheet.addElement(sheet)
    document.save(str(path))
    with pytest.raises(ValidationError, match=r" has more than 1,048,576 hidden rows, merged ce"):
        read_table(path)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *((".xlsx", kind) for kind in ("hidden", "merged", "error")),
        *((".ods", kind) for kind in ("hidden", "merged")),
        (".xls", "hidden"),
    ],
)
def test_notes_on_all_sheets_are_limited(
    tmp_path: Path, suffix: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workbook of two megabytes can have sixteen million errors, and all of them are noted."""
    monkeypatch.setattr(_spreadsheet, "MOST_NOTES", 8)
    rows = [["number", None], *[["#N/A" if kind == "error" else "x", None]] * 3]
    hidden = frozenset({1, 2, 3} if kind == "hidden" else ())
    wide = {row: [2] for row in (1, 2, 3)} if kind == "merged" else {}
    sheets = [Sheet(rows, name, hidden=hidden, wide=wide) for name in ("one", "two", "three")]
    assert len(rows_of(write(tmp_path / f"a{suffix}", *sheets[:2]))) == 3
    path = write(tmp_path / f"b{suffix}", *sheets)
    with pytest.raises(ValidationError, match=r" has more than 8 hidden rows, merged cells, and"):
        read_table(path)


@pytest.mark.parametrize("suffix", [".ods", ".xls"])
def test_what_all_sheets_reach_over_is_limited(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In these formats the library reads all sheets at once, whichever is asked for."""
    monkeypatch.setattr(_spreadsheet, "MOST_CELLS", 8)
    sheets = [Sheet([["number", "x"], ["1", "2"]], name=name) for name in ("one", "two", "three")]
    assert len(rows_of(write(tmp_path / f"a{suffix}", *sheets[:2]))) == 1
    path = write(tmp_path / f"b{suffix}", *sheets)
    with pytest.raises(ValidationError, match=r" reaches to cell B2, which is too far\. "):
        read_table(path)


@pytest.mark.parametrize(("rows", "refused"), [(1 << 16, False), (1 << 31, True)])
def test_an_old_workbook_cannot_claim_to_be_larger_than_one_can_be(
    tmp_path: Path, rows: int, refused: bool
) -> None:
    """The library would take memory for all that it claims."""
    path = write(tmp_path / "a.xls", Sheet([["number"], ["x"]]))
    record = struct.pack("<HHIIHHH", 0x0200, 14, 0, 2, 0, 1, 0)
    content = path.read_bytes()
    assert content.count(record) == 1
    claimed = struct.pack("<HHIIHHH", 0x0200, 14, 0, rows, 0, 256, 0)
    path.write_bytes(content.replace(record, claimed))
    if refused:
        with pytest.raises(ValidationError, match=r" is a damaged workbook\. "):
            read_table(path)
    else:
        assert rows_of(path) == [Row(2, ("x",))]


def test_blank_cells_far_away_do_no_harm(tmp_path: Path) -> None:
    """Formatted columns and rows, and a sheet that claims to be larger than it is."""
    path = write_cells(
        tmp_path / "a.xlsx",
        f"<row>{text_cell('A1', 'number')}<c r='XFD1' s='0'/></row>"
        f"<row>{text_cell('A2', 'x')}</row><row><c r='XFD1048576' s='0'/></row>",
    )
    rewrite(
        path,
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b'<dimension ref="A1:A1" />', b'<dimension ref="A1:XFD1048576" />'),
    )
    assert rows_of(path) == [Row(2, ("x",))]


@each_format
@pytest.mark.parametrize("option", ["encoding", "delimiter"])
def test_options_of_text_are_refused(tmp_path: Path, suffix: str, option: str) -> None:
    """A workbook has neither an encoding nor a delimiter to tell."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number"], ["x"]]))
    with pytest.raises(ConfigurationError, match=rf"is read as an .*, which has no {option}\."):
        read_table(path, **{option: "utf-8"})


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.vcf"])
def test_text_has_no_sheet(tmp_path: Path, name: str) -> None:
    """A sheet that would have no effect is refused."""
    (tmp_path / name).write_text("a,b\n")
    expected = r" is read as (CSV|JSON Lines|vCard), which has no sheet\. Leave the sheet out\.$"
    with pytest.raises(ConfigurationError, match=expected):
        read_table(tmp_path / name, sheet="x")


@each_format
def test_rows_begin_anew_at_each_call(tmp_path: Path, suffix: str) -> None:
    """Two readings run side by side, and a file that vanishes is told."""
    path = write(tmp_path / f"a{suffix}", Sheet([["a"], ["1"], ["2"]]))
    table = read_table(path)
    first = table.rows()
    assert next(first) == Row(2, ("1",))
    assert len(list(table.rows())) == 2
    assert list(first) == [Row(3, ("2",))]
    path.unlink()
    with pytest.raises(ValidationError, match="There is no file"):
        next(table.rows())


@pytest.mark.parametrize("library", ["python_calamine", "olefile"])
def test_without_the_extra_the_error_names_it(tmp_path: Path, library: str) -> None:
    """Whoever has not installed it learns how."""
    path = write(tmp_path / "a.xls", Sheet([["number"], ["x"]]))
    program = f"""
import sys
sys.modules[{library!r}] = None
from sendblue_async.batch._sources._table import read_table
from sendblue_async.exceptions import ConfigurationError
try:
    read_table({str(path)!r})
except ConfigurationError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout.startswith(f"Workbooks need {library.replace('_', '-')}, which")
    assert "pip install '.[excel]'" in run.stdout


def test_text_does_not_load_the_library(tmp_path: Path) -> None:
    """Only workbooks pay for it."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    program = (
        "import sys; from sendblue_async.batch._sources._table import read_table;"
        f"list(read_table({str(tmp_path / 'a.csv')!r}).rows());"
        "assert not {'python_calamine', 'olefile'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@each_format
def test_the_fingerprint_is_that_of_the_whole_file(tmp_path: Path, suffix: str) -> None:
    """However little of a large workbook is looked at to know its columns."""
    path = write(tmp_path / f"a{suffix}", Sheet([["number"]]))
    large = path.read_bytes() + random.Random(1).randbytes(300_000)
    if suffix != ".xls":
        # Between the members of the archive and its directory nothing else may stand.
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("large", random.Random(1).randbytes(300_000))
        large = path.read_bytes()
    path.write_bytes(large)
    assert read_table(path).fingerprint == hashlib.sha256(large).hexdigest()
