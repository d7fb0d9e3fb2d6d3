"""What each dial does to a request, seen from the other end of the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import aiohttp
import pytest

from sendblue_async.sandbox import Faults

pytestmark = pytest.mark.anyio

BEFORE = ["too_many_requests", "reset", "server_error", "redirect", "refusal_in_200"]
CREATE = {"number": "+14155550123"}
ONE_CONTACT = "/%2B14155550123"
AFTER = ["server_error_after_commit", "drop_after_commit", "short_body", "garbage", "not_http"]


async def raw_answer(api: Any, method: str = "POST", part: str = "", content: Any = None) -> bytes:
    """All bytes that come back for one request until the connection ends.

    By default the request is a create, or about the contact that it makes.
    """
    if not part and not content:
        part, content = ("", CREATE) if method == "POST" else (ONE_CONTACT, None)
    body = b"" if content is None else json.dumps(content).encode()
    head = f"{method} /api/v2/contacts{part} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in api.keys.items())
    head += f"Content-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.sandbox._bound_port)
    try:
        writer.write(head.encode() + body)
        return await reader.read()
    finally:
        writer.close()


async def outcome(api: Any, **fields: object) -> str:
    """How one create ends: its status, or the kind of error."""
    try:
        return str((await api.create(**fields)).status)
    except (aiohttp.ClientError, OSError) as error:
        return type(error).__name__


@pytest.mark.parametrize("dial", BEFORE)
async def test_faults_before_the_commit_store_nothing(start: Any, dial: str) -> None:
    """The request has no effect, and the fault and nothing else is counted."""
    api = await start(faults=Faults(**{dial: 1}))
    await outcome(api)
    assert not api.sandbox.contacts
    assert api.sandbox.counts == {"requests": 1, dial: 1}
    assert len(api.sandbox.requests) == 1


@pytest.mark.parametrize("dial", AFTER)
async def test_faults_after_the_commit_store_the_contact(start: Any, dial: str) -> None:
    """The request has its effect although the answer is spoiled, and both are counted."""
    api = await start(faults=Faults(**{dial: 1}))
    await outcome(api, first_name="Ada")
    assert api.sandbox.contacts["+14155550123"]["first_name"] == "Ada"
    assert api.sandbox.counts == {"requests": 1, "created": 1, dial: 1}


@pytest.mark.parametrize("dial", BEFORE + AFTER)
async def test_faults_strike_every_endpoint(start: Any, dial: str) -> None:
    """A fetch fails as a create does, and a path that does not exist does too."""
    api = await start()
    await api.create()
    api.sandbox.faults = Faults(**{dial: 1})
    with contextlib.suppress(ConnectionResetError):
        answer = await raw_answer(api, "GET")
        assert b'"status":"OK"' not in answer
    with contextlib.suppress(aiohttp.ClientError):
        assert (await api.request("POST", "/nowhere")).status != 404
    assert api.sandbox.counts[dial] == 2


@pytest.mark.parametrize(
    ("method", "part", "content", "done"),
    [
        ("PUT", ONE_CONTACT, {"first_name": "Ada"}, "updated"),
        ("DELETE", ONE_CONTACT, None, "deleted"),
        ("DELETE", "", {"contact_ids": ["+14155550123"]}, "deleted"),
        ("POST", "/bulk", {"contacts": [{"phone": "+14155550199"}]}, "created"),
        ("POST", "/verify", CREATE, "verifications"),
        ("POST", "/opt-out", CREATE, "opt_outs"),
        ("GET", "?limit=1", None, None),
        ("GET", "/count", None, None),
    ],
)
@pytest.mark.parametrize("dial", BEFORE + AFTER)
async def test_faults_spoil_every_action(
    start: Any, dial: str, method: str, part: str, content: object, done: str | None
) -> None:
    """A fault before the commit leaves all as it was; one after it spoils only the answer."""
    api = await start()
    await api.create()
    kept = dict(api.sandbox.contacts)
    whole = None if done else await raw_answer(api, method, part)
    api.sandbox.counts.clear()
    api.sandbox.faults = Faults(**{dial: 1})
    with contextlib.suppress(ConnectionResetError):
        answer = await raw_answer(api, method, part, content)
        assert b'"status":"OK"' not in answer
        assert answer != whole
    committed = {done: 1} if done and dial in AFTER else {}
    assert api.sandbox.counts == {"requests": 1, dial: 1, **committed}
    changes = bool(committed) and done != "verifications"
    assert (dict(api.sandbox.contacts) != kept) == changes


async def test_latency_and_jitter_delay_the_answer(start: Any) -> None:
    """The answer comes after the latency at the earliest, and both dials are counted."""
    api = await start(faults=Faults(latency=0.05, jitter=0.02))
    began = time.perf_counter()
    assert (await api.create()).status == 200
    assert 0.05 <= time.perf_counter() - began < 2
    assert api.sandbox.counts == {"requests": 1, "created": 1, "latency": 1, "jitter": 1}
    api.sandbox.faults = Faults(latency=0.01)
    await api.get()
    assert api.sandbox.counts["jitter"] == 1


async def test_the_contact_is_stored_after_the_latency(start: Any) -> None:
    """During its wait a request has had no effect yet."""
    api = await start(faults=Faults(latency=0.2))
    create = asyncio.create_task(api.create())
    await api.until(lambda: api.sandbox.counts["latency"])
    assert not api.sandbox.contacts
    await create
    assert api.sandbox.contacts


async def test_the_rate_limit_says_when_to_come_again(start: Any) -> None:
    """Beyond the rate the answer is 429 with Retry-After in seconds."""
    api = await start(faults=Faults(rate_limit=0.001))
    assert (await api.create()).status == 200
    reply = await api.create("+14155550199")
    assert reply.refusal == (429, "Too many requests")
    assert 990 <= int(reply.headers["Retry-After"]) <= 1000
    assert api.sandbox.counts == {"requests": 2, "created": 1, "rate_limit": 1}


async def test_a_plain_429_does_not_say_when(start: Any) -> None:
    """``too_many_requests`` has no Retry-After, unless the dial gives one, word for word."""
    api = await start(faults=Faults(too_many_requests=1))
    reply = await api.create()
    assert reply.refusal == (429, "Too many requests")
    assert "Retry-After" not in reply.headers
    for text in ("20", "007", "soon", "", "٣"):
        api.sandbox.faults = Faults(too_many_requests=1, retry_after=text)
        assert (await api.create()).headers["Retry-After"] == text


async def test_a_burst_of_429(start: Any) -> None:
    """One strike answers as many requests as the burst is long."""
    api = await start(faults=Faults(too_many_requests=1, too_many_requests_burst=3), seed=0)
    statuses = [await outcome(api)]
    api.sandbox._schedule._faults = Faults()
    statuses += [await outcome(api) for _ in range(3)]
    assert statuses == ["429", "429", "429", "200"]
    assert api.sandbox.counts["too_many_requests"] == 3


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526])
@pytest.mark.parametrize("when", ["server_error", "server_error_after_commit"])
async def test_server_errors_look_like_their_origin(start: Any, status: int, when: str) -> None:
    """A proxy's status comes with HTML, the API's own with JSON."""
    api = await start(faults=Faults(**{when: 1, f"{when}_status": status}))
    reply = await api.create()
    assert reply.status == status
    if status in (500, 501):
        assert reply.refusal == (status, "Internal server error")
    else:
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert reply.body.startswith(b"<html>")
        assert str(status).encode() in reply.body
    assert len(api.sandbox.contacts) == (when == "server_error_after_commit")


async def test_retry_after_goes_with_a_503_that_stored_nothing(start: Any) -> None:
    """A 503 carries the dial's Retry-After; other errors and those after a commit do not."""
    faults = Faults(server_error=1, server_error_status=503, retry_after="7")
    api = await start(faults=faults)
    assert (await api.create()).headers["Retry-After"] == "7"
    api.sandbox.faults = Faults(server_error=1, server_error_status=502, retry_after="7")
    assert "Retry-After" not in (await api.create()).headers
    api.sandbox.faults = Faults(
        server_error_after_commit=1, server_error_after_commit_status=503, retry_after="7"
    )
    assert "Retry-After" not in (await api.create()).headers


