"""Redirects: never followed, as the keys are in headers that would go along."""

from __future__ import annotations

from typing import Any

import pytest

from sendblue_async import UnexpectedRedirectError

from .servers import contact, raw, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
STATUSES = [301, 302, 303, 307, 308]
CALLS: dict[str, Any] = {
    "create": lambda client: client.create_contact(NUMBER),
    "get": lambda client: client.get_contact(NUMBER),
    "update": lambda client: client.update_contact(NUMBER, first_name="Ada"),
    "delete": lambda client: client.delete_contact(NUMBER),
}


async def check_not_followed(client: Any, call: str, status: int) -> None:
    """Fail unless the call ends at once, with the redirect."""
    with pytest.raises(UnexpectedRedirectError, match="not followed") as caught:
        await CALLS[call](client)
    assert (caught.value.status, caught.value.snippet) == (status, "moved")
    assert (caught.value.outcome, caught.value.attempts) == ("rejected", 1)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_on_the_same_origin(
    serve: Any, connect: Any, status: int, call: str
) -> None:
    """The server gets one request, and none for the target."""
    server = await serve(reply(status, b"moved", {"Location": "/moved"}))
    await check_not_followed(connect(server), call, status)
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_to_another_origin(
    serve: Any, connect: Any, status: int, call: str
) -> None:
    """The other server does not even get a connection."""
    other = await serve(contact())
    target = {"Location": f"{other.base_url}/api/v2/contacts"}
    server = await serve(reply(status, b"moved", target))
    await check_not_followed(connect(server), call, status)
    assert (len(server.requests), other.accepted) == (1, 0)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_from_https_to_http(
    serve: Any, connect: Any, tls_for: Any, status: int, call: str
) -> None:
    """The keys never leave the encrypted connection."""
    plain, tls = await serve(contact()), tls_for("127.0.0.1")
    target = {"Location": f"{plain.base_url}/api/v2/contacts"}
    server = await serve(reply(status, b"moved", target), tls=tls.server)
    await check_not_followed(connect(server, ssl=tls.trusting), call, status)
    assert (len(server.requests), plain.accepted) == (1, 0)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "target", [None, b"", b"//[bad", b"http://\xff:99999", b"javascript:alert()"]
)
async def test_a_redirect_to_what_is_no_address(
    serve: Any, connect: Any, status: int, target: bytes | None
) -> None:
    """It is the same error: nobody reads the address."""
    line = b"" if target is None else b"Location: %b\r\n" % target
    answer = b"HTTP/1.1 %d Moved\r\nContent-Length: 5\r\n%b\r\nmoved" % (status, line)
    server = await serve(raw(answer))
    await check_not_followed(connect(server), "create", status)
    assert len(server.requests) == 1
