"""The truth table of the retries, for every kind of operation, against real failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme
from attrs import frozen

from sendblue_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ContactExistsError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    SendblueError,
    ServerError,
    Timeouts,
    TLSError,
    UnexpectedRedirectError,
)
from sendblue_async._retry_rules import RULES

from .checks import check_cause, check_copies
from .failures import FAILURES, NUMBER, Failure, Scene, Setting, answered, ends_in
from .servers import contact, full_backlog_url, hang_up

pytestmark = pytest.mark.anyio

ATTEMPTS = 3


@frozen
class Row:
    """What follows from an attempt that ends in one of these ways.

    Attributes:
        endings: Statuses, and names of other failures. Every answer with a status asks for a
            pause of 7 seconds, except the 503.
        outcome: The outcome that the error has.
        retryable: Whether another attempt follows: ``"Y"``, ``"once"`` or ``"N"``.
        heeded: Whether the pause is taken that the answer asks for: ``"Y"``, ``"N"``, or
            ``"–"`` where there is no such answer.
        error: What the caller gets in the end.
    """

    endings: tuple[int | str, ...]
    outcome: str
    retryable: str
    heeded: str
    error: type[SendblueError]


NO_CONNECTION = (
    "name unknown to DNS",
    "connection refused",
    "connect timeout",
    "attempt over while connecting",
    "TLS handshake timeout",
    "reset in the TLS handshake",
    "closed in the TLS handshake",
)
BAD_TLS = (
    "certificate of an unknown authority",
    "certificate for another host",
    "certificate that has expired",
    "plain text on a TLS port",
)
LOST = (
    "reset before an answer",
    "closed before an answer",
    "closed within the head",
    "keep-alive race",
    "read timeout",
)
CUT_SHORT = (
    "body cut short",
    "body cut short, no length",
    "body cut short, in chunks",
    "a header that is too large",
    "not HTTP",
)
GARBAGE = (
    "2xx with HTML",
    "2xx with nothing",
    "2xx with another document",
    "2xx about another contact",
    "2xx that unpacks to too much",
    "2xx that cannot be unpacked",
)
OTHER_3XX = (300, 302, 303, 304, 305, 308, 399)
OTHER_4XX = (405, 406, 410, 415, 418, 423, 431, 451, 499)
OTHER_5XX = (505, 507, 508, 511, 527, 530, 599)

TABLE = (
    #   an attempt ends with            outcome     again   RA   the caller finally gets
    Row(NO_CONNECTION,                  "not_sent", "Y",    "–", ConnectError),
    Row(BAD_TLS,                        "not_sent", "N",    "–", TLSError),
    Row(LOST,                           "unknown",  "Y",    "–", OutcomeUnknownError),
    Row(CUT_SHORT,                      "unknown",  "Y",    "–", ResponseFormatError),
    Row(GARBAGE,                        "unknown",  "Y",    "N", ResponseFormatError),
    Row(("2xx with status ERROR",),     "rejected", "N",    "N", APIError),
    Row((400, "400 cut short", 422),    "rejected", "N",    "N", BadRequestError),
    Row((404,),                         "rejected", "N",    "N", NotFoundError),
    Row((501,),                         "rejected", "N",    "N", ServerError),
    Row((401,),                         "rejected", "N",    "N", AuthenticationError),
    Row((402, 403),                     "rejected", "N",    "N", PermissionDeniedError),
    Row((408,),                         "rejected", "Y",    "Y", APIError),
    Row((409, "409 cut short"),         "rejected", "N",    "N", ContactExistsError),
    Row((413,),                         "rejected", "N",    "N", BadRequestError),
    Row((425,),                         "rejected", "once", "Y", APIError),
    Row((429, "429 cut short"),         "rejected", "Y",    "Y", RateLimitError),
    Row(OTHER_4XX,                      "rejected", "N",    "N", APIError),
    Row(("503 with Retry-After",),      "rejected", "Y",    "Y", ServerError),
    Row((521, 523, 525, 526),           "rejected", "Y",    "Y", ServerError),
    Row((503,),                         "unknown",  "Y",    "–", ServerError),
    Row((500, "500 cut short"),         "unknown",  "Y",    "Y", ServerError),
    Row((502, 504, 520, 522, 524),      "unknown",  "Y",    "Y", ServerError),
    Row(OTHER_5XX,                      "unknown",  "Y",    "Y", ServerError),
    Row((600, 999),                     "unknown",  "Y",    "Y", ServerError),
    Row((301, 307, *OTHER_3XX),         "rejected", "N",    "N", UnexpectedRedirectError),
)  # fmt: skip
ROWS = {str(ending): (ending, row) for row in TABLE for ending in row.endings}


@frozen
class Operation:
    """One operation of its kind."""

    kind: str
    method: str
    call: Callable[[Any], Awaitable[Any]]


OPERATIONS = {
    "upsert": Operation(
        "upsert", "POST", lambda client: client.create_contact(NUMBER, update_if_exists=True)
    ),
    "create": Operation("plain create", "POST", lambda client: client.create_contact(NUMBER)),
    "get": Operation("safe", "GET", lambda client: client.get_contact(NUMBER)),
    "list": Operation("safe", "GET", lambda client: client.list_contacts()),
    "update": Operation(
        "idempotent", "PUT", lambda client: client.update_contact(NUMBER, first_name="Ada")
    ),
    "delete": Operation("idempotent", "DELETE", lambda client: client.delete_contact(NUMBER)),
    "verify": Operation("non-idempotent", "POST", lambda client: client.verify_contact(NUMBER)),
}


def failure_of(ending: int | str) -> Failure:
    """How this ending is brought about."""
    if isinstance(ending, str):
        return FAILURES[ending]
    return answered(503) if ending == 503 else answered(ending, Retry_After="7")


def attempts_of(row: Row, operation: Operation) -> int:
    """How many attempts out of three the table allows."""
    if row.outcome == "unknown" and operation.kind == "non-idempotent":
        return 1
    return {"Y": ATTEMPTS, "once": 2, "N": 1}[row.retryable]


def check_error(error: SendblueError, row: Row, operation: Operation, scene: Scene) -> None:
    """Fail unless every field of the error says what the row does."""
    unknown = row.outcome == "unknown"
    fields = vars(error).copy()
    snippet, cause, url = fields.pop("snippet"), fields.pop("cause"), fields.pop("url")
    assert type(error) is row.error
    assert fields == {
        "outcome": row.outcome,
        "method": operation.method,
        "status": scene.status,
        "attempts": attempts_of(row, operation),
        "retry_after": 7.0 if row.heeded == "Y" else None,
        "timed_out": scene.timed_out,
        "maybe_applied": unknown,
        "retryable": row.retryable != "N" and not (unknown and operation.kind == "non-idempotent"),
        "request_id": None,
        "code": None,
    }
    assert url.startswith(f"{scene.url}/api/v2/contacts")
    assert (snippet is None) == (scene.status is None)
    assert cause or scene.status is not None
    check_cause(error)
    check_copies(error)
    # What changes nothing leaves nothing to look for.
    assert ("It may have been done" in str(error)) == (unknown and operation.kind != "safe")


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("ending", ROWS)
async def test_every_row_for_every_kind_of_operation(
    stack: AsyncExitStack,
    authority: trustme.CA,
    connect: Any,
    timer: Any,
    ending: str,
    name: str,
) -> None:
    """The other side sees as many attempts as the row allows, and the error says what it does."""
    timer.drawn = 0.0
    (key, row), operation = ROWS[ending], OPERATIONS[name]
    setting = Setting(stack=stack, authority=authority, method=operation.method)
    scene = await failure_of(key)(setting)
    policy = RetryPolicy(attempts=ATTEMPTS)
    client = connect(scene.url, timer=timer, retry=policy, timeouts=scene.timeouts, **scene.options)
    if scene.warm_up is not None:
        await scene.warm_up(client)
    with pytest.raises(SendblueError) as caught:
        await operation.call(client)
    check_error(caught.value, row, operation, scene)
    attempts = attempts_of(row, operation)
    if scene.attempts is not None:
        assert scene.attempts() == attempts
    # Twice, as a 404 that is not the API's own settles nothing.
    looks_up = row.outcome == "unknown" and operation.kind not in ("safe", "non-idempotent")
    if row.outcome == "not_sent":
        assert scene.requests == []
    elif scene.requests:
        methods = [request.method for request in scene.requests]
        assert methods == [operation.method] * attempts + ["GET"] * 2 * looks_up
    # With jitter pinned to 0, only a pause that was asked for takes any time.
    waits = [7.0 if row.heeded == "Y" else 0.0] * (attempts - 1)
    assert timer.waits == waits + [0.5] * looks_up


async def test_every_rule_of_the_library_is_in_the_table() -> None:
    """A status that gets a rule of its own needs a row here."""
    ruled = {status for status in RULES if isinstance(status, int)}
    assert ruled <= {ending for row in TABLE for ending in row.endings}
    assert set(FAILURES) == {name for name in ROWS if not name.isdecimal()}


async def test_an_upsert_whose_answer_is_dropped_after_the_commit(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, timer: Any
) -> None:
    """It is repeated and then looked up, until what is found cannot be from before the call."""
    stored = ends_in(hang_up, looked_up=contact(NUMBER))
    scene = await stored(Setting(stack=stack, authority=authority))
    client = connect(scene.url, timer=timer, retry=RetryPolicy(attempts=ATTEMPTS))
    response = await client.create_contact(NUMBER, update_if_exists=True)
    assert (response.meta.settled, response.meta.attempts) == (True, ATTEMPTS)
    methods = [request.method for request in scene.requests]
    assert methods == ["POST"] * ATTEMPTS + ["GET"] * methods.count("GET")
    assert response.meta.elapsed >= 3


async def test_a_plain_create_whose_answer_is_dropped_after_the_commit(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, timer: Any
) -> None:
    """It is repeated and then looked up: the contact that is found makes it a success."""
    stored = ends_in(hang_up, looked_up=contact(NUMBER))
    scene = await stored(Setting(stack=stack, authority=authority))
    client = connect(scene.url, timer=timer, retry=RetryPolicy(attempts=ATTEMPTS))
    response = await client.create_contact(NUMBER)
    assert (response.meta.settled, response.meta.attempts) == (True, ATTEMPTS)
    assert [request.method for request in scene.requests] == [*["POST"] * ATTEMPTS, "GET"]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_limits_that_a_busy_loop_notices_together(connect: Any, name: str) -> None:
    """Connecting and the attempt run out of time at once: still, nothing was sent."""
    once, limit = RetryPolicy(attempts=1), Timeouts(attempt=0.05)
    with full_backlog_url() as url:
        client = connect(url, retry=once, timeouts=limit)
        for _ in range(3):
            # Both limits lie within the time for which the loop stands still.
            asyncio.get_running_loop().call_later(0.03, time.sleep, 0.04)
            with pytest.raises(ConnectError) as caught:
                await OPERATIONS[name].call(client)
            assert (caught.value.outcome, caught.value.timed_out) == ("not_sent", True)
