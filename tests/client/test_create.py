"""Creating and fetching contacts: what is given, what stands on the wire, what comes back."""

from __future__ import annotations

import json
import warnings
from datetime import datetime, timezone
from typing import Any

import pytest

import sendblue_async
from sendblue_async import (
    CLEAR,
    Contact,
    ContactCreate,
    NotFoundError,
    ResponseFormatError,
    RetryPolicy,
    Timeouts,
    ValidationError,
)

from .servers import contact, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
EVERYTHING: dict[str, Any] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "assigned_to_email": "agent1@example.com",
    "sendblue_number": "+14155550199",
    "tags": ["vip", "größe", "👩‍💻"],
    "update_if_exists": True,
    "custom_variables": {"plan": "gold", "": ""},
}
# What the keywords are called that Sendblue has deprecated, and what stands for them now.
DEPRECATED = {
    "phone_number": ("number", NUMBER),
    "phoneNumber": ("number", NUMBER),
    "firstName": ("first_name", "Ada"),
    "lastName": ("last_name", "Lovelace"),
    "assignedToEmail": ("assigned_to_email", "agent1@example.com"),
    "sendblueNumber": ("sendblue_number", "+14155550199"),
}


@pytest.mark.parametrize(
    ("arguments", "fields", "body"),
    [
        ((NUMBER,), {}, {"number": NUMBER}),
        ((" +1 (415) 555-01.23",), {}, {"number": NUMBER}),
        ((), {"number": NUMBER}, {"number": NUMBER}),
        ((NUMBER,), EVERYTHING, {"number": NUMBER, **EVERYTHING}),
        ((NUMBER,), dict.fromkeys(EVERYTHING), {"number": NUMBER}),
        (
            (NUMBER,),
            {"first_name": "", "tags": []},
            {"number": NUMBER, "first_name": "", "tags": []},
        ),
        ((NUMBER,), {"tags": (tag for tag in "ab")}, {"number": NUMBER, "tags": ["a", "b"]}),
        ((NUMBER,), {"update_if_exists": False}, {"number": NUMBER, "update_if_exists": False}),
        (
            (NUMBER,),
            {"first_name": CLEAR, "tags": CLEAR, "custom_variables": CLEAR},
            {"number": NUMBER, "first_name": None, "tags": None, "custom_variables": None},
        ),
        (
            (NUMBER,),
            {"extra_body": {"new_key": [1, None, {"deep": True}]}},
            {"number": NUMBER, "new_key": [1, None, {"deep": True}]},
        ),
        ((ContactCreate(number=NUMBER),), {}, {"number": NUMBER}),
        ((ContactCreate(number=NUMBER, **EVERYTHING),), {}, {"number": NUMBER, **EVERYTHING}),
    ],
)
async def test_the_body_has_what_was_given_and_no_other_key(
    sandbox: Any, connect: Any, arguments: Any, fields: Any, body: Any
) -> None:
    """Every form of the arguments becomes the same JSON; ``None`` is absent and CLEAR is null."""
    response = await connect(sandbox).create_contact(*arguments, **fields)
    [request] = sandbox.requests
    assert request.json == body
    assert next(iter(request.json)) == "number"
    assert response.contact.phone == NUMBER


async def test_every_field_is_stored_and_comes_back(sandbox: Any, connect: Any) -> None:
    """What was given is in the sandbox, in the answer, and in a later fetch."""
    client = connect(sandbox)
    created = await client.create_contact(NUMBER, **EVERYTHING)
    fetched = await client.get_contact(NUMBER)
    stored = sandbox.contacts[NUMBER]
    given = {name: value for name, value in EVERYTHING.items() if name != "update_if_exists"}
    assert {name: stored[name] for name in given} == given
    assert created == fetched
    assert created.status == "OK"
    for name, value in given.items():
        shown = getattr(created.contact, name)
        assert (list(shown) if name == "tags" else shown) == value
    assert created.contact.created_at == datetime.fromisoformat(
        stored["created_at"].replace("Z", "+00:00")
    )
    assert created.contact.extra == {}


@pytest.mark.parametrize("name", DEPRECATED)
async def test_a_deprecated_keyword_warns_and_goes_out_under_its_new_name(
    sandbox: Any, connect: Any, name: str
) -> None:
    """Each old spelling is taken, gives one warning at the caller's line, and is never sent."""
    preferred, value = DEPRECATED[name]
    fields = {"number": NUMBER} if preferred != "number" else {}
    with pytest.warns(DeprecationWarning, match=f"{name} is deprecated.*{preferred}") as caught:
        await connect(sandbox).create_contact(**fields, **{name: value})
    assert [warning.filename for warning in caught] == [__file__]
    assert sandbox.requests[0].json == {"number": NUMBER, preferred: value}


