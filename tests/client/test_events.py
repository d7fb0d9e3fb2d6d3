"""What listeners given as ``on_event`` get to know of calls, and that they break none."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
from attrs import fields

from sendblue_async import (
    CallEvent,
    ConfigurationError,
    RateLimiter,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SyncSendblueClient,
    ValidationError,
    _events,
)
from sendblue_async.sandbox import Sandbox

from .servers import Step, contact, hang_up, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
KEYS = "sandbox-key", "sandbox-secret"
DOCS = Path(__file__).parents[2] / "docs" / "observability.md"


def kinds(events: list[CallEvent]) -> list[str]:
    """The kinds of events, in their order."""
    return [event.kind for event in events]


async def test_a_call_with_retries_is_told_from_attempt_to_end(
    serve: Any, connect: Any, timer: Any
) -> None:
    """Each failed attempt, each throttling, each retry and the end is one event."""
    events: list[CallEvent] = []
    server = await serve(
        refusal(500, "Down", X_Request_Id="r-1"), refusal(429, Retry_After="7"), contact()
    )
    client = connect(server, timer=timer, on_event=events.append)
    await client.create_contact(NUMBER, update_if_exists=True)
    call = {"method": "POST", "path": "/api/v2/contacts", "route": "/api/v2/contacts"}
    call["number"] = "…0123"
    failed: Any = {
        **call,
        "status": 500,
        "outcome": "unknown",
        "error_type": "ServerError",
        "reason": "was answered with 500: Down",
        "request_id": "r-1",
    }
    throttled: Any = {
        **call,
        "attempts": 2,
        "elapsed": 0.25,
        "status": 429,
        "outcome": "rejected",
        "error_type": "RateLimitError",
        "reason": "was answered with 429: No; the server asks to wait 7 s",
        "retry_after": 7.0,
    }
    ended: Any = {**call, "attempts": 3, "elapsed": pytest.approx(7.6), "status": 200}
    waits = timer.waits
    assert events == [
        CallEvent(kind="attempt_failed", attempts=1, **failed),
        CallEvent(kind="retry", attempts=1, wait=waits[0], **failed),
        CallEvent(kind="attempt_failed", **throttled),
        CallEvent(kind="throttled", **throttled),
        CallEvent(kind="retry", wait=waits[1], **throttled),
        CallEvent(kind="call_ended", **ended),
    ]
    assert waits == [0.25, pytest.approx(7 * 1.05)]


async def test_a_call_that_fails_ends_with_its_error(serve: Any, connect: Any, timer: Any) -> None:
    """The last event has the very error that the call raises, and its fields."""
    events: list[CallEvent] = []
    server = await serve(hang_up)
    retry = RetryPolicy(attempts=2, settle=False)
    client = connect(server, timer=timer, retry=retry, on_event=[events.append])
    with pytest.raises(SendblueError) as caught:
        await client.create_contact(NUMBER, update_if_exists=True)
    assert kinds(events) == ["attempt_failed", "retry", "attempt_failed", "call_ended"]
    end = events[-1]
    assert end.error is caught.value
    assert (end.error_type, end.outcome, end.attempts) == ("OutcomeUnknownError", "unknown", 2)
    assert (end.reason, end.elapsed) == (str(caught.value), 0.25)
    assert pickle.loads(pickle.dumps(end)).error_type == "OutcomeUnknownError"


async def test_a_settled_call_is_told_as_settled_and_as_ended_well(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The attempts of look-ups are events of their own method; the call ends without an error."""
    events: list[CallEvent] = []
    server = await serve(POST=[hang_up, refusal(409)], GET=[refusal(429), contact()])
    client = connect(server, timer=timer, on_event=events.append)
    await client.create_contact(NUMBER)
    assert [(event.kind, event.method, event.status) for event in events] == [
        ("attempt_failed", "POST", None),
        ("retry", "POST", None),
        ("attempt_failed", "POST", 409),
        ("attempt_failed", "GET", 429),
        ("throttled", "GET", 429),
        ("retry", "GET", 429),
        ("settled", "POST", 200),
        ("call_ended", "POST", 200),
    ]
    assert [(event.attempts, event.outcome, event.error) for event in events[-2:]] == [
        (2, None, None),
        (2, None, None),
    ]
    assert events[3].route == "/api/v2/contacts/{number}"
    assert [event.attempts for event in events] == [1, 1, 2, 1, 1, 1, 2, 2]


