"""Many contacts in one request: what is sent to create and delete them, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict, field, fields_dict, frozen

from .._arguments import suggest_arguments
from .._converter import CLEAR, Clear, unstructure
from .._redaction import redact_numbers
from .._spellings import EXTRA, preferred_spellings, wire
from ..exceptions import ValidationError
from ._contacts import Contact, ContactCreate
from ._fields import (
    check_extra_body,
    e164,
    extra_keys,
    list_items,
    show,
    show_fields,
    tag_list,
    validate_text_or_clear,
    variables,
)
from ._responses import Response


@suggest_arguments
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
    first_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    last_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
    company_name: str | Clear | None = field(default=None, validator=validate_text_or_clear)
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

    @classmethod
    def of(cls, contact: BulkContact | ContactCreate | Mapping[str, Any]) -> BulkContact:
        """Make an entry of a bulk create for a contact.

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
            raise ValidationError(f"a contact must be a mapping, not {show(contact)}.")
        # What a contact to be created has no value for is nothing that could be dropped.
        fields = fields_dict(ContactCreate)
        given = {
            name: value for name, value in given.items() if value is not None or name not in fields
        }
        given |= {name: CLEAR if value is None else value for name, value in extra.items()}
        return cls(**{"number": None, **preferred_spellings(given, cls)})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that is sent: what was given."""
        return unstructure(self)


def _entries(
    contacts: Iterable[BulkContact | ContactCreate | Mapping[str, Any]],
) -> tuple[BulkContact, ...]:
    entries: dict[str, BulkContact] = {}
    for index, contact in enumerate(list_items(contacts, "contacts")):
        name = f"contacts[{index}]"
        try:
            entry = BulkContact.of(contact)
        except ValidationError as error:
            at_fault = f"{name}.{error.field}" if error.field else name
            raise ValidationError(f"{name}: {error}", field=at_fault) from None
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
    listed = enumerate(list_items(numbers, "numbers"))
    return tuple(dict.fromkeys([e164(number, f"numbers[{index}]") for index, number in listed]))


@frozen(kw_only=True, slots=False)
class BulkDelete:
    """The body of a bulk delete.

    Attributes:
        numbers: Phone numbers, at least one; one that is given twice is sent once.

    Raises:
        ValidationError: If a number cannot be sent; names it, such as ``"numbers[3]"``.
    """

    numbers: tuple[str, ...] = field(converter=_numbers, metadata=wire("contact_ids"))


@frozen(kw_only=True, slots=False, repr=False)
class BulkCreateResponse(Response):
    """The contacts that a bulk create created.

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
