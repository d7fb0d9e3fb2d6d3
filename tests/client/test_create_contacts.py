"""Many contacts through one call: every row gets its result, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from attrs import evolve

from sendblue_async import (
    ConfigurationError,
    ConnectError,
    ContactCreate,
    ContactExistsError,
    ContactResult,
    RetryPolicy,
    SendblueError,
    ServerError,
    ValidationError,
)
from sendblue_async.sandbox import Faults, Sandbox

from .servers import contact, echo, hang, late, refusal, refused_url, reset

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(base=0, cap=0, rate_limit_base=0)
ONCE = RetryPolicy(attempts=1)


def number(n: int) -> str:
    """One of many numbers."""
    return f"+1415{n:07}"


async def results(client: Any, source: Any, **options: Any) -> list[ContactResult[Any]]:
    """All results, at a rate that holds nobody back."""
    options = {"rate_limit": 1e6, **options}
    return [result async for result in client.create_contacts(source, **options)]


async def until_an_error(found: list[Any], client: Any, source: Any, **options: Any) -> None:
    """Put all results into the list; the error that ends them is raised."""
    async for result in client.create_contacts(source, **{"rate_limit": 1e6, **options}):
        found.append(result)  # noqa: PERF401 - an error leaves those before it in the list


def outcomes(found: list[ContactResult[Any]]) -> dict[str, int]:
    """How many results there are with each outcome."""
    return dict(Counter(result.outcome for result in found))


@pytest.mark.parametrize("update", [False, True])
async def test_every_row_gets_its_result(sandbox: Sandbox, connect: Any, update: bool) -> None:
    """Contacts, mappings and what is neither: each row comes back once, with what became of it."""
    client = connect(sandbox)
    await client.create_contact(number(0), first_name="Old")
    rows: list[Any] = [
        ContactCreate(number=number(0), first_name="New"),
        {"number": number(1), "tags": ["vip"]},
        ContactCreate(number=number(2)),
        {"number": "soon"},
        {"first_name": "Ada"},
        "+14155550123",
        None,
    ]
    found = await results(client, rows, update_if_exists=update or None)
    by_row = [next(r for r in found if r.row is row) for row in rows]
    assert len(found) == len(rows)
    assert [result.outcome for result in by_row] == [
        "stored" if update else "existing",
        *(["stored" if update else "created"] * 2),
        *(["rejected"] * 4),
    ]
    for result in by_row[1:3]:
        assert result.contact is not None
        assert result.response is not None
        assert result.response.contact.phone == result.contact.number
        assert result.error is None
    assert all(isinstance(result.error, ValidationError) for result in by_row[3:])
    assert all(result.contact is None for result in by_row[3:])
    if not update:
        assert isinstance(by_row[0].error, ContactExistsError)
    assert sandbox.contacts[number(0)]["first_name"] == ("New" if update else "Old")
    assert {*sandbox.contacts} == {number(0), number(1), number(2)}


async def test_a_contact_that_says_so_itself_is_updated_or_not(
    sandbox: Sandbox, connect: Any
) -> None:
    """What a row says of ``update_if_exists`` goes before what is said for all."""
    client = connect(sandbox)
    await client.create_contact(number(1))
    no = ContactCreate(number=number(1), update_if_exists=False)
    assert outcomes(await results(client, [no], update_if_exists=True)) == {"existing": 1}
    yes = {"number": number(1), "update_if_exists": True}
    assert outcomes(await results(client, [yes], update_if_exists=False)) == {"stored": 1}


async def test_rows_may_come_from_anywhere(sandbox: Sandbox, connect: Any) -> None:
    """Lists, generators and asynchronous generators are read to their end."""

    def some() -> Iterator[dict[str, Any]]:
        yield from ({"number": number(n)} for n in range(50))

    async def others() -> AsyncIterator[ContactCreate]:
        for n in range(50, 100):
            await asyncio.sleep(0)
            yield ContactCreate(number=number(n))

    client = connect(sandbox)
    assert outcomes(await results(client, some())) == {"created": 50}
    assert outcomes(await results(client, others())) == {"created": 50}
    assert await results(client, []) == []
    assert len(sandbox.contacts) == 100


@pytest.mark.parametrize("concurrency", [1, 5])
@pytest.mark.parametrize("slow_reader", [False, True])
async def test_no_more_rows_are_pulled_than_are_under_way(
    serve: Any, connect: Any, concurrency: int, slow_reader: bool
) -> None:
    """The source is asked for a row when there is room for it, however slow the reader is."""
    server = await serve(late(0.001, echo()))
    pulled = given = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal pulled
        for n in range(60):
            pulled += 1
            yield {"number": number(n)}

    client = connect(server)
    found = client.create_contacts(source(), concurrency=concurrency, rate_limit=1e6)
    async for _ in found:
        given += 1
        if slow_reader:
            await asyncio.sleep(0.003)
        # One with each worker, and as many finished ones.
        assert pulled - given <= 2 * concurrency
    assert (pulled, given) == (60, 60)
    assert server.most_open <= concurrency


async def test_one_number_is_never_under_way_twice(serve: Any, connect: Any) -> None:
    """Rows of one number, however it is spelled, are sent one after another."""
    server = await serve(late(0.02, echo()))
    rows = [{"number": text} for text in ("+14155550123", "+1 (415) 555-0123") * 3]
    assert outcomes(await results(connect(server), rows)) == {"created": 6}
    assert (server.most_open, len(server.requests)) == (1, 6)


async def test_rows_of_one_number_are_sent_in_their_order(sandbox: Sandbox, connect: Any) -> None:
    """The last one is what stays, however few workers there are."""
    rows = [{"number": number(1), "first_name": str(n), "update_if_exists": True} for n in range(9)]
    await results(connect(sandbox), rows, concurrency=2)
    assert [request.json["first_name"] for request in sandbox.requests] == [*"012345678"]


async def test_an_error_of_the_source_is_raised_after_what_was_under_way(
    sandbox: Sandbox, connect: Any
) -> None:
    """If the source fails, the rows that it gave still get their results."""

    def source() -> Iterator[dict[str, Any]]:
        yield from ({"number": number(n)} for n in range(10))
        raise OSError("the disk is gone")

    found: list[Any] = []
    with pytest.raises(OSError, match="the disk is gone"):
        await until_an_error(found, connect(sandbox), source())
    assert outcomes(found) == {"created": 10}


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_a_source_that_ends_otherwise_than_by_an_error_ends_the_batch(
    sandbox: Sandbox, connect: Any, kind: type[BaseException]
) -> None:
    """Also what is no ordinary error, such as a cancellation in the source, is raised."""
    end = kind()

    async def source() -> AsyncIterator[dict[str, Any]]:
        for n in range(10):
            yield {"number": number(n)}
        raise end

    found: list[Any] = []
    with pytest.raises(kind) as caught:
        await until_an_error(found, connect(sandbox), source())
    assert caught.value is end
    assert outcomes(found) == {"created": 10}


async def test_a_batch_that_stops_wants_nothing_more(serve: Any, connect: Any) -> None:
    """Workers that wait for their turn at a slow source leave it once the keys are refused."""
    server = await serve(refusal(401))
    pulled = 0

    async def source() -> AsyncIterator[dict[str, Any]]:
        nonlocal pulled
        for pulled in range(1, 100):
            yield {"number": number(pulled)}
            await asyncio.sleep(0.1)

    client = connect(server)
    found: list[Any] = []
    with pytest.raises(SendblueError):
        await until_an_error(found, client, source())
    assert pulled == len(found) <= 3


async def test_leaving_early_cancels_what_is_under_way(serve: Any, connect: Any) -> None:
    """After the block is left nothing is under way, and the client works on."""
    server = await serve(echo(), hang, POST=[echo(), hang])
    client = connect(server)
    rows = ({"number": number(n)} for n in range(100))
    async with aclosing(client.create_contacts(rows, concurrency=4)) as found:
        async for _ in found:
            break
    await server.until(lambda: server.open <= 1)
    assert len(server.requests) <= 5


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_refused_keys_stop_the_batch_at_once(serve: Any, connect: Any, status: int) -> None:
    """What every further contact would meet as well ends the batch; nothing more is pulled."""
    server = await serve(echo(), echo(), refusal(status))
    pulled = []

    def source() -> Iterator[dict[str, Any]]:
        for n in range(1000):
            pulled.append(n)
            yield {"number": number(n)}

    found: list[Any] = []
    with pytest.raises(SendblueError) as caught:
        await until_an_error(found, connect(server), source(), concurrency=2)
    assert caught.value.status == status
    assert len(found) == len(pulled) == len(server.requests) <= 4
    assert outcomes(found) == {"created": 2, "skipped": len(found) - 2}


async def test_a_contact_that_the_server_refuses_is_rejected(serve: Any, connect: Any) -> None:
    """A 400 for one row is that row's result and nobody else's."""
    server = await serve(echo(), refusal(400), refusal(501), echo())
    rows = [{"number": number(n)} for n in range(4)]
    found = await results(connect(server), rows, concurrency=1)
    assert [result.outcome for result in found] == ["created", "rejected", "rejected", "created"]
    assert [getattr(result.error, "status", None) for result in found] == [None, 400, 501, None]
    assert len(server.requests) == 4


async def test_in_an_outage_nothing_is_lost(serve: Any, connect: Any, timer: Any) -> None:
    """While the server is down the batch waits and asks now and then; then it goes on."""
    server = await serve(echo(), *[refusal(500)] * 12, echo())
    client = connect(server, timer=timer, retry=evolve(ONCE, settle=False))
    rows = [{"number": number(n)} for n in range(20)]
    found = await results(client, rows, update_if_exists=True, concurrency=4)
    assert outcomes(found) == {"stored": 20}
    assert len(server.requests) == 20 + 12
    # Four found out together; the eight after them asked one at a time.
    assert [wait for wait in timer.waits if wait >= 1] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_waits_begin_anew_after_a_success(serve: Any, connect: Any, timer: Any) -> None:
    """A second outage is met as the first one was."""
    ups_and_downs = [echo(), *[refusal(502)] * 3] * 2
    server = await serve(*ups_and_downs, echo())
    rows = [{"number": number(n)} for n in range(5)]
    client = connect(server, timer=timer, retry=evolve(ONCE, settle=False))
    found = await results(client, rows, update_if_exists=True, concurrency=1)
    assert outcomes(found) == {"stored": 5}
    assert [wait for wait in timer.waits if wait >= 1] == [1, 2, 4] * 2


@pytest.mark.parametrize("update", [True, False])
async def test_it_gives_up_after_so_long_without_success(
    connect: Any, timer: Any, update: bool
) -> None:
    """When the time is over the batch ends with the error, after the results of what it has."""
    found: list[Any] = []
    rows = [{"number": number(n)} for n in range(50)]
    options = {"concurrency": 3, "give_up_after": 100, "update_if_exists": update}
    with refused_url() as url, pytest.raises(ConnectError):
        await until_an_error(found, connect(url, timer=timer, retry=ONCE), rows, **options)
    assert 1100 <= timer.now < 1200
    assert outcomes(found) == {"skipped": 3}
    assert all(isinstance(result.error, ConnectError) for result in found)


async def test_giving_up_tells_what_may_have_been_stored(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A row that was sent and never answered is unknown, and not skipped."""
    server = await serve(reset)
    client = connect(server, timer=timer, retry=ONCE)
    found: list[Any] = []
    with pytest.raises(SendblueError):
        await until_an_error(found, client, [{"number": number(1)}], give_up_after=10)
    assert outcomes(found) == {"unknown": 1}


