"""Which column of a file is which field of a contact."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

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
class Columns:
    """Where the fields of a contact stand in a row.

    Attributes:
        numbers: The places of the columns that hold numbers, the one to be tried first in front.
        fields: The places of other fields, by their names.
        variables: The places of custom variables, by their labels.
        kinds: The places of the columns that say of which kind a number is, such as a fax, by
            the places of the columns with the numbers.
        unused: The names of the columns that are none of these.
    """

    numbers: tuple[int, ...]
    fields: Mapping[str, int]
    variables: Mapping[str, int]
    kinds: Mapping[int, int]
    unused: tuple[str, ...]


def find_columns(names: Sequence[str], given: Mapping[str, str]) -> Columns:
    """The columns of a file, recognised by their names unless they are given.

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
    found: dict[str, list[int]] = {}
    for name, field in given.items():
        if name not in names:
            raise ConfigurationError(
                f"There is no column {redact_numbers(ascii(name))}; "
                f"the columns are {_listed(names)}."
            )
        if field not in FIELDS and (not field.startswith(_VARIABLE) or field == _VARIABLE):
            raise ConfigurationError(
                f"{field!a} is no field; a column can be {', '.join(FIELDS)} or {_VARIABLE}LABEL."
            )
        found.setdefault(field, []).append(names.index(name))
    taken = {place for places in found.values() for place in places}
    for field in FIELDS:
        if field not in found or field == "number":
            recognised = [place for place in _recognised(names, field) if place not in taken]
            found[field] = [*found.get(field, ()), *recognised]
    for place, name in enumerate(names):
        if name.startswith(_VARIABLE) and name != _VARIABLE and place not in taken:
            found.setdefault(name, []).append(place)
    for field, places in found.items():
        if field != "number" and len(places) > 1:
            columns = _listed([names[place] for place in places])
            raise ValidationError(
                f"The columns {columns} are both {field}; say which it is with "
                f"{_mapping(names[places[0]], field)}.",
                field="map",
            )
    if not found["number"]:
        raise ValidationError(
            f"No column is known to have phone numbers; say which has, as in "
            f"{_mapping(names[0], 'number')}. The columns are {_listed(names)}.",
            field="map",
        )
    kinds = _kinds(names, found["number"])
    used = {*kinds.values(), *(place for places in found.values() for place in places)}
    single = {field: places[0] for field, places in found.items() if places and field != "number"}
    return Columns(
        numbers=tuple(found["number"]),
        fields={field: place for field, place in single.items() if field in FIELDS},
        variables={
            field.removeprefix(_VARIABLE): place
            for field, place in single.items()
            if field not in FIELDS
        },
        kinds=kinds,
        unused=tuple(name for place, name in enumerate(names) if place not in used),
    )


def _recognised(names: Sequence[str], field: str) -> list[int]:
    plain = [*map(_plain, names)]
    return [
        place for rank in _KNOWN[field] for place, name in enumerate(plain) if rank.fullmatch(name)
    ]


def _kinds(names: Sequence[str], numbers: Iterable[int]) -> dict[int, int]:
    """To each ``Phone 1 - Value`` its ``Phone 1 - Label``, which once was ``Phone 1 - Type``."""
    plain = [*map(_plain, names)]
    return {
        place: plain.index(kind)
        for place in numbers
        for word in ("type", "label")
        if (kind := plain[place].removesuffix("value") + word) in plain
    }


def _plain(name: str) -> str:
    # NFKC, as macOS writes an umlaut as two characters, of which one would be taken for a sign.
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def _mapping(name: str, field: str) -> str:
    return f"columns={ {redact_numbers(name): field}!r}"


def _listed(names: Sequence[str]) -> str:
    # Of a file without a header, the names are values.
    return ", ".join(redact_numbers(ascii(name)) for name in names)