async def test_both_spellings_may_agree_and_may_not_differ(sandbox: Any, connect: Any) -> None:
    """Equal values under two spellings are one value; different ones raise before any request."""
    client = connect(sandbox)
    with pytest.warns(DeprecationWarning, match="phone_number"):
        await client.create_contact(NUMBER, phone_number=NUMBER)
    with (
        pytest.warns(DeprecationWarning, match="firstName"),
        pytest.raises(ValidationError, match="first_name and firstName") as error,
    ):
        await client.create_contact("+14155550124", first_name="Ada", firstName="Eve")
    assert error.value.field == "first_name"
    assert len(sandbox.requests) == 1


async def test_preferred_names_give_no_warning(sandbox: Any, connect: Any) -> None:
    """A call without a deprecated spelling is silent."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await connect(sandbox).create_contact(NUMBER, **EVERYTHING)
    assert [str(warning.message) for warning in caught] == []


async def test_a_whole_contact_takes_no_further_fields(sandbox: Any, connect: Any) -> None:
    """A ContactCreate together with a field or an old spelling raises before any request."""
    client = connect(sandbox)
    whole = ContactCreate(number=NUMBER)
    for fields in ({"first_name": "Ada"}, {"firstName": "Ada"}, {"extra_body": {}}):
        with pytest.raises(ValidationError, match="ContactCreate"):
            await client.create_contact(whole, **fields)
    assert not sandbox.requests


async def test_the_head_of_a_create(serve: Any, connect: Any) -> None:
    """The request is a POST of JSON that carries both keys, and names this package and version."""
    server = await serve(contact())
    await connect(server, default_headers={"X-Team": "crm"}).create_contact(NUMBER)
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/api/v2/contacts")
    expected = {
        "host": server.base_url.removeprefix("http://"),
        "sb-api-key-id": "sandbox-key",
        "sb-api-secret-key": "sandbox-secret",
        "user-agent": f"sendblue-async/{sendblue_async.__version__}",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "x-team": "crm",
    }
    assert {name: request.headers.get(name) for name in expected} == expected
    assert set(request.headers) - set(expected) <= {"accept-encoding"}


async def test_the_body_is_compact_utf_8(serve: Any, connect: Any) -> None:
    """Letters of every script are sent as they are, not escaped."""
    server = await serve(contact())
    await connect(server).create_contact(NUMBER, first_name="Žofie 你好")
    expected = f'{{"number":"{NUMBER}","first_name":"Žofie 你好"}}'
    assert server.requests[0].body == expected.encode()


async def test_the_head_of_a_fetch(serve: Any, connect: Any) -> None:
    """A fetch is a GET without a body, and the plus sign in its path is percent-encoded."""
    server = await serve(contact())
    fetched = await connect(server).get_contact("+1 415 555 0123")
    [request] = server.requests
    assert (request.method, request.target) == ("GET", "/api/v2/contacts/%2B14155550123")
    assert request.body == b""
    assert "content-type" not in request.headers
    assert request.headers["sb-api-secret-key"] == "sandbox-secret"
    assert fetched.contact == Contact(phone=NUMBER)


async def test_the_base_url_may_have_a_path(serve: Any, connect: Any) -> None:
    """A base URL with a path, such as a gateway's, keeps it; a slash at its end does not count."""
    server = await serve(contact())
    await connect(server.base_url + "/gateway/").create_contact(NUMBER)
    assert server.requests[0].target == "/gateway/api/v2/contacts"


async def test_a_fetch_of_an_unknown_number(sandbox: Any, connect: Any) -> None:
    """There is no such contact, and the error says so after one request."""
    with pytest.raises(NotFoundError, match="404: Contact not found"):
        await connect(sandbox).get_contact(NUMBER)
    assert len(sandbox.requests) == 1


