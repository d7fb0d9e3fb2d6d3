"""JSON Lines: columns from all keys, cells from all values, a problem for all the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async.batch._sources._json_lines import MOST_COLUMNS
from sendblue_async.batch._sources._row import Row
from sendblue_async.batch._sources._table import Table, read_table
from sendblue_async.exceptions import ValidationError

Read = Callable[..., Table]


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads text or bytes as a file of JSON Lines."""
    path = tmp_path_factory.mktemp("json") / "contacts.jsonl"

    def table(content: str | bytes, **options: str) -> Table:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, **options)

    return table


def seen(table: Table) -> list[tuple[Any, ...]]:
    """Line, cells and the code of the problem, if there is one, of each row."""
    return [
        (row.line, *row.cells, *([row.problem.code] if row.problem else [])) for row in table.rows()
    ]


def test_columns_are_all_keys_in_order_of_appearance(read: Read) -> None:
    """A key that comes late is a column, too, and a row without it has an empty cell."""
    table = read('{"b": "1", "a": "2"}\n\n  \n{"a": "3", "c": "4"}\r\n{}\r{"b": "5"}')
    assert table.columns == ("b", "a", "c")
    assert table.encoding == "utf-8"
    assert list(table.rows()) == [
        Row(1, ("1", "2", "")),
        Row(4, ("", "3", "4")),
        Row(5, ("", "", "")),
        Row(6, ("5", "", "")),
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('" as it is "', " as it is "),
        ("null", ""),
        ("14155550123", "14155550123"),
        ("1.5", "1.5"),
        ("true", "true"),
        ('["vip", "Zo\\u00eb"]', '["vip", "Zoë"]'),
        ('{"x": [null, 1]}', '{"x": [null, 1]}'),
        ('"\\u0000"', "\0"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\'=1"', "'=1"),
    ],
)
def test_values_become_cells(read: Read, value: str, cell: str) -> None:
    """Strings stay, null is empty, and everything else is the JSON it was."""
    assert list(read(f'{{"a": {value}}}').rows()) == [Row(1, (cell,))]


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        '"a"',
        "null",
        "{",
        '{"a": 1} {"a": 2}',
        "{'a': 1}",
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": "tab\there"}',
        '{"a": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"b": ' + "[" * 100_000,
        '{"b": 1',
        "a,b,c",
        '{"a": "nul\0"',
    ],
)
def test_what_is_no_object_is_accounted_for(read: Read, line: str) -> None:
    """Such a line is a row with a problem, shown in the first cell, and makes no columns."""
    table = read(f'{{"a": "1", "c": "2"}}\n{line}\n{{"a": "3"}}\n')
    assert table.columns == ("a", "c")
    shown = "\ufffd" + line.replace("\0", "\ufffd")
    assert seen(table) == [(1, "1", "2"), (2, shown, "", "not_json"), (3, "3", "")]


@pytest.mark.parametrize("line", ['{"a": 1, "a": 2}', '{"a": {"x": 1, "x": 1}}'])
def test_a_key_that_comes_twice_is_a_problem(read: Read, line: str) -> None:
    """Nobody can say which one counts, so both are shown; the next line is not harmed."""
    (first, second) = read(f'{line} \r\n{{"a": "b"}}').rows()
    assert first.problem is not None
    assert first.problem.code == "repeated_key"
    assert first.cells == (f"\ufffd{line}",)
    assert second == Row(2, ("b",))


def test_broken_text_is_undecodable(read: Read) -> None:
    """Broken bytes and lone surrogates are a row's problem, be it in a value or in a key."""
    table = read(
        b'{"a": "Zo\xeb"}\n{"a": "\\ud800"}\n{"a": "1", "\xff": "2"}\n{"a": "3", "\\udfff": 4}\n'
        b'{"a": "nul\0"}\n{"a": "ok"}\n{"a": "\\ufffd"}\n{"a": "5", "\\ufffd": 6}\n',
        encoding="utf-8",
    )
    assert table.columns == ("a",)
    assert seen(table) == [
        (1, "Zo\ufffd", "undecodable"),
        (2, "\ufffd", "undecodable"),
        (3, '\ufffd{"a": "1", "\ufffd": "2"}', "undecodable"),
        (4, '\ufffd{"a": "3", "\\udfff": 4}', "undecodable"),
        (5, "nul\ufffd", "undecodable"),
        (6, "ok"),
        (7, "\ufffd", "undecodable"),
        (8, '\ufffd{"a": "5", "\\ufffd": 6}', "undecodable"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_other_encodings(read: Read, encoding: str) -> None:
    """UTF with or without a mark is detected; what is not Unicode has to be named."""
    content = '{"naïve": "Zoë"}\n'.encode(encoding)
    table = read(content, **({"encoding": encoding} if encoding == "cp1252" else {}))
    assert table.columns == ("naïve",)
    assert list(table.rows()) == [Row(1, ("Zoë",))]


def test_there_may_be_a_thousand_keys(read: Read) -> None:
    """One more is an error that names the file."""
    lines = [json.dumps({f"k{n}": n}) for n in range(MOST_COLUMNS)]
    assert len(read("\n".join(lines)).columns) == 1_000
    with pytest.raises(ValidationError, match=r"contacts\.jsonl has more than 1,000 .* keys\. "):
        read("\n".join([*lines, '{"one more": 1}']))


@pytest.mark.parametrize("text", ["[\n1\n]", "{}", "a,b\n1,2"])
def test_a_file_without_any_key_cannot_be_used(read: Read, text: str) -> None:
    """The error shows what a line should look like."""
    with pytest.raises(ValidationError, match=r"contacts\.jsonl has no JSON object .* \{\"number"):
        read(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.text("abé", max_size=3), VALUES, min_size=1), min_size=1),
    st.booleans(),
)
def test_objects_read_back(read: Read, objects: list[dict[str, Any]], ascii_only: bool) -> None:
    """Every object is found in the cells of its row, and no cell holds anything else."""
    text = "\n".join(json.dumps(each, ensure_ascii=ascii_only) for each in objects)
    # Otherwise some of it would look as if it had been read in a wrong encoding before.
    table = read(text, encoding="utf-8")
    found = list(table.rows())
    assert [row.line for row in found] == [*range(1, len(objects) + 1)]
    for row, each in zip(found, objects, strict=True):
        for column, cell in zip(table.columns, row.cells, strict=True):
            value = each.get(column)
            assert (
                cell == ("" if value is None else value)
                if value is None or isinstance(value, str)
                else json.loads(cell) == value
            )


def test_the_path_is_that_of_the_file(read: Read) -> None:
    """The table knows where it came from."""
    assert isinstance(read('{"a": 1}').path, Path)


def test_the_nan_of_a_program_is_blank(read: Read) -> None:
    """Python's ``json`` writes a missing value of a DataFrame so, which is no number."""
    assert seen(read('{"a": NaN, "b": "x", "c": [NaN]}\n')) == [(1, "", "x", "[null]")]


def test_a_value_that_is_kept_from_a_spreadsheet_is_read_as_in_csv(read: Read) -> None:
    """What a program copied from such a cell is the same value."""
    wrapped = ['="Ada"', '=""Ada""', "'=1+1", '="+12015550101"', "'Ada", '="a" & "b"', "=1+1"]
    table = read("\n".join(json.dumps({"name": value}) for value in wrapped))
    found = [row.cells[0] for row in table.rows()]
    assert found == ["Ada", "Ada", "'=1+1", "+12015550101", "'Ada", '="a" & "b"', "=1+1"]
