"""What becomes of each contact of a batch."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from attrs import field, frozen

from ..exceptions import SendblueError
from ..models import ContactCreate, ContactResponse

Row = TypeVar("Row")

ContactOutcome = Literal["created", "stored", "existing", "rejected", "unknown", "skipped"]


@frozen(kw_only=True, slots=False)
class ContactResult(Generic[Row]):
    """What became of one contact of a batch.

    Attributes:
        row: The item of the source that it was made from, as it was.
        outcome: ``"created"``: a plain create stored it. ``"stored"``: an upsert did, which
            cannot tell whether it is new. ``"existing"``: its number was known already, and it
            was left alone. ``"rejected"``: it cannot be sent, or the server refused it.
            ``"unknown"``: it may have been stored. ``"skipped"``: it was not sent.
        contact: What was to be sent, or ``None`` if the row is no contact that can be sent.
        response: The answer, for a contact that was created or stored.
        error: Why it was not, for every other.
    """

    row: Row
    outcome: ContactOutcome
    contact: ContactCreate | None = None
    response: ContactResponse | None = field(default=None, repr=False)
    error: SendblueError | None = None


@frozen
class EntryOutcome:
    """What became of one entry.

    Attributes:
        entry: The place of the row in the input, from 0 on.
        outcome: ``"created"``, ``"stored"``, ``"existing"``, ``"rejected"``, ``"unknown"`` or
            ``"skipped"``.
        line: The line of the input where the row begins.
        code: For what was not stored: why, as a machine reads it.
        reason: The same in a sentence, without any number or name; it is kept as it
            is, but for NUL characters.
    """

    entry: int
    outcome: str
    line: int
    code: str = ""
    reason: str = ""
