"""What can be asked for, what is refused before it is sent, and how models behave as values."""

from __future__ import annotations

import copy
import json
import math
import pickle
import string
import unicodedata
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async import CLEAR
from sendblue_async.exceptions import ValidationError
from sendblue_async.models import (
    Contact,
    ContactCreate,
    ContactResponse,
    RawResponse,
    ResponseMeta,
    e164,
)

NUMBER = "+14155550123"

# The request fields and their deprecated spellings, as the contract lists them.
FIELDS: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19875550100",
    "tags": ["vip", "early"],
    "update_if_exists": True,
    "custom_variables": {"Plan": "gold"},
}
DEPRECATED = {
    "phone_number": "number",
    "phoneNumber": "number",
    "firstName": "first_name",
    "lastName": "last_name",
    "assignedToEmail": "assigned_to_email",
    "sendblueNumber": "sendblue_number",
}
OTHER_VALUES = {
    "number": "+14155550199",
    "first_name": "Grace",
    "last_name": "Hopper",
    "assigned_to_email": "other@example.com",
    "sendblue_number": "+19875550199",
}
CLEARABLE = sorted(set(FIELDS) - {"update_if_exists"})


def made(**fields: Any) -> ContactCreate:
    """A contact to be created, with a number that does not matter."""
    return ContactCreate(**{"number": NUMBER, **fields})


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "make", [made, lambda **f: ContactCreate.from_dict({"number": NUMBER, **f})]
)
def test_each_field_is_sent_under_its_own_name(make: Callable[..., Any], name: str) -> None:
    """Every field of the reference goes into the JSON as it was given, and nothing else does."""
    assert make(**{name: FIELDS[name]}).to_dict() == {"number": NUMBER, name: FIELDS[name]}


def test_all_fields_together_are_json() -> None:
    """A contact with every field becomes the one JSON object that the contract describes."""
    contact = ContactCreate.from_dict({"number": NUMBER, **FIELDS, "extra_body": {"new": [1]}})
    assert json.loads(json.dumps(contact.to_dict())) == {"number": NUMBER, **FIELDS, "new": [1]}
    assert contact == made(**FIELDS, extra_body={"new": [1]})


@pytest.mark.parametrize(("old", "new"), DEPRECATED.items())
def test_a_deprecated_spelling_is_taken_with_a_warning(old: str, new: str) -> None:
    """A deprecated spelling means the preferred one, which the warning names, at the caller."""
    fields = {"number": NUMBER} | FIELDS
    value = fields.pop(new)
    with pytest.warns(DeprecationWarning, match=rf"\b{old}\b.*\buse {new}\b") as caught:
        contact = ContactCreate.from_dict({**fields, old: value})
    assert [warning.filename for warning in caught] == [__file__]
    assert contact == made(**FIELDS)


