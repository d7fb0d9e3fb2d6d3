"""How answers are read: nothing in a JSON object is an error, and nothing in it is lost."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sendblue_async._converter import structure, unstructure
from sendblue_async._dates import format_datetime, parse_datetime
from sendblue_async._spellings import camel_case
from sendblue_async.models import (
    BulkCreateResponse,
    Contact,
    ContactCreate,
    ContactResponse,
    OptOutResponse,
    ResponseMeta,
)

relaxed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

CREATED = datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc)

# field: (its value as JSON, its value in the model)
FIELDS: dict[str, tuple[Any, Any]] = {
    "phone": ("+1234567890", "+1234567890"),
    "first_name": ("John", "John"),
    "last_name": ("Doe", "Doe"),
    "company_name": ("Example Corp", "Example Corp"),
    "assigned_to_email": ("agent@example.com", "agent@example.com"),
    "sendblue_number": ("+1987654321", "+1987654321"),
    "tags": (["customer", "vip"], ("customer", "vip")),
    "verified": (True, True),
    "created_at": ("2024-01-15T10:30:00Z", CREATED),
    "custom_variables": ({"Plan": "gold"}, {"Plan": "gold"}),
    "opt_out": (False, False),
    "contact_id": ("c-1", "c-1"),
}
# The camelCase spellings, as the contract and the provider's contacts guide print them.
CAMEL = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company_name": "companyName",
    "assigned_to_email": "assignedToEmail",
    "sendblue_number": "sendblueNumber",
    "created_at": "createdAt",
    "custom_variables": "customVariables",
    "opt_out": "optOut",
    "contact_id": "contactId",
}
WIRE = {name: value for name, (value, _) in FIELDS.items()}
CAMEL_WIRE = {CAMEL.get(name, name): value for name, value in WIRE.items()}
WHOLE = Contact(**{name: value for name, (_, value) in FIELDS.items()})

TEXTS = {name for name, (value, _) in FIELDS.items() if type(value) is str}
FLAGS = {"verified", "opt_out"}
WRONG: list[Any] = [
    0, 1, -1.5, float("inf"), True, False, "text", "", "true", "2024-13-01T00:00:00Z", [], [1],
    ["a", None], ["a", 1], [["a"]], {}, {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": "b"}, ["a"],
]  # fmt: skip


def is_right(name: str, value: Any) -> bool:
    """Whether a JSON value is of the type that the reference gives a field."""
    if name == "created_at":
        return False
    if name in TEXTS:
        return type(value) is str
    if name in FLAGS:
        return type(value) is bool
    if name == "tags":
        return type(value) is list and all(type(item) is str for item in value)
    return type(value) is dict and all(type(item) is str for item in value.values())


offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.datetimes(timezones=st.none() | offsets).map(datetime.isoformat)
    | st.sampled_from(["OK", "ERROR", "2024-01-15T10:30:00Z", "9999-12-31T23:59:59-01:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*WIRE, *CAMEL_WIRE, "contact", "status", "meta", "extra", "number"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_read_in_both_spellings(name: str) -> None:
    """A field reads the same from snake_case and from camelCase, and leaves nothing over."""
    wire, value = FIELDS[name]
    for key in (name, CAMEL.get(name, name)):
        contact = structure({key: wire}, Contact)
        assert contact == Contact(**{name: value})
        assert type(getattr(contact, name)) is type(value)
        assert contact.extra == {}


@pytest.mark.parametrize("wire", [WIRE, CAMEL_WIRE], ids=["snake_case", "camelCase"])
def test_a_whole_answer_is_read_in_both_spellings(wire: dict[str, Any]) -> None:
    """The same contact comes out of a snake_case and of a camelCase envelope."""
    meta = ResponseMeta(status_code=200, attempts=1)
    response = structure({"contact": wire, "status": "OK"}, ContactResponse, meta=meta)
    assert response.contact == WHOLE
    assert response.status == "OK"
    assert response.extra == {}
    assert response.meta is meta


EITHER_ORDER = pytest.mark.parametrize("camel_first", [True, False])
OTHERS: dict[str, Any] = {
    "created_at": "2020-02-02T00:00:00Z",
    "custom_variables": {"Plan": "red"},
    "opt_out": True,
}


def doubled(name: str, value: Any, double: Any, camel_first: bool) -> dict[str, Any]:
    """A contact that has a field in both spellings, in this order."""
    pair = [(CAMEL[name], double), (name, value)]
    return dict(pair if camel_first else reversed(pair))


@pytest.mark.parametrize("name", CAMEL)
@EITHER_ORDER
def test_a_double_that_equals_its_field_is_dropped(name: str, camel_first: bool) -> None:
    """A field that comes in both spellings with equal values is read, and leaves nothing over."""
    wire, value = FIELDS[name]
    contact = structure(doubled(name, wire, wire, camel_first), Contact)
    assert contact == Contact(**{name: value})
    assert contact.to_dict() == {name: wire}


@pytest.mark.parametrize("name", CAMEL)
@EITHER_ORDER
def test_a_double_that_differs_is_kept(name: str, camel_first: bool) -> None:
    """If both spellings differ, snake_case is read and camelCase kept, whatever it holds."""
    wire, value = FIELDS[name]
    for other in (OTHERS.get(name, "other"), 1, 0.0, [], {"a": 1}, "soon"):
        payload = doubled(name, wire, other, camel_first)
        contact = structure(payload, Contact)
        assert contact == Contact(**{name: value}, extra={CAMEL[name]: other})
        assert type(contact.extra[CAMEL[name]]) is type(other)
        assert contact.to_dict() == payload


@pytest.mark.parametrize("name", CAMEL)
@EITHER_ORDER
def test_a_null_is_no_value_and_no_double(name: str, camel_first: bool) -> None:
    """A null in one spelling leaves the field to the other one, and in both it is nothing."""
    wire, value = FIELDS[name]
    whole = Contact(**{name: value})
    assert structure(doubled(name, wire, None, camel_first), Contact) == whole
    assert structure(doubled(name, None, wire, camel_first), Contact) == whole
    assert structure(doubled(name, None, None, camel_first), Contact) == Contact()
    wrong = structure(doubled(name, None, [1], camel_first), Contact)
    assert wrong == Contact(extra={CAMEL[name]: [1]})


@pytest.mark.parametrize("name", CAMEL)
@EITHER_ORDER
def test_a_double_is_read_where_its_field_cannot_be(name: str, camel_first: bool) -> None:
    """If snake_case is of the wrong type, camelCase is read; what cannot be read is kept once."""
    wire, value = FIELDS[name]
    for wrong in (1, 1.5, [], [1], {"a": 1}):
        payload = doubled(name, wrong, wire, camel_first)
        contact = structure(payload, Contact)
        assert contact == Contact(**{name: value}, extra={name: wrong})
        assert contact.to_dict() == payload
        assert structure(contact.to_dict(), Contact) == contact
        both = structure(doubled(name, wrong, wrong, camel_first), Contact)
        assert both == Contact(extra={name: wrong})
        payload = doubled(name, wrong, [2], camel_first)
        assert structure(payload, Contact) == Contact(extra=payload)


@EITHER_ORDER
def test_two_forms_of_one_value_are_equal(camel_first: bool) -> None:
    """A double may write the same time in the other form, or variables in another order."""
    forms = ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z")
    for wire, other in (forms, reversed(forms)):
        contact = structure(doubled("created_at", wire, other, camel_first), Contact)
        assert contact == Contact(created_at=CREATED)
    one, two = {"a": "1", "my_label": "x"}, {"my_label": "x", "a": "1"}
    contact = structure(doubled("custom_variables", one, two, camel_first), Contact)
    assert contact == Contact(custom_variables=one)


def test_labels_of_variables_are_no_spellings() -> None:
    """The labels in custom_variables are the account's own words, doubled or not."""
    variables = {"first_name": "a", "firstName": "a", "plan_b": "c", "planB": "c"}
    for key in ("custom_variables", "customVariables"):
        contact = structure({key: variables}, Contact)
        assert contact == Contact(custom_variables=variables)


