"""The asynchronous client: one typed coroutine per endpoint.

Over 400 lines because every endpoint has its method here, and most of a method is what it says.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from attrs import evolve

from ._answer import NO_CONTENT
from ._api import ApiClient
from ._arguments import NoOthers, misspelt, without_others
from ._checks import check_flags
from ._converter import Clear, preferred_spellings, spellings, structure, unstructure
from ._pages import Walk, every_contact
from ._rate_limits import make_rate_limiter
from ._retry import Effect
from ._settling import Flow, create_flow, delete_flow, opt_out_flow, update_flow
from ._wire import Operation, read_page, reader
from .batch import ContactResult, ImportProgress, ImportReport
from .batch._sending._bulk import BulkCreates, checked_bulk
from .batch._sending._workers import Create, Workers, job_of, rows_of
from .exceptions import ConfigurationError, SendblueError, ValidationError
from .models import (
    BulkContact,
    BulkCreateResponse,
    BulkDeleteResponse,
    Contact,
    ContactCreate,
    ContactPage,
    ContactResponse,
    ContactUpdate,
    CountResponse,
    DeprecatedSpellings,
    OptOutResponse,
    ResponseMeta,
    StatusResponse,
    e164,
)
from .models._fields import OrderBy
from .models._requests import BulkCreate, BulkDelete, ContactQuery, OptOut

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

if TYPE_CHECKING:
    from .batch._importing._job import ContactImport

__all__ = ["SendblueClient"]

_Answer = TypeVar("_Answer", bound="ContactResponse | None")
_Row = TypeVar("_Row", bound="ContactCreate | Mapping[str, Any]")

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


def _read_contact(document: Any, meta: ResponseMeta) -> ContactResponse:
    _check_stored(document, meta)
    return structure(document, ContactResponse, meta=meta)


def _read_updated(document: Any, meta: ResponseMeta) -> ContactResponse:
    if meta.status_code in NO_CONTENT:
        return ContactResponse(meta=meta)
    return _read_contact(document, meta)


_ALL = "/api/v2/contacts"
_ONE = f"{_ALL}/{{number}}"
_BULK = f"{_ALL}/bulk"
_read_status = reader(StatusResponse, may_be_empty=True, may_have_no_body=True)
_read_opt_out = reader(OptOutResponse, may_be_empty=True, may_have_no_body=True)
_read_created = reader(BulkCreateResponse, may_be_empty=True)
_read_deleted = reader(BulkDeleteResponse, may_be_empty=True, may_have_no_body=True)

# What each endpoint is, and what it does: the retries follow from that alone.
_CREATE = Operation(method="POST", path=_ALL, effect=Effect.VERIFIABLE, read=_read_contact)
_UPSERT = Operation(method="POST", path=_ALL, effect=Effect.IDEMPOTENT, read=_read_contact)
_CREATE_UNREAD = Operation(method="POST", path=_ALL, effect=Effect.VERIFIABLE, read=_check_stored)
_UPSERT_UNREAD = Operation(method="POST", path=_ALL, effect=Effect.IDEMPOTENT, read=_check_stored)
_GET = Operation(method="GET", path=_ONE, effect=Effect.SAFE, read=_read_contact)
_LOOK_UP = evolve(_GET, read_missing=lambda meta: ContactResponse(meta=meta))
_LIST = Operation(method="GET", path=_ALL, effect=Effect.SAFE, read=read_page)
_UPDATE = Operation(method="PUT", path=_ONE, effect=Effect.IDEMPOTENT, read=_read_updated)
_DELETE = Operation(method="DELETE", path=_ONE, effect=Effect.IDEMPOTENT, read=_read_status)
_DELETE_IF_THERE = evolve(_DELETE, read_missing=lambda meta: StatusResponse(meta=meta))
_COUNT = Operation(
    method="GET", path=f"{_ALL}/count", effect=Effect.SAFE, read=reader(CountResponse)
)
_VERIFY = Operation(
    method="POST", path=f"{_ALL}/verify", effect=Effect.NON_IDEMPOTENT, read=_read_status
)
_OPT_OUT = Operation(
    method="POST", path=f"{_ALL}/opt-out", effect=Effect.IDEMPOTENT, read=_read_opt_out
)
_CREATE_BULK = Operation(
    method="POST", path=_BULK, effect=Effect.NON_IDEMPOTENT, read=_read_created
)
_DELETE_BULK = Operation(method="DELETE", path=_ALL, effect=Effect.IDEMPOTENT, read=_read_deleted)


class SendblueClient(ApiClient):
    """The asynchronous client of Sendblue's contacts API.

    Make one and keep it for the life of the program; it may be made before any event loop
    runs, and used from several. It opens connections on first use, so leave it with ``async
    with`` or :meth:`close`. All arguments have working defaults.

    Args:
        api_key: The API key. By default both keys are looked for at the first call, and then
            kept: in the environment as ``SENDBLUE_API_API_KEY`` and ``SENDBLUE_API_API_SECRET``,
            ``SENDBLUE_API_KEY`` and ``SENDBLUE_API_SECRET``, or ``SENDBLUE_API_KEY_ID`` and
            ``SENDBLUE_API_SECRET_KEY``, and in the credentials file of Sendblue's command-line
            tool. The first place that has both is used.
        api_secret: The API secret.
        access_token: A bearer token in place of the two keys, or a function that returns one,
            async or not. It returns text, an :class:`AccessToken`, or what ``POST
            /v3/auth/tokens`` answers with. It is asked at the first call, shortly before a token
            expires, and when one is refused; all calls wait for one answer. A function that is
            not async is called on a thread of its own, so it may block.
        base_url: Where the API is. By default ``SENDBLUE_API_BASE_URL`` at the first call, or
            else ``https://api.sendblue.co``.
        timeouts: How long things may take; see :class:`Timeouts`.
        retry: How often and how patiently a call is attempted; see :class:`RetryPolicy`.
        max_connections: Requests in flight at once, per event loop. Further calls queue.
        rate_limit: Requests per second at most, evenly spaced. No limit by default.
        default_headers: Headers sent with every request, besides the client's own.
        proxy: URL of a forward proxy. By default ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``
            decide, as they are at the first call.
        ssl: TLS settings of your own. By default the system's certificates are trusted, or
            those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name.
        trace_configs: Hooks for the client's aiohttp session, such as OpenTelemetry's.
        session: An aiohttp session of your own, used for every request and left open. It has
            its own proxy, TLS and trace settings, and belongs to one event loop. Where others
            use it too, a wait for one of its connections counts as connecting.
        allow_http: Whether ``base_url`` may be plain http to a host that is not loopback,
            which sends the keys in the clear. Default false.

    Raises:
        ConfigurationError: If an argument is not usable. A key that is not found, or a variable
            that is not usable, is reported by the first call, and looked for again by the next.
    """

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
                raise misspelt(SendblueClient.create_contact, dict.fromkeys(others))
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
            return await self._create(number)
        fields = {"number": number, **fields, **deprecated}
        return await self._create(ContactCreate(**preferred_spellings(fields, ContactCreate)))

    @without_others
    def create_contacts(
        self,
        source: Iterable[_Row] | AsyncIterable[_Row],
        *,
        update_if_exists: bool | None = None,
        concurrency: int = 32,
        rate_limit: float | None = None,
        give_up_after: float = 600.0,
        bulk: bool = False,
        **others: Unpack[NoOthers],
    ) -> AsyncGenerator[ContactResult[_Row], None]:
        """Create many contacts, with a result for each as it finishes; use it with ``async for``.

        Every row of the source gets one result, unless an error ends the batch. Rows are pulled
        when there is room for them and not before, so that memory does not grow with their
        number; the blocking client pulls them on the thread that iterates over the results, and
        only while it waits for one. Rows of one number are sent one after another, in their order.

        A contact whose call fails, retries included, because the server or the network is in
        trouble, is retried. While nothing succeeds, calls are made one at a time, after
        waits of one second and more; a contact that fails ten times while others succeed gets
        ``"unknown"`` or ``"rejected"``.

        Without a ``rate_limit`` the batch discovers the server's: it begins with twenty requests a
        second, goes faster as long as nothing is refused, and slows down after a 429.

        Leave the iteration early with :func:`contextlib.aclosing`, which cancels what is in
        flight. On the blocking client that is ``contextlib.closing``.

        Args:
            source: The contacts: each a :class:`~sendblue_async.models.ContactCreate` or a
                mapping of its fields. Any iterable or asynchronous iterable.
            update_if_exists: Whether to update contacts that exist, for those that do not say
                so themselves.
            concurrency: How many contacts are in flight at once. Default 32.
            rate_limit: Requests per second at most, retries and look-ups included.
            give_up_after: Seconds without any success after which the batch ends. Default 600.
            bulk: Whether contacts that are in flight together go into one request of
                :meth:`create_contacts_bulk`, at most as many as ``concurrency`` says. Contacts
                that it cannot take, or did not create, are created one by one. Default false.

        Raises:
            ValidationError: If the source is none; nothing was sent.
            ConfigurationError: If an option is not usable, or contacts were to be updated in
                bulk; nothing was sent.
            SendblueError: If the keys, the account or the connection's security are not
                accepted, or there was no success for too long. It comes after the results of
                what was in flight.
        """
        if others:
            raise misspelt(SendblueClient.create_contacts, others)
        in_bulk = checked_bulk(bulk, update_if_exists)
        workers = self._workers(rate_limit, give_up_after, concurrency, in_bulk, read=True)
        return workers.results(rows_of(source), partial(job_of, update_if_exists=update_if_exists))

    @without_others
    async def import_contacts(
        self,
        path: str | os.PathLike[str],
        *,
        update_if_exists: bool = False,
        region: str | None = None,
        columns: Mapping[str, str] | None = None,
        on_duplicate: Literal["merge", "last"] = "merge",
        all_numbers: bool = False,
        encoding: str | None = None,
        delimiter: str | None = None,
        concurrency: int = 32,
        rate_limit: float | None = None,
        give_up_after: float = 600.0,
        bulk: bool = False,
        resume: bool = False,
        progress: Callable[[ImportProgress], object] | None = None,
        **others: Unpack[NoOthers],
    ) -> ImportReport:
        """Import a file of contacts, CSV, JSON Lines or vCard, with every row accounted for.

        The file is checked as a whole before anything is sent. A journal beside it,
        ``<path>.journal``, records what was begun and what has ended. However an import was
        interrupted, ``resume=True`` picks up where it stopped: no row is lost or sent twice, except
        those in flight, which are looked up. Rejected rows are written to ``<path>.rejected.csv``,
        which can be mended and imported.

        It needs the extra ``sendblue-async[batch]``.

        Args:
            path: The file. JSON Lines if its name ends in ``.jsonl`` or ``.ndjson``, vCard if in
                ``.vcf`` or ``.vcard``, and CSV otherwise.
            update_if_exists: Whether contacts that exist are updated, or left alone.
            region: The region of numbers without ``+``, such as ``"US"``; by default those are
                rejected.
            columns: Column names and the fields they hold, where the names do not say so:
                ``{"Mobile no.": "number", "Plan": "custom_variables.plan"}``.
            on_duplicate: Whether rows of one number are merged into one contact, the later
                values before the earlier ones, or the last one wins.
            all_numbers: Whether each usable number of a row becomes a contact, or only the first.
            encoding: The file's encoding. Detected by default.
            delimiter: Separator of the cells of CSV. Detected by default.
            concurrency: As for :meth:`create_contacts`.
            rate_limit: As for :meth:`create_contacts`.
            give_up_after: As for :meth:`create_contacts`.
            bulk: As for :meth:`create_contacts`.
            resume: Whether to resume an interrupted import of this file. Default false.
            progress: Called now and then with an :class:`~sendblue_async.batch.ImportProgress`.

        Raises:
            ValidationError: If the file cannot be used; nothing was sent.
            ConfigurationError: If the extra is not installed, or an option is not usable; nothing
                was sent.
            JournalError: If the journal is another's, in use, damaged or on a full disk, or the
                file has changed since; nothing is sent from there on. Its ``outcome`` is
                ``"unknown"`` if this run may have sent contacts before.
            SendblueError: As from :meth:`create_contacts`; the journal is kept.
        """
        if others:
            raise misspelt(SendblueClient.import_contacts, others)
        job = self._import(
            path,
            concurrency=concurrency,
            rate_limit=rate_limit,
            give_up_after=give_up_after,
            bulk=bulk,
            resume=resume,
            progress=progress,
            update_if_exists=update_if_exists,
            region=region,
            columns=columns,
            on_duplicate=on_duplicate,
            all_numbers=all_numbers,
            encoding=encoding,
            delimiter=delimiter,
        )
        return await job.run()

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
        return await self._send(_GET.call(number=e164(number)))

    @without_others
    async def list_contacts(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        order_by: OrderBy | None = None,
        order_direction: Literal["asc", "desc"] | None = None,
        number: str | None = None,
        contact_id: str | None = None,
        created_at_gte: datetime | None = None,
        **others: Unpack[NoOthers],
    ) -> ContactPage:
        """List one page of contacts, newest first unless asked otherwise.

        :meth:`iter_contacts` gives all of them.

        Args:
            limit: How many contacts at most, 1 to 1,000. The server's default is 100.
            offset: How many to skip, 0 to 10,000. Default 0.
            order_by: The field to sort by: ``"created_at"``, which is the default,
                ``"first_name"``, ``"last_name"`` or ``"phone"``.
            order_direction: ``"asc"``, or ``"desc"``, which is the default.
            number: Only the contact with this phone number.
            contact_id: Only the contact with this identifier of Sendblue's.
            created_at_gte: Only contacts created at this time or later; with a time zone.

        Raises:
            ValidationError: If a value cannot be sent; nothing was.
            SendblueError: If the call failed.
        """
        if others:
            raise misspelt(SendblueClient.list_contacts, others)
        query = ContactQuery(
            limit=limit,
            offset=offset,
            order_by=order_by,
            order_direction=order_direction,
            number=number,
            contact_id=contact_id,
            created_at_gte=created_at_gte,
        )
        return await self._list(query)

    @without_others
    def iter_contacts(
        self,
        *,
        created_at_gte: datetime | None = None,
        page_size: int = 1000,
        **others: Unpack[NoOthers],
    ) -> AsyncGenerator[Contact, None]:
        """Iterate over all contacts, oldest first, none twice; use it with ``async for``.

        A contact that is there from the first page to the last is given, whatever others create
        and delete meanwhile, as long as every contact shows when it was created and the server
        sorts by that as asked. Reads may lag behind writes: contacts created some seconds ago may
        be missing. An account with more than 10,000 contacts of one and the same time is an
        error. At most one page is fetched ahead. The numbers of all contacts given so far are
        kept in memory.

        Args:
            created_at_gte: Only contacts created at this time or later; with a time zone. To
                fetch what is new since the last time, go back a minute further than that: reads
                may lag behind writes, and Sendblue's own clients overlap by 60 seconds.
            page_size: How many contacts to fetch at once, 10 to 1,000. Default 1,000.

        Raises:
            ValidationError: If a value is out of range; nothing was sent.
            APIError: If the API cannot list any further, or as below.
            SendblueError: If fetching a page failed; it comes after the contacts before it.
        """
        if others:
            raise misspelt(SendblueClient.iter_contacts, others)
        walk = Walk(page_size=page_size, created_at_gte=created_at_gte)
        return every_contact(walk, self._list)

    def _workers(
        self,
        rate_limit: float | None,
        give_up_after: float,
        concurrency: int,
        bulk: bool,
        *,
        read: bool,
    ) -> Workers:
        """What sends the contacts of a batch, and reads the answers if anybody looks at them."""
        transport = self._transport
        limiter = make_rate_limiter(rate_limit, parent=transport.rate_limiter)
        limited = self._with_rate_limiter(limiter)
        create: Create = limited._create if read else limited._store
        if bulk:
            create = BulkCreates(create, limited.create_contacts_bulk, sleep=transport.sleep)
        return Workers(
            create,
            rate_limiter=limiter,
            give_up_after=give_up_after,
            concurrency=concurrency,
            clock=transport.now,
            sleep=transport.sleep,
        )

    def _import(
        self,
        path: str | os.PathLike[str],
        *,
        concurrency: int,
        rate_limit: float | None,
        give_up_after: float,
        bulk: bool,
        resume: bool,
        progress: Callable[[ImportProgress], object] | None,
        **options: Any,
    ) -> ContactImport:
        """The import of a file, which can be stopped on its way."""
        check_flags(resume=resume)
        if progress is not None and not callable(progress):
            raise ConfigurationError(f"progress must be a function, not {progress!r}.")
        # Only here, as it brings SQLite and more, which other programs do not wait for.
        from .batch._importing._job import ContactImport
        from .batch._importing._options import ImportOptions

        return ContactImport(
            path,
            ImportOptions(**options),
            self._workers(
                rate_limit,
                give_up_after,
                concurrency,
                checked_bulk(bulk, options.get("update_if_exists")),
                read=False,
            ),
            account=self._transport.account,
            resume=resume,
            progress=progress,
        )

    async def _list(self, query: ContactQuery) -> ContactPage:
        call = _LIST.call(query=unstructure(query), number=query.number or "")
        return await self._send(call)

    @without_others
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
            raise misspelt(SendblueClient.update_contact, others)
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
        sent = changes
        return await self._send(
            _UPDATE.call(sent, number=number),
            settle=lambda error: update_flow(number, sent, _LOOK_UP.call(number=number), error),
        )

    @without_others
    async def delete_contact(
        self, number: str, *, missing_ok: bool = False, **others: Unpack[NoOthers]
    ) -> StatusResponse:
        """Remove the contact with this number.

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
            raise misspelt(SendblueClient.delete_contact, others)
        check_flags(missing_ok=missing_ok)
        number = e164(number)
        operation = _DELETE_IF_THERE if missing_ok else _DELETE
        return await self._send(
            operation.call(number=number),
            settle=lambda error: delete_flow(_LOOK_UP.call(number=number), error),
        )

    async def count_contacts(self) -> CountResponse:
        """Count the contacts of the account, in the answer's ``count``.

        Raises:
            SendblueError: If the call failed.
        """
        return await self._send(_COUNT.call())

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
        return await self._send(_VERIFY.call({"number": number}, number=number))

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
        return await self._send(
            _OPT_OUT.call(order, number=order.number),
            settle=lambda error: opt_out_flow(order, _LOOK_UP.call(number=order.number), error),
        )

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
        return await self._send(_CREATE_BULK.call(BulkCreate(contacts=contacts)))

    async def delete_contacts_bulk(self, numbers: Iterable[str]) -> BulkDeleteResponse:
        """Remove the contacts with these numbers in one request; says how many there were.

        Args:
            numbers: Phone numbers, each as for :meth:`create_contact`; at least one.

        Raises:
            ValidationError: If a number cannot be sent; names it, such as ``"numbers[3]"``,
                and nothing was sent.
            SendblueError: If the call failed.
        """
        return await self._send(_DELETE_BULK.call(BulkDelete(numbers=numbers)))

    async def _create(
        self, contact: ContactCreate, *, since: float | None = None
    ) -> ContactResponse:
        """Create a contact that an earlier call, begun at ``since``, may have created."""
        operation = _UPSERT if contact.update_if_exists else _CREATE
        return await self._created(operation, contact, since)

    async def _store(
        self, contact: ContactCreate, *, since: float | None = None
    ) -> ContactResponse | None:
        """Do the same for callers who make no use of the answer, which is checked and not read."""
        operation = _UPSERT_UNREAD if contact.update_if_exists else _CREATE_UNREAD
        return await self._created(operation, contact, since)

    async def _created(
        self, operation: Operation[_Answer], contact: ContactCreate, since: float | None
    ) -> _Answer | ContactResponse:
        number = contact.number

        def settle(error: SendblueError) -> Flow[Any]:
            look_up = _LOOK_UP.call(number=number)
            if operation.effect is Effect.IDEMPOTENT:
                return update_flow(number, contact, look_up, error)
            return create_flow(contact, look_up, error)

        # For an upsert it is all the same what an earlier call did.
        since = None if operation.effect is Effect.IDEMPOTENT else since
        return await self._send(operation.call(contact, number=number), settle=settle, since=since)
