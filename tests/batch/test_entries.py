"""The contacts that rows describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ContactCreate
from sendblue_async.batch._columns import find_columns
from sendblue_async.batch._entries import Entry, Reading, merged
from sendblue_async.batch._table import read_table


def entries(tmp_path: Path, text: str, **options: Any) -> list[Entry]:
    """What comes of a file."""
    path = tmp_path / "people.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    columns = find_columns(table.columns, options.pop("given", {}))
    return list(Reading(table=table, columns=columns, **options).entries())


def contact(tmp_path: Path, text: str, **options: Any) -> dict[str, Any]:
    """What is sent for the one row."""
    [entry] = entries(tmp_path, text, **options)
    assert entry.contact is not None, entry.problem
    return entry.contact.to_dict()


def test_every_field(tmp_path: Path) -> None:
    """Each column becomes its field, without spaces around it, and blanks become none."""
    names = "number,first_name,last_name,assigned_to_email,sendblue_number,tags"
    names += ",custom_variables,custom_variables.plan"
    row = '+12015550123, Ada ,King,a@example.com,+12015550100,vip;new,"{""a"": ""b""}",gold'
    assert contact(tmp_path, f"{names}\n{row}\n") == {
        "number": "+12015550123",
        "first_name": "Ada",
        "last_name": "King",
        "assigned_to_email": "a@example.com",
        "sendblue_number": "+12015550100",
        "tags": ["vip", "new"],
        "custom_variables": {"a": "b", "plan": "gold"},
    }
    blank = f"{names}\n+12015550123,  ,,,,,,\n"
    assert contact(tmp_path, blank) == {"number": "+12015550123"}
    assert contact(tmp_path, blank, update_if_exists=True)["update_if_exists"] is True


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("vip", ["vip"]),
        ("vip; new ;vip;", ["vip", "new"]),
        ('"vip, new"', ["vip", "new"]),
        ('"a, b; c"', ["a, b", "c"]),
        ("* myContacts ::: lead ::: a; b", ["lead", "a; b"]),
        ('"[""a, b"", ""c""]"', ["a, b", "c"]),
        ("* myContacts", None),
    ],
)
def test_tags(tmp_path: Path, cell: str, tags: list[str] | None) -> None:
    """Semicolons, commas, Google's colons or a JSON list stand between tags; none comes twice."""
    assert contact(tmp_path, f"number,tags\n+12015550123,{cell}\n").get("tags") == tags


def test_values_of_variables_are_text(tmp_path: Path) -> None:
    """Numbers and truth values in JSON are sent as text, and nothing is sent for null."""
    cell = '"{""a"": 1, ""b"": true, ""c"": null, ""d"": 1.5, ""e"": ""x""}"'
    [entry] = entries(tmp_path, f"number,custom_variables\n+12015550123,{cell}\n")
    assert entry.contact is not None
    assert entry.contact.custom_variables == {"a": "1", "b": "true", "d": "1.5", "e": "x"}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("tags", "[1]"),
        ("tags", "[oops"),
        ("custom_variables", "[]"),
        ("custom_variables", '"{""a"": [1]}"'),
        ("sendblue_number", "soon"),
    ],
)
def test_what_cannot_be_sent_is_a_problem_of_its_row(
    tmp_path: Path, column: str, cell: str
) -> None:
    """The code names the field, and the reason shows nothing of the cell."""
    [bad, good] = entries(tmp_path, f"number,{column}\n+12015550123,{cell}\n+12015550124,\n")
    assert bad.problem is not None
    assert bad.problem.code == f"invalid_{column}"
    assert cell.strip('"') not in bad.problem.reason
    assert good.contact is not None


def test_the_first_usable_number(tmp_path: Path) -> None:
    """Numbers are tried in order; if none is usable, the reason is that of the first one."""
    rows = ["+12015550101,+12015550102,a", "+12015550103,none,b", "12,34,c", ",,d"]
    text = "\n".join(["Home Phone,Mobile,First Name", *rows])
    found = entries(tmp_path, text)
    numbers = [entry.contact.number if entry.contact else None for entry in found]
    assert numbers == ["+12015550102", "+12015550103", None, None]
    codes = [entry.problem.code for entry in found if entry.problem]
    assert codes == ["no_country_code", "missing_number"]
    every = entries(tmp_path, text, all_numbers=True)
    assert [entry.place for entry in every] == list(range(5))
    assert [entry.line for entry in every] == [2, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["Label", "Type"])
@pytest.mark.parametrize("label", ["Home Fax", "* Work FAX", "Fax (privat)", "pager"])
def test_a_number_that_is_said_to_be_a_fax_is_none(tmp_path: Path, kind: str, label: str) -> None:
    """The next one is taken, and without one there is no number."""
    names = f"Phone 1 - {kind},Phone 1 - Value,Phone 2 - {kind},Phone 2 - Value"
    rows = [f"{label},+12015550101,Mobile,+12015550102", f"{label},+12015550103,,"]
    found = entries(tmp_path, "\n".join([names, *rows]), all_numbers=True)
    assert [entry.contact and entry.contact.number for entry in found] == ["+12015550102", None]
    assert found[1].problem is not None
    assert found[1].problem.code == "missing_number"


def test_merging() -> None:
    """The later values win, blanks leave the earlier ones, and tags and variables are united."""
    one = ContactCreate(
        number="+12015550123",
        first_name="Ada",
        last_name="King",
        tags=["a", "b"],
        custom_variables={"x": "1", "y": "2"},
    )
    other = ContactCreate(
        number="+12015550123", first_name="A.", tags=["b", "c"], custom_variables={"y": "3"}
    )
    assert merged(one, other).to_dict() == {
        "number": "+12015550123",
        "first_name": "A.",
        "last_name": "King",
        "tags": ["a", "b", "c"],
        "custom_variables": {"x": "1", "y": "3"},
    }
    bare = ContactCreate(number="+12015550123")
    assert merged(bare, bare) == bare