async def test_calls_of_batches_imports_views_and_pages_are_told(
    sandbox: Sandbox, connect: Any, tmp_path: Path
) -> None:
    """Every call has one end, whoever makes it: a row, a bulk request, a view, a page."""
    events: list[CallEvent] = []
    client = connect(sandbox, on_event=events.append)
    rows = [{"number": NUMBER}, {"number": "+14155550124"}]
    async for result in client.create_contacts(rows, update_if_exists=True):
        assert result.outcome == "stored"
    file = tmp_path / "contacts.csv"
    file.write_text("number\n+14155550125\n+14155550126\n", encoding="utf-8")
    await client.import_contacts(file, update_if_exists=True)
    await client.create_contacts_bulk([{"number": "+14155550127"}])
    await client.with_options(retry=RetryPolicy(attempts=1)).count_contacts()
    assert [contact.phone async for contact in client.iter_contacts()]
    ended = [(event.method, event.route) for event in events if event.kind == "call_ended"]
    upsert, bulk = ("POST", "/api/v2/contacts"), ("POST", "/api/v2/contacts/bulk")
    assert ended[:4] == [upsert] * 4
    assert bulk in ended
    assert ("GET", "/api/v2/contacts/count") in ended
    assert len(ended) >= 7
    assert {event.outcome for event in events} == {None}


async def test_what_is_no_call_is_no_event(connect: Any) -> None:
    """A value that cannot be sent is told to the caller alone."""
    events: list[CallEvent] = []
    with pytest.raises(ValidationError):
        await connect("http://127.0.0.1:9", on_event=events.append).create_contact("555")
    assert events == []


