"""Contacts with a company, which a plain create and an upsert do not carry."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeGuard

from ...exceptions import NotFoundError, SendblueError
from ...models import BatchContact, BulkContact, ContactCreate, ContactResponse, ContactUpdate
from ._bulk import to_bulk
from ._circuit_breaker import is_final_refusal
from ._worker_pool import FATAL, Create, Created, WithoutCompany


def has_company(contact: ContactCreate) -> TypeGuard[BatchContact]:
    """Whether a contact has a company that is to be stored."""
    return isinstance(contact, BatchContact) and contact.company_name is not None


def needs_update(contact: ContactCreate) -> bool:
    """Whether a contact has a company that no request which creates it can carry."""
    return has_company(contact) and to_bulk(contact) is None


class CreateOne(Protocol):
    """Creates one contact in a bulk request of its own, which settles as a plain create does."""

    def __call__(
        self, contact: ContactCreate, entry: BulkContact, *, since: float | None
    ) -> Coroutine[Any, Any, ContactResponse]:
        """Create the contact.

        Args:
            contact: What is to be stored.
            entry: The same as an entry of a bulk request.
            since: As for :class:`Create`.
        """
        ...


class Update(Protocol):
    """Changes a contact, as :meth:`SendblueClient.update_contact` does."""

    def __call__(
        self, number: str, changes: ContactUpdate, /
    ) -> Coroutine[Any, Any, ContactResponse]:
        """Change the contact with this number."""
        ...


class CompanyCreator:
    """Creates contacts one by one, with their companies.

    A new contact goes into a bulk request of its own, so that it is stored as a whole or not at
    all, and so that a look-up tells it from another program's contact by its company, too. What
    that cannot carry, such as an upsert, is created without its company, and then updated.

    It remembers nothing. A call for a contact that was stored without its company, now or in a run
    that was killed, begins again: that finds the contact, and updates it.

    Args:
        create: Creates one contact.
        create_one: Creates one contact in a bulk request.
        update: Changes one contact.
    """

    def __init__(self, create: Create, create_one: CreateOne, update: Update) -> None:
        self._create = create
        self._create_one = create_one
        self._update = update

    def __call__(
        self, contact: ContactCreate, *, since: float | None
    ) -> Coroutine[Any, Any, Created]:
        """Create the contact, which an earlier call, begun at ``since``, may have created."""
        if not has_company(contact):
            return self._create(contact, since=since)
        entry = to_bulk(contact)
        if entry is not None:
            return self._create_one(contact, entry, since=since)
        return self._create_and_update(contact, since=since)

    async def _create_and_update(self, contact: BatchContact, *, since: float | None) -> Created:
        created = await self._create(contact.without_company(), since=since)
        changes = ContactUpdate(company_name=contact.company_name)
        try:
            updated = await self._update(contact.number, changes)
        except SendblueError as error:
            if is_final_refusal(error) and not isinstance(error, (NotFoundError, *FATAL)):
                way = "" if contact.update_if_exists else " Mended, it needs update_if_exists=True."
                error.args = (f"The contact is stored, without its company: {error}{way}",)
                return WithoutCompany(error)
            # Not of the update alone: the contact is stored.
            error.outcome = "unknown"
            raise
        return updated if updated.contact.phone else created