def test_a_live_answer_leaves_nothing_over() -> None:
    """An answer as seen live, with every name that has two spellings in both, reads as one has."""
    document = {"contact": {**CAMEL_WIRE, **WIRE}, "status": "OK"}
    for payload in (document, {**document, "contact": {**WIRE, **CAMEL_WIRE}}):
        response = structure(payload, ContactResponse)
        assert response == ContactResponse(contact=WHOLE, status="OK")
        assert response.to_dict() == {"contact": WIRE, "status": "OK"}


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [(OptOutResponse, "opted_out", True), (BulkCreateResponse, "contacts", ())],
)
def test_other_answers_may_be_doubled_as_well(cls: type, name: str, value: Any) -> None:
    """The answers of other operations, and the contacts in them, are read by the same rule."""
    wire = [] if value == () else value
    payload = {name: wire, camel_case(name): wire, "status": "OK"}
    assert structure(payload, cls) == cls(**{name: value}, status="OK")


def test_contacts_in_a_list_may_be_doubled() -> None:
    """Each contact of a bulk create's answer is read as one of its own."""
    one, two = {**WIRE, **CAMEL_WIRE}, {"firstName": "Ada", "first_name": "Grace"}
    response = structure({"contacts": [one, two]}, BulkCreateResponse)
    grace = Contact(first_name="Grace", extra={"firstName": "Ada"})
    assert response.contacts == (WHOLE, grace)


