"""Many contacts through the blocking client, from sources that belong to the caller's thread."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async import AuthenticationError, ConfigurationError, SyncSendblueClient
from sendblue_async._portal import portal
from sendblue_async.sandbox import Sandbox

from ..client.servers import Server, Step, echo, hang, late, refusal, running

Serve = Callable[..., tuple[Server, SyncSendblueClient]]


def rows_of(numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Rows with these numbers."""
    return ({"number": f"+1415{number:07}"} for number in numbers)


def outcomes(results: Iterable[Any]) -> dict[str, int]:
    """How many results there are with each outcome."""
    return dict(Counter(result.outcome for result in results))


def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true; fail if it does not in ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SyncSendblueClient]:
    """A blocking client of the sandbox."""
    with SyncSendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        yield client


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that misbehaves as told, and makes a client of it."""
    with start_blocking_portal() as portal, ExitStack() as stack:

        def serve(*steps: Step) -> tuple[Server, SyncSendblueClient]:
            server = stack.enter_context(portal.wrap_async_context_manager(running(*steps)))
            client = SyncSendblueClient("key", "secret", base_url=server.base_url)
            return server, stack.enter_context(client)

        yield serve


class Watched:
    """An iterable that notes on which threads it is used."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.threads: set[int] = set()
        self.pulled = 0
        self._rows = iter(rows)

    def __iter__(self) -> Watched:
        self.threads.add(threading.get_ident())
        return self

    def __next__(self) -> Any:
        self.threads.add(threading.get_ident())
        row = next(self._rows)
        self.pulled += 1
        return row


class Both(Watched):
    """One that can be iterated over asynchronously as well, as Django's query sets can."""

    def __aiter__(self) -> AsyncIterator[Any]:
        raise AssertionError("used on the event loop's thread")


