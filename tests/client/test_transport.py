"""Edges of the attempt loop: times that meet exactly, and answers at the end of their range."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from attrs import evolve

from sendblue_async import (
    ConfigurationError,
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    ServerError,
    Timeouts,
    TLSError,
    UnexpectedRedirectError,
)
from sendblue_async._credentials import find_credentials
from sendblue_async._exchange import make_timeout
from sendblue_async._rate_limits import FixedRateLimiter
from sendblue_async._transport import Transport

from .failures import FAILURES, Setting
from .servers import contact, full_backlog_url, hang, late, raw, refusal

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1)


async def upsert(client: Any) -> Any:
    """One create that is harmless to repeat; nothing is looked up afterwards."""
    client = client.with_options(retry=evolve(client._retry, settle=False))
    return await client.create_contact(NUMBER, update_if_exists=True)


async def test_a_retry_at_the_very_deadline_is_too_late(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A wait that ends when the time of the call does is not begun."""
    server = await serve(refusal(500))
    with pytest.raises(ServerError) as caught:
        await upsert(connect(server, timer=timer, timeouts=Timeouts(total=0.75)))
    assert timer.waits == [0.25]
    assert caught.value.attempts == len(server.requests) == 2


async def test_a_place_at_the_very_deadline_is_too_late(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A slot of the rate limit that comes when the time of the call is over is not waited for."""
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=1, timeouts=Timeouts(total=1))
    await upsert(client)
    with pytest.raises(RateLimitError) as caught:
        await upsert(client)
    assert (caught.value.retry_after, timer.waits) == (1, [])
    assert (caught.value.timed_out, caught.value.maybe_applied) == (False, False)
    assert len(server.requests) == 1


@pytest.mark.parametrize("late", [0.0, 0.5, 100.0])
async def test_a_retry_that_wakes_up_too_late_is_not_made(
    serve: Any, connect: Any, timer: Any, late: float
) -> None:
    """Nothing is sent at or after the deadline, and what was not sent counts as no attempt."""
    server = await serve(refusal(500), contact())
    client = connect(server, timer=timer, timeouts=Timeouts(total=8))

    def oversleep() -> None:
        timer.now = 1008 - 0.25 + late

    timer.on_wait = oversleep
    with pytest.raises(OutcomeUnknownError, match="had no time left") as caught:
        await upsert(client)
    assert (caught.value.attempts, caught.value.timed_out) == (1, True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("attempts", [2, 3])
async def test_an_attempt_that_was_held_back_does_not_count(
    serve: Any, connect: Any, timer: Any, attempts: int
) -> None:
    """The error of a retry that got no slot of the rate limit has the attempts that were sent."""
    server = await serve(*[refusal(429)] * attempts)
    options = {"rate_limit": 0.5, "timeouts": Timeouts(total=2 * attempts)}
    with pytest.raises(RateLimitError, match="after the deadline") as caught:
        await upsert(connect(server, timer=timer, retry=RetryPolicy(base=0, cap=0), **options))
    assert caught.value.attempts == len(server.requests) == attempts


async def test_little_time_is_enough_to_send(serve: Any, connect: Any, standing_timer: Any) -> None:
    """A call is sent as long as any of its time is left."""
    server = await serve(contact())
    client = connect(server, timer=standing_timer, timeouts=Timeouts(total=0.9))
    assert (await upsert(client)).meta.attempts == 1


async def test_a_place_after_a_pause_is_kept(serve: Any, connect: Any, timer: Any) -> None:
    """A caller that waited for the end of a pause sends then, and waits for no second place."""
    server = await serve(refusal(429, Retry_After="10"), contact())
    client = connect(server, timer=timer, rate_limit=1)
    with pytest.raises(RateLimitError):
        await upsert(client.with_options(retry=ONCE))
    await upsert(client)
    assert timer.waits == [10]


async def test_waking_up_early_costs_no_second_wait(serve: Any, connect: Any, timer: Any) -> None:
    """A sleep that ends a moment before its time is not followed by another one."""
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=1)
    await upsert(client)

    def wake_early() -> None:
        timer.now -= 0.001

    timer.on_wait = wake_early
    await upsert(client)
    assert timer.waits == [1]


@pytest.mark.parametrize("status", [408, 425, 503])
async def test_only_a_429_pauses_the_others(
    serve: Any, connect: Any, standing_timer: Any, status: int
) -> None:
    """A time that another answer names concerns only the call that got it."""
    server = await serve(refusal(status, Retry_After="20"), contact())
    client = connect(server, timer=standing_timer)
    with pytest.raises(SendblueError):
        await upsert(client.with_options(retry=ONCE))
    await upsert(client)
    assert standing_timer.waits == []


async def test_the_time_since_the_start_is_told(
    serve: Any, connect: Any, timer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer and the log tell the seconds since the call began, waits included."""
    caplog.set_level(logging.DEBUG, "sendblue_async")
    timer.now = 0.125
    server = await serve(refusal(500), refusal(500), contact())
    response = await upsert(connect(server, timer=timer))
    assert response.meta.elapsed == 0.75
    told = [seconds for line in caplog.messages for seconds in re.findall(r"\d\.\d{3}(?= s)", line)]
    assert told == ["0.000", "0.250", "0.750"]


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("with_timer", [False, True])
async def test_requests_under_way_at_once(
    serve: Any, connect: Any, timer: Any, limit: int | None, with_timer: bool
) -> None:
    """There are as many as was asked for, or 100, and not one more."""
    server = await serve(hang)
    options = {} if limit is None else {"max_connections": limit}
    client = connect(server, timer=timer if with_timer else None, **options)
    async with anyio.create_task_group() as tasks:
        for _ in range((limit or 100) + 2):
            tasks.start_soon(upsert, client)
        await server.until(lambda: len(server.requests) == (limit or 100))
        await asyncio.sleep(0.05)
        assert len(server.requests) == (limit or 100)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, ResponseFormatError),
        (201, ResponseFormatError),
        (299, ResponseFormatError),
        (300, UnexpectedRedirectError),
        (301, UnexpectedRedirectError),
    ],
)
async def test_an_answer_cut_short_is_judged_by_its_status(
    serve: Any, connect: Any, status: int, error: type[SendblueError]
) -> None:
    """A 2xx whose body is cut short is unreadable; any other status says enough by itself."""
    head = f"HTTP/1.1 {status} So\r\nContent-Length: 99\r\n\r\n".encode()
    server = await serve(raw(head + b'{"mess', close=True))
    with pytest.raises(SendblueError) as caught:
        await upsert(connect(server, retry=ONCE))
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.snippet) == (status, '{"mess')


