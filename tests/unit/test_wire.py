"""Calls and answers as they stand on the wire: what is a success, and what a failure says."""

from __future__ import annotations

import json
import math
import pickle
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendblue_async import exceptions
from sendblue_async._call_error import make_error
from sendblue_async._converter import encode_json
from sendblue_async._credentials import Credentials
from sendblue_async._redaction import Secret
from sendblue_async._retry import CallState, Failure
from sendblue_async._retry_policy import RetryPolicy
from sendblue_async._retry_rules import RULES, Effect, FailureKind, rule_for
from sendblue_async._wire import (
    Call,
    Operation,
    Reply,
    add_query,
    check_method,
    format_seconds,
    make_reader,
    read_raw,
    read_reply,
)
from sendblue_async.exceptions import SendblueError, ValidationError
from sendblue_async.models import Contact, ContactResponse, RawResponse

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CREATE: Call[ContactResponse] = Call(
    method="POST",
    path="/api/v2/contacts",
    effect=Effect.VERIFIABLE,
    read=make_reader(ContactResponse),
    body=b"{}",
)
RAW: Call[RawResponse] = Call(
    method="GET", path="/api/v2/x", effect=Effect.IDEMPOTENT, read=read_raw
)
NOW = 1_700_000_000.0
KEY, SECRET = "5f3a9c0b7d21", "88e1d4a6f0c2"
CREDENTIALS = Credentials(Secret(KEY), Secret(SECRET))
GOOD = b'{"contact": {"phone": "+14155550123", "first_name": "Zo\xc3\xab"}, "status": "OK"}'
HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>"


def read(
    status: int = 200,
    body: bytes = GOOD,
    headers: dict[str, str] | None = None,
    call: Call[Any] = CREATE,
) -> Any:
    """What an answer says to a call."""
    return read_reply(
        call,
        Reply(status, headers or {}, body),
        attempts=2,
        elapsed=0.5,
        now=NOW,
        redact=CREDENTIALS.redact,
    )


def failed(*arguments: Any, **options: Any) -> Failure:
    """How an answer fails a call."""
    failure = read(*arguments, **options)
    assert isinstance(failure, Failure)
    return failure


def error(
    failure: Failure,
    *,
    attempts: int = 1,
    maybe_applied: bool = False,
    reached_server: bool = False,
    call: Call[Any] = CREATE,
    base_url: str = "https://api.sendblue.co",
) -> SendblueError:
    """The error that a failure becomes."""
    state = CallState(call.effect, RetryPolicy(), 0.0, attempts=attempts)
    state.maybe_applied, state.reached_server = maybe_applied, reached_server
    return make_error(call, failure, state, base_url=base_url)


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_2xx_with_a_contact_is_a_success(status: int) -> None:
    """Every 2xx whose body is the envelope is the model, and its meta tells how it came."""
    response = read(status, headers={"retry-after": "5", "x-a": "b"})
    assert response == ContactResponse(
        contact=Contact(phone="+14155550123", first_name="Zoë"), status="OK"
    )
    assert (response.meta.status_code, response.meta.attempts) == (status, 2)
    assert (response.meta.elapsed, response.meta.settled) == (0.5, False)
    assert response.meta.headers == {"retry-after": "5", "x-a": "b"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "OK"}', b'{"status": "ok"}', b'{"status": null}', b'{"status": "QUEUED"}',
        b'{"contact": {}}', b'{"contact": null}', b'{"contact": "x"}', b' \n{"contact": {}}\r\n',
        b'\xef\xbb\xbf{"status": "OK"}', b'{"status": ["ERROR"]}', b'{"status": 0, "contact": {}}',
        b'{"contact": {"status": "ERROR"}}', b'{"contact": {"tags": "vip", "first_name": 5}}',
        b'{"contact": {"new": NaN}}', b'{"contact": {"first_name": "\\ud800"}, "status": "OK"}',
    ],
)  # fmt: skip
def test_an_envelope_that_is_odd_is_still_a_success(body: bytes) -> None:
    """A 2xx with a contact or a status never fails on what else is in it."""
    assert isinstance(read(body=body), ContactResponse)


