"""The blocking client held against the asynchronous one: the same calls, seen from threads."""

from __future__ import annotations

import _thread
import asyncio
import builtins
import gc
import inspect
import pydoc
import re
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import evolve

from sendblue_async import (
    CLEAR,
    ConfigurationError,
    ContactCreate,
    ContactUpdate,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    ServerError,
    SyncSendblueClient,
    Timeouts,
)
from sendblue_async.sandbox import Faults, Sandbox

NUMBER = "+14155550123"
COROUTINES = [
    name
    for name, _ in inspect.getmembers(SendblueClient, inspect.iscoroutinefunction)
    if not name.startswith("_")
]
# Methods that give items one by one.
ITERATORS = ["create_contacts", "iter_contacts"]


def lead_to(sandbox: Sandbox) -> dict[str, Any]:
    """The arguments that lead a client to a sandbox."""
    return {name: getattr(sandbox, name) for name in ("api_key", "api_secret", "base_url")}


@pytest.fixture
def options(sandbox: Sandbox) -> dict[str, Any]:
    """The arguments that lead a client to the sandbox."""
    return lead_to(sandbox)


@pytest.fixture
def client(options: dict[str, Any]) -> Iterator[SyncSendblueClient]:
    """A blocking client of the sandbox."""
    with SyncSendblueClient(**options) as client:
        yield client


def test_the_blocking_class_has_the_public_names_of_the_other() -> None:
    """Whatever is on the one client is on the other, so code moves between them by its awaits."""
    both = SendblueClient, SyncSendblueClient
    one, other = ({name for name in dir(cls) if not name.startswith("_")} for cls in both)
    assert one == other
    assert {"close", "create_contact", "get_contact", "request"} <= set(COROUTINES)


@pytest.mark.parametrize("name", [*COROUTINES, *ITERATORS, "with_options"])
def test_a_method_and_its_twin_look_the_same(name: str) -> None:
    """Name, signature, annotations and docstring of a method are those of the coroutine."""
    method, twin = getattr(SendblueClient, name), getattr(SyncSendblueClient, name)
    assert twin.__name__ == name
    assert inspect.signature(twin) == inspect.signature(method)
    assert twin.__annotations__ == method.__annotations__
    assert twin.__doc__ == method.__doc__
    assert not inspect.iscoroutinefunction(twin)


def test_the_constructors_take_the_same_arguments() -> None:
    """Both classes are made with the same arguments and defaults, but for one about blocking."""
    one, other = (
        {**inspect.signature(cls).parameters} for cls in (SendblueClient, SyncSendblueClient)
    )
    assert other.pop("allow_blocking_loop").default is False
    assert [*one.values()] == [*other.values()]
    assert "max_connections" in one


@pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient])
def test_help_shows_signatures_types_and_docstrings(cls: type) -> None:
    """What help() prints of either class names every argument with its type, and no star-args."""
    # From Python 3.14 on, types are shown without quotes.
    page = " ".join(pydoc.render_doc(cls, renderer=pydoc.plaintext).replace("'", "").split())
    for part in (
        "api_key: str | None = None",
        "timeouts: Timeouts | None = None",
        "number: str | ContactCreate | None = None",
        "tags: Iterable[str] | Clear | None = None",
        "**deprecated: Unpack[DeprecatedSpellings]",
        "-> ContactResponse",
        "-> RawResponse",
        "Create a contact, or update it",
        "Get the contact with this number.",
    ):
        assert part in page
    assert "*args" not in page


def attempted(call: Callable[[], Any]) -> Any:
    """What a call returns or raises."""
    try:
        return call()
    except Exception as error:
        return error


