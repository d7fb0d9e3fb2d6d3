"""What an import would change in the account, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ._output import format_count, print_note

if TYPE_CHECKING:
    from ..batch import DryRun

# How many contacts are shown; the report has all of them.
_MAX_CONTACTS_SHOWN = 10


def print_plan(result: DryRun) -> None:
    """Print what would change, with the stored and the new value of each field."""
    for change in result.changes[:_MAX_CONTACTS_SHOWN]:
        new = " new" if change.is_new else ""
        print_note(f"line {change.line}, {change.number}{new}")
        for name, values in change.fields.items():
            stored = "" if change.is_new else f"{_show(values['stored'])} -> "
            print_note(f"         {name}: {stored}{_show(values['new'])}")
    more = len(result.changes) - _MAX_CONTACTS_SHOWN
    if more > 0:
        print_note(f"{format_count(more, 'more contact')} would change; --report FILE has all.")


def _show(value: Any) -> str:
    return "none" if value in (None, "", []) else json.dumps(value, ensure_ascii=False)