async def test_a_row_that_fails_while_others_succeed_does_not_hold_them_up(
    sandbox: Sandbox, serve: Any, connect: Any, timer: Any
) -> None:
    """Ten failures among the successes of others, and the row gets its outcome."""
    poison = number(7)

    async def step(reader: Any, writer: Any) -> None:
        bad = poison in server.requests[-1].body.decode() or server.requests[-1].method == "GET"
        await (refusal(500) if bad else echo())(reader, writer)

    server = await serve(step)
    client = connect(server, timer=timer, retry=ONCE)
    rows = [{"number": number(n)} for n in range(200)]
    found = await results(client, rows, concurrency=4)
    assert outcomes(found) == {"created": 199, "unknown": 1}
    [bad] = [result for result in found if result.outcome == "unknown"]
    assert bad.row == {"number": poison}
    assert isinstance(bad.error, ServerError)
    assert sum(poison in request.body.decode() for request in server.requests) == 10


@pytest.mark.parametrize("update", [True, False])
async def test_nothing_is_lost_or_doubled_under_faults(
    start_sandbox: Any, connect: Any, timer: Any, update: bool
) -> None:
    """Under faults of every kind each row is stored and none is reported as failed."""
    sandbox = await start_sandbox(
        seed=11,
        faults=Faults(
            too_many_requests=0.05,
            reset=0.08,
            server_error=0.05,
            server_error_after_commit=0.05,
            drop_after_commit=0.1,
            short_body=0.05,
            garbage=0.04,
            not_http=0.04,
        ),
    )
    rows = [{"number": number(n), "first_name": f"n{n}"} for n in range(600)]
    client = connect(sandbox, timer=timer, retry=RetryPolicy(attempts=2))
    found = await results(client, rows, update_if_exists=update or None)
    assert outcomes(found) == {"stored" if update else "created": 600}
    assert {*sandbox.contacts} == {row["number"] for row in rows}