def test_doubles_nested_as_deeply_as_can_be_parsed_never_raise() -> None:
    """Comparing two deep values ends in an answer or in a failure, whatever the depth."""
    for depth in (*range(1, 1100, 7), 5_000, 50_000):
        deep = b"[" * depth + b"]" * depth
        body = b'{"contact": {"first_name": %b, "firstName": %b}}' % (deep, deep)
        assert isinstance(read(body=body), (ContactResponse, Failure))


NO_ENVELOPE = [
    b"", b" ", b"\n", HTML, b"OK", b"{}", b"[]", b"null", b"true", b"1", b'"OK"', b'{"a": 1}',
    b'{"Contact": {}}', b'{"data": {"contact": {}}}', b'[{"contact": {}}]', b"{'status': 'OK'}",
    b'{"status": "OK"', b'{"status": "OK"}}', b'{"status": "OK"}{"status": "OK"}', b'{"status": }',
    b'{"status": "O\xff"}', b"\xff\xfe", b"\x00", b"\x1f\x8b\x08",
    b'{"status": %b}' % (b"1" * 5000),
    b'{"contact": {}, "status": "OK",}', b"{" * 100_000, b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("body", NO_ENVELOPE, ids=lambda body: ascii(body[:20]))
def test_a_2xx_without_the_envelope_is_unreadable(status: int, body: bytes) -> None:
    """A 2xx that is no JSON, or has neither contact nor status, may have been done: unknown."""
    failure = failed(status, body, headers={"retry-after": "5"})
    assert failure.rule == RULES[FailureKind.UNREADABLE]
    assert failure.status == status
    assert failure.retry_after is None
    shown = re.sub("1{7,}", "…1111", body[:1000].decode("utf-8", "replace"))
    assert failure.snippet == shown[:200]
    assert str(status) in failure.message


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_body_cut_short_anywhere_is_unreadable(length: int) -> None:
    """No proper beginning of a good body passes for an answer."""
    assert failed(body=GOOD[:length]).rule == RULES[FailureKind.UNREADABLE]


@pytest.mark.parametrize("call", [CREATE, RAW])
@pytest.mark.parametrize("word", ["ERROR", "error", "Error"])
@pytest.mark.parametrize("status", [200, 201])
def test_a_2xx_whose_status_is_error_is_a_refusal(call: Any, word: str, status: int) -> None:
    """`status: ERROR` in a 2xx is a refusal in the server's words, also next to a contact."""
    document = {"status": word, "message": "Line is not active.", "contact": {"phone": "+1"}}
    failure = failed(status, json.dumps(document).encode(), {"retry-after": "5"}, call)
    assert failure.rule == RULES[FailureKind.REFUSED]
    assert (failure.status, failure.retry_after) == (status, None)
    assert "Line is not active" in failure.message
    refusal = error(failure)
    assert type(refusal) is exceptions.APIError
    assert refusal.outcome == "rejected"


def nested(depth: int, shape: str) -> bytes:
    """A JSON document that holds lists within lists."""
    return (shape % ("[" * depth + "]" * depth)).encode()


@pytest.mark.parametrize(
    "shape",
    ['{"status": %s}', '{"contact": %s}', '{"contact": {"tags": %s}}', '{"status": "OK", "x": %s}',
     '{"message": %s}', "%s"],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400])
def test_deep_nesting_never_raises(shape: str, status: int) -> None:
    """However deep a document is, at the edge of what can be parsed and beyond, it is judged."""

    def parses(depth: int) -> bool:
        try:
            json.loads(nested(depth, shape))
        except RecursionError:
            return False
        return True

    low, high = 1, 500_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parses(middle) else (low, middle)
    for depth in [*range(max(low - 6, 1), low + 3), 500_000]:
        assert isinstance(read(status, nested(depth, shape)), (ContactResponse, Failure))


