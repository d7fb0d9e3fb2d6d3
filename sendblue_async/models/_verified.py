"""Verified contacts, who may be reached over a shared line: what is sent and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .._spellings import EXTRA, wire
from ._fields import e164, show_fields
from ._responses import Response


@frozen(kw_only=True, slots=False)
class VerifiedContactCreate:
    """The body of the create of a verified contact.

    Attributes:
        number: The contact's phone number; kept in E.164 form, see :func:`e164`.

    Raises:
        ValidationError: If it is no such number.
    """

    number: str = field(converter=e164, metadata=wire("phone_number"))


@frozen(kw_only=True, slots=False, repr=False)
class VerifiedContact:
    """A verified contact as Sendblue shows it; whatever the answer left out is ``None``.

    Attributes:
        phone_number: Phone number in E.164 form.
        verified: Whether the contact has written to the shared line, and may be reached.
        verification_status: ``"pending"`` or ``"verified"``.
        created_at: When it was created; always aware.
        updated_at: When it was last changed; always aware.
        extra: Keys that are unknown here, and values that are not of their field's type.
    """

    phone_number: str | None = None
    verified: bool | None = None
    verification_status: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)

    def __repr__(self) -> str:
        return show_fields(self)


@frozen(kw_only=True, slots=False, repr=False)
class SharedLine:
    """The Sendblue line that verified contacts are reached from, and write to.

    Attributes:
        phone_number: Its phone number in E.164 form, or ``None`` if there is none yet.
        type: ``"shared"``.
        extra: Keys that are unknown here, and values that are not of their field's type.
    """

    phone_number: str | None = None
    type: str | None = None
    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)

    def __repr__(self) -> str:
        return show_fields(self)


@frozen(kw_only=True, slots=False, repr=False)
class VerifiedContactResponse(Response):
    """The answer about one verified contact.

    Attributes:
        contact: The contact; all its fields are ``None`` if the answer had none.
        line: The line it belongs to, or ``None`` if the answer left it out.
        verification_instructions: What the person has to do; ``None`` once that is done.
    """

    contact: VerifiedContact = field(factory=VerifiedContact)
    line: SharedLine | None = None
    verification_instructions: str | None = None


@frozen(kw_only=True, slots=False, repr=False)
class VerifiedContactList(Response):
    """All verified contacts of the account; iterating over it gives them.

    Attributes:
        contacts: The contacts, in the order in which the server lists them.
        line: The line they belong to, or ``None`` if the answer left it out.
    """

    contacts: tuple[VerifiedContact, ...] = ()
    line: SharedLine | None = None

    def __iter__(self) -> Iterator[VerifiedContact]:
        return iter(self.contacts)

    def __len__(self) -> int:
        return len(self.contacts)
