"""The asynchronous client: one typed coroutine per endpoint."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from ._converter import Clear, preferred_spellings
from ._credentials import find_credentials, hidden
from ._options import DEFAULT_BASE_URL, Timeouts
from ._pool import ClientSession, TraceConfig
from ._retry import Repeat, RetryPolicy
from ._transport import Transport
from ._wire import (
    Call,
    checked_method,
    encode_json,
    path_segment,
    path_with_query,
    read_raw,
    reader,
)
from .exceptions import ConfigurationError, SendblueError, ValidationError
from .models import (
    ContactCreate,
    ContactResponse,
    DeprecatedSpellings,
    RawResponse,
    ResponseMeta,
    e164,
)

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["SendblueClient"]

_T = TypeVar("_T")

_CONTACTS = "/api/v2/contacts"
_read_envelope = reader(ContactResponse)

# RFC 9110 §9.2.2; a repeat of any other method may do its work twice.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def _read_contact(document: Any, meta: ResponseMeta) -> ContactResponse:
    response = _read_envelope(document, meta)
    if response.status not in (None, "OK", "ok") and not document.get("contact"):
        raise TypeError(f"no contact, and a status that is not OK: {response.status}")
    return response


def _check_types(**options: tuple[object, type]) -> None:
    for name, (value, kind) in options.items():
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(f"{name} must be a {kind.__name__}, not {value!r}.")


class SendblueClient:
    """The asynchronous client of Sendblue's contacts API.

    Make one and keep it for the life of the program; it may be made before any event loop
    runs, and used from several. It opens connections on first use, so leave it with ``async
    with`` or :meth:`close`. All arguments have working defaults.

    Args:
        api_key: The API key. By default ``SENDBLUE_API_API_KEY`` or ``SENDBLUE_API_KEY`` from
            the environment, or else the credentials file of Sendblue's command-line tool.
        api_secret: The API secret. By default ``SENDBLUE_API_API_SECRET`` or
            ``SENDBLUE_API_SECRET``, or else the same file.
        base_url: Where the API is. By default ``SENDBLUE_API_BASE_URL``, or else
            ``https://api.sendblue.co``.
        timeouts: How long things may take; see :class:`Timeouts`.
        retry: How often and how patiently a call is attempted; see :class:`RetryPolicy`.
        max_connections: Requests under way at once, per event loop. Further calls queue.
        rate_limit: Requests per second at most, evenly spaced. No limit by default.
        default_headers: Headers sent with every request, besides the client's own.
        proxy: URL of a forward proxy. By default ``HTTPS_PROXY`` and ``NO_PROXY`` decide.
        ssl: TLS settings of your own. By default the system's certificates are trusted, or
            those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name.
        trace_configs: Hooks for the client's aiohttp session, such as OpenTelemetry's.
        session: An aiohttp session of your own, used for every request and left open. It has
            its own proxy, TLS and trace settings, and belongs to one event loop.
        allow_http: Whether ``base_url`` may be plain http to a host that is not loopback,
            which sends the keys in the clear. Default false.

    Raises:
        ConfigurationError: If a key is nowhere to be found, or an argument is not usable.
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        base_url: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_connections: int = 100,
        rate_limit: float | None = None,
        default_headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        session: ClientSession | None = None,
        allow_http: bool = False,
    ) -> None:
        # No key is to be seen in a traceback that shows the locals of this frame.
        api_key, api_secret = hidden(api_key), hidden(api_secret)
        _check_types(
            timeouts=(timeouts, Timeouts),
            retry=(retry, RetryPolicy),
            session=(session, ClientSession),
            allow_http=(allow_http, bool),
            ssl=(ssl, SSLContext),
            trace_configs=(trace_configs, Sequence),
        )
        for place, hook in enumerate(trace_configs or ()):
            _check_types(**{f"trace_configs[{place}]": (hook, TraceConfig)})
        if session is not None and trace_configs:
            raise ConfigurationError(
                "trace_configs are for the client's own session; give them to yours instead."
            )
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._transport = Transport(
            find_credentials(api_key, api_secret),
            base_url or os.environ.get("SENDBLUE_API_BASE_URL") or DEFAULT_BASE_URL,
            max_connections=max_connections,
            rate_limit=rate_limit,
            default_headers=default_headers,
            proxy=proxy,
            ssl_context=ssl,
            trace_configs=trace_configs,
            session=session,
            allow_http=allow_http,
        )

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)
        return f"<{type(self).__name__} {transport.base_url if transport else '(not set up)'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client and every view of it are unusable afterwards.

        A session that was given to the client stays open. Closing twice does no harm.
        """
        await self._transport.close()

    def with_options(
        self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None
    ) -> Self:
        """A view of this client with other timeouts or another retry policy.

        It shares the connections, keys and rate limit; closing one closes the other.

        Args:
            timeouts: Replaces the client's timeouts. Unchanged by default.
            retry: Replaces the client's retry policy. Unchanged by default.
        """
        _check_types(timeouts=(timeouts, Timeouts), retry=(retry, RetryPolicy))
        view = copy.copy(self)
        view._timeouts = timeouts or self._timeouts
        view._retry = retry or self._retry
        return view

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
        """The stored contact, created now, or updated with ``update_if_exists=True``.

        A field that is not given, or is ``None``, is left out of the request;
        :data:`~sendblue_async.CLEAR` asks the server to clear it. An attempt that fails is
        repeated as the retry policy says. If a plain create ends without a usable answer, the
        contact is looked up, and the call succeeds if it was stored as sent.

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
        fields["number"] = number
        if deprecated:
            fields = preferred_spellings({**fields, **deprecated}, ContactCreate)
        return await self._create(ContactCreate(**fields))

    async def get_contact(self, number: str) -> ContactResponse:
        """The contact with this number.

        Args:
            number: Its phone number in E.164 form; spaces, dashes, dots and parentheses are
                dropped.

        Raises:
            ValidationError: If it is no such number; nothing was sent.
            NotFoundError: If there is no such contact.
            SendblueError: If the call failed otherwise.
        """
        return await self._get(e164(number), self._transport.now())

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int | float | None] | None = None,
    ) -> RawResponse:
        """The answer to any call of the API, with the same auth, retries and errors.

        Args:
            method: The HTTP method, in capitals. GET, HEAD, OPTIONS, PUT and DELETE are
                repeated when the outcome of an attempt is unknown; the others only when
                nothing was done.
            path: The path, from its first slash on, percent-encoded where needed.
            json: A document to send as the body. None by default.
            params: Query parameters; one that is ``None`` is left out.

        Raises:
            ValidationError: If the path, the parameters or the document cannot be sent.
            SendblueError: If the call failed.
        """
        call = Call(
            method=checked_method(method),
            path=path_with_query(path, params),
            repeat=Repeat.HARMLESS if method in _IDEMPOTENT else Repeat.HARMFUL,
            read=read_raw,
            body=None if json is None else encode_json(json, "json"),
        )
        return await self._send(call, self._transport.now())

    async def _create(self, contact: ContactCreate) -> ContactResponse:
        call = Call(
            method="POST",
            path=_CONTACTS,
            repeat=Repeat.HARMLESS if contact.update_if_exists else Repeat.SETTLED,
            read=_read_contact,
            body=encode_json(contact.to_dict(), "extra_body"),
        )
        started = self._transport.now()
        try:
            return await self._send(call, started)
        except SendblueError as error:
            settles = call.repeat is Repeat.SETTLED and self._retry.settle
            if not settles or not error.maybe_ours:
                raise
            return await self._settle(contact, error, started)

    async def _settle(
        self, contact: ContactCreate, error: SendblueError, started: float
    ) -> ContactResponse:
        """The contact as stored, if that is what was sent; or else the error."""
        try:
            found = await self._get(contact.number, started)
        except SendblueError:
            raise error from error.__cause__
        if found.contact.phone != contact.number or not contact.agrees_with(found.contact):
            raise error
        meta = evolve(found.meta, attempts=error.attempts, settled=True)
        return evolve(found, meta=meta)

    async def _get(self, number: str, started: float) -> ContactResponse:
        call = Call(
            method="GET",
            path=f"{_CONTACTS}/{path_segment(number)}",
            repeat=Repeat.HARMLESS,
            read=_read_contact,
        )
        return await self._send(call, started)

    async def _send(self, call: Call[_T], started: float) -> _T:
        return await self._transport.send(
            call, timeouts=self._timeouts, policy=self._retry, started=started
        )
