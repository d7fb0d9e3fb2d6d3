"""Either client where an event loop runs that it cannot use, or that it would hold up."""

from __future__ import annotations

import asyncio
import builtins
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

from sendblue_async import ConfigurationError, SendblueClient, SyncSendblueClient
from sendblue_async.sandbox import Sandbox

from .programs import Programs

NUMBER = "+14155550123"


@pytest.fixture
def options(sandbox: Sandbox) -> dict[str, Any]:
    """The arguments that lead a client to the sandbox."""
    return {name: getattr(sandbox, name) for name in ("api_key", "api_secret", "base_url")}


@pytest.fixture
def client(options: dict[str, Any]) -> Iterator[SyncSendblueClient]:
    """A blocking client of the sandbox."""
    with SyncSendblueClient(**options) as client:
        yield client


async def enter(client: SendblueClient) -> None:
    """Enter the client as a block."""
    async with client:
        raise AssertionError("entered")


async def exhaust(items: Any) -> None:
    """Iterate to the end."""
    async for _ in items:
        raise AssertionError("begun")


CALLS: dict[str, Callable[[SendblueClient], Awaitable[Any]]] = {
    "a call": lambda client: client.create_contact(NUMBER),
    "a read": lambda client: client.count_contacts(),
    "any request": lambda client: client.request("GET", "/api/v2/contacts"),
    "a batch": lambda client: exhaust(client.create_contacts([{"number": NUMBER}])),
    "a list": lambda client: exhaust(client.iter_contacts()),
    "an import": lambda client: client.import_contacts("contacts.csv"),
    "a block": enter,
    "a close": lambda client: client.close(),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
def test_trio_is_told_to_use_a_thread(
    sandbox: Sandbox, options: dict[str, Any], call: Callable[[SendblueClient], Awaitable[Any]]
) -> None:
    """Awaited under trio, whatever is called names asyncio and the way to a thread."""

    async def main() -> None:
        advice = r"needs asyncio, and trio runs here.*anyio\.to_thread\.run_sync\("
        with pytest.raises(ConfigurationError, match=advice):
            await call(SendblueClient(**options))

    trio.run(main)
    assert not sandbox.requests


@each_call
def test_a_coroutine_without_an_event_loop_says_what_it_needs(
    sandbox: Sandbox, options: dict[str, Any], call: Callable[[SendblueClient], Awaitable[Any]]
) -> None:
    """Driven by hand, as by another library, whatever is called names asyncio."""
    with pytest.raises(ConfigurationError, match=r"needs asyncio.*asyncio\.run\(\)"):
        call(SendblueClient(**options)).__await__().send(None)
    assert not sandbox.requests


def test_a_coroutine_that_a_callback_drives_says_what_it_needs(options: dict[str, Any]) -> None:
    """A running event loop is not enough: waiting takes a task."""
    ends: list[Exception] = []

    def drive() -> None:
        try:
            SendblueClient(**options).count_contacts().send(None)
        except ConfigurationError as error:
            ends.append(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(drive)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(ends) == 1


def test_a_refused_close_closes_nothing(options: dict[str, Any]) -> None:
    """A client that could not be closed where no loop runs goes on working where one does."""
    client = SendblueClient(**options)
    with pytest.raises(ConfigurationError):
        client.close().send(None)

    async def main() -> str | None:
        async with client:
            return (await client.create_contact(NUMBER)).status

    assert asyncio.run(main()) == "OK"


def test_trio_uses_the_blocking_client_on_a_thread(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """On trio's own thread the blocking client is refused; the advice it gives works."""

    async def main() -> None:
        for call in (client.count_contacts, client.iter_contacts, lambda: next(contacts)):
            with pytest.raises(ConfigurationError, match=r"await anyio\.to_thread\.run_sync\("):
                call()
        assert not sandbox.requests
        await anyio.to_thread.run_sync(client.create_contact, NUMBER)
        found = await trio.to_thread.run_sync(list, client_contacts)
        assert [contact.phone for contact in found] == [NUMBER]

    contacts, client_contacts = client.iter_contacts(), client.iter_contacts()
    trio.run(main)
    assert len(sandbox.contacts) == 1


def test_trio_in_guest_mode(client: SyncSendblueClient, options: dict[str, Any]) -> None:
    """Where trio is a guest of asyncio's, each of the two has what it would have alone."""
    seen: list[str] = []

    async def guest() -> None:
        with pytest.raises(ConfigurationError, match="asyncio, and trio runs here"):
            await SendblueClient(**options).create_contact(NUMBER)
        with pytest.raises(ConfigurationError, match="trio's"):
            client.create_contact(NUMBER)
        await trio.to_thread.run_sync(client.create_contact, NUMBER)
        seen.append("guest")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
        )
        async with SendblueClient(**options) as host:
            await host.create_contact("+14155550124")
            with pytest.raises(ConfigurationError, match="would block the event loop"):
                client.create_contact(NUMBER)
            (await done).unwrap()

    asyncio.run(main())
    assert seen == ["guest"]


def test_a_refusal_names_every_way_out(client: SyncSendblueClient, options: dict[str, Any]) -> None:
    """It names the coroutine, another thread and the argument that allows it, and each works."""

    async def main() -> None:
        with pytest.raises(ConfigurationError) as refused:
            client.create_contact(NUMBER)
        for way in (
            "await SendblueClient.create_contact instead",
            "await asyncio.to_thread(client.create_contact, ...)",
            "SyncSendblueClient(allow_blocking_loop=True)",
        ):
            assert way in str(refused.value)
        async with SendblueClient(**options) as other:
            await other.create_contact(NUMBER)
        await asyncio.to_thread(client.create_contact, "+14155550124")
        willing = SyncSendblueClient(**options, allow_blocking_loop=True)
        willing.create_contact("+14155550125")
        assert willing.with_options().count_contacts().count == 3
        assert len(list(willing.iter_contacts())) == 3
        assert len(list(willing.create_contacts([{"number": NUMBER}], rate_limit=1e6))) == 1
        willing.close()

    asyncio.run(main())


def test_trio_may_be_blocked_on_purpose(options: dict[str, Any]) -> None:
    """The argument that allows it does so under trio, too."""

    async def main() -> str | None:
        with SyncSendblueClient(**options, allow_blocking_loop=True) as client:
            return client.create_contact(NUMBER).status

    assert trio.run(main) == "OK"


def test_an_ipython_cell_that_trio_runs_may_block(
    client: SyncSendblueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPython runs a cell with an await under trio if it is told to, and then it may block trio."""
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)

    async def cell() -> str | None:
        return client.create_contact(NUMBER).status

    assert trio.run(cell) == "OK"


@pytest.mark.parametrize("value", [1, "yes"])
def test_what_allows_blocking_is_true_or_false(value: Any) -> None:
    """Anything but true and false is a mistake, and refused as one."""
    with pytest.raises(ConfigurationError, match="allow_blocking_loop"):
        SyncSendblueClient("key", "secret", allow_blocking_loop=value)


NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    from sendblue_async import SyncSendblueClient
    client = SyncSendblueClient()
    client.create_contact("{number}")
    print([contact.phone for contact in client.iter_contacts()])
    return (client,)


@app.cell
async def _(client):
    import asyncio
    await asyncio.sleep(0)
    client.close()


if __name__ == "__main__":
    app.run()
"""


# Newer Pythons go without marimo, see pyproject.toml; the test below stands for it there.
if sys.version_info < (3, 14):

    @pytest.mark.parametrize("runs", ["notebook", "script"])
    def test_a_marimo_notebook_blocks_as_it_likes(
        programs: Programs, sandbox: Sandbox, runs: str
    ) -> None:
        """In marimo, which runs cells inside its event loop, calls work as in a script."""
        notebook = programs.write("notebook.py", NOTEBOOK.format(number=NUMBER))
        page = programs.folder / "page.html"
        command = [str(notebook)]
        if runs == "notebook":
            command = ["-m", "marimo", "export", "html", str(notebook), "--output", str(page)]
        programs.run_command(command)
        assert [*sandbox.contacts] == [NUMBER]


def test_marimo_on_another_thread_allows_nothing(
    client: SyncSendblueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a program has imported marimo does not make it a notebook."""

    class Meta:
        mode: str | None = None

    class Marimo:
        app_meta = Meta

    monkeypatch.setitem(sys.modules, "marimo", Marimo)

    async def main() -> int | None:
        return client.count_contacts().count

    for mode in (None, "test"):
        monkeypatch.setattr(Meta, "mode", mode)
        with pytest.raises(ConfigurationError, match="would block"):
            asyncio.run(main())
    for mode in ("edit", "run", "script"):
        monkeypatch.setattr(Meta, "mode", mode)
        assert asyncio.run(main()) == 0
    monkeypatch.delattr(Marimo, "app_meta")
    with pytest.raises(ConfigurationError, match="would block"):
        asyncio.run(main())