@pytest.mark.parametrize("status", [*range(300, 600), 100, 199, 600, 999])
def test_each_status_ends_as_its_row_says(status: int) -> None:
    """Every status outside 2xx fails by its row, whatever the body, and never as a success."""
    for body in (GOOD, HTML, b"", b'{"status":"ERROR","message":"no"}'):
        assert failed(status, body).rule == rule_for(status, has_retry_after=False)
        timed = failed(status, body, {"retry-after": "7"})
        assert timed.rule == rule_for(status, has_retry_after=True)
        assert timed.retry_after == (7.0 if timed.rule.uses_retry_after else None)
        for useless in ("0", "-10", "soon"):
            failure = failed(status, body, {"retry-after": useless})
            assert failure.rule == rule_for(status, has_retry_after=False)
            assert failure.retry_after is None


@relaxed
@given(st.integers(100, 999), st.binary(max_size=60) | st.text(max_size=40).map(
    lambda text: json.dumps({"status": text, "message": text}).encode()))  # fmt: skip
def test_any_answer_is_a_model_or_a_failure(status: int, body: bytes) -> None:
    """No status and no bytes raise; a failure becomes an error that pickles."""
    for call in (CREATE, RAW):
        answer = read(status, body, call=call)
        if isinstance(answer, Failure):
            made = error(answer, call=call)
            assert pickle.loads(pickle.dumps(made)).snippet == made.snippet
            assert len(made.snippet or "") <= 200
        else:
            assert 200 <= status < 300


@pytest.mark.parametrize(
    ("body", "data"),
    [(b"", None), (b"null", None), (b"[1]", [1]), (b"{}", {}), (b'"x"', "x"), (b"0", 0)],
)
def test_a_call_without_a_model_takes_any_document(body: bytes, data: Any) -> None:
    """A raw call's answer is whatever JSON came, or None for an empty body."""
    response = read(204, body, call=RAW)
    assert response == RawResponse(data=data)
    assert response.meta.status_code == 204


