"""Answers that are large, packed or endless: read up to a limit, and no further."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sendblue_async import (
    BadRequestError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    SendblueError,
    ServerError,
    Timeouts,
)
from sendblue_async._answer import MAX_ANSWER_SIZE, MAX_REFUSAL_SIZE

from ..sync.programs import Programs
from .servers import Step, contact, hang_up, raw, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1, settle=False)
CONTACT = json.dumps({"contact": {"phone": NUMBER}, "status": "OK"}).encode()
MEGABYTE = 2**20


def deflate(data: bytes) -> bytes:
    """The data in bare deflate, as some servers take the name."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": deflate,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
    "gzip, identity": gzip.compress,
    "identity": bytes,
    "utf-8": bytes,
    "gzip in members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
}


def packed(data: bytes, packing: str, status: int = 200) -> Step:
    """An answer with this body, packed in this way."""
    coding = packing.replace(", bare", "").replace(" in members", "")
    return reply(status, PACKERS[packing](data), {"Content-Encoding": coding})


@pytest.mark.parametrize("packing", PACKERS)
async def test_a_packed_answer_is_unpacked(serve: Any, connect: Any, packing: str) -> None:
    """Success and refusal alike, in whatever way they are packed."""
    server = await serve(
        packed(CONTACT, packing), packed(b'{"message": "Invalid phone number"}', packing, 400)
    )
    client = connect(server, retry=ONCE)
    assert (await client.get_contact(NUMBER)).contact.phone == NUMBER
    with pytest.raises(BadRequestError, match="Invalid phone number"):
        await client.get_contact(NUMBER)
    assert server.accepted == 1


async def test_what_is_offered_is_what_can_be_unpacked(serve: Any, connect: Any) -> None:
    """Every request names the same codings, whatever else is installed."""
    server = await serve(contact(NUMBER))
    client = connect(server)
    await client.create_contact(NUMBER)
    await client.get_contact(NUMBER)
    offered = [request.headers["accept-encoding"] for request in server.requests]
    assert offered == ["gzip, deflate"] * 2
    client = connect(server, default_headers={"Accept-Encoding": "identity"})
    await client.get_contact(NUMBER)
    assert server.requests[-1].headers["accept-encoding"] == "identity"


async def test_a_packed_answer_may_come_byte_by_byte(serve: Any, connect: Any) -> None:
    """Where it is cut makes no difference."""
    data = gzip.compress(gzip.compress(CONTACT))
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for byte in data:
            writer.write(b"1\r\n%c\r\n" % byte)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    assert (await connect(await serve(drip)).get_contact(NUMBER)).contact.phone == NUMBER


DAMAGED = {
    "cut short": (gzip.compress(CONTACT)[:-9], "gzip"),
    "cut short after the first of two": (gzip.compress(CONTACT) + gzip.compress(b" ")[:-4], "gzip"),
    "not packed at all": (CONTACT, "gzip"),
    "not packed at all, said to be deflate": (b"\x78" + CONTACT, "deflate"),
    "wrong checksum": (gzip.compress(CONTACT)[:-8] + b"\0" * 8, "gzip"),
    "more behind it": (gzip.compress(CONTACT) + b"more", "gzip"),
    "packed once, said to be twice": (gzip.compress(CONTACT), "gzip, gzip"),
    "packed twice, said to be once": (gzip.compress(gzip.compress(CONTACT)), "gzip"),
    "not offered": (gzip.compress(CONTACT), "br"),
    "too many codings": (gzip.compress(CONTACT), ", ".join(["gzip"] * 5000)),
    "too many members": (gzip.compress(b"") * 1000 + gzip.compress(CONTACT), "gzip"),
}


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("damage", DAMAGED)
async def test_what_cannot_be_unpacked_is_no_answer(
    serve: Any, connect: Any, damage: str, status: int
) -> None:
    """Of a success nothing is known then; of anything else the status says enough."""
    body, coding = DAMAGED[damage]
    server = await serve(reply(status, body, {"Content-Encoding": coding}))
    with pytest.raises(SendblueError) as caught:
        await connect(server, retry=ONCE).get_contact(NUMBER)
    assert type(caught.value) is (ServerError if status == 500 else ResponseFormatError)
    assert (caught.value.outcome, caught.value.status) == ("unknown", status)


