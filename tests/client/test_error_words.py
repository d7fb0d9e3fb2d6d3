"""What an error says: to what there was no connection and why, how long to wait, and no number."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import trustme

from sendblue_async import (
    BulkContact,
    ConnectError,
    ContactCreate,
    OutcomeUnknownError,
    RateLimitError,
    RetryPolicy,
    SendblueError,
    ServerError,
    Timeouts,
    TLSError,
    ValidationError,
)

from .checks import check_copies
from .failures import FAILURES, Names, Setting
from .servers import (
    CUT_SHORT,
    NOT_HTTP,
    Step,
    contact,
    full_backlog_url,
    hang_up,
    raw,
    refusal,
    refused_url,
    reply,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
TWICE = RetryPolicy(attempts=2, base=0)

REASONS = {
    "name unknown to DNS": "name not found",
    "connection refused": "connection refused",
    "connect timeout": r"timed out after 0\.05 s",
    "TLS handshake timeout": r"TLS handshake timed out after 0\.1 s",
    "reset in the TLS handshake": "connection reset",
    "closed in the TLS handshake": "connection closed",
    "certificate of an unknown authority": "certificate of an unknown authority",
    "certificate for another host": "certificate for another address",
    "certificate that has expired": "certificate expired",
    "plain text on a TLS port": "it does not speak TLS",
}


@pytest.mark.parametrize("ending", REASONS)
async def test_no_connection_is_told_with_host_port_reason_and_attempts(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, ending: str
) -> None:
    """Whatever kept the client from connecting, its error names it in plain words."""
    scene = await FAILURES[ending](Setting(stack=stack, authority=authority))
    client = connect(scene.url, retry=TWICE, timeouts=scene.timeouts, **scene.options)
    with pytest.raises((ConnectError, TLSError)) as caught:
        await client.create_contact(NUMBER)
    address = scene.url.partition("://")[2]
    address += "" if ":" in address else ":443"
    times = r"\(1 attempt\)" if isinstance(caught.value, TLSError) else r"\(2 attempts\)"
    said = rf"Cannot connect to {re.escape(address)}: {REASONS[ending]} {times}. Nothing was sent\."
    assert re.match(said, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:09", "http://[::1]:009"])
async def test_a_port_is_shown_once(connect: Any, url: str) -> None:
    """However it is written in the base URL, the error has it as a number."""
    client = connect(url, retry=RetryPolicy(attempts=1))
    with pytest.raises(ConnectError, match=r"^Cannot connect to [^ ]*[1\]]:9: ") as caught:
        await client.get_contact(NUMBER)
    assert "proxy" not in str(caught.value)


async def test_what_could_not_be_repeated_is_told_as_unknown(connect: Any, serve: Any) -> None:
    """If the server is gone after an attempt that may have been done, the error says both."""
    server = await serve(hang_up)

    def close(*_: object) -> None:
        server.listener.close()

    server.steps["*"] = [_then(hang_up, close)]
    with pytest.raises(OutcomeUnknownError) as caught:
        await connect(server, retry=TWICE).create_contact(NUMBER, update_if_exists=True)
    assert str(caught.value) == (
        f"POST /api/v2/contacts could not be repeated: cannot connect to {server.base_url[7:]}: "
        "connection refused (2 attempts). It may have been done; sending it again "
        "does no harm. It could not be looked up."
    )
    assert caught.value.retryable


def _then(step: Step, do: Callable[[], object]) -> Step:
    async def both(reader: Any, writer: Any) -> None:
        do()
        await step(reader, writer)

    return both


LOGIN = "http://user:pass-word-99@"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(407, "refused the tunnel with status 407"), (503, "refused the tunnel with status 503")],
)
async def test_a_proxy_that_refuses_is_named(
    serve: Any, connect: Any, status: int, reason: str
) -> None:
    """The error names the proxy, without its password, and its status."""
    proxy = await serve(reply(status))
    address = proxy.base_url.partition("://")[2]
    client = connect("https://api.example", proxy=LOGIN + address, retry=TWICE)
    with pytest.raises(ConnectError) as caught:
        await client.get_contact(NUMBER)
    assert str(caught.value) == (
        f"Cannot connect to api.example:443: the proxy {address} {reason} (2 attempts). "
        "Nothing was sent."
    )


async def test_a_proxy_that_cannot_be_reached_is_named(connect: Any) -> None:
    """A proxy that is down is told from a server that is, also if it does not answer at all."""
    with refused_url() as url, full_backlog_url() as full:
        for proxy, reason in (
            (url, "cannot reach the proxy {}: connection refused"),
            (full, "timed out after 0.1 s, by way of the proxy {}"),
        ):
            address = proxy.partition("://")[2]
            client = connect(
                "https://api.example",
                proxy=LOGIN + address,
                retry=TWICE,
                timeouts=Timeouts(connect=0.1),
            )
            with pytest.raises(ConnectError) as caught:
                await client.get_contact(NUMBER)
            assert str(caught.value) == (
                f"Cannot connect to api.example:443: {reason.format(address)} (2 attempts). "
                "Nothing was sent."
            )


@pytest.mark.parametrize("server", ["https://api.example", "http://127.0.0.1:9"])
async def test_a_proxy_whose_name_is_unknown_is_named(
    connect: Any, stack: AsyncExitStack, server: str
) -> None:
    """Its name is the one that was not found, and not the server's."""
    connector = aiohttp.TCPConnector(resolver=Names("api.example"))
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    client = connect(server, proxy=f"{LOGIN}proxy.example:3128", retry=TWICE, session=session)
    with pytest.raises(ConnectError, match=r"the proxy proxy\.example:3128: name not found \(2 "):
        await client.get_contact(NUMBER)


