"""Which column of a file is which field of a contact."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from attrs import frozen

from ..._redaction import redact_numbers
from ...exceptions import ConfigurationError, ValidationError

FIELDS = (
    "number",
    "first_name",
    "last_name",
    "assigned_to_email",
    "sendblue_number",
    "tags",
    "custom_variables",
)
_VARIABLE = "custom_variables."
# What separates the columns of a file that is read by another delimiter.
_SEPARATED = re.compile(r"\w[^\w\n]*[,;:|^~\t\x01\x1f][^\w\n]*\w")
# There can be a "Phone 2", but only one column of any other field.
_COUNTS = {"number": r"\d*"}

# As they stand in plain files and in the exports of Google Contacts, HubSpot, Salesforce and
# Outlook, in English and some in German; without spaces and signs. A phone column that is
# likelier to be a mobile one stands further up.
_HEADERS: Mapping[str, Sequence[str]] = {
    "number": (
        "number",
        "(mobile|cell)(phone)?(number|no)? phone(mobile|cell) mobiltelefon handy(nummer)?",
        "(tele)?phone(number|no)? tel primaryphone telefon(nummer)? rufnummer haupttelefon",
        r"phone\d+value",
        "homephone telefonprivat privattelefon",
        "businessphone workphone telefongeschäftlich",
        "otherphone weiterestelefon",
    ),
    "first_name": ("firstname givenname vorname",),
    "last_name": ("lastname surname familyname nachname",),
    "assigned_to_email": ("assignedtoemail",),
    "sendblue_number": ("sendbluenumber",),
    "tags": ("tags tag labels groupmembership categories kategorien",),
    "custom_variables": ("customvariables",),
}
_KNOWN = {
    field: [re.compile(f"({'|'.join(words.split())}){_COUNTS.get(field, '')}") for words in ranks]
    for field, ranks in _HEADERS.items()
}


@frozen
class ColumnMapping:
    """Where the fields of a contact stand in a row.

    Attributes:
        numbers: The positions of the columns that hold numbers, the one to be tried first in front.
        fields: The positions of other fields, by their names.
        variables: The positions of custom variables, by their labels.
        kinds: The positions of the columns that say of which kind a number is, such as a fax, by
            the positions of the columns with the numbers.
        unused: The names of the columns that are none of these.
    """

    numbers: tuple[int, ...]
    fields: Mapping[str, int]
    variables: Mapping[str, int]
    kinds: Mapping[int, int]
    unused: tuple[str, ...]


def map_columns(names: Sequence[str], given: Mapping[str, str]) -> ColumnMapping:
    """Map the columns of a file to fields, by their names unless they are given.

    Args:
        names: The columns as the file names them.
        given: Column names and the fields that they are: one of :data:`FIELDS`, or
            ``custom_variables.LABEL``. A field that is given is not looked for any more, but for
            numbers, of which there can be several: those that are given are tried first, then
            those that are recognised, unless they are given as something else.

    Raises:
        ConfigurationError: If a column or a field that was given does not exist.
        ValidationError: If a field has two columns, or no column has numbers.
    """
    found = _collect_positions(names, given)
    _check_positions(names, found)
    kinds = _find_kinds(names, found["number"])
    used = {*kinds.values(), *(position for positions in found.values() for position in positions)}
    single = {
        field: positions[0] for field, positions in found.items() if positions and field != "number"
    }
    return ColumnMapping(
        numbers=tuple(found["number"]),
        fields={field: position for field, position in single.items() if field in FIELDS},
        variables={
            field.removeprefix(_VARIABLE): position
            for field, position in single.items()
            if field not in FIELDS
        },
        kinds=kinds,
        unused=tuple(name for position, name in enumerate(names) if position not in used),
    )


def _collect_positions(names: Sequence[str], given: Mapping[str, str]) -> dict[str, list[int]]:
    """Collect the positions of each field: those that are given, then those with known names."""
    found: dict[str, list[int]] = {}
    for name, field in given.items():
        if name not in names:
            raise ConfigurationError(
                f"There is no column {redact_numbers(ascii(name))}; "
                f"the columns are {_list_names(names)}."
            )
        if field not in FIELDS and (not field.startswith(_VARIABLE) or field == _VARIABLE):
            raise ConfigurationError(
                f"{field!a} is not a field; a column can be {', '.join(FIELDS)} "
                f"or {_VARIABLE}LABEL."
            )
        found.setdefault(field, []).append(names.index(name))
    taken = {*chain.from_iterable(found.values())}
    for field in FIELDS:
        if field not in found or field == "number":
            recognised = [
                position for position in _recognise(names, field) if position not in taken
            ]
            found[field] = [*found.get(field, ()), *recognised]
    for position, name in enumerate(names):
        if name.startswith(_VARIABLE) and name != _VARIABLE and position not in taken:
            found.setdefault(name, []).append(position)
    return found


def _check_positions(names: Sequence[str], found: Mapping[str, Sequence[int]]) -> None:
    """Check that there are numbers, and that no other field has several columns."""
    for field, positions in found.items():
        if field != "number" and len(positions) > 1:
            columns = _list_names([names[position] for position in positions])
            raise ValidationError(
                f"The columns {columns} are both {field}; say which it is with "
                f"{_suggest_mapping(names[positions[0]], field)}.",
                field="map",
            )
    if not found["number"] and len(names) == 1 and _SEPARATED.search(names[0]):
        raise ValidationError(
            f"{_list_names(names)} was read as one column. Several need a comma, semicolon or tab "
            "between them, which is detected if no delimiter is given. If it is one column of "
            f"phone numbers, name it, as in {_suggest_mapping(names[0], 'number')}.",
            field="map",
        )
    if not found["number"]:
        raise ValidationError(
            f"No column was recognised as phone numbers; name one, as in "
            f"{_suggest_mapping(names[0], 'number')}. The columns are {_list_names(names)}.",
            field="map",
        )


def check_repeated(name: str, header: Sequence[str]) -> None:
    """Check that no two columns of one name could be the same field.

    Args:
        name: What to call the file in an error.
        header: The columns as they stand in the file.

    Raises:
        ValidationError: If two could.
    """
    times = Counter(column for column in header if column.strip())
    for column in times:
        if times[column] > 1 and column not in map_columns(("number", column), {}).unused:
            raise ValidationError(
                f"{name} has two columns named {redact_numbers(column)!r}. "
                "Give each a name of its own.",
                field="path",
            )


def _recognise(names: Sequence[str], field: str) -> list[int]:
    plain = [*map(_normalise, names)]
    return [
        position
        for rank in _KNOWN[field]
        for position, name in enumerate(plain)
        if rank.fullmatch(name)
    ]


def _find_kinds(names: Sequence[str], numbers: Iterable[int]) -> dict[int, int]:
    """Find to each ``Phone 1 - Value`` its ``Phone 1 - Label``, once ``Phone 1 - Type``."""
    plain = [*map(_normalise, names)]
    return {
        position: plain.index(kind)
        for position in numbers
        for word in ("type", "label")
        if (kind := plain[position].removesuffix("value") + word) in plain
    }


def _normalise(name: str) -> str:
    # NFKC, as macOS writes an umlaut as two characters, of which one would be taken for a sign.
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def _suggest_mapping(name: str, field: str) -> str:
    return f"columns={ {redact_numbers(name): field}!r}"


def _list_names(names: Sequence[str]) -> str:
    # Of a file without a header, the names are values.
    return ", ".join(redact_numbers(ascii(name)) for name in names)
