"""Reporters that show the locals of a traceback, cut to a length, show no piece of a secret."""

from __future__ import annotations

import asyncio
import io
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import structlog
from rich.console import Console
from rich.traceback import Traceback
from structlog.tracebacks import ExceptionDictTransformer

from sendblue_async import SendblueClient, SyncSendblueClient

from .servers import contact, hang, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
# Each number once: any four digits of these in a report are a leak.
KEY = "".join(f"{number:04x}" for number in range(0xA000, 0xA040))
SECRET = "".join(f"{number:04x}" for number in range(0xB000, 0xB040))
TOKEN = "".join(f"{number:04x}" for number in range(0xC000, 0xC040))
HEADER = "".join(f"{number:04x}" for number in range(0xD000, 0xD040))
PASSWORD = "".join(f"{number:04x}" for number in range(0xE000, 0xE040))
PIECES = {
    text[start : start + 8]
    for text in (KEY, SECRET, TOKEN, HEADER, PASSWORD)
    for start in range(0, len(text) - 8)
}


def in_rich(error: BaseException) -> str:
    """The error as rich shows it."""
    console = Console(file=io.StringIO(), width=300)
    shown = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_length=50
    )
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined]


def in_structlog(use_rich: bool) -> Callable[[BaseException], str]:
    """Show the error as structlog writes it into JSON."""
    transform = ExceptionDictTransformer(show_locals=True, use_rich=use_rich, max_frames=100)

    def report(error: BaseException) -> str:
        return json.dumps(transform((type(error), error, error.__traceback__)))

    return report


def in_a_log(error: BaseException) -> str:
    """The error as structlog's own chain of processors logs it."""
    lines = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(lines),
        processors=[
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=True)),
            structlog.processors.JSONRenderer(),
        ],
    )
    logger.error("failed", exc_info=error)
    return lines.getvalue()


def in_the_standard_library(error: BaseException) -> str:
    """The error as ``traceback`` shows it with locals."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format())


REPORTERS = {
    "rich": in_rich,
    "structlog": in_structlog(False),
    "structlog with rich": in_structlog(True),
    "structlog's log": in_a_log,
    "traceback": in_the_standard_library,
}


def check_report(error: BaseException) -> None:
    """Fail if a reporter shows a piece of a secret, in a frame that is not the test's."""
    link: BaseException | None = error
    while link is not None:
        # The frames of this module know the secrets, of course.
        frames = link.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        link.__traceback__ = frames
        link = link.__cause__ or link.__context__
    for name, report in REPORTERS.items():
        text = report(error)
        assert "sendblue_async" in text
        found = [piece for piece in PIECES if piece in text]
        assert not found, f"{name}: {found[0]} in {text[: text.index(found[0]) + 20][-300:]}"


async def raised_by(call: Awaitable[object]) -> BaseException:
    """What a call raises."""
    try:
        await call
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


OPTIONS: dict[str, dict[str, Any]] = {
    "keys": {"api_key": KEY, "api_secret": SECRET},
    "token": {"access_token": TOKEN},
    "header": {
        "api_key": KEY,
        "api_secret": SECRET,
        "default_headers": {"Authorization": f"Basic {HEADER}", "X-Gateway": HEADER},
    },
}
WITH_PROXY = {**OPTIONS["header"], "proxy": f"http://user:{PASSWORD}@127.0.0.1:9"}


@pytest.mark.parametrize("kind", [SendblueClient, SyncSendblueClient])
@pytest.mark.parametrize("options", [*OPTIONS.values(), WITH_PROXY])
async def test_a_client_that_cannot_be_made(kind: Any, options: dict[str, Any]) -> None:
    """What was given is in the frames of the constructors, as stars."""

    async def make() -> None:
        kind(**options, max_connections=0)

    check_report(await raised_by(make()))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("ending", ["refused", "hook", "cancelled"])
