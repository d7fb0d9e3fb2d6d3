"""Which column is which field, in the exports of common programs and as it is told."""

from __future__ import annotations

from typing import Any

import pytest

from sendblue_async.batch._mapping._columns import check_repeated, map_columns
from sendblue_async.exceptions import ConfigurationError, ValidationError

EXPORTS: dict[str, tuple[list[str], list[str], dict[str, str]]] = {
    "plain": (
        ["number", "first_name", "last_name", "tags", "assigned_to_email", "sendblue_number"],
        ["number"],
        {
            "first_name": "first_name",
            "last_name": "last_name",
            "tags": "tags",
            "assigned_to_email": "assigned_to_email",
            "sendblue_number": "sendblue_number",
        },
    ),
    "Google Contacts": (
        [
            "First Name",
            "Middle Name",
            "Last Name",
            "Labels",
            "E-mail 1 - Value",
            "Phone 1 - Label",
            "Phone 1 - Value",
            "Phone 2 - Label",
            "Phone 2 - Value",
            "Phone 3 - Value",
        ],
        ["Phone 1 - Value", "Phone 2 - Value", "Phone 3 - Value"],
        {"first_name": "First Name", "last_name": "Last Name", "tags": "Labels"},
    ),
    "Google Contacts, before": (
        [
            "Name",
            "Given Name",
            "Family Name",
            "Group Membership",
            "Phone 1 - Type",
            "Phone 1 - Value",
        ],
        ["Phone 1 - Value"],
        {"first_name": "Given Name", "last_name": "Family Name", "tags": "Group Membership"},
    ),
    "HubSpot": (
        [
            "Record ID",
            "First Name",
            "Last Name",
            "Email",
            "Phone Number",
            "Contact owner",
            "Mobile Phone Number",
        ],
        ["Mobile Phone Number", "Phone Number"],
        {"first_name": "First Name", "last_name": "Last Name"},
    ),
    "Salesforce": (
        ["Id", "FirstName", "LastName", "Phone", "MobilePhone", "HomePhone", "OtherPhone"],
        ["MobilePhone", "Phone", "HomePhone", "OtherPhone"],
        {"first_name": "FirstName", "last_name": "LastName"},
    ),
    "Outlook": (
        [
            "First Name",
            "Last Name",
            "Business Phone",
            "Home Phone",
            "Mobile Phone",
            "Primary Phone",
            "Categories",
            "Home Fax",
        ],
        ["Mobile Phone", "Primary Phone", "Home Phone", "Business Phone"],
        {"first_name": "First Name", "last_name": "Last Name", "tags": "Categories"},
    ),
    "German": (
        ["Telefon", "Vorname", "Nachname", "Kategorien", "Mobiltelefon", "Firma"],
        ["Mobiltelefon", "Telefon"],
        {"first_name": "Vorname", "last_name": "Nachname", "tags": "Kategorien"},
    ),
    "Outlook, German": (
        [
            "Vorname",
            "Nachname",
            "Fax geschäftlich",
            "Telefon geschäftlich",
            "Telefon geschäftlich 2",
            "Telefon (privat)",
            "Telefon (privat 2)",
            "Mobiltelefon",
            "Haupttelefon",
            "Weiteres Telefon",
        ],
        [
            "Mobiltelefon",
            "Haupttelefon",
            "Telefon (privat)",
            "Telefon (privat 2)",
            "Telefon geschäftlich",
            "Telefon geschäftlich 2",
            "Weiteres Telefon",
        ],
        {"first_name": "Vorname", "last_name": "Nachname"},
    ),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_known_exports(export: str) -> None:
    """The columns of each are recognised, the likeliest number for a mobile in front."""
    names, numbers, fields = EXPORTS[export]
    found = map_columns(names, {})
    assert [names[position] for position in found.numbers] == numbers
    assert {field: names[position] for field, position in found.fields.items()} == fields
    used = {*numbers, *fields.values(), *(names[kind] for kind in found.kinds.values())}
    assert found.unused == tuple(name for name in names if name not in used)


@pytest.mark.parametrize(
    "names",
    [
        ["Phone Number 1", "Phone Number 2"],
        ["Phone1", "Phone2"],
        ["Mobile No.", "Phone No."],
        ["Phone (Mobile)", "Phone"],
        ["Cell Phone Number", "Telephone No"],
        ["Handynummer", "Rufnummer"],
        ["Tel.", "Telefon (privat 2)", "Telefon gescha\u0308ftlich 2"],
        ["\uff30\uff48\uff4f\uff4e\uff45 \uff11", "Phone \u2116 2"],
    ],
)
def test_other_names_of_columns_with_numbers(names: list[str]) -> None:
    """They may be counted, abbreviated, and encoded as macOS or Japanese programs do it."""
    assert map_columns(names, {}).numbers == tuple(range(len(names)))


def test_only_columns_with_numbers_are_counted() -> None:
    """A second column of any other field would have to be told from the first one."""
    found = map_columns(["Phone", "Tags", "Tags 2", "First Name 2"], {})
    assert found.fields == {"tags": 1}
    assert found.unused == ("Tags 2", "First Name 2")


def test_the_kind_of_a_number_stands_in_a_column_of_its_own() -> None:
    """Google calls it label, and type before; it belongs to one number."""
    names = ["Phone 1 - Label", "Phone 1 - Value", "Phone 2 - Type", "Phone 2 - Value", "Mobile"]
    found = map_columns([*names, "E-mail 1 - Label"], {})
    assert found.kinds == {1: 0, 3: 2}
    assert found.unused == ("E-mail 1 - Label",)


def test_what_is_given_goes_before_what_is_recognised() -> None:
    """A field that is given is not looked for, and a column that is given is nothing else."""
    names = ["Phone", "Call this", "First Name", "Plan", "custom_variables.city"]
    given = {"Call this": "number", "First Name": "last_name", "Plan": "custom_variables.plan"}
    found = map_columns(names, given)
    assert found.numbers == (1, 0)
    assert found.fields == {"last_name": 2}
    assert found.variables == {"plan": 3, "city": 4}
    assert found.unused == ()


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({}, ["Mobile", "Phone", "Home Phone"]),
        ({"Plan": "tags"}, ["Mobile", "Phone", "Home Phone"]),
        ({"WhatsApp": "number"}, ["WhatsApp", "Mobile", "Phone", "Home Phone"]),
        ({"Phone": "number"}, ["Phone", "Mobile", "Home Phone"]),
        ({"Home Phone": "number", "WhatsApp": "number"},
         ["Home Phone", "WhatsApp", "Mobile", "Phone"]),
        ({"Phone": "custom_variables.phone"}, ["Mobile", "Home Phone"]),
    ],
)  # fmt: skip
def test_a_column_that_is_given_costs_no_number(given: dict[str, str], numbers: list[str]) -> None:
    """Columns that are known to hold numbers still do, unless they are given as something else."""
    names = ["Phone", "Home Phone", "Mobile", "WhatsApp", "Plan"]
    found = map_columns(names, given)
    assert [names[position] for position in found.numbers] == numbers


