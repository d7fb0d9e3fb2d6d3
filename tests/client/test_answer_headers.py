"""Headers of an answer that come several times, or lie."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

import pytest

from sendblue_async import RateLimitError, RetryPolicy, SendblueError

from .servers import contact, raw

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1, settle=False)
BODY = json.dumps({"contact": {"phone": NUMBER}, "status": "OK"}).encode()


def whole(*lines: str, status: int = 200, body: bytes = BODY, length: bool = True) -> bytes:
    """An answer with these header lines."""
    head = [f"HTTP/1.1 {status} So", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode() + body


async def test_a_header_that_comes_several_times(serve: Any, connect: Any) -> None:
    """Its values are joined with commas, in their order, whatever the case of its name."""
    lines = ["X-Via: a", "x-via: b, c", "X-VIA: d", "X-One: e", "X-Empty:", "X-Empty:"]
    server = await serve(raw(whole(*lines, "Set-Cookie: f=1, g", "Set-Cookie: h=2")))
    headers = (await connect(server).get_contact(NUMBER)).meta.headers
    assert headers["x-via"] == "a, b, c, d"
    assert (headers["x-one"], headers["x-empty"]) == ("e", ", ")
    # It may hold a comma itself, and is never joined.
    assert headers["set-cookie"] == "h=2"


@pytest.mark.parametrize(
    "lines",
    [
        ["Retry-After: 5", "Retry-After: 10"],
        ["Retry-After: 5", "Retry-After: soon"],
    ],
)
async def test_two_different_times_to_wait_are_none(
    serve: Any, connect: Any, timer: Any, lines: list[str]
) -> None:
    """They are no time, so that the client waits by its own schedule."""
    server = await serve(raw(whole(*lines, status=429, body=b"{}")), contact(NUMBER))
    await connect(server, timer=timer).get_contact(NUMBER)
    assert timer.waits == [1.0]


async def test_two_dates_do_not_move_the_time_to_wait(serve: Any, connect: Any, timer: Any) -> None:
    """A ``Date`` that is none is not counted from; the time in ``Retry-After`` is past."""
    lines = [
        "Date: Sun, 06 Nov 1994 08:49:37 GMT",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT",
    ]
    server = await serve(raw(whole(*lines, status=429, body=b"{}")))
    with pytest.raises(RateLimitError) as caught:
        await connect(server, timer=timer, retry=ONCE).get_contact(NUMBER)
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "text/html; charset=utf-16",
        "application/octet-stream",
        "",
        "image/png; ;;=",
        "x",
    ],
)
async def test_a_content_type_that_lies(serve: Any, connect: Any, kind: str) -> None:
    """JSON is JSON, whatever it is called."""
    server = await serve(raw(whole(f"Content-Type: {kind}")))
    assert (await connect(server).get_contact(NUMBER)).contact.phone == NUMBER


CHUNKS = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
CHUNKED = "Transfer-Encoding: chunked"
ODD = {
    "trailers": whole(CHUNKED, body=CHUNKS + b"X-Sum: 1\r\n\r\n", length=False),
    "1xx before it": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    + whole(),
    "HTTP/1.0": whole("Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a length twice": whole(f"Content-Length: {len(BODY)}"),
    "chunked twice": whole(CHUNKED, CHUNKED, body=CHUNKS + b"\r\n", length=False),
    "a length and chunks": whole(CHUNKED, body=CHUNKS + b"\r\n"),
    "two lengths": whole("Content-Length: 5"),
    "a negative length": whole("Content-Length: -1", length=False),
    "a length beyond all numbers": whole(f"Content-Length: {'9' * 30}", length=False),
    "no status line": BODY,
    "a length that is too small": whole("Content-Length: 20", length=False),
    "a length that is too large": whole("Content-Length: 2000", length=False),
}  # fmt: skip


async def ending_of(call: Awaitable[Any]) -> Any:
    """The number that an answer shows, or the outcome of the error; both can be shown."""
    try:
        response = await call
    except SendblueError as error:
        return error.outcome if str(error) else error
    return response.contact.phone if repr(response) else response


READ = {"trailers", "1xx before it", "HTTP/1.0"}


@pytest.mark.parametrize("name", ODD)
async def test_an_answer_in_odd_framing(serve: Any, connect: Any, timer: Any, name: str) -> None:
    """It is read as it is meant, or it is no answer; the next call is not touched by it."""
    server = await serve(raw(ODD[name], close=True), contact("+14155550124"))
    client = connect(server, timer=timer)
    ending = await ending_of(client.with_options(retry=ONCE).get_contact(NUMBER))
    assert ending in ({NUMBER} if name in READ else {NUMBER, "unknown"})
    assert (await client.get_contact("+14155550124")).contact.phone == "+14155550124"


DOCUMENTS = {
    "the same key twice": b'{"contact": {"phone": "+19995550100"}, "contact": {"phone": "%b"}}',
    "NaN": b'{"contact": {"phone": "%b", "score": NaN, "rank": -Infinity}}',
    "a lone surrogate": b'{"contact": {"phone": "%b", "first_name": "\\ud83d"}}',
    "a large number": b'{"contact": {"phone": "%b", "score": 1e999}}',
    "many digits": b'{"contact": {"phone": "%b", "score": ' + b"9" * 5000 + b"}}",
    "deeply nested": b'{"contact": {"phone": "%b"}, "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_json_at_its_edges(serve: Any, connect: Any, name: str) -> None:
    """It is the contact, or no answer where Python cannot read it; and can be shown either way."""
    body = DOCUMENTS[name] % NUMBER.encode()
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        expected = "unknown"
    else:
        expected = NUMBER
    server = await serve(raw(whole(body=body)))
    ending = await ending_of(connect(server, retry=ONCE).get_contact(NUMBER))
    assert ending == expected
