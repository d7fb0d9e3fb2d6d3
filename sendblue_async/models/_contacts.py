"""One contact: what is sent to create, change and opt it out, and what comes back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping  # noqa: F401 (attrs copies converters' hints)
from datetime import datetime
from functools import cache
from typing import Any

from attrs import field, fields_dict, frozen

from .._arguments import NO_COMPANY, suggest_arguments
from .._converter import Clear, unstructure
from .._phone_numbers import digits_of
from .._spellings import EXTRA, fields_of, preferred_spellings, spellings
from ..exceptions import ValidationError
from ._fields import (
    check_extra_body,
    e164,
    extra_keys,
    sendblue_line,
    show,
    show_fields,
    tag_list,
    validate_boolean,
    validate_boolean_or_none,
    validate_text_or_clear,
    variables,
)
from ._responses import Response

# Pydantic reads no other before 3.12, where it checks the calls of a method.
if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    from typing_extensions import TypedDict


class DeprecatedSpellings(TypedDict, total=False):
    """Names that Sendblue has deprecated for the arguments of ``create_contact``."""

    phone_number: str
    phoneNumber: str
    firstName: str | Clear | None
    lastName: str | Clear | None
    assignedToEmail: str | Clear | None
    sendblueNumber: str | Clear | None


# No model has slots: attrs makes a frozen class faster without them.
@suggest_arguments
@frozen(kw_only=True, slots=False, repr=False)
class ContactCreate:
    """A contact to be created, checked when it is made.

    A field that is ``None`` is left out of the request, and one that is
    :data:`~sendblue_async.CLEAR` is sent as ``null``. Everything but ``number`` is optional.

    Attributes:
        number: The contact's phone number; kept in E.164 form, see :func:`e164`.
        first_name: First name.
        last_name: Last name.
        assigned_to_email: E-mail address of the user the contact is assigned to.
        sendblue_number: The Sendblue line to send with, in E.164 form.
        tags: Tags; any iterable of strings but a bare string, kept as a tuple.
        update_if_exists: Whether to update the contact if the number is known already,
            instead of being refused.
        custom_variables: Labels and their values, all strings.
        extra_body: Further keys of the request body that this class has no field for.

    Raises:
        ValidationError: If a value is of the wrong type or form; names the field.
    """

    number: str = field(converter=e164)
    first_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    assigned_to_email: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    sendblue_number: str | Clear | None = field(default=None, converter=sendblue_line)
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=tag_list)
    update_if_exists: bool | None = field(default=None, validator=validate_boolean_or_none)
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=extra_keys, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return show_fields(self)

    def __attrs_post_init__(self) -> None:
        check_extra_body(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ContactCreate:
        """Make the contact that a mapping describes.

        Args:
            fields: Field names and values. Sendblue's deprecated spellings (``phone_number``,
                ``phoneNumber``, ``firstName``, …) are taken for the preferred ones.

        Raises:
            ValidationError: If ``number`` is missing, a key is no field, two spellings of one
                field differ, or a value is of the wrong type or form.

        Warns:
            DeprecationWarning: For each deprecated spelling, naming the preferred one.
        """
        if not isinstance(fields, Mapping):
            raise ValidationError(f"a contact must be a mapping, not {show(fields)}.")
        if cls is ContactCreate and "company_name" in fields:
            raise ValidationError(NO_COMPANY, field="company_name")
        return cls(**{"number": None, **preferred_spellings(fields, cls)})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that is sent: what was given, under the preferred spellings.

        It is no way back: :meth:`from_dict` reads ``null`` as not given, and refuses keys that
        came from ``extra_body``.
        """
        return unstructure(self)

    def agrees_with(self, stored: Contact) -> bool:
        """Whether a stored contact has every value that this one sends.

        Tags may come back in any order, blank and missing are the same, the number counts
        where it is shown, and a key of ``extra_body`` agrees only if the server shows it. What
        was not sent counts for nothing: the server may fill in a company of the account's.
        """
        sent = self.to_dict()
        sent.pop("update_if_exists", None)
        number = sent.pop("number")
        same = stored.phone is None or digits_of(stored.phone) == digits_of(number)
        return same and _has(stored, sent)


@cache
def _plain_keys() -> frozenset[str]:
    """The keys of the contacts that a single create carries whole."""
    return frozenset({*spellings(ContactCreate), *fields_of(ContactCreate, "extra")})


