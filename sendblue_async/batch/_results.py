"""What became of each contact of a batch."""

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
            cannot tell whether it is new. ``"existing"``: its number exists already, and the
            contact was left alone. ``"rejected"``: it cannot be sent, or the server refused it.
            ``"unknown"``: it may have been stored. ``"skipped"``: it was not sent.
        contact: What was to be sent, or ``None`` if the row is no contact that can be sent.
        response: The answer, if it was created or stored.
        error: Why it was not, if it was not.
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
        index: Its index among all entries of the file, from 0.
        outcome: That of a :class:`ContactResult`, ``"unchanged"`` or ``"remaining"``.
        line: The physical line on which its row begins.
        code: Why it was not stored, for programs to read.
        reason: The same in a sentence, without any number or name. NUL characters are dropped.
        contact_id: Sendblue's identifier of the contact, if the answer had one.
    """

    index: int
    outcome: str
    line: int
    code: str = ""
    reason: str = ""
    contact_id: str = ""
