"""What a batch of contacts takes and gives: options, a result for each row, a job for a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._importing._report import ImportProgress, ImportReport
from ._results import ContactOutcome, ContactResult
from ._sending._options import SendOptions

if TYPE_CHECKING:
    from ._exporting._export import ExportReport
    from ._importing._changes import PlannedChange
    from ._importing._check import DryRun
    from ._importing._job import ImportJob
    from ._importing._options import ImportOptions
    from ._importing._preview import ImportMapping
    from ._sources._doubt import Doubt

__all__ = [
    "ContactOutcome",
    "ContactResult",
    "Doubt",
    "DryRun",
    "ExportReport",
    "ImportJob",
    "ImportMapping",
    "ImportOptions",
    "ImportProgress",
    "ImportReport",
    "PlannedChange",
    "SendOptions",
]

# Loaded when asked for: they bring SQLite and more, which most programs need not wait for.
_LAZY = {
    "Doubt": "_sources._doubt",
    "ExportReport": "_exporting._export",
    "DryRun": "_importing._check",
    "ImportJob": "_importing._job",
    "ImportMapping": "_importing._preview",
    "ImportOptions": "_importing._options",
    "PlannedChange": "_importing._changes",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_LAZY})
