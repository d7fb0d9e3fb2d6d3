"""A blocking method is what it says: to web frameworks, type readers, editors and mocks."""

import asyncio
import inspect
import pydoc
import re
import typing
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any
from unittest.mock import AsyncMock, Mock, create_autospec

import jedi
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError, validate_call
from starlette.concurrency import run_in_threadpool

import sendblue_async
from sendblue_async import (
    ContactCreate,
    ContactResponse,
    CountResponse,
    SendblueClient,
    SyncSendblueClient,
    batch,
    models,
    sandbox,
)
from sendblue_async.sandbox import Sandbox

NUMBER = "+14155550123"
METHODS = [name for name, _ in inspect.getmembers(SyncSendblueClient, callable) if name[0] != "_"]
# The methods that Python calls.
SPECIAL = ["__aenter__", "__aexit__", "__enter__", "__exit__", "__init__", "__iter__", "__len__"]


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SyncSendblueClient]:
    """A blocking client of the sandbox."""
    with SyncSendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        yield client


def test_fastapi_calls_a_dependency_on_a_thread(client: SyncSendblueClient) -> None:
    """Dependencies, background tasks and the thread pool take a method as the function it is."""
    app = FastAPI()

    @app.get("/")
    async def show(
        later: BackgroundTasks,
        count: Annotated[Any, Depends(client.count_contacts)],
        ada: Annotated[Any, Depends(client.get_contact)],
        page: Annotated[Any, Depends(partial(client.request, "GET", "/api/v2/contacts"))],
    ) -> list[Any]:
        await run_in_threadpool(client.create_contact, "+14155550124")
        await asyncio.to_thread(client.create_contact, "+14155550125")
        later.add_task(client.create_contact, "+14155550126")
        return [count.count, ada.contact.first_name, page.meta.status_code]

    client.create_contact(NUMBER, first_name="Ada")
    with TestClient(app) as browser:
        answer = browser.get("/", params={"number": NUMBER, "method": "GET", "path": "/"})
        assert answer.json() == [1, "Ada", 200], answer.text
    assert client.count_contacts().count == 4


def test_fastapi_serves_a_method_as_it_is(client: SyncSendblueClient) -> None:
    """A method may be an endpoint itself, its arguments query parameters of their own types."""
    app = FastAPI()
    app.get("/contact", response_model=None)(client.get_contact)
    client.create_contact(NUMBER)
    with TestClient(app) as browser:
        assert browser.get("/contact", params={"number": NUMBER}).json()["status"] == "OK"
        assert browser.get("/contact").status_code == 422


@pytest.mark.parametrize("name", METHODS)
def test_nothing_takes_a_blocking_method_for_a_coroutine_function(
    client: SyncSendblueClient, name: str
) -> None:
    """However it is unwrapped, a blocking method is an ordinary function."""
    for method in (getattr(client, name), getattr(SyncSendblueClient, name)):
        for seen in (method, partial(method), inspect.unwrap(method)):
            assert not inspect.iscoroutinefunction(seen)
            assert not inspect.isasyncgenfunction(seen)


def callables() -> dict[str, Any]:
    """Every public callable: functions, classes, and their methods and properties."""
    found: dict[str, Any] = {}
    modules = sendblue_async, models, batch, sandbox
    for module, exported in [(parent, name) for parent in modules for name in parent.__all__]:
        item = getattr(module, exported)
        if not inspect.isroutine(item) and not inspect.isclass(item):
            continue
        found[exported] = item
        for name in dir(item) if inspect.isclass(item) else ():
            member = inspect.getattr_static(item, name)
            member = member.fget if isinstance(member, property) else member
            member = getattr(member, "__func__", member)
            if inspect.isfunction(member) and (name[0] != "_" or name in SPECIAL):
                found[f"{exported}.{name}"] = member
    return found


CALLABLES = callables()


def test_all_that_is_public_is_looked_at() -> None:
    """The lists of these tests hold both clients, models, errors, properties and constructors."""
    assert {
        "SyncSendblueClient.create_contact",
        "SyncSendblueClient.__enter__",
        "SendblueClient.with_options",
        "ContactCreate",
        "ContactCreate.__init__",
        "ContactCreate.from_dict",
        "ImportReport",
        "RetryPolicy",
        "SendblueError",
        "Sandbox.__init__",
        "e164",
    } <= {*CALLABLES}
    assert {"close", "create_contact", "iter_contacts", "with_options"} <= {*METHODS}
    assert len(CALLABLES) > 100


@pytest.mark.parametrize("name", CALLABLES)
def test_type_hints_resolve(name: str) -> None:
    """Every annotation names something that is there when the program runs."""
    member = CALLABLES[name]
    typing.get_type_hints(member)
    if callable(member) and not inspect.isclass(member):
        inspect.signature(member, eval_str=True)


def test_type_hints_name_what_is_loaded_late() -> None:
    """The classes that start-up does not wait for are named by the hints all the same."""
    hints = typing.get_type_hints(SendblueClient.import_job)
    assert hints["return"] is batch.ImportJob
    assert hints["import_options"] == batch.ImportOptions | None


