"""Authentication, routes, what is recorded, and the life of the server."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import socket
import ssl
import time
from typing import Any

import aiohttp
import pytest
import trustme

from sendblue_async.sandbox import Faults, Sandbox

pytestmark = pytest.mark.anyio

ENDPOINTS = [
    ("POST", "", {"number": "+14155550123"}),
    ("GET", "", None),
    ("DELETE", "", {"contact_ids": ["+14155550199"]}),
    ("GET", "/%2B14155550199", None),
    ("PUT", "/%2B14155550199", {"first_name": "Ada"}),
    ("DELETE", "/%2B14155550199", None),
    ("POST", "/bulk", {"contacts": [{"phone": "+14155550123"}]}),
    ("GET", "/count", None),
    ("POST", "/verify", {"number": "+14155550199"}),
    ("POST", "/opt-out", {"number": "+14155550199"}),
]
KEYS = {"sb-api-key-id": "sandbox-key", "sb-api-secret-key": "sandbox-secret"}


NO_INPUTS = (403, {"message": "Did not get inputs for authorization"})
INVALID = (401, {"status": "ERROR", "message": "Invalid Credentials"})


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, NO_INPUTS),
        ({"sb-api-key-id": "sandbox-key"}, NO_INPUTS),
        ({"sb-api-secret-key": "sandbox-secret"}, NO_INPUTS),
        ({**KEYS, "sb-api-key-id": ""}, NO_INPUTS),
        ({**KEYS, "sb-api-secret-key": ""}, NO_INPUTS),
        ({"api-key-id": "sandbox-key", "api-secret-key": "sandbox-secret"}, NO_INPUTS),
        ({**KEYS, "sb-api-key-id": "wrong"}, INVALID),
        ({**KEYS, "sb-api-secret-key": "wrong"}, INVALID),
        ({**KEYS, "sb-api-secret-key": "sandbox-secret2"}, INVALID),
        ({**KEYS, "sb-api-secret-key": "sändbox"}, INVALID),
    ],
)
@pytest.mark.parametrize(("method", "part", "body"), ENDPOINTS)
async def test_missing_or_wrong_keys_are_refused(
    api: Any,
    headers: dict[str, str],
    refusal: tuple[int, Any],
    method: str,
    part: str,
    body: object,
) -> None:
    """Without both headers every endpoint answers 403, with a wrong pair 401, and does nothing."""
    await api.create("+14155550199")
    kept = dict(api.sandbox.contacts)
    reply = await api.request(method, f"/api/v2/contacts{part}", headers=headers, json=body)
    assert (reply.status, reply.json) == refusal
    assert reply.headers["Content-Type"].startswith("application/json")
    assert api.sandbox.contacts == kept
    assert api.sandbox.counts == {"requests": 2, "created": 1}


async def test_keys_can_be_chosen(start: Any) -> None:
    """The sandbox takes the keys it was given and no others."""
    api = await start(api_key="one", api_secret="zwei-ü")
    assert (await api.create()).status == 200
    assert (await api.request("GET", "/api/v2/contacts/x", headers=KEYS)).status == 401


@pytest.mark.parametrize(
    "path", ["/", "/api/v2", "/api/v2/contacts/", "/api/v2/contacts/a/b", "/api/v1/contacts"]
)
async def test_unknown_paths_answer_404(api: Any, path: str) -> None:
    """A path that is none of the API's answers 404 in JSON."""
    assert (await api.request("GET", path)).refusal == (404, "Not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v2/contacts", "DELETE, GET, POST"),
        ("PUT", "/api/v2/contacts?limit=1", "DELETE, GET, POST"),
        ("POST", "/api/v2/contacts/%2B14155550123", "DELETE, GET, PUT"),
        ("PATCH", "/api/v2/contacts/bulk", "DELETE, GET, POST, PUT"),
        ("POST", "/api/v2/contacts/count?limit=1", "DELETE, GET, PUT"),
        ("PATCH", "/api/v2/contacts/opt-out", "DELETE, GET, POST, PUT"),
    ],
)
async def test_unknown_methods_answer_405(api: Any, method: str, path: str, allowed: str) -> None:
    """A method that a path does not have answers 405 in JSON and names those it has."""
    reply = await api.request(method, path)
    assert reply.refusal == (405, "Method not allowed")
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize("last", ["bulk", "verify", "opt-out"])
@pytest.mark.parametrize("method", ["DELETE", "GET", "PUT"])
async def test_what_no_fixed_path_takes_is_about_a_contact(
    api: Any, method: str, last: str
) -> None:
    """A delete at ``/bulk`` is about a contact called "bulk", of which there is none."""
    await api.create()
    reply = await api.act(method, last, contact_ids=["+14155550123"], first_name="Eve")
    assert reply.refusal == (404, "Contact not found")
    assert (await api.get()).contact["first_name"] is None
    assert api.sandbox.counts == {"requests": 3, "created": 1}