@pytest.mark.parametrize("server", ["https://api.example", "http://127.0.0.1:9"])
async def test_a_proxy_that_nobody_trusts_is_named(
    serve: Any, connect: Any, tls_for: Any, server: str
) -> None:
    """The certificate that is not acceptable is the proxy's own, and not the server's."""
    proxy = await serve(reply(200), tls=tls_for("127.0.0.1").server)
    address = proxy.base_url.partition("://")[2]
    client = connect(server, proxy=f"https://{address}")
    with pytest.raises(TLSError) as caught:
        await client.get_contact(NUMBER)
    assert f"the proxy {address}: certificate of an unknown authority" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (hang_up, "connection closed, by way of the proxy {}"),
        (NOT_HTTP, "the proxy {} gave an answer that is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n", close=True), "connection closed, by way of the proxy {}"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(
    serve: Any, connect: Any, answer: Step, reason: str
) -> None:
    """Whatever it does instead, the error says so in plain words."""
    proxy = await serve(answer)
    address = proxy.base_url.partition("://")[2]
    client = connect("https://api.example", proxy=LOGIN + address, retry=TWICE)
    with pytest.raises(ConnectError) as caught:
        await client.get_contact(NUMBER)
    assert str(caught.value) == (
        f"Cannot connect to api.example:443: {reason.format(address)} (2 attempts). "
        "Nothing was sent."
    )


@pytest.mark.parametrize(
    ("status", "asked", "told"),
    [
        (429, "120", "asks to wait 120 s"),
        (429, "1.5", "asks to wait 1.5 s"),
        (503, "30", "asks to wait 30 s"),
        (500, "7", "asks to wait 7 s"),
        (408, "2", "asks to wait 2 s"),
        (429, "soon", None),
        (400, "120", None),
    ],
)
async def test_how_long_to_wait_is_told(
    serve: Any, connect: Any, timer: Any, status: int, asked: str, told: str | None
) -> None:
    """The seconds that a server asks to wait, where they count, are in the message."""
    server = await serve(refusal(status, "Slow down", Retry_After=asked))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=1))
    with pytest.raises(SendblueError) as caught:
        await client.get_contact(NUMBER)
    said = f"GET /api/v2/contacts/…0123 was answered with {status}: Slow down"
    said += f"; the server {told}" if told else ""
    assert str(caught.value) == f"{said}."


async def test_a_wait_beyond_the_deadline_is_told(serve: Any, connect: Any, timer: Any) -> None:
    """A 429 that asks for more than is left raises at once, and says for how much."""
    server = await serve(refusal(429, "Slow down", Retry_After="120"))
    with pytest.raises(RateLimitError, match=r"asks to wait 120 s\.") as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.retry_after, caught.value.retryable) == (120, True)


ECHO = "No route to +1 (415) 555-0123, %2B14155550123, 1\n4155550123 or 415.555.0123."


def fields_of(error: SendblueError) -> str:
    """Everything that an error shows, with its causes."""
    shown = [str(error), repr(error), repr(vars(error))]
    link: BaseException | None = error
    while link is not None:
        shown += [str(link), repr(link)]
        link = link.__cause__ or link.__context__
    return "\n".join(shown)


