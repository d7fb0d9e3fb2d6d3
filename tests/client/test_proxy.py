"""Forward proxies: which one is used, and that it gets to see nothing but a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme
from attrs import define, frozen

from sendblue_async import ConnectError, RetryPolicy, Timeouts, TLSError

from .servers import (
    NOT_HTTP,
    Server,
    Step,
    contact,
    hang,
    hang_up,
    raw,
    refused_url,
    reply,
    reset,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
# An address of this machine that the client does not take for one: no proxy is used for those.
HOST = "0.0.0.0"
KEYS = (b"sandbox-key", b"sandbox-secret")
USER = "user:password"
ATTEMPTS = 3
CALLS: dict[str, Any] = {
    "create": lambda client: client.create_contact(NUMBER),
    "get": lambda client: client.get_contact(NUMBER),
    "delete": lambda client: client.delete_contact(NUMBER),
    "no body": lambda client: client.request("POST", "/api/v2/contacts/verify"),
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a forward proxy, in a process of its own, that asks for a password."""
    folder = tmp_path_factory.mktemp("proxy")
    options = {
        "--hostname": "127.0.0.1",
        "--port": "0",
        "--port-file": str(folder / "port"),
        "--num-acceptors": "1",
        "--num-workers": "1",
        "--basic-auth": USER,
        "--data-dir": str(folder),
        "--log-level": "ERROR",
    }
    words = [word for option in options.items() for word in option]
    process = subprocess.Popen([sys.executable, "-m", "proxy", *words], cwd=folder)
    try:
        yield f"127.0.0.1:{port_in(folder / 'port')}"
    finally:
        process.terminate()
        process.wait(10)


def port_in(file: Path) -> str:
    """The port that a proxy has written down, once it listens there."""
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < deadline, "the proxy did not start"
        time.sleep(0.02)
    return file.read_text().strip()


@define(eq=False)
class Wire:
    """The way to a proxy, and everything that a client has sent along it."""

    address: str
    sent: bytes = b""
    accepted: int = 0