@suggest_arguments
@frozen(kw_only=True, slots=False, repr=False)
class BatchContact(ContactCreate):
    """A contact of a batch or an import, which can have a company.

    No single create carries one: it goes into a bulk create, or an update follows.

    Attributes:
        company_name: Company name.

    Raises:
        ValidationError: If a value is of the wrong type or form; names the field.
    """

    company_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)

    @staticmethod
    def read(fields: Mapping[str, Any]) -> ContactCreate:
        """Make the contact that a mapping describes; a batch contact only if need be.

        Raises:
            ValidationError: As :meth:`ContactCreate.from_dict` does.

        :meta private:
        """
        # Of a key that is unknown to both, a batch contact names all that there are.
        is_plain = isinstance(fields, Mapping) and _plain_keys().issuperset(fields)
        return (ContactCreate if is_plain else BatchContact).from_dict(fields)

    def without_company(self) -> ContactCreate:
        """Return the part of it that a single create carries.

        :meta private:
        """
        names = fields_dict(ContactCreate)
        return ContactCreate(**{name: getattr(self, name) for name in names})


@suggest_arguments
@frozen(kw_only=True, slots=False, repr=False)
class ContactUpdate:
    """Changes to a stored contact, checked when they are made; at least one.

    A field that is ``None`` is left out of the request and keeps its stored value, and one
    that is :data:`~sendblue_async.CLEAR` is sent as ``null``.

    Attributes:
        first_name: First name.
        last_name: Last name.
        company_name: Company name.
        assigned_to_email: E-mail address of the user the contact is assigned to.
        sendblue_number: The Sendblue line to send with, in E.164 form.
        opt_out: Whether the contact has opted out of messages.
        tags: Tags, instead of the stored ones; any iterable of strings but a bare string.
        custom_variables: Labels and their values, all strings; merged into the stored ones.
        extra_body: Further keys of the request body that this class has no field for.

    Raises:
        ValidationError: If no field is given, or a value is of the wrong type or form.
    """

    first_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    company_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    assigned_to_email: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    sendblue_number: str | Clear | None = field(default=None, converter=sendblue_line)
    opt_out: bool | None = field(default=None, validator=validate_boolean_or_none)
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=tag_list)
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=extra_keys, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return show_fields(self)

    def __attrs_post_init__(self) -> None:
        check_extra_body(self)
        if not self.to_dict():
            raise ValidationError("An update needs at least one field to change.")

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that is sent: what was given."""
        return unstructure(self)

    def agrees_with(self, stored: Contact) -> bool:
        """Whether a stored contact has every value that this update sends.

        It is compared as :meth:`ContactCreate.agrees_with` does.
        """
        return _has(stored, self.to_dict())


@frozen(kw_only=True, slots=False)
class OptOut:
    """The body of an opt-out.

    Attributes:
        number: The contact's phone number; kept in E.164 form, see :func:`e164`.
        opted_out: Whether messages to it are to be blocked.

    Raises:
        ValidationError: If a value is of the wrong type or form; names the field.
    """

    number: str = field(converter=e164)
    opted_out: bool = field(default=True, validator=validate_boolean)


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
        return show_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """The contact as a JSON object, under the API's preferred spellings."""
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


_BLANK: tuple[Any, ...] = (None, "", [], {})


def _has(stored: Contact, sent: dict[str, Any]) -> bool:
    return not find_differences(stored.to_dict(), sent)


def find_differences(there: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Find the keys of what is sent whose values a stored contact does not have.

    Args:
        there: The stored contact, as :meth:`Contact.to_dict` gives it.
        sent: What is sent, as :meth:`ContactCreate.to_dict` gives it.
    """
    names = spellings(Contact)
    return [key for key, value in sent.items() if not _agree(value, there.get(names.get(key, key)))]


def _agree(sent: Any, there: Any) -> bool:
    if sent in _BLANK:
        return there in _BLANK
    if isinstance(sent, (list, tuple)) and isinstance(there, list):
        return sorted(map(str, sent)) == sorted(map(str, there))
    if isinstance(sent, dict) and isinstance(there or {}, dict):
        return all(_agree(value, (there or {}).get(key)) for key, value in sent.items())
    return bool(sent == there)
