"""The Python client for creating contacts in Sendblue, asynchronous and blocking.

>>> async with SendblueClient() as client:
...     response = await client.create_contact("+14155550123", first_name="Ada")
"""

from ._access_tokens import AccessToken
from ._converter import CLEAR, Clear
from ._options import Timeouts
from ._retry import RetryPolicy
from ._version import __version__
from .batch import ContactOutcome, ContactResult, ImportProgress, ImportReport
from .client import SendblueClient
from .exceptions import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConfigurationWarning,
    ConnectError,
    ContactExistsError,
    JournalError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    SendblueError,
    ServerError,
    TLSError,
    UnexpectedRedirectError,
    ValidationError,
)
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
    OptOutResponse,
    RawResponse,
    Response,
    ResponseMeta,
    StatusResponse,
)
from .sync import SyncSendblueClient

__all__ = [
    "CLEAR",
    "APIError",
    "AccessToken",
    "AuthenticationError",
    "BadRequestError",
    "BulkContact",
    "BulkCreateResponse",
    "BulkDeleteResponse",
    "Clear",
    "ConfigurationError",
    "ConfigurationWarning",
    "ConnectError",
    "Contact",
    "ContactCreate",
    "ContactExistsError",
    "ContactOutcome",
    "ContactPage",
    "ContactResponse",
    "ContactResult",
    "ContactUpdate",
    "CountResponse",
    "ImportProgress",
    "ImportReport",
    "JournalError",
    "NotFoundError",
    "OptOutResponse",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "RateLimitError",
    "RawResponse",
    "Response",
    "ResponseFormatError",
    "ResponseMeta",
    "RetryPolicy",
    "SendblueClient",
    "SendblueError",
    "ServerError",
    "StatusResponse",
    "SyncSendblueClient",
    "TLSError",
    "Timeouts",
    "UnexpectedRedirectError",
    "ValidationError",
    "__version__",
]
