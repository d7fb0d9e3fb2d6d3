"""The two keys stay out of everything that is shown, logged, pickled or raised."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sendblue_async import (
    ConfigurationError,
    ContactCreate,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SyncSendblueClient,
    Timeouts,
)
from sendblue_async._credentials import find_credentials

from .servers import (
    CUT_SHORT,
    full_backlog_url,
    hang,
    hang_up,
    raw,
    refused_url,
    reply,
    reset,
)

NUMBER = "+14155550123"
KEY = "key-7c1e5a9b0d3f4e62"
SECRET = "secret-93b8f7d2a6c14e05"
# A piece of a key is as good as a hint; this many signs of one are too many.
PIECES = {text[index : index + 6] for text in (KEY, SECRET) for index in range(7, len(text) - 5)}


@pytest.fixture(autouse=True)
def keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are where most applications have them, and in no frame of a test."""
    monkeypatch.setenv("SENDBLUE_API_API_KEY", KEY)
    monkeypatch.setenv("SENDBLUE_API_API_SECRET", SECRET)


def chain(error: BaseException) -> list[BaseException]:
    """The error with its causes and contexts, all the way."""
    links, waiting = [], [error]
    while waiting:
        link = waiting.pop()
        if link not in links:
            links.append(link)
            waiting += [other for other in (link.__cause__, link.__context__) if other is not None]
    return links


def frames(error: BaseException) -> str:
    """The error's traceback with the locals of every frame, as far as they have a ``repr``."""
    lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    for frame, line in traceback.walk_tb(error.__traceback__):
        lines.append(f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}\n")
        for name, value in frame.f_locals.items():
            # The standard library's way, except that half-made objects may have no ``repr``.
            with contextlib.suppress(AttributeError):
                lines.append(f"    {name} = {value!r}\n")
    return "".join(lines)


def shown(error: BaseException) -> dict[str, str]:
    """Everything of an error that a log, a debugger or another process could get to see."""
    views = {}
    for index, link in enumerate(chain(error)):
        name = f"{index} {type(link).__name__}"
        views |= {f"{name} str": str(link), f"{name} repr": repr(link)}
        views |= {f"{name} args": repr(link.args), f"{name} fields": repr(vars(link))}
        views[f"{name} traceback"] = frames(link)
    if isinstance(error, SendblueError):
        views["pickle"] = pickle.dumps(error, protocol=0).decode("latin-1")
    return views


def check_secret(views: dict[str, str]) -> None:
    """Fail, with the lines at fault, if a key or a piece of one is in any view."""
    lines = [f"{name}: {line.strip()}" for name, text in views.items() for line in text.split("\n")]
    leaks = [line for line in lines if any(piece in line for piece in PIECES)]
    assert not leaks, "\n".join(leaks)


HASTY = Timeouts(attempt=0.1)
AGAIN = RetryPolicy(attempts=2, base=0)


@contextlib.asynccontextmanager
async def client_of(url: str, **options: Any) -> Any:
    """A client that has its keys from the environment."""
    client = SendblueClient(base_url=url, timeouts=HASTY, retry=AGAIN, **options)
    async with client:
        yield client


async def raised_by(call: Awaitable[object]) -> BaseException:
    """What a call raises."""
    try:
        await call
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.anyio
async def test_the_keys_reach_the_server(serve: Any) -> None:
    """The headers have the keys themselves, and not what stands for them elsewhere."""
    server = await serve(reply(200, {"contact": {}, "status": "OK"}))
    async with client_of(server.base_url) as client:
        await client.create_contact(NUMBER)
    headers = server.requests[0].headers
    assert (headers["sb-api-key-id"], headers["sb-api-secret-key"]) == (KEY, SECRET)


@pytest.mark.anyio
async def test_data_that_looks_like_a_key_is_left_alone(sandbox: Any) -> None:
    """Masking is for errors: what is stored comes back as it is, even with keys of one letter."""
    sandbox.api_key, sandbox.api_secret = "A", "5"
    async with SendblueClient("A", "5", base_url=sandbox.base_url) as client:
        response = await client.create_contact("+14155550123", first_name="Ada")
    assert (response.contact.phone, response.contact.first_name) == ("+14155550123", "Ada")