@pytest.mark.parametrize("body", [b" ", HTML, b'{"a"', b"\xff"])
def test_a_call_without_a_model_still_needs_json(body: bytes) -> None:
    """A raw call's answer that is no JSON is unreadable."""
    assert failed(200, body, call=RAW).rule == RULES[FailureKind.UNREADABLE]


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (400, {"status": "ERROR", "message": "Missing fields"}, "Missing fields"),
        (400, {"message": "  Two \n lines. "}, "Two lines"),
        (400, {"error_message": "Bad line", "error_code": 4}, "Bad line (code 4)"),
        (400, {"message": "No", "error_code": "E4", "error_key": "bad"}, "No (code E4, bad)"),
        (400, {"error_key": "BAD_LINE"}, "Bad Request (code BAD_LINE)"),
        (400, {"error": {"code": "bad_line", "message": "Bad line."}}, "Bad line (code bad_line)"),
        (400, {"error": {"code": 4.0, "message": "Bad line", "details": []}}, "Bad line (code 4)"),
        (400, {"error": {"code": "bad_line", "details": {"a": 1}}}, "Bad Request (code bad_line)"),
        (400, {"error": {"message": "Bad line", "code": None}}, "Bad line"),
        (400, {"error": {"error": {"message": "deep", "code": 1}}}, "deep (code 1)"),
        (400, {"error": "same", "code": "same"}, "same"),
        (400, {"message": "Own", "error": {"message": "Other", "code": "c"}}, "Own (code c)"),
        (400, {"error_code": None, "error_message": None, "error": {}}, "Bad Request"),
        (400, {"error_code": True, "code": [], "error_key": {"a": 1}}, "Bad Request"),
        (400, {"error_code": 1.5, "code": float("inf"), "error_key": " "}, "Bad Request"),
        (400, {"error": [{"message": "a"}], "message": ["a"]}, "Bad Request"),
        (502, {"error": {"code": 502, "message": "Upstream"}}, "Upstream (code 502)"),
        (400, {"error": "nope"}, "nope"),
        (400, {"message": "a", "error_message": "b", "error": "c"}, "a"),
        (400, {"message": "", "error_message": None, "error": "c"}, "c"),
        (400, {"message": {"a": 1}}, "Bad Request"),
        (400, {"message": 5}, "Bad Request"),
        (400, {"message": "\x00\x1b\u202e"}, "Bad Request"),
        (400, {"message": "..."}, "Bad Request"),
        (400, {}, "Bad Request"),
        (400, ["message"], "Bad Request"),
        (409, None, "Conflict"),
        (503, {"message": " "}, "Service Unavailable"),
        (520, {}, "no reason given"),
        (999, {}, "no reason given"),
    ],
)
def test_the_reason_is_the_servers_or_that_of_the_status(
    status: int, document: Any, reason: str
) -> None:
    """An error repeats the server's own words on one line, or else the status's name."""
    message = failed(status, json.dumps(document).encode()).message
    assert message == f"was answered with {status}: {reason}"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (199, "was answered with 199: no reason given"),
        (300, "was redirected with 300: Multiple Choices"),
        (301, "was redirected with 301: Moved Permanently"),
        (399, "was redirected with 399: no reason given"),
        (400, "was answered with 400: Bad Request"),
    ],
)
def test_only_a_3xx_is_called_a_redirect(status: int, message: str) -> None:
    """From 300 to 399 a message says "redirected"; all other failures were answers."""
    assert failed(status, b"").message == message


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://app.sendblue.com/login?next=/secret#top", "https://app.sendblue.com/login"),
        ("/login", "/login"),
        ("https://user:password@host/x", "https://host/x"),
        ("https://host/%2B14155550123/x", "https://host/…0123/x"),
        ("/a\x1b[2Jb", "/a [2Jb"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
    ],
)
def test_a_redirect_names_its_target(location: str, target: str) -> None:
    """Its query, a password and a phone number are left out, as are signs that nobody can see."""
    message = failed(302, b"", {"location": location}).message
    assert message == f"was redirected with 302 to {target}: Found"


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><p>Log in", b"\n <html>", b"<?xml version='1.0'?>"]
)
def test_a_web_page_is_called_one(page: bytes) -> None:
    """A page instead of JSON points to who may have sent it; a server's fault is no surprise."""
    assert failed(200, page).message == (
        "got an answer (200) that is a web page, perhaps of a proxy or a login, "
        "and not the JSON expected"
    )
    assert failed(403, page).message == (
        "was answered with 403: Forbidden, as a web page, perhaps of a proxy or firewall"
    )
    assert failed(502, page).message == "was answered with 502: Bad Gateway"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_the_name_of_a_2xx_is_no_reason_for_a_refusal(status: int) -> None:
    """A refusal without words does not repeat the "OK" or "Created" of its status."""
    message = failed(status, b'{"status": "ERROR"}').message
    assert message == "was refused: no reason given"


HOSTILE: list[Any] = [
    None, True, 0, -1.5, float("nan"), "x" * 10**6, "\ud800\x00\x1b[2J", "1" * 5000,
    int("9" * 4000), [], [[[[]]]], ["a", {"code": 1}], {}, {"code": {"code": 1}},
    {"message": {"message": "m"}}, {"error": {"error": []}},
]  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_shape_of_a_refusal_raises(status: int, value: Any) -> None:
    """Whatever stands where words or codes should, the error is short, printable and has a code."""
    for key in ("message", "error", "error_code", "error_message", "error_key", "code", "details"):
        for document in (
            {key: value},
            {"error": {key: value}},
            {"error": {key: value}, key: value},
        ):
            made = error(failed(status, json.dumps({**document, "status": "ERROR"}).encode()))
            assert str(made).isprintable()
            assert len(str(made)) < 700
            assert made.code is None or (type(made.code) is str and 0 < len(made.code) <= 60)


@pytest.mark.parametrize("depth", [10, 500, 900, 100_000])
def test_a_refusal_may_be_nested_deeply(depth: int) -> None:
    """Errors in errors are followed as far as JSON can be read, and no further."""
    body = b'{"error":' * depth + b'{"message": "deep"}' + b"}" * depth
    assert failed(400, body).message in (
        "was answered with 400: deep", "was answered with 400: Bad Request",
    )  # fmt: skip