async def test_nothing_is_packed_in_an_answer_without_a_body(serve: Any, connect: Any) -> None:
    """An answer to HEAD, or an empty one, has the header and nothing to unpack."""
    head = b"HTTP/1.1 %d So\r\nContent-Encoding: gzip\r\n"
    server = await serve(
        HEAD=raw(head % 200 + b"Content-Length: 99\r\n\r\n"),
        DELETE=raw(head % 204 + b"\r\n"),
        GET=raw(head % 404 + b"Content-Length: 0\r\n\r\n"),
    )
    client = connect(server)
    assert (await client.request("HEAD", "/api/v2/contacts")).data is None
    assert (await client.delete_contact(NUMBER)).meta.status_code == 204
    with pytest.raises(NotFoundError):
        await client.get_contact(NUMBER)


@pytest.mark.parametrize("packing", ["gzip", "deflate", "gzip, gzip"])
async def test_a_packed_answer_that_ends_early_is_none(
    serve: Any, connect: Any, packing: str
) -> None:
    """Nothing but the coding tells that something is missing; it does so at every byte."""
    data = PACKERS[packing](CONTACT)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {packing}\r\n\r\n".encode()
    steps = [raw(head + data[:end], close=True) for end in range(len(data) + 1)]
    server = await serve(*steps)
    client = connect(server, retry=ONCE)
    for _ in data:
        with pytest.raises(ResponseFormatError) as caught:
            await client.get_contact(NUMBER)
        assert caught.value.outcome == "unknown"
    assert (await client.get_contact(NUMBER)).contact.phone == NUMBER


def padded(size: int) -> bytes:
    """A good answer of so many bytes."""
    start, end = b'{"contact": {"phone": "+14155550123"}, "padding": "', b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("packing", ["identity", "gzip", "deflate, gzip"])
async def test_the_largest_answer(serve: Any, connect: Any, packing: str) -> None:
    """32 MB are read, and not a byte more, as they are after unpacking."""
    server = await serve(
        packed(padded(MAX_ANSWER_SIZE), packing), packed(padded(MAX_ANSWER_SIZE + 1), packing)
    )
    client = connect(server, retry=ONCE)
    assert (await client.get_contact(NUMBER)).contact.phone == NUMBER
    with pytest.raises(ResponseFormatError, match="larger than 32 MB") as caught:
        await client.get_contact(NUMBER)
    assert (caught.value.outcome, caught.value.status) == ("unknown", 200)
    assert (caught.value.snippet or "").startswith('{"contact"')


async def test_a_page_of_a_thousand_contacts_is_far_below_it(sandbox: Any, connect: Any) -> None:
    """The largest thing that the API is asked for takes a small part of what may be read."""
    client = connect(sandbox)
    variables = {f"label {n}": "value " * 10 for n in range(10)}
    for first in range(0, 1000, 500):
        await client.create_contacts_bulk(
            {"number": f"+1415{first + n:07}", "custom_variables": variables} for n in range(500)
        )
    page = await client.list_contacts(limit=1000)
    assert len(page) == 1000
    assert len(json.dumps([one.to_dict() for one in page])) < MAX_ANSWER_SIZE / 10


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequestError), (429, RateLimitError), (500, ServerError)]
)
@pytest.mark.parametrize("packing", ["", "gzip"])
async def test_the_largest_refusal(
    serve: Any, connect: Any, timer: Any, status: int, kind: type[SendblueError], packing: str
) -> None:
    """64 kB of it are read, and its status and its headers say what it means in any case."""
    short = json.dumps({"message": "It is said here", "padding": "x" * 60_000}).encode()
    long = json.dumps({"message": "It is said here", "padding": "x" * MAX_REFUSAL_SIZE}).encode()
    headers = {"Retry-After": "7"}
    if packing:
        headers["Content-Encoding"] = packing
        short, long = gzip.compress(short), gzip.compress(long)
    server = await serve(reply(status, short, headers), reply(status, long, headers))
    client = connect(server, timer=timer, retry=ONCE)
    with pytest.raises(kind, match="It is said here"):
        await client.get_contact(NUMBER)
    timer.now += 60
    with pytest.raises(kind) as caught:
        await client.get_contact(NUMBER)
    assert caught.value.retry_after == (None if status == 400 else 7)
    assert len(caught.value.snippet or "") == 200
    # Whether the rest was under way or has come: the connection of a whole answer may be kept.
    assert server.accepted <= 2


