"""The contacts that rows describe."""

from __future__ import annotations

import functools
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async import ContactCreate
from sendblue_async.batch._importing._duplicates import Duplicates
from sendblue_async.batch._mapping._columns import map_columns
from sendblue_async.batch._mapping._contact_reader import (
    MOST_CHARACTERS,
    ContactReader,
    Entry,
    merge_documents,
)
from sendblue_async.batch._sources._table import read_table


def entries(tmp_path: Path, text: str, **options: Any) -> list[Entry]:
    """What comes of a file."""
    path = tmp_path / "people.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    columns = map_columns(table.columns, options.pop("given", {}))
    return list(ContactReader(table=table, columns=columns, **options).entries())


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
        ('"""vip"",""spring 26"""', ["vip", "spring 26"]),
        ('"""a, b""; ""c"""', ["a, b", "c"]),
        ('"""vip"", ""spring\n26"""', ["vip", "spring 26"]),
        ('5" screen;new', ['5" screen', "new"]),
        ('"{vip,lead}"', ["vip", "lead"]),
        ('"{""spring 26"",lead}"', ["spring 26", "lead"]),
        ("{}", None),
        ("[]", None),
        ('"[""""]"', None),
        ('"[""a"", "" ""]"', ["a"]),
        ("[null]", None),
        ('"["""", ""a"", null]"', ["a"]),
        ("{NULL}", None),
        ("\"['vip', 'spring 26']\"", ["vip", "spring 26"]),
        ('"[\'a, b\', ""rock\'n\'roll"", None]"', ["a, b", "rock'n'roll"]),
        ("\"['it\\'s', 'it\\'s']\"", ["it's"]),
        ('"[vip, lead]"', ["vip", "lead"]),
        ("\"{'vip', 'lead'}\"", ["vip", "lead"]),
        ("\"('vip', 'lead')\"", ["vip", "lead"]),
        ("\"('vip',)\"", ["vip"]),
        ("(vip)", ["(vip)"]),
        ('"{""a \\""b\\"""",""c""}"', ['a "b"', "c"]),
        ("\"'vip','spring, 26'\"", ["vip", "spring, 26"]),
        ("rock'n'roll;90's", ["rock'n'roll", "90's"]),
        ('"“vip”, “lead”"', ["vip", "lead"]),
        ("vip|lead", ["vip", "lead"]),
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


@pytest.mark.parametrize("error", ["#N/A", "#SPILL!", "#ERROR!", "#BEZUG!", "Err:502"])
@pytest.mark.parametrize("column", ["number", "first_name", "custom_variables.plan"])
def test_errors_of_any_spreadsheet_are_a_problem_of_their_row(
    tmp_path: Path, error: str, column: str
) -> None:
    """Whichever program wrote the file, and whichever of the used columns they stand in."""
    columns = {"number": "+12015550123", "first_name": "Ada", "custom_variables.plan": "gold"}
    columns["Note"] = error
    rows = [columns, columns | {column: error}]
    text = "\n".join(map(",".join, [columns, *(row.values() for row in rows)]))
    [good, bad] = entries(tmp_path, text)
    assert good.contact is not None
    assert bad.problem is not None
    assert bad.problem.code == "spreadsheet_error"


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
    assert [entry.index for entry in every] == list(range(5))
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


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        (("Work", "Mobile"), "+12015550102"),
        (("* Work", "* Mobile"), "+12015550102"),
        (("Home", "Handy"), "+12015550102"),
        (("Home", "iPhone"), "+12015550102"),
        (("Mobile", "Mobile"), "+12015550101"),
        (("Home", "Work"), "+12015550101"),
        (("", "Cellulare"), "+12015550102"),
        (("Télécopie", "Domicile"), "+12015550102"),
        (("自宅", "携帯"), "+12015550102"),
    ],
)
def test_a_number_with_the_label_of_a_mobile_goes_first(
    tmp_path: Path, labels: tuple[str, str], number: str
) -> None:
    """In each row of its own, in whichever language the label is; but not before one given."""
    names = "Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value"
    text = f"{names}\n{labels[0]},+12015550101,{labels[1]},+12015550102\n"
    assert contact(tmp_path, text)["number"] == number
    given = {"Phone 1 - Value": "number"}
    expected = number if labels[0] == "Télécopie" else "+12015550101"
    assert contact(tmp_path, text, given=given)["number"] == expected


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        ("Full Name", "Ada King", {"first_name": "Ada", "last_name": "King"}),
        ("Name", '"King, Ada"', {"first_name": "Ada", "last_name": "King"}),
        ("Name", "Ada", {"first_name": "Ada"}),
        ("Name", " ", {}),
        ("Nom,Prénom", "King,Ada", {"first_name": "Ada", "last_name": "King"}),
        ("Nombre,Apellidos", "Ada,King", {"first_name": "Ada", "last_name": "King"}),
        ("Name,First Name", "Ada King,Ada", {"first_name": "Ada", "last_name": "King"}),
        ("Name,First Name", "Ada King,", {"first_name": "Ada", "last_name": "King"}),
        ("Name,First Name,Last Name", "Else,Ada,King", {"first_name": "Ada", "last_name": "King"}),
        ("Name,First Name,Last Name", "Ada King,,", {}),
    ],
)
def test_a_cell_with_both_names(
    tmp_path: Path, header: str, row: str, names: dict[str, str]
) -> None:
    """It is split, or gives the name that has no column of its own."""
    found = contact(tmp_path, f"Phone,{header}\n+12015550123,{row}\n")
    assert found == {"number": "+12015550123", **names}


