"""The contacts that the rows of a table describe."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain, count, islice
from typing import Any

from attrs import frozen

from ...exceptions import ValidationError
from ...models import BatchContact, ContactCreate
from .._sources._names import split_name
from .._sources._row import SHOWN_ERRORS, SPREADSHEET_ERROR, Problem, Row
from .._sources._table import Table
from ._columns import ColumnMapping
from ._exact import restore_exact
from ._missing import blank_missing, find_missing
from ._number_cells import read_cell
from ._phone_numbers import are_national
from ._tags import parse_tags
from ._vocabulary import is_fax, is_mobile

_PARTS_OF_NAME = ("first_name", "last_name")
# Rows that take each step together: a processor does faster what it has just done. Reading a row
# of ``benchmarks.imports`` takes 29 µs of the processor, and 43 µs if rows go one by one.
_BATCH_ROWS = 50
# Those that show how the numbers of a column are written.
_FIRST_BATCHES = 100

MOST_CHARACTERS = 1 << 17
"""How many characters a row may have in the cells that are used."""

_TOO_LONG = Problem(
    "row_too_long",
    f"The row has more than {MOST_CHARACTERS:,} characters in the columns that are used.",
)


@frozen(slots=False)
class Entry:
    """One contact of a file, or why there is none.

    Attributes:
        index: Its index among all entries of the file, from 0.
        line: Where its row begins, counted from 1: a physical line, or a row of a sheet.
        contact: The contact.
        problem: Why it cannot be sent.
    """

    index: int
    line: int
    contact: ContactCreate | None = None
    problem: Problem | None = None


@frozen(kw_only=True)
class ContactReader:
    """How a table is read as contacts.

    Attributes:
        table: The table.
        columns: Which column is what.
        region: The region of numbers without ``+``, or ``None`` to reject those.
        all_numbers: Whether each usable number of a row is a contact, or only the first.
        update_if_exists: Whether contacts that exist are to be updated.
    """

    table: Table
    columns: ColumnMapping
    region: str | None = None
    all_numbers: bool = False
    update_if_exists: bool = False

    def entries(self) -> Iterator[Entry]:
        """Read all entries in the order of the file: at least one for each row."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[Entry]]:
        """Read all entries, in lists with those of fifty rows each, or of fewer that are long."""
        indices = count()
        batches = _batch_rows(self.table.rows())
        # A number that can be read in two ways is read as those that stand in its column.
        first = [*_take_some(batches)]
        shown = [row for rows, _ in first for row in rows]
        national = self._find_national(shown)
        missing = find_missing(shown, self.columns)
        for rows, characters in chain(first, batches):
            rows = [blank_missing(row, missing) for row in rows]
            if characters > MOST_CHARACTERS:
                rows = [*map(self._limit_length, rows)]
            numbers = [row.problem or self._find_numbers(row, national) for row in rows]
            fields = [self._read_fields(row) for row in rows]
            contacts = map(_make_contacts, numbers, fields)
            yield [
                entry
                for row, found in zip(rows, contacts, strict=True)
                for entry in _make_entries(indices, row.line, found)
            ]

    def _limit_length(self, row: Row) -> Row:
        """Return the row, or an empty one in its stead if it is too long."""
        if sum(len(row.cells[position]) for position in self.columns.used()) <= MOST_CHARACTERS:
            return row
        return Row(row.line, ("",) * len(row.cells), row.problem or _TOO_LONG)

    def _find_national(self, rows: Iterable[Row]) -> frozenset[int]:
        """Find the columns whose numbers lack their country codes, as some rows show."""
        region, country = self.region, self.columns.country
        if region is None:
            return frozenset()
        if country is not None:
            rows = [row for row in rows if not row.cells[country].strip()]
        return frozenset(
            position
            for position in self.columns.numbers
            if are_national((row.cells[position] for row in rows), region)
        )

    def _read_cell(self, row: Row, position: int, national: Container[int]) -> list[str | Problem]:
        country = self.columns.country
        return read_cell(
            row.cells[position],
            self.region,
            is_national=position in national,
            country="" if country is None else row.cells[country],
        )

    def _find_numbers(self, row: Row, national: Container[int]) -> list[str] | Problem:
        """Find the first usable number, or all that are; else why the first one is not.

        Args:
            row: The row.
            national: The positions of the columns whose numbers lack their country codes.
        """
        usable: dict[str, None] = {}
        first: Problem | None = None
        kinds = self.columns.kinds
        for position in self._order_by_kind(row) if kinds else self.columns.numbers:
            for number in self._read_cell(row, position, national):
                if isinstance(number, str):
                    usable[number] = None
                    if not self.all_numbers:
                        return [number]
                else:
                    first = first or number
        return list(usable) or first or Problem("missing_number", "There is no number.")

    def _order_by_kind(self, row: Row) -> list[int]:
        """Order the positions of its numbers: mobile ones in front, without those of faxes."""
        numbers, given = self.columns.numbers, self.columns.given
        labels = {number: row.cells[kind] for number, kind in self.columns.kinds.items()}
        usable = [number for number in numbers if not is_fax(labels.get(number, ""))]
        return sorted(
            usable,
            key=lambda number: (
                number in labels and number not in numbers[:given] and not is_mobile(labels[number])
            ),
        )

    def _read_fields(self, row: Row) -> dict[str, Any] | Problem:
        """Read the other fields; a blank cell is no value, as it must not delete the stored one."""
        try:
            return self._parse_fields(row)
        except ValidationError as error:
            return _make_problem(error)

    def _parse_fields(self, row: Row) -> dict[str, Any] | Problem:
        given = {
            field: cell
            for field, position in self.columns.fields.items()
            if (cell := row.cells[position].strip())
        }
        if self.columns.full_name is not None:
            self._add_names(row, given)
        labelled = {
            label: cell
            for label, position in self.columns.variables.items()
            if (cell := row.cells[position].strip())
        }
        if not SHOWN_ERRORS.isdisjoint([*given.values(), *labelled.values()]):
            return SPREADSHEET_ERROR
        fields: dict[str, Any] = {**given}
        if "tags" in given:
            fields["tags"] = parse_tags(given["tags"])
        variables = (
            _parse_variables(given["custom_variables"]) if "custom_variables" in given else {}
        )
        variables.update(labelled)
        fields.pop("custom_variables", None)
        if variables:
            fields["custom_variables"] = variables
        if self.columns.exact is not None and (cell := row.cells[self.columns.exact].strip()):
            restore_exact(fields, cell)
        if self.update_if_exists:
            fields["update_if_exists"] = True
        return fields

    def _add_names(self, row: Row, given: dict[str, str]) -> None:
        """Add the names in the cell with both of them, unless they are given apart."""
        assert self.columns.full_name is not None
        first, last = split_name(
            row.cells[self.columns.full_name],
            first=given.get("first_name", ""),
            last=given.get("last_name", ""),
        )
        given.update(
            {name: text for name, text in (("first_name", first), ("last_name", last)) if text}
        )


