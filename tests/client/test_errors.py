"""What an error shows, and what is refused before anything is sent."""

from __future__ import annotations

import os
from typing import Any

import pytest

from sendblue_async import (
    APIError,
    ConfigurationError,
    ConnectError,
    ContactCreate,
    NotFoundError,
    ResponseFormatError,
    RetryPolicy,
    SendblueClient,
    ServerError,
    Timeouts,
    ValidationError,
)

from .checks import check_copies
from .servers import (
    CUT_SHORT,
    CUT_SHORT_UNANNOUNCED,
    Step,
    raw,
    refusal,
    refused_url,
    reply,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ATTEMPTS = 3


@pytest.mark.parametrize("upsert", [False, True])
async def test_an_error_has_all_its_fields(
    serve: Any, connect: Any, timer: Any, upsert: bool
) -> None:
    """The message has the server's words in one line, and each field has what is known."""
    server = await serve(POST=refusal(500, "Not like\n this."), GET=reply(404))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=ATTEMPTS))
    with pytest.raises(ServerError, match="with 500: Not like this") as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    assert vars(caught.value) == {
        "outcome": "unknown",
        "method": "POST",
        "url": server.base_url + "/api/v2/contacts",
        "status": 500,
        "attempts": ATTEMPTS,
        "retry_after": None,
        "snippet": '{"status": "ERROR", "message": "Not like\\n this."}',
        "cause": None,
        "timed_out": False,
        "maybe_applied": True,
        "retryable": True,
        "request_id": None,
        "code": None,
    }
    check_copies(caught.value)


OK = b'{"contact": {}, "status": "OK"}'
HTML = b"<html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"
UNREADABLE = {
    "HTML": (HTML, HTML.decode()),
    "empty": (b"", ""),
    "not JSON": (b"OK", "OK"),
    "half of JSON": (OK[:-5], OK[:-5].decode()),
    "not UTF-8": (b'{"status": "\xff"}', '{"status": "\ufffd"}'),
    "a list": (b"[]", "[]"),
    "a string": (b'"OK"', '"OK"'),
    "a number": (b"200", "200"),
    "null": (b"null", "null"),
    "nothing known": (b'{"a": 1}', '{"a": 1}'),
    "empty object": (b"{}", "{}"),
    "a long number": (b'{"contact": ' + b"9" * 5000 + b"}", '{"contact": …9999'),
    "deep": (b"[" * 100_000, "[" * 200),
    "long": ("é".encode() * 5000, "é" * 200),
    "long, all signs of four bytes": ("😀".encode() * 5000, "😀" * 200),
}


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_2xx_that_is_not_the_json_expected(
    serve: Any, connect: Any, timer: Any, name: str, upsert: bool
) -> None:
    """It is retried, as it may have been done, and ends with the status and a short snippet."""
    body, snippet = UNREADABLE[name]
    server = await serve(POST=reply(200, body), GET=reply(404))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=ATTEMPTS))
    with pytest.raises(ResponseFormatError) as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    error = caught.value
    assert (error.status, error.outcome, error.attempts) == (200, "unknown", ATTEMPTS)
    assert error.snippet == snippet
    assert server.count("POST") == ATTEMPTS
    check_copies(error)


async def test_a_2xx_that_says_error_is_a_refusal(serve: Any, connect: Any, timer: Any) -> None:
    """A success status with ``status: ERROR`` is not retried, and was not done."""
    for document in (
        {"status": "ERROR", "message": "No such line"},
        {"status": "error", "error_message": "No such line", "error_code": 7},
    ):
        server = await serve(reply(200, document))
        with pytest.raises(APIError, match="refused: No such line") as caught:
            await connect(server, timer=timer).create_contact(NUMBER)
        assert type(caught.value) is APIError
        assert (caught.value.status, caught.value.outcome) == (200, "rejected")
        assert len(server.requests) == 1


@pytest.mark.parametrize("step", [CUT_SHORT, CUT_SHORT_UNANNOUNCED])
async def test_what_came_of_an_answer_is_shown(
    serve: Any, connect: Any, timer: Any, step: Step
) -> None:
    """The status and the beginning of a body that was cut short are in the error."""
    server = await serve(step)
    with pytest.raises(ResponseFormatError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.status, caught.value.snippet) == (200, '{"contact": {"pho')


async def test_what_came_of_a_refusal_is_shown(serve: Any, connect: Any, timer: Any) -> None:
    """The status alone says that nothing was done, however little came of the body."""
    head = b"HTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\n"
    server = await serve(raw(head + b'{"mess', close=True))
    with pytest.raises(NotFoundError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.status, caught.value.snippet) == (404, '{"mess')
    assert (caught.value.outcome, len(server.requests)) == ("rejected", 1)


