"""CSV files of every make, and what a stray quote costs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sendblue_async.batch._sources._csv import (
    LINES_OF_A_ROW,
    escape_formula,
    read_header,
    read_rows,
)
from sendblue_async.batch._sources._dialect import Dialect
from sendblue_async.batch._sources._garbled import GARBLED
from sendblue_async.batch._sources._header import number_repeated
from sendblue_async.batch._sources._row import Row
from sendblue_async.batch._sources._table import Table, read_table
from sendblue_async.batch._sources._wrapping import find_wrapping
from sendblue_async.exceptions import ValidationError

SAMPLES = Path(__file__).parents[1] / "data"
QUOTED = {csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC}
DELIMITERS = [",", ";", "\t"]
Write = Callable[..., Path]


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes a text into a CSV file, the same one each time."""
    path = tmp_path_factory.mktemp("csv") / "contacts.csv"

    def written(text: str, encoding: str = "utf-8") -> Path:
        path.write_bytes(text.encode(encoding))
        return path

    return written


def rows(text: str, columns: int = 2, delimiter: str = ",", header_line: int = 1) -> list[Row]:
    """The rows of a text whose first row is the header."""
    dialect = Dialect(delimiter=delimiter, header_line=header_line)
    return list(read_rows(io.StringIO(text, newline=""), columns, dialect))


def seen(text: str, columns: int = 2) -> list[tuple[Any, ...]]:
    """The same in short: line, cells and the code of the problem, if there is one."""
    return [
        (row.line, *row.cells, *([row.problem.code] if row.problem else []))
        for row in rows(text, columns)
    ]


def header(text: str, delimiter: str | None = None) -> tuple[tuple[str, ...], str]:
    """The columns and the delimiter of a text."""
    columns, dialect = read_header("contacts.csv", io.StringIO(text, newline=""), delimiter)
    return columns, dialect.delimiter


