"""A contacts API over TLS that fails in every way of the truth table; a program of its own.

Run with one argument, a JSON object: ``seed``, ``ordered`` (whether faults may come up that depend
on the order of requests and connections), ``read_lag`` (how many seconds reads lag behind writes)
and ``certificates`` (PEM files by the name of the row that presents them). It prints one line,
where it listens; at a line on its standard input, or the end of that, it prints another one, what
it has stored and seen, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import sys
import time
from collections import Counter, deque
from typing import Any
from urllib.parse import unquote

from attrs import Factory, define, frozen
from faults import ROWS, SOMEBODY, ConnectionRow, Fault, connection_row, fault_of, is_taken

HOST = "127.0.0.1"
ALL = "/api/v2/contacts"
REFUSING = 0.015
DRIP = 0.004
LONG_AGO = "2019-05-01T00:00:00.000Z"
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
JSON, HTML = "application/json", "text/html"
SECRETS = ("sb-api-key-id", "sb-api-secret-key")


@frozen
class Request:
    """One request as it came over the wire; the names of its headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def number(self) -> str:
        """The phone number that it is about."""
        if self.method == "POST":
            return str(json.loads(self.body)["number"])
        return unquote(self.path.removeprefix(f"{ALL}/"))


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request of a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = [line.split(":", 1) for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


@define(eq=False)
class Store:
    """Contacts by number, each number once.

    Attributes:
        read_lag: How many seconds ago reads see it.
        contacts: The fields of each.
        created: How often each number was created by a request.
        late: Creates that are carried out only when all calls are over.
    """

    read_lag: float = 0.0
    contacts: dict[str, dict[str, Any]] = Factory(dict)
    seen: dict[str, dict[str, Any]] = Factory(dict)
    unseen: deque[tuple[float, str, dict[str, Any]]] = Factory(deque)
    created: Counter[str] = Factory(Counter)
    late: list[dict[str, Any]] = Factory(list)

    def write(self, body: dict[str, Any]) -> bool:
        """Create or update as asked; whether there is no such contact in the way."""
        fields = fields_in(body)
        number = body["number"]
        if number not in self.contacts:
            self.contacts[number] = fields
            self.created[number] += 1
        elif body.get("update_if_exists") is True:
            self.contacts[number].update(fields)
        else:
            return False
        self.unseen.append((time.monotonic(), number, dict(self.contacts[number])))
        return True

    def read(self, number: str) -> dict[str, Any] | None:
        """The fields of a contact, as they were a while ago."""
        now = time.monotonic()
        while self.unseen and self.unseen[0][0] <= now - self.read_lag:
            _, changed, fields = self.unseen.popleft()
            self.seen[changed] = fields
        return self.seen.get(number)


def refusal(message: str) -> dict[str, Any]:
    """The answer of a refusal in the API's shape."""
    return {"status": "ERROR", "message": message}


EXISTS = 409, refusal("Contact already exists")
NOT_FOUND = 404, refusal("Contact not found")


def fields_in(body: dict[str, Any]) -> dict[str, Any]:
    """What a create wants stored."""
    return {key: body[key] for key in body if key not in ("number", "update_if_exists")}


def shown(number: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The answer that shows a contact; somebody else's has been there for years."""
    created = LONG_AGO if fields == SOMEBODY else NOW
    return {"contact": {"phone": number, **fields, "created_at": created}, "status": "OK"}


def encoded(status: int, content: bytes | dict[str, Any], **headers: str) -> bytes:
    """A whole HTTP answer; underscores in the headers' names stand for dashes."""
    body = json.dumps(content).encode() if isinstance(content, dict) else content
    kind = JSON if isinstance(content, dict) else HTML
    head = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} Said So\r\n{lines}\r\n".encode() + body


@define(eq=False)
class Act:
    """The end of one request: the ways that ``Row.act`` names.

    Attributes:
        reader, writer: The connection.
        fault: What is to happen.
        status, document: The answer of a server that works.
        elsewhere: The URL of another origin, for redirects.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fault: Fault
    status: int
    document: dict[str, Any]
    elsewhere: str

    async def answer(self) -> None:
        """The status of the row, or the proper answer if that is what the row is about."""
        row = self.fault.row
        headers = {}
        if row.retry_after:
            headers["Retry_After"] = row.retry_after
        if 300 <= row.status < 400:
            headers["Location"] = self.elsewhere
        if row.status == 200:
            self.writer.write(encoded(self.status, self.document))
        elif row.status in (502, 503, 504) or row.status >= 520:
            self.writer.write(encoded(row.status, b"<html>Bad gateway</html>", **headers))
        else:
            self.writer.write(encoded(row.status, refusal("Not this time"), **headers))

    async def refuse_with_200(self) -> None:
        """A 200 that is a refusal."""
        self.writer.write(encoded(200, refusal("Not this time")))

    async def drip(self) -> None:
        """The proper answer, in small pieces."""
        content = encoded(self.status, self.document)
        step = len(content) // 5 + 1
        for start in range(0, len(content), step):
            self.writer.write(content[start : start + step])
            await asyncio.sleep(DRIP)

    async def answer_and_close(self) -> None:
        """The proper answer on a connection that seems to stay open, and then does not."""
        self.writer.write(encoded(self.status, self.document))
        self.writer.close()

    async def reset(self) -> None:
        """No answer: the connection is reset."""
        # Lingering for 0 seconds turns the close into a reset.
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def hang_up(self) -> None:
        """No answer: the connection is closed."""
        self.writer.close()

    async def hang(self) -> None:
        """No answer, for as long as the client stays."""
        await self.reader.read()

    async def stall(self) -> None:
        """The first half of the proper answer, and no more for as long as the client stays."""
        content = encoded(self.status, self.document)
        self.writer.write(content[: len(content) - 20])
        await self.reader.read()

    async def cut_short(self) -> None:
        """A body that ends before the length that was announced."""
        self.writer.write(encoded(self.status, self.document)[:-20])
        self.writer.close()

    async def cut_short_chunked(self) -> None:
        """A body whose last chunk is missing."""
        body = json.dumps(self.document).encode()
        self.writer.write(self.head("Transfer-Encoding: chunked"))
        self.writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        self.writer.close()

    async def cut_short_openly(self) -> None:
        """Part of a body whose length was not announced."""
        body = json.dumps(self.document).encode()
        self.writer.write(self.head("Server: chaos") + body[:-20])
        self.writer.close()

    def head(self, line: str) -> bytes:
        """The head of the proper answer, with one more line and no length."""
        first = f"HTTP/1.1 {self.status} Said So"
        return f"{first}\r\nContent-Type: {JSON}\r\n{line}\r\n\r\n".encode()

    async def answer_html(self) -> None:
        """A 200 of some proxy's."""
        self.writer.write(encoded(200, b"<html>Welcome</html>"))

    async def answer_half(self) -> None:
        """A 200 that is whole for HTTP, and whose JSON is cut short."""
        body = json.dumps(self.document).encode()[:-20]
        self.writer.write(encoded(200, body, Content_Type=JSON))

    async def answer_other_json(self) -> None:
        """A 200 with JSON that is no contact's."""
        self.writer.write(encoded(200, {"hello": "world"}))

    async def answer_nothing(self) -> None:
        """A 204."""
        self.writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def answer_other_protocol(self) -> None:
        """Bytes that are no HTTP."""
        self.writer.write(b"220 mail.example.com ESMTP\r\n\x00\x01\x02\xff\r\n")
        self.writer.close()


@define(eq=False)
class Server:
    """The API, what it has stored and what it has seen."""

    seed: int
    ordered: bool
    identities: dict[str, ssl.SSLContext]
    elsewhere: str = ""
    store: Store = Factory(Store)
    requests: Counter[str] = Factory(Counter)
    rows: dict[str, Counter[str]] = Factory(lambda: {row.name: Counter() for row in ROWS})
    seen: Counter[str] = Factory(Counter)
    conflicts: Counter[str] = Factory(Counter)
    connections: Counter[str] = Factory(Counter)
    redirected: Counter[str] = Factory(Counter)
    surprises: list[str] = Factory(list)
    tasks: set[asyncio.Task[Any]] = Factory(set)

    def spawn(self, job: Any) -> None:
        """Run something beside the rest."""
        task = asyncio.ensure_future(job)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def accept(self, port: int) -> None:
        """Take connections, and for short spells refuse them."""
        while True:
            with listening(port) as listener:
                listener.setblocking(False)
                while (row := self.next_connection()) != "refused":
                    await self.take(listener, row)
            await asyncio.sleep(REFUSING)

    def next_connection(self) -> ConnectionRow:
        """What is to happen to the connection that comes next."""
        before = sum(self.connections.values())
        row = connection_row(self.seed, before) if self.ordered else "served"
        self.connections[row] += 1
        return row

    async def take(self, listener: socket.socket, row: ConnectionRow) -> None:
        """Serve one more connection, or spoil it."""
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        if row == "handshake hangs":
            self.spawn(say_nothing(connection))
        else:
            self.spawn(self.shake_hands(connection, self.identities[row]))

    async def shake_hands(self, connection: socket.socket, identity: ssl.SSLContext) -> None:
        """Serve a connection under one of the certificates."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader, self.serve)
        # A client that does not like the certificate, or has no time, goes away.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=identity)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side ends it."""
        try:
            while not writer.is_closing():
                await self.handle(await read_request(reader), reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        except Exception as error:
            self.surprises.append(repr(error))
        finally:
            writer.close()

    async def handle(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry out one request as far as its fault lets it, and act out its end."""
        number = request.number
        before = self.seen[number]
        self.seen[number] += 1
        if before == 0 and is_taken(self.seed, number):
            self.store.contacts[number] = self.store.seen[number] = dict(SOMEBODY)
        fault = fault_of(self.seed, number, before, ordered=self.ordered)
        status, document = self.carry_out(request, fault)
        act = Act(reader, writer, fault, status, document, self.elsewhere)
        await getattr(act, fault.row.act)()

    def carry_out(self, request: Request, fault: Fault) -> tuple[int, dict[str, Any]]:
        """The status and the answer of a server that works; counts what became of a create."""
        self.requests[request.method] += 1
        count = self.rows[fault.row.name]
        count[request.method] += 1
        if request.method == "GET":
            fields = self.store.read(request.number)
            return (200, shown(request.number, fields)) if fields else NOT_FOUND
        body = json.loads(request.body)
        if fault.late:
            count["late"] += 1
            self.store.late.append(body)
        if fault.stored:
            count["stored"] += 1
            if not self.store.write(body):
                self.conflicts["told" if fault.row.outcome == "done" else "hidden"] += 1
                return EXISTS
        # Not stored, an answer that breaks off has to begin as if it were.
        return 200, shown(request.number, fields_in(body))

    async def serve_elsewhere(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The other origin: agrees to everything, and takes down whether it was given the keys."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while True:
                request = await read_request(reader)
                self.redirected["requests"] += 1
                self.redirected["secrets"] += all(name in request.headers for name in SECRETS)
                writer.write(encoded(200, shown("+14155550199", {})))
        writer.close()

    def report(self) -> dict[str, Any]:
        """What is stored once all that was late has come, and what was seen."""
        for body in self.store.late:
            self.store.write(body)
        return {
            "contacts": self.store.contacts,
            "created": self.store.created,
            "requests": self.requests,
            "seen": self.seen,
            "rows": self.rows,
            "conflicts": self.conflicts,
            "connections": self.connections,
            "redirected": self.redirected,
            "surprises": self.surprises,
        }


@contextlib.contextmanager
def bound(port: int) -> Any:
    """A socket that has a port to itself and its like."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((HOST, port))
        yield holder


@contextlib.contextmanager
def listening(port: int) -> Any:
    """A socket that listens at a port."""
    with bound(port) as listener:
        listener.listen(256)
        yield listener


async def say_nothing(connection: socket.socket) -> None:
    """Leave a connection unanswered until the client gives it up."""
    loop = asyncio.get_running_loop()
    with connection, contextlib.suppress(OSError):
        while await loop.sock_recv(connection, 65536):
            pass


def identity(path: str) -> ssl.SSLContext:
    """TLS settings for the key and certificate in a PEM file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


async def main() -> None:
    """Serve until told to report."""
    settings = json.loads(sys.argv[1])
    # A client that goes away in the middle of a handshake is no news here.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    identities = {name: identity(path) for name, path in settings["certificates"].items()}
    store = Store(read_lag=settings["read_lag"])
    server = Server(settings["seed"], settings["ordered"], identities, store=store)
    other = await asyncio.start_server(server.serve_elsewhere, HOST, ssl=identities["served"])
    port = other.sockets[0].getsockname()[1]
    server.elsewhere = f"https://{HOST}:{port}{ALL}"
    # Never listens: it keeps the port from everybody else while connections are refused.
    with bound(0) as holder:
        port = holder.getsockname()[1]
        server.spawn(server.accept(port))
        await asyncio.sleep(0)
        print(f"https://{HOST}:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(server.report()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