async def test_what_was_not_sent_says_so(connect: Any, timer: Any) -> None:
    """The message of an error that came before anything was sent leaves no doubt about it."""
    with refused_url() as url, pytest.raises(ConnectError, match=r"Nothing was sent\."):
        await connect(url, timer=timer).create_contact(NUMBER)


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"number": None}, "number"),
    ({"number": ""}, "number"),
    ({"number": "4155550123"}, "number"),
    ({"number": "+0155550123"}, "number"),
    ({"number": "+123456"}, "number"),
    ({"number": "+1234567890123456"}, "number"),
    ({"number": "+1415555O123"}, "number"),
    ({"number": "+1415555①123"}, "number"),
    ({"number": "+14155550123\n"}, "number"),
    ({"number": 14155550123}, "number"),
    ({"number": b"+14155550123"}, "number"),
    ({"sendblue_number": "Ada"}, "sendblue_number"),
    ({"first_name": 7}, "first_name"),
    ({"last_name": ["Lovelace"]}, "last_name"),
    ({"first_name": "\ud83d"}, "first_name"),
    ({"assigned_to_email": b"a@example.com"}, "assigned_to_email"),
    ({"tags": "vip"}, "tags"),
    ({"tags": b"vip"}, "tags"),
    ({"tags": 7}, "tags"),
    ({"tags": {"vip": True}}, "tags"),
    ({"tags": ["vip", None]}, "tags[1]"),
    ({"tags": ["\udfff"]}, "tags[0]"),
    ({"update_if_exists": 1}, "update_if_exists"),
    ({"update_if_exists": "yes"}, "update_if_exists"),
    ({"custom_variables": ["a"]}, "custom_variables"),
    ({"custom_variables": {"a": 1}}, "custom_variables['a']"),
    ({"custom_variables": {1: "a"}}, "custom_variables"),
    ({"extra_body": {"a": float("nan")}}, "extra_body"),
    ({"extra_body": {"a": object()}}, "extra_body"),
    ({"extra_body": {1: "a"}}, "extra_body"),
    ({"extra_body": {"number": "+1"}}, "extra_body"),
    ({"extra_body": {"firstName": "Ada"}}, "extra_body"),
    ({"extra_body": []}, "extra_body"),
]


@pytest.mark.parametrize(("fields", "field"), BAD_INPUT)
async def test_bad_input_raises_before_anything_is_sent(
    serve: Any, connect: Any, fields: dict[str, Any], field: str
) -> None:
    """The error names the field, is a ValueError too, and the server saw no connection."""
    server = await serve(reply(200, OK))
    with pytest.raises(ValidationError) as caught:
        await connect(server).create_contact(**{"number": NUMBER, **fields})
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.field == field
    assert (error.outcome, error.attempts, error.url) == ("not_sent", 0, None)
    assert server.accepted == 0
    check_copies(error)


@pytest.mark.parametrize("number", [None, "", "14155550123", "+1415/../x", ["+14155550123"]])
async def test_a_fetch_checks_its_number(serve: Any, connect: Any, number: Any) -> None:
    """What is no number raises before anything is sent."""
    server = await serve(reply(200, OK))
    with pytest.raises(ValidationError, match=r"\+14155550123"):
        await connect(server).get_contact(number)
    assert server.accepted == 0


async def test_the_rejected_value_is_shown_in_short() -> None:
    """A huge value does not make a huge message, and every message says what is wanted."""
    with pytest.raises(ValidationError) as caught:
        ContactCreate(number="9" * 100_000)
    assert len(str(caught.value)) < 250
    assert "+14155550123" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "http://api.sendblue.co"}, "not https"),
        ({"base_url": "ftp://api.sendblue.co"}, "web address"),
        ({"base_url": "api.sendblue.co"}, "web address"),
        ({"base_url": "https://user:pass@api.sendblue.co"}, "user name"),
        ({"base_url": "https://api.sendblue.co/?a=1"}, "query"),
        ({"base_url": "https://api.sendblue.co:99999"}, "base_url"),
        ({"base_url": 7}, "web address"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": True}, "max_connections"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_limit": float("nan")}, "rate_limit"),
        ({"proxy": "proxy"}, "proxy"),
        ({"default_headers": {"sb-api-key-id": "x"}}, "sb-api-key-id"),
        ({"default_headers": {"X-A": "a\r\nb: c"}}, "X-A"),
        ({"default_headers": {"X A": "a"}}, "header name"),
        ({"timeouts": 5}, "timeouts"),
        ({"retry": 3}, "retry"),
        ({"session": 5}, "session"),
        ({"trace_configs": 5}, "trace_configs"),
        ({"trace_configs": [5]}, "trace_configs"),
        ({"allow_http": "no"}, "allow_http"),
        ({"ssl": False}, "ssl"),
        ({"api_key": ""}, "api_key"),
        ({"api_secret": "a\nb"}, "api_secret"),
    ],
)
async def test_options_are_checked_when_they_are_given(options: dict[str, Any], words: str) -> None:
    """A client that cannot work is refused when it is made, with words for what is wrong."""
    with pytest.raises(ConfigurationError, match=words):
        SendblueClient(**{"api_key": "k", "api_secret": "s", **options})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Timeouts(total=0), "total"),
        (lambda: Timeouts(attempt=float("inf")), "attempt"),
        (lambda: Timeouts(connect=True), "connect"),
        (lambda: RetryPolicy(attempts=0), "attempts"),
        (lambda: RetryPolicy(attempts=2.0), "attempts"),  # type: ignore[arg-type]
        (lambda: RetryPolicy(base=-1), "base"),
        (lambda: RetryPolicy(cap=float("nan")), "cap"),
    ],
)
async def test_timeouts_and_policies_are_checked(make: Any, words: str) -> None:
    """A value out of range is refused when the policy is made, by its name."""
    with pytest.raises(ConfigurationError, match=words):
        make()


async def test_missing_keys_name_every_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Without a key the first call says where both were looked for."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("SENDBLUE_")]:
        monkeypatch.delenv(name)
    client = SendblueClient()
    with pytest.raises(ConfigurationError) as caught:
        await client.count_contacts()
    for place in ("argument", "SENDBLUE_API_API_KEY", "SENDBLUE_API_KEY", "credentials.json"):
        assert place in str(caught.value)