@pytest.mark.parametrize("secret", [KEY, SECRET])
def test_a_key_in_a_code_is_masked(secret: str) -> None:
    """A server that sends a key back as a code does not get it into the error."""
    for document in ({"error_code": secret}, {"error": {"code": f"is-{secret}", "message": "No"}}):
        made = error(failed(400, json.dumps(document).encode()))
        assert secret not in str(made) + str(made.code) + str(made.snippet)


@pytest.mark.parametrize("status", ["ERROR", "Error", "error", "eRRoR", " ERROR ", "error\n"])
def test_a_2xx_is_a_refusal_however_its_status_is_spelled(status: str) -> None:
    """A 2xx whose status is ERROR in any case was refused, with the server's words and code."""
    document = {"status": status, "message": "No contact found for this number", "error_code": 7}
    failure = failed(200, json.dumps(document).encode())
    assert failure.rule == RULES[FailureKind.REFUSED]
    assert failure.message == "was refused: No contact found for this number (code 7)"
    assert failure.code == "7"


@pytest.mark.parametrize(
    "document",
    [
        {"data": {"contacts": [], "status": "ERROR"}},
        {"data": {"error": {"code": "x", "message": "y"}}},
        [{"status": "ERROR", "message": "no"}],
        {"status": ["ERROR"]},
        {"status": "ERRORS"},
    ],
)
def test_what_a_call_without_a_model_gets_is_as_it_came(document: Any) -> None:
    """Wrapped answers, lists and other words for a status are the caller's to read."""
    assert read(200, json.dumps(document).encode(), call=RAW) == RawResponse(data=document)


CAPPED = {"error_code": 429, "error_message": "Too many contacts"}