@pytest.mark.parametrize("name", FIELDS)
def test_missing_and_null_read_as_none(name: str) -> None:
    """A field that is missing or null in either spelling is None, the others are unharmed."""
    rest = {key: value for key, value in WIRE.items() if key != name}
    for payload in (rest, {**rest, name: None}, {**rest, CAMEL.get(name, name): None}):
        contact = structure(payload, Contact)
        assert getattr(contact, name) is None
        assert contact.extra == {}
        assert contact.to_dict() == rest


@pytest.mark.parametrize("payload", [{}, {"contact": None}, {"contact": {}}, {"status": None}])
def test_an_answer_without_a_contact_has_an_empty_one(payload: dict[str, Any]) -> None:
    """A contact that is missing, null or empty reads as one whose fields are all None."""
    assert structure(payload, ContactResponse) == ContactResponse()


@pytest.mark.parametrize("key", ["new_field", "number", "Phone", "firstname", "extra", "meta", ""])
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": {}}])
def test_unknown_keys_are_kept(key: str, value: Any) -> None:
    """A key no field is known for is kept as it came, in the contact and in the envelope."""
    response = structure({"contact": {**WIRE, key: value}, "status": "OK", key: value},
                         ContactResponse)  # fmt: skip
    assert response.contact.extra == {key: value}
    assert response.extra == {key: value}
    assert response.meta == ResponseMeta()
    assert response.to_dict() == {"contact": {**WIRE, key: value}, "status": "OK", key: value}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_value_of_the_wrong_type_is_kept_in_extra(name: str, value: Any) -> None:
    """A field whose value has the wrong type reads as None; the value is kept as it came."""
    for key in (name, CAMEL.get(name, name)):
        contact = structure({**{k: v for k, v in WIRE.items() if k != name}, key: value}, Contact)
        if is_right(name, value):
            assert contact.extra == {}
        else:
            assert getattr(contact, name) is None
            assert contact.extra == {key: value}
            assert type(contact.extra[key]) is type(value)
            assert contact.to_dict()[key] == value


@pytest.mark.parametrize("value", [value for value in WRONG if type(value) not in (str, dict)])
def test_an_envelope_of_the_wrong_types_is_kept_in_extra(value: Any) -> None:
    """A contact that is no object and a status that is no string are kept in extra."""
    response = structure({"contact": value, "status": value}, ContactResponse)
    assert response == ContactResponse(extra={"contact": value, "status": value})


@pytest.mark.parametrize("payload", [None, True, 1, 1.5, "x", [], [{}], [["phone", "+1"]]])
@pytest.mark.parametrize("cls", [Contact, ContactResponse])
def test_what_is_no_object_is_a_type_error(payload: Any, cls: type) -> None:
    """A JSON document that is no object is the one thing that cannot be read."""
    with pytest.raises(TypeError):
        structure(payload, cls)