async def test_a_reset_is_a_tcp_reset(start: Any) -> None:
    """The connection is reset, not closed."""
    api = await start(faults=Faults(reset=1))
    with pytest.raises(ConnectionResetError):
        await raw_answer(api)


async def test_a_dropped_answer_is_an_orderly_close(start: Any) -> None:
    """The connection ends without a byte."""
    api = await start(faults=Faults(drop_after_commit=1))
    assert await raw_answer(api) == b""


async def test_a_short_body_breaks_off(start: Any) -> None:
    """The head announces the true length, half of the body comes, and the connection ends."""
    api = await start()
    whole = (await raw_answer(api)).partition(b"\r\n\r\n")[2]
    api.sandbox.faults = Faults(short_body=1)
    head, _, body = (await raw_answer(api, "GET")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(whole)}".encode() in head
    assert body == whole[: len(whole) // 2]
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.get()


async def test_garbage_is_a_200_without_json(start: Any) -> None:
    """The answer is whole, says 200 and JSON, and is none, even where the truth is a refusal."""
    api = await start(faults=Faults(garbage=1))
    for _ in range(2):
        reply = await api.create()
        assert reply.status == 200
        with pytest.raises(json.JSONDecodeError):
            _ = reply.json
    assert api.sandbox.counts["created"] == 1


async def test_not_http_is_another_protocol(start: Any) -> None:
    """What comes back has no status line."""
    api = await start(faults=Faults(not_http=1))
    answer = await raw_answer(api)
    assert answer
    assert not answer.startswith(b"HTTP/")
    with pytest.raises(aiohttp.ClientResponseError):
        await api.get()


async def test_a_refusal_in_a_200(start: Any) -> None:
    """The status line says 200, the body says ERROR."""
    api = await start(faults=Faults(refusal_in_200=1))
    assert (await api.create()).refusal == (200, "Request refused")


async def test_slow_bytes_come_one_by_one(start: Any) -> None:
    """The body is whole and its bytes come with pauses, also for a fault that answers."""
    faults = Faults(slow_bytes=1, slow_bytes_interval=0.005)
    api = await start(faults=faults)
    async with api.session.post(
        api.sandbox.base_url + "/api/v2/contacts",
        json={"number": "+14155550123"},
        headers=api.keys,
    ) as answer:
        began = time.perf_counter()
        chunks = [chunk async for chunk in answer.content.iter_any()]
    assert time.perf_counter() - began > 0.5
    body = b"".join(chunks)
    assert len(chunks) > len(body) / 4
    assert json.loads(body)["status"] == "OK"
    assert int(answer.headers["Content-Length"]) == len(body)
    api.sandbox.faults = Faults(slow_bytes=1, slow_bytes_interval=0, server_error=1)
    assert (await api.get()).refusal == (500, "Internal server error")
    api.sandbox.faults = Faults(slow_bytes=1, reset=1)
    await outcome(api)
    assert api.sandbox.counts["slow_bytes"] == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_point_where_they_are_told(start: Any, status: int) -> None:
    """307 to another path of this origin by default; status and target have dials."""
    api = await start(faults=Faults(redirect=1))
    reply = await api.create()
    assert (reply.status, reply.headers["Location"]) == (307, "/moved")
    target = "http://127.0.0.1:9/elsewhere"
    api.sandbox.faults = Faults(redirect=1, redirect_status=status, redirect_to=target)
    reply = await api.create()
    assert (reply.status, reply.headers["Location"]) == (status, target)


async def test_dials_can_be_turned_while_it_runs(start: Any) -> None:
    """New dials hold from the next request on."""
    api = await start(faults=Faults(server_error=1))
    assert await outcome(api) == "500"
    assert api.sandbox.faults == Faults(server_error=1)
    api.sandbox.faults = Faults()
    assert await outcome(api) == "200"


async def test_the_same_seed_gives_the_same_answers(start: Any) -> None:
    """Two sandboxes of one seed fail on the same requests in the same way; a third differs."""
    faults = Faults(
        reset=0.1,
        server_error=0.1,
        too_many_requests=0.05,
        too_many_requests_burst=3,
        drop_after_commit=0.1,
        short_body=0.1,
        garbage=0.1,
        not_http=0.1,
        redirect=0.1,
    )
    runs = []
    for seed in (11, 11, 12):
        api = await start(seed=seed, faults=faults)
        runs.append([await outcome(api, number=f"+1415555{n:04}") for n in range(150)])
        runs[-1].append(str(sorted(api.sandbox.counts.items())))
        assert len(api.sandbox.contacts) == api.sandbox.counts["created"]
    assert runs[0] == runs[1] != runs[2]
    assert len(set(runs[0])) > 5