# Windows-1252 is told from UTF-8 for certain only by letters that no UTF-8 can end in.
ALPHABETS = {
    "cp1252": st.sampled_from("ab 0,;\t\r\n\"'=+-@äßñÿ"),
    None: st.one_of(
        st.sampled_from("ab ,;\t\r\n\"'=+-@ä漢😀\u2028\x85"),
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffd"),
    ),
}


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Cells, and how to write them."""
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]))
    style = draw(
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE])
    )
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    # What the writer leaves without quotes, or refuses to write.
    banned = ""
    if style == csv.QUOTE_NONE:
        banned = '",;\t\r\n'
    elif style == csv.QUOTE_MINIMAL and end != "\r\n":
        banned = "\r\n"
    alphabet = ALPHABETS.get(encoding, ALPHABETS[None]).filter(lambda char: char not in banned)
    columns = draw(st.integers(1, 4))
    cell = st.text(alphabet, max_size=8)
    if style == csv.QUOTE_NONE and columns == 1:
        cell = cell.filter(bool)
    cells = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), max_size=6))
    # Which it is, is guessed from what stands there.
    is_doubtful = columns == 1 or any(sign in str(cells) for sign in DELIMITERS)
    return {
        "cells": cells,
        "columns": [f"column {n}" for n in range(columns)],
        "encoding": encoding,
        "named": is_doubtful or draw(st.booleans()),
        "options": {
            "delimiter": draw(st.sampled_from(DELIMITERS)),
            "quoting": style,
            "lineterminator": end,
        },
    }


@given(file=files())
def test_what_the_csv_module_writes_is_read_back(write: Write, file: dict[str, Any]) -> None:
    """Every delimiter, quoting, encoding and line end gives the same cells, on exact lines."""
    text, expected, line = "", [], 1
    delimiter = re.escape(file["options"]["delimiter"])
    for n, cells in enumerate([file["columns"], *file["cells"]]):
        buffer = io.StringIO(newline="")
        written = [escape_formula(cell) for cell in cells]
        csv.writer(buffer, **file["options"]).writerow(written)
        if n and "".join(written).strip():
            # The writer leaves a space at the beginning without quotes.
            quoted = re.compile(
                "" if file["options"]["quoting"] in QUOTED else f'[{delimiter}"\r\n]'
            )
            read = (each if quoted.search(each) else each.lstrip(" ") for each in cells)
            expected.append(Row(line, tuple(read)))
        text += buffer.getvalue()
        line += len(re.findall(r"\r\n|\r|\n", buffer.getvalue()))
    # What stands around each cell of a file is taken for no text.
    assume(find_wrapping([escape_formula(cell) for row in file["cells"] for cell in row]) is None)
    path = write(text, file["encoding"])
    # Nobody can tell in which encoding a single letter is, or whether it was another one before.
    known = file["encoding"] == "cp1252" or GARBLED.search(text)
    options = {"encoding": file["encoding"].removesuffix("-sig")} if known else {}
    if file["named"]:
        options["delimiter"] = file["options"]["delimiter"]
    table = read_table(path, **options)
    assert table.columns == tuple(file["columns"])
    assert table.delimiter == file["options"]["delimiter"]
    assert list(table.rows()) == expected


def by_the_rules(text: str, delimiter: str) -> Iterator[tuple[int, str | None]]:
    """The line of each row and its text, or ``None`` for a stray quote, slowly and plainly."""
    d = re.escape(delimiter)
    cell = rf'[ ]*(?:"(?:[^"]|"")*"|[^ "{d}\r\n][^{d}\r\n]*|)'
    whole_row = re.compile(rf"{cell}(?:{d}{cell})*(?:\r\n|\r|\n|\Z)")
    physical_line = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
    position, line = 0, 1
    while position < len(text):
        match = whole_row.match(text, position)
        yield line, match and match[0]
        end = (match or physical_line.match(text, position)).end()  # type: ignore[union-attr]
        line += len(re.findall(r"\r\n|\r|\n", text[position:end]))
        position = end


@given(st.text(st.sampled_from('ab,;"\r\n '), max_size=60), st.sampled_from(",;"))
@example('x,"y\na,b\n"c",d\ne,"f\n', ",")
@example('x",y,"z\n' * 5, ",")
@example('"" "\n"', ",")
def test_a_stray_quote_is_what_the_rules_say(text: str, delimiter: str) -> None:
    """In any muddle of quotes the rows begin, and are broken, where a plain reading says."""
    found = rows(f"h1{delimiter}h2\n{text}", 2, delimiter)
    expected = [
        (line + 1, whole is None)
        for line, whole in by_the_rules(text, delimiter)
        if whole is None
        or "".join(
            next(csv.reader(whole.splitlines(True), delimiter=delimiter, skipinitialspace=True))
        ).strip()
    ]
    stray = [row.problem is not None and row.problem.code == "stray_quote" for row in found]
    assert list(zip([row.line for row in found], stray, strict=True)) == expected
    assert all(len(row.cells) == 2 for row in found)


@pytest.mark.parametrize(
    ("text", "expected", "opened_on"),
    [
        (
            'x,"y\na,b\nc,d\n',
            [(2, "x", '\ufffd"y', "stray_quote"), (3, "a", "b"), (4, "c", "d")],
            2,
        ),
        ('x,"y" z\na,b\n', [(2, "x", '\ufffd"y" z', "stray_quote"), (3, "a", "b")], 2),
        ('"x" ,y\na,b\n', [(2, '\ufffd"x" ', "y", "stray_quote"), (3, "a", "b")], 2),
        ('"x","y\na,b\n', [(2, '\ufffd"x"', '\ufffd"y', "stray_quote"), (3, "a", "b")], 2),
        ('"\nx"', [(2, "\nx", "")], None),
        ('"', [(2, '\ufffd"', "", "stray_quote")], 2),
        ('a,"b\r\n', [(2, "a", '\ufffd"b', "stray_quote")], 2),
        ('a,"b\rc,d\r', [(2, "a", '\ufffd"b', "stray_quote"), (3, "c", "d")], 2),
        # The quote at fault is the second one of a row that goes over lines.
        (
            '"x\ny","z\na,b\n',
            [
                (2, '\ufffd"x', "", "stray_quote"),
                (3, 'y"', '\ufffd"z', "stray_quote"),
                (4, "a", "b"),
            ],
            3,
        ),
        # What would swallow the rest is noticed at the next quote.
        (
            'x,"y\na,b\n"c",d\n',
            [(2, "x", '\ufffd"y', "stray_quote"), (3, "a", "b"), (4, "c", "d")],
            2,
        ),
        ('5" pipe,b"c"\na,b\n', [(2, '5" pipe', 'b"c"'), (3, "a", "b")], None),
        ('"a ""b""",c\n', [(2, 'a "b"', "c")], None),
    ],
)
def test_a_stray_quote_costs_one_row(
    text: str, expected: list[tuple[Any, ...]], opened_on: int | None
) -> None:
    """The row at fault shows its first line with its quotes marked; all others are read."""
    assert seen(f"h1,h2\n{text}") == expected
    problems = [row.problem for row in rows(f"h1,h2\n{text}") if row.problem]
    assert [f"on line {opened_on}," in problem.reason for problem in problems] == [
        True for _ in problems
    ]


