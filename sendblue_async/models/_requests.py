"""What is sent, as frozen attrs classes that are checked when they are made."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import asdict, converters, field, fields_dict, frozen, validators

from .._arguments import names_arguments
from .._converter import CLEAR, Clear, unstructure
from .._phone_numbers import digits_of
from .._redaction import redact_numbers
from .._spellings import EXTRA, preferred_spellings, spellings, wire
from ..exceptions import ValidationError
from ._fields import (
    OrderBy,
    e164,
    extra_keys,
    is_aware,
    is_flag,
    is_text,
    is_text_or_clear,
    items,
    line_number,
    no_field_in_extra,
    number_in,
    one_of,
    shown,
    shown_fields,
    sort_field,
    tag_list,
    variables,
)
from ._responses import Contact

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
@names_arguments
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
    first_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    assigned_to_email: str | Clear | None = field(default=None, validator=is_text_or_clear)
    sendblue_number: str | Clear | None = field(default=None, converter=line_number)
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=tag_list)
    update_if_exists: bool | None = field(default=None, validator=validators.optional(is_flag))
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=extra_keys, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return shown_fields(self)

    def __attrs_post_init__(self) -> None:
        no_field_in_extra(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ContactCreate:
        """The contact that a mapping describes.

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
            raise ValidationError(f"a contact must be a mapping, not {shown(fields)}.")
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


_BLANK: tuple[Any, ...] = (None, "", [], {})


def _has(stored: Contact, sent: dict[str, Any]) -> bool:
    there = stored.to_dict()
    names = spellings(Contact)
    return all(_agree(value, there.get(names.get(key, key))) for key, value in sent.items())


def _agree(sent: Any, there: Any) -> bool:
    if sent in _BLANK:
        return there in _BLANK
    if isinstance(sent, (list, tuple)) and isinstance(there, list):
        return sorted(map(str, sent)) == sorted(map(str, there))
    if isinstance(sent, dict) and isinstance(there or {}, dict):
        return all(_agree(value, (there or {}).get(key)) for key, value in sent.items())
    return bool(sent == there)


@names_arguments
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

    first_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    company_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    assigned_to_email: str | Clear | None = field(default=None, validator=is_text_or_clear)
    sendblue_number: str | Clear | None = field(default=None, converter=line_number)
    opt_out: bool | None = field(default=None, validator=validators.optional(is_flag))
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=tag_list)
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=extra_keys, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return shown_fields(self)

    def __attrs_post_init__(self) -> None:
        no_field_in_extra(self)
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