def test_a_client_shows_no_key() -> None:
    """Neither client has a key in its ``repr`` or ``str``, nor do the objects it is made of."""
    for kind in (SendblueClient, SyncSendblueClient):
        client = kind()
        inside = getattr(client, "_client", client)
        transport = inside._transport
        credentials = find_credentials(None, None)
        transport.prepare()
        parts = (client, client.with_options(), vars(client), vars(inside), vars(transport))
        check_secret({str(index): f"{part!r} {part!s}" for index, part in enumerate(parts)})
        for part in (client, client.with_options(), inside, transport, credentials):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(part)
        assert copy.deepcopy(credentials) == credentials
        assert copy.copy(credentials.api_key) is credentials.api_key
        assert "api.sendblue.co" in repr(client)


ECHO = f"You sent {KEY} and {SECRET}, which I do not know."
STEPS = {
    "400": reply(400, {"status": "ERROR", "message": "Invalid"}),
    "500": reply(500, b"<html>"),
    "redirect": reply(307, b"", {"Location": "/elsewhere"}),
    "not JSON": reply(200, b"<html>"),
    "refused in 200": reply(200, {"status": "ERROR", "message": "No"}),
    "closed": hang_up,
    "reset": reset,
    "timed out": hang,
    "cut short": CUT_SHORT,
    "not HTTP": raw(b"220 mail.example.com ESMTP\r\n", close=True),
    "echo in a message": reply(401, {"status": "ERROR", "message": ECHO}),
    "echo in a 200": reply(200, {"status": "ERROR", "error_message": ECHO}),
    "echo in HTML": reply(502, f"<html>{ECHO}</html>".encode()),
    "echo in what is no JSON": reply(200, ECHO.encode()),
    "echo cut by the snippet's end": reply(200, b"." * 187 + SECRET.encode()),
    "echo cut by the message's end": reply(400, {"message": "." * 187 + SECRET}),
    "echo in what is no HTTP": raw(f"{KEY} {SECRET}\r\n\r\n".encode(), close=True),
    "echo in a bad header": raw(f"HTTP/1.1 200 OK\r\n{SECRET}\r\n\r\n".encode(), close=True),
    "echo in a reason": raw(f"HTTP/1.1 400 {SECRET}\r\nContent-Length: 0\r\n\r\n".encode()),
    "echo in a redirect": reply(302, b"", {"Location": f"/?secret={SECRET}"}),
    "echo in bad chunks": raw(
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n".encode(), close=True
    ),
    "echo in a bad encoding": reply(200, SECRET.encode(), {"Content-Encoding": "gzip"}),
}


@pytest.mark.anyio
@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("name", STEPS)
async def test_an_error_shows_no_key(
    serve: Any, name: str, upsert: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an answer says or fails at, no view of the error has a key, nor has the log."""
    caplog.set_level(logging.DEBUG)
    server = await serve(STEPS[name])
    async with client_of(server.base_url) as client:
        error = await raised_by(client.create_contact(NUMBER, update_if_exists=upsert))
    assert isinstance(error, SendblueError)
    check_secret({**shown(error), "log": caplog.text})


@pytest.mark.anyio
async def test_an_echo_is_masked_and_the_rest_is_kept(serve: Any) -> None:
    """The server's own words remain, with asterisks where they had a key."""
    server = await serve(reply(401, {"status": "ERROR", "message": ECHO}))
    async with client_of(server.base_url) as client:
        error = await raised_by(client.create_contact(NUMBER))
    assert "You sent *** and ***, which I do not know" in str(error)
    assert "You sent *** and ***, which I do not know." in error.snippet  # type: ignore[attr-defined]


async def refuse_connection() -> BaseException:
    """The error of a port at which nobody listens."""
    with refused_url() as url:
        async with client_of(url) as client:
            return await raised_by(client.create_contact(NUMBER))


async def time_out_connecting() -> BaseException:
    """The error of a server that accepts no connection."""
    with full_backlog_url() as url:
        async with client_of(url) as client:
            return await raised_by(client.create_contact(NUMBER))


async def send_bad_input() -> BaseException:
    """The error of a value that cannot be sent."""
    async with client_of("http://127.0.0.1:9") as client:
        return await raised_by(client.create_contact("0123"))


async def use_after_close() -> BaseException:
    """The error of a closed client."""
    async with client_of("http://127.0.0.1:9") as client:
        pass
    return await raised_by(client.create_contact(NUMBER))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fail", [refuse_connection, time_out_connecting, send_bad_input, use_after_close]
)
async def test_an_error_without_an_answer_shows_no_key(
    fail: Callable[[], Awaitable[BaseException]],
) -> None:
    """Nothing was sent, and nothing is shown."""
    error = await fail()
    assert isinstance(error, SendblueError)
    check_secret(shown(error))


