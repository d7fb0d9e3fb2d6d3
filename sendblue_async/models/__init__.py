"""What is sent to Sendblue and what comes back, as frozen attrs classes.

Field names, types and meanings are those of Sendblue's public API reference for contacts;
``custom_variables``, ``opt_out``, ``contact_id`` and the operations besides creating a contact
are newer and come from its public SDKs.
"""

from __future__ import annotations

from ._bulk import BulkContact, BulkCreateResponse, BulkDeleteResponse
from ._contacts import (
    BatchContact,
    Contact,
    ContactCreate,
    ContactResponse,
    ContactUpdate,
    DeprecatedSpellings,
    OptOutResponse,
)
from ._fields import e164
from ._lists import ContactPage, CountResponse
from ._responses import RawResponse, Response, ResponseMeta, StatusResponse
from ._verified import (
    SharedLine,
    VerifiedContact,
    VerifiedContactList,
    VerifiedContactResponse,
)

__all__ = [
    "BatchContact",
    "BulkContact",
    "BulkCreateResponse",
    "BulkDeleteResponse",
    "Contact",
    "ContactCreate",
    "ContactPage",
    "ContactResponse",
    "ContactUpdate",
    "CountResponse",
    "DeprecatedSpellings",
    "OptOutResponse",
    "RawResponse",
    "Response",
    "ResponseMeta",
    "SharedLine",
    "StatusResponse",
    "VerifiedContact",
    "VerifiedContactList",
    "VerifiedContactResponse",
    "e164",
]