CALLS: dict[str, Callable[[Any], Awaitable[object]]] = {
    "create": lambda client: client.create_contact(NUMBER),
    "upsert": lambda client: client.create_contact(NUMBER, update_if_exists=True),
    "get": lambda client: client.get_contact(NUMBER),
    "update": lambda client: client.update_contact(NUMBER, first_name="Ada"),
    "delete": lambda client: client.delete_contact(NUMBER),
    "verify": lambda client: client.verify_contact(NUMBER),
    "opt out": lambda client: client.opt_out_contact(NUMBER),
    "list": lambda client: client.list_contacts(number=NUMBER),
    "bulk create": lambda client: client.create_contacts_bulk([{"number": NUMBER}]),
    "bulk delete": lambda client: client.delete_contacts_bulk([NUMBER]),
    "request": lambda client: client.request("GET", "/api/v2/contacts/%2B1%28415%29555-0123"),
    "query": lambda client: client.request("GET", "/api/v2/x", params={"to": "+1 415 555 0123"}),
}
ANSWERS = {
    "400": reply(400, {"message": ECHO}),
    "500": reply(500, {"message": ECHO}),
    "no JSON": reply(200, ECHO.encode()),
    "refused": reply(200, {"status": "ERROR", "message": ECHO}),
    "redirect": reply(302, ECHO.encode(), {"Location": f"/{NUMBER}"}),
    "not HTTP": raw(f"HTTP/1.1 2 {NUMBER}\r\n\r\n".encode(), close=True),
    "cut short": CUT_SHORT,
    "closed": hang_up,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_error_has_a_whole_number(
    serve: Any, connect: Any, timer: Any, answer: str, name: str
) -> None:
    """Not in its text, its URL, the server's words, the snippet, or what it was caused by."""
    server = await serve(ANSWERS[answer])
    with pytest.raises(SendblueError) as caught:
        await CALLS[name](connect(server, timer=timer, retry=RetryPolicy(attempts=1)))
    shown = fields_of(caught.value)
    assert "415" not in shown.replace(server.base_url[-5:], "")
    assert "%2B" not in shown
    check_copies(caught.value)


async def test_a_timeout_shows_no_number(connect: Any) -> None:
    """What aiohttp quotes of the URL that it could not connect to is cut as well."""
    with full_backlog_url() as url:
        client = connect(url, retry=TWICE, timeouts=Timeouts(connect=0.05))
        with pytest.raises(ConnectError) as caught:
            await client.get_contact(NUMBER)
    assert "14155550123" not in fields_of(caught.value)
    assert caught.value.url == f"{url}/api/v2/contacts/…0123"


async def test_the_call_is_readable(serve: Any, connect: Any) -> None:
    """The text and the URL show the path as people read it."""
    server = await serve(reply(404))
    with pytest.raises(SendblueError, match="GET /api/v2/contacts/…0123 was answered") as caught:
        await connect(server).get_contact(NUMBER)
    assert caught.value.url == f"{server.base_url}/api/v2/contacts/…0123"
    with pytest.raises(SendblueError, match="GET /a/Zoë b/\ufffd was answered") as caught:
        await connect(server).request("GET", "/a/Zo%C3%AB%20b/%1B", params={"limit": 5})
    assert caught.value.url == f"{server.base_url}/a/Zoë b/\ufffd?limit=5"


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: ContactCreate(number="call me"), "not 'call me'."),
        (lambda: ContactCreate(number="4155550123"), "not '…0123'."),
        (lambda: ContactCreate(number="+1 415 555 0123 45678"), "not '…5678'."),
        (lambda: ContactCreate(number="+1\xa0415\xa0555\xa00123 x"), "not '…0123 x'."),
        (lambda: ContactCreate(number="1\u2011415\u2011555\u20110123"), "not '…0123'."),
        (lambda: ContactCreate(number=14155550123), "not …0123 (int)."),  # type: ignore[arg-type]
        (lambda: ContactCreate(number=NUMBER, tags=NUMBER), "not '…0123'; for one tag"),
        (lambda: ContactCreate(number=NUMBER, sendblue_number="415 555 0123"), "not '…0123'."),
        (lambda: ContactCreate.from_dict({NUMBER: "Ada"}), "'…0123' is not a field"),
        (lambda: BulkContact.of({NUMBER: "Ada"}), "'…0123' is not a field"),
        (
            lambda: ContactCreate(number=NUMBER, custom_variables={NUMBER: 5}),  # type: ignore[dict-item]
            "custom_variables['…0123'] must be a string",
        ),
    ],
)
async def test_a_value_that_is_quoted_is_cut(make: Callable[[], object], shown: str) -> None:
    """The caller's own value is quoted, except for what is or may be a phone number in it."""
    with pytest.raises(ValidationError) as caught:
        make()
    # The example of a number that can be sent is no one's.
    said = fields_of(caught.value).replace("'+14155550123'", "")
    assert shown in said
    assert "415" not in said


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda client: client.create_contacts_bulk([{"number": NUMBER}] * 2), "number …0123,"),
        (lambda client: client.request("GET", f"contacts/{NUMBER}"), "'contacts/…0123'"),
    ],
)
async def test_an_argument_that_is_quoted_is_cut(
    connect: Any, call: Callable[[Any], Awaitable[object]], shown: str
) -> None:
    """What a method refuses is quoted in the same way."""
    with refused_url() as url, pytest.raises(ValidationError) as caught:
        await call(connect(url))
    assert shown in str(caught.value)
    assert "415" not in str(caught.value)