def test_an_error_of_a_spreadsheet_is_no_name(tmp_path: Path) -> None:
    """Also where the cell would be split."""
    [entry] = entries(tmp_path, "Phone,Name\n+12015550123,#N/A\n")
    assert entry.problem is not None
    assert entry.problem.code == "spreadsheet_error"


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
    assert merge(one, other).to_dict() == {
        "number": "+12015550123",
        "first_name": "A.",
        "last_name": "King",
        "tags": ["a", "b", "c"],
        "custom_variables": {"x": "1", "y": "3"},
    }
    bare = ContactCreate(number="+12015550123")
    assert merge(bare, bare) == bare


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Ada King", "Grace"], ("Grace", None)),
        (["Ada King", "Grace Hopper", "Ada"], ("Ada", None)),
        (["Ada King", "Grace", " King"], ("Grace", "King")),
        (["Ada King", " Hopper"], (None, "Hopper")),
        (["Ada King", "ADA"], ("ADA", "King")),
        (["A. King", "Ada"], ("Ada", "King")),
        (["Ada", " King"], ("Ada", "King")),
    ],
)
def test_names_of_two_people_are_not_mixed(
    names: list[str], expected: tuple[str | None, str | None]
) -> None:
    """Of an earlier person with the same number, no part of the name is left."""
    contacts = []
    for name in names:
        first, _, last = name.partition(" ")
        parts = {"first_name": first, "last_name": last}
        given = {part: text for part, text in parts.items() if text}
        contacts.append(ContactCreate.from_dict({"number": "+12015550123", **given}))
    merged = merge(*contacts)
    assert (merged.first_name, merged.last_name) == expected


def merge(*contacts: ContactCreate) -> ContactCreate:
    """One contact out of some with the same number."""
    return merge_documents(contact.to_dict() for contact in contacts)


