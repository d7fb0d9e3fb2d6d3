"""From making a client to closing it: event loops, sessions, connections, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import pickle
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async import (
    BadRequestError,
    ConfigurationError,
    ContactResponse,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SyncSendblueClient,
    Timeouts,
)
from sendblue_async.sandbox import Sandbox

from .servers import contact, drip, hang, hang_up, late, refusal, running

NUMBER = "+14155550123"
KEYS = "sandbox-key", "sandbox-secret"


@contextlib.contextmanager
def elsewhere(manager: Any) -> Iterator[Any]:
    """A server that runs on a thread of its own, for tests that have an event loop to lose."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(manager) as server:
        yield server


@pytest.fixture
def far_sandbox() -> Iterator[Sandbox]:
    """A sandbox on another thread."""
    with elsewhere(Sandbox()) as sandbox:
        yield sandbox


def wait_until(condition: Any) -> None:
    """Wait for another thread to make something true; fail if it does not in ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_client_serves_three_event_loops(far_sandbox: Sandbox) -> None:
    """Made where no loop runs, it works in one ``asyncio.run`` after another, and keeps none."""
    client = SendblueClient(*KEYS, base_url=far_sandbox.base_url)

    loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()

    async def create(first: int) -> None:
        loops.add(asyncio.get_running_loop())
        numbers = [f"+1415555{first + index:04}" for index in range(5)]
        answers = await asyncio.gather(*map(client.create_contact, numbers))
        assert [answer.contact.phone for answer in answers] == numbers

    for first in (0, 100, 200):
        asyncio.run(create(first))
    gc.collect()
    assert len(loops) <= 1
    asyncio.run(client.close())
    assert len(far_sandbox.contacts) == 15


def test_the_end_of_a_loop_closes_its_connections() -> None:
    """After ``asyncio.run`` without a close no connection is open, and aiohttp has no complaint."""
    with elsewhere(running(contact())) as server:
        client = SendblueClient(*KEYS, base_url=server.base_url)
        asyncio.run(client.create_contact(NUMBER))
        wait_until(lambda: server.accepted == 1 and server.open == 0)
        gc.collect()
        asyncio.run(client.create_contact(NUMBER))
        asyncio.run(client.close())
        assert server.accepted == 2


def test_one_client_serves_two_loops_at_once(far_sandbox: Sandbox) -> None:
    """Two threads, each with a loop of its own, share a client and do not disturb each other."""
    client = SendblueClient(*KEYS, base_url=far_sandbox.base_url)
    together = threading.Barrier(2)
    done: list[int] = []

    async def create(first: int) -> None:
        together.wait()
        for index in range(0, 60, 10):
            await asyncio.gather(
                *(client.create_contact(f"+1415555{first + index + one:04}") for one in range(10))
            )
        done.append(first)
        together.wait()

    threads = [threading.Thread(target=asyncio.run, args=(create(n),)) for n in (1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(client.close())
    assert sorted(done) == [1000, 2000]
    assert len(far_sandbox.contacts) == 120


def test_loops_that_come_and_go_on_many_threads() -> None:
    """Each loop keeps the connection it made, whatever other threads' loops begin and end."""
    interval = sys.getswitchinterval()
    with elsewhere(running(contact())) as server, ThreadPoolExecutor(16) as threads:
        client = SendblueClient(*KEYS, base_url=server.base_url)
        # All threads run before they are interrupted this often, which Python 3.10 does not stand
        # while it begins to count lines on them.
        together = threading.Barrier(16)
        list(threads.map(lambda _: together.wait(), range(16)))
        sys.setswitchinterval(1e-6)

        async def call_twice() -> None:
            for _ in range(2):
                assert (await client.get_contact(NUMBER)).meta.attempts == 1

        try:
            runs = [threads.submit(asyncio.run, call_twice()) for _ in range(800)]
            for run in runs:
                run.result()
        finally:
            sys.setswitchinterval(interval)
            asyncio.run(client.close())
        assert (server.accepted, len(server.requests)) == (800, 1600)