@pytest.mark.parametrize("name", METHODS)
def test_type_hints_of_bound_methods_are_those_of_the_other_client(
    client: SyncSendblueClient, name: str
) -> None:
    """The methods of a client, bound to it, have the types that the coroutines have."""
    hints = typing.get_type_hints(getattr(client, name))
    expected = typing.get_type_hints(getattr(SendblueClient, name))
    # Before 3.11 an argument with None as its default becomes optional, if it can be seen.
    assert {*hints} == {*expected}
    assert hints["return"] == expected["return"]


def test_pydantic_checks_the_calls_of_a_method(
    sandbox: Sandbox, client: SyncSendblueClient
) -> None:
    """``validate_call`` reads the types of a bound method, and calls it."""
    checked = validate_call(config={"arbitrary_types_allowed": True})
    create = checked(client.create_contact)
    assert create(NUMBER, first_name="Ada", tags=["vip"]).contact.first_name == "Ada"
    assert create(ContactCreate(number="+14155550124")).contact.phone == "+14155550124"
    with pytest.raises(ValidationError, match="update_if_exists"):
        create(NUMBER, update_if_exists="perhaps")
    assert checked(client.count_contacts)().count == 2
    assert sandbox.counts["requests"] == 3


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("cls", [SendblueClient, SyncSendblueClient])
def test_pydantic_understands_every_method(cls: Any, name: str) -> None:
    """``validate_call`` makes something of the types of every method of either client."""
    method = getattr(cls("key", "secret"), name)
    assert callable(validate_call(config={"arbitrary_types_allowed": True})(method))


@pytest.mark.anyio
async def test_pydantic_checks_the_calls_of_a_coroutine(sandbox: Sandbox) -> None:
    """The same on the asynchronous client."""
    async with SendblueClient(
        sandbox.api_key, sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        create = validate_call(config={"arbitrary_types_allowed": True})(client.create_contact)
        assert (await create(NUMBER, first_name="Ada")).contact.first_name == "Ada"


def signatures(code: str) -> list[Any]:
    """What an editor shows for a call that is being typed, at the end of the code."""
    client = SyncSendblueClient("key", "secret")
    return jedi.Interpreter(code, [{"client": client}]).get_signatures()


@pytest.mark.parametrize("name", METHODS)
def test_an_editor_shows_signature_and_docstring(name: str) -> None:
    """jedi, which notebooks ask, shows the arguments and the docstring of every method."""
    [shown] = signatures(f"client.{name}(")
    expected = inspect.signature(getattr(SyncSendblueClient("key", "secret"), name))
    assert [parameter.name for parameter in shown.params] == [*expected.parameters]
    first = inspect.getdoc(getattr(SendblueClient, name))
    assert first is not None
    assert first.splitlines()[0] in shown.docstring()


def test_an_editor_completes_what_a_method_returns() -> None:
    """Without running a thing, jedi knows the fields of an answer and of an item."""
    head = "from sendblue_async import SyncSendblueClient\nclient = SyncSendblueClient()\n"
    for line, name in {
        "client.create_contact('').": "contact",
        "for item in client.iter_contacts(): item.": "phone",
        "for item in client.create_contacts([]): item.": "outcome",
    }.items():
        found = jedi.Script(head + line).complete(3, len(line))
        assert name in [completion.name for completion in found]


def test_help_shows_signatures_and_docstrings() -> None:
    """``help()`` of a bound method shows the arguments, their types and the docstring."""
    client = SyncSendblueClient("key", "secret")
    page = pydoc.render_doc(client.create_contact, renderer=pydoc.plaintext)
    head, _, text = page.partition("ContactResponse")
    assert "create_contact(" in head
    assert re.search(r"\(\s*number: '?str \| ContactCreate \| None'? = None,", head)
    assert "self" not in head
    assert "Raises:" in text


def test_mocks_follow_the_client() -> None:
    """Mocks have the blocking methods as ordinary ones, and refuse arguments that these do."""
    for mock in (create_autospec(SyncSendblueClient)("key", "secret"), Mock(SyncSendblueClient)):
        answer = CountResponse(count=3)
        mock.count_contacts.return_value = answer
        assert mock.count_contacts() is answer
        assert not isinstance(mock.create_contact, AsyncMock)
        with pytest.raises(AttributeError):
            mock.send_contact()
    client = create_autospec(SyncSendblueClient, instance=True)
    client.create_contact(NUMBER, first_name="Ada")
    client.create_contact.assert_called_once_with(NUMBER, first_name="Ada")
    with pytest.raises(TypeError):
        client.get_contact()
    with pytest.raises(TypeError):
        client.get_contact(NUMBER, "more")
    assert isinstance(create_autospec(SendblueClient, instance=True).get_contact, AsyncMock)


def test_a_subclass_extends_the_methods(sandbox: Sandbox) -> None:
    """A subclass may call through ``super()``, keeps what it knows in views, and is a client."""

    class Tagged(SyncSendblueClient):
        def __init__(self, tag: str, **options: Any) -> None:
            super().__init__(**options)
            self.tag = tag

        def create_contact(self, *args: Any, **kwargs: Any) -> ContactResponse:
            return super().create_contact(*args, tags=[self.tag], **kwargs)

    options = {name: getattr(sandbox, name) for name in ("api_key", "api_secret", "base_url")}
    with Tagged("vip", **options) as client:
        assert client.create_contact(NUMBER).contact.tags == ("vip",)
        view = client.with_options()
        assert isinstance(view, Tagged)
        assert view.create_contact("+14155550124").contact.tags == ("vip",)
