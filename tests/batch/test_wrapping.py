"""Files whose lines or cells stand in more quotes than CSV knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendblue_async.batch._sources._table import read_table

ADA = ("+12015550101", "Ada", "King, Jr.")
ALAN = ("+12015550102", "Alan", "O'Brien")


def lines(template: str, *rows: tuple[str, ...]) -> str:
    """A header and rows, each written as the template says, with ``%s`` for a cell."""
    return "".join(template % row + "\n" for row in (("Phone", "First Name", "Last Name"), *rows))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(lines('"%s" ,"%s" , "%s" ', ADA, ALAN), [ADA, ALAN], id="space after"),
        pytest.param(lines('"%s",\t"%s",\t"%s"', ADA, ALAN), [ADA, ALAN], id="tab before"),
        pytest.param(lines('"%s"\t;\t"%s" \t;"%s"', ADA, ALAN), [ADA, ALAN], id="tab around"),
        pytest.param(lines('"%s" \t"%s"\t"%s"', ADA, ALAN), [ADA, ALAN], id="space before tab"),
        pytest.param(
            lines('"%s" ,"%s" ,"%s"', ADA, ("+12015550102", 'A ""B"" , C', "O'Brien")),
            [ADA, ("+12015550102", 'A "B", C', "O'Brien")],
            id="quotes inside",
        ),
        pytest.param(lines('"%s,%s,""%s"""', ADA, ALAN), [ADA, ALAN], id="whole line"),
        pytest.param(
            'Phone,First Name,Last Name\n"+12015550101,Ada,""King, Jr."""\n',
            [ADA],
            id="whole line, but not the header",
        ),
        pytest.param(
            'Phone,Tags\n"+12015550101, +12015550102",\n',
            [("+12015550101, +12015550102", "")],
            id="one cell alone in quotes",
        ),
        pytest.param(lines('"%s;%s;%s";;', ADA, ALAN), [ADA, ALAN], id="whole line, padded"),
        pytest.param(
            lines("'%s','%s','%s'", ADA, ("+12015550102", "Alan", "O''Brien")),
            [ADA, ALAN],
            id="apostrophes are the quotes",
        ),
        pytest.param(
            lines('''"'%s'","'%s'","'%s'"''', ADA, ALAN), [ADA, ALAN], id="apostrophes in quotes"
        ),
        pytest.param(
            "Phone,First Name,Last Name\n\"'+12015550101'\",\"'Ada'\",\n"
            "\"'+12015550102'\",\"'Alan'\",\"'O''Brien'\"\n",
            [("+12015550101", "Ada", ""), ALAN],
            id="apostrophes in quotes, but not in the header",
        ),
        pytest.param(
            lines('"""%s""","""%s""","""%s"""', ADA, ALAN), [ADA, ALAN], id="quotes in quotes"
        ),
        pytest.param(lines("“%s”;“%s”;“%s”", ADA, ALAN), [ADA, ALAN], id="curly"),
        pytest.param(lines("„%s“;„%s“;„%s“", ADA, ALAN), [ADA, ALAN], id="German"),
        pytest.param(lines("«%s»;«%s»;«%s»", ADA, ALAN), [ADA, ALAN], id="French"),
        pytest.param(lines("`%s`;`%s`;`%s`", ADA, ALAN), [ADA, ALAN], id="backticks"),
        pytest.param(
            "Phone;First Name;Last Name\n'+12015550101;'Ada;'King, Jr.\n"
            "'+12015550102;'Alan;'O'Brien\n",
            [ADA, ALAN],
            id="apostrophe in front",
        ),
        # What is a part of the text stays there.
        pytest.param(
            "Phone;First Name;Last Name\n+12015550101;'Ada';King\n+12015550102;Alan;'t Hooft\n",
            [("+12015550101", "'Ada'", "King"), ("+12015550102", "Alan", "'t Hooft")],
            id="some names",
        ),
        pytest.param(
            "Phone;First Name;Last Name\n+12015550101;“Ada”;\n",
            [("+12015550101", "“Ada”", "")],
            id="one name",
        ),
        pytest.param(
            "Phone;First Name;Last Name\n+12015550101;;'t Hooft\n",
            [("+12015550101", "", "'t Hooft")],
            id="one name with an apostrophe",
        ),
        pytest.param(
            'Phone,TAGS\n+12015550101,"""vip"",""spring 26"""\n',
            [("+12015550101", '"vip","spring 26"')],
            id="each of several tags",
        ),
        pytest.param(
            'Phone\n"+12015550101, +12015550102"\n',
            [("+12015550101, +12015550102",)],
            id="one column",
        ),
    ],
)
def test_what_stands_around_cells_is_none_of_their_text(
    tmp_path: Path, text: str, rows: list[tuple[str, ...]]
) -> None:
    """Where all cells of a file are so, and only there."""
    path = tmp_path / "contacts.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    assert table.columns == ("Phone", "First Name", "Last Name")[: len(rows[0])] or (
        table.columns in {("Phone", "TAGS"), ("Phone", "Tags")}
    )
    assert [(row.cells, row.problem) for row in table.rows()] == [(row, None) for row in rows]
