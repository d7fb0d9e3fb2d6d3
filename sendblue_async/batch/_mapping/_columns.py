"""Which column of a file is which field of a contact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import chain

from attrs import evolve, frozen

from ..._redaction import redact_numbers
from ...exceptions import ConfigurationError, ValidationError
from .._sources._dialect import DELIMITER_NAMES
from ._exact import EXACT
from ._vocabulary import WEAKEST, find_meaning, normalise

CONTACT_FIELDS = (
    "number",
    "first_name",
    "last_name",
    "company_name",
    "assigned_to_email",
    "sendblue_number",
    "tags",
    "custom_variables",
)
"""The fields of a contact that an import stores, in the order in which an export writes them."""

# What is no field of a contact itself. Of several columns that are as good, the first one is read.
_ASIDE = ("full_name", "country")

FIELDS = (*CONTACT_FIELDS, *_ASIDE)
"""What a column can be: a field of a contact, both names of one in one cell, or its country."""

_VARIABLE = "custom_variables."
# What separates the columns of a file that is read by another delimiter; no header has such signs.
_SEPARATED = re.compile(r"\w[^\w\n]*(?:[^\w\s.'#()/&?\u00b0-]|\s{2})[^\w\n]*\w")


@frozen
class ColumnMapping:
    """Where the fields of a contact stand in a row.

    Attributes:
        numbers: The positions of the columns that hold numbers, the one to be tried first in front.
        fields: The positions of other fields, by their names.
        variables: The positions of custom variables, by their labels.
        kinds: The positions of the columns that say of which kind a number is, such as a fax, by
            the positions of the columns with the numbers.
        given: How many of ``numbers`` were given; the labels of the others say which go first.
        full_name: The position of whole names, where there is no column for each part of them.
        country: The position of the country of a contact.
        exact: The position of the values that no cell can hold, in a file of an export.
        unused: The names of the columns that are none of these.
    """

    numbers: tuple[int, ...]
    fields: Mapping[str, int]
    variables: Mapping[str, int]
    kinds: Mapping[int, int]
    unused: tuple[str, ...]
    given: int = 0
    full_name: int | None = None
    country: int | None = None
    exact: int | None = None

    def used(self) -> frozenset[int]:
        """The positions of all columns that are read."""
        aside = (
            position
            for position in (self.full_name, self.country, self.exact)
            if position is not None
        )
        single = self.kinds.values(), self.fields.values(), self.variables.values()
        return frozenset((*self.numbers, *chain.from_iterable(single), *aside))


def _find_none() -> None:
    return None


def map_columns(
    names: Sequence[str],
    given: Mapping[str, str],
    find_numbers: Callable[[], int | None] = _find_none,
) -> ColumnMapping:
    """Map the columns of a file to fields, by their names unless they are given.

    Args:
        names: The columns as the file names them.
        given: Column names and the fields that they are: one of :data:`FIELDS`, or
            ``custom_variables.LABEL``. A field that is given is not looked for any more, but for
            numbers, of which there can be several: those that are given are tried first, then
            those that are recognised, unless they are given as something else.
        find_numbers: Finds the position of a column that seems to hold numbers, if none has the
            name of one.

    Raises:
        ConfigurationError: If a column or a field that was given does not exist.
        ValidationError: If a field has two columns, or no column has numbers.
    """
    found = _collect_positions(names, given)
    numbers = found.pop("number", [])
    if {"first_name", "last_name"} <= found.keys() and "full_name" not in given.values():
        found.pop("full_name", None)
    _check_positions(names, found)
    if not numbers:
        raise _no_numbers_error(names, find_numbers())
    single = {field: positions[0] for field, positions in found.items()}
    mapping = ColumnMapping(
        numbers=tuple(numbers),
        fields={
            field: position
            for field, position in single.items()
            if field in FIELDS and field not in _ASIDE
        },
        variables={
            field.removeprefix(_VARIABLE): position
            for field, position in single.items()
            if field not in FIELDS and field != EXACT
        },
        kinds=_find_kinds(names, numbers),
        unused=(),
        given=sum(field == "number" for field in given.values()),
        full_name=single.get("full_name"),
        country=single.get("country"),
        exact=single.get(EXACT),
    )
    used = mapping.used()
    unused = tuple(name for position, name in enumerate(names) if position not in used)
    return evolve(mapping, unused=unused)


def _collect_positions(names: Sequence[str], given: Mapping[str, str]) -> dict[str, list[int]]:
    """Collect the positions of each field: those that are given, then those with known names."""
    found: dict[str, list[int]] = {}
    for name, field in given.items():
        if name not in names:
            raise ConfigurationError(
                f"There is no column {redact_numbers(repr(name))}; "
                f"the columns are {_list_names(names)}."
            )
        if field not in FIELDS and (not field.startswith(_VARIABLE) or field == _VARIABLE):
            raise ConfigurationError(
                f"{field!r} is not a field; a column can be {', '.join(FIELDS)} "
                f"or {_VARIABLE}LABEL."
            )
        found.setdefault(field, []).append(names.index(name))
    taken = {*chain.from_iterable(found.values())}
    for field, ranked in _recognise(names, taken).items():
        if field == "number":
            known = found.setdefault(field, [])
            # A column such as "Number" may count something else, so it is only a last resort.
            known += [position for kind, _, position in ranked if kind < WEAKEST] or (
                [] if known else [position for *_, position in ranked]
            )
        elif field not in found:
            best = ranked[0][:-1]
            found[field] = [position for *rank, position in ranked if tuple(rank) == best]
    for position, name in enumerate(names):
        if position in taken:
            continue
        if name == EXACT or (name.startswith(_VARIABLE) and name != _VARIABLE):
            found.setdefault(name, []).append(position)
    return found


def _recognise(names: Sequence[str], taken: Container[int]) -> dict[str, list[tuple[int, ...]]]:
    """Recognise columns by their names: ranks with positions by field, the best one in front."""
    ranked: dict[str, list[tuple[int, ...]]] = {}
    for position, name in enumerate(names):
        meaning = find_meaning(name)
        if meaning is None or meaning.field not in FIELDS:
            continue
        # A country that is sent as a custom variable says how numbers are read all the same.
        if position not in taken or meaning.field == "country":
            ranked.setdefault(meaning.field, []).append((*meaning.rank, position))
    return {field: sorted(positions) for field, positions in ranked.items()}


def _check_positions(names: Sequence[str], found: Mapping[str, Sequence[int]]) -> None:
    """Check that no field but numbers has several columns."""
    for field, positions in found.items():
        if field not in _ASIDE and len(positions) > 1:
            columns = _list_names([names[position] for position in positions])
            raise ValidationError(
                f"The columns {columns} are both {field}; say which it is with "
                f"{_suggest_mapping(names[positions[0]], field)}.",
                field="map",
            )


def _no_numbers_error(names: Sequence[str], likely: int | None) -> ValidationError:
    if len(names) == 1 and _SEPARATED.search(names[0]):
        words = (
            f"{_list_names(names)} was read as one column. Between several there must be a "
            f"{DELIMITER_NAMES}, which is detected if no delimiter is given, and no quotes around "
            "whole lines. If it is one column of phone numbers, name it, as in "
            f"{_suggest_mapping(names[0], 'number')}."
        )
    elif likely is not None:
        words = (
            f"No column was recognised as phone numbers, but {_list_names([names[likely]])} seems "
            f"to hold some. To use it, say {_suggest_mapping(names[likely], 'number')}. "
            f"The columns are {_list_names(names)}."
        )
    else:
        words = (
            "No column was recognised as phone numbers, and none seems to hold any. If one does, "
            f"name it with columns={{NAME: 'number'}}. The columns are {_list_names(names)}."
        )
        if not all(map(str.isdecimal, names)):
            words += " If the first row is a contact, pass header=False and name them by position."
    return ValidationError(words, field="map")


def check_repeated(name: str, header: Sequence[str], mapping: ColumnMapping) -> None:
    """Check that no column that is read has the same name as another one.

    Args:
        name: What to call the file in an error.
        header: The columns as they stand in the file.
        mapping: What they are.

    Raises:
        ValidationError: If one has.
    """
    times = Counter(header)
    for position in sorted(mapping.used() - {mapping.country}):
        if times[header[position]] > 1:
            raise ValidationError(
                f"{name} has two columns named {redact_numbers(header[position])!r}. "
                "Give each a name of its own.",
                field="path",
            )


def _find_kinds(names: Sequence[str], numbers: Iterable[int]) -> dict[int, int]:
    """Find to each ``Phone 1 - Value`` its ``Phone 1 - Label``, once ``Phone 1 - Type``."""
    plain = [*map(normalise, names)]
    return {
        position: plain.index(kind)
        for position in numbers
        for word in ("type", "label")
        if (kind := plain[position].removesuffix("value") + word) in plain
    }


def _suggest_mapping(name: str, field: str) -> str:
    return f"columns={ {redact_numbers(name): field}!r}"


def _list_names(names: Sequence[str]) -> str:
    # Of a file without a header, the names are values.
    return ", ".join(redact_numbers(repr(name)) for name in names)
