"""An outage: retries stop before they make it worse, and start again when it is over."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from sendblue_async import SendblueError

from .servers import Step, echo, refusal, reset

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
CALLS = 10_000
CALLERS = 32


async def call_many(
    client: Any, calls: int, *, update: bool = True, callers: int = CALLERS
) -> dict[str, int]:
    """How often each outcome came of so many calls, of which some are always under way."""
    outcomes = {"ok": 0, "rejected": 0, "not_sent": 0, "unknown": 0}
    left = iter(range(calls))

    async def outcome() -> str:
        try:
            await client.create_contact(NUMBER, update_if_exists=update)
        except SendblueError as error:
            return error.outcome
        return "ok"

    async def caller() -> None:
        for _ in left:
            outcomes[await outcome()] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(caller)
    return outcomes


@pytest.mark.parametrize(("fails", "update"), [(refusal(500), True), (reset, False)])
async def test_an_outage_costs_hardly_more_requests_than_calls(
    serve: Any, connect: Any, timer: Any, fails: Step, update: bool
) -> None:
    """10,000 calls send at most 2 % more requests; afterwards all succeed, with retries again."""
    timer.drawn = 0.0
    server = await serve(fails)
    client = connect(server, timer=timer)
    assert (await call_many(client, CALLS, update=update))["unknown"] == CALLS
    assert CALLS < len(server.requests) <= 1.02 * CALLS

    server.steps["*"] = [echo()]
    assert (await call_many(client, 200))["ok"] == 200
    server.steps["*"] = [refusal(500), refusal(500), echo()]
    response = await client.create_contact(NUMBER, update_if_exists=True)
    assert response.meta.attempts == 3


@pytest.mark.parametrize("update", [True, False])
async def test_an_outage_of_the_writes_alone_costs_no_more(
    serve: Any, connect: Any, timer: Any, update: bool
) -> None:
    """That look-ups are answered brings back neither the retries nor more look-ups.

    There is one caller, so that answers and failures take turns.
    """
    timer.drawn = 0.0
    server = await serve(POST=refusal(500), GET=refusal(404, "Contact not found"))
    client = connect(server, timer=timer)
    calls = CALLS // 4
    assert (await call_many(client, calls, update=update, callers=1))["unknown"] == calls
    assert len(server.requests) <= 1.02 * calls + 80


async def test_retries_come_back_while_the_server_does(
    serve: Any, connect: Any, timer: Any
) -> None:
    """When one answer in three is a failure again, no call fails for want of a retry."""
    timer.drawn = 0.0
    server = await serve(refusal(500))
    client = connect(server, timer=timer)
    await call_many(client, 200)
    server.steps["*"] = [echo()]
    await call_many(client, 60)
    server.steps["*"] = [refusal(500), echo(), echo()] * 200 + [echo()]
    assert (await call_many(client, 300))["ok"] == 300


async def test_refusals_count_as_answers(serve: Any, connect: Any, timer: Any) -> None:
    """A server that knows every contact already and fails now and then has no outage."""
    timer.drawn = 0.0
    server = await serve(*[refusal(409), refusal(409), refusal(503, "Busy", retry_after="1")] * 400)
    client = connect(server, timer=timer)
    outcomes = await call_many(client, 600, update=False, callers=1)
    assert outcomes == {"ok": 0, "rejected": 600, "not_sent": 0, "unknown": 0}
    assert len(server.requests) >= 890
