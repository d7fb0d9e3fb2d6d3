"""The Python client for creating contacts in Sendblue, asynchronous and blocking.

>>> async with SendblueClient() as client:
...     response = await client.create_contact("+14155550123", first_name="Ada")
"""

import sys
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from ._access_tokens import AccessToken
    from ._converter import CLEAR, Clear
    from ._events import CallEvent
    from ._options import Timeouts
    from ._rate_limits import RateLimiter, RedisRateLimiter
    from ._retry_policy import RetryPolicy
    from .batch import (
        ContactOutcome,
        ContactResult,
        Doubt,
        DryRun,
        ExportReport,
        ImportJob,
        ImportMapping,
        ImportOptions,
        ImportProgress,
        ImportReport,
        PlannedChange,
        SendOptions,
    )
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
        BatchContact,
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
        SharedLine,
        StatusResponse,
        VerifiedContact,
        VerifiedContactList,
        VerifiedContactResponse,
    )
    from .sync import SyncSendblueClient

__all__ = [
    "CLEAR",
    "APIError",
    "AccessToken",
    "AuthenticationError",
    "BadRequestError",
    "BatchContact",
    "BulkContact",
    "BulkCreateResponse",
    "BulkDeleteResponse",
    "CallEvent",
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
    "Doubt",
    "DryRun",
    "ExportReport",
    "ImportJob",
    "ImportMapping",
    "ImportOptions",
    "ImportProgress",
    "ImportReport",
    "JournalError",
    "NotFoundError",
    "OptOutResponse",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "PlannedChange",
    "RateLimitError",
    "RateLimiter",
    "RawResponse",
    "RedisRateLimiter",
    "Response",
    "ResponseFormatError",
    "ResponseMeta",
    "RetryPolicy",
    "SendOptions",
    "SendblueClient",
    "SendblueError",
    "ServerError",
    "SharedLine",
    "StatusResponse",
    "SyncSendblueClient",
    "TLSError",
    "Timeouts",
    "UnexpectedRedirectError",
    "ValidationError",
    "VerifiedContact",
    "VerifiedContactList",
    "VerifiedContactResponse",
    "__version__",
]

# What the names above come from.
_MODULES = (
    "exceptions",
    "models",
    "_access_tokens",
    "_converter",
    "_events",
    "_options",
    "_rate_limits",
    "_retry_policy",
    "batch",
    "client",
    "sync",
)

if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in [import_module(f".{module}", __name__) for module in _MODULES]:
            own = getattr(module, "__all__", __all__)
            names = [name for name in vars(module) if name in __all__ and name in own]
            globals().update({name: getattr(module, name) for name in names})
        if name not in globals():
            globals()[name] = getattr(import_module(".batch", __name__), name)
        return globals()[name]

    # The command line is in charge of Ctrl-C before it loads the rest. Other programs load it at
    # once: a fork while another thread does so would leave it half loaded for ever.
    if not PurePath(*sys.argv[:1]).name.startswith("sendblue-async"):
        __getattr__(__all__[0])
