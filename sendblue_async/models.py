"""What is sent to Sendblue and what comes back, as frozen attrs classes.

Field names, types and meanings are those of Sendblue's public API reference for contacts;
``custom_variables``, ``opt_out`` and ``contact_id`` are newer and come from its public SDKs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from attrs import Attribute, field, fields_dict, frozen

from ._converter import CLEAR, EXTRA, LOCAL, Clear, preferred_spellings, spellings, unstructure
from .exceptions import ValidationError

__all__ = [
    "Contact",
    "ContactCreate",
    "ContactResponse",
    "DeprecatedSpellings",
    "RawResponse",
    "ResponseMeta",
    "e164",
]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SPACES = " \t\u00a0\u2000-\u200a\u202f\u205f\u3000"
_PUNCTUATION = re.compile(rf"[{_SPACES}.()\-\u2010-\u2015\u2212]")


def e164(value: object, field: str = "number") -> str:
    """The number in E.164 form, such as ``"+14155550123"``.

    Spaces, dashes, dots and parentheses are dropped from a number that starts with ``+``.

    Args:
        value: A phone number.
        field: The name an error gives to the field.

    Raises:
        ValidationError: If what is left is not ``+`` and 7 to 15 digits, the first not zero.
    """
    if isinstance(value, str):
        if _E164.fullmatch(value):
            return value
        bare = _PUNCTUATION.sub("", value)
        if value.lstrip().startswith("+") and _E164.fullmatch(bare):
            return bare
    raise ValidationError(
        f"{field} must be a phone number in E.164 form, + and 7 to 15 digits such as "
        f"'+14155550123', not {_shown(value)}.",
        field=field,
    )


def _shown(value: object) -> str:
    """A value as an error message shows it: typed if it is no string, and never long."""
    try:
        text = ascii(value)
    except Exception:  # whatever a stranger's __repr__ raises, the value is refused all the same
        text = "something that cannot be shown"
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if isinstance(value, str) else f"{text} ({type(value).__name__})"


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"{field} must be a string, not {_shown(value)}.", field=field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValidationError(
                f"{field} has a lone surrogate, which is no text and cannot be sent: "
                f"{_shown(value)}.",
                field=field,
            ) from None
    return value


def _is_text(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and value is not CLEAR:
        _text(value, attribute.name)


def _is_flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise ValidationError(
            f"{attribute.name} must be True or False, not {_shown(value)}.", field=attribute.name
        )


def _sendblue_number(value: str | Clear | None) -> str | Clear | None:
    return value if value is None or value is CLEAR else e164(value, "sendblue_number")


def _tags(value: Iterable[str] | Clear | None) -> tuple[str, ...] | Clear | None:
    if value is None or value is CLEAR:
        return value
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ValidationError(
            f"tags must be a list of strings, not {_shown(value)}; for one tag, give ['vip'].",
            field="tags",
        )
    return tuple([_text(tag, f"tags[{index}]") for index, tag in enumerate(value)])


def _custom_variables(value: Mapping[str, str] | Clear | None) -> dict[str, str] | Clear | None:
    if value is None or value is CLEAR:
        return value
    if not isinstance(value, Mapping):
        raise ValidationError(
            f"custom_variables must be a mapping of strings to strings, not {_shown(value)}.",
            field="custom_variables",
        )
    return {
        _text(label, "custom_variables"): _text(text, f"custom_variables[{label!r}]")
        for label, text in value.items()
    }


def _has_string_keys(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _extra_body(value: Mapping[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if not _has_string_keys(value):
        raise ValidationError(
            f"extra_body must be a mapping with string keys, not {_shown(value)}.",
            field="extra_body",
        )
    return dict(value)


def _repr(model: Any) -> str:
    """The model with the fields that have a value; also one that is not whole yet."""
    values = {name: getattr(model, name, None) for name in fields_dict(type(model))}
    given = (f"{name}={value!r}" for name, value in values.items() if value not in (None, {}))
    return f"{type(model).__name__}({', '.join(given)})"


class DeprecatedSpellings(TypedDict, total=False):
    """Names that Sendblue has deprecated for the arguments of ``create_contact``."""

    phone_number: str
    phoneNumber: str
    firstName: str | Clear | None
    lastName: str | Clear | None
    assignedToEmail: str | Clear | None
    sendblueNumber: str | Clear | None


# No model has slots: attrs makes a frozen class faster without them.
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
    first_name: str | Clear | None = field(default=None, validator=_is_text)
    last_name: str | Clear | None = field(default=None, validator=_is_text)
    assigned_to_email: str | Clear | None = field(default=None, validator=_is_text)
    sendblue_number: str | Clear | None = field(default=None, converter=_sendblue_number)
    tags: tuple[str, ...] | Clear | None = field(default=None, converter=_tags)
    update_if_exists: bool | None = field(default=None, validator=_is_flag)
    custom_variables: dict[str, str] | Clear | None = field(
        default=None, converter=_custom_variables, hash=False
    )
    extra_body: dict[str, Any] = field(
        default=None, converter=_extra_body, hash=False, metadata=EXTRA
    )

    def __repr__(self) -> str:
        return _repr(self)

    def __attrs_post_init__(self) -> None:
        known = spellings(ContactCreate) if self.extra_body else ()
        for key in self.extra_body:
            if key in known:
                raise ValidationError(
                    f"extra_body has {key!r}, which is a field of its own; give it there.",
                    field="extra_body",
                )

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
            raise ValidationError(f"a contact must be a mapping, not {_shown(fields)}.")
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
        where it is shown, and a key of ``extra_body`` agrees only if the server shows it.
        """
        sent = self.to_dict()
        sent.pop("update_if_exists", None)
        there = stored.to_dict()
        there["number"] = there.get("phone", self.number)
        return all(_agree(value, there.get(key)) for key, value in sent.items())