def test_preferred_spellings_warn_of_nothing() -> None:
    """The preferred spellings, and deprecated ones that are None, give no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        contact = ContactCreate.from_dict({"number": NUMBER, **FIELDS, **dict.fromkeys(DEPRECATED)})
    assert contact == made(**FIELDS)


@pytest.mark.parametrize(("old", "new"), DEPRECATED.items())
@pytest.mark.parametrize("old_first", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_spellings_must_agree(old: str, new: str, old_first: bool) -> None:
    """Two spellings of one field are one value if they are equal or one is None, else refused."""
    value = ({"number": NUMBER} | FIELDS)[new]

    def read(preferred: Any, deprecated: Any) -> ContactCreate:
        both = {old: deprecated, new: preferred} if old_first else {new: preferred, old: deprecated}
        return ContactCreate.from_dict({"number": NUMBER, **both} if new != "number" else both)

    assert read(value, value) == read(value, None) == read(None, value)
    with pytest.raises(ValidationError, match=rf"{new}.*{old}.*different") as caught:
        read(value, OTHER_VALUES[new])
    assert caught.value.field == new
    if new not in ("number", "sendblue_number"):
        with pytest.raises(ValidationError, match="different"):
            read(CLEAR, value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_deprecated_spellings_must_agree_too() -> None:
    """Two different numbers are refused, also when both stand under deprecated spellings."""
    with pytest.raises(ValidationError) as caught:
        ContactCreate.from_dict({"phone_number": NUMBER, "phoneNumber": "+14155550199"})
    assert caught.value.field == "number"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "number"),
        ({"number": None}, "number"),
        ({"phone_number": None}, "number"),
        ({"number": NUMBER, "surname": "Lovelace"}, "surname"),
        ({"number": NUMBER, "updateIfExists": True}, "updateIfExists"),
        ({"number": NUMBER, "phone": NUMBER}, "phone"),
        ({"number": NUMBER, 7: "seven"}, "7"),
        ([("number", NUMBER)], None),
        (NUMBER, None),
        (None, None),
    ],
)
def test_a_mapping_that_is_no_contact_is_refused(fields: Any, field: str | None) -> None:
    """A mapping without a number or with an unknown key is refused, and so is no mapping."""
    with pytest.raises(ValidationError) as caught:
        ContactCreate.from_dict(fields)
    assert caught.value.field == field
    assert caught.value.outcome == "not_sent"


def test_the_mapping_is_left_alone() -> None:
    """Reading a mapping does not change it."""
    fields = {"phone_number": NUMBER, "first_name": None, "tags": ["vip"], "extra_body": {"a": []}}
    before = copy.deepcopy(fields)
    with pytest.warns(DeprecationWarning, match="phone_number"):
        ContactCreate.from_dict(fields)
    assert fields == before


@pytest.mark.parametrize("name", [*FIELDS, "extra_body"])
def test_none_is_the_same_as_not_given(name: str) -> None:
    """None leaves a field out of the JSON, so that a blank never wipes stored data."""
    assert made(**{name: None}) == made()
    assert made(**{name: None}).to_dict() == {"number": NUMBER}


@pytest.mark.parametrize("name", CLEARABLE)
def test_clear_is_sent_as_null(name: str) -> None:
    """CLEAR sends null for its field, in keyword arguments and in mappings alike."""
    assert made(**{name: CLEAR}).to_dict() == {"number": NUMBER, name: None}
    assert ContactCreate.from_dict({"number": NUMBER, name: CLEAR}) == made(**{name: CLEAR})


@pytest.mark.parametrize("name", ["number", "update_if_exists", "extra_body"])
def test_what_cannot_be_cleared_refuses_clear(name: str) -> None:
    """The number, the update flag and the extra body have nothing to clear."""
    with pytest.raises(ValidationError) as caught:
        made(**{name: CLEAR})
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("name", "empty"),
    [("first_name", ""), ("last_name", ""), ("assigned_to_email", ""), ("tags", []),
     ("custom_variables", {}), ("update_if_exists", False)],
)  # fmt: skip
def test_an_empty_value_that_was_given_is_sent(name: str, empty: Any) -> None:
    """An empty string, list or object and False go out when the caller asks for exactly that."""
    assert made(**{name: empty}).to_dict() == {"number": NUMBER, name: empty}


def test_clear_is_one_object() -> None:
    """CLEAR stays the same object through pickles and copies, and shows as its name."""
    assert pickle.loads(pickle.dumps(CLEAR)) is CLEAR
    assert copy.copy(CLEAR) is CLEAR
    assert copy.deepcopy([CLEAR])[0] is CLEAR
    assert repr(CLEAR) == "CLEAR"


@pytest.mark.parametrize(
    "text",
    [
        "+1 415 555 0123", "+1 (415) 555-0123", "+1.415.555.0123", "+1-415-555-0123",
        "  +14155550123  ", "+ 1 415 5550123", "+1\u00a0415\u202f555\u20090123", "+1\t4155550123",
        "+1\u2010415\u2011555\u2012\u20130123", "+1\u2014415\u2015555\u22120123", "+(1)4155550123",
        "+１４１５５５５０１２３", "＋1（415）555－0123", "+1415555012३",
        "+1\u2007415\u3000555\u28000123", "\ufeff+14155550123", "\u202a+1 415 555 0123\u202c",
        "\u200e+1\u2066 415\u2069 555\u200d0123", "+1415555\u200b0123",
        "+1\ufe0f415\u2060555\u00ad0123", "+1415\u200c555\u180e0123",
        "+1\ufe63415\uff0d555\u30fc0123",
        "+1\ufe0f\u20e34\ufe0f\u20e3155550123", "+\U0001d7cf4155550123",
    ],
)  # fmt: skip
def test_punctuation_is_dropped_from_a_number(text: str) -> None:
    """Spaces, dashes, dots, parentheses and invisible signs are dropped; any digits are read."""
    assert e164(text) == NUMBER
    assert made(number=text).to_dict() == {"number": NUMBER}
    assert made(sendblue_number=text).sendblue_number == NUMBER


REFUSED_NUMBERS = [
    None, "", " ", "+", "++14155550123", "number", "4155550123", "14155550123", "0014155550123",
    "+04155550123", "+141555", "+1234567890123456", "+1415555O123",
    "+14155550123\n", "\n+14155550123", "+1415\n5550123", "+1415\r5550123",
    "+1415\r\n5550123", "(+1) 4155550123", "-+14155550123", "+1/4155550123", "+1,4155550123",
    "+14155550123;ext=5", "+14155550123 x5", "tel:+14155550123", "+44 (0)20 7946 0018",
    "+49( 0 )30123456", "+1415555\x000123", "+1415555\ud8000123", "+1415²550123", b"+14155550123",
    bytearray(b"+14155550123"), 14155550123, 1.4155550123e10, math.nan, math.inf, True, [NUMBER],
    {"number": NUMBER}, object(), "+" + "1" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_refused(value: Any) -> None:
    """What is not + and 7 to 15 digits is refused, with the field and the accepted form."""
    with pytest.raises(ValidationError, match=r"^number must .*'\+14155550123'") as caught:
        made(number=value)
    assert caught.value.field == "number"
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()
    if value is not None:
        with pytest.raises(ValidationError, match=r"^sendblue_number must") as caught:
            made(sendblue_number=value)
        assert caught.value.field == "sendblue_number"


@pytest.mark.parametrize("digits", range(20))
def test_a_number_has_7_to_15_digits(digits: int) -> None:
    """Six digits are too few, sixteen too many, and the first is not zero."""
    number = "+" + "1234567890123456789"[:digits]
    if 7 <= digits <= 15:
        assert e164(number) == number
    else:
        with pytest.raises(ValidationError):
            e164(number)
    with pytest.raises(ValidationError):
        e164("+0" + number[1:])


@settings(deadline=None)
@given(st.text(alphabet=string.digits + "+-. ()\n\u00a0\u2013０٣a", max_size=24))
def test_a_number_is_refused_or_in_e164_form(text: str) -> None:
    """Any text is either refused or becomes its own digits in E.164 form, for good."""
    try:
        number = e164(text)
    except ValidationError:
        return
    digits = (unicodedata.decimal(char, None) for char in text)
    assert number == "+" + "".join(str(digit) for digit in digits if digit is not None)
    assert 7 <= len(number) - 1 <= 15
    assert number[1] != "0"
    assert "\n" not in text
    assert e164(number) == number


NESTED: list[str] = ["vip"]
for _ in range(5000):
    NESTED = [NESTED]  # type: ignore[list-item]


class _Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


TEXT_FIELDS = ["first_name", "last_name", "assigned_to_email"]
NOT_TEXT = [1, 1.5, math.nan, True, b"Ada", ["Ada"], {"a": "b"}, object()]
SURROGATES = ["\ud800", "Ada \udfff", "\ud83d", "\udc00\ud800"]


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize("value", [*NOT_TEXT, *SURROGATES], ids=lambda value: type(value).__name__)
def test_a_text_field_refuses_what_is_no_text(name: str, value: Any) -> None:
    """Text fields refuse other types and lone surrogates, and name themselves."""
    with pytest.raises(ValidationError, match=f"^{name} ") as caught:
        made(**{name: value})
    assert caught.value.field == name
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize(
    "value", ["Zoë", "李", "👩🏽‍🚀", "\U0010ffff", "a\nb\x00", " ", "x" * 100_000]
)
def test_any_real_text_is_sent_as_it_is(name: str, value: str) -> None:
    """Text of every script, control characters and blanks included, is sent unchanged."""
    assert made(**{name: value}).to_dict()[name] == value


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        ("vip", "tags"), ("", "tags"), (b"vip", "tags"), ({"vip": 1}, "tags"), (1, "tags"),
        (math.nan, "tags"), (True, "tags"), (object(), "tags"),
        ([1], "tags[0]"), (["a", "b", 3], "tags[2]"), (["a", None], "tags[1]"),
        (["a", CLEAR], "tags[1]"), (["a", math.nan], "tags[1]"), (["a", b"b"], "tags[1]"),
        (["a", ["b"]], "tags[1]"), (["a", "\ud800"], "tags[1]"), (bytearray(b"vip"), "tags[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_tags_are_a_list_of_strings(tags: Any, field: str) -> None:
    """Tags that are no list of strings are refused, and the error names the place."""
    with pytest.raises(ValidationError) as caught:
        made(tags=tags)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} ")


@pytest.mark.parametrize(
    "make", [list, tuple, iter, lambda tags: (tag for tag in tags), dict.fromkeys, lambda t: {*t}]
)
def test_tags_may_be_any_iterable_but_a_mapping(make: Callable[[Any], Any]) -> None:
    """Any iterable of strings is kept as a tuple; a mapping is refused."""
    given = make(["vip"])
    if isinstance(given, Mapping):
        with pytest.raises(ValidationError):
            made(tags=given)
    else:
        assert made(tags=given).tags == ("vip",)


@pytest.mark.parametrize("value", [0, 1, "true", "", 1.0, math.nan, [], object()])
def test_update_if_exists_is_a_real_bool(value: Any) -> None:
    """Nothing but True and False is taken for the update flag: "false" must not mean true."""
    with pytest.raises(ValidationError, match=r"^update_if_exists ") as caught:
        made(update_if_exists=value)
    assert caught.value.field == "update_if_exists"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("Plan", "custom_variables"), ([("Plan", "gold")], "custom_variables"),
        (1, "custom_variables"), (math.nan, "custom_variables"),
        ({1: "gold"}, "custom_variables"), ({None: "gold"}, "custom_variables"),
        ({"\ud800": "gold"}, "custom_variables"),
        ({"Plan": 1}, "custom_variables['Plan']"), ({"Plan": None}, "custom_variables['Plan']"),
        ({"Plan": CLEAR}, "custom_variables['Plan']"),
        ({"Plan": ["gold"]}, "custom_variables['Plan']"),
        ({"Plan": "\ud800"}, "custom_variables['Plan']"),
        ({"a": "b", "Plan": math.nan}, "custom_variables['Plan']"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_custom_variables_map_strings_to_strings(value: Any, field: str) -> None:
    """Custom variables that are no mapping of strings are refused, and the error names them."""
    with pytest.raises(ValidationError) as caught:
        made(custom_variables=value)
    assert caught.value.field is not None
    assert field in caught.value.field
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [_Unshowable(), 10**5000, NESTED], ids=["error", "int", "deep"])
def test_a_value_that_cannot_be_shown_is_refused_like_any_other(value: Any) -> None:
    """A value whose repr fails is refused with the usual error, which names the field."""
    wrong = [("number", value), *((name, value) for name in FIELDS), ("tags", ["vip", value])]
    for name, each in wrong:
        with pytest.raises(ValidationError) as caught:
            made(**{name: [each] if each is NESTED and name == "tags" else each})
        assert str(caught.value.field).startswith(name)


@pytest.mark.parametrize(
    "key",
    [*FIELDS, *DEPRECATED, "number", "updateIfExists", "customVariables"],
)
def test_extra_body_may_not_hold_a_field(key: str) -> None:
    """A key that has an argument of its own, in any spelling, is refused in the extra body."""
    with pytest.raises(ValidationError, match=f"'{key}'") as caught:
        made(extra_body={key: "value"})
    assert caught.value.field == "extra_body"


@pytest.mark.parametrize("value", [[], "x", 1, {1: 2}, {None: 1}, {"a": 1, b"b": 2}])
def test_extra_body_is_a_mapping_with_string_keys(value: Any) -> None:
    """An extra body that is no mapping with string keys is refused."""
    with pytest.raises(ValidationError) as caught:
        made(extra_body=value)
    assert caught.value.field == "extra_body"


def test_extra_body_is_sent_as_it_is() -> None:
    """Keys of the extra body join the JSON, a None among them as null."""
    body = {"new": {"a": [1, None]}, "blank": None}
    assert made(extra_body=body).to_dict() == {"number": NUMBER, **body}


META = ResponseMeta(status_code=200, headers={"a": "b"}, attempts=2, elapsed=0.5, settled=True)
STORED = Contact(
    phone=NUMBER,
    first_name="Ada",
    last_name="Lovelace",
    company_name="Analytical Engines",
    assigned_to_email="agent@example.com",
    sendblue_number="+19875550100",
    tags=("vip", "early"),
    verified=True,
    created_at=datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc),
    custom_variables={"Plan": "gold"},
    opt_out=False,
    contact_id="c-1",
    extra={"new": [1, {"a": None}]},
)
MODELS = [
    made(),
    made(**FIELDS, extra_body={"new": [1]}),
    made(**dict.fromkeys(CLEARABLE, CLEAR)),
    Contact(),
    STORED,
    ContactResponse(),
    ContactResponse(contact=STORED, status="OK", extra={"new": 1}, meta=META),
    META,
    RawResponse(data={"a": [1]}, meta=META),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@each_model
@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda model, version=version: pickle.loads(pickle.dumps(model, version))
            for version in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_models_pickle_and_copy(model: Any, duplicate: Callable[[Any], Any]) -> None:
    """A pickled or copied model is equal to the original in every field, and hashes alike."""
    again = duplicate(model)
    assert type(again) is type(model)
    assert attrs.asdict(again) == attrs.asdict(model)
    assert again == model
    assert repr(again) == repr(model)


@each_model
def test_models_are_hashable_values(model: Any) -> None:
    """Every model can stand in a set, where equal ones count once."""
    assert len({model, copy.deepcopy(model)}) == 1


@each_model
def test_models_are_immutable(model: Any) -> None:
    """No field of a model can be set or deleted, and no other attribute can be added."""
    for name in [*(field.name for field in attrs.fields(type(model))), "unheard_of"]:
        with pytest.raises(AttributeError):
            setattr(model, name, "changed")
        with pytest.raises(AttributeError):
            delattr(model, name)


@pytest.mark.parametrize(
    "cls", [ContactCreate, Contact, ContactResponse, ResponseMeta, RawResponse]
)
def test_models_take_keywords_only(cls: type) -> None:
    """No field can be given by position."""
    with pytest.raises(TypeError):
        cls("value")


def test_later_changes_of_the_arguments_do_not_reach_the_contact() -> None:
    """A contact keeps copies of the lists and mappings it was made from."""
    tags, variables, extra = ["vip"], {"Plan": "gold"}, {"new": 1}
    contact = made(tags=tags, custom_variables=variables, extra_body=extra)
    before = contact.to_dict()
    tags.append("x"), variables.update(x="y"), extra.update(x=2)
    contact.to_dict().update(first_name="changed")
    assert contact.to_dict() == before


def test_how_the_answer_came_about_takes_no_part_in_equality() -> None:
    """Two answers that say the same are equal and hash alike, whatever their meta."""
    assert ContactResponse(contact=STORED, meta=META) == ContactResponse(contact=STORED)
    assert hash(ContactResponse(contact=STORED, meta=META)) == hash(ContactResponse(contact=STORED))
    assert RawResponse(data=1, meta=META) == RawResponse(data=1)
    assert ContactResponse(status="OK") != ContactResponse(status=None)


SENT = made(**FIELDS)


@pytest.mark.parametrize(
    ("sent", "stored", "agrees"),
    [
        (SENT, STORED, True),
        (made(), STORED, True),
        (made(), Contact(), True),
        (made(update_if_exists=False), STORED, True),
        (SENT, attrs.evolve(STORED, phone="+14155550199"), False),
        (SENT, attrs.evolve(STORED, phone=None), True),
        (SENT, attrs.evolve(STORED, first_name="Grace"), False),
        (SENT, attrs.evolve(STORED, first_name="ada"), False),
        (SENT, attrs.evolve(STORED, first_name=None), False),
        (SENT, attrs.evolve(STORED, last_name="Hopper"), False),
        (SENT, attrs.evolve(STORED, assigned_to_email="other@example.com"), False),
        (SENT, attrs.evolve(STORED, sendblue_number="+19875550199"), False),
        (SENT, attrs.evolve(STORED, custom_variables={"Plan": "silver"}), False),
        (SENT, attrs.evolve(STORED, custom_variables={}), False),
        (SENT, attrs.evolve(STORED, custom_variables=None), False),
        (SENT, attrs.evolve(STORED, custom_variables={"Plan": "gold", "Other": "x"}), True),
        (SENT, attrs.evolve(STORED, company_name="Other", verified=False, opt_out=True), True),
        (SENT, attrs.evolve(STORED, tags=("early", "vip")), True),
        (SENT, attrs.evolve(STORED, tags=("vip",)), False),
        (SENT, attrs.evolve(STORED, tags=("vip", "early", "more")), False),
        (SENT, attrs.evolve(STORED, tags=("vip", "vip", "early")), False),
        (SENT, attrs.evolve(STORED, tags=None), False),
        (SENT, attrs.evolve(STORED, tags=None, extra={"tags": "vip"}), False),
        (made(first_name=""), attrs.evolve(STORED, first_name=None), True),
        (made(first_name=""), attrs.evolve(STORED, first_name=""), True),
        (made(first_name=""), STORED, False),
        (made(first_name=CLEAR), attrs.evolve(STORED, first_name=None), True),
        (made(first_name=CLEAR), attrs.evolve(STORED, first_name=""), True),
        (made(first_name=CLEAR), STORED, False),
        (made(tags=[]), Contact(), True),
        (made(tags=[]), Contact(tags=()), True),
        (made(tags=CLEAR), Contact(tags=()), True),
        (made(tags=CLEAR), STORED, False),
        (made(tags=["vip", "vip"]), Contact(tags=("vip",)), False),
        (made(custom_variables={}), Contact(), True),
        (made(custom_variables=CLEAR), Contact(custom_variables={}), True),
        (made(custom_variables=CLEAR), STORED, False),
        (made(custom_variables={"Plan": ""}), Contact(custom_variables={}), True),
        (made(custom_variables={"Plan": ""}), Contact(), True),
        (made(custom_variables={"Plan": ""}), STORED, False),
        (made(extra_body={"new": 1}), Contact(extra={"new": 1}), True),
        (made(extra_body={"new": 1}), Contact(extra={"new": 2}), False),
        (made(extra_body={"new": 1}), Contact(), False),
        (made(extra_body={"new": False}), Contact(), False),
        (made(extra_body={"new": None}), Contact(), True),
        (made(extra_body={"new": {"a": [2, 1]}}), Contact(extra={"new": {"a": [1, 2]}}), True),
        (made(extra_body={"new": (1, 2)}), Contact(extra={"new": [1, 2]}), True),
        (made(extra_body={"company_name": "X"}), Contact(company_name="X"), True),
        (made(extra_body={"company_name": "X"}), Contact(company_name="Y"), False),
        (made(extra_body={"companyName": "X"}), Contact(company_name="X"), True),
        (made(extra_body={"companyName": "X"}), Contact(company_name="Y"), False),
        (made(extra_body={"optOut": True}), Contact(opt_out=True), True),
        (made(extra_body={"verified": True}), Contact(verified=True), True),
    ],
)  # fmt: skip
def test_what_agrees_with_a_stored_contact(sent: Any, stored: Contact, agrees: bool) -> None:
    """A stored contact agrees if it has every value that was sent, blanks and order aside."""
    assert sent.agrees_with(stored) is agrees
