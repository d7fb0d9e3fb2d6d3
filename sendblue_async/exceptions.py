"""Everything this package raises, and what each error says about the contact.

::

    SendblueError
    ├── ConfigurationError             keys, base URL or an option is missing or wrong
    │   └── JournalError               the journal of an import cannot be used
    ├── ValidationError (ValueError)   a value cannot be sent; says which field
    ├── ConnectError                   no request was sent: no connection, token or time
    ├── TLSError                       the server's certificate or TLS is not acceptable
    ├── OutcomeUnknownError            the request left, and no answer came back
    └── APIError                       the server answered, but not with what was asked for
        ├── BadRequestError            400, 413, 422
        ├── AuthenticationError        401
        ├── PermissionDeniedError      402, 403
        ├── NotFoundError              404
        ├── ContactExistsError         409
        ├── RateLimitError             429
        ├── ServerError                5xx
        ├── UnexpectedRedirectError    3xx
        └── ResponseFormatError        the answer is not what the API sends

:class:`ConfigurationWarning` is a warning, of what works and looks unintended or unsafe.

Catch :class:`SendblueError` and look at :attr:`~SendblueError.outcome` to know whether a
contact may have been stored; catch a leaf to handle one cause.
"""

from __future__ import annotations

from typing import Literal

from ._deprecation import warn_deprecated

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConfigurationWarning",
    "ConnectError",
    "ContactExistsError",
    "JournalError",
    "NotFoundError",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseFormatError",
    "SendblueError",
    "ServerError",
    "TLSError",
    "UnexpectedRedirectError",
    "ValidationError",
]

Outcome = Literal["not_sent", "rejected", "unknown"]
"""Whether a call that failed was done after all.

Nothing reached the server (``not_sent``), the server answered and did not do it
(``rejected``), or it may have been done (``unknown``).
"""


class SendblueError(Exception):
    """The root of every error of this package.

    All fields are plain values, never a live response, a secret or a whole phone number, so an
    error can be pickled, copied, logged and sent to another process.

    Attributes:
        outcome: ``"not_sent"``, ``"rejected"`` or ``"unknown"``, of the call as a whole and not
            of its last attempt alone.
        method: The HTTP method of the call, or ``None`` if none was made.
        url: The URL of the call, readable, with phone numbers cut to their last four digits, or
            ``None``.
        status: The HTTP status of the last response, or ``None`` if the last attempt got none.
        attempts: How many attempts were made, the first included.
        retry_after: How many seconds the server asked to wait, or ``None``.
        snippet: The first 200 characters of that response's body, or ``None``.
        cause: The underlying error in words, or ``None``; the error itself is ``__cause__``.
        timed_out: Whether time ran out, for an attempt or for the whole call.
        maybe_applied: Whether this call may have been applied, because one of its attempts ended
            without a usable response.
        retryable: Whether it makes sense to make the same call again later, but not before
            ``retry_after`` seconds: it may succeed then, and a repeat does no harm. A plain
            create that is repeated after an unknown outcome may raise
            :class:`ContactExistsError`, which then means that the contact is there.
        request_id: The identifier that the server gave the request, to quote when asking its
            support, or ``None``; from the headers that ``meta.request_id`` lists.
        code: The server's own code for its refusal, as text, or ``None`` if it gave none.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: Outcome = "not_sent",
        method: str | None = None,
        url: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        retry_after: float | None = None,
        snippet: str | None = None,
        cause: str | None = None,
        timed_out: bool = False,
        maybe_applied: bool = False,
        retryable: bool = False,
        request_id: str | None = None,
        code: str | None = None,
        maybe_ours: bool | None = None,
    ) -> None:
        super().__init__(message)
        if maybe_ours is not None:
            warn_deprecated("maybe_ours is deprecated, use maybe_applied")
            maybe_applied = maybe_applied or maybe_ours
        self.outcome: Outcome = outcome
        self.method = method
        self.url = url
        self.status = status
        self.attempts = attempts
        self.retry_after = retry_after
        self.snippet = snippet
        self.cause = cause
        self.timed_out = timed_out
        self.maybe_applied = maybe_applied
        self.retryable = retryable
        self.request_id = request_id
        self.code = code

    @property
    def maybe_ours(self) -> bool:
        """The former name of ``maybe_applied``."""
        warn_deprecated("maybe_ours is deprecated, use maybe_applied")
        return self.maybe_applied

    @maybe_ours.setter
    def maybe_ours(self, value: bool) -> None:
        # An error that an earlier version pickled sets it when it is loaded.
        self.maybe_applied = value


class ConfigurationError(SendblueError):
    """The client cannot work the way it was set up or used; nothing was sent."""


class ConfigurationWarning(UserWarning):
    """Calls will work, but what they are set up with looks unsafe or unintended."""


class JournalError(ConfigurationError):
    """The journal of an import cannot be used; what was committed to it stays valid.

    ``outcome`` is ``"unknown"`` if this run of the import may have sent contacts before, and
    ``"not_sent"`` otherwise.
    """


class ValidationError(SendblueError, ValueError):
    """A value cannot be sent as it is; nothing was sent.

    Attributes:
        field: The name of the field at fault, such as ``"number"`` or ``"tags[2]"``.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConnectError(SendblueError):
    """There was no connection, no access token, or no time left to send the request.

    Nothing was sent, unless ``outcome`` says that an earlier attempt was ``"rejected"``.
    """


class TLSError(SendblueError):
    """The certificate or the TLS of the server, or of a proxy, is not acceptable.

    Nothing was sent, unless ``outcome`` says that an earlier attempt was ``"rejected"``.
    """


class OutcomeUnknownError(SendblueError):
    """The request left and no usable answer came back, so it may have been done."""


class APIError(SendblueError):
    """The server answered, but not with what was asked for."""


class BadRequestError(APIError):
    """The server cannot use the request (400, 413, 422)."""


class AuthenticationError(APIError):
    """The server does not accept the keys (401)."""


class PermissionDeniedError(APIError):
    """The account may not do this.

    It is not allowed to or its keys did not arrive (403, the message says which), has to pay
    first (402), or has used up what its plan holds (400 with the code 429).
    """


class NotFoundError(APIError):
    """There is no such contact or path (404)."""


class ContactExistsError(APIError):
    """A contact with this number exists already (409).

    If ``maybe_applied`` is true, an attempt of the same call may have created it.
    """


class RateLimitError(APIError):
    """Too many requests: a 429, or a rate limit that would send the call after its deadline.

    ``retry_after`` has the seconds to wait, where known.
    """


class ServerError(APIError):
    """The server or a proxy in front of it failed (5xx)."""


class UnexpectedRedirectError(APIError):
    """The server answered with a redirect (3xx).

    Redirects are never followed: the secrets travel in custom headers, which HTTP clients
    hand on to whatever origin a redirect names.
    """


class ResponseFormatError(APIError):
    """The answer is not what the API sends.

    It is HTML, cut short, too large, no JSON or no HTTP at all, or it is about another contact.
    """