async def test_a_call_that_fails(serve: Any, options: dict[str, Any], ending: str) -> None:
    """A refusal, a hook that raises amid aiohttp's frames, a cancellation there."""
    server = await serve(reply(401, {"message": "No"}) if ending == "refused" else hang)
    hooks = aiohttp.TraceConfig()

    async def fail(*_: object) -> None:
        raise ValueError("a hook")

    if ending == "hook":
        hooks.on_request_start.append(fail)
    async with SendblueClient(**options, base_url=server.base_url, trace_configs=[hooks]) as client:
        task = asyncio.ensure_future(client.create_contact(NUMBER))
        if ending == "cancelled":
            await server.until(lambda: server.requests)
            task.cancel()
        error = await raised_by(task)
    check_report(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("ending", ["hook", "cancelled"])
async def test_a_call_through_a_proxy_that_fails(serve: Any, scheme: str, ending: str) -> None:
    """The password of a proxy is nowhere in aiohttp's frames, with a tunnel or without."""
    proxy = await serve(hang)
    hooks = aiohttp.TraceConfig()

    async def fail(*_: object) -> None:
        raise ValueError("a hook")

    if ending == "hook":
        hooks.on_connection_create_start.append(fail)
    options = WITH_PROXY | {"proxy": proxy.base_url.replace("//", f"//user:{PASSWORD}@")}
    client = SendblueClient(
        **options, base_url=f"{scheme}://0.0.0.0:9", trace_configs=[hooks], allow_http=True
    )
    async with client:
        task = asyncio.ensure_future(client.create_contact(NUMBER))
        if ending == "cancelled":
            await server_has_request(proxy)
            task.cancel()
        error = await raised_by(task)
    check_report(error)


async def server_has_request(server: Any) -> None:
    """Wait until a server was sent something."""
    await server.until(lambda: server.requests)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_the_real_values_are_sent(serve: Any, options: dict[str, Any]) -> None:
    """Stars are for readers: the server gets what was given, of any length."""
    server = await serve(contact(NUMBER))
    async with SendblueClient(**options, base_url=server.base_url) as client:
        await client.create_contact(NUMBER)
        await client.get_contact(NUMBER)
    for request in server.requests:
        if "access_token" in options:
            assert request.headers["authorization"] == f"Bearer {TOKEN}"
            assert not {"sb-api-key-id", "sb-api-secret-key"} & {*request.headers}
        else:
            assert request.headers["sb-api-key-id"] == KEY
            assert request.headers["sb-api-secret-key"] == SECRET
        if "default_headers" in options:
            assert request.headers["authorization"] == f"Basic {HEADER}"
            assert request.headers["x-gateway"] == HEADER


async def test_the_callers_own_headers_are_masked_in_others_words(serve: Any) -> None:
    """A server that sends back an ``Authorization`` of the caller's gets it masked, as the keys."""
    echo = f"You sent Basic {HEADER}, {HEADER} and {KEY}"
    server = await serve(reply(401, {"message": echo}))
    async with SendblueClient(**OPTIONS["header"], base_url=server.base_url) as client:
        error = await raised_by(client.create_contact(NUMBER))
    assert "You sent ***, *** and ***" in str(error)
    assert HEADER not in repr(vars(error))


@pytest.mark.parametrize(
    "headers",
    [[("Authorization", HEADER)], f"Authorization: {HEADER}", {f"Authorization: {HEADER}": "x"},
     {"Authorization": f"{HEADER}\n"}, {"Authorization": [HEADER]}],
)  # fmt: skip
async def test_headers_that_are_refused_are_not_shown(headers: Any) -> None:
    """Neither the message nor a frame has what was given."""

    async def make() -> None:
        SendblueClient("k", "s", default_headers=headers)

    error = await raised_by(make())
    assert "default_headers" in str(error)
    assert HEADER not in str(error)
    if not (isinstance(headers, dict) and "x" in headers.values()):
        check_report(error)