async def test_a_cancelled_call_has_no_end(serve: Any, connect: Any, standing_timer: Any) -> None:
    """Whoever cancels a call knows of it."""
    events: list[CallEvent] = []
    server = await serve(refusal(500))
    client = connect(server, timer=standing_timer, on_event=events.append)
    task = asyncio.ensure_future(client.get_contact(NUMBER))
    await server.until(lambda: len(events) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kinds(events) == ["attempt_failed", "retry"]


class Broken(RateLimiter):
    """A rate limiter with a mistake in one of its methods, which quotes what it should not."""

    def __init__(self, method: str) -> None:
        setattr(self, method, self.fail)

    def fail(self, *_: object) -> float:
        """Raise what is no error of ours."""
        raise ZeroDivisionError(f"for {NUMBER}")

    def reserve_slot(self, now: float, before: float = 0) -> float:
        """Give a slot at once."""
        return now


@pytest.mark.parametrize("method", ["reserve_slot", "on_accepted", "on_throttled", "pause"])
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_call_that_raises_what_is_no_error_of_ours_has_an_end(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture, method: str, blocking: bool
) -> None:
    """The event has the very exception, and neither it nor the log line repeats what that says."""
    caplog.set_level(logging.INFO, logger="sendblue_async")
    events: list[CallEvent] = []
    answer = contact() if method == "on_accepted" else refusal(429, Retry_After="1")
    server = await serve(answer)
    options: Any = {"rate_limit": Broken(method), "on_event": events.append}
    if blocking:
        client = SyncSendblueClient(*KEYS, base_url=server.base_url, **options)
        with pytest.raises(ZeroDivisionError) as caught:
            await asyncio.to_thread(client.get_contact, NUMBER)
        await asyncio.to_thread(client.close)
    else:
        client = connect(server, **options)
        with pytest.raises(ZeroDivisionError) as caught:
            await client.get_contact(NUMBER)
    [end] = [event for event in events if event.kind == "call_ended"]
    assert end.error is caught.value
    assert (end.error_type, end.outcome, end.reason) == ("ZeroDivisionError", "unknown", None)
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert line.startswith("GET /api/v2/contacts/…0123: failed after ")
    assert line.endswith(" s, outcome unknown: ZeroDivisionError")


async def test_a_look_up_that_raises_what_is_no_error_of_ours_ends_the_call(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The end is that of the call, once."""
    events: list[CallEvent] = []
    server = await serve(POST=hang_up, GET=contact())
    retry = RetryPolicy(attempts=1)
    limiter = Broken("on_accepted")
    client = connect(server, timer=timer, retry=retry, rate_limit=limiter, on_event=events.append)
    with pytest.raises(ZeroDivisionError):
        await client.create_contact(NUMBER)
    assert [(event.kind, event.method) for event in events] == [
        ("attempt_failed", "POST"),
        ("call_ended", "POST"),
    ]


async def test_an_attempt_that_was_not_made_has_not_failed(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A call that is held back until its time is over has an end, and no attempt."""
    events: list[CallEvent] = []
    server = await serve(refusal(429, Retry_After="1000"), contact())
    client = connect(server, timer=timer, on_event=events.append)
    for _ in range(2):
        with pytest.raises(SendblueError):
            await client.get_contact(NUMBER)
    assert kinds(events) == ["attempt_failed", "throttled", "call_ended", "call_ended"]
    assert [event.attempts for event in events] == [1, 1, 1, 0]
    assert (events[-1].error_type, events[-1].outcome) == ("RateLimitError", "not_sent")


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_listener_that_raises_breaks_no_call(
    serve: Any, connect: Any, timer: Any, caplog: pytest.LogCaptureFixture, blocking: bool
) -> None:
    """Its exception is logged with its traceback, once; the other listeners hear all the same."""
    caplog.set_level(logging.WARNING, logger="sendblue_async")
    events: list[CallEvent] = []

    def fail(event: CallEvent) -> None:
        raise ZeroDivisionError(f"of {event.kind}")

    listeners = [fail, events.append]
    server = await serve(contact(), contact(), refusal(400))
    if blocking:
        client = SyncSendblueClient(*KEYS, base_url=server.base_url, on_event=listeners)
        await asyncio.to_thread(client.get_contact, NUMBER)
        await asyncio.to_thread(client.get_contact, NUMBER)
        with pytest.raises(SendblueError):
            await asyncio.to_thread(client.get_contact, NUMBER)
        await asyncio.to_thread(client.close)
    else:
        client = connect(server, timer=timer, on_event=listeners)
        await client.get_contact(NUMBER)
        await client.get_contact(NUMBER)
        with pytest.raises(SendblueError):
            await client.get_contact(NUMBER)
    assert kinds(events) == ["call_ended", "call_ended", "attempt_failed", "call_ended"]
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "raised ZeroDivisionError; the call continues" in record.getMessage()
    assert record.exc_info
    assert str(record.exc_info[1]) == "of call_ended"


async def test_a_listener_that_raises_a_cancellation_breaks_no_call(
    sandbox: Sandbox, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As asking a future that was cancelled for its result does."""
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    client = connect(sandbox, on_event=lambda event: cancelled.result())
    assert (await client.create_contact(NUMBER)).contact.phone == NUMBER
    assert "raised CancelledError; the call continues" in caplog.text


async def test_a_listener_may_cancel_the_task(serve: Any, connect: Any, timer: Any) -> None:
    """A task that is cancelled during a call ends the call, whoever cancels it."""
    events: list[CallEvent] = []

    def cancel(event: CallEvent) -> None:
        events.append(event)
        if event.kind == "retry":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    client = connect(await serve(refusal(500), contact()), timer=timer, on_event=cancel)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(client.get_contact(NUMBER))
    assert kinds(events) == ["attempt_failed", "retry"]


class Dashboard(dict[str, str]):
    """A listener that cannot be hashed, and whose repr shows what it holds."""

    def __call__(self, event: CallEvent) -> None:
        """Fail."""
        raise KeyError(event.kind)


async def test_any_object_may_be_the_listener_that_raises(
    sandbox: Sandbox, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named by its class, and not shown."""
    await connect(sandbox, on_event=Dashboard(token="hush-5f3a9c")).count_contacts()
    [record] = caplog.records
    assert (
        record.getMessage()
        == "on_event: the listener Dashboard raised KeyError; the call continues"
    )
    assert "hush" not in caplog.text


async def test_a_listener_that_turns_out_to_be_async_is_reported(
    sandbox: Sandbox, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A coroutine that nobody would await is closed, and the mistake is logged."""

    async def listen(event: CallEvent) -> None:
        raise AssertionError("never runs")

    await connect(sandbox, on_event=lambda event: listen(event)).count_contacts()
    assert "A listener must not be async." in caplog.text


async def hear(event: CallEvent) -> None:
    """A listener that is async."""


class Hearing:
    """A listener that is an object whose call is async."""

    async def __call__(self, event: CallEvent) -> None:
        """Hear of an event."""


@pytest.mark.parametrize(
    ("on_event", "words"),
    [
        ("print", "on_event must be a function, or a list of functions"),
        (5, "on_event must be a function, or a list of functions"),
        ([print, None], r"on_event\[1\] must be a function, not None"),
        (hear, "on_event must not be async"),
        ([print, Hearing()], r"on_event\[1\] must not be async"),
    ],
)
async def test_what_cannot_listen_is_refused(connect: Any, on_event: object, words: str) -> None:
    """A client is not made with what is no function, or one that would have to be awaited."""
    with pytest.raises(ConfigurationError, match=words):
        connect("http://127.0.0.1:9", on_event=on_event)
    with pytest.raises(ConfigurationError, match=words):
        SyncSendblueClient(on_event=on_event)  # type: ignore[arg-type]


async def test_no_event_is_made_that_nobody_gets(
    serve: Any,
    connect: Any,
    timer: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without listeners and with the log level off, no call pays for an event."""
    caplog.set_level(logging.ERROR, logger="sendblue_async")
    made: list[object] = []
    monkeypatch.setattr(_events, "CallEvent", lambda **values: made.append(values))
    server = await serve(refusal(500), contact(), refusal(400), hang_up, refusal(409), contact())
    client = connect(server, timer=timer)
    await client.get_contact(NUMBER)
    with pytest.raises(SendblueError):
        await client.get_contact(NUMBER)
    assert (await client.create_contact(NUMBER)).meta.settled
    assert made == []
    caplog.set_level(logging.DEBUG, logger="sendblue_async")
    await client.get_contact(NUMBER)
    assert made


SPELLINGS = [NUMBER, "+1 (415) 555-0123", "14155550123", "+1%20415%20555%200123", "%2B14155550123"]
TELLING = " and ".join([*SPELLINGS, *KEYS])


@pytest.mark.parametrize(
    "step",
    [
        reply(400, {"message": TELLING, "code": TELLING}, {"X-Request-Id": KEYS[1]}),
        reply(429, {"message": TELLING}),
        reply(500, {"message": TELLING}),
        reply(200, {"status": "ERROR", "message": TELLING}, {"X-Request-Id": KEYS[1]}),
        reply(302, b"", {"Location": f"/{NUMBER}"}),
        hang_up,
    ],
)
async def test_no_field_has_a_whole_number_or_a_key(
    serve: Any, connect: Any, timer: Any, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    """Neither an event nor a log record's fields tell what they must not."""
    caplog.set_level(logging.DEBUG, logger="sendblue_async")
    events: list[CallEvent] = []
    server = await serve(step)
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=2), on_event=events.append)
    for call in (
        client.create_contact(NUMBER, first_name="Ada", tags=["vip"]),
        client.get_contact(NUMBER),
        client.delete_contact(NUMBER),
        client.list_contacts(number=NUMBER),
        client.request("GET", f"/api/x/{NUMBER.replace('+', '%2B')}/y", params={"name": "Ada"}),
        client.create_contacts_bulk([{"number": NUMBER, "first_name": "Ada"}]),
    ):
        with pytest.raises(SendblueError):
            await call
    assert sum(event.kind == "call_ended" for event in events) == 6
    assert "/api/x/{number}/y" in {event.route for event in events}
    shown = [repr(event) for event in events]
    shown += [repr(vars(record)) for record in caplog.records]
    # These numbers of a record have as many digits.
    own = r"'(created|msecs|relativeCreated|thread|process)': [^,]*"
    shown = [re.sub(own, "", text) for text in shown]
    for text in shown:
        for hidden in ("415", "Ada", "vip", *KEYS):
            assert hidden not in text
        assert not re.search(r"[0-9]{7}", text)


async def test_a_key_in_the_identifier_of_a_success_is_masked(serve: Any, connect: Any) -> None:
    """An event about a success has what the server calls the request, without a key in it."""
    events: list[CallEvent] = []
    body = {"contact": {"phone": NUMBER}, "status": "OK"}
    server = await serve(reply(200, body, {"X-Request-Id": f"for-{KEYS[1]}-1"}))
    await connect(server, on_event=events.append).get_contact(NUMBER)
    assert events[0].request_id == "for-***-1"


async def test_a_record_has_the_fields_of_its_event(
    serve: Any, connect: Any, timer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A record has every field but the error, prefixed, beside a text of the same."""
    caplog.set_level(logging.DEBUG, logger="sendblue_async")
    events: list[CallEvent] = []
    server = await serve(refusal(503), contact())
    await connect(server, timer=timer, on_event=events.append).get_contact(NUMBER)
    records = [record for record in caplog.records if record.name == "sendblue_async"]
    assert len(records) == len(events) == 3
    names = [field.name for field in fields(CallEvent) if field.name != "error"]
    for record, event in zip(records, events, strict=True):
        assert {f"sendblue_{name}": getattr(event, name) for name in names}.items() <= vars(
            record
        ).items()
    plain = vars(logging.makeLogRecord({}))
    assert not {f"sendblue_{name}" for name in names} & {*plain, "message", "asctime", "taskName"}


def test_every_field_and_kind_is_documented() -> None:
    """The page on logging names each kind of event and each field, as code."""
    page = DOCS.read_text(encoding="utf-8")
    for name in [field.name for field in fields(CallEvent)]:
        assert f"`{name}`" in page
    for kind in _events.EventKind.__args__:
        assert f'`"{kind}"`' in page


class Unlimited(RateLimiter):
    """A rate limiter that lets everything pass."""

    def reserve_slot(self, now: float, deadline: float) -> float:
        """Give a slot at once."""
        return now


async def test_a_client_with_listeners_is_gone_when_it_is_dropped(sandbox: Sandbox) -> None:
    """No cycle keeps it, and its connections with it, until the garbage is collected."""
    client = SendblueClient(
        *KEYS, base_url=sandbox.base_url, on_event=print, rate_limit=Unlimited()
    )
    await client.count_contacts()
    await client.close()
    transport = weakref.ref(client._transport)
    gc.disable()
    try:
        del client
        assert transport() is None
    finally:
        gc.enable()