async def awaited(call: Callable[[], Any]) -> Any:
    """What a call returns or raises, once awaited."""
    try:
        return await call()
    except Exception as error:
        return error


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("create_contact", (NUMBER,), {"first_name": "Ada", "tags": ["vip"], "custom_variables": {}}),
    ("create_contact", (NUMBER,), {}),
    ("create_contact", (NUMBER,), {"last_name": "Byron", "update_if_exists": True}),
    ("create_contact", (ContactCreate(number="+14155550124", last_name=CLEAR),), {}),
    ("create_contact", (), {"number": "+1 415 555 0125", "extra_body": {"company_name": "A"}}),
    ("create_contact", (), {}),
    ("create_contact", (NUMBER,), {"tags": "vip"}),
    ("create_contact", (NUMBER,), {"nickname": "A"}),
    ("create_contact", (NUMBER, "Ada"), {}),
    ("get_contact", ("+1 (415) 555-0123",), {}),
    ("get_contact", ("+14155550199",), {}),
    ("get_contact", ("call me",), {}),
    ("count_contacts", (), {}),
    ("list_contacts", (), {"limit": 2, "order_direction": "asc"}),
    ("list_contacts", (), {"limit": 0}),
    ("update_contact", (NUMBER,), {"company_name": "A", "opt_out": True}),
    ("update_contact", (NUMBER, ContactUpdate(tags=CLEAR)), {}),
    ("update_contact", (NUMBER,), {}),
    ("update_contact", ("+14155550199",), {"first_name": "Ada"}),
    ("verify_contact", (NUMBER,), {}),
    ("opt_out_contact", (NUMBER,), {}),
    ("opt_out_contact", (NUMBER, False), {}),
    ("create_contacts_bulk", ([{"number": "+14155550127"}],), {}),
    ("create_contacts_bulk", ([{"number": "+14155550127", "update_if_exists": True}],), {}),
    ("delete_contacts_bulk", (["+14155550127", "+14155550199"],), {}),
    ("delete_contact", ("+14155550125",), {}),
    ("delete_contact", ("+14155550125",), {}),
    ("create_verified_contact", (NUMBER,), {}),
    ("create_verified_contact", ("call me",), {}),
    ("get_verified_contact", (NUMBER,), {}),
    ("get_verified_contact", ("+14155550199",), {}),
    ("list_verified_contacts", (), {}),
    ("request", ("GET", "/api/v2/contacts/%2B14155550123"), {"params": {"page": 1}}),
    ("request", ("POST", "/api/v2/contacts"), {"json": {"number": "+14155550126"}}),
    ("request", ("POST", "/api/v2/contacts"), {"json": {"number": float("nan")}}),
    ("request", ("BREW", "/api/v2/contacts"), {}),
    ("request", ("GET", "no path"), {}),
]


def told(base_url: str, outcome: Any) -> str:
    """All that a result or an error says, but for where and when."""
    if isinstance(outcome, BaseException):
        cause = type(outcome.__cause__).__name__
        text = f"{type(outcome).__name__}: {outcome} {vars(outcome)} {cause}"
    else:
        meta = evolve(outcome.meta, headers=sorted(outcome.meta.headers), elapsed=0.0)
        text = str(evolve(outcome, meta=meta))
    return re.sub(r"datetime\(.+?\)|\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text).replace(base_url, "URL")


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"server_error": 1},
        {"refusal_in_200": 1},
        {"reset": 1},
        {"garbage": 0.5},
        {"drop_after_commit": 0.5},
    ],
    ids=str,
)
def test_both_clients_get_the_same_results_and_errors(faults: dict[str, float]) -> None:
    """Every call ends the same way on both clients: equal results, equal errors, all fields."""
    settings: dict[str, Any] = {"retry": RetryPolicy(base=0, attempts=3)}
    new_sandbox = partial(Sandbox, faults=Faults(**faults))

    async def expected() -> list[str]:
        async with (
            new_sandbox() as sandbox,
            SendblueClient(**lead_to(sandbox), **settings) as client,
        ):
            calls = [partial(getattr(client, name), *args, **kw) for name, args, kw in CALLS]
            return [told(sandbox.base_url, await awaited(call)) for call in calls]

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(new_sandbox()) as sandbox,
        SyncSendblueClient(**lead_to(sandbox), **settings) as client,
    ):
        calls = [partial(getattr(client, name), *args, **kw) for name, args, kw in CALLS]
        ends = [told(sandbox.base_url, attempted(call)) for call in calls]
    assert ends == asyncio.run(expected())