def _batch_rows(rows: Iterable[Row]) -> Iterator[tuple[list[Row], int]]:
    """Gather rows into batches, each with how many characters it has."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(map(len, row.cells))
        if len(batch) == _BATCH_ROWS or characters > MOST_CHARACTERS:
            yield batch, characters
            batch, characters = [], 0
    if batch:
        yield batch, characters


def _take_some(batches: Iterator[tuple[list[Row], int]]) -> Iterator[tuple[list[Row], int]]:
    """Take the first batches, up to some thousand rows, or fewer that are long."""
    taken = 0
    for batch in islice(batches, _FIRST_BATCHES):
        yield batch
        taken += batch[1]
        if taken > 4 * MOST_CHARACTERS:
            return


def _make_contacts(
    numbers: list[str] | Problem, fields: dict[str, Any] | Problem
) -> list[ContactCreate] | Problem:
    """Make a contact with each of the numbers, or say why there is none."""
    if isinstance(numbers, Problem):
        return numbers
    if isinstance(fields, Problem):
        return fields
    try:
        made = BatchContact if "company_name" in fields else ContactCreate
        return [made(number=number, **fields) for number in numbers]
    except ValidationError as error:
        return _make_problem(error)


def _make_entries(
    indices: Iterator[int], line: int, found: list[ContactCreate] | Problem
) -> list[Entry]:
    if isinstance(found, Problem):
        return [Entry(next(indices), line, problem=found)]
    return [Entry(next(indices), line, contact=contact) for contact in found]


def _make_problem(error: ValidationError) -> Problem:
    # Its words would show what stands in the row.
    field = (error.field or "row").partition("[")[0]
    return Problem(f"invalid_{field}", f"The {field} cannot be sent as written.")


def _parse_variables(cell: str) -> dict[str, Any]:
    try:
        variables = json.loads(cell)
    except (ValueError, RecursionError):
        variables = None
    if not isinstance(variables, dict):
        raise ValidationError("custom_variables must be a JSON object.", field="custom_variables")
    # As in a column of their own, where all values are text.
    return {
        label: json.dumps(value) if isinstance(value, (bool, int, float)) else value
        for label, value in variables.items()
        if value is not None and value != ""
    }


def merge_documents(documents: Iterable[Mapping[str, Any]]) -> ContactCreate:
    """Make one contact of what :meth:`ContactCreate.to_dict` gives of some with the same number.

    Values of later ones go before those of earlier ones, and the name of another person takes the
    place of all of an earlier one; tags and custom variables of all are in it. It takes each in
    turn once, however many there are.
    """
    fields: dict[str, Any] = {}
    tags: dict[str, None] = {}
    variables: dict[str, Any] = {}
    for document in documents:
        if any(
            name in fields and name in document and _differ(fields[name], document[name])
            for name in _PARTS_OF_NAME
        ):
            for name in _PARTS_OF_NAME:
                fields.pop(name, None)
        fields.update(document)
        tags.update(dict.fromkeys(document.get("tags", ())))
        variables.update(document.get("custom_variables", {}))
    if "tags" in fields:
        fields["tags"] = list(tags)
    if "custom_variables" in fields:
        fields["custom_variables"] = variables
    return BatchContact.read(fields)


def _differ(one: str, other: str) -> bool:
    """Tell whether two names are of two people: neither is the other one, or short for it."""
    one, other = (name.casefold().rstrip(".") for name in (one, other))
    return not one.startswith(other) and not other.startswith(one)
