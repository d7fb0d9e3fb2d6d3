"""Answers of every shape: each one is a model or an error of ours, and nothing else happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sendblue_async import (
    BulkCreateResponse,
    BulkDeleteResponse,
    ContactPage,
    ContactResponse,
    CountResponse,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    StatusResponse,
    Timeouts,
)
from sendblue_async._clock import Clock as SystemClock

from .checks import check_cause, check_copies
from .conftest import make_client
from .servers import Server, contact, raw, running

NUMBER = "+14155550123"
KEYS = "sandbox-key", "sandbox-secret"
ATTEMPTS = 2
# For answers that stop half-way on a connection that stays open.
PATIENCE = Timeouts(connect=5, attempt=0.1, total=60)
# What a call may take: its attempts, a look-up that is tried as often, and a machine under load.
LIMIT = 2 * ATTEMPTS * PATIENCE.attempt + 2
# Longer than any pause that an answer can ask for.
AGES = 1e12
CALLS: dict[str, tuple[Callable[[Any], Awaitable[Any]], type]] = {
    "create": (lambda client: client.create_contact(NUMBER), ContactResponse),
    "get": (lambda client: client.get_contact(NUMBER), ContactResponse),
    "list": (lambda client: client.list_contacts(), ContactPage),
    "bulk": (lambda client: client.create_contacts_bulk([{"number": NUMBER}]), BulkCreateResponse),
    "delete": (lambda client: client.delete_contact(NUMBER), StatusResponse),
    "bulk delete": (lambda client: client.delete_contacts_bulk([NUMBER]), BulkDeleteResponse),
    "count": (lambda client: client.count_contacts(), CountResponse),
}


@define
class Clock:
    """A clock that jumps ahead at every wait."""

    now: float = 0.0

    async def sleep(self, seconds: float) -> None:
        """Take no time."""
        self.now += seconds


@define(eq=False)
class Bench:
    """A server that answers what it is told, on an event loop of its own.

    Attributes:
        portal: The way to the loop.
        server: The server.
    """

    portal: BlockingPortal
    server: Server

    async def call(self, name: str, answer: bytes, *, close: bool) -> None:
        """Fail unless the call ends well, and so does the next one."""
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
        clock = Clock()
        call, model = CALLS[name]
        async with self.client(clock) as client:
            self.server.steps["*"] = [raw(answer, close=close)]
            began = time.monotonic()
            ending = await outcome(call(client))
            assert time.monotonic() - began < LIMIT
            check(ending, model)
            # An answer may have asked for a pause, and there is no end to what it may ask.
            clock.now += AGES
            self.server.steps["*"] = [contact(NUMBER)]
            assert (await client.get_contact(NUMBER)).contact.phone == NUMBER
        # What the loop has to report is what no call raised.
        assert not complaints

    def client(self, clock: Clock) -> SendblueClient:
        """A client of the server that waits by this clock."""
        policy = RetryPolicy(attempts=ATTEMPTS, base=0)
        url = self.server.base_url
        waits = SystemClock(monotonic=lambda: clock.now, sleep=clock.sleep)
        client = make_client(waits, *KEYS, base_url=url, timeouts=PATIENCE, retry=policy)
        return client


async def outcome(call: Awaitable[Any]) -> Any:
    """What a call returns, or the error of ours that it raises."""
    try:
        return await call
    except SendblueError as error:
        return error


def check(outcome: Any, model: type) -> None:
    """Fail unless it is the model or an error, and can be shown."""
    assert isinstance(outcome, (model, SendblueError))
    assert repr(outcome)
    if isinstance(outcome, SendblueError):
        str(outcome).encode()
        assert outcome.outcome in ("not_sent", "rejected", "unknown")
        assert len(outcome.snippet or "") <= 200
        check_cause(outcome)
        check_copies(outcome)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A server and its loop, for all examples."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(contact())) as server,
    ):
        yield Bench(portal, server)


CONTACT = b'{"contact": {"phone": "+14155550123"}, "status": "OK"}'
NESTED = b"[" * 50_000
NESTED_OBJECTS = b'{"contact":' * 20_000 + b"1" + b"}" * 20_000
WHOLE = "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"

numbers = st.integers() | st.floats() | st.sampled_from([2**63, 2**64, -1, 0, 1e308])
scalars = st.none() | st.booleans() | numbers | st.text(max_size=12)
KEYS_OF_ANSWERS = [
    "contact", "contacts", "status", "message", "error_message", "error", "error_code", "phone",
    "number", "first_name", "firstName", "tags", "custom_variables", "created_at", "opt_out",
    "count", "total", "deleted", "created", "errors",
]  # fmt: skip
keys = st.sampled_from(KEYS_OF_ANSWERS) | st.text(max_size=6)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "contact": st.dictionaries(keys, documents, max_size=5) | documents,
        "contacts": st.lists(documents, max_size=3) | documents,
        "status": st.sampled_from(["OK", "ERROR", "error", "Ok", ""]) | documents,
        "message": documents,
        "count": documents,
    },
)
json_bodies = (documents | envelopes).map(lambda document: json.dumps(document).encode())
bodies = st.one_of(
    json_bodies,
    json_bodies,
    st.tuples(documents | envelopes, st.sampled_from(WHOLE)).map(
        lambda pair: json.dumps(pair[0]).encode(pair[1])
    ),
    st.tuples(json_bodies, st.binary(max_size=4)).map(lambda pair: pair[0] + pair[1]),
    st.binary(max_size=64),
    st.sampled_from([b"", b"\0", CONTACT, CONTACT[:-7], b"\xef\xbb\xbf", NESTED, NESTED_OBJECTS]),
    st.sampled_from([b"NaN", b'{"contact": NaN}', b'{"contact": {"phone": "\xff"}}', b"1" * 5000]),
    st.sampled_from([b'"\\ud800"', b'{"contact": {"first_name": "\\ud800"}, "status": "OK"}']),
)

STATUSES = [200, 201, 202, 204, 205, 206, 299, 301, 304, 400, 404, 408, 409, 425, 429, 500, 503]
statuses = st.one_of(st.just(200), st.sampled_from(STATUSES), st.integers(100, 999))
good_lines = statuses.map(lambda status: b"HTTP/1.1 %d Said So" % status)
bad_lines = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"HTTP/1.1 200",
            b"HTTP/1.0 200 OK",
            b"HTTP/2 200 OK",
            b"HTTP/9.9 200 OK",
            b"http/1.1 200 OK",
            b"HTTP/1.1 2OO OK",
            b"HTTP/1.1 -20 OK",
            b"HTTP/1.1 20000 OK",
            b"HTTP/1.1 \xef\xbc\x92\xef\xbc\x90\xef\xbc\x90 OK",
            b"HTTP/1.1 200 \xff\xfe",
            b"HTTP/1.1 200 " + b"O" * 9000,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x",
            b"",
            b"\r\n\r\nHTTP/1.1 200 OK",
        ]
    ),
)
lines = st.one_of(good_lines, good_lines, good_lines, bad_lines)

THE_LAST_DATE = b"Fri, 31 Dec 9999 23:59:59 GMT"
NO_DATE = b"Mon, 31 Feb 2026 00:00:00 GMT"
DATES = [
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b"Sun, 06 Nov 1994 08:49:60 GMT",
    b"Sun, 06 Nov 1994 08:49:37 +9999",
    NO_DATE,
    b"Sat, 01 Jan 0001 00:00:00 GMT",
    b"Sun, 06 Nov 99999 08:49:37 GMT",
    THE_LAST_DATE,
]
TIMES = [
    b"0", b"7", b"007", b"1.5", b" 5 ", b"-10", b"+5", b"1e9", b"1_0", b"0x10", b"nan", b"inf",
    b"\xef\xbc\x99", b"\xc2\xb2", b"5, 10", b"soon", b"", b"9" * 5000, b"999999999",
]  # fmt: skip
times = st.one_of(
    st.sampled_from(TIMES + DATES),
    st.binary(max_size=12),
    st.floats().map(str).map(str.encode),
)
values = st.binary(max_size=24) | st.text(max_size=12).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
NAMES_OF_HEADERS = [
    b"Connection", b"Content-Encoding", b"Content-Length", b"Content-Type", b"Date", b"ETag",
    b"Keep-Alive", b"Link", b"Location", b"Server", b"Set-Cookie", b"Trailer",
    b"Transfer-Encoding", b"Upgrade",
]  # fmt: skip
VALUES_THAT_MEAN_SOMETHING = [
    b"application/json", b"application/json; charset=nonsense", b"text/html; charset=\xff",
    b"close", b"keep-alive", b"gzip", b"deflate", b"br", b"zstd", b"identity", b"chunked",
    b"gzip, chunked", b"a=b; Path=/; Expires=never", b"//[bad", b'<x>; rel="y', b"0", b"-1",
    b"1, 2", b"websocket",
]  # fmt: skip
headers = st.tuples(
    st.sampled_from(NAMES_OF_HEADERS) | st.binary(min_size=1, max_size=10),
    st.sampled_from(VALUES_THAT_MEAN_SOMETHING) | values,
).map(lambda pair: pair[0] + b": " + pair[1])
dates = st.tuples(st.sampled_from([b"Retry-After", b"Date", b"retry-after"]), times).map(b": ".join)
heads = st.lists(headers | dates, max_size=4)


def chunked(body: bytes, size: int, spoil: bytes) -> bytes:
    """A body in chunks of this size, each with something between its size and its data."""
    pieces = [body[place : place + size] for place in range(0, min(len(body), 400), size)]
    chunks = [b"%x%b\r\n%b\r\n" % (len(piece), spoil, piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\n\r\n"


SPOILS = [b"", b"", b"", b";ext=1", b"x", b" ", b"\n", b";" + b"a" * 9000, b"\0"]
FRAMINGS = ["length", "none", "too long", "too short", "chunks", "half", "both"]
framings = st.sampled_from(["length", "chunks"]) | st.sampled_from(FRAMINGS)


def framed(body: bytes, framing: str, size: int, spoil: bytes) -> tuple[bytes, bytes]:
    """The header that says where a body ends, and the body as it is sent."""
    length = len(body)
    encoded = chunked(body, size, spoil)
    coding = b"Transfer-Encoding: chunked\r\n"
    return {
        "length": (b"Content-Length: %d\r\n" % length, body),
        "none": (b"", body),
        "too long": (b"Content-Length: %d\r\n" % (length + size), body),
        "too short": (b"Content-Length: %d\r\n" % max(0, length - size), body),
        "chunks": (coding, encoded),
        "half": (coding, encoded[: len(encoded) // 2]),
        "both": (coding + b"Content-Length: %d\r\n" % length, encoded),
    }[framing]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """The bytes of an answer, most of them in order in all but one respect."""
    body = draw(bodies)
    header, sent = framed(
        body, draw(framings), draw(st.integers(1, 40)), draw(st.sampled_from(SPOILS))
    )
    head = b"".join(line + b"\r\n" for line in [draw(lines), *draw(heads)])
    return head + header + b"\r\n" + sent


# One answer in ten leaves the connection open, whatever it has announced.
ends = st.sampled_from([True] * 9 + [False])


def whole(status: int, body: bytes, *headers: bytes) -> bytes:
    """An answer as it should be, but for its content."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %d Said So\r\nContent-Length: %d\r\n%b\r\n%b" % (
        status, len(body), lines, body
    )  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_in_order_gives_the_model(bench: Bench, name: str) -> None:
    """The test below can succeed: what fits any call is not taken for a failure."""
    document = b"[]" if name == "list" else b'{"contact": {}, "count": 1, "status": "OK"}'

    async def call() -> None:
        bench.server.steps["*"] = [raw(whole(200, document))]
        async with bench.client(Clock()) as client:
            assert type(await CALLS[name][0](client)) is CALLS[name][1]

    bench.portal.call(call)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(name=st.sampled_from(sorted(CALLS)), answer=answers(), close=ends)
