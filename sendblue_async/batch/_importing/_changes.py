"""What an import would change in the account, so that nothing else is sent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any, TypedDict

from attrs import frozen

from ..._redaction import redact_numbers
from ..._settling import READ_LAG
from ...models import BatchContact, ContactCreate
from ...models._contacts import find_differences
from .._account import FetchPage, StoredContacts, list_pages
from .._mapping._contact_reader import Entry
from .._sending._circuit_breaker import Stopped
from .._sending._worker_pool import WorkerPool

# What is sent beside the fields of the contact.
_NO_FIELDS = ("number", "update_if_exists")
_COMPANY = "company_name"


class FieldChange(TypedDict):
    """The value of a field as it is stored, and as the file has it."""

    stored: Any
    new: Any


@frozen(kw_only=True)
class PlannedChange:
    """What an import would change of one contact.

    Attributes:
        line: Where its row begins in the file.
        number: The last digits of its number.
        is_new: Whether the account has no such contact.
        fields: The fields that would change, a custom variable as ``custom_variables.LABEL``.
    """

    line: int
    number: str
    is_new: bool
    fields: Mapping[str, FieldChange]


async def list_account(
    fetch: FetchPage, stored: StoredContacts, workers: WorkerPool, *, began: float
) -> None:
    """Keep all contacts of the account, a thousand a request; end early when stopped.

    Reads lag behind writes. What was changed or deleted before the import began is seen once that
    lag has passed, so that no contact passes for what it was before.

    Args:
        fetch: Fetches a page of them.
        stored: Where they are kept.
        workers: Know the time, and when to stop.
        began: When the import began, on their clock.

    Raises:
        SendblueError: If they cannot be listed.
    """
    elapsed = workers.clock.monotonic() - began
    with suppress(Stopped):
        await workers.pause(max(0.0, READ_LAG - elapsed))
        async with aclosing(list_pages(fetch, stored)) as pages:
            async for page in pages:
                stored.keep(page)
                if workers.stopped:
                    return


class Changes:
    """Tells what would change in the account.

    Args:
        stored: The contacts of the account, as they were when the import had begun.
    """

    def __init__(self, stored: StoredContacts) -> None:
        self._stored = stored

    def find_unchanged(self, contact: ContactCreate) -> dict[str, Any] | None:
        """Find the stored contact, if it has every value that would be sent."""
        there = self._stored.find(contact.number)
        if there is None or find_differences(there, _fields_of(contact)):
            return None
        return there

    def leave_out_company(self, contact: ContactCreate) -> ContactCreate:
        """Leave out the company if it is stored, as it takes a request of its own."""
        if isinstance(contact, BatchContact):
            there = self._stored.find(contact.number)
            if there and not find_differences(there, {_COMPANY: contact.to_dict().get(_COMPANY)}):
                return contact.without_company()
        return contact

    def plan(self, entry: Entry, contact: ContactCreate) -> PlannedChange | None:
        """Tell what would change of a contact, or ``None`` if nothing would."""
        there = self._stored.find(contact.number)
        sent = _fields_of(contact)
        differing = sent.keys() if there is None else find_differences(there, sent)
        if there is not None and not differing:
            return None
        fields: dict[str, FieldChange] = {}
        for name in differing:
            stored, new = (there or {}).get(name), sent[name]
            if isinstance(new, dict):
                stored = stored if isinstance(stored, dict) else {}
                fields.update(
                    (f"{name}.{label}", FieldChange(stored=stored.get(label), new=new[label]))
                    for label in find_differences(stored, new)
                )
            else:
                fields[name] = FieldChange(stored=stored, new=new)
        return PlannedChange(
            line=entry.line,
            number=redact_numbers(contact.number),
            is_new=there is None,
            fields=fields,
        )


def _fields_of(contact: ContactCreate) -> dict[str, Any]:
    return {name: value for name, value in contact.to_dict().items() if name not in _NO_FIELDS}
