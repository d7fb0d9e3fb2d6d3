"""How the file of an import is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Attribute, asdict, evolve, field, frozen

from ..._arguments import suggest_arguments
from ..._checks import validate_flag
from ...exceptions import ConfigurationError
from .._mapping._columns import check_repeated, map_columns
from .._mapping._contact_reader import ContactReader
from .._mapping._phone_numbers import check_region
from .._mapping._vocabulary import find_meaning
from .._rows import check_names
from .._sources._dialect import check_delimiter
from .._sources._encoding import check_encoding
from .._sources._extra import import_library
from .._sources._header import check_column_names
from .._sources._registry import check_format
from .._sources._source import Location
from .._sources._table import read_table
from ._duplicates import OnDuplicate
from ._rejected import drop_added


def _validate_on_duplicate(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value not in ("merge", "last"):
        raise ConfigurationError(f"on_duplicate must be 'merge' or 'last', not {value!r}.")


def _validate_columns(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, Mapping):
        check_names(value)
    elif not all(isinstance(word, str) for pair in value.items() for word in pair):
        raise ConfigurationError(
            f"columns must be a mapping of column names to fields, not {value!r}."
        )


def _validate_encoding(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        check_encoding(value)


def _validate_delimiter(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        check_delimiter(value)


def _validate_sheet(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if not (value is None or isinstance(value, str) or (type(value) is int and value > 0)):
        raise ConfigurationError(
            f"sheet must be the name of a sheet, or its number from 1, not {value!r}."
        )


@suggest_arguments
@frozen(kw_only=True)
class ImportOptions:
    """How the file of an import is read; a resumed import needs the same options.

    Attributes:
        update_if_exists: Whether contacts that exist are updated, or left alone. Default false.
        only_changes: Whether contacts whose stored values agree with the file are left out. The
            account is listed for that, a thousand contacts a request. It needs
            ``update_if_exists``. Default false.
        region: The region of numbers without ``+``, such as ``"US"``. By default those are
            rejected.
        columns: Column names and the fields they hold, where the names do not say so. For rows
            without names, such as tuples, a list of the names of their columns.
        on_duplicate: Whether rows with one number are merged into one contact, which is the
            default, or the ``"last"`` one wins.
        all_numbers: Whether each usable number of a row becomes a contact, or only the first.
            Default false.
        accept_doubts: Whether to go ahead where the file can be read in more than one way, as the
            ``doubts`` of the :class:`ImportMapping` say, or to refuse it. Default false.
        format: The file's format, such as ``"csv"`` or ``"jsonl"``. Detected by default.
        encoding: The file's encoding. Detected by default.
        delimiter: The separator of the cells of CSV. Detected by default.
        header: Whether a CSV file has a header. Without one, ``columns`` go by position, such as
            ``{"1": "number"}``. Default true.
        sheet: The sheet of a workbook, by its name or its number from 1. By default the first
            visible one that has rows.

    Raises:
        ConfigurationError: If a value is not usable, changes were asked for without
            ``update_if_exists``, or the extra for ``region`` is missing.
    """

    update_if_exists: bool = field(default=False, validator=validate_flag)
    only_changes: bool = field(default=False, validator=validate_flag)
    region: str | None = field(default=None, converter=check_region)
    columns: Mapping[str, str] | Sequence[str] | None = field(
        default=None, validator=_validate_columns
    )
    on_duplicate: OnDuplicate = field(default="merge", validator=_validate_on_duplicate)
    all_numbers: bool = field(default=False, validator=validate_flag)
    accept_doubts: bool = field(default=False, validator=validate_flag)
    format: str | None = field(default=None, converter=check_format)
    encoding: str | None = field(default=None, validator=_validate_encoding)
    delimiter: str | None = field(default=None, validator=_validate_delimiter)
    sheet: str | int | None = field(default=None, validator=_validate_sheet)
    header: bool = field(default=True, validator=validate_flag)

    def __attrs_post_init__(self) -> None:
        if self.only_changes and not self.update_if_exists:
            raise ConfigurationError(
                "only_changes needs update_if_exists=True: a plain create changes no contact that "
                "exists."
            )

    @property
    def row_columns(self) -> Sequence[str] | None:
        """The names of the columns, for rows that have none.

        :meta private:
        """
        return None if isinstance(self.columns, Mapping) else self.columns

    def read(self, source: Location) -> ContactReader:
        """Open the file, and map its columns.

        Raises:
            ValidationError: If the file cannot be used.
            ConfigurationError: If an option does not fit it.

        :meta private:
        """
        given = self.columns if isinstance(self.columns, Mapping) else {}
        table = read_table(
            source,
            format=self.format,
            encoding=self.encoding,
            delimiter=self.delimiter,
            sheet=self.sheet,
            header=self.header,
            is_known=lambda name: name in given or find_meaning(name) is not None,
        )
        if self.header:
            check_column_names(str(table.path), given)
        columns = map_columns(table.columns, given, table.find_numbers)
        check_repeated(str(table.path), table.header, columns)
        added = {*table.columns[len(drop_added(table.columns)) :]}
        return ContactReader(
            table=table,
            # Those that an import has added to its rejected rows are for people.
            columns=evolve(
                columns, unused=tuple(name for name in columns.unused if name not in added)
            ),
            region=self.region,
            all_numbers=self.all_numbers,
            update_if_exists=self.update_if_exists,
        )

    def settings(self, reader: ContactReader, account: str) -> dict[str, str]:
        """The settings that the journal compares when the import is resumed.

        :meta private:
        """
        settings = {
            "account": account,
            "update_if_exists": str(self.update_if_exists),
            "only_changes": str(self.only_changes),
            "region": str(reader.region),
            "columns": json.dumps(asdict(reader.columns)),
            "on_duplicate": self.on_duplicate,
            "all_numbers": str(self.all_numbers),
            "encoding": str(reader.table.encoding),
            "delimiter": str(reader.table.delimiter),
            "header": str(self.header),
            # Where each usable number is an entry, the library decides which index each one has.
            "phonenumbers": import_library("phonenumbers").__version__ if self.all_numbers else "",
        }
        # Without one there is no such setting, so that a journal of a text file stays comparable.
        return settings if reader.table.sheet is None else {**settings, "sheet": reader.table.sheet}
