"""Small servers that misbehave as told, on the loopback interface and on raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import anyio
from attrs import Factory, define, field, frozen

from sendblue_async.sandbox import Faults

FAULTS = Faults(
    too_many_requests=0.03,
    reset=0.05,
    server_error=0.05,
    server_error_after_commit=0.05,
    drop_after_commit=0.1,
    short_body=0.05,
    garbage=0.05,
)
"""Of every kind, for a sandbox that fails a third of all requests."""


@frozen(kw_only=True)
class Request:
    """One request as it came over the wire; the names of its headers in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Step = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does when a request has come in; it may close the connection."""


def reply(status: int = 200, body: Any = b"", headers: Mapping[str, str] | None = None) -> Step:
    """A whole answer on a connection that stays open; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"Content-Length": str(len(content)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return raw(f"HTTP/1.1 {status} Said So\r\n{lines}\r\n".encode() + content)


def contact(phone: str = "+14155550123", status: int = 200, **fields: Any) -> Step:
    """The answer that a stored contact gets."""
    return reply(status, {"contact": {"phone": phone, **fields}, "status": "OK"})


def echo(**fields: Any) -> Step:
    """The answer that a stored contact gets, about the number that the request's body names."""

    async def step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await contact(_current.get().json["number"], **fields)(reader, writer)

    return step


def refusal(status: int, message: str = "No", **headers: str) -> Step:
    """A refusal in the API's shape; underscores in the headers' names stand for dashes."""
    document = {"status": "ERROR", "message": message}
    return reply(status, document, {name.replace("_", "-"): headers[name] for name in headers})


def raw(content: bytes, *, close: bool = False) -> Step:
    """These very bytes."""

    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        if close:
            writer.close()

    return step


def drip(content: bytes, interval: float) -> Step:
    """A 200 whose body comes one byte every ``interval`` seconds."""

    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        for place in range(len(content)):
            await asyncio.sleep(interval)
            writer.write(content[place : place + 1])
            await writer.drain()

    return step


def late(seconds: float, then: Step) -> Step:
    """Another step, this much later."""

    async def step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await then(reader, writer)

    return step


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """No answer, for as long as the client stays."""
    await reader.read()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No answer: the connection is closed."""
    writer.close()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No answer: the connection is reset."""
    # Lingering for 0 seconds turns the close into a reset.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


CUT_SHORT = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"contact": {"pho', close=True)
CUT_SHORT_UNANNOUNCED = raw(b'HTTP/1.1 200 OK\r\n\r\n{"contact": {"pho', close=True)
NOT_HTTP = raw(b"220 mail.example.com ESMTP\r\n\x00\x01\x02\xff\r\n", close=True)


@define(eq=False, repr=False)
class Server:
    """What a server has seen.

    ``steps`` says what each request gets, in order of arrival, by method or for all alike; the
    last step is repeated for ever.
    """

    steps: dict[str, list[Step]]
    base_url: str = ""
    requests: list[Request] = Factory(list)
    accepted: int = 0
    open: int = 0
    most_open: int = 0
    tasks: set[asyncio.Task[Any]] = Factory(set)
    listener: asyncio.Server | None = None

    def stop_listening(self) -> None:
        """Refuse all connections from now on."""
        assert self.listener is not None
        self.listener.close()

    def count(self, method: str) -> int:
        """How many requests with this method have come."""
        return sum(request.method == method for request in self.requests)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true here; fail if it does not in 30 seconds."""
        with anyio.fail_after(30):
            while not condition():  # noqa: ASYNC110 - no event tells what only a test wants
                await asyncio.sleep(0.001)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        self.tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        self.accepted += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while not writer.is_closing():
                request = await _read(reader)
                self.requests.append(request)
                _current.set(request)
                steps = self.steps.get(request.method) or self.steps["*"]
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                await step(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            # Swallowed, the cancelling too, as streams report it as an error of the server.
            pass
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await writer.wait_closed()


# What the step that runs answers.
_current: ContextVar[Request] = ContextVar("_current")


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.split(":", 1) for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method=method, target=target, headers=headers, body=body)


@contextlib.asynccontextmanager
async def running(
    *steps: Step, tls: ssl.SSLContext | None = None, **by_method: Step | list[Step]
) -> AsyncIterator[Server]:
    """A server on a free port of 127.0.0.1 that takes these steps."""
    listed = {"*": list(steps)} if steps else {}
    for method, given in by_method.items():
        listed[method] = list(given) if isinstance(given, list) else [given]
    server = Server(steps=listed)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", ssl=tls)
    server.listener = listener
    port = listener.sockets[0].getsockname()[1]
    server.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


@contextlib.contextmanager
def refused_url() -> Iterator[str]:
    """The URL of a port at which nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


@contextlib.contextmanager
def full_backlog_url() -> Iterator[str]:
    """The URL of a socket that listens, accepts nobody, and has no place left in its queue."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