IDENTIFIERS: list[tuple[dict[str, str], str | None]] = [
    ({"X-Request-Id": "a-1"}, "a-1"),
    ({"x-amzn-RequestId": "b-2"}, "b-2"),
    ({"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"},
     "Root=1-67891233-abcdef012345678912345678"),
    ({"CF-Ray": "8c1f-FRA"}, "8c1f-FRA"),
    ({"X-Correlation-ID": "c-3"}, "c-3"),
    ({"Request-Id": "d-4"}, "d-4"),
    ({"CF-Ray": "8c1f-FRA", "X-Request-Id": "a-1"}, "a-1"),
    ({"X-Request-Id": " ", "CF-Ray": "8c1f"}, "8c1f"),
    ({"X-Request-Id": "x" * 5000}, "x" * 128),
    ({"X-Request-Id": "a\x1b[31m b"}, "a[31mb"),
    ({"X-Request-Id": "sandbox-secret"}, "***"),
    ({"X-Other": "a-1"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "identifier"), IDENTIFIERS)
@pytest.mark.parametrize("status", [200, 404, 500])
async def test_the_servers_name_for_a_request_is_kept(
    serve: Any,
    connect: Any,
    caplog: pytest.LogCaptureFixture,
    status: int,
    headers: dict[str, str],
    identifier: str | None,
) -> None:
    """It is on the error and in the log, short and without what could harm a terminal."""
    caplog.set_level(logging.INFO)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    server = await serve(raw(f"HTTP/1.1 {status} X\r\n{head}Content-Length: 2\r\n\r\n[]".encode()))
    with pytest.raises(SendblueError) as caught:
        await connect(server, retry=RetryPolicy(attempts=1)).get_contact(NUMBER)
    assert caught.value.request_id == identifier
    assert (f"request id {identifier}" in caplog.text) == (identifier is not None)
    check_copies(caught.value)


async def test_an_answer_has_the_servers_name_for_the_request(serve: Any, connect: Any) -> None:
    """It is on the meta of a call that succeeded, too."""
    body = {"contact": {"phone": NUMBER}, "status": "OK"}
    server = await serve(reply(200, body, {"X-Request-Id": "a-1"}), contact(NUMBER))
    client = connect(server)
    assert (await client.get_contact(NUMBER)).meta.request_id == "a-1"
    assert (await client.get_contact(NUMBER)).meta.request_id is None


async def test_the_name_of_the_last_request_counts(serve: Any, connect: Any, timer: Any) -> None:
    """After retries the error has the name of the attempt that it tells of."""
    server = await serve(
        refusal(500, X_Request_Id="a-1"), refusal(500, X_Request_Id="a-2"), hang_up
    )
    client = connect(server, timer=timer)
    with pytest.raises(ServerError) as caught:
        await client.with_options(retry=RetryPolicy(attempts=2)).get_contact(NUMBER)
    assert caught.value.request_id == "a-2"
    with pytest.raises(OutcomeUnknownError) as lost:
        await client.with_options(retry=RetryPolicy(attempts=1)).get_contact(NUMBER)
    assert lost.value.request_id is None
