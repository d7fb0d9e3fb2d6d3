"""One contact: create, get, update, delete, verify, opt out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from attrs import evolve

from .._answer import NO_CONTENT
from .._api import ApiClient
from .._arguments import NO_COMPANY, NoOthers, hide_others, misspelling_error
from .._checks import check_flags
from .._converter import Clear, structure
from .._retry_rules import Effect
from .._settling import Flow, create_flow, delete_flow, opt_out_flow, update_flow
from .._spellings import preferred_spellings, spellings
from .._wire import Operation, make_reader
from ..exceptions import SendblueError, ValidationError
from ..models import (
    Contact,
    ContactCreate,
    ContactResponse,
    ContactUpdate,
    DeprecatedSpellings,
    OptOutResponse,
    ResponseMeta,
    StatusResponse,
    e164,
)
from ..models._contacts import OptOut

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

# Without the wrapper that explains a misspelt argument, which none here is.
_fill = inspect.unwrap(ContactCreate.__init__)

_CONTACT_KEYS = frozenset(spellings(ContactResponse))


def _check_stored(document: Any, meta: ResponseMeta) -> None:
    """Refuse, with a ``TypeError``, an answer that is not that of a stored contact."""
    if type(document) is not dict or _CONTACT_KEYS.isdisjoint(document):
        raise TypeError("not the JSON object of a contact")
    status = document.get("status")
    if type(status) is str and status not in ("OK", "ok") and not document.get("contact"):
        raise TypeError(f"no contact, and a status that is not OK: {status}")


def _read_contact_id(document: Any, meta: ResponseMeta) -> ContactResponse:
    """Read nothing but the identifier, which takes a tenth of the time."""
    _check_stored(document, meta)
    contact = document.get("contact")
    contact_id = contact.get("contact_id") if type(contact) is dict else None
    known = Contact(contact_id=contact_id if type(contact_id) is str else None)
    return ContactResponse(contact=known, meta=meta)


def _read_contact(document: Any, meta: ResponseMeta) -> ContactResponse:
    _check_stored(document, meta)
    return structure(document, ContactResponse, meta=meta)


def _read_updated(document: Any, meta: ResponseMeta) -> ContactResponse:
    if meta.status_code in NO_CONTENT:
        return ContactResponse(meta=meta)
    return _read_contact(document, meta)


CONTACTS = "/api/v2/contacts"
_ONE = f"{CONTACTS}/{{number}}"
_read_status = make_reader(StatusResponse, may_be_empty=True, may_have_no_body=True)
_read_opt_out = make_reader(OptOutResponse, may_be_empty=True, may_have_no_body=True)

# What each operation does to the server decides how it is retried.
_CREATE = Operation(method="POST", path=CONTACTS, effect=Effect.VERIFIABLE, read=_read_contact)
_UPSERT = evolve(_CREATE, effect=Effect.IDEMPOTENT)
_GET = Operation(method="GET", path=_ONE, effect=Effect.SAFE, read=_read_contact)
LOOK_UP = evolve(_GET, read_not_found=lambda meta: ContactResponse(meta=meta))
_UPDATE = Operation(method="PUT", path=_ONE, effect=Effect.IDEMPOTENT, read=_read_updated)
_DELETE = Operation(method="DELETE", path=_ONE, effect=Effect.IDEMPOTENT, read=_read_status)
_DELETE_IF_THERE = evolve(_DELETE, read_not_found=lambda meta: StatusResponse(meta=meta))
_VERIFY = Operation(
    method="POST", path=f"{CONTACTS}/verify", effect=Effect.NON_IDEMPOTENT, read=_read_status
)
_OPT_OUT = Operation(
    method="POST", path=f"{CONTACTS}/opt-out", effect=Effect.IDEMPOTENT, read=_read_opt_out
)


class Contacts(ApiClient):
    """Creates, gets and changes one contact at a time."""

    async def create_contact(
        self,
        number: str | ContactCreate | None = None,
        *,
        first_name: str | Clear | None = None,
        last_name: str | Clear | None = None,
        assigned_to_email: str | Clear | None = None,
        sendblue_number: str | Clear | None = None,
        tags: Iterable[str] | Clear | None = None,
        update_if_exists: bool | None = None,
        custom_variables: Mapping[str, str] | Clear | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **deprecated: Unpack[DeprecatedSpellings],
    ) -> ContactResponse:
        """Create a contact, or update it with ``update_if_exists=True``.

        A field that is not given, or is ``None``, is left out of the request;
        :data:`~sendblue_async.CLEAR` asks the server to clear it. An attempt that fails is
        repeated as the retry policy says. If the call ends without a usable answer, the contact is
        looked up, and the call succeeds if it is stored as sent.

        Args:
            number: The contact's phone number in E.164 form, such as ``"+14155550123"``;
                spaces, dashes, dots and parentheses are dropped. Or a whole
                :class:`~sendblue_async.models.ContactCreate`, and then nothing else.
            first_name: First name.
            last_name: Last name.
            assigned_to_email: E-mail address of the user the contact is assigned to.
            sendblue_number: The Sendblue line to send with, in E.164 form.
            tags: Tags. It is assumed that an update replaces the stored ones.
            update_if_exists: Whether to update the contact if the number is known already.
            custom_variables: Labels and their values, all strings.
            extra_body: Further keys of the request body that have no argument here.
            deprecated: Sendblue's deprecated spellings of these fields, such as
                ``phone_number``; each gives a ``DeprecationWarning`` naming the new one.

        Raises:
            ValidationError: If a value cannot be sent; nothing was.
            ContactExistsError: If the number is known and ``update_if_exists`` is not true.
            APIError: If the server refused the request or its answers made no sense.
            ConnectError: If no connection was made.
            TLSError: If the server's certificate is not acceptable.
            OutcomeUnknownError: If the contact may have been stored, and could not be found.
        """
        if deprecated:
            known = DeprecatedSpellings.__annotations__
            others = [name for name in deprecated if name not in known]
            if others:
                raise misspelling_error(Contacts.create_contact, dict.fromkeys(others))
        elif not isinstance(number, ContactCreate):
            contact = object.__new__(ContactCreate)
            _fill(
                contact,
                number=number,
                first_name=first_name,
                last_name=last_name,
                assigned_to_email=assigned_to_email,
                sendblue_number=sendblue_number,
                tags=tags,
                update_if_exists=update_if_exists,
                custom_variables=custom_variables,
                extra_body=extra_body,
            )
            return await self._create(contact)
        fields: dict[str, Any] = {
            "first_name": first_name,
            "last_name": last_name,
            "assigned_to_email": assigned_to_email,
            "sendblue_number": sendblue_number,
            "tags": tags,
            "update_if_exists": update_if_exists,
            "custom_variables": custom_variables,
            "extra_body": extra_body,
        }
        if isinstance(number, ContactCreate):
            if deprecated or any(value is not None for value in fields.values()):
                raise ValidationError("A ContactCreate holds every field; give no others with it.")
            if getattr(number, "company_name", None) is not None:
                raise ValidationError(NO_COMPANY, field="company_name")
            return await self._create(number)
        fields = {"number": number, **fields, **deprecated}
        return await self._create(ContactCreate(**preferred_spellings(fields, ContactCreate)))

    async def get_contact(self, number: str) -> ContactResponse:
        """Get the contact with this number.

        Args:
            number: Its phone number in E.164 form; spaces, dashes, dots and parentheses are
                dropped.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            NotFoundError: If there is no such contact.
            SendblueError: If the call failed otherwise.
        """
        return await self._send_settling(_GET.call(number=e164(number)))

    @hide_others
    async def update_contact(
        self,
        number: str,
        changes: ContactUpdate | None = None,
        *,
        first_name: str | Clear | None = None,
        last_name: str | Clear | None = None,
        company_name: str | Clear | None = None,
        assigned_to_email: str | Clear | None = None,
        sendblue_number: str | Clear | None = None,
        opt_out: bool | None = None,
        tags: Iterable[str] | Clear | None = None,
        custom_variables: Mapping[str, str] | Clear | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **others: Unpack[NoOthers],
    ) -> ContactResponse:
        """Change the given fields of a contact.

        A field that is not given, or is ``None``, keeps its value;
        :data:`~sendblue_async.CLEAR` asks the server to clear it. If the server
        answers with no content, all fields of the contact are ``None``.

        Args:
            number: The contact's phone number, as for :meth:`create_contact`.
            changes: All changes at once, and then nothing else.
            first_name: First name.
            last_name: Last name.
            company_name: Company name.
            assigned_to_email: E-mail address of the user the contact is assigned to.
            sendblue_number: The Sendblue line to send with, in E.164 form.
            opt_out: Whether the contact has opted out of messages.
            tags: Tags; it is assumed that they replace the stored ones.
            custom_variables: Labels and their values, merged into the stored ones.
            extra_body: Further keys of the request body that have no argument here.

        Raises:
            ValidationError: If nothing is to be changed or a value cannot be sent; nothing was.
            NotFoundError: If there is no such contact.
            SendblueError: If the call failed otherwise.
        """
        if others:
            raise misspelling_error(Contacts.update_contact, others)
        fields: dict[str, Any] = {
            "first_name": first_name,
            "last_name": last_name,
            "company_name": company_name,
            "assigned_to_email": assigned_to_email,
            "sendblue_number": sendblue_number,
            "opt_out": opt_out,
            "tags": tags,
            "custom_variables": custom_variables,
            "extra_body": extra_body,
        }
        number = e164(number)
        if changes is None:
            changes = ContactUpdate(**fields)
        elif not isinstance(changes, ContactUpdate):
            raise ValidationError("changes must be a ContactUpdate.", field="changes")
        elif any(value is not None for value in fields.values()):
            raise ValidationError("A ContactUpdate holds every change; give no others with it.")
        return await self._update(number, changes)

    @hide_others
    async def delete_contact(
        self, number: str, *, missing_ok: bool = False, **others: Unpack[NoOthers]
    ) -> StatusResponse:
        """Delete the contact with this number.

        If an attempt ended without a usable answer, the contact is looked up. The call succeeds,
        with ``meta.settled`` true, if it is gone, and that can be believed some seconds later.

        Args:
            number: The contact's phone number, as for :meth:`create_contact`.
            missing_ok: Whether the call succeeds if there is no such contact; then
                ``meta.status_code`` is 404. A 404 after an attempt without a usable answer is
                looked into all the same, and one that is not the API's own, such as a proxy's
                page, stays an error. Default false.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            NotFoundError: If there was no such contact.
            SendblueError: If the call failed otherwise.
        """
        if others:
            raise misspelling_error(Contacts.delete_contact, others)
        check_flags(missing_ok=missing_ok)
        number = e164(number)
        operation = _DELETE_IF_THERE if missing_ok else _DELETE
        return await self._send_settling(
            operation.call(number=number),
            settle=lambda error: delete_flow(LOOK_UP.call(number=number), error),
        )

    async def verify_contact(self, number: str) -> StatusResponse:
        """Have Sendblue send the contact a verification message.

        Nothing tells whether a message was sent whose answer was lost, so such a call is not
        repeated but raises, with ``outcome`` ``"unknown"``.

        Args:
            number: The contact's phone number, as for :meth:`create_contact`.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            APIError: If Sendblue refused, as it does in a 200 for a number that it cannot reach.
            SendblueError: If the call failed otherwise.
        """
        number = e164(number)
        return await self._send_settling(_VERIFY.call({"number": number}, number=number))

    async def opt_out_contact(self, number: str, opted_out: bool = True) -> OptOutResponse:
        """Block everything that is sent to a contact, or allow it again.

        It is the same record as the contact's own STOP.

        Args:
            number: The contact's phone number, as for :meth:`create_contact`.
            opted_out: Whether messages are to be blocked. Default true.

        Raises:
            ValidationError: If a value cannot be sent; nothing was.
            SendblueError: If the call failed.
        """
        order = OptOut(number=number, opted_out=opted_out)
        return await self._send_settling(
            _OPT_OUT.call(order, number=order.number),
            settle=lambda error: opt_out_flow(order, LOOK_UP.call(number=order.number), error),
        )

    def _create(
        self,
        contact: ContactCreate,
        *,
        since: float | None = None,
        read: Callable[[Any, ResponseMeta], Any] | None = None,
    ) -> Coroutine[Any, Any, ContactResponse]:
        """Create a contact that an earlier call, begun at ``since``, may have created."""
        number = contact.number
        operation = _UPSERT if contact.update_if_exists else _CREATE

        def settle(error: SendblueError) -> Flow[Any]:
            look_up = LOOK_UP.call(number=number)
            if operation is _UPSERT:
                return update_flow(number, contact, look_up, error)
            return create_flow(contact, look_up, error)

        # For an upsert it does not matter what an earlier call did.
        since = None if operation is _UPSERT else since
        call = operation.call(contact, number=number, read=read)
        return self._send_settling(call, settle=settle, since=since)

    def _store(
        self, contact: ContactCreate, *, since: float | None = None
    ) -> Coroutine[Any, Any, ContactResponse]:
        """Create a contact for a caller that only needs to know which one is stored.

        The answer is checked, and only the contact's identifier is read, unless it was looked up.
        """
        return self._create(contact, since=since, read=_read_contact_id)

    def _update(self, number: str, changes: ContactUpdate) -> Coroutine[Any, Any, ContactResponse]:
        return self._send_settling(
            _UPDATE.call(changes, number=number),
            settle=lambda error: update_flow(number, changes, LOOK_UP.call(number=number), error),
        )