def test_closing_reaches_the_connections_of_another_loop() -> None:
    """A close on one loop also ends the connections that a loop on another thread has open."""
    with (
        elsewhere(running(contact())) as server,
        start_blocking_portal() as portal,
    ):
        client = SendblueClient(*KEYS, base_url=server.base_url)
        portal.call(client.create_contact, NUMBER)
        assert server.open == 1
        asyncio.run(client.close())
        wait_until(lambda: server.open == 0)
        with pytest.raises(ConfigurationError):
            portal.call(client.create_contact, NUMBER)


def test_an_unclosed_client_is_warned_about() -> None:
    """A client that was used and is dropped gives one ``ResourceWarning``, and nothing hangs."""
    with elsewhere(running(contact())) as server:
        client = SendblueClient(*KEYS, base_url=server.base_url)
        asyncio.run(client.create_contact(NUMBER))
        clients = [client]
        del client
        with pytest.warns(ResourceWarning, match="unclosed Sendblue client") as caught:
            clients.clear()
        assert len(caught) == 1
        wait_until(lambda: server.open == 0)


@pytest.mark.anyio
async def test_a_client_dropped_inside_its_loop_is_warned_about(serve: Any) -> None:
    """The same while the loop goes on running, which then closes the connections."""
    server = await serve(contact())
    client = SendblueClient(*KEYS, base_url=server.base_url)
    await client.create_contact(NUMBER)
    seen: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # A recorded warning would keep its source alive, and so the client.
        warnings.showwarning = lambda message, *_: seen.append(str(message))
        del client
        gc.collect()
        await server.until(lambda: server.open == 0)
    assert seen == ["unclosed Sendblue client"]


@pytest.mark.parametrize("options", [{}, {"base_url": "ftp://example.com"}])
def test_a_client_that_was_never_used_gives_no_warning(options: Any) -> None:
    """Neither one that nobody used, nor one that could not be made, has anything to close."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if options:
            with pytest.raises(ConfigurationError):
                SendblueClient(*KEYS, **options)
        else:
            SendblueClient(*KEYS)
        gc.collect()
    assert not caught


@pytest.mark.anyio
async def test_a_closed_client_says_so(sandbox: Any) -> None:
    """Every call after the close is a clear error, through views too; closing again is none."""
    client = SendblueClient(*KEYS, base_url=sandbox.base_url)
    view = client.with_options(retry=RetryPolicy(attempts=1))
    await client.create_contact(NUMBER)
    await view.close()
    await client.close()
    for call in (client.create_contact, client.get_contact, view.get_contact):
        with pytest.raises(ConfigurationError, match="closed"):
            await call(NUMBER)
    with pytest.raises(ConfigurationError, match="closed"):
        await client.request("GET", "/")
    assert len(sandbox.requests) == 1


@pytest.mark.anyio
async def test_a_client_may_be_closed_unused() -> None:
    """Closing a client that never opened anything does no harm, and it is closed then."""
    client = SendblueClient(*KEYS)
    await client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await client.get_contact(NUMBER)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [None, ZeroDivisionError, asyncio.CancelledError])
async def test_the_context_manager_closes(serve: Any, error: Any) -> None:
    """At the end of the block all connections are closed, also if it ends in an error."""
    server = await serve(contact())
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        async with SendblueClient(*KEYS, base_url=server.base_url) as client:
            await asyncio.gather(*(client.get_contact(NUMBER) for _ in range(5)))
            assert server.open == 5
            if error:
                raise error
    await server.until(lambda: server.open == 0)
    gc.collect()
    with pytest.raises(ConfigurationError):
        await client.get_contact(NUMBER)


@pytest.mark.anyio
async def test_a_given_session_is_used_and_left_open(serve: Any) -> None:
    """The caller's session sends the requests, with its own headers, and outlives the client."""
    server = await serve(contact())
    async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as session:
        async with SendblueClient(*KEYS, base_url=server.base_url, session=session) as client:
            await client.create_contact(NUMBER)
        assert not session.closed
        assert server.open == 1
        async with session.get(server.base_url) as answer:
            assert answer.status == 200
    assert server.accepted == 1
    assert server.requests[0].headers["x-mine"] == "yes"
    assert server.requests[0].headers["sb-api-key-id"] == "sandbox-key"