@contextlib.asynccontextmanager
async def wire_to(address: str) -> AsyncIterator[Wire]:
    """A port that passes everything on to the proxy and back, and keeps what the client sent."""
    tasks: set[asyncio.Task[Any]] = set()
    host, port = address.split(":")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        wire.accepted += 1
        with contextlib.suppress(asyncio.CancelledError, OSError):
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(
                passed_on(reader, far_writer, keep=True), passed_on(far_reader, writer, keep=False)
            )

    async def passed_on(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool
    ) -> None:
        try:
            while piece := await reader.read(65536):
                wire.sent += piece if keep else b""
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1")
    wire = Wire(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    try:
        yield wire
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def wire(stack: AsyncExitStack, proxy: str) -> Wire:
    """A way to the proxy on which nothing is overlooked."""
    return await stack.enter_async_context(wire_to(proxy))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxy yet."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.fixture
async def target(serve: Any, tls_for: Any) -> Target:
    """A TLS server, by an address for which proxies are used."""
    tls = tls_for(HOST)
    server = await serve(contact(NUMBER), tls=tls.server)
    return Target(server, f"https://{HOST}:{urlsplit(server.base_url).port}", tls.trusting)


@frozen
class Target:
    """A server behind a proxy, its address, and who trusts it."""

    server: Server
    url: str
    trusting: Any

    @property
    def connect_line(self) -> bytes:
        """How a tunnel to it is asked for."""
        return f"CONNECT {urlsplit(self.url).netloc} HTTP/1.1\r\n".encode()


def check_tunnel(wire: Wire, target: Target) -> None:
    """Fail unless a tunnel was asked for, and nothing of a request was to be read outside it."""
    assert wire.sent.startswith(target.connect_line)
    for word in (*KEYS, b"sb-api", b"/api/v2", b"14155550123"):
        assert word not in wire.sent


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_the_environments_proxy_is_used(
    environment: Any, wire: Wire, target: Target, connect: Any, variable: str, scheme: str
) -> None:
    """``HTTPS_PROXY`` leads through the proxy, with the caller's own SSLContext to the server."""
    environment.setenv(variable, f"{scheme}{USER}@{wire.address}")
    client = connect(target.url, ssl=target.trusting)
    assert (await client.create_contact(NUMBER)).contact.phone == NUMBER
    assert (await client.get_contact(NUMBER)).contact.phone == NUMBER
    assert (len(target.server.requests), target.server.accepted, wire.accepted) == (2, 1, 1)
    check_tunnel(wire, target)


async def test_certificates_from_the_environment_behind_a_proxy(
    environment: Any,
    wire: Wire,
    target: Target,
    connect: Any,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    """``SSL_CERT_FILE`` says whom to trust at the end of the tunnel."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    environment.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    environment.setenv("HTTPS_PROXY", f"http://{USER}@{wire.address}")
    assert (await connect(target.url).create_contact(NUMBER)).contact.phone == NUMBER
    check_tunnel(wire, target)


@pytest.mark.parametrize("exception", [HOST, f"example.com,{HOST}", "*"])
async def test_no_proxy_is_used_where_the_environment_says_so(
    environment: Any, wire: Wire, target: Target, connect: Any, exception: str
) -> None:
    """A host that ``NO_PROXY`` names is connected to without the proxy."""
    environment.setenv("HTTPS_PROXY", f"http://{USER}@{wire.address}")
    environment.setenv("NO_PROXY", exception)
    await connect(target.url, ssl=target.trusting).create_contact(NUMBER)
    assert (len(target.server.requests), wire.accepted) == (1, 0)


async def test_no_proxy_is_used_for_this_machine(
    environment: Any, wire: Wire, target: Target, serve: Any, connect: Any, tls_for: Any
) -> None:
    """A loopback address is connected to without the environment's proxy."""
    environment.setenv("HTTPS_PROXY", f"http://{USER}@{wire.address}")
    tls = tls_for("127.0.0.1")
    server = await serve(contact(), tls=tls.server)
    await connect(server, ssl=tls.trusting).create_contact(NUMBER)
    assert (len(server.requests), wire.accepted) == (1, 0)


async def test_a_session_of_the_callers_own_keeps_its_own_idea_of_proxies(
    environment: Any, wire: Wire, target: Target, connect: Any, stack: AsyncExitStack
) -> None:
    """What the environment names is used only if the session was made to look there."""
    environment.setenv("HTTPS_PROXY", f"http://{USER}@{wire.address}")
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = connect(target.url, ssl=target.trusting, session=session)
    await client.create_contact(NUMBER)
    assert (len(target.server.requests), wire.accepted) == (1, 0)


async def test_a_proxy_given_as_an_argument(
    environment: Any, wire: Wire, target: Target, connect: Any
) -> None:
    """It is used whatever the environment says."""
    environment.setenv("NO_PROXY", "*")
    with refused_url() as nobody:
        environment.setenv("HTTPS_PROXY", nobody)
        given = f"http://{USER}@{wire.address}"
        await connect(target.url, ssl=target.trusting, proxy=given).create_contact(NUMBER)
    assert len(target.server.requests) == 1
    check_tunnel(wire, target)


async def check_not_sent(client: Any, timer: Any, call: str, *, timed_out: bool = False) -> Any:
    """Fail unless a call is attempted three times, in vain and without having been sent."""
    with pytest.raises(ConnectError) as caught:
        await CALLS[call](client)
    error = caught.value
    assert (error.outcome, error.attempts, error.maybe_applied) == ("not_sent", ATTEMPTS, False)
    assert (error.status, error.snippet, error.timed_out) == (None, None, timed_out)
    assert len(timer.waits) == ATTEMPTS - 1
    return error


@pytest.fixture
def through(connect: Any, timer: Any, target: Target) -> Any:
    """Makes a client that reaches the target through a proxy, and tries three times."""

    def through(url: str, **options: Any) -> Any:
        policy = RetryPolicy(attempts=ATTEMPTS)
        options = {"ssl": target.trusting, **options}
        return connect(target.url, proxy=url, timer=timer, retry=policy, **options)

    return through


@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_is_down(through: Any, timer: Any, target: Target, call: str) -> None:
    """A proxy that refuses the connection is retried, and nothing was sent."""
    with refused_url() as url:
        await check_not_sent(through(url), timer, call)
    assert target.server.accepted == 0


@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_wants_another_password(
    through: Any, timer: Any, target: Target, wire: Wire, call: str
) -> None:
    """A 407 of the proxy's is no answer of the API's: nothing was sent, and no key was seen."""
    client = through(f"http://user:wrong%21word@{wire.address}")
    error = await check_not_sent(client, timer, call)
    assert "407" in error.cause
    shown = f"{error} {vars(error)} {error.__cause__!r} {vars(client._transport)}"
    for word in ("wrong%21word", "wrong!word", "user:"):
        assert word not in shown
        assert word.encode() not in pickle.dumps(error)
    assert wire.sent.count(b"CONNECT") == ATTEMPTS
    check_tunnel(wire, target)
    assert target.server.accepted == 0


@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_cannot_reach_the_server(
    connect: Any, timer: Any, wire: Wire, call: str
) -> None:
    """A 502 of the proxy's is a failure to connect."""
    with refused_url() as url:
        client = connect(
            url.replace("http://127.0.0.1", f"https://{HOST}"),
            proxy=f"http://{USER}@{wire.address}",
            timer=timer,
            retry=RetryPolicy(attempts=ATTEMPTS),
        )
        await check_not_sent(client, timer, call)
    assert wire.accepted == ATTEMPTS


REFUSALS: dict[str, Step] = {
    "403": reply(403, b"<html>Not allowed</html>"),
    "302": reply(302, b"", {"Location": "http://127.0.0.1:9/"}),
    "407": reply(407, b"", {"Proxy-Authenticate": "Basic"}),
    "503 with Retry-After": reply(503, b"", {"Retry-After": "7"}),
    "closed": hang_up,
    "reset": reset,
    "not HTTP": NOT_HTTP,
    "head cut short": raw(b"HTTP/1.1 200 Conn", close=True),
    "closed after 200": raw(b"HTTP/1.1 200 OK\r\n\r\n", close=True),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_proxy_that_refuses_the_tunnel(
    serve: Any, through: Any, timer: Any, name: str, call: str
) -> None:
    """Whatever it does instead, nothing was sent, and it has seen no key."""
    server = await serve(REFUSALS[name])
    await check_not_sent(through(server.base_url), timer, call)
    assert {request.method for request in server.requests} == {"CONNECT"}
    assert len(server.requests) == ATTEMPTS
    for request in server.requests:
        assert not {"sb-api-key-id", "sb-api-secret-key"} & set(request.headers)
        assert not any(key.decode() in str(request.headers) for key in KEYS)


@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_does_not_answer(
    serve: Any, through: Any, timer: Any, call: str
) -> None:
    """The tunnel belongs to connecting: its time-out is retried, and nothing was sent."""
    server = await serve(hang)
    client = through(server.base_url, timeouts=Timeouts(connect=0.1, attempt=5))
    await check_not_sent(client, timer, call, timed_out=True)


@pytest.mark.parametrize("call", CALLS)
async def test_a_certificate_at_the_end_of_a_tunnel(
    connect: Any, timer: Any, target: Target, wire: Wire, call: str
) -> None:
    """The proxy vouches for nobody: a certificate nobody trusts is refused at once."""
    client = connect(target.url, proxy=f"http://{USER}@{wire.address}", timer=timer)
    with pytest.raises(TLSError) as caught:
        await CALLS[call](client)
    assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 1)
    assert target.server.requests == []
    check_tunnel(wire, target)