async def test_requests_are_recorded_as_they_arrived(api: Any) -> None:
    """Method, raw path, headers and body are kept, newest last, without the two secrets."""
    await api.create("+1 415 555 0123", firstName="Ada")
    await api.request("GET", "/api/v2/contacts/%2B14155550123?a=%20b", headers={"X-Mine": "ü"})
    created, fetched = api.sandbox.requests
    assert (created.method, created.path) == ("POST", "/api/v2/contacts")
    assert created.json == {"number": "+1 415 555 0123", "firstName": "Ada"}
    assert b'"firstName"' in created.body
    assert created.header("Content-Type") == "application/json"
    assert created.header("SB-API-KEY-ID") == created.header("sb-api-secret-key") == "***"
    assert (fetched.method, fetched.path) == ("GET", "/api/v2/contacts/%2B14155550123?a=%20b")
    assert fetched.json is None
    assert fetched.header("x-mine") == "ü"
    assert fetched.header("sb-api-key-id") is None
    assert ("X-Mine", "ü") in fetched.headers


async def test_records_are_bounded(api: Any) -> None:
    """Only the newest thousand requests are kept, while all are counted."""
    connector = aiohttp.TCPConnector(limit=4)
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(1005):
            async with session.get(api.sandbox.base_url + "/x") as answer:
                await answer.read()
    assert len(api.sandbox.requests) == 1000
    assert api.sandbox.counts == {"requests": 1005}