@pytest.mark.parametrize(
    "block",
    [
        'x,"abc" d\n',
        'x,"abc\n',
        'x,"\n',
        'x",y,"z\n',
        'x,"" ""y\n',
        'x,"z\n' + 'a",b,"c\n' * 199,
    ],
)
def test_many_stray_quotes_take_no_longer_each(block: str) -> None:
    """Of 20,000 lines with quotes, none is looked at more than a few times."""
    handed_out = 0

    def lines() -> Iterator[str]:
        nonlocal handed_out
        for line in io.StringIO("h1,h2\n" + block * (20_000 // block.count("\n"))):
            handed_out += 1
            yield line

    pattern = list(read_rows(lines(), 2, Dialect(delimiter=",")))
    assert handed_out == 20_001
    assert len(pattern) in {10_000, 20_000}


@pytest.mark.parametrize(
    ("lines", "is_whole"), [(LINES_OF_A_ROW, True), (LINES_OF_A_ROW + 1, False)]
)
def test_a_row_goes_over_a_thousand_lines_at_most(lines: int, is_whole: bool) -> None:
    """A cell that is longer is taken for a stray quote, and its lines are rows."""
    text = 'h1,h2\na,"' + "b\n" * (lines - 1) + '"\nc,d\n'
    found = seen(text)
    assert found[-1] == (lines + 2, "c", "d")
    if is_whole:
        assert found == [(2, "a", "b\n" * (lines - 1)), found[-1]]
    else:
        assert found[:2] == [(2, "a", '\ufffd"b', "stray_quote"), (3, "b", "")]
        # The closing quote opens a cell, now that it stands by itself.
        assert found[-2] == (lines + 1, '\ufffd"', "", "stray_quote")
        assert len(found) == lines + 1


def test_lines_are_exact_after_cells_with_line_breaks() -> None:
    """A row's line is that of the file, whatever line ends its cells and blank rows have."""
    text = 'h1,"h\n2"\r\n"a\r\nb\rc\nd",e\r\n\r\n , \r\nf,g\r\n"\n\n",\nh,i'
    assert seen(text) == [(3, "a\r\nb\rc\nd", "e"), (9, "f", "g"), (13, "h", "i")]


def test_blank_rows_are_none() -> None:
    """Neither an empty line nor one of blank cells alone counts as a row."""
    assert seen('h1,h2\n\n,\n  ,\t\n"",""\n" \n",\n,,,,\nx,\n') == [(9, "x", "")]


def test_rows_get_the_length_of_the_header() -> None:
    """Short rows are filled, blank cells beyond the header dropped, others kept and marked."""
    assert seen("h1,h2,h3\na\nb,c,d, ,\ne,f,g,,h\n", 3) == [
        (2, "a", "", ""),
        (3, "b", "c", "d"),
        (4, "e", "f", "\ufffdg,,h", "too_many_cells"),
    ]
    assert seen("h1\na,b\n", 1) == [(2, "\ufffda,b", "too_many_cells")]


def test_a_cell_may_be_as_long_as_the_csv_module_lets_it() -> None:
    """A longer cell is a problem of its row; over many lines it may as well be a stray quote."""
    limit = csv.field_size_limit()
    long = "x" * (limit + 1)
    assert seen(f"h1,h2\n{long[1:]},b\nc,d\n") == [(2, long[1:], "b"), (3, "c", "d")]
    assert seen(f'h1,h2\n{long},b\n"{long}",b\nc,d\n') == [
        (2, long, "b", "cell_too_long"),
        (3, f'\ufffd"{long}"', "b", "cell_too_long"),
        (4, "c", "d"),
    ]
    half = "x" * (limit // 2)
    assert [row[-1] for row in seen(f'h1,h2\na,"{half}\n{half}\n{half}\nc,d\n')] == [
        "stray_quote", "", "", "d",
    ]  # fmt: skip


def test_nul_characters_are_no_text(write: Write) -> None:
    """A NUL makes its row undecodable in every version of Python, and no other."""
    table = read_table(write("h1,h2\na\0b,c\nd,e\n"))
    assert [(row.line, row.cells, row.problem and row.problem.code) for row in table.rows()] == [
        (2, ("a\ufffdb", "c"), "undecodable"),
        (3, ("d", "e"), None),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_replacement_character_is_damage_from_before(write: Write, encoding: str) -> None:
    """U+FFFD that is in the file itself makes its row undecodable, and no other."""
    table = read_table(write("h1,h2\nBj\ufffdrk,c\nBjörk,e\n", encoding))
    assert [(row.line, row.cells, row.problem and row.problem.code) for row in table.rows()] == [
        (2, ("Bj\ufffdrk", "c"), "undecodable"),
        (3, ("Björk", "e"), None),
    ]


@given(st.text(st.sampled_from("'=+-@\t\ra")))
@example("'=1")
@example("=1")
@example("'a")
def test_neutralised_cells_read_back_as_they_were(cell: str) -> None:
    """An apostrophe is added where a formula may begin, and taken off again."""
    safe = escape_formula(cell)
    assert safe in {cell, f"'{cell}"}
    assert not re.match(r"[=+\-@\t\r]", safe)
    found = rows(f'h1,h2\n"{safe}",x\n')
    assert [row.cells for row in found] == [(cell, "x")]


@pytest.mark.parametrize(
    ("text", "columns", "delimiter"),
    [
        ("number,name\n", ("number", "name"), ","),
        ("number;name, first;tags\n", ("number", "name, first", "tags"), ";"),
        ("number;name, first\n", ("number;name", "first"), ","),
        ("number\tname, first\tlast; or\n", ("number", "name, first", "last; or"), "\t"),
        ('"number";"a,b,c,d"\n', ("number", "a,b,c,d"), ";"),
        ('"a;b;c",d\n', ("a;b;c", "d"), ","),
        ("number\n", ("number",), ","),
        (",,\nnumber;name\n", ("number", "name"), ";"),
        ("\n ; \n\nnumber;name\n", ("number", "name"), ";"),
        (" number ,,name\n", ("number ", "", "name"), ","),
        ("number,name,, ,\n", ("number", "name"), ","),
        ("a;b,,,,,\n", ("a", "b,,,,,"), ";"),
        ('"two\nlines",b\n', ("two\nlines", "b"), ","),
        ("'number,name'", ("'number", "name'"), ","),
        ("number,'=cmd(),'a\n", ("number", "=cmd()", "'a"), ","),
        ("[Name],{Phone}\n", ("[Name]", "{Phone}"), ","),
    ],
)
def test_the_header_tells_the_delimiter(
    text: str, columns: tuple[str, ...], delimiter: str
) -> None:
    """The delimiter is the one that makes the most columns, quotes taken into account."""
    assert header(text) == (columns, delimiter)


@pytest.mark.parametrize("start", [",,", ";;", " \t", "", " ,;, ", '"'])
def test_a_blank_row_before_the_header_is_none_by_any_delimiter(write: Write, start: str) -> None:
    """Columns and rows agree on which row is the header."""
    table = read_table(write(f"{start}\nnumber;name\n1;2"))
    assert table.columns == ("number", "name")
    assert [row.cells for row in table.rows()] == [("1", "2")]


@pytest.mark.parametrize("name", ["semicolon", ";"])
def test_the_delimiter_can_be_given(write: Write, name: str) -> None:
    """A given delimiter is used even if another one makes more columns."""
    table: Table = read_table(write("a,b;c,d\n1;2"), delimiter=name)
    assert (table.columns, table.delimiter) == (("a,b", "c,d"), ";")
    assert list(table.rows()) == [Row(2, ("1", "2"))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no row at all"),
        ("\n \r\n,,\n", "no row at all"),
        ('number,"name\na,b\n', "A quote opens a cell on line 1"),
        ("name,\udcff\n", "is not text that can be read"),
        ("\ufffd,number\n", "is not text that can be read"),
    ],
)
def test_a_file_without_a_header_cannot_be_used(text: str, reason: str) -> None:
    """The error names the file, what is wrong, and what the first row is for."""
    with pytest.raises(ValidationError, match=rf"^contacts\.csv .*{reason}.* name the columns\.$"):
        header(text)


@pytest.mark.parametrize("line", ["sep=;", "SEP=;\r", '"sep=;"', "sep=,", "sep=\t"])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(line: str) -> None:
    """It is passed over, and lines are counted as they stand in the file."""
    delimiter = line.strip('"\r')[-1]
    text = f"{line}\nh1{delimiter}h2\na{delimiter}b\nsep={delimiter}\n"
    assert header(text) == (("h1", "h2"), delimiter)
    assert [(row.line, *row.cells) for row in rows(text, delimiter=delimiter, header_line=2)] == [
        (3, "a", "b"),
        (4, "sep=", ""),
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Phone,Email,Email", ("Phone", "Email (1)", "Email (2)")),
        ("a,b,a,b,a", ("a (1)", "b (1)", "a (2)", "b (2)", "a (3)")),
        ("a,A,a \n", ("a", "A", "a ")),
        # A name that stands there already is not given to another one.
        ("a,a (1),a", ("a (2)", "a (1)", "a (3)")),
        ("a,a,a (1),a (1)", ("a (2)", "a (3)", "a (1) (1)", "a (1) (2)")),
        ("Phone,,, ,,Name", ("Phone", "", "", "", "", "Name")),
        ("'=1,=1", ("=1 (1)", "=1 (2)")),
    ],
)
def test_columns_of_one_name_are_numbered(text: str, columns: tuple[str, ...]) -> None:
    """None of them has the name itself, so none is taken for another; blank ones have none."""
    assert number_repeated(header(text)[0]) == columns


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"number": "+14155550123"}\n', "JSON"),
        ('\n \r\n {\r\n  "number": "+14155550123"\n}\n', "JSON"),
        ('[{"number": "+14155550123"}]', "a JSON array"),
        ('[\n  {"number": "+14155550123"}\n]', "a JSON array"),
        ('  [ ["+14155550123"] ]', "a JSON array"),
        ('["+14155550123"]', "a JSON array"),
    ],
)
def test_json_is_not_taken_for_csv(text: str, what: str) -> None:
    """The error says how a file of JSON is to be written and called."""
    expected = rf"^contacts\.csv is {what}, not CSV\. Write one object on each line.*\.jsonl\.$"
    with pytest.raises(ValidationError, match=expected) as caught:
        header(text)
    assert caught.value.field == "path"


@pytest.mark.parametrize("name", ["contacts", "google-contacts", "dirty-semicolons"])
def test_the_sample_files_are_read_as_the_csv_module_reads_them(name: str) -> None:
    """All rows, cells and lines are those that Python's own reader finds."""
    path = SAMPLES / f"{name}.csv"
    table = read_table(path)
    assert table.encoding == "utf-8"
    assert table.delimiter == (";" if name == "dirty-semicolons" else ",")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=table.delimiter)
        assert table.columns == tuple(next(reader))
        expected, begins = [], reader.line_num + 1
        for cells in reader:
            if "".join(cells).strip():
                padded = [*cells, *[""] * (len(table.columns) - len(cells))]
                expected.append((begins, padded))
            begins = reader.line_num + 1
    found = list(table.rows())
    assert len(found) == {"contacts": 5000}.get(name, 400)
    assert [row.problem for row in found] == [None] * len(found)
    assert [(row.line, [escape_formula(cell) for cell in row.cells]) for row in found] == [
        (line, [escape_formula(cell.removeprefix("'")) for cell in cells])
        for line, cells in expected
    ]
