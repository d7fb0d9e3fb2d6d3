"""Many contacts in one request: create, delete."""

from __future__ import annotations

from typing import Any, cast

from attrs import frozen

from .._bodies import read_changes, read_json_object, require_list, require_number
from .._contact import Refusal, StoredContact, normalize_number
from ._context import Call, Handler, HandlerContext

__all__ = ["ROUTES"]

# The contract gives an entry of a bulk create these, and no deprecated spelling.
_ENTRY_TEXTS = {
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "company_name": "company_name",
}


@frozen(kw_only=True)
class BulkEntry:
    """One contact of a bulk create."""

    number: str
    changes: dict[str, Any]
    """The fields that were given."""


def create_contacts_bulk(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Create the contacts whose numbers are not stored yet, and return these."""
    created: list[StoredContact] = []
    entries = read_bulk_create(call.body)
    with context.store.exclusive():
        for entry in entries:
            # Looked up one by one, so that a number given twice is found the second time.
            if context.store.get(entry.number) is None:
                contact = context.new_contact(entry.number, entry.changes)
                context.store.put(contact)
                created.append(contact)
    if created:
        context.counts["created"] += len(created)
    shown = [context.show(contact) for contact in created]
    return {"contacts": shown, "status": "OK"}


def delete_contacts_bulk(context: HandlerContext, call: Call) -> dict[str, Any]:
    """Delete the contacts with these numbers, and return how many there were."""
    numbers = read_bulk_delete(call.body)
    with context.store.exclusive():
        amount = sum(context.store.remove(number) for number in numbers)
    if amount:
        context.counts["deleted"] += amount
    return {"amount": amount, "status": "OK"}


def read_bulk_create(body: bytes) -> list[BulkEntry]:
    """Read the contacts to create, in the order given.

    Raises:
        Refusal: 400, for what is not a JSON object, no list, or an entry with no number, a bad
            number, or a wrong type; the message names the first such entry.
    """
    entries = require_list(read_json_object(body), "contacts", "objects")
    return [_read_entry(f"contacts[{index}]", entry) for index, entry in enumerate(entries)]


def read_bulk_delete(body: bytes) -> list[str]:
    """Read the numbers to delete, in the order given.

    Raises:
        Refusal: 400, for what is not a JSON object, no list, or an item that is not a number;
            the message names the first such item.
    """
    items = require_list(read_json_object(body), "contact_ids", "strings")
    return [_read_item(f"contact_ids[{index}]", item) for index, item in enumerate(items)]


def _read_entry(label: str, entry: object) -> BulkEntry:
    if not isinstance(entry, dict):
        raise Refusal(400, f"{label} must be an object")
    try:
        changes = read_changes(cast("dict[str, object]", entry), _ENTRY_TEXTS)
        number = require_number(changes.pop("phone", None))
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{label}: {refusal.message}") from None
    return BulkEntry(number=number, changes=changes)


def _read_item(label: str, item: object) -> str:
    if not isinstance(item, str):
        raise Refusal(400, f"{label} must be a string")
    try:
        return normalize_number(item)
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{label}: {refusal.message}") from None


ROUTES: dict[str, Handler] = {
    "POST /api/v2/contacts/bulk": create_contacts_bulk,
    "DELETE /api/v2/contacts": delete_contacts_bulk,
}