@names_arguments
@frozen(kw_only=True, slots=False, repr=False)
class BulkContact:
    """One contact of a bulk create, checked when it is made.

    The bulk endpoint takes fewer fields than the one that creates a single contact, and no
    ``update_if_exists``. Everything but ``number`` is optional; ``None`` is left out, and
    :data:`~sendblue_async.CLEAR` is sent as ``null``.

    Attributes:
        number: The contact's phone number; kept in E.164 form, see :func:`e164`.
        first_name: First name.
        last_name: Last name.
        company_name: Company name.
        tags: Tags; any iterable of strings but a bare string, kept as a tuple.
        custom_variables: Labels and their values, all strings.
        extra_body: Further keys of the entry that this class has no field for.

    Raises:
        ValidationError: If a value is of the wrong type or form; names the field.
    """

    number: str = field(converter=e164, metadata=wire("phone"))
    first_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    company_name: str | Clear | None = field(default=None, validator=is_text_or_clear)
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=tag_list)
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=extra_keys, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return shown_fields(self)

    def __attrs_post_init__(self) -> None:
        no_field_in_extra(self)

    @classmethod
    def of(cls, contact: BulkContact | ContactCreate | Mapping[str, Any]) -> BulkContact:
        """The same contact as an entry of a bulk create.

        Args:
            contact: An entry, a contact to be created, or a mapping of an entry's fields. Of
                the keys in the ``extra_body`` of a contact to be created, ``company_name`` has
                a field here.

        Raises:
            ValidationError: If it carries a field that a bulk create cannot take, or a value is
                of the wrong type or form.
        """
        if isinstance(contact, cls):
            return contact
        if isinstance(contact, ContactCreate):
            given = asdict(contact, recurse=False)
            extra = given.pop("extra_body")
        elif isinstance(contact, Mapping):
            given, extra = dict(contact), {}
        else:
            raise ValidationError(f"a contact must be a mapping, not {shown(contact)}.")
        # What a contact to be created has no value for is nothing that could be dropped.
        blank = [name for name in fields_dict(ContactCreate) if given.get(name) is None]
        for name in blank:
            given.pop(name, None)
        given |= {name: CLEAR if value is None else value for name, value in extra.items()}
        return cls(**{"number": None, **preferred_spellings(given, cls)})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that is sent: what was given."""
        return unstructure(self)


def _entries(
    contacts: Iterable[BulkContact | ContactCreate | Mapping[str, Any]],
) -> tuple[BulkContact, ...]:
    entries: dict[str, BulkContact] = {}
    for place, contact in enumerate(items(contacts, "contacts")):
        name = f"contacts[{place}]"
        try:
            entry = BulkContact.of(contact)
        except ValidationError as error:
            field = f"{name}.{error.field}" if error.field else name
            raise ValidationError(f"{name}: {error}", field=field) from None
        if entry.number in entries:
            raise ValidationError(
                f"{name} has the number {redact_numbers(entry.number)}, which stands before it "
                "already; nothing tells which of the two the server would keep.",
                field=f"{name}.number",
            )
        entries[entry.number] = entry
    return tuple(entries.values())


@frozen(kw_only=True, slots=False)
class BulkCreate:
    """The body of a bulk create.

    Attributes:
        contacts: The contacts, at least one and no number twice; see :meth:`BulkContact.of`.

    Raises:
        ValidationError: If a contact cannot be sent; names it, such as ``"contacts[3].tags"``.
    """

    contacts: tuple[BulkContact, ...] = field(converter=_entries)


def _numbers(numbers: Iterable[str]) -> tuple[str, ...]:
    listed = enumerate(items(numbers, "numbers"))
    return tuple(dict.fromkeys([e164(number, f"numbers[{place}]") for place, number in listed]))


@frozen(kw_only=True, slots=False)
class BulkDelete:
    """The body of a bulk delete.

    Attributes:
        numbers: Phone numbers, at least one; one that is given twice is sent once.

    Raises:
        ValidationError: If a number cannot be sent; names it, such as ``"numbers[3]"``.
    """

    numbers: tuple[str, ...] = field(converter=_numbers, metadata=wire("contact_ids"))


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
    opted_out: bool = field(default=True, validator=is_flag)


@frozen(kw_only=True, slots=False, repr=False)
class ContactQuery:
    """Which contacts a list is to show, and how; checked when it is made.

    The limits are the API's. What is ``None`` is left to the server.

    Attributes:
        limit: How many contacts at most, 1 to 1,000; the server's default is 100.
        offset: How many to skip, 0 to 10,000.
        order_by: The field to sort by, ``"created_at"`` by default; or ``"first_name"``,
            ``"last_name"`` or ``"phone"``. Kept as the API spells it.
        order_direction: ``"asc"``, or ``"desc"`` as is the server's default.
        number: Only the contact with this phone number.
        contact_id: Only the contact with this identifier of Sendblue's.
        created_at_gte: Only contacts created at this time or later; with a time zone.

    Raises:
        ValidationError: If a value is out of range or of the wrong type; names the field.
    """

    limit: int | None = field(default=None, validator=validators.optional(number_in(1, 1000)))
    offset: int | None = field(default=None, validator=validators.optional(number_in(0, 10_000)))
    order_by: OrderBy | None = field(default=None, converter=converters.optional(sort_field))
    order_direction: Literal["asc", "desc"] | None = field(
        default=None, validator=validators.optional(one_of("asc", "desc"))
    )
    number: str | None = field(
        default=None, converter=converters.optional(e164), metadata=wire("phone_number")
    )
    contact_id: str | None = field(
        default=None, validator=validators.optional(is_text), metadata=wire("cid")
    )
    created_at_gte: datetime | None = field(default=None, validator=validators.optional(is_aware))

    def __repr__(self) -> str:
        return shown_fields(self)