def test_a_given_session_belongs_to_one_event_loop() -> None:
    """On a second event loop a given session is refused, before anything is sent."""
    with elsewhere(Sandbox()) as sandbox, ThreadPoolExecutor(1) as thread:

        async def main() -> None:
            async with (
                aiohttp.ClientSession() as session,
                SendblueClient(*KEYS, base_url=sandbox.base_url, session=session) as client,
            ):
                await client.create_contact(NUMBER)
                get = client.get_contact(NUMBER)
                with pytest.raises(ConfigurationError, match="another event loop"):
                    await asyncio.wrap_future(thread.submit(asyncio.run, get))
                await client.close()
                async with client:
                    pass

                async def enter_again() -> None:
                    async with client:
                        await client.get_contact(NUMBER)

                with pytest.raises(ConfigurationError, match="another event loop"):
                    await asyncio.wrap_future(thread.submit(asyncio.run, enter_again()))

        asyncio.run(main())
        assert sandbox.counts["requests"] == 1


@pytest.mark.anyio
async def test_a_given_session_that_was_closed(serve: Any, connect: Any) -> None:
    """It is a clear error, whether it was closed before the first call or after it."""
    server = await serve(contact())
    for used in (False, True):
        async with aiohttp.ClientSession() as session:
            client = connect(server, session=session)
            if used:
                await client.create_contact(NUMBER)
        with pytest.raises(ConfigurationError, match="session"):
            await client.create_contact(NUMBER)
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_a_given_session_with_trace_configs_is_refused() -> None:
    """The hooks would be lost without a word, as they belong to the session."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="trace_configs"):
            SendblueClient(*KEYS, session=session, trace_configs=[aiohttp.TraceConfig()])


@pytest.mark.anyio
async def test_trace_configs_see_the_requests(serve: Any, connect: Any) -> None:
    """aiohttp's own hooks are called, so that existing instrumentation works."""
    server = await serve(contact())
    seen: list[str] = []

    async def see(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.method)

    hooks = aiohttp.TraceConfig()
    hooks.on_request_start.append(see)
    await connect(server, trace_configs=[hooks]).create_contact(NUMBER)
    assert seen == ["POST"]


@pytest.mark.anyio
@pytest.mark.parametrize("given", [False, True])
async def test_max_connections_is_never_exceeded(
    serve: Any, connect: Any, stack: contextlib.AsyncExitStack, given: bool
) -> None:
    """Twenty calls at once share two sockets; in a session of the caller's own, its two."""
    server = await serve(late(0.01, contact()))
    options: dict[str, Any] = {"max_connections": 2}
    if given:
        connector = aiohttp.TCPConnector(limit=2)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        options = {"session": session}
    client = connect(server, **options)
    await asyncio.gather(*(client.create_contact(NUMBER) for _ in range(20)))
    assert (server.accepted, server.most_open, len(server.requests)) == (2, 2, 20)


@pytest.mark.anyio
async def test_connections_are_reused(serve: Any, connect: Any) -> None:
    """Calls one after the other share one connection, failed ones too."""
    server = await serve(contact(), refusal(404), contact(), refusal(400), contact())
    client = connect(server)
    for _ in range(6):
        with contextlib.suppress(BadRequestError, NotFoundError):
            await client.create_contact(NUMBER)
    assert (server.accepted, len(server.requests)) == (1, 6)


@pytest.mark.anyio
async def test_a_server_that_closes_idle_connections(serve: Any, connect: Any) -> None:
    """A connection closed between two calls is noticed, and costs no attempt."""
    answer = contact()

    async def answer_and_close(reader: Any, writer: Any) -> None:
        await answer(reader, writer)
        await writer.drain()
        writer.close()

    server = await serve(answer_and_close)
    client = connect(server)
    for _ in range(5):
        assert (await client.create_contact(NUMBER)).meta.attempts == 1
        await server.until(lambda: server.open == 0)
        await asyncio.sleep(0.01)
    assert server.accepted == 5