async def test_a_create_that_went_unanswered_in_an_earlier_call_is_ours(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The second call for a row meets what the first one stored, and says created."""
    server = await serve(
        POST=[reset, refusal(409, "Contact already exists")],
        GET=[refusal(500), contact(number(1), first_name="Ada")],
    )
    client = connect(server, timer=timer, retry=ONCE)
    [result] = await results(client, [{"number": number(1), "first_name": "Ada"}])
    assert result.outcome == "created"
    assert result.response is not None
    assert result.response.meta.settled


async def test_a_429_slows_the_whole_batch_down(serve: Any, connect: Any, timer: Any) -> None:
    """Without a rate of its own the batch finds the server's limit, and hardly exceeds it."""
    tokens, filled, refused = 20.0, timer.now, 0

    async def limited(reader: Any, writer: Any) -> None:
        nonlocal tokens, filled, refused
        tokens = min(20.0, tokens + (timer.now - filled) * 20)
        filled = timer.now
        if tokens < 1:
            refused += 1
            await refusal(429, Retry_After="1")(reader, writer)
        else:
            tokens -= 1
            await echo()(reader, writer)

    server = await serve(limited)
    client = connect(server, timer=timer)
    started = timer.now
    rows = ({"number": number(n)} for n in range(1500))
    found = [result async for result in client.create_contacts(rows, concurrency=1)]
    assert outcomes(found) == {"created": 1500}
    assert 0 < refused < 0.03 * len(server.requests)
    assert 1500 / (timer.now - started) > 0.9 * 20


async def test_a_rate_is_kept(sandbox: Sandbox, connect: Any, timer: Any) -> None:
    """At four requests a second 40 contacts take ten seconds, however many workers there are."""
    client = connect(sandbox, timer=timer)
    found = await results(client, ({"number": number(n)} for n in range(41)), rate_limit=4)
    assert outcomes(found) == {"created": 41}
    assert timer.now == pytest.approx(1010, abs=0.5)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("concurrency", 0),
        ("concurrency", 1.5),
        ("rate_limit", 0),
        ("rate_limit", "fast"),
        ("give_up_after", -1),
        ("give_up_after", None),
    ],
)
async def test_unusable_options_are_refused_before_anything_is_pulled(
    sandbox: Sandbox, connect: Any, option: str, value: Any
) -> None:
    """An option out of range is named at once, and the source is not touched."""

    def source() -> Iterator[dict[str, Any]]:
        raise AssertionError("pulled")
        yield {}

    with pytest.raises(ConfigurationError, match=option):
        connect(sandbox).create_contacts(source(), **{option: value})


async def test_a_source_that_is_none_is_refused(sandbox: Sandbox, connect: Any) -> None:
    """What cannot be iterated over, and a single contact, are no source."""
    for source in (None, 5, {"number": number(1)}, "numbers.csv", ContactCreate(number=number(1))):
        with pytest.raises(ValidationError, match="source"):
            connect(sandbox).create_contacts(source)