@pytest.mark.parametrize("method", ["create_contact", "get_contact"])
async def test_too_much_counts_as_cut_short(
    serve: Any, connect: Any, timer: Any, method: str
) -> None:
    """It is repeated on another connection, and a create is settled."""
    large = reply(200, padded(MAX_ANSWER_SIZE + 1))
    server = await serve(POST=[large, refusal(409)], GET=[large, contact(NUMBER)])
    response = await getattr(connect(server, timer=timer), method)(NUMBER)
    assert response.contact.phone == NUMBER
    assert response.meta.settled == (method == "create_contact")
    assert response.meta.attempts == 2


BOMB = zlib.compressobj(wbits=-zlib.MAX_WBITS)
BLOCK = BOMB.compress(b"\0" * MEGABYTE) + BOMB.flush(zlib.Z_FULL_FLUSH)
GZIP_HEAD = gzip.compress(b"")[:10]
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 10_000


def endless(start: bytes, block: bytes, times: int | None = None) -> Iterator[bytes]:
    """A body: its start, and then this block, without end or so many times."""
    yield start
    yield from repeat(block) if times is None else repeat(block, times)


def inside_gzip(body: Iterator[bytes]) -> Iterator[bytes]:
    """A body packed once more."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    for piece in body:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)


BODIES: dict[str, tuple[str, Any]] = {
    "plain": ("", lambda: endless(b"[", b" " * 65536)),
    "gzip, 512 MB": ("gzip", lambda: endless(GZIP_HEAD, BLOCK, 512)),
    "gzip, 1 GB": ("gzip", lambda: endless(GZIP_HEAD, BLOCK, 1024)),
    "gzip": ("gzip", lambda: endless(GZIP_HEAD, BLOCK)),
    "gzip, all at once": ("gzip", lambda: iter([GZIP_HEAD + BLOCK * 1024])),
    "deflate": ("deflate", lambda: endless(b"\x78\x9c", BLOCK)),
    "bare deflate": ("deflate", lambda: endless(b"", BLOCK)),
    "twice": ("gzip, gzip", lambda: inside_gzip(endless(GZIP_HEAD, BLOCK))),
    "a header twice": ("gzip\r\nContent-Encoding: gzip", lambda: inside_gzip(
        endless(GZIP_HEAD, BLOCK))),
    "nothing, without end": ("gzip", lambda: endless(GZIP_HEAD, EMPTY_BLOCKS)),
    "nothing, twice": ("gzip, gzip", lambda: inside_gzip(endless(GZIP_HEAD, EMPTY_BLOCKS))),
    "empty members": ("gzip", lambda: endless(b"", gzip.compress(b"") * 3000)),
    "another coding": ("br", lambda: endless(b"", BLOCK * 64)),
}  # fmt: skip
FRAMINGS = ["chunked", "no length", "length"]


def flood(status: int, coding: str, body: Any, framing: str) -> Step:
    """An answer that goes on for as long as anybody reads it."""
    lines = {
        "chunked": "Transfer-Encoding: chunked\r\n",
        "no length": "Connection: close\r\n",
        "length": f"Content-Length: {10**12}\r\n",
    }[framing]
    lines += f"Content-Encoding: {coding}\r\n" if coding else ""

    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} So\r\n{lines}\r\n".encode())
        for piece in filter(None, body()):
            size = b"%x\r\n" % len(piece)
            writer.write(size + piece + b"\r\n" if framing == "chunked" else piece)
            await writer.drain()
        await hang_up(_, writer)

    return step


READER = f"""
import asyncio, json, resource, time
from sendblue_async import RetryPolicy, SendblueClient, SendblueError, Timeouts