def merged_by_twos(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What comes of two contacts; no two of these names are of one person."""
    names = {"first_name", "last_name"}
    if any(one[name] != other[name] for name in names & one.keys() & other.keys()):
        one = {key: value for key, value in one.items() if key not in names}
    both = {**one, **other}
    if "tags" in both:
        both["tags"] = list(dict.fromkeys([*one.get("tags", []), *other.get("tags", [])]))
    if "custom_variables" in both:
        both["custom_variables"] = {
            **one.get("custom_variables", {}),
            **other.get("custom_variables", {}),
        }
    return both


CONTACTS = st.fixed_dictionaries(
    {"number": st.just("+12015550123")},
    optional={
        "first_name": st.sampled_from(["Ada", "Grace", "Zoë"]),
        "last_name": st.sampled_from(["King", "Hopper"]),
        "update_if_exists": st.booleans(),
        "tags": st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True),
        "custom_variables": st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
    },
)


@given(st.lists(CONTACTS, min_size=1, max_size=6))
def test_many_are_merged_as_two_by_two(documents: list[dict[str, Any]]) -> None:
    """At once, they become the contact that they become one after another."""
    expected = functools.reduce(merged_by_twos, documents)
    contacts = [*map(ContactCreate.from_dict, documents)]
    assert merge(*contacts) == ContactCreate.from_dict(expected)


class Repeated:
    """Knows of one number, which so many entries have."""

    def __init__(self, count: int) -> None:
        self._last = count - 1

    def find_repeats(self, number: str) -> tuple[int, int]:
        """Its first and its last entry."""
        return 0, self._last


def in_turn(contacts: list[ContactCreate], on_duplicate: Any = "merge") -> list[Any]:
    """What is sent for each of these, which all have one number."""
    duplicates = Duplicates(Repeated(len(contacts)), on_duplicate)  # type: ignore[arg-type]
    return [
        duplicates.resolve(Entry(index, index + 2, contact=contact), contact)
        for index, contact in enumerate(contacts)
    ]


@given(st.lists(CONTACTS, min_size=2, max_size=6))
def test_the_last_one_of_a_number_is_sent_for_all(documents: list[dict[str, Any]]) -> None:
    """Merged, or alone; nothing is sent for the others."""
    contacts = [*map(ContactCreate.from_dict, documents)]
    *others, last = in_turn(contacts)
    assert others == [None] * (len(contacts) - 1)
    assert last == merge(*contacts)
    assert in_turn(contacts, "last") == [*others, contacts[-1]]


@pytest.mark.parametrize("kind", ["tags", "custom_variables"])
def test_merging_takes_time_for_each_row_and_not_for_each_two(kind: str) -> None:
    """Eight times as many rows take some eight times as long, and not sixty-four times."""

    def seconds(count: int) -> float:
        contacts = [
            ContactCreate(
                number="+12015550123",
                **({"tags": [f"t{n}"]} if kind == "tags" else {kind: {f"v{n}": "x"}}),
            )
            for n in range(count)
        ]
        began = time.process_time()
        [last] = filter(None, in_turn(contacts))
        ended = time.process_time()
        assert len(getattr(last, kind)) == count
        return ended - began

    few = min(seconds(500) for _ in range(3))
    many = min(seconds(4000) for _ in range(2))
    assert many < 28 * few


def test_a_contact_that_waits_for_another_takes_little_memory() -> None:
    """Half a million that are to be merged take as many hundred bytes, and no kilobytes."""
    count = 2000
    duplicates = Duplicates(Repeated(10**9), "merge")  # type: ignore[arg-type]
    tracemalloc.start()
    for n in range(count):
        contact = ContactCreate(
            number=f"+1201555{n:04}",
            first_name=f"Ada {n}",
            last_name="King",
            tags=["vip", f"lead {n % 7}"],
            custom_variables={"plan": f"gold {n % 5}"},
        )
        duplicates.resolve(Entry(n, n + 2, contact=contact), contact)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / count < 600


def test_a_row_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    """By what is used of it: columns that are not used may hold what they like."""
    half = "x" * (MOST_CHARACTERS // 2)
    columns = "number,first_name,last_name,Note,Remark"
    rows = [
        f"+12015550101,{half},,{half},{half}",
        f"+12015550102,{half},{half},,",
        "+12015550103,Ada,,,",
        f"call me,{half},{half},{half},{half}",
        f"+12015550104,{half},,,",
    ]
    found = entries(tmp_path, "\n".join([columns, *rows]))
    assert [entry.index for entry in found] == [0, 1, 2, 3, 4]
    assert [entry.line for entry in found] == [2, 3, 4, 5, 6]
    assert [entry.contact and entry.contact.number[-1] for entry in found] == [
        "1", None, "3", None, "4",
    ]  # fmt: skip
    codes = [entry.problem and entry.problem.code for entry in found]
    assert codes == [None, "row_too_long", None, "row_too_long", None]
    assert found[1].problem is not None
    assert "131,072 characters" in found[1].problem.reason


def test_long_rows_are_read_few_at_a_time(tmp_path: Path) -> None:
    """As many as have the characters of some ordinary ones; short ones fifty at a time."""
    path = tmp_path / "people.jsonl"
    with path.open("w") as file:
        for n in range(120):
            picture = "x" * 500_000 * (n < 4)
            file.write(json.dumps({"number": f"+1201555{n:04}", "picture": picture}) + "\n")
    table = read_table(path)
    reader = ContactReader(table=table, columns=map_columns(table.columns, {}))
    assert [len(portion) for portion in reader.batches()] == [1, 1, 1, 1, 50, 50, 16]
    assert all(entry.contact for entry in reader.entries())
