"""Verified contacts, who may be reached over a shared line: create, get, list."""

from __future__ import annotations

from .._retry_rules import Effect
from .._wire import Operation, make_reader
from ..models import VerifiedContactList, VerifiedContactResponse, e164
from ..models._verified import VerifiedContactCreate
from .bulk import BulkContacts

_ALL = "/v3/verified-contacts"
_read_one = make_reader(VerifiedContactResponse, wrapped=True)

# What exists already is returned as it is, so it does no harm to create it twice.
_CREATE = Operation(method="POST", path=_ALL, effect=Effect.IDEMPOTENT, read=_read_one)
_GET = Operation(method="GET", path=f"{_ALL}/{{number}}", effect=Effect.SAFE, read=_read_one)
_LIST = Operation(
    method="GET",
    path=_ALL,
    effect=Effect.SAFE,
    read=make_reader(VerifiedContactList, wrapped=True),
)


class VerifiedContacts(BulkContacts):
    """Creates and gets verified contacts."""

    async def create_verified_contact(self, number: str) -> VerifiedContactResponse:
        """Create a verified contact, or get the one that exists.

        On plans with a shared line, a person has to exist as a verified contact, and to write
        to that line once, before messages reach them. The answer's
        ``verification_instructions`` say what to tell them, and its ``line`` is what they write
        to. They are not contacts as :meth:`create_contact` makes them.

        Args:
            number: The person's phone number, as for :meth:`create_contact`.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            SendblueError: If the call failed.
        """
        body = VerifiedContactCreate(number=number)
        return await self._send_settling(_CREATE.call(body, number=body.number))

    async def get_verified_contact(self, number: str) -> VerifiedContactResponse:
        """Get the verified contact with this number; its ``verified`` tells whether they wrote.

        Args:
            number: The person's phone number, as for :meth:`create_contact`.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            NotFoundError: If there is no such verified contact.
            SendblueError: If the call failed otherwise.
        """
        return await self._send_settling(_GET.call(number=e164(number)))

    async def list_verified_contacts(self) -> VerifiedContactList:
        """List all verified contacts; the answer is iterable.

        Raises:
            SendblueError: If the call failed.
        """
        return await self._send_settling(_LIST.call())