@pytest.mark.parametrize(
    "document",
    [
        CAPPED,
        {**CAPPED, "error_code": "429"},
        {**CAPPED, "error_code": 429.0},
        {**CAPPED, "error_code": " 429 "},
        {**CAPPED, "status": "ERROR", "message": "Too many contacts", "error_key": "capacity"},
        {"error": {"code": 429, "message": "Too many contacts"}},
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_400_with_the_code_429_is_a_cap_and_no_rate_limit(status: int, document: Any) -> None:
    """It is not retried, whatever ``Retry-After`` it has, and the error says what it is."""
    failure = failed(status, json.dumps(document).encode(), {"retry-after": "5"})
    made = error(failure)
    assert type(made) is exceptions.PermissionDeniedError
    assert (made.outcome, made.retryable, made.retry_after) == ("rejected", False, None)
    assert (made.status, made.code) == (status, "429")
    assert "Too many contacts" in str(made)
    assert "a limit of the account's plan, not a rate limit" in str(made)


@pytest.mark.parametrize(
    ("status", "document", "cls"),
    [
        (400, {"error_code": 428}, exceptions.BadRequestError),
        (400, {"error_code": 4290}, exceptions.BadRequestError),
        (400, {"error_code": None, "message": "429"}, exceptions.BadRequestError),
        (400, {"error_code": [429]}, exceptions.BadRequestError),
        (401, {"error_code": 429}, exceptions.AuthenticationError),
        (404, {"error_code": 429}, exceptions.NotFoundError),
        (429, {"error_code": 429}, exceptions.RateLimitError),
        (500, {"error_code": 429}, exceptions.ServerError),
    ],
)
def test_other_codes_and_statuses_are_no_cap(
    status: int, document: Any, cls: type[SendblueError]
) -> None:
    """Only a 400 or 422 with this very code speaks of the plan."""
    made = error(failed(status, json.dumps(document).encode()))
    assert type(made) is cls
    assert "plan" not in str(made)


NO_INPUTS = "Did not get inputs for authorization"


@pytest.mark.parametrize(
    "document",
    [
        {"message": NO_INPUTS},
        {"message": f"{NO_INPUTS.upper()}."},
        {"error": {"code": "forbidden", "message": NO_INPUTS}},
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_an_answer_to_missing_keys_says_so(status: int, document: Any) -> None:
    """The error tells that the headers did not arrive, and the other host that may be tried."""
    failure = failed(status, json.dumps(document).encode())
    made = error(failure)
    assert failure.rule == rule_for(status, has_retry_after=False)
    # Of keys and of a token alike.
    assert "The authentication headers did not arrive" in str(made)
    assert "proxy" in str(made)
    assert "https://api.sendblue.com" in str(made)
    there = error(failure, base_url="https://api.sendblue.com", reached_server=True)
    assert "to https://api.sendblue.co." in str(there)
    both = error(failure, maybe_applied=True)
    assert "did not arrive" in str(both)
    assert "check before you send it again" in str(both)


def test_another_403_is_about_what_the_account_may_do() -> None:
    """Only the API's own words for missing headers lead to that advice."""
    for document in ({"status": "ERROR", "message": "Not in your plan"}, {"message": "Forbidden"}):
        made = error(failed(403, json.dumps(document).encode()))
        assert "did not arrive" not in str(made)
        assert "Check what the account may do" in str(made)


def test_html_is_not_in_the_message() -> None:
    """A proxy's HTML page is in the snippet, and the message stays one plain sentence."""
    failure = failed(502, HTML)
    assert failure.message == "was answered with 502: Bad Gateway"
    assert failure.snippet == HTML.decode()


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b[31mred", "a\x00b", "\ud800", "a\x07", "a\u202eb", "a\x85b\u2028c"],
    ids=ascii,
)  # fmt: skip
def test_a_hostile_reason_makes_a_printable_message(text: str) -> None:
    """Control characters and lone surrogates of a server's message do not reach the terminal."""
    made = error(failed(400, json.dumps({"message": f"see {text}"}).encode()))
    assert str(made).isprintable()


@pytest.mark.parametrize(
    ("body", "snippet"),
    [
        (b"", ""),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200),
        (b"x" * 10**6, "x" * 200),
        ("é".encode() * 300, "é" * 200),
        ("👩".encode() * 300, "👩" * 200),
        (b"a\xffb", "a\ufffdb"),
        (b"\xff" * 300, "\ufffd" * 200),
        (b"\xe2\x82", "\ufffd"),
    ],
    ids=range(9),
)
def test_a_snippet_is_the_first_200_characters(body: bytes, snippet: str) -> None:
    """The snippet is text of at most 200 characters, whatever bytes came."""
    assert failed(500, body).snippet == snippet
    made = error(failed(500, body))
    assert made.snippet == snippet
    assert len(str(made)) < 500


@pytest.mark.parametrize("secret", [KEY, SECRET])
@pytest.mark.parametrize("shape", ['{"message": "%s"}', "%s", '{"status": "ERROR", "error": "%s"}'])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_keys_that_come_back_are_masked(secret: str, shape: str, status: int) -> None:
    """A key in a redacted answer shows in no part of the error, not even at the snippet's end."""
    for before in range(220):
        body = (shape % ("x" * before + secret + " and " + secret)).encode()
        made = error(failed(status, body))
        for text in (str(made), repr(made), made.snippet or "", made.cause or ""):
            assert secret[:4] not in text, before
        assert len(made.snippet or "") <= 200


@pytest.mark.parametrize(
    ("document", "body"),
    [
        ({"number": "+14155550123"}, b'{"number":"+14155550123"}'),
        ({"first_name": "Zoë", "x": None}, '{"first_name":"Zoë","x":null}'.encode()),
        ({"tags": ["a", "👩"]}, '{"tags":["a","👩"]}'.encode()),
        ({"a": 'q"\\\n\x00'}, b'{"a":"q\\"\\\\\\n\\u0000"}'),
        ([1, 1.5, True, (2,)], b"[1,1.5,true,[2]]"),
        ("x", b'"x"'), (0, b"0"), ({}, b"{}"),
    ],
)  # fmt: skip
def test_documents_are_compact_utf8(document: Any, body: bytes) -> None:
    """A document is written as UTF-8 without blanks, and nothing but JSON needs is escaped."""
    assert encode_json(document, "json") == body


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1}, object(), b"x", 1j, datetime(2024, 1, 1), "\ud800",
     "a\udfff", {"\ud800": 1}, {(1,): 2}, {b"a": 1}, CIRCLE, DEEP, 10**5000, range(3)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    """NaN, sets, bytes, lone surrogates, circles and the like are refused, naming the field."""
    for document in (value, {"a": [value]}):
        with pytest.raises(ValidationError, match=r"^extra_body cannot be written") as caught:
            encode_json(document, "extra_body")
        assert caught.value.field == "extra_body"
        assert str(caught.value).isprintable()
        assert caught.value.outcome == "not_sent"


@relaxed
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    )
)  # fmt: skip
def test_documents_come_back_from_the_wire_unchanged(document: Any) -> None:
    """Any JSON document is the same after it has been written and read."""
    assert json.loads(encode_json(document, "json").decode("utf-8")) == document


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods_of_http_are_taken(method: str) -> None:
    """The methods that a call can have are taken as they are."""
    assert check_method(method) == method