@pytest.mark.anyio
async def test_failures_leave_no_connection_open(serve: Any, connect: Any) -> None:
    """After time-outs and hang-ups the server sees every one of their connections closed."""
    server = await serve(hang, hang_up, hang, hang_up, hang, refusal(400))
    policy = RetryPolicy(base=0, attempts=2)
    client = connect(server, retry=policy, timeouts=Timeouts(attempt=0.05))
    for _ in range(3):
        with pytest.raises(SendblueError):
            await client.create_contact(NUMBER, update_if_exists=True)
    await server.until(lambda: server.open <= 1)


async def started(call: Any) -> asyncio.Task[Any]:
    """A task that has run up to its first wait."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0)
    return task


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task; fail unless it ends at once, and in nothing but a cancellation."""
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1


@pytest.mark.anyio
async def test_cancellation_in_flight(serve: Any, connect: Any) -> None:
    """The connection is given up, its slot is free, and the next call works."""
    server = await serve(hang, contact())
    client = connect(server, max_connections=1)
    task = await started(client.create_contact(NUMBER))
    await server.until(lambda: server.requests)
    await cancel(task)
    await server.until(lambda: server.open == 0)
    assert (await client.create_contact(NUMBER)).meta.attempts == 1


@pytest.mark.anyio
async def test_cancellation_while_the_answer_comes(serve: Any, connect: Any) -> None:
    """A connection with half an answer on it is closed, and never used for the next call."""
    server = await serve(drip(b" " * 1000, 0.01), contact())
    client = connect(server, max_connections=1)
    task = await started(client.create_contact(NUMBER))
    await server.until(lambda: server.requests)
    await asyncio.sleep(0.05)
    await cancel(task)
    await server.until(lambda: server.open == 0)
    assert (await client.create_contact(NUMBER)).meta.attempts == 1


@pytest.mark.anyio
async def test_cancellation_in_the_queue(serve: Any, connect: Any) -> None:
    """A call that waits for its turn sends nothing, and the others move up."""
    server = await serve(late(0.1, contact()), contact())
    client = connect(server, max_connections=1)
    first = await started(client.create_contact(NUMBER))
    queued = [await started(client.create_contact(NUMBER)) for _ in range(3)]
    await server.until(lambda: server.requests)
    await cancel(queued[0])
    await cancel(queued[2])
    await asyncio.gather(first, queued[1])
    await client.create_contact(NUMBER)
    assert len(server.requests) == 3


@pytest.mark.anyio
async def test_cancellation_in_a_wait(serve: Any, connect: Any, standing_timer: Any) -> None:
    """A call that waits to be retried ends there, and holds no slot meanwhile."""
    server = await serve(refusal(500), contact())
    client = connect(server, timer=standing_timer, max_connections=1)
    task = await started(client.create_contact(NUMBER))
    await server.until(lambda: standing_timer.waits)
    await client.create_contact(NUMBER)
    await cancel(task)
    await client.create_contact(NUMBER)
    assert len(server.requests) == 3


@pytest.mark.anyio
async def test_cancellation_while_connecting(serve: Any, connect: Any) -> None:
    """A handshake that is cut off leaves nothing behind."""
    server = await serve(contact())
    silent = connect(server.base_url.replace("http:", "https:"), max_connections=1)
    for _ in range(2):
        task = await started(silent.create_contact(NUMBER))
        await server.until(lambda: server.open == 1)
        await cancel(task)
        await server.until(lambda: server.open == 0)


@pytest.mark.anyio
async def test_cancellation_by_anyio(serve: Any, connect: Any) -> None:
    """A cancel scope around a call ends it, and the client goes on working."""
    server = await serve(hang, contact())
    client = connect(server, max_connections=1)
    with anyio.move_on_after(0.05) as scope:
        await client.create_contact(NUMBER)
    assert scope.cancelled_caught
    await client.create_contact(NUMBER)


