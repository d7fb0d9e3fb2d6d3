"""Many contacts in one request: create, delete."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from .._retry import Failure
from .._retry_rules import RULES, Effect
from .._settling import create_flow
from .._wire import Operation, make_reader
from ..models import (
    BulkContact,
    BulkCreateResponse,
    BulkDeleteResponse,
    ContactCreate,
    ContactResponse,
    ResponseMeta,
)
from ..models._bulk import BulkCreate, BulkDelete
from .contacts import CONTACTS, LOOK_UP
from .lists import ContactLists

_read_created = make_reader(BulkCreateResponse, may_be_empty=True)
_read_deleted = make_reader(BulkDeleteResponse, may_be_empty=True, may_have_no_body=True)


def _read_only_one(document: Any, meta: ResponseMeta) -> ContactResponse | Failure:
    """Read the answer about a single contact, as that of a plain create."""
    answer = _read_created(document, meta)
    if answer.contacts is None:
        raise TypeError("no list of contacts")
    if not answer.contacts:
        message = "created no contact, as one with this number exists"
        return Failure(rule=RULES[409], message=message, status=meta.status_code)
    return ContactResponse(contact=answer.contacts[0], status=answer.status, meta=meta)


_CREATE_BULK = Operation(
    method="POST", path=f"{CONTACTS}/bulk", effect=Effect.NON_IDEMPOTENT, read=_read_created
)
# Of one contact a look-up tells what became of it, and a second create leaves it alone.
_CREATE_ONE = Operation(
    method="POST", path=f"{CONTACTS}/bulk", effect=Effect.VERIFIABLE, read=_read_only_one
)
_DELETE_BULK = Operation(
    method="DELETE", path=CONTACTS, effect=Effect.IDEMPOTENT, read=_read_deleted
)


class BulkContacts(ContactLists):
    """Creates and deletes many contacts in one request."""

    async def create_contacts_bulk(
        self, contacts: Iterable[BulkContact | ContactCreate | Mapping[str, Any]]
    ) -> BulkCreateResponse:
        """Create contacts in one request.

        The endpoint takes fewer fields than :meth:`create_contact`, see
        :class:`~sendblue_async.models.BulkContact`, and does not update. It is assumed that
        contacts which exist are left alone and left out of the answer. Nothing tells what a
        request did whose answer was lost, so it is not repeated but raises, with ``outcome``
        ``"unknown"``.

        Args:
            contacts: The contacts, at least one and no number twice.

        Raises:
            ValidationError: If a contact carries a field that the endpoint cannot take, or a
                value cannot be sent; names it, such as ``"contacts[3].sendblue_number"``, and
                nothing was sent.
            SendblueError: If the call failed.
        """
        return await self._send_settling(_CREATE_BULK.call(BulkCreate(contacts=contacts)))

    async def delete_contacts_bulk(self, numbers: Iterable[str]) -> BulkDeleteResponse:
        """Delete the contacts with these numbers in one request, and return how many there were.

        Args:
            numbers: Phone numbers, each as for :meth:`create_contact`; at least one.

        Raises:
            ValidationError: If a number cannot be sent; names it, such as ``"numbers[3]"``,
                and nothing was sent.
            SendblueError: If the call failed.
        """
        return await self._send_settling(_DELETE_BULK.call(BulkDelete(numbers=numbers)))

    def _create_one_in_bulk(
        self, contact: ContactCreate, entry: BulkContact, *, since: float | None = None
    ) -> Coroutine[Any, Any, ContactResponse]:
        """Create a contact as :meth:`_create` does, by its entry in a bulk request of its own."""
        number = contact.number
        return self._send_settling(
            _CREATE_ONE.call(BulkCreate(contacts=[entry]), number=number),
            settle=lambda error: create_flow(contact, LOOK_UP.call(number=number), error),
            since=since,
        )