@example(name="get", answer=whole(200, NESTED), close=False)
@example(name="create", answer=whole(200, NESTED_OBJECTS), close=False)
@example(name="list", answer=whole(400, NESTED), close=False)
@example(name="get", answer=whole(200, CONTACT.decode().encode("utf-16")), close=False)
@example(name="get", answer=whole(200, b"\xef\xbb\xbf" + CONTACT), close=False)
@example(name="get", answer=whole(200, b'{"contact": {"phone": "a\x00b"}}'), close=False)
@example(name="get", answer=whole(200, b'{"contact": {"first_name": "\\ud800"}}'), close=False)
@example(name="get", answer=whole(400, b'{"message": "\\ud800"}'), close=False)
@example(name="get", answer=whole(200, b"x", b"Content-Encoding: gzip"), close=False)
@example(name="get", answer=whole(429, b"", b"Retry-After: " + THE_LAST_DATE), close=False)
@example(name="get", answer=whole(503, b"", b"Retry-After: 1", b"Date: \xff"), close=False)
@example(name="get", answer=whole(503, b"", b"Retry-After: " + NO_DATE), close=False)
@example(name="get", answer=whole(200, CONTACT, b"X-A: \xff\xfe"), close=False)
@example(name="get", answer=whole(200, CONTACT, *[b"X-A: b"] * 500), close=False)
@example(name="get", answer=whole(200, CONTACT, b"X-A: " + b"b" * 20_000), close=False)
@example(name="delete", answer=b"HTTP/1.1 204 No Content\r\n\r\n", close=False)
@example(name="bulk", answer=b"HTTP/1.1 100 Continue\r\n\r\n", close=True)
def test_whatever_comes_back(bench: Bench, name: str, answer: bytes, close: bool) -> None:
    """The call returns its model or raises an error of ours, in time; the next call works."""

    async def call() -> None:
        await bench.call(name, answer, close=close)

    bench.portal.call(call)
