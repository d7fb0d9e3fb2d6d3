"""How a source is read, as its header and its first rows show, before anything is sent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

from attrs import evolve, frozen

from ..._redaction import redact_numbers
from ...exceptions import ValidationError
from .._mapping._columns import ColumnMapping
from .._mapping._contact_reader import ContactReader
from .._mapping._countries import find_country
from .._mapping._missing import MAYBE_NAMES, find_missing
from .._mapping._number_cells import read_cell
from .._mapping._vocabulary import WEAKEST, find_meaning, is_fax, normalise
from .._sources._doubt import Doubt
from .._sources._row import Row

# How many rows are looked at, and how many characters of them at most.
_ROWS = 100
_CHARACTERS = 1 << 20
# A name has one to four words that begin with a letter, and nothing that a person's has not.
_NAME = re.compile(r"(?:(?:^|,? )[^\W\d_][^\s\d_@/:;,!?()]*){1,4}")
# A word that stands for no name comes again and again: so often, and in one of so many rows.
_MANY, _MANY_SHARE = 3, 20
_DIGITS = re.compile(r"\d+")
# How many digits the code of a country has.
_CODE_LENGTHS = (1, 2, 3)


@frozen(kw_only=True)
class ImportMapping:
    """How a source is read, as its header and its first rows show.

    Attributes:
        fields: The columns that each field is read from, the one that is tried first in front:
            fields of a contact, ``custom_variables.LABEL``, ``full_name``, ``country``, and
            ``number_label`` for the columns that say of which kind a number is.
        unused: The columns that are not read, each with what its first rows hold: ``"numbers"``
            that could be used, ``"names"``, or nothing of either.
        encoding: The encoding of the file, or ``None`` for a workbook.
        delimiter: The separator of its cells, or ``None``.
        sheet: The name of the sheet, in a workbook.
        region: The region of numbers without ``+``, or ``None`` if those are rejected.
        doubts: What can be read in more than one way. Nothing is sent before it is settled.
    """

    fields: Mapping[str, tuple[str, ...]]
    unused: Mapping[str, str | None]
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    region: str | None
    doubts: tuple[Doubt, ...]


def preview(reader: ContactReader) -> ImportMapping:
    """Look at the header of a table and at its first rows."""
    table = reader.table
    rows = [*_take_first(table.rows())]
    sample = _Sample(reader, rows)
    columns = reader.columns
    has_names = columns.full_name is not None or not columns.fields.keys().isdisjoint(
        ("first_name", "last_name")
    )
    holds = {
        position: sample.describe(position, names=not has_names)
        for position, name in enumerate(table.columns)
        if position not in columns.used()
    }
    return ImportMapping(
        fields=_list_fields(columns, table.columns),
        unused={table.columns[position]: what for position, what in holds.items()},
        encoding=table.encoding,
        delimiter=table.delimiter,
        sheet=table.sheet,
        region=reader.region,
        doubts=(
            *table.doubts,
            *sample.find_rivals(),
            *sample.find_counted(holds),
            *sample.find_better([position for position in holds if holds[position] == "numbers"]),
            *sample.find_countries(holds),
            *sample.find_missing_names(),
            *sample.find_area_codes(holds),
        ),
    )


def doubt_error(mapping: ImportMapping) -> ValidationError:
    """Make the error of a source that is not read before its doubts are settled."""
    said = " ".join(doubt.message for doubt in mapping.doubts)
    return ValidationError(
        f"{said} If it is read right as it is, go ahead with accept_doubts=True.", field="path"
    )


def _take_first(rows: Iterator[Row]) -> Iterator[Row]:
    characters = 0
    for count, row in enumerate(rows, 1):
        yield row
        characters += sum(map(len, row.cells))
        if count == _ROWS or characters > _CHARACTERS:
            return


def _list_fields(columns: ColumnMapping, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    fields = {"number": [*columns.numbers], "number_label": [*columns.kinds.values()]}
    aside = {"full_name": columns.full_name, "country": columns.country}
    variables = {f"custom_variables.{label}": at for label, at in columns.variables.items()}
    for field, position in {**columns.fields, **aside, **variables}.items():
        fields[field] = [] if position is None else [position]
    return {
        field: tuple(names[position] for position in positions)
        for field, positions in fields.items()
        if positions
    }


def _may_count(name: str) -> bool:
    """Tell whether a column says no more of itself than ``Number`` does."""
    meaning = find_meaning(name)
    return meaning is not None and meaning.rank[0] == WEAKEST and len(re.findall(r"\w+", name)) == 1


class _Sample:
    """The first rows of a table, and what a reader makes of them."""

    def __init__(self, reader: ContactReader, rows: list[Row]) -> None:
        self._reader = reader
        self._rows = rows
        table = evolve(reader.table, read_rows=lambda: iter(rows))
        entries = [*evolve(reader, table=table, all_numbers=False).entries()]
        self._sent = {entry.line: entry.contact and entry.contact.number for entry in entries}

    def _find_number(self, row: Row, position: int, country: int | None = None) -> str | None:
        if country is None:
            country = self._reader.columns.country
        named = "" if country is None else row.cells[country]
        found = read_cell(row.cells[position], self._reader.region, country=named)
        return next((number for number in found if isinstance(number, str)), None)

    def _name(self, position: int) -> str:
        return redact_numbers(self._reader.table.columns[position])

    def describe(self, position: int, *, names: bool) -> str | None:
        """Return what most cells of a column hold: ``"numbers"``, or ``"names"`` if wanted."""
        if is_fax(self._reader.table.columns[position]):
            return None
        cells = [cell for row in self._rows if (cell := row.cells[position].strip())]
        numbers = sum(self._find_number(row, position) is not None for row in self._rows)
        if cells and numbers * 2 >= len(cells):
            return "numbers"
        # Other words, such as those of a state or a plan, come again and again.
        if names and cells and len({*cells}) * 5 >= len(cells) * 4:
            alike = sum(_NAME.fullmatch(cell) is not None for cell in cells)
            return "names" if alike * 5 >= len(cells) * 4 else None
        return None

    def find_rivals(self) -> Iterator[Doubt]:
        """Find two columns of numbers that are as good as each other, and differ."""
        columns = self._reader.columns
        if self._reader.all_numbers:
            return
        names = self._reader.table.columns
        recognised = columns.numbers[columns.given :]
        ranked = [(find_meaning(names[position]), position) for position in recognised]
        for (one, first), (other, second) in combinations(ranked, 2):
            numbered = {_DIGITS.sub("", normalise(names[each])) for each in (first, second)}
            if one != other or len(numbered) == 1:
                continue
            differing = 0
            for row in self._rows:
                pair = self._find_number(row, first), self._find_number(row, second)
                differs = None not in pair and pair[0] != pair[1]
                differing += differs and self._sent.get(row.line) == pair[0]
            if differing:
                yield Doubt(
                    "two_number_columns",
                    f"{self._name(first)!r} and {self._name(second)!r} may both hold the number to "
                    f"use, and differ in {differing} of the first {len(self._rows)} rows; the "
                    f"first one is used. Say which one is with "
                    f"columns={ {self._name(second): 'number'}!r}.",
                )

    def find_counted(self, holds: Mapping[int, str | None]) -> Iterator[Doubt]:
        """Find a column such as ``Number`` that may count something, beside one with numbers."""
        columns = self._reader.columns
        others = [position for position in holds if holds[position] == "numbers"]
        if columns.given or not others:
            return
        names = [self._reader.table.columns[each] for each in columns.numbers]
        if all(map(_may_count, names)):
            used, other = self._name(columns.numbers[0]), self._name(others[0])
            yield Doubt(
                "counting_column",
                f"{used!r} may count something else, and {other!r}, which is not used, holds "
                f"numbers that could be phone numbers. Say which one is, with "
                f"columns={ {other: 'number'}!r} or columns={ {used: 'number'}!r}.",
            )

    def find_better(self, unused: Sequence[int]) -> Iterator[Doubt]:
        """Find columns that are not used and hold numbers, where those that are used hold few."""
        missing = [row for row in self._rows if self._sent.get(row.line) is None]
        if len(missing) * 2 <= len(self._rows):
            return
        for position in unused:
            usable = sum(self._find_number(row, position) is not None for row in missing)
            if usable * 2 > len(missing):
                used = ", ".join(map(repr, map(self._name, self._reader.columns.numbers)))
                yield Doubt(
                    "unused_numbers",
                    f"{len(missing)} of the first {len(self._rows)} rows have no usable number in "
                    f"{used}, but {usable} have one in {self._name(position)!r}, which is not "
                    f"used. To use it, say columns={ {self._name(position): 'number'}!r}.",
                )

    def find_countries(self, unused: Iterable[int]) -> Iterator[Doubt]:
        """Find columns that are not used, and by whose countries numbers would be other ones."""
        reader = self._reader
        if reader.region is None or reader.columns.country is not None:
            return
        for position in unused:
            cells = [cell for row in self._rows if (cell := row.cells[position].strip())]
            # Bare digits may as well be an age.
            named = sum(not cell.isdigit() and find_country(cell) is not None for cell in cells)
            if named * 5 < len(cells) * 4:
                continue
            differing = sum(map(partial(self._differs_in, country=position), self._rows))
            if differing:
                yield Doubt(
                    "unused_country",
                    f"By the countries in {self._name(position)!r}, which are not used, the "
                    f"numbers in {differing} of the first {len(self._rows)} rows are other ones "
                    f"than in {reader.region}. To use them, say "
                    f"columns={ {self._name(position): 'country'}!r}.",
                )

    def find_missing_names(self) -> Iterator[Doubt]:
        """Find columns of names with one word again and again that programs write for none."""
        columns = self._reader.columns
        if columns.exact is not None:
            return
        missing = find_missing(self._rows, columns)
        names = columns.fields.get("first_name"), columns.fields.get("last_name"), columns.full_name
        for position in names:
            if position is None:
                continue
            words = Counter(row.cells[position] for row in self._rows)
            for word in sorted(MAYBE_NAMES - missing):
                count = words[word]
                if count >= _MANY and count * _MANY_SHARE >= len(self._rows):
                    yield Doubt(
                        "missing_names",
                        f"{word!r} stands in {self._name(position)!r} in {count} of the first "
                        f"{len(self._rows)} rows, and would be stored as a name. Empty these cells "
                        "if it stands for none.",
                    )

    def _differs_in(self, row: Row, country: int) -> bool:
        """Return whether the number of a row is another one in the country that a column names."""
        sent = self._sent.get(row.line)
        if sent is None or not row.cells[country].strip():
            return False
        abroad = {self._find_number(row, each, country) for each in self._reader.columns.numbers}
        return sent not in abroad and abroad != {None}

    def find_area_codes(self, unused: Iterable[int]) -> Iterator[Doubt]:
        """Find columns of area codes, without which the numbers beside them are other ones."""
        for position in unused:
            meaning = find_meaning(self._reader.table.columns[position])
            if meaning is None or meaning.field != "area_code":
                continue
            number = min(
                self._reader.columns.numbers,
                key=lambda each: (abs(each - position), each < position),
            )
            lacking = sum(map(partial(self._lacks, area_code=position, number=number), self._rows))
            if lacking:
                yield Doubt(
                    "unused_area_code",
                    f"{self._name(position)!r} holds area codes, which {lacking} of the first "
                    f"{len(self._rows)} rows lack in {self._name(number)!r}. Write each number "
                    "with its area code in one column.",
                )

    def _lacks(self, row: Row, *, area_code: int, number: int) -> bool:
        """Return whether the number of a row does not begin with its area code."""
        area, digits = (
            "".join(filter(str.isdecimal, row.cells[position])).lstrip("0")
            for position in (area_code, number)
        )
        if not area or not digits or digits.startswith(area):
            return False
        found = self._find_number(row, number) or ""
        return not any(found.startswith(area, 1 + length) for length in _CODE_LENGTHS)