def test_a_database_cursor_is_a_source(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """A cursor that works on the thread alone that made it is read there to its end."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = lambda _, row: {"number": row[0]}
        database.execute("CREATE TABLE people (number TEXT)")
        database.executemany(
            "INSERT INTO people VALUES (?)", [(row["number"],) for row in rows_of(range(100))]
        )
        cursor = database.execute("SELECT number FROM people")
        results = client.create_contacts(source=cursor, rate_limit=1e6)
        assert outcomes(results) == {"created": 100}
    assert len(sandbox.contacts) == 100


def test_a_source_may_call_the_client(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """Contacts that the same client lists are a source."""
    client.create_contacts_bulk(list(rows_of(range(30))))
    rows = (
        {"number": known.phone, "first_name": "Ada"} for known in client.iter_contacts(page_size=10)
    )
    results = client.create_contacts(rows, update_if_exists=True, rate_limit=1e6)
    assert outcomes(results) == {"stored": 30}
    assert {known["first_name"] for known in sandbox.contacts.values()} == {"Ada"}


@pytest.mark.parametrize("kind", [Watched, Both])
def test_a_source_is_used_where_the_results_are_waited_for(
    client: SyncSendblueClient, kind: type[Watched]
) -> None:
    """Nothing of the source, iter() included, is called before the first result is wanted."""
    source = kind(rows_of(range(50)))
    results = client.create_contacts(source, rate_limit=1e6)
    assert not source.threads
    assert outcomes(results) == {"created": 50}
    assert source.threads == {threading.get_ident()}
    assert list(results) == []


def test_an_asynchronous_source_is_read_by_the_event_loop(client: SyncSendblueClient) -> None:
    """What can be iterated over only asynchronously gives its rows on the client's own thread."""
    threads = set()

    async def source() -> AsyncIterator[dict[str, Any]]:
        for row in rows_of(range(50)):
            threads.add(threading.current_thread().name)
            yield row

    assert outcomes(client.create_contacts(source(), rate_limit=1e6)) == {"created": 50}
    assert threads == {"sendblue-async"}


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_rows_are_pulled_than_are_under_way(serve: Serve, concurrency: int) -> None:
    """A row is pulled when there is room for it and a result is waited for, and not before."""
    server, client = serve(late(0.001, echo()))
    source = Watched(rows_of(range(60)))
    given = 0
    for _ in client.create_contacts(source, concurrency=concurrency, rate_limit=1e6):
        given += 1
        pulled = source.pulled
        # One with each worker, and as many finished ones.
        assert pulled - given <= 2 * concurrency
        time.sleep(0.003)
        assert source.pulled == pulled
    assert (source.pulled, given) == (60, 60)
    assert server.most_open <= concurrency


def test_rows_are_under_way_together(serve: Serve) -> None:
    """While results are waited for, as many contacts are under way as may be."""
    server, client = serve(late(0.5, echo()))
    results = client.create_contacts(rows_of(range(40)), concurrency=20, rate_limit=1e6)
    assert outcomes(results) == {"created": 40}
    assert server.most_open == 20


def test_an_error_of_the_source_is_raised_after_what_was_under_way(
    client: SyncSendblueClient,
) -> None:
    """If the source fails, the rows that it gave get their results, and it is used no more."""
    asked = 0

    class Failing(Watched):
        def __next__(self) -> Any:
            nonlocal asked
            asked += 1
            if asked == 11:
                raise OSError("the disk is gone")
            return super().__next__()

    found: list[Any] = []
    results = client.create_contacts(Failing(rows_of(range(100))), rate_limit=1e6)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        found.extend(results)
    assert caught.traceback[-1].name == "__next__"
    assert (outcomes(found), asked) == ({"created": 10}, 11)
    assert list(results) == []


def test_a_source_that_cannot_be_begun_ends_the_batch(client: SyncSendblueClient) -> None:
    """An error of iter(), where a query set runs its query, reaches the caller."""

    class Broken(Watched):
        def __iter__(self) -> Watched:
            raise sqlite3.OperationalError("no such table")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        list(client.create_contacts(Broken([])))


def test_a_batch_that_stops_waits_for_no_further_row(serve: Serve) -> None:
    """Once the keys are refused, idle workers want nothing more of a slow source."""
    _, client = serve(refusal(401))

    def slow() -> Iterator[dict[str, Any]]:
        for row in rows_of(range(100)):
            yield row
            time.sleep(0.2)

    source = Watched(slow())
    with pytest.raises(AuthenticationError):
        list(client.create_contacts(source, rate_limit=1e6))
    assert source.pulled <= 3


def test_leaving_early_cancels_what_is_under_way(serve: Serve) -> None:
    """After a break nothing is under way, and the source is closed on the caller's thread."""
    server, client = serve(echo(), hang)
    closed_on = []

    def source() -> Iterator[dict[str, Any]]:
        try:
            yield from rows_of(range(100))
        finally:
            closed_on.append(threading.get_ident())

    for _ in client.create_contacts(source(), concurrency=4, rate_limit=1e6):
        break
    gc.collect()
    assert closed_on == [threading.get_ident()]
    until(lambda: server.open <= 1)
    assert len(server.requests) <= 5


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_source_ends_the_batch_at_once(serve: Serve, kind: Any) -> None:
    """What is no ordinary error, such as Ctrl-C, waits for nothing that is under way."""
    server, client = serve(hang)

    def source() -> Iterator[dict[str, Any]]:
        yield from rows_of(range(3))
        until(lambda: server.open == 3)
        raise kind

    results = client.create_contacts(source(), rate_limit=1e6)
    with pytest.raises(kind):
        next(results)
    until(lambda: server.open == 0)
    assert list(results) == []


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """SIGINT does what it does on a terminal; a program in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("reaches", ["the waiting thread", "another thread"])
def test_ctrl_c_during_the_wait_ends_the_batch_at_once(serve: Serve, reaches: str) -> None:
    """Ctrl-C cancels the rows under way, though others are left, whoever the signal reaches."""
    server, client = serve(hang)
    source = Watched(rows_of(range(100)))
    main = threading.get_ident()

    def interrupt() -> None:
        until(lambda: server.open == 3)
        reached = main if reaches == "the waiting thread" else threading.get_ident()
        signal.pthread_kill(reached, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    results = client.create_contacts(source, concurrency=3, rate_limit=1e6)
    with pytest.raises(KeyboardInterrupt):
        next(results)
    thread.join()
    until(lambda: server.open == 0)
    assert list(results) == []
    assert source.pulled == 3


def test_a_second_thread_is_refused_and_does_no_harm(serve: Serve) -> None:
    """Where one thread waits, another cannot, nor the source itself, as with a generator."""
    _, client = serve(late(0.05, echo()))
    refused: list[Exception] = []

    def try_next() -> None:
        try:
            next(results)
        except ValueError as error:
            refused.append(error)

    def source() -> Iterator[dict[str, Any]]:
        for row in rows_of(range(10)):
            thread = threading.Thread(target=try_next)
            thread.start()
            thread.join()
            try_next()
            yield row

    results = client.create_contacts(source(), concurrency=2, rate_limit=1e6)
    assert outcomes(results) == {"created": 10}
    assert len(refused) == 20


def test_a_batch_may_move_to_another_thread(serve: Serve) -> None:
    """A row that was wanted when nobody waited is pulled by whoever waits next."""
    _, client = serve(echo())
    source = Watched(rows_of(range(10)))
    results = client.create_contacts(source, concurrency=1, rate_limit=1e6)
    found = [next(results)]
    time.sleep(0.05)
    thread = threading.Thread(target=found.extend, args=[results])
    thread.start()
    thread.join()
    assert (outcomes(found), len(source.threads)) == ({"created": 10}, 2)


class Thread(threading.Thread):
    """A thread that gives what its function returns or raises."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self.start()

    def run(self) -> None:
        """Call the function."""
        try:
            self._end = self._function()
        except BaseException as error:
            self._end = error

    def end(self) -> Any:
        """What the function returned or raised; fail if it does not end."""
        self.join(timeout=20)
        assert not self.is_alive()
        return self._end


def test_close_cancels_what_is_in_flight_and_waits_for_it(serve: Serve) -> None:
    """When close returns, nothing runs any more, and the source is left on this thread."""
    server, client = serve(late(0.3, echo()), hang)
    closed_on = []

    def source() -> Iterator[dict[str, Any]]:
        try:
            yield from rows_of(range(100))
        finally:
            closed_on.append(threading.get_ident())

    with closing(client.create_contacts(source(), concurrency=4, rate_limit=1e6)) as results:
        next(results)
        assert server.open == 4
    assert closed_on == [threading.get_ident()]
    assert list(results) == []
    results.close()
    until(lambda: server.open <= 1)
    assert len(server.requests) <= 5
    assert not [task for task in portal_tasks() if "_work" in repr(task)]


def portal_tasks() -> set[Any]:
    """What runs on the event loop of the blocking clients, but for the look at it."""

    async def look() -> set[Any]:
        return asyncio.all_tasks() - {asyncio.current_task()}

    return portal.run(look, (), {})


def test_close_waits_for_an_asynchronous_source(client: SyncSendblueClient) -> None:
    """A source that takes its time to end has ended when close returns."""
    ended = []

    async def source() -> AsyncIterator[dict[str, Any]]:
        try:
            for row in rows_of(range(10)):
                yield row
                await asyncio.sleep(0)
        finally:
            ended.append(True)

    results = client.create_contacts(source(), concurrency=1, rate_limit=1e6)
    next(results)
    results.close()
    gc.collect()
    assert list(results) == []
    client.count_contacts()
    assert ended


@pytest.mark.parametrize("consumed", ["not at all", "in part", "to its end"])
def test_any_iterator_can_be_closed(client: SyncSendblueClient, consumed: str) -> None:
    """Begun or not, an iterator can be closed more than once, and gives nothing afterwards."""
    pulled = Watched(rows_of(range(30)))
    for items in (client.create_contacts(pulled, rate_limit=1e6), client.iter_contacts()):
        if consumed == "to its end":
            assert len(list(items)) == 30
        elif consumed == "in part":
            next(items)
        items.close()
        items.close()
        assert list(items) == []
    assert bool(pulled.threads) == (consumed != "not at all")


@pytest.mark.parametrize("of", ["contacts", "results"])
def test_close_from_another_thread_ends_the_wait(serve: Serve, of: str) -> None:
    """A thread that waits for an item gets none, and what it waited for is cancelled."""
    server, client = serve(hang)
    source = Watched(rows_of(range(5)))
    items: Any = (
        client.iter_contacts()
        if of == "contacts"
        else client.create_contacts(source, concurrency=2, rate_limit=1e6)
    )
    waiting = Thread(lambda: list(items))
    until(lambda: server.open)
    closers = [Thread(items.close) for _ in range(3)]
    assert [closer.end() for closer in closers] == [None] * 3
    assert waiting.end() == []
    until(lambda: server.open == 0)
    assert list(items) == []


def test_the_source_may_close_its_batch(serve: Serve) -> None:
    """A source that has seen enough ends the batch from inside, and is left where it runs."""
    _, client = serve(echo())
    closed_on = []

    def source() -> Iterator[dict[str, Any]]:
        try:
            for row in rows_of(range(10)):
                yield row
                if row["number"][-1] == "3":
                    results.close()
        finally:
            closed_on.append(threading.get_ident())

    results = client.create_contacts(source(), concurrency=1, rate_limit=1e6)
    assert outcomes(results)["created"] <= 4
    assert closed_on == [threading.get_ident()]


def test_a_row_that_comes_after_the_close_is_dropped(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Closed while a slow source is at it, the batch ends with the row, and nobody complains."""
    _, client = serve(echo())
    at_it, closed = threading.Event(), threading.Event()

    def source() -> Iterator[dict[str, Any]]:
        at_it.set()
        assert closed.wait(timeout=20)
        yield from rows_of(range(10))

    results = client.create_contacts(source(), concurrency=1, rate_limit=1e6)
    waiting = Thread(lambda: list(results))
    assert at_it.wait(timeout=20)
    assert Thread(results.close).end() is None
    closed.set()
    assert waiting.end() == []
    # The event loop has had its turn now, and with it the row.
    portal_tasks()
    assert not caplog.records


def test_close_is_refused_where_it_would_block(client: SyncSendblueClient) -> None:
    """On a thread where an event loop runs a close is refused, and works elsewhere."""
    contacts = client.iter_contacts()

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="iter_contacts would block"):
            contacts.close()
        await asyncio.to_thread(contacts.close)

    asyncio.run(main())