@pytest.mark.anyio
async def test_bad_tls_shows_no_key(start_sandbox: Any, tls_for: Any) -> None:
    """Neither the certificate's error nor its causes have a key."""
    sandbox = await start_sandbox(ssl=tls_for("127.0.0.1").server)
    async with client_of(sandbox.base_url) as client:
        check_secret(shown(await raised_by(client.create_contact(NUMBER))))


@pytest.mark.anyio
async def test_a_cancellation_shows_no_key(serve: Any) -> None:
    """The traceback of a cancelled call goes through aiohttp, and has no key all the same."""
    server = await serve(hang)
    client = SendblueClient(base_url=server.base_url)
    async with client:
        task = asyncio.ensure_future(client.create_contact(NUMBER))
        await server.until(lambda: server.requests)
        task.cancel()
        error = await raised_by(task)
    assert isinstance(error, asyncio.CancelledError)
    check_secret(shown(error))


@pytest.mark.anyio
async def test_the_blocking_client_shows_no_key(serve: Any) -> None:
    """The way through the other thread adds nothing to see."""
    server = await serve(reply(401, {"message": ECHO}), hang_up)

    def fail() -> list[SendblueError]:
        errors = []
        with SyncSendblueClient(base_url=server.base_url, retry=AGAIN) as client:
            for _ in range(2):
                with pytest.raises(SendblueError) as caught:
                    client.create_contact(NUMBER)
                errors.append(caught.value)
        return errors

    for error in await asyncio.to_thread(fail):
        check_secret(shown(error))


def make(**options: Any) -> BaseException:
    """What making a client raises, or else its first call."""
    try:
        SendblueClient(**options)._transport.prepare()
    except ConfigurationError as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "ftp://example.com"},
        {"base_url": "http://example.com"},
        {"max_connections": 0},
        {"rate_limit": 0},
        {"default_headers": {"Host": "x"}},
        {"proxy": "proxy"},
    ],
)
def test_a_client_that_cannot_be_made_shows_no_key(options: dict[str, Any]) -> None:
    """The keys are read before the other options are checked, and are in no frame's locals."""
    check_secret(shown(make(**options)))


def test_keys_given_as_arguments_are_not_shown_either() -> None:
    """A constructor that fails has the keys in none of this package's frames."""
    try:
        SendblueClient(KEY, SECRET, max_connections=0)
    except ConfigurationError as error:
        check_secret(shown(error))


def test_a_second_key_that_is_missing_does_not_show_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """What was found, in the environment or in the file, is not told with what was not."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("SENDBLUE_API_API_SECRET")
    check_secret(shown(make()))
    (tmp_path / ".sendblue").mkdir()
    file = tmp_path / ".sendblue" / "credentials.json"
    for content in (json.dumps({"apiSecret": SECRET + "\n"}), f'{{"apiSecret": "{SECRET}"'):
        file.write_text(content, encoding="utf-8")
        file.chmod(0o600)
        check_secret(shown(make()))


@pytest.mark.parametrize("spoil", ["{}\n", " {}", "{}é"])
def test_a_key_that_cannot_be_sent_is_not_shown(
    spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key with a line break or a space around it is refused without being repeated."""
    monkeypatch.setenv("SENDBLUE_API_API_SECRET", spoil.format(SECRET))
    check_secret(shown(make()))


@pytest.mark.parametrize(
    "call",
    [
        lambda: SendblueClient(max_connections=0),
        lambda: SyncSendblueClient(max_connections=0),
        lambda: ContactCreate(number="0123"),
    ],
)
def test_an_object_that_could_not_be_made_can_be_shown(call: Callable[[], object]) -> None:
    """The standard library's traceback with locals, which asks half-made objects, is written."""
    with pytest.raises(SendblueError) as caught:
        call()
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    check_secret({"traceback": "".join(report.format())})