async def test_meta_says_how_the_answer_came_about(serve: Any, connect: Any, timer: Any) -> None:
    """Status, lower-case headers, attempts and elapsed seconds, waits included; never compared."""
    headers = {"X-Request-Id": "r-1"}
    answer = reply(200, {"contact": {"phone": NUMBER}, "status": "OK"}, headers)
    server = await serve(reply(500), answer, answer)
    client = connect(server, timer=timer)
    first = await client.create_contact(NUMBER)
    assert first.meta.status_code == 200
    assert first.meta.headers["x-request-id"] == "r-1"
    assert (first.meta.attempts, first.meta.settled) == (2, False)
    assert first.meta.elapsed == pytest.approx(0.25)
    second = await client.create_contact(NUMBER)
    assert (second.meta.attempts, second.meta.elapsed) == (1, 0)
    assert first == second
    assert first.meta != second.meta


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_2xx_is_a_success(start_sandbox: Any, connect: Any, status: int) -> None:
    """The answer's status is not 200 alone, as older documentation has 201."""
    client = connect(await start_sandbox(created_status=status))
    response = await client.create_contact(NUMBER)
    assert response.meta.status_code == status
    assert response.contact.phone == NUMBER


AT = datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"contact": {"tags": "vip"}}, {"extra": {"tags": "vip"}}),
        ({"contact": {"tags": ["vip", 7]}}, {"extra": {"tags": ["vip", 7]}}),
        ({"contact": {"verified": "yes"}}, {"extra": {"verified": "yes"}}),
        ({"contact": {"firstName": 7}}, {"extra": {"firstName": 7}}),
        ({"contact": {"created_at": "soon"}}, {"extra": {"created_at": "soon"}}),
        ({"contact": {"created_at": 1705314600}}, {"extra": {"created_at": 1705314600}}),
        ({"contact": {"custom_variables": {"a": 1}}}, {"extra": {"custom_variables": {"a": 1}}}),
        ({"contact": {"brand_new": {"a": [1]}}}, {"extra": {"brand_new": {"a": [1]}}}),
        ({"contact": {"created_at": "2024-01-15T10:30:00Z"}}, {"created_at": AT}),
        ({"contact": {"createdAt": "2024-01-15T10:30:00.000Z"}}, {"created_at": AT}),
        ({"contact": {"first_name": None, "tags": None, "verified": None}}, {}),
        ({"contact": {"first_name": "Ada", "firstName": None}}, {"first_name": "Ada"}),
        ({"contact": {"first_name": None, "firstName": "Ada"}}, {"first_name": "Ada"}),
        ({"contact": {}}, {}),
        ({"contact": None}, {}),
        ({}, {}),
    ],
)
async def test_no_field_of_an_answer_can_fail_the_call(
    serve: Any, connect: Any, answer: Any, expected: Any
) -> None:
    """A wrongly typed value or an unknown key is kept in ``extra``, and its field is ``None``."""
    server = await serve(reply(200, {"status": "OK", **answer}))
    response = await connect(server).create_contact(NUMBER)
    assert response.contact == Contact(**expected)
    assert (response.status, response.extra) == ("OK", {})
    assert server.count("POST") == 1


@pytest.mark.parametrize(
    ("answer", "status", "extra"),
    [
        ({"contact": "a string"}, None, {"contact": "a string"}),
        (
            {"contact": {"phone": NUMBER}, "status": 1, "trace": "t"},
            None,
            {"status": 1, "trace": "t"},
        ),
        ({"contact": {"phone": NUMBER}}, None, {}),
    ],
)
async def test_no_field_of_the_envelope_can_fail_the_call(
    serve: Any, connect: Any, answer: Any, status: Any, extra: Any
) -> None:
    """The envelope keeps what it does not know in an ``extra`` of its own."""
    response = await connect(await serve(reply(200, answer))).create_contact(NUMBER)
    assert (response.status, response.extra) == (status, extra)


@pytest.mark.parametrize(
    ("method", "path", "options", "target", "body"),
    [
        ("GET", "/api/v2/contacts", {}, "/api/v2/contacts", b""),
        ("GET", "/v2/%2B1?a=%20", {}, "/v2/%2B1?a=%20", b""),
        ("GET", "/v2", {"params": {"q": "a b+c&d", "limit": 5}}, "/v2?q=a+b%2Bc%26d&limit=5", b""),
        ("GET", "/v2?a=1", {"params": {"b": 2.5}}, "/v2?a=1&b=2.5", b""),
        ("PUT", "/v2", {"json": {"a": "ü"}}, "/v2", '{"a":"ü"}'.encode()),
        ("POST", "/v2", {"json": []}, "/v2", b"[]"),
        ("PATCH", "/v2", {"json": 0}, "/v2", b"0"),
        ("DELETE", "/v2", {}, "/v2", b""),
    ],
)
async def test_request_sends_what_it_is_told(
    serve: Any, connect: Any, method: str, path: str, options: Any, target: str, body: bytes
) -> None:
    """Any other call goes out with its path, query and document, and with the same keys."""
    server = await serve(reply(200, {"anything": [1]}))
    answer = await connect(server).request(method, path, **options)
    assert answer.data == {"anything": [1]}
    assert (answer.meta.status_code, answer.meta.attempts) == (200, 1)
    [request] = server.requests
    assert (request.method, request.target, request.body) == (method, target, body)
    assert request.headers["sb-api-key-id"] == "sandbox-key"