@pytest.mark.parametrize(
    "method", ["get", "", " GET", "GET\r\n", "TRACE", "CONNECT", None, 1, ["GET"], b"GET"]
)
def test_other_methods_are_refused(method: Any) -> None:
    """A method in lower case, with blanks, or that no call has is refused."""
    with pytest.raises(ValidationError) as caught:
        check_method(method)
    assert caught.value.field == "method"


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/", {}, "/"),
        ("/api/v2/contacts", {}, "/api/v2/contacts"),
        ("/api/v2/contacts/%2B1415", {}, "/api/v2/contacts/%2B1415"),
        ("/a?x=1", {}, "/a?x=1"),
        ("/a", {"limit": 5, "q": "a b&c=d/é+"}, "/a?limit=5&q=a+b%26c%3Dd%2F%C3%A9%2B"),
        ("/a?x=1", {"y": 2}, "/a?x=1&y=2"),
        ("/a", {"f": 1.5}, "/a?f=1.5"),
        ("/a-._~!$&'()*+,;=:@/b", {}, "/a-._~!$&'()*+,;=:@/b"),
        ("/a//b", {}, "/a//b"),
    ],
)
def test_paths_with_parameters(path: str, params: Any, target: str) -> None:
    """A path stands as it was given, and parameters are appended percent-encoded."""
    assert add_query(path, params) == target


@pytest.mark.parametrize(
    "path",
    ["", "api", "//evil.example", "//evil.example/api", "https://evil.example", "/a b", "/é",
     "/a\r\nHost: evil", "/a\n", "\n/a", "/a\x00", "/%", "/%2", "/%zz", "/a#b", "/\\evil.example",
     "/a\\b", '/a"', "/<a>", "/{a}", "/a|b", "/a^b", "/a`b", "/[a]", "@evil.example",
     ".evil.example", ":80/a", "/\ud800", None, 1, b"/a", ["/a"]],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_path_is_refused(path: Any) -> None:
    """A path that is not encoded, or could name another server or header, is refused."""
    for params in ({}, {"a": 1}):
        with pytest.raises(ValidationError) as caught:
            add_query(path, params)
        assert caught.value.field == "path"
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("params", [{"a": "\ud800"}, {"\ud800": "a"}, "abc", 5])
def test_parameters_that_cannot_be_sent_are_refused(params: Any) -> None:
    """Lone surrogates and what is no mapping are refused as parameters."""
    with pytest.raises(ValidationError) as caught:
        add_query("/a", params)
    assert caught.value.field == "params"


@relaxed
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_segment_never_leaves_its_place(text: str) -> None:
    """Any text as a segment makes a path that is taken, with no separator or plus of its own."""
    operation = Operation(method="GET", path="/a/{number}", effect=Effect.SAFE, read=read_raw)
    segment = operation.call(number=text).path.removeprefix("/a/")
    assert add_query(f"/a/{segment}", {}) == f"/a/{segment}"
    assert not set("/?#+&\\") & set(segment)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(120.0, "120 s"), (10, "10 s"), (1.5, "1.5 s"), (0.25, "0.2 s"), (0.1, "0.1 s"),
     (0.05, "0.05 s"), (0.004, "0.004 s")],
)  # fmt: skip
def test_seconds_are_shown_as_people_write_them(seconds: float, words: str) -> None:
    """Tenths are enough, unless there are none."""
    assert format_seconds(seconds) == words
