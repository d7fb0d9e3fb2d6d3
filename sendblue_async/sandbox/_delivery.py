"""The ways, proper and improper, of putting an answer on the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from ._answer import Answer, reason_phrase

__all__ = ["CONNECTION_FAULTS", "send", "send_slowly"]

_NOT_HTTP = b"220 mail.example.com ESMTP\r\n\x00\x01\x02\xff\r\n"


def send(answer: Answer) -> web.StreamResponse:
    """Send the whole answer at once, as HTTP wants it."""
    return web.Response(status=answer.status, body=answer.body, headers=_headers(answer))


async def send_slowly(
    request: web.BaseRequest, answer: Answer, interval: float
) -> web.StreamResponse:
    """Send the head at once, then the body one byte every ``interval`` seconds."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(answer.body)
    await response.prepare(request)
    for index in range(len(answer.body)):
        await asyncio.sleep(interval)
        await response.write(answer.body[index : index + 1])
    return response


def _send_short(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send a head that announces the whole body and half of the body, and close the connection."""
    head = (
        f"HTTP/1.1 {answer.status} {reason_phrase(answer.status)}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n\r\n"
    )
    return _write_and_close(request, head.encode() + answer.body[: len(answer.body) // 2])


def _send_not_http(request: web.BaseRequest) -> web.StreamResponse:
    """Send bytes of another protocol, and close the connection."""
    return _write_and_close(request, _NOT_HTTP)


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection in the orderly way, without an answer."""
    return _write_and_close(request, b"")


def _reset_connection(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection (TCP RST), without an answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # Lingering for 0 seconds turns the close into a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def _write_and_close(request: web.BaseRequest, content: bytes) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        if content:
            transport.write(content)
        transport.close()
    # Never sent: aiohttp drops a response whose connection is closing.
    return web.Response()


def _headers(answer: Answer) -> dict[str, str]:
    return {"Content-Type": answer.content_type, "Server": "sendblue-sandbox", **answer.headers}


CONNECTION_FAULTS: dict[str, Callable[[web.BaseRequest, Answer], web.StreamResponse]] = {
    "reset": lambda request, _: _reset_connection(request),
    "drop_after_commit": lambda request, _: _hang_up(request),
    "short_body": _send_short,
    "not_http": lambda request, _: _send_not_http(request),
}
"""The faults that end in a broken connection, by the name of their dial."""
