"""What comes back, as frozen attrs classes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .._converter import unstructure
from .._request_id import request_id
from .._spellings import EXTRA, LOCAL
from ._fields import shown_fields


@frozen(kw_only=True, slots=False)
class ResponseMeta:
    """How an answer came about.

    Attributes:
        status_code: The HTTP status of the answer.
        headers: The answer's headers, their names in lower case; the values of one that came
            several times are joined with commas, and of ``set-cookie`` the last one stands.
        attempts: How many attempts were made, the first included.
        elapsed: Seconds from the call to its answer, waits included.
        settled: Whether an attempt had ended without a usable answer, and it was found out
            afterwards that it had been done.
    """

    status_code: int = 0
    headers: dict[str, str] = field(factory=dict, hash=False)
    attempts: int = 0
    elapsed: float = 0.0
    settled: bool = False

    @property
    def request_id(self) -> str | None:
        """What the server calls the request, for its support; ``None`` if it did not say.

        From the first of these headers that the answer has: ``X-Request-Id``, ``Request-Id``,
        ``X-Correlation-Id``, ``X-Amzn-RequestId``, ``X-Amzn-Trace-Id`` and ``CF-Ray``.
        """
        return request_id(self.headers)


@frozen(kw_only=True, slots=False, repr=False)
class Contact:
    """A contact as Sendblue shows it; whatever the answer left out is ``None``.

    Attributes:
        phone: Phone number in E.164 form.
        first_name: First name.
        last_name: Last name.
        company_name: Company name; after a create it can be the account's default.
        assigned_to_email: E-mail address of the user the contact is assigned to.
        sendblue_number: The Sendblue line that belongs to the contact.
        tags: Tags.
        verified: Whether the contact is verified.
        created_at: When the contact was created; always aware.
        custom_variables: Labels and their values.
        opt_out: Whether the contact has opted out of messages.
        contact_id: Sendblue's own identifier, which never changes; promised in lists only.
        extra: Keys that are unknown here, and values that are not of their field's type.
    """

    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    assigned_to_email: str | None = None
    sendblue_number: str | None = None
    tags: tuple[str, ...] | None = None
    verified: bool | None = None
    created_at: datetime | None = None
    custom_variables: dict[str, str] | None = field(default=None, hash=False)
    opt_out: bool | None = None
    contact_id: str | None = None
    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)

    def __repr__(self) -> str:
        return shown_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """The contact as a JSON object, under the API's preferred spellings."""
        return unstructure(self)


@frozen(kw_only=True, slots=False, repr=False)
class Response:
    """What every answer has that is a JSON object.

    Attributes:
        extra: Keys that are unknown here, and values that are not of their field's type.
        meta: How the answer came about; takes no part in equality.
    """

    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False, metadata=LOCAL)

    def __repr__(self) -> str:
        return shown_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """The answer as a JSON object, under the API's preferred spellings."""
        return unstructure(self)


@frozen(kw_only=True, slots=False, repr=False)
class ContactResponse(Response):
    """The envelope that creating, fetching and updating a contact answer with.

    Attributes:
        contact: The contact; all its fields are ``None`` if the answer had none.
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    contact: Contact = field(factory=Contact)
    status: str | None = None


@frozen(kw_only=True, slots=False, repr=False)
class StatusResponse(Response):
    """The answer of an operation that says no more than that it was done.

    Attributes:
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    status: str | None = None


@frozen(kw_only=True, slots=False, repr=False)
class CountResponse(Response):
    """How many contacts there are.

    Attributes:
        count: How many contacts the account has.
    """

    count: int


@frozen(kw_only=True, slots=False, repr=False)
class OptOutResponse(Response):
    """Whether a contact has opted out of messages, as it now stands.

    Attributes:
        number: The contact's phone number in E.164 form.
        opted_out: Whether messages to it are blocked.
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    number: str | None = None
    opted_out: bool | None = None
    status: str | None = None


@frozen(kw_only=True, slots=False, repr=False)
class BulkCreateResponse(Response):
    """The contacts that a bulk create made.

    Attributes:
        contacts: The contacts created, or ``None`` if the answer did not show them.
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    contacts: tuple[Contact, ...] | None = None
    status: str | None = None


@frozen(kw_only=True, slots=False, repr=False)
class BulkDeleteResponse(Response):
    """How many contacts a bulk delete removed.

    Attributes:
        amount: How many were deleted by the last attempt, or ``None`` if the answer did not
            say. An attempt before it, if there was one, may have deleted others.
        status: ``"OK"``, or ``None`` if the answer left it out.
    """

    amount: int | None = None
    status: str | None = None


@frozen(kw_only=True, slots=False)
class ContactPage:
    """One page of contacts; iterating over it gives them.

    Attributes:
        contacts: The contacts, in the order in which the server lists them.
        meta: How the answer came about; takes no part in equality.
    """

    contacts: tuple[Contact, ...] = ()
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False)

    def __iter__(self) -> Iterator[Contact]:
        return iter(self.contacts)

    def __len__(self) -> int:
        return len(self.contacts)


@frozen(kw_only=True, slots=False)
class RawResponse:
    """The answer to a call that has no typed method.

    Attributes:
        data: The JSON document of the answer as it came, or ``None`` if its body was empty. What
            is under ``/v3`` comes wrapped in an object with the key ``data``.
        meta: How the answer came about; takes no part in equality.
    """

    data: Any = field(default=None, hash=False)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False)