async def main():
    once, patience = RetryPolicy(attempts=1, settle=False), Timeouts(attempt=10, total=10)
    async with SendblueClient(retry=once, timeouts=patience) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range({len(BODIES) * len(FRAMINGS)}):
            began = time.monotonic()
            try:
                await client.get_contact("{NUMBER}")
            except SendblueError as error:
                ending = [type(error).__name__, error.outcome, error.status, error.timed_out]
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(json.dumps([*ending, time.monotonic() - began, grown / 1024]))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (200, "ResponseFormatError", "unknown"),
        (400, "BadRequestError", "rejected"),
        (500, "ServerError", "unknown"),
    ],
)
async def test_an_endless_answer_takes_no_memory_and_little_time(
    serve: Any, tmp_path: Path, status: int, kind: str, outcome: str
) -> None:
    """However it is packed and framed, the client stays small, and ends long before its deadline.

    The sizes are in megabytes: 1 MB of gzip would unpack to a thousand.
    """
    cases = [(name, framing) for name in BODIES for framing in FRAMINGS]
    server = await serve(*(flood(status, *BODIES[name], framing) for name, framing in cases))
    programs = Programs(tmp_path, server.base_url)
    printed = await asyncio.to_thread(programs.run, READER)
    endings = [json.loads(line) for line in printed.splitlines()]
    assert len(endings) == len(server.requests) == len(cases)
    for case, ending in zip(cases, endings, strict=True):
        *error, seconds, grown = ending
        assert error == [kind, outcome, status, False], case
        assert seconds < 8, case
        assert grown < 150, case
    await server.until(lambda: server.open == 0)


async def test_a_session_of_the_callers_own_reads_no_more(
    serve: Any, connect: Any, stack: Any
) -> None:
    """The limits hold for whatever session the request goes through."""
    server = await serve(flood(200, *BODIES["gzip"], "chunked"), packed(CONTACT, "gzip"))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = connect(server, retry=ONCE, session=session)
    with pytest.raises(ResponseFormatError, match="larger than 32 MB"):
        await client.get_contact(NUMBER)
    assert (await client.get_contact(NUMBER)).contact.phone == NUMBER


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("size", [9_000, 60_000])
@pytest.mark.parametrize("own_session", [False, True])
async def test_a_large_header_is_read(
    serve: Any, connect: Any, timer: Any, stack: Any, status: int, size: int, own_session: bool
) -> None:
    """As some proxies send them; a 429 keeps its ``Retry-After``."""
    headers = {"X-Trace": "x" * size, "Retry-After": "7"}
    document = {"contact": {"phone": NUMBER}} if status == 200 else {"message": "Slower"}
    server = await serve(reply(status, document, headers), contact(NUMBER))
    options = {}
    if own_session:
        options["session"] = await stack.enter_async_context(aiohttp.ClientSession())
    response = await connect(server, timer=timer, **options).get_contact(NUMBER)
    assert response.contact.phone == NUMBER
    if status == 200:
        assert len(response.meta.headers["x-trace"]) == size
    assert timer.waits == ([] if status == 200 else [pytest.approx(7, rel=0.06)])


@pytest.mark.parametrize("name", ["X-Trace", "Location", "Set-Cookie"])
async def test_a_header_that_is_too_large_is_told(serve: Any, connect: Any, name: str) -> None:
    """The error says what was wrong with the answer."""
    server = await serve(reply(200, CONTACT, {name: "x" * 70_000}))
    with pytest.raises(ResponseFormatError, match="a header of more than 64 kB") as caught:
        await connect(server, retry=ONCE).get_contact(NUMBER)
    assert caught.value.outcome == "unknown"


async def test_many_headers_are_read(serve: Any, connect: Any) -> None:
    """Several hundred of them are no reason to read none."""
    server = await serve(reply(200, CONTACT, {f"X-{n}": "x" for n in range(500)}))
    response = await connect(server, retry=ONCE).get_contact(NUMBER)
    assert response.meta.headers["x-499"] == "x"


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Endless: ", b""],
    ids=["headers", "one header", "answers before the answer"],
)
async def test_a_head_without_end_ends(serve: Any, connect: Any, start: bytes) -> None:
    """Headers, or a header, or 1xx answers that never stop are an error, in time."""

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        line = b"x" * 5000 if start.endswith(b": ") else b"X-A: b\r\n" * 500
        while True:
            writer.write(line if start else b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
            await writer.drain()
            await asyncio.sleep(0.001)

    client = connect(await serve(flood), retry=ONCE, timeouts=Timeouts(attempt=1))
    with pytest.raises(SendblueError) as caught:
        await client.get_contact(NUMBER)
    assert caught.value.outcome == "unknown"