@relaxed
@given(json_values)
@example({"contact": {"created_at": "0001-01-01T00:00:00+23:59"}, "status": "OK"})
@example({"created_at": "9999-12-31T23:59:59.999999-00:01"})
@example({"created_at": "0001-01-01T00:00:00.0000001+00:01"})
def test_any_document_is_read_or_is_no_object(document: Any) -> None:
    """Any JSON object is read and written back, and reads the same again; no other is read."""
    for cls in (Contact, ContactResponse):
        if type(document) is not dict:
            with pytest.raises(TypeError):
                structure(document, cls)
            continue
        model = structure(document, cls)
        written = model.to_dict()
        assert structure(json.loads(json.dumps(written)), cls) == model
        for key, value in model.extra.items():
            assert written[key] == value == document[key]
        if cls is ContactResponse:
            assert isinstance(ContactCreate(number="+14155550123").agrees_with(model.contact), bool)


@relaxed
@given(st.dictionaries(st.sampled_from([*WIRE, *CAMEL_WIRE]), json_values, max_size=6))
@example({"created_at": "2000-01-01T00:00:00", "createdAt": None})
def test_no_value_is_lost(payload: dict[str, Any]) -> None:
    """Each value is found in its field, or in extra, there only once if doubled; or was null."""
    contact = structure(payload, Contact)
    for key, value in payload.items():
        name = key if key in FIELDS else next(n for n, camel in CAMEL.items() if camel == key)
        if key in contact.extra:
            assert contact.extra[key] == value
        elif key != name and name in contact.extra and contact.extra[name] == value:
            assert getattr(contact, name) is None
        elif value is None:
            continue
        elif name == "created_at":
            assert contact.created_at == parse_datetime(value)
        else:
            field = getattr(contact, name)
            assert (list(field) if name == "tags" else field) == value
    assert set(contact.extra) <= set(payload)


@pytest.mark.parametrize("key", ["first_name", "tags", "created_at", "verified", "new"])
def test_a_deep_value_harms_nothing(key: str) -> None:
    """A value nested as deeply as the JSON parser can follow is kept like any other."""
    deep = json.loads("[" * 700 + "]" * 700)
    assert structure({"contact": {key: deep}}, ContactResponse).contact.extra[key] is deep


UTC_CASES = {
    "2024-01-15T10:30:00Z": (2024, 1, 15, 10, 30),
    "2024-01-01T00:00:00.000Z": (2024, 1, 1),
    "2024-01-15T10:30:00z": (2024, 1, 15, 10, 30),
    "2024-01-15T10:30:00": (2024, 1, 15, 10, 30),
    "2024-01-15 10:30:00": (2024, 1, 15, 10, 30),
    "2024-01-15T10:30:00+00:00": (2024, 1, 15, 10, 30),
    "2024-01-15T10:30:00-05:30": (2024, 1, 15, 16, 0),
    "2024-01-15T10:30:00+0000": (2024, 1, 15, 10, 30),
    "2024-01-15T10:30:00.5-0500": (2024, 1, 15, 15, 30, 0, 500000),
    "2024-01-15T10:30:00+14:00": (2024, 1, 14, 20, 30),
    "2024-02-29T23:59:59.999999Z": (2024, 2, 29, 23, 59, 59, 999999),
    "2024-01-15T10:30:00.1Z": (2024, 1, 15, 10, 30, 0, 100000),
    "2024-01-15T10:30:00.12Z": (2024, 1, 15, 10, 30, 0, 120000),
    "2024-01-15T10:30:00.123Z": (2024, 1, 15, 10, 30, 0, 123000),
    "2024-01-15T10:30:00.1234Z": (2024, 1, 15, 10, 30, 0, 123400),
    "2024-01-15T10:30:00.12345Z": (2024, 1, 15, 10, 30, 0, 123450),
    "2024-01-15T10:30:00.123456Z": (2024, 1, 15, 10, 30, 0, 123456),
    "2024-01-15T10:30:00.1234567Z": (2024, 1, 15, 10, 30, 0, 123456),
    "2024-01-15T10:30:00.12345678Z": (2024, 1, 15, 10, 30, 0, 123456),
    "2024-01-15T10:30:00.123456789+01:00": (2024, 1, 15, 9, 30, 0, 123456),
    "2024-01-15T10:30:00.5": (2024, 1, 15, 10, 30, 0, 500000),
    "2024-01-15T10:30:00.1234567-01:00": (2024, 1, 15, 11, 30, 0, 123456),
    "2024-01-15T10:30Z": (2024, 1, 15, 10, 30),
}  # fmt: skip


