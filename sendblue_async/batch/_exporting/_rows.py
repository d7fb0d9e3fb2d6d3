"""Contacts as rows of cells, which the importer reads back as the same contacts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._dates import format_datetime
from ...exceptions import ValidationError
from ...models import Contact, ContactCreate, e164
from .._mapping._columns import CONTACT_FIELDS, map_columns
from .._mapping._contact_reader import ContactReader
from .._mapping._exact import EXACT, format_exact
from .._mapping._missing import MAYBE_NAMES
from .._sources._csv import unwrap_text
from .._sources._garbled import GARBLED
from .._sources._row import SHOWN_ERRORS, Row
from .._sources._table import Table

NUMBERS = ("number", "sendblue_number")
"""The columns with phone numbers in E.164 form."""
_FLAGS = ("opt_out", "verified")
COLUMNS = (*CONTACT_FIELDS, *_FLAGS, "created_at", "contact_id", EXACT)

# What can be read otherwise than it is stored; the rest of it is text.
_COMPARED = tuple(name for name in CONTACT_FIELDS if name not in NUMBERS)
_TEXTS = tuple(name for name in _COMPARED if name not in ("tags", "custom_variables"))
# What no reader takes for text, and what a workbook or CSV cannot hold or brings back otherwise.
_UNREADABLE = "\ud800-\udfff\ufffd"
_ODD = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff"
_NOT_IN_CELLS = re.compile(
    f"[{_UNREADABLE}{_ODD}]|_(?=x[0-9A-Fa-f]{{4}}_)|{GARBLED.pattern}",
)
_NOT_IN_JSON = re.compile(f"[{_UNREADABLE}]|{GARBLED.pattern}")
_PLAIN_TAG = re.compile(r"[^\s,;:|\[{('\"“„*](?:[^\n,;:|]*[^\s,;:|])?")
# A row may not go over many lines.
_MOST_LINES = 100


def make_rows(contacts: Sequence[Contact], *, is_json: bool = False) -> list[dict[str, str]]:
    """Make the cells of each contact, by column.

    Each row is read as the importer reads it. Where it would read another value than the stored
    one, such as one without its trailing space, the column :data:`EXACT` has both.

    Args:
        contacts: The contacts.
        is_json: Whether the cells are written as JSON, which can hold more than others can.
    """
    odd = _NOT_IN_JSON if is_json else _NOT_IN_CELLS
    rows = [_make_cells(contact, odd) for contact in contacts]
    for row, contact, read in zip(rows, contacts, _read_back(rows, is_json=is_json), strict=True):
        if read is not None:
            lost = _find_lost(contact, read)
            if is_json:
                # A document without this column is no export, where such a word may be a blank.
                lost |= {name: ("", row[name]) for name in _TEXTS if row[name] in MAYBE_NAMES}
            row[EXACT] = _escape_json(format_exact(lost))
    return rows


def _make_cells(contact: Contact, odd: re.Pattern[str]) -> dict[str, str]:
    cells: dict[str, str] = dict.fromkeys(COLUMNS, "")
    cells["number"] = _make_cell(contact.phone or "", odd)
    cells.update({name: _make_cell(getattr(contact, name) or "", odd) for name in _TEXTS})
    cells["sendblue_number"] = _make_line(contact.sendblue_number)
    cells["tags"] = _make_tags(contact.tags or ())
    cells["custom_variables"] = make_json_cell(contact.custom_variables)
    cells.update(
        {name: json.dumps(flag) for name in _FLAGS if (flag := getattr(contact, name)) is not None}
    )
    if contact.created_at is not None:
        cells["created_at"] = format_datetime(contact.created_at)
    cells["contact_id"] = _make_cell(contact.contact_id or "", odd)
    return cells


def _make_cell(text: str, odd: re.Pattern[str]) -> str:
    """Make what a reader sees of a text: without what a cell cannot hold."""
    text = odd.sub("?", text)
    if text.count("\n") > _MOST_LINES:
        text = text.replace("\n", " ")
    return "" if text.strip() in SHOWN_ERRORS else text


def _make_line(number: str | None) -> str:
    try:
        return e164(number)
    except ValidationError:
        # It could not be sent, and would have the row rejected.
        return ""


def _make_tags(tags: Sequence[str]) -> str:
    is_plain = all(map(_PLAIN_TAG.fullmatch, tags)) and len({*tags}) == len(tags)
    text = ",".join(tags)
    return text if is_plain and _make_cell(text, _NOT_IN_CELLS) == text else make_json_cell(tags)


def make_json_cell(value: Any) -> str:
    """Make a cell of JSON, or an empty one of nothing; it has no character that is odd."""
    if not value:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return _escape_json(json.dumps(value)) if _NOT_IN_CELLS.search(text) else text


def _escape_json(text: str) -> str:
    # What workbooks take for a character that XML cannot hold.
    return text.replace("_x", r"\u005fx")


def _read_back(rows: Sequence[Mapping[str, str]], *, is_json: bool) -> list[ContactCreate | None]:
    """Read the rows as the importer does; ``None`` for what it would reject."""
    # Other formats escape what the importer would unwrap; JSON holds it as it is.
    read = unwrap_text if is_json else str
    table = Table(
        path=Path(),
        contents=Path(),
        header=COLUMNS,
        columns=COLUMNS,
        read_rows=lambda: (Row(n, tuple(map(read, row.values()))) for n, row in enumerate(rows)),
        unit="row",
        fingerprint="",
        version=(),
    )
    reader = ContactReader(table=table, columns=map_columns(COLUMNS, {}))
    return [entry.contact for entry in reader.entries()]


def _find_lost(contact: Contact, read: ContactCreate) -> dict[str, tuple[Any, Any]]:
    """Find the values that are read otherwise than they are stored, with both."""
    lost = {}
    for name in _COMPARED:
        stored, found = getattr(contact, name), getattr(read, name, None)
        if (stored or found) and stored != found:
            lost[name] = (found, stored)
    return lost
