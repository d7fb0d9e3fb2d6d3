"""What a batch of contacts gives: a result for each row."""

from __future__ import annotations

from ._results import ContactOutcome, ContactResult

__all__ = ["ContactOutcome", "ContactResult"]