async def test_secrets_are_in_no_output(
    start: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither representations, records, logs nor the standard streams hold a key."""
    caplog.set_level(logging.DEBUG)
    api = await start(api_key="KEY-1234", api_secret="SECRET-5678")
    await api.create()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.sandbox._bound_port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nsb-api-secret-key: SECRET-5678\x00\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
    writer.close()
    sandbox = api.sandbox
    seen = [repr(sandbox), repr(sandbox.contacts), repr(sandbox.faults), repr(sandbox.counts)]
    seen += [repr(sandbox.requests), *(repr(record.headers) for record in sandbox.requests)]
    seen += [caplog.text, *capfd.readouterr()]
    for text in seen:
        assert "KEY-1234" not in text
        assert "SECRET-5678" not in text
    assert not [record for record in caplog.records if "aiohttp" in record.name]


async def test_contacts_are_read_only(api: Any) -> None:
    """The mapping cannot be written to, and what it gives out is a copy."""
    await api.create(tags=["a"], custom_variables={"Plan": "gold"})
    contacts = api.sandbox.contacts
    kept = copy.deepcopy(dict(contacts))
    with pytest.raises(TypeError):
        contacts["+14155550199"] = {}
    contact = contacts["+14155550123"]
    contact["first_name"] = "Eve"
    contact["tags"].append("b")
    contact["custom_variables"]["Plan"] = "red"
    assert contacts == kept
    assert len(contacts) == 1
    with pytest.raises(KeyError):
        contacts["+14155550199"]


async def test_a_fault_in_the_sandbox_itself_is_an_answer(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong inside is logged and answers 500, and the server goes on."""

    def fail(*_: object) -> None:
        raise LookupError("inside")

    with monkeypatch.context() as patched:
        patched.setattr(api.sandbox._store, "get", fail, raising=False)
        assert (await api.create()).refusal == (500, "The sandbox failed: LookupError")
    assert "inside" in caplog.text
    assert (await api.create()).status == 200


async def test_the_base_url_names_the_port(start: Any) -> None:
    """It is what a client connects to, without a slash at the end, and not before the start."""
    api = await start()
    assert api.sandbox.base_url == f"http://127.0.0.1:{api.sandbox._bound_port}"
    assert "127.0.0.1" in repr(api.sandbox)
    everywhere = await start(host="0.0.0.0")
    assert everywhere.sandbox.base_url.startswith("http://127.0.0.1:")
    assert (await everywhere.create()).status == 200
    with pytest.raises(RuntimeError, match="before it has been started"):
        _ = Sandbox().base_url
    assert repr(Sandbox()) == "<Sandbox not running>"


async def test_ipv6_addresses_are_in_brackets(start: Any) -> None:
    """The address of an IPv6 sandbox can be used as it is."""
    api = await start(host="::1")
    assert api.sandbox.base_url.startswith("http://[::1]:")
    assert (await api.create()).status == 200


async def test_it_serves_tls(start: Any) -> None:
    """With an SSL context the sandbox speaks https; a reset works there too."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    api = await start(host="localhost", ssl=context)
    assert api.sandbox.base_url.startswith("https://localhost:")
    reply = await api.request(
        "POST", "/api/v2/contacts", json={"number": "+14155550123"}, ssl=trusting
    )
    assert reply.status == 200
    api.sandbox.faults = Faults(reset=1)

    def ask() -> None:
        # Plain sockets, because the TLS ones of some Pythons report a reset as an orderly end.
        address = ("127.0.0.1", api.sandbox._bound_port)
        with (
            socket.create_connection(address) as plain,
            plain.dup() as underneath,
            trusting.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while underneath.recv(65536):
                pass

    with pytest.raises(ConnectionResetError):
        await asyncio.to_thread(ask)


async def test_a_busy_port_is_a_clear_error(start: Any, tmp_path: Any) -> None:
    """Starting on a taken port raises OSError with the address, and leaves nothing behind."""
    api = await start()
    port = api.sandbox._bound_port
    late = Sandbox(port=port, db=tmp_path / "contacts.db")
    with pytest.raises(OSError, match=rf"Cannot listen on '127.0.0.1' port {port}: .*in use"):
        await late.start()
    with pytest.raises(RuntimeError):
        len(late.contacts)
    assert (await api.create()).status == 200
    await api.sandbox.close()
    async with late:
        assert late.base_url == f"http://127.0.0.1:{port}"


async def test_an_impossible_address_is_a_clear_error() -> None:
    """An address that is not this machine's raises OSError, a port out of range ValueError."""
    with pytest.raises(OSError, match=r"Cannot listen on '192\.0\.2\.1' port 0: [^(]*assign[^(]*$"):
        await Sandbox(host="192.0.2.1").start()
    with pytest.raises(ValueError, match="port must be a number from 0 to 65535, not 65536"):
        Sandbox(port=65536)
    # No name server is asked for an address with an interface that does not exist.
    with pytest.raises(OSError, match=r"^Cannot listen on 'fe80::1%none' port 80: [^(]*not known$"):
        await Sandbox(host="fe80::1%none", port=80).start()


@pytest.mark.parametrize("faults", [None, {"reset": 1.0}, "reset=1"])
async def test_what_are_no_faults_changes_nothing(start: Any, faults: Any) -> None:
    """The message says how they are written, and the sandbox serves as before."""
    api = await start()
    with pytest.raises(TypeError, match=r"^faults must be Faults, .* or Faults\(\) for none"):
        api.sandbox.faults = faults
    assert (await api.create()).status == 200
    if faults is not None:
        with pytest.raises(TypeError, match=r"^faults must be Faults"):
            Sandbox(faults=faults)


async def test_a_start_that_fails_late_frees_the_port(tmp_path: Any) -> None:
    """When the TLS context cannot be used, the port and the contact file are let go."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sandbox = Sandbox(port=port, db=tmp_path / "contacts.db", ssl=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await sandbox.start()
    with socket.create_server(("127.0.0.1", port)):
        pass
    with pytest.raises(RuntimeError):
        len(sandbox.contacts)


async def test_it_starts_once_and_closes_twice() -> None:
    """A second start is an error, a second close is not, and a closed sandbox can start again."""
    sandbox = Sandbox()
    await sandbox.close()
    await sandbox.start()
    with pytest.raises(RuntimeError, match="running already"):
        await sandbox.start()
    url = sandbox.base_url
    async with aiohttp.ClientSession(headers=KEYS) as session:
        body = {"number": "+14155550123"}
        async with session.post(url + "/api/v2/contacts", json=body) as answer:
            assert answer.status == 200
    await sandbox.close()
    await sandbox.close()
    assert "+14155550123" in sandbox.contacts
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", sandbox._bound_port)
    async with sandbox:
        assert len(sandbox.contacts) == 1


@pytest.mark.parametrize("status", [199, 204, 205, 300, 409])
def test_a_create_cannot_answer_any_status(status: int) -> None:
    """``created_status`` must be a 2xx that has a body."""
    with pytest.raises(ValueError, match="created_status must be a 2xx"):
        Sandbox(created_status=status)


@pytest.mark.parametrize(
    "faults", [Faults(latency=30), Faults(slow_bytes=1, slow_bytes_interval=30)]
)
async def test_closing_does_not_wait_for_answers(start: Any, faults: Faults) -> None:
    """Requests still waiting when the sandbox closes are cut off at once, without a warning."""
    api = await start(faults=faults)
    waiting = asyncio.create_task(api.create())
    await api.until(lambda: api.sandbox.requests)
    began = time.perf_counter()
    await api.sandbox.close()
    assert time.perf_counter() - began < 2
    with pytest.raises(aiohttp.ClientError):
        await waiting
    gc.collect()


async def test_a_client_that_leaves_does_no_harm(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection lost amid a body, a wait or a slow answer stores what had fully arrived."""
    head = b"POST /api/v2/contacts HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n"
    head += b"".join(f"{name}: {value}\r\n".encode() for name, value in KEYS.items()) + b"\r\n"
    body = b'{"number": "+14155550123"}'

    async def leave_after(content: bytes, requests: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", api.sandbox._bound_port)
        writer.write(content)
        await api.until(lambda: api.sandbox.counts["requests"] == requests)
        writer.transport.abort()

    await leave_after(head + body[:5], 1)
    await asyncio.sleep(0.05)
    assert not api.sandbox.contacts
    api.sandbox.faults = Faults(slow_bytes=1, slow_bytes_interval=0.001)
    await leave_after(head + body, 2)
    api.sandbox.faults = Faults(latency=0.05, drop_after_commit=1)
    await leave_after(head + body.replace(b"0123", b"0199"), 3)
    await api.until(lambda: len(api.sandbox.contacts) == 2)
    api.sandbox.faults = Faults()
    assert set(api.sandbox.contacts) == {"+14155550123", "+14155550199"}
    assert (await api.get()).status == 200
    assert not caplog.records


async def test_a_connection_serves_many_requests(api: Any) -> None:
    """Answers that are whole keep the connection open, refusals included."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.sandbox._bound_port)
    for _ in range(3):
        writer.write(b"GET /api/v2/contacts/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()) == b"HTTP/1.1 403 Forbidden\r\n"
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
    writer.close()
