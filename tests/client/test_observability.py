"""What a client lets its operator see: log lines, and spans through aiohttp's hooks."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sendblue_async import RetryPolicy, SendblueError, ValidationError

from .servers import Step, contact, hang_up, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
Lines = list[tuple[int, str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """What the client logs, from the moment on at which it is asked for."""
    found: Lines = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelno, record.getMessage()))

    caplog.set_level(logging.DEBUG, logger="sendblue_async")
    handler = Keep()
    logging.getLogger("sendblue_async").addHandler(handler)
    yield found  # type: ignore[misc]
    logging.getLogger("sendblue_async").removeHandler(handler)


def at(lines: Lines, level: int) -> list[str]:
    """The lines of one level."""
    return [line for found, line in lines if found == level]


async def test_a_call_that_fails_is_one_line(
    serve: Any, connect: Any, timer: Any, lines: Lines
) -> None:
    """One line at INFO for the call, one at WARNING for each retry, one at DEBUG an attempt."""
    server = await serve(refusal(500, "Out of order"))
    client = connect(server, timer=timer, retry=RetryPolicy(settle=False))
    with pytest.raises(SendblueError):
        await client.create_contact(NUMBER, update_if_exists=True)
    assert at(lines, logging.INFO) == [
        "POST /api/v2/contacts for …0123: failed after 4 attempts and 1.750 s, outcome unknown: "
        "ServerError: POST /api/v2/contacts was answered with 500: Out of order (4 attempts). "
        "It may have been done; sending it again does no harm."
    ]
    assert at(lines, logging.WARNING) == [
        f"POST /api/v2/contacts for …0123: attempt {attempt} was answered with 500: Out of order; "
        f"the next one follows in {wait} s"
        for attempt, wait in ((1, "0.25"), (2, "0.50"), (3, "1.00"))
    ]
    assert at(lines, logging.DEBUG) == [
        f"POST /api/v2/contacts for …0123: attempt {attempt} was answered with 500: Out of order, "
        f"outcome unknown, {elapsed} s after the start"
        for attempt, elapsed in ((1, "0.000"), (2, "0.250"), (3, "0.750"), (4, "1.750"))
    ]
    assert len(lines) == 8


async def test_a_call_that_succeeds_is_silent_above_debug(
    serve: Any, connect: Any, timer: Any, lines: Lines
) -> None:
    """Success is no news; a retry on the way to it is."""
    server = await serve(contact(), refusal(429), contact())
    client = connect(server, timer=timer)
    await client.get_contact(NUMBER)
    assert lines == [
        (
            logging.DEBUG,
            "GET /api/v2/contacts/…0123: succeeded after 1 attempt and 0.000 s",
        )
    ]
    await client.get_contact(NUMBER)
    assert (at(lines, logging.INFO), len(at(lines, logging.WARNING))) == ([], 1)


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_settled_call_has_not_failed(
    serve: Any, connect: Any, timer: Any, lines: Lines, agrees: bool
) -> None:
    """A create that was found stored is no failure; one that was not found is one, told once."""
    found = contact(first_name="Ada" if agrees else "Eve")
    server = await serve(POST=[hang_up, refusal(409)], GET=found)
    client = connect(server, timer=timer)
    if agrees:
        await client.create_contact(NUMBER, first_name="Ada")
        assert at(lines, logging.INFO) == []
        assert "settled after 2 attempts" in at(lines, logging.DEBUG)[-2]
    else:
        with pytest.raises(SendblueError):
            await client.create_contact(NUMBER, first_name="Ada")
        (line,) = at(lines, logging.INFO)
        assert "ContactExistsError" in line


async def test_a_settled_delete_has_not_failed(
    serve: Any, connect: Any, timer: Any, lines: Lines
) -> None:
    """A delete that finds its own work done is no failure either."""
    server = await serve(hang_up, refusal(404))
    await connect(server, timer=timer).delete_contact(NUMBER)
    assert at(lines, logging.INFO) == []
    assert at(lines, logging.DEBUG)[-2].startswith("DELETE /api/v2/contacts/…0123: settled after 2")


async def test_what_was_never_a_call_is_not_logged(serve: Any, connect: Any, lines: Lines) -> None:
    """Bad input is told to the caller alone."""
    server = await serve(contact())
    with pytest.raises(ValidationError):
        await connect(server).create_contact("555")
    assert lines == []


SPELLINGS = [
    NUMBER,
    "+1 (415) 555-0123",
    "14155550123",
    "(415) 555-0123",
    "415.555.0123",
    "1-415-555-0123",
    "+1/415/555/0123",
    "+1%20415%20555%200123",
    "%2B14155550123",
    "+1 - 415 - 555 - 0123",
    "+1\u2011415\u2011555\u20110123",
    "+14155501234567890123",
]
TELLING = " and ".join(SPELLINGS)


@pytest.mark.parametrize(
    "step",
    [
        reply(400, {"message": TELLING}),
        reply(500, {"message": TELLING}),
        reply(200, {"status": "ERROR", "message": TELLING}),
        reply(302, b"", {"Location": f"/{NUMBER}"}),
        hang_up,
    ],
)
async def test_no_line_has_a_whole_number_or_any_content(
    serve: Any, connect: Any, timer: Any, lines: Lines, step: Step
) -> None:
    """Numbers are cut to four digits, also in the server's words; fields and keys never appear."""
    server = await serve(step)
    client = connect(server, timer=timer, retry=RetryPolicy(attempts=2))
    for call in (
        client.create_contact(NUMBER, first_name="Ada", tags=["vip"]),
        client.get_contact(NUMBER),
        client.verify_contact(NUMBER),
        client.opt_out_contact(NUMBER),
        client.delete_contact(NUMBER),
        client.list_contacts(number=NUMBER),
        client.request("GET", "/api/v2/x", params={"first_name": "Ada", "tags": "vip"}),
        client.create_contacts_bulk([{"number": NUMBER, "first_name": "Ada"}]),
        client.delete_contacts_bulk([NUMBER]),
    ):
        with pytest.raises(SendblueError):
            await call
    said = "\n".join(line for _, line in lines)
    assert len(at(lines, logging.INFO)) == 9
    assert not re.search(r"[0-9]{5}", said)
    assert "…0123" in said
    for hidden in ("415", "Ada", "vip", "sandbox-key", "sandbox-secret"):
        assert hidden not in said


def test_without_logging_set_up_nothing_is_printed(tmp_path: Any) -> None:
    """A program that never thought of logging gets no lines on standard error."""
    program = tmp_path / "program.py"
    program.write_text(
        "from sendblue_async import *\n"
        "retry = RetryPolicy(attempts=2, base=0)\n"
        "with SyncSendblueClient('k', 's', base_url='http://127.0.0.1:1', retry=retry) as client:\n"
        "    try: client.count_contacts()\n"
        "    except ConnectError as error: print(error.attempts)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=40, check=True
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


async def test_opentelemetry_gets_one_span_an_attempt(serve: Any, connect: Any, timer: Any) -> None:
    """The instrumentation of aiohttp, given as a trace config, sees each attempt by itself."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    server = await serve(refusal(500), hang_up, refusal(429), contact())
    client = connect(
        server, timer=timer, trace_configs=[create_trace_config(tracer_provider=provider)]
    )
    await client.create_contact(NUMBER, update_if_exists=True)
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["POST"] * 4
    statuses = [(span.attributes or {}).get("http.status_code") for span in spans]
    assert statuses == [500, None, 429, 200]
    assert "sandbox-secret" not in "".join(span.to_json() for span in spans)