async def test_a_wait_soon_after_the_clocks_zero(serve: Any, connect: Any, timer: Any) -> None:
    """A slot of the rate limit is waited for in full, whatever the clock shows."""
    timer.now = 0.125
    server = await serve(contact())
    client = connect(server, timer=timer, rate_limit=1)
    await upsert(client)
    await upsert(client)
    assert timer.waits == [1]


async def test_refused_and_then_out_of_reach_is_rejected(
    serve: Any, connect: Any, timer: Any
) -> None:
    """What reached the server once was sent, though the last attempt was not."""
    answer = b"HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    server = await serve(raw(answer, close=True))
    timer.on_wait = server.stop_listening
    with pytest.raises(ConnectError) as caught:
        await upsert(connect(server, timer=timer))
    assert (caught.value.outcome, caught.value.attempts) == ("rejected", 4)
    assert "Nothing was sent" not in str(caught.value)


async def test_a_call_without_time_left_tells_of_its_last_answer(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The error of a retry that was never made has the status and the words of the one before."""
    server = await serve(refusal(500, "It broke"))

    def oversleep() -> None:
        timer.now = 2000

    timer.on_wait = oversleep
    with pytest.raises(OutcomeUnknownError, match="had no time left") as caught:
        await upsert(connect(server, timer=timer))
    assert (caught.value.status, caught.value.attempts) == (500, 1)
    assert "It broke" in (caught.value.snippet or "")


@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}, {"limit_per_host": 2}])
async def test_the_limits_of_the_callers_own_session_are_queued_for(
    serve: Any, connect: Any, stack: AsyncExitStack, limits: dict[str, int]
) -> None:
    """A wait for a connection of a given session does not count as connecting."""
    server = await serve(late(0.15, contact()))
    connector = aiohttp.TCPConnector(**limits)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    client = connect(server, session=session, retry=ONCE, timeouts=Timeouts(connect=0.2))
    answers = await asyncio.gather(*(upsert(client) for _ in range(6)))
    assert len(answers) == 6
    assert server.most_open <= 2


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_half_an_answer_that_makes_sense_is_no_answer(
    serve: Any, connect: Any, status: int
) -> None:
    """A 2xx that announces more than comes is unreadable, even if what came could be read."""
    head = f"HTTP/1.1 {status} So\r\nContent-Length: 99\r\n\r\n".encode()
    server = await serve(raw(head + b'{"contact": {"phone": "+1"}}', close=True))
    with pytest.raises(ResponseFormatError, match="cut short"):
        await upsert(connect(server, retry=ONCE))


async def test_it_does_not_matter_where_the_clock_begins(
    serve: Any, connect: Any, standing_timer: Any
) -> None:
    """Soon after its zero, the clock of the machine means the same spans of time as later."""
    standing_timer.now = 0.125
    server = await serve(late(0.1, contact()))
    options = {"rate_limit": 1, "max_connections": 1}
    client = connect(server, timer=standing_timer, timeouts=Timeouts(total=0.5), **options)
    with pytest.raises(RateLimitError) as caught:
        await asyncio.gather(upsert(client), upsert(client))
    assert caught.value.retry_after == 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("json", [None, {"a": 1}])
@pytest.mark.parametrize("ending", ["reset in the TLS handshake", "reset before an answer"])
async def test_whether_a_request_was_sent(
    stack: AsyncExitStack,
    authority: trustme.CA,
    connect: Any,
    method: str,
    json: Any,
    ending: str,
) -> None:
    """A connection lost in the handshake carried nothing, whatever the method and the body."""
    scene = await FAILURES[ending](Setting(stack=stack, authority=authority, method=method))
    with pytest.raises(SendblueError) as caught:
        await connect(scene.url, retry=ONCE).request(method, "/api/v2/x", json=json)
    not_sent = "handshake" in ending
    assert type(caught.value) is (ConnectError if not_sent else OutcomeUnknownError)
    assert caught.value.outcome == ("not_sent" if not_sent else "unknown")
    assert scene.attempts is not None
    assert scene.attempts() == 1


async def test_a_session_of_the_callers_own_times_out_while_connecting(
    connect: Any, stack: AsyncExitStack
) -> None:
    """The limit of an attempt leaves time to tell that it was the connecting that took too long."""
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = connect(
        stack.enter_context(full_backlog_url()),
        session=session,
        retry=ONCE,
        timeouts=Timeouts(attempt=0.3),
    )
    with pytest.raises(ConnectError, match=r"timed out after 0\.3 s") as caught:
        await client.get_contact(NUMBER)
    assert caught.value.outcome == "not_sent"


@pytest.mark.parametrize(
    ("attempt", "connect", "connecting"),
    [(10.0, 5.0, 5.0), (10.0, 30.0, 9.0), (2.0, 5.0, 1.8), (0.5, 0.5, 0.45), (0.5, 0.1, 0.1)],
)
async def test_connecting_ends_before_the_attempt_does(
    attempt: float, connect: float, connecting: float
) -> None:
    """Connecting takes its own limit or nine tenths of the attempt's, unrounded."""
    timeout = make_timeout(attempt, connect)
    assert (timeout.total, timeout.ceil_threshold) == (attempt, math.inf)
    assert timeout.connect == pytest.approx(connecting)
    assert (timeout.sock_connect, timeout.sock_read) == (None, None)


async def test_a_session_that_is_closed_in_between(
    serve: Any, connect: Any, stack: AsyncExitStack
) -> None:
    """The call that finds a given session closed made no attempt, and teaches no rate limit."""
    server = await serve(contact())
    session = await stack.enter_async_context(aiohttp.ClientSession())
    limiter = Pupil()
    client = connect(server, session=session)._with_rate_limiter(limiter)
    await upsert(client)
    await session.close()
    with pytest.raises(ConfigurationError, match="was not sent") as caught:
        await upsert(client)
    assert (caught.value.attempts, caught.value.outcome) == (0, "not_sent")
    assert (caught.value.timed_out, len(server.requests)) == (False, 1)
    assert limiter.lessons == ["accepted"]


async def test_a_session_of_the_callers_own_checks_certificates(
    serve: Any, connect: Any, tls_for: Any, stack: AsyncExitStack
) -> None:
    """A server with an unknown certificate gets no request through a given session either."""
    server = await serve(contact(), tls=tls_for("127.0.0.1").server)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    with pytest.raises(TLSError):
        await upsert(connect(server, session=session))
    assert server.requests == []


async def test_a_session_of_the_callers_own_keeps_its_certificates(
    serve: Any,
    connect: Any,
    tls_for: Any,
    authority: trustme.CA,
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """What the environment names replaces nothing that a given session was made to trust."""
    tls = tls_for("127.0.0.1")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    server = await serve(contact(), tls=tls.server)
    connector = aiohttp.TCPConnector(ssl=tls.trusting)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    assert (await upsert(connect(server, session=session))).status == "OK"


class Pupil(FixedRateLimiter):
    """A rate limiter that writes down what it is taught."""

    def __init__(self) -> None:
        super().__init__()
        self.lessons: list[str] = []

    def on_accepted(self, now: float) -> None:
        """An answer that took a slot of the server's limit."""
        self.lessons.append("accepted")

    def on_throttled(self, now: float) -> None:
        """A 429."""
        self.lessons.append("throttled")


@pytest.mark.parametrize(
    ("step", "lessons"),
    [
        (contact(), ["accepted"]),
        (refusal(400), ["accepted"]),
        (refusal(409), ["accepted"]),
        (refusal(429), ["throttled"]),
        (refusal(408), []),
        (refusal(500), []),
        (raw(b"", close=True), []),
    ],
)
async def test_what_a_rate_limiter_learns(
    serve: Any, connect: Any, step: Any, lessons: list[str]
) -> None:
    """Answers that the server gave in health count as accepted; failures teach nothing."""
    limiter = Pupil()
    client = connect(await serve(step), retry=ONCE)._with_rate_limiter(limiter)
    with contextlib.suppress(SendblueError):
        await upsert(client)
    assert limiter.lessons == lessons


async def test_an_account_has_a_name_that_shows_no_key() -> None:
    """It is the same for one key and one server, and another one for every other."""

    def account(key: str, secret: str, url: str) -> str:
        return Transport(find_credentials(key, secret), url).account

    names = {
        account("key-1", "s", "https://api.example"),
        account("key-2", "s", "https://api.example"),
        account("key-1", "s", "https://other.example"),
    }
    assert len(names) == 3
    assert account("key-1", "another", "https://api.example/") in names
    assert not any("key" in name for name in names)


async def test_plain_http_to_another_machine_has_to_be_asked_for() -> None:
    """Keys do not travel in the clear unless somebody said that they may."""
    with pytest.raises(ConfigurationError, match="not https"):
        Transport(find_credentials("k", "s"), "http://api.example")
    Transport(find_credentials("k", "s"), "http://api.example", allow_http=True)


@pytest.mark.parametrize("key", ["sandbox-key", "!signs-first", "~signs-last"])
async def test_an_echo_in_what_is_no_http_hides_its_cause(serve: Any, key: str) -> None:
    """An error of aiohttp's that quotes a key is told in masked words and not passed on."""
    server = await serve(raw(f"{key} is no HTTP\r\n\r\n".encode(), close=True))
    async with SendblueClient(key, "x-secret", base_url=server.base_url, retry=ONCE) as client:
        with pytest.raises(ResponseFormatError) as caught:
            await upsert(client)
    assert caught.value.__cause__ is None
    assert "***" in str(caught.value.cause)
    assert key not in str(caught.value.cause)