_BLANK: tuple[Any, ...] = (None, "", [], {})


def _agree(sent: Any, there: Any) -> bool:
    if sent in _BLANK:
        return there in _BLANK
    if isinstance(sent, (list, tuple)) and isinstance(there, list):
        return sorted(map(str, sent)) == sorted(map(str, there))
    if isinstance(sent, dict) and isinstance(there or {}, dict):
        return all(_agree(value, (there or {}).get(key)) for key, value in sent.items())
    return bool(sent == there)


@frozen(kw_only=True, slots=False)
class ResponseMeta:
    """How an answer came about.

    Attributes:
        status_code: The HTTP status of the answer.
        headers: The answer's headers, their names in lower case.
        attempts: How many attempts were made, the first included.
        elapsed: Seconds from the call to its answer, waits included.
        settled: Whether the outcome was found by looking the contact up, because an attempt
            had ended without a usable answer.
    """

    status_code: int = 0
    headers: dict[str, str] = field(factory=dict, hash=False)
    attempts: int = 0
    elapsed: float = 0.0
    settled: bool = False


@frozen(kw_only=True, slots=False, repr=False)
class Contact:
    """A contact as Sendblue shows it; whatever the answer left out is ``None``.

    Attributes:
        phone: Phone number in E.164 form.
        first_name: First name.
        last_name: Last name.
        company_name: Company name.
        assigned_to_email: E-mail address of the user the contact is assigned to.
        sendblue_number: The Sendblue line that belongs to the contact.
        tags: Tags.
        verified: Whether the contact is verified.
        created_at: When the contact was created; always aware.
        custom_variables: Labels and their values.
        opt_out: Whether the contact has opted out of messages.
        contact_id: Sendblue's own identifier.
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
        return _repr(self)

    def to_dict(self) -> dict[str, Any]:
        """The contact as a JSON object, under the API's preferred spellings."""
        return unstructure(self)


@frozen(kw_only=True, slots=False)
class ContactResponse:
    """The envelope that creating, fetching and updating a contact answer with.

    Attributes:
        contact: The contact; all its fields are ``None`` if the answer had none.
        status: ``"OK"``, or ``None`` if the answer left it out.
        extra: Keys that are unknown here, and values that are not of their field's type.
        meta: How the answer came about; takes no part in equality.
    """

    contact: Contact = field(factory=Contact)
    status: str | None = None
    extra: dict[str, Any] = field(factory=dict, hash=False, metadata=EXTRA)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False, metadata=LOCAL)

    def to_dict(self) -> dict[str, Any]:
        """The envelope as a JSON object, under the API's preferred spellings."""
        return unstructure(self)


@frozen(kw_only=True, slots=False)
class RawResponse:
    """The answer to a call that has no typed method.

    Attributes:
        data: The JSON document of the answer, or ``None`` if its body was empty.
        meta: How the answer came about; takes no part in equality.
    """

    data: Any = field(default=None, hash=False)
    meta: ResponseMeta = field(factory=ResponseMeta, eq=False)