@pytest.mark.parametrize(("text", "moment"), UTC_CASES.items(), ids=UTC_CASES)
def test_dates_are_read_as_aware_datetimes(text: str, moment: tuple[int, ...]) -> None:
    """Every date form, fraction and offset gives an aware datetime; without offset it is UTC."""
    created = structure({"createdAt": text}, Contact).created_at
    assert created == datetime(*moment, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
    assert created is not None
    assert created.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    ["", "Z", "soon", "2024", "2024-02-30T00:00:00Z", "2024-01-15T25:00:00Z", "1705314600",
     "2024-01-15T10:30:00+25:00", "2024-01-15T10:30:00+1", "Z2024-01-15T10:30:00",
     "Mon, 15 Jan 2024 10:30:00 GMT", "２０２４-01-15T10:30:00Z",
     "99999-01-15T10:30:00Z", "2024-01-15T10:30:00\ud800", "\ud800", "2024-01-15T10:30:00Z\n"],
)  # fmt: skip
def test_what_is_no_date_is_kept_in_extra(text: str) -> None:
    """A string that is no date is kept as it came, and created_at is None."""
    assert structure({"created_at": text}, Contact) == Contact(extra={"created_at": text})


@pytest.mark.parametrize(
    "text",
    ["20240115", "2024-W03-1", "20240115T103000Z", "2024-01-15T10:30:00,5Z",
     "2024-01-15T10:30:00+00", "2024-01-15T10:30:00ZZ", "2024-01-15T10:30:00.Z"],
)  # fmt: skip
def test_rare_date_forms_lose_nothing(text: str) -> None:
    """A form that one Python reads and another does not becomes a date or is kept, never lost."""
    contact = structure({"created_at": text}, Contact)
    if contact.created_at is None:
        assert contact.extra == {"created_at": text}
    else:
        assert contact.created_at.tzinfo is not None
        assert contact.created_at.date().isoformat() == "2024-01-15"


@relaxed
@given(st.datetimes(timezones=offsets))
def test_a_date_survives_the_wire(moment: datetime) -> None:
    """Every aware datetime that UTC has a form for is written as UTC with a Z, and read back."""
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:
        return
    text = format_datetime(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", text)
    assert parse_datetime(text) == utc
    assert parse_datetime(moment.isoformat()) == utc


@relaxed
@given(
    st.datetimes(),
    st.text("0123456789", min_size=1, max_size=9),
    st.sampled_from(["Z", "z", "", "+00:00", "-05:00", "+05:45"]),
)
def test_a_fraction_of_any_length_is_cut_to_microseconds(
    moment: datetime, digits: str, offset: str
) -> None:
    """A fraction of 1 to 9 digits is read down to the microsecond, on every Python alike."""
    text = moment.replace(microsecond=0).isoformat()
    read = parse_datetime(f"{text}.{digits}{offset}")
    hours = {"-05:00": timedelta(hours=-5), "+05:45": timedelta(hours=5, minutes=45)}
    expected = moment.replace(microsecond=int(digits[:6].ljust(6, "0")))
    assert read == expected.replace(tzinfo=timezone(hours.get(offset, timedelta())))


def test_a_contact_is_written_as_it_was_read() -> None:
    """The reference's object, read and written back, is the same in preferred spellings."""
    envelope = {"contact": WIRE, "status": "OK"}
    assert structure(envelope, ContactResponse).to_dict() == envelope
    assert structure({"contact": CAMEL_WIRE}, ContactResponse).to_dict() == {"contact": WIRE}
    assert unstructure(Contact()) == {}


def test_camel_case_spellings_are_those_of_the_provider() -> None:
    """The camelCase name of each field is the one that the provider prints."""
    assert {name: camel_case(name) for name in CAMEL} == CAMEL
    assert all(camel_case(name) == name for name in FIELDS.keys() - CAMEL.keys())
