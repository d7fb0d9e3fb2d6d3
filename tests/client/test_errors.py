"""What every ending of an attempt means to the caller, by the truth table of the retries."""

from __future__ import annotations

import copy
import pickle
import socket
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sendblue_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectError,
    ContactCreate,
    ContactExistsError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    ServerError,
    Timeouts,
    TLSError,
    UnexpectedRedirectError,
    ValidationError,
)
from sendblue_async.sandbox import Faults

from .servers import (
    CUT_SHORT,
    CUT_SHORT_UNANNOUNCED,
    NOT_HTTP,
    full_backlog_url,
    hang,
    hang_up,
    raw,
    refusal,
    refused_url,
    reply,
    reset,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ATTEMPTS = 3
# Status -> error, outcome, attempts out of three, whether Retry-After is heeded.
STATUSES: dict[int, tuple[type[SendblueError], str, int, bool]] = {
    400: (BadRequestError, "rejected", 1, False),
    401: (AuthenticationError, "rejected", 1, False),
    402: (PermissionDeniedError, "rejected", 1, False),
    403: (PermissionDeniedError, "rejected", 1, False),
    404: (NotFoundError, "rejected", 1, False),
    405: (APIError, "rejected", 1, False),
    408: (APIError, "rejected", 3, True),
    409: (ContactExistsError, "rejected", 1, False),
    413: (BadRequestError, "rejected", 1, False),
    418: (APIError, "rejected", 1, False),
    422: (BadRequestError, "rejected", 1, False),
    425: (APIError, "rejected", 2, True),
    429: (RateLimitError, "rejected", 3, True),
    500: (ServerError, "unknown", 3, True),
    501: (ServerError, "rejected", 1, False),
    502: (ServerError, "unknown", 3, True),
    503: (ServerError, "unknown", 3, True),
    504: (ServerError, "unknown", 3, True),
    507: (ServerError, "unknown", 3, True),
    520: (ServerError, "unknown", 3, True),
    521: (ServerError, "rejected", 3, True),
    522: (ServerError, "unknown", 3, True),
    523: (ServerError, "rejected", 3, True),
    524: (ServerError, "unknown", 3, True),
    525: (ServerError, "rejected", 3, True),
    526: (ServerError, "rejected", 3, True),
    599: (ServerError, "unknown", 3, True),
    300: (UnexpectedRedirectError, "rejected", 1, False),
    301: (UnexpectedRedirectError, "rejected", 1, False),
    302: (UnexpectedRedirectError, "rejected", 1, False),
    303: (UnexpectedRedirectError, "rejected", 1, False),
    307: (UnexpectedRedirectError, "rejected", 1, False),
    308: (UnexpectedRedirectError, "rejected", 1, False),
}


def check_copies(error: SendblueError) -> None:
    """Fail unless the error survives pickling and copying with all its fields."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("status", STATUSES)
async def test_each_status_is_one_typed_error(
    serve: Any, connect: Any, timer: Any, status: int, upsert: bool
) -> None:
    """The error has the right type and outcome, all its fields, and came after that many POSTs."""
    kind, outcome, attempts, _ = STATUSES[status]
    server = await serve(POST=refusal(status, "Not like\n this."), GET=reply(404))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=ATTEMPTS))
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    error = caught.value
    assert type(error) is kind
    assert vars(error) == {
        "outcome": outcome,
        "method": "POST",
        "url": server.base_url + "/api/v2/contacts",
        "status": status,
        "attempts": attempts,
        "retry_after": None,
        "snippet": '{"status": "ERROR", "message": "Not like\\n this."}',
        "cause": None,
        "timed_out": False,
        "maybe_ours": outcome == "unknown",
    }
    assert f"with {status}: Not like this" in str(error)
    assert ("It may have been done" in str(error)) == (outcome == "unknown")
    assert server.count("POST") == attempts
    check_copies(error)


@pytest.mark.parametrize("status", [*STATUSES, 200])
async def test_retry_after_is_heeded_where_the_table_says(
    serve: Any, connect: Any, timer: Any, status: int
) -> None:
    """Where it is heeded, the wait is the one asked for and the error has it; elsewhere not."""
    timer.drawn = 0.0
    heeded = STATUSES[status][3] if status in STATUSES else False
    server = await serve(refusal(status, Retry_After="7"))
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=2))
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=True)
    assert timer.waits == ([7.0] if heeded else [])
    assert caught.value.retry_after == (7.0 if heeded else None)


async def test_a_503_that_names_a_time_did_nothing(serve: Any, connect: Any, timer: Any) -> None:
    """With ``Retry-After`` a 503 is a rejection, so no look-up follows; without, it is unknown."""
    server = await serve(refusal(503, Retry_After="1"))
    with pytest.raises(ServerError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.outcome, caught.value.maybe_ours) == ("rejected", False)
    assert (server.count("POST"), server.count("GET")) == (4, 0)


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
    "a long number": (b'{"contact": ' + b"9" * 5000 + b"}", '{"contact": ' + "9" * 188),
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


# How a connection ends -> step, error, in which way time ran out, the status that is known.
BROKEN = {
    "closed": (hang_up, OutcomeUnknownError, False, None),
    "reset": (reset, OutcomeUnknownError, False, None),
    "no answer in time": (hang, OutcomeUnknownError, True, None),
    "cut short": (CUT_SHORT, ResponseFormatError, False, 200),
    "cut short, no length": (CUT_SHORT_UNANNOUNCED, ResponseFormatError, False, 200),
    "not HTTP": (NOT_HTTP, ResponseFormatError, False, None),
}


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("name", BROKEN)
async def test_a_connection_that_breaks_leaves_the_outcome_unknown(
    serve: Any, connect: Any, timer: Any, name: str, upsert: bool
) -> None:
    """Upserts and plain creates are both repeated; the error says that it may have been done."""
    step, kind, timed_out, status = BROKEN[name]
    server = await serve(POST=step, GET=reply(404))
    client = connect(
        server,
        timer=timer,
        retry=RetryPolicy(attempts=ATTEMPTS),
        timeouts=Timeouts(attempt=0.1 if timed_out else 20),
    )
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=upsert)
    error = caught.value
    assert type(error) is kind
    assert (error.outcome, error.attempts, error.maybe_ours) == ("unknown", ATTEMPTS, True)
    assert (error.method, error.url) == ("POST", server.base_url + "/api/v2/contacts")
    assert error.timed_out is timed_out
    if name != "cut short, no length":
        assert error.cause == f"{type(error.__cause__).__name__}: {error.__cause__}"
    assert server.count("POST") == ATTEMPTS
    check_copies(error)
    assert error.status == status
    assert error.snippet == (None if status is None else '{"contact": {"pho')


@pytest.mark.parametrize("status", [400, 401, 404, 409])
async def test_a_refusal_that_is_cut_short_is_a_refusal(
    serve: Any, connect: Any, timer: Any, status: int
) -> None:
    """The status alone says that nothing was done, however little came of the body."""
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 99\r\n\r\n"
    server = await serve(raw(head.encode() + b'{"mess', close=True))
    with pytest.raises(STATUSES[status][0]) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.status, caught.value.snippet) == (status, '{"mess')
    assert (caught.value.outcome, len(server.requests)) == ("rejected", 1)


class Names(AbstractResolver):
    """Knows no name but the ones it was given; those are on this machine."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """This machine, for a name that is known."""
        if host not in self.names:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        address = {"host": "127.0.0.1", "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{"hostname": host, "port": port, **address}]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        """Nothing is held open."""


async def check_not_sent(client: SendblueClient, timer: Any, *, timed_out: bool) -> None:
    """Fail unless each call is attempted three times and known not to have been sent."""
    for call in (client.create_contact, client.get_contact):
        timer.waits.clear()
        with pytest.raises(ConnectError, match=r"Nothing was sent\.") as caught:
            await call(NUMBER)
        error = caught.value
        assert (error.outcome, error.attempts, error.maybe_ours) == ("not_sent", ATTEMPTS, False)
        assert (error.status, error.snippet, error.timed_out) == (None, None, timed_out)
        assert error.cause == f"{type(error.__cause__).__name__}: {error.__cause__}"
        assert len(timer.waits) == ATTEMPTS - 1
        check_copies(error)


THRICE = RetryPolicy(attempts=ATTEMPTS)
HASTY = Timeouts(connect=0.1, attempt=5)


async def test_a_port_at_which_nobody_listens(connect: Any, timer: Any) -> None:
    """A refused connection is retried, and nothing was sent."""
    with refused_url() as url:
        await check_not_sent(connect(url, timer=timer, retry=THRICE), timer, timed_out=False)


@pytest.mark.parametrize("timeouts", [HASTY, Timeouts(attempt=0.1)])
async def test_a_server_that_accepts_no_connection(
    connect: Any, timer: Any, timeouts: Timeouts
) -> None:
    """Running out of time while connecting is retried, whichever limit it is that ends it."""
    with full_backlog_url() as url:
        client = connect(url, timer=timer, retry=THRICE, timeouts=timeouts)
        await check_not_sent(client, timer, timed_out=True)


async def test_a_tls_handshake_that_gets_no_answer(serve: Any, connect: Any, timer: Any) -> None:
    """The handshake belongs to connecting: its time-out is retried, and nothing was sent."""
    server = await serve(hang)
    url = server.base_url.replace("http:", "https:")
    client = connect(url, timer=timer, retry=THRICE, timeouts=HASTY)
    await check_not_sent(client, timer, timed_out=True)
    assert server.accepted == 2 * ATTEMPTS
    assert not server.requests


async def test_a_host_name_that_does_not_resolve(
    connect: Any, timer: Any, stack: AsyncExitStack
) -> None:
    """A name that DNS does not know is retried, and nothing was sent."""
    connector = aiohttp.TCPConnector(resolver=Names())
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    client = connect("https://api.example", timer=timer, retry=THRICE, session=session)
    await check_not_sent(client, timer, timed_out=False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(serve: Any, connect: Any, status: int) -> None:
    """Neither this origin nor another one gets a second request, let alone one with the keys."""
    other = await serve(reply(200, OK))
    for target in ("/moved", other.base_url + "/api/v2/contacts", "//[bad", ""):
        server = await serve(reply(status, b"moved", {"Location": target}))
        client = connect(server)
        for call in (client.create_contact, client.get_contact):
            with pytest.raises(UnexpectedRedirectError) as caught:
                await call(NUMBER)
            assert (caught.value.status, caught.value.snippet) == (status, "moved")
            assert (caught.value.outcome, caught.value.attempts) == ("rejected", 1)
        assert len(server.requests) == 2
    assert other.accepted == 0


async def test_a_redirect_from_https_to_http_is_not_followed(
    start_sandbox: Any, serve: Any, connect: Any, tls_for: Any
) -> None:
    """The keys never leave the encrypted connection."""
    plain = await serve(reply(200, OK))
    tls = tls_for("127.0.0.1")
    moved = Faults(redirect=1, redirect_to=plain.base_url + "/api/v2/contacts")
    sandbox = await start_sandbox(ssl=tls.server, faults=moved)
    with pytest.raises(UnexpectedRedirectError):
        await connect(sandbox, ssl=tls.trusting).create_contact(NUMBER)
    assert (len(sandbox.requests), plain.accepted) == (1, 0)


async def test_tls_with_settings_of_the_callers_own(
    start_sandbox: Any, connect: Any, tls_for: Any
) -> None:
    """A certificate that the caller's own SSLContext trusts is accepted."""
    tls = tls_for("127.0.0.1")
    sandbox = await start_sandbox(ssl=tls.server)
    response = await connect(sandbox, ssl=tls.trusting).create_contact(NUMBER)
    assert response.contact.phone == NUMBER
    assert sandbox.base_url.startswith("https://")


async def test_tls_with_certificates_from_the_environment(
    start_sandbox: Any,
    connect: Any,
    tls_for: Any,
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """A certificate authority that ``SSL_CERT_FILE`` names is trusted."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    sandbox = await start_sandbox(ssl=tls_for("127.0.0.1").server)
    assert (await connect(sandbox).create_contact(NUMBER)).status == "OK"


async def check_bad_tls(client: SendblueClient, timer: Any) -> None:
    """Fail unless a create ends at once, with an error that blames TLS."""
    with pytest.raises(TLSError, match="certificates") as caught:
        await client.create_contact(NUMBER)
    error = caught.value
    assert (error.outcome, error.attempts, error.status) == ("not_sent", 1, None)
    assert error.cause == f"{type(error.__cause__).__name__}: {error.__cause__}"
    assert timer.waits == []
    check_copies(error)


async def test_a_certificate_of_an_unknown_authority(
    start_sandbox: Any, connect: Any, timer: Any, tls_for: Any
) -> None:
    """It is refused at once, and the server sees no request."""
    sandbox = await start_sandbox(ssl=tls_for("127.0.0.1").server)
    await check_bad_tls(connect(sandbox, timer=timer), timer)
    assert not sandbox.requests


async def test_a_certificate_for_another_host(
    start_sandbox: Any, connect: Any, timer: Any, tls_for: Any
) -> None:
    """It is refused at once, and the server sees no request."""
    tls = tls_for("api.example")
    sandbox = await start_sandbox(ssl=tls.server)
    await check_bad_tls(connect(sandbox, timer=timer, ssl=tls.trusting), timer)
    assert not sandbox.requests


async def test_plain_text_on_a_tls_port(sandbox: Any, connect: Any, timer: Any) -> None:
    """A server that does not speak TLS is refused at once, and sees no request."""
    url = sandbox.base_url.replace("http:", "https:")
    await check_bad_tls(connect(url, timer=timer), timer)
    assert not sandbox.requests


async def test_plain_http_to_a_tls_port(
    start_sandbox: Any, connect: Any, timer: Any, tls_for: Any
) -> None:
    """A base URL that lost its s ends in an error of ours, and the sandbox sees no request."""
    sandbox = await start_sandbox(ssl=tls_for("127.0.0.1").server)
    client = connect(sandbox.base_url.replace("https:", "http:"), timer=timer)
    with pytest.raises(SendblueError):
        await client.create_contact(NUMBER)
    assert not sandbox.requests


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"number": None}, "number"),
    ({"number": ""}, "number"),
    ({"number": "4155550123"}, "number"),
    ({"number": "+0155550123"}, "number"),
    ({"number": "+123456"}, "number"),
    ({"number": "+1234567890123456"}, "number"),
    ({"number": "+1415555O123"}, "number"),
    ({"number": "+١٤١٥٥٥٥٠١٢٣"}, "number"),
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
    ({"company": "Example Corp"}, "company"),
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
    """Without a key there is no client, and the message lists where it was looked for."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("API_API_KEY", "API_KEY", "API_API_SECRET", "API_SECRET"):
        monkeypatch.delenv(f"SENDBLUE_{name}", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        SendblueClient()
    for place in ("argument", "SENDBLUE_API_API_KEY", "SENDBLUE_API_KEY", "credentials.json"):
        assert place in str(caught.value)
