"""Answers without a body: a success where the answer has nothing to say that was asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sendblue_async import NotFoundError, ResponseFormatError, RetryPolicy
from sendblue_async.models import (
    BulkDeleteResponse,
    Contact,
    ContactResponse,
    OptOutResponse,
    StatusResponse,
)

from .servers import Step, contact, raw, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1, settle=False)

WITHOUT_DATA: dict[str, tuple[Callable[[Any], Awaitable[Any]], Any]] = {
    "update": (lambda client: client.update_contact(NUMBER, first_name="Ada"), ContactResponse()),
    "delete": (lambda client: client.delete_contact(NUMBER), StatusResponse()),
    "delete, missing": (
        lambda client: client.delete_contact(NUMBER, missing_ok=True),
        StatusResponse(),
    ),
    "opt out": (lambda client: client.opt_out_contact(NUMBER), OptOutResponse()),
    "verify": (lambda client: client.verify_contact(NUMBER), StatusResponse()),
    "bulk delete": (lambda client: client.delete_contacts_bulk([NUMBER]), BulkDeleteResponse()),
}
WITH_DATA: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "create": lambda client: client.create_contact(NUMBER),
    "upsert": lambda client: client.create_contact(NUMBER, update_if_exists=True),
    "get": lambda client: client.get_contact(NUMBER),
    "list": lambda client: client.list_contacts(),
    "count": lambda client: client.count_contacts(),
    "bulk create": lambda client: client.create_contacts_bulk([{"number": NUMBER}]),
}


def no_content(status: int, framing: str) -> Step:
    """An answer of this status and no body; one that comes all the same is not read."""
    lines = {
        "bare": "",
        "length": "Content-Length: 0\r\n",
        "type": "Content-Type: application/json\r\n",
        "chunks": "Transfer-Encoding: chunked\r\n",
    }[framing]
    end = "0\r\n\r\n" if framing == "chunks" and status == 205 else ""
    length = "Content-Length: 0\r\n" if status == 205 and framing in ("bare", "type") else ""
    return raw(f"HTTP/1.1 {status} No Content\r\n{lines}{length}\r\n{end}".encode())


@pytest.mark.parametrize("status", [204, 205])
@pytest.mark.parametrize("framing", ["bare", "length", "type", "chunks"])
@pytest.mark.parametrize("name", WITHOUT_DATA)
async def test_no_content_is_a_success(
    serve: Any, connect: Any, name: str, status: int, framing: str
) -> None:
    """One request is enough, and the answer has no data; its meta has the status."""
    server = await serve(no_content(status, framing))
    call, empty = WITHOUT_DATA[name]
    response = await call(connect(server))
    assert response == empty
    assert (response.meta.status_code, response.meta.attempts) == (status, 1)
    assert len(server.requests) == 1


async def test_an_update_without_data_shows_no_contact(serve: Any, connect: Any) -> None:
    """Nothing is made up: what was sent is not shown as what is stored."""
    server = await serve(no_content(204, "bare"))
    response = await connect(server).update_contact(NUMBER, first_name="Ada")
    assert (response.contact, response.status) == (Contact(), None)


@pytest.mark.parametrize("status", [204, 205])
@pytest.mark.parametrize("name", WITH_DATA)
async def test_no_content_is_no_answer_to_what_has_data(
    serve: Any, connect: Any, name: str, status: int
) -> None:
    """Whether the contact was stored cannot be told from it."""
    server = await serve(no_content(status, "bare"))
    with pytest.raises(ResponseFormatError) as caught:
        await WITH_DATA[name](connect(server, retry=ONCE))
    assert (caught.value.outcome, caught.value.status) == ("unknown", status)


@pytest.mark.parametrize("body", [b"", b"null", b" "])
@pytest.mark.parametrize("name", [*WITHOUT_DATA, *WITH_DATA])
async def test_an_empty_200_is_no_answer(serve: Any, connect: Any, name: str, body: bytes) -> None:
    """Where a body was announced and none came, a proxy may have lost it."""
    server = await serve(reply(200, body))
    call = WITHOUT_DATA[name][0] if name in WITHOUT_DATA else WITH_DATA[name]
    with pytest.raises(ResponseFormatError) as caught:
        await call(connect(server, retry=ONCE))
    assert (caught.value.outcome, caught.value.status) == ("unknown", 200)


async def test_a_create_without_content_is_settled(serve: Any, connect: Any, timer: Any) -> None:
    """Like any answer that makes no sense."""
    server = await serve(POST=[no_content(204, "bare"), refusal(409)], GET=contact(NUMBER))
    response = await connect(server, timer=timer).create_contact(NUMBER)
    assert (response.meta.settled, response.meta.attempts) == (True, 2)


async def test_no_content_after_a_doubt(serve: Any, connect: Any, timer: Any) -> None:
    """A delete that is repeated and answered with 204 is done, and needed no settling."""
    server = await serve(DELETE=[refusal(500), no_content(204, "bare")])
    response = await connect(server, timer=timer).delete_contact(NUMBER)
    assert (response.meta.settled, response.meta.attempts) == (False, 2)
    server = await serve(DELETE=[refusal(404)])
    with pytest.raises(NotFoundError):
        await connect(server, timer=timer).delete_contact(NUMBER)


async def test_any_call_may_have_no_content(serve: Any, connect: Any) -> None:
    """A call of one's own gets ``None``."""
    server = await serve(no_content(204, "bare"))
    assert (await connect(server).request("POST", "/api/v2/x", json={})).data is None
