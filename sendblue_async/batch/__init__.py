"""What a batch of contacts gives: a result for each row, or a report on a whole file."""

from __future__ import annotations

from ._importing._report import ImportProgress, ImportReport
from ._results import ContactOutcome, ContactResult

__all__ = ["ContactOutcome", "ContactResult", "ImportProgress", "ImportReport"]