def test_with_options_gives_a_view_with_other_settings(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """A view has its own retry policy and timeouts, and leaves those of its client alone."""
    patient = client.with_options(retry=RetryPolicy(attempts=3, base=0))
    hasty = patient.with_options(timeouts=Timeouts(attempt=0.05, total=0.2))
    assert type(patient) is type(hasty) is SyncSendblueClient
    sandbox.faults = Faults(server_error=1)
    with pytest.raises(ServerError) as caught:
        patient.get_contact(NUMBER)
    assert caught.value.attempts == 3
    sandbox.faults = Faults(latency=1)
    with pytest.raises(SendblueError) as late:
        hasty.get_contact(NUMBER)
    assert late.value.timed_out
    sandbox.faults = Faults()
    assert client.create_contact(NUMBER).meta.attempts == 1


def test_a_view_and_its_client_close_together(client: SyncSendblueClient) -> None:
    """Closing a view closes the client it was made from, and the other way round."""
    client.with_options().close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.get_contact(NUMBER)


def test_a_with_block_closes_the_client(options: dict[str, Any]) -> None:
    """The block gets the client itself, closes it however it ends, and swallows no error."""
    client = SyncSendblueClient(**options)

    def work() -> None:
        with client as entered:
            assert entered is client
            client.create_contact(NUMBER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    with pytest.raises(ConfigurationError, match="closed"):
        client.get_contact(NUMBER)


def test_with_blocks_of_many_threads_share_a_client(
    sandbox: Sandbox, options: dict[str, Any]
) -> None:
    """Threads may each have a block of their own, and none closes the client of another."""
    client = SyncSendblueClient(**options)

    def work(thread: int) -> None:
        for call in range(40):
            with client as entered:
                entered.create_contact(f"+14155{thread:03}{call:03}")

    in_threads(8, work)
    assert len(sandbox.contacts) == sandbox.counts["requests"] == 320
    with pytest.raises(ConfigurationError, match="closed"):
        client.count_contacts()
    with client:
        assert client.count_contacts().count == 320


def test_a_block_that_begins_while_the_last_one_ends_keeps_the_client_open(
    options: dict[str, Any],
) -> None:
    """Between the end of the last block and the close that it leads to, another may begin."""
    begun: list[SyncSendblueClient] = []

    class Client(SyncSendblueClient):
        def close(self) -> None:
            if not begun:
                begun.append(in_threads(1, lambda _: self.__enter__())[0])
            super().close()

    with Client(**options) as client:
        client.create_contact(NUMBER)
    assert begun == [client]
    assert client.get_contact(NUMBER).contact.phone == NUMBER
    client.__exit__(None, None, None)
    with pytest.raises(ConfigurationError, match="closed"):
        client.get_contact(NUMBER)


@pytest.mark.parametrize("used", [False, True])
def test_a_closed_client_refuses_calls_and_sends_nothing(
    sandbox: Sandbox, options: dict[str, Any], used: bool
) -> None:
    """After close every call is a ConfigurationError, and closing again does no harm."""
    client = SyncSendblueClient(**options)
    if used:
        client.create_contact(NUMBER)
    client.close()
    client.close()
    for call in (client.create_contact, client.get_contact):
        with pytest.raises(ConfigurationError, match="closed"):
            call(NUMBER)
    with pytest.raises(ConfigurationError, match="closed"):
        client.request("GET", "/api/v2/contacts/%2B14155550123")
    assert sandbox.counts["requests"] == used


def test_close_ends_the_connections() -> None:
    """When close returns, the server sees the end of the connection."""
    body = b'{"contact":{"phone":"+14155550123"},"status":"OK"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = SyncSendblueClient("key", "secret", base_url=base_url)
        call = pool.submit(client.get_contact, NUMBER)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(65536)
            connection.sendall(head % len(body) + body)
            assert call.result(timeout=10).contact.phone == NUMBER
            client.close()
            assert connection.recv(1) == b""


@pytest.mark.anyio
async def test_a_session_is_refused(options: dict[str, Any]) -> None:
    """A session of the caller's own, bound to a loop of theirs, is a ConfigurationError."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="session to SendblueClient"):
            SyncSendblueClient(**options, session=session)
    SyncSendblueClient(**options, session=None)


def test_bad_arguments_are_refused_as_by_the_other_client() -> None:
    """The constructor checks what it is given when it is given, with the same words."""
    messages = []
    for cls in (SendblueClient, SyncSendblueClient):
        with pytest.raises(ConfigurationError) as caught:
            cls("key", "secret", base_url="http://example.com")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.anyio
@pytest.mark.parametrize("name", [*COROUTINES, *ITERATORS])
async def test_a_call_that_would_block_an_event_loop_is_refused(
    sandbox: Sandbox, options: dict[str, Any], name: str
) -> None:
    """On a thread where a loop runs, each method names the coroutine to await; nothing is sent."""
    args = next((args for called, args, _ in CALLS if called == name), ())
    client = SyncSendblueClient(**options)
    with pytest.raises(ConfigurationError, match=rf"await SendblueClient\.{name} instead"):
        getattr(client, name)(*args)
    assert not sandbox.requests
    await anyio.to_thread.run_sync(client.create_contact, NUMBER)
    assert list(sandbox.contacts) == [NUMBER]
    await anyio.to_thread.run_sync(client.close)


@pytest.mark.anyio
async def test_an_ipython_kernel_may_block_its_loop(
    client: SyncSendblueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Jupyter, where every cell runs inside the kernel's loop, calls work as in a script."""
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    assert client.create_contact(NUMBER).status == "OK"
    assert client.get_contact(NUMBER).contact.phone == NUMBER
    await anyio.to_thread.run_sync(client.close)


def test_all_clients_share_one_thread(options: dict[str, Any]) -> None:
    """However many clients there are, one background thread serves them, and it is a daemon."""
    before = set(threading.enumerate())
    started: set[threading.Thread] = set()
    for _ in range(8):
        with SyncSendblueClient(**options) as client:
            client.create_contact(NUMBER, update_if_exists=True)
            started |= set(threading.enumerate()) - before
    assert len(started) <= 1
    loops = [thread for thread in threading.enumerate() if thread.name == "sendblue-async"]
    assert [thread.daemon for thread in loops] == [True]


def test_a_call_keeps_nothing_of_its_caller(client: SyncSendblueClient) -> None:
    """After a call, what its caller had in hand can go, though connections stay open."""

    class Document:
        pass

    def work() -> weakref.ref[Document]:
        document = Document()
        client.create_contact(NUMBER, update_if_exists=True)
        return weakref.ref(document)

    left = [work() for _ in range(3)]
    gc.collect()
    assert [document() for document in left] == [None] * 3


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads returns, all of them let go at the same moment."""
    together = threading.Barrier(count)

    def one(index: int) -> Any:
        together.wait(timeout=20)
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_sixty_four_threads_share_a_client(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """64 threads with 200 calls each on one client: each gets its own answers, none is lost."""

    def work(thread: int) -> None:
        for call in range(200):
            number, name = f"+141555{thread:02}{call:03}", f"{thread}-{call}"
            contact = client.create_contact(number, first_name=name).contact
            assert (contact.phone, contact.first_name) == (number, name)

    in_threads(64, work)
    assert len(sandbox.contacts) == sandbox.counts["requests"] == 12_800
    loops = [thread for thread in threading.enumerate() if thread.name == "sendblue-async"]
    assert len(loops) == 1


def test_calls_of_several_threads_run_at_the_same_time(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """One thread's slow call does not hold up another's."""
    sandbox.faults = Faults(latency=0.5)
    started = time.monotonic()
    in_threads(16, lambda index: client.create_contact(f"+1415555010{index:02}"))
    assert time.monotonic() - started < 4


def test_a_call_may_be_all_that_a_thread_does(sandbox: Sandbox, client: SyncSendblueClient) -> None:
    """A bare thread, whose first function is the call itself, makes it as any other."""
    _thread.start_new_thread(client.create_contact, (NUMBER,))
    deadline = time.monotonic() + 20
    while NUMBER not in sandbox.contacts and time.monotonic() < deadline:
        time.sleep(0.01)
    assert NUMBER in sandbox.contacts


def test_a_deprecated_keyword_warns(options: dict[str, Any]) -> None:
    """A deprecated spelling works, and its warning points at the line that used it."""

    async def awaited() -> None:
        async with SendblueClient(**options) as client:
            await client.create_contact(phone_number="+14155550124")

    def blocked() -> None:
        with SyncSendblueClient(**options) as client:
            assert client.create_contact(phone_number=NUMBER).contact.phone == NUMBER

    for call in (lambda: asyncio.run(awaited()), blocked):
        with pytest.warns(DeprecationWarning, match="phone_number .*, use number") as seen:
            call()
        assert [warning.filename for warning in seen] == [__file__]


def test_a_warning_made_an_error_reaches_the_caller(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """Where warnings are errors, a deprecated spelling raises in the caller; nothing is sent."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning, match="use first_name"):
            client.create_contact(NUMBER, firstName="Ada")
    assert not sandbox.requests