@pytest.mark.parametrize(
    ("names", "given", "kind", "words"),
    [
        (["a", "b"], {}, ValidationError, "No column was recognised as phone numbers"),
        (["+14155550123"], {}, ValidationError, r"as in columns=\{'…0123': 'number'\}\. The"),
        (["+14155550123"], {}, ValidationError, "The columns are '…0123'"),
        *(
            (
                [f"number{sign}first_name"],
                {},
                ValidationError,
                r"^'number.* was read as one column\. Several need a comma.* in columns=\{'number",
            )
            for sign in ("|", " | ", "^", ";", ", ", ":")
        ),
        (["E-Mail (work)/phone"], {}, ValidationError, "No column was recognised as phone num"),
        (["number"], {"Number": "number"}, ConfigurationError, "There is no column 'Number'"),
        (["number", "x"], {"x": "age"}, ConfigurationError, "'age' is not a field"),
        (["number", "x"], {"x": "custom_variables."}, ConfigurationError, "is not a field"),
        (["number", "Vorname", "First Name"], {}, ValidationError, "are both first_name"),
        (["number", "x", "y"], {"x": "tags", "y": "tags"}, ValidationError, "are both tags"),
    ],
)
def test_what_cannot_be_told_is_refused(
    names: list[str], given: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """The error names the column, or says how to name it."""
    with pytest.raises(kind, match=words):
        map_columns(names, given)


@pytest.mark.parametrize(
    "name",
    ["First Name", "number", "Telefon", "Phone 1 - Value", "custom_variables.x", "Categories"],
)
def test_two_columns_of_a_field_cannot_be_told_apart(name: str) -> None:
    """The error names them, whatever else is doubled."""
    with pytest.raises(ValidationError, match=rf"^contacts\.csv has two columns .* '{name}'\. "):
        check_repeated("contacts.csv", ["a", name, "a", name])


def test_other_columns_may_have_one_name() -> None:
    """Columns that are no field, and blank ones, are none's to take for another."""
    check_repeated("contacts.csv", ["number", "a", "a", "", "", " "])
