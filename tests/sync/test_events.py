"""Where the listeners of a blocking client run, and what they may do there."""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from sendblue_async import CallEvent, RetryPolicy, SyncSendblueClient
from sendblue_async.sandbox import Sandbox

NUMBER = "+14155550123"
request: ContextVar[str] = ContextVar("request", default="none")


def client_of(sandbox: Sandbox, on_event: object) -> SyncSendblueClient:
    """A blocking client of a sandbox, with a listener."""
    return SyncSendblueClient(
        sandbox.api_key,
        sandbox.api_secret,
        base_url=sandbox.base_url,
        on_event=on_event,  # type: ignore[arg-type]
    )


def test_a_listener_runs_on_the_background_thread_in_the_context_of_the_call(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Events come on the one thread of all calls, with the context variables of the caller."""
    heard: list[tuple[str, str, str, str]] = []

    def listen(event: CallEvent) -> None:
        heard.append((event.kind, event.method, threading.current_thread().name, request.get()))

    token = request.set("request-7")
    try:
        with client_of(sandbox, listen) as client:
            client.create_contact(NUMBER)
            assert [*client.create_contacts([{"number": "+14155550124"}])]
            client.with_options(retry=RetryPolicy(attempts=1)).get_contact(NUMBER)
            file = tmp_path / "contacts.csv"
            file.write_text("number\n+14155550125\n", encoding="utf-8")
            client.import_contacts(file)
    finally:
        request.reset(token)
    assert heard == [
        ("call_ended", method, "sendblue-async", "request-7")
        for method in ("POST", "POST", "GET", "POST")
    ]


def test_a_listener_may_make_no_blocking_call(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A call from a listener would wait for itself: it is refused, logged and breaks nothing."""
    caplog.set_level(logging.ERROR, logger="sendblue_async")

    def listen(event: CallEvent) -> None:
        client.count_contacts()

    with client_of(sandbox, listen) as client:
        assert client.create_contact(NUMBER).contact.phone == NUMBER
    assert "raised ConfigurationError; the call continues" in caplog.text
    assert "would block the event loop that runs on this thread" in caplog.text