@pytest.mark.anyio
@pytest.mark.parametrize("state", ["in flight", "in a wait", "in the queue"])
async def test_closing_ends_the_calls_under_way(
    serve: Any, connect: Any, standing_timer: Any, state: str
) -> None:
    """They raise an error of ours, whatever they were doing, and nothing more is sent."""
    server = await serve(refusal(500) if state == "in a wait" else hang, contact())
    client = connect(server, timer=standing_timer, max_connections=1)
    tasks = [await started(client.create_contact(NUMBER, update_if_exists=True))]
    if state == "in the queue":
        tasks.append(await started(client.create_contact(NUMBER, update_if_exists=True)))
    await server.until(lambda: server.requests)
    if state == "in a wait":
        await server.until(lambda: standing_timer.waits)
    await client.close()
    await server.until(lambda: server.open == 0)
    for _ in range(20):
        await asyncio.sleep(0.002)
        standing_timer.advance(10)
    for task in tasks:
        with pytest.raises(SendblueError):
            await asyncio.wait_for(task, 30)
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_cancellation_in_a_look_up(serve: Any, connect: Any) -> None:
    """A create that is being settled ends there, and holds no connection."""
    server = await serve(POST=refusal(500), GET=[hang, contact()])
    client = connect(server, max_connections=1, retry=RetryPolicy(attempts=1))
    task = await started(client.create_contact(NUMBER))
    await server.until(lambda: server.count("GET"))
    await cancel(task)
    await server.until(lambda: server.open == 0)
    assert (await client.get_contact(NUMBER)).meta.attempts == 1


@pytest.mark.anyio
@pytest.mark.parametrize("first", [contact(), refusal(429, Retry_After="20")])
async def test_cancellation_while_the_client_holds_back(
    serve: Any, connect: Any, standing_timer: Any, first: Any
) -> None:
    """A call that waits for a slot of the rate limit, or for the end of a pause, sends nothing."""
    server = await serve(first, contact())
    client = connect(server, timer=standing_timer, max_connections=1, rate_limit=1)
    once = client.with_options(retry=RetryPolicy(attempts=1))
    with contextlib.suppress(RateLimitError):
        await once.create_contact(NUMBER)
    task = await started(client.create_contact(NUMBER))
    await server.until(lambda: standing_timer.waits)
    await cancel(task)
    standing_timer.advance(60)
    await client.create_contact(NUMBER)
    assert len(server.requests) == 2


@pytest.mark.anyio
async def test_cancellation_at_every_moment(serve: Any, connect: Any) -> None:
    """At whichever turn of the loop it comes, it is done or cancelled, and the client works."""
    server = await serve(contact())
    client = connect(server, max_connections=1)
    ended: list[bool] = []
    for turns in range(80):
        # Every other call has to connect first.
        if turns % 2:
            client = connect(server, max_connections=1)
        task = asyncio.ensure_future(client.create_contact(NUMBER))
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        task.cancel()
        [answer] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(answer, (ContactResponse, asyncio.CancelledError))
        ended.append(isinstance(answer, ContactResponse))
        assert (await client.create_contact(NUMBER)).meta.attempts == 1
    assert set(ended) == {False, True}
    await client.close()


@pytest.mark.anyio
async def test_cancellation_of_many_holds_no_slot(serve: Any, connect: Any) -> None:
    """After 200 calls cancelled in the queue and in flight, as many connections are free again."""
    server = await serve(late(0.005, contact()))
    client = connect(server, max_connections=4)
    tasks = [await started(client.create_contact(NUMBER)) for _ in range(200)]
    await server.until(lambda: len(server.requests) > 20)
    began = time.monotonic()
    for task in tasks:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert time.monotonic() - began < 1
    kinds = {type(answer) for answer in answers}
    assert kinds == {ContactResponse, asyncio.CancelledError}
    server.steps["*"] = [hang]
    tasks = [await started(client.create_contact("+14155550199")) for _ in range(4)]
    # Not by their count: requests that were cancelled may still arrive.
    await server.until(lambda: sum(b"50199" in each.body for each in server.requests) == 4)
    for task in tasks:
        await cancel(task)
    await server.until(lambda: server.open == 0)