@pytest.mark.parametrize(
    ("content", "data"), [(b"", None), (b"[1, 2]", [1, 2]), (b"null", None), (b'"a"', "a")]
)
async def test_request_takes_any_json_and_none(
    serve: Any, connect: Any, content: bytes, data: Any
) -> None:
    """An answer without a body gives ``None``, and JSON of any type gives itself."""
    answer = await connect(await serve(reply(200, content))).request("GET", "/")
    assert answer.data == data


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("method", "path", "options", "field"),
    [
        ("get", "/", {}, "method"),
        ("TRACE", "/", {}, "method"),
        ("GET\r\nX: y", "/", {}, "method"),
        ("GET", "", {}, "path"),
        ("GET", "api", {}, "path"),
        ("GET", "//evil.example/", {}, "path"),
        ("GET", "https://evil.example/", {}, "path"),
        ("GET", "@evil.example/", {}, "path"),
        ("GET", "/a b", {}, "path"),
        ("GET", "/a\r\nX: y", {}, "path"),
        ("GET", "/a#b", {}, "path"),
        ("GET", "/ü", {}, "path"),
        ("GET", "/%2", {}, "path"),
        ("GET", None, {}, "path"),
        ("GET", b"/", {}, "path"),
        ("GET", "/", {"params": {"a": "\ud800"}}, "params"),
        ("GET", "/", {"params": "ab"}, "params"),
        ("POST", "/", {"json": float("nan")}, "json"),
        ("POST", "/", {"json": {"a": float("inf")}}, "json"),
        ("POST", "/", {"json": {1, 2}}, "json"),
        ("POST", "/", {"json": "\ud800"}, "json"),
        ("POST", "/", {"json": CIRCLE}, "json"),
    ],
)
async def test_request_refuses_what_cannot_be_sent(
    serve: Any, connect: Any, method: Any, path: Any, options: Any, field: str
) -> None:
    """A bad method, path, query or document raises before anything is sent, naming which."""
    server = await serve(reply())
    with pytest.raises(ValidationError) as error:
        await connect(server).request(method, path, **options)
    assert error.value.field == field
    assert server.accepted == 0


async def test_with_options_shares_the_session(serve: Any, connect: Any, timer: Any) -> None:
    """A view has its own timeouts and retries, and uses the connections of the client."""
    server = await serve(contact(), contact(), reply(500))
    client = connect(server, timer=timer)
    view = client.with_options(retry=RetryPolicy(attempts=2))
    assert type(view) is type(client)
    await client.create_contact(NUMBER)
    await view.create_contact(NUMBER)
    assert server.accepted == 1
    for caller, attempts in ((view, 2), (client, 4), (view.with_options(), 2)):
        with pytest.raises(sendblue_async.ServerError) as error:
            await caller.with_options(timeouts=Timeouts(total=30)).get_contact(NUMBER)
        assert error.value.attempts == attempts


async def test_the_answer_can_be_written_back(sandbox: Any, connect: Any) -> None:
    """``to_dict`` gives the contact as the server sent it, for a caller to keep as JSON."""
    response = await connect(sandbox).create_contact(NUMBER, **EVERYTHING)
    shown = json.loads(json.dumps(response.to_dict()))
    stored = {name: value for name, value in sandbox.contacts[NUMBER].items() if value is not None}
    assert shown == {"status": "OK", "contact": stored}


async def test_no_contact_and_another_status_is_no_success(serve: Any, connect: Any) -> None:
    """A 2xx that says neither OK nor which contact it stored leaves the outcome open."""
    server = await serve(reply(200, {"status": "FAILED", "message": "quota"}))
    client = connect(server, retry=RetryPolicy(attempts=1))
    with pytest.raises(ResponseFormatError) as caught:
        await client.create_contact("+14155550123", update_if_exists=True)
    assert caught.value.outcome == "unknown"
    assert "quota" in (caught.value.snippet or "")