STILL = contextlib.nullcontext()


def test_a_block_may_be_entered_again(far_sandbox: Sandbox) -> None:
    """One client serves block after block, each in a loop of its own, and is closed between."""
    client = SendblueClient(*KEYS, base_url=far_sandbox.base_url)
    view = client.with_options()

    async def serve(number: str) -> None:
        with pytest.raises(ConfigurationError, match="closed") if number[-1] > "0" else STILL:
            await client.create_contact(number, update_if_exists=True)
        async with view if number[-1] == "2" else client:
            await client.create_contact(number, update_if_exists=True)
            await view.get_contact(number)

    for n in range(4):
        asyncio.run(serve(f"+1415555010{n}"))
    assert len(far_sandbox.contacts) == 4
    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(view.get_contact(NUMBER))


@pytest.mark.anyio
async def test_blocks_may_overlap(serve: Any) -> None:
    """The client stays open until the last of its blocks ends."""
    server = await serve(contact())
    client = SendblueClient(*KEYS, base_url=server.base_url)
    async with client:
        async with client.with_options() as view:
            await view.get_contact(NUMBER)
        await client.get_contact(NUMBER)
        assert (server.accepted, server.open) == (1, 1)
    await server.until(lambda: server.open == 0)
    with pytest.raises(ConfigurationError, match="closed"):
        await view.get_contact(NUMBER)


@pytest.mark.anyio
async def test_a_close_inside_a_block_closes(serve: Any) -> None:
    """It is at once the end of every block; the next one opens the client again."""
    server = await serve(contact())
    client = SendblueClient(*KEYS, base_url=server.base_url)
    async with client, client:
        await client.get_contact(NUMBER)
        await client.close()
        await server.until(lambda: server.open == 0)
        with pytest.raises(ConfigurationError, match="closed"):
            await client.get_contact(NUMBER)
    async with client:
        await client.get_contact(NUMBER)
    await server.until(lambda: server.open == 0)
    with pytest.raises(ConfigurationError, match="closed"):
        await client.get_contact(NUMBER)


@pytest.mark.anyio
async def test_a_subclass_may_add_to_the_close(serve: Any) -> None:
    """The end of a block closes as the subclass does."""
    closes: list[str] = []

    class Client(SendblueClient):
        async def close(self) -> None:
            closes.append("close")
            await super().close()

    server = await serve(contact())
    async with Client(*KEYS, base_url=server.base_url) as client:
        await client.get_contact(NUMBER)
    assert closes == ["close"]
    await server.until(lambda: server.open == 0)


@pytest.mark.anyio
@pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient])
async def test_copies_of_a_client_share_its_connections(serve: Any, cls: Any) -> None:
    """Before its use and after, a deep copy is the client itself, and a copy is a view of it."""
    server = await serve(contact())
    client = cls(*KEYS, base_url=server.base_url)

    async def call(client: Any) -> Any:
        if cls is SendblueClient:
            return await client.get_contact(NUMBER)
        return await anyio.to_thread.run_sync(client.get_contact, NUMBER)

    for _ in range(2):
        settings = copy.deepcopy({"client": client, "calls": [client.get_contact]})
        assert settings["client"] is client
        assert settings["calls"][0].__self__ is client
        view = copy.copy(client)
        assert type(view) is cls
        assert view is not client
        with pytest.raises(TypeError, match="Client is not pickled"):
            pickle.dumps(client)
        for one in (client, view):
            assert (await call(one)).contact.phone == NUMBER
    assert server.accepted == 1
    if cls is SendblueClient:
        await view.close()
    else:
        await anyio.to_thread.run_sync(view.close)
    with pytest.raises(ConfigurationError, match="closed"):
        await call(client)
    del settings, view, one
    gc.collect()
