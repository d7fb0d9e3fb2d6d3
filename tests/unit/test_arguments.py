"""A keyword argument that does not exist is a ``TypeError`` that says which one was meant."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from sendblue_async import (
    BulkContact,
    ContactCreate,
    ContactUpdate,
    RetryPolicy,
    SendblueClient,
    SyncSendblueClient,
    Timeouts,
    ValidationError,
)

NUMBER = "+14155550123"
CLIENTS = [SendblueClient, SyncSendblueClient]
KEYS = {"api_key": "sandbox-key", "api_secret": "sandbox-secret"}

MADE: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (ContactCreate, {"number": NUMBER, "frist_name": "Ada"}, "first_name"),
    (ContactCreate, {"number": NUMBER, "firstName": "Ada"}, "first_name"),
    (ContactCreate, {"phone_number": NUMBER}, "number"),
    (ContactCreate, {"phone": NUMBER}, "number"),
    (ContactCreate, {"number": NUMBER, "tag": "vip"}, "tags"),
    (ContactCreate, {"number": NUMBER, "email": "a@example.com"}, "assigned_to_email"),
    (ContactUpdate, {"lastname": "King"}, "last_name"),
    (ContactUpdate, {"company": "Example Corp"}, "company_name"),
    (BulkContact, {"number": NUMBER, "costum_variables": {}}, "custom_variables"),
    (Timeouts, {"totl": 5}, "total"),
    (Timeouts, {"timeout": 5}, "total"),
    (Timeouts, {"read": 5}, "attempt"),
    (RetryPolicy, {"max_retries": 3}, "attempts"),
    (RetryPolicy, {"retries": 3}, "attempts"),
    (RetryPolicy, {"backoff_factor": 3}, "base"),
]


@pytest.mark.parametrize(("kind", "fields", "meant"), MADE)
def test_what_is_made_with_a_wrong_argument_names_the_right_one(
    kind: Callable[..., Any], fields: dict[str, Any], meant: str
) -> None:
    """Models and settings name themselves, the argument and the nearest one that there is."""
    wrong = list(fields)[-1]
    with pytest.raises(TypeError) as caught:
        kind(**fields)
    assert str(caught.value) == (
        f"{kind.__name__}() has no argument {wrong!r}; did you mean {meant}?"
    )
    assert not isinstance(caught.value, ValueError)


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"timeout": 5}, "timeouts=Timeouts(total=5)"),
    ({"timeout": 2.5}, "timeouts=Timeouts(total=2.5)"),
    ({"timeout": None}, "timeouts=Timeouts(total=…)"),
    ({"connect_timeout": 2}, "timeouts=Timeouts(connect=2)"),
    ({"retries": 3}, "retry=RetryPolicy(attempts=…)"),
    ({"max_retries": 3}, "retry=RetryPolicy(attempts=…)"),
    ({"attempts": 3}, "retry=RetryPolicy(attempts=3)"),
    ({"retry_policy": None}, "retry"),
    ({"api_key_id": "abc"}, "api_key"),
    ({"apikey": "abc"}, "api_key"),
    ({"key": "abc"}, "api_key"),
    ({"secret": "abc"}, "api_secret"),
    ({"api_secret_key": "abc"}, "api_secret"),
    ({"url": "https://a.example"}, "base_url"),
    ({"baseurl": "https://a.example"}, "base_url"),
    ({"headers": {}}, "default_headers"),
    ({"proxies": {}}, "proxy"),
    ({"verify": False}, "ssl"),
    ({"max_conections": 3}, "max_connections"),
    ({"rate": 3}, "rate_limit"),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("options", "meant"), OPTIONS)
def test_a_client_names_the_option_that_was_meant(
    client: Callable[..., Any], options: dict[str, Any], meant: str
) -> None:
    """Names that other libraries have for an option lead to the one here, and how to give it."""
    (wrong,) = options
    with pytest.raises(TypeError) as caught:
        client(**options)
    assert str(caught.value) == (
        f"{client.__name__}() has no argument {wrong!r}; did you mean {meant}?"
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_an_option_like_no_other_is_told_what_there_is(client: Callable[..., Any]) -> None:
    """Where nothing is near, the arguments are listed."""
    with pytest.raises(TypeError, match=r"has no argument 'colour'; it takes api_key, api_secret,"):
        client(colour="blue")


@pytest.mark.parametrize("client", CLIENTS)
def test_errors_of_pythons_own_name_what_is_public(client: Callable[..., Any]) -> None:
    """Too many arguments and the like are told of the class that the caller knows."""
    made = client(**KEYS)
    calls: list[Callable[[], object]] = [
        lambda: client("key", "secret", "https://a.example"),
        lambda: made.with_options(Timeouts()),
        lambda: _ended(made.request("GET")),
        lambda: _ended(made.get_contact()),
    ]
    for call in calls:
        with pytest.raises(TypeError) as caught:
            call()
        assert "SendblueClient" in str(caught.value)


def test_a_key_under_a_wrong_name_is_not_shown() -> None:
    """No frame of ours in the traceback has it, were its locals shown."""
    for client in CLIENTS:
        with pytest.raises(TypeError) as caught:
            client(api_secert="secret-93b8f7d2a6c14e05")  # type: ignore[call-arg]
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
        assert frames
        assert "93b8" not in "".join(repr(frame.f_locals) for frame in frames)
        assert "93b8" not in str(caught.value)


def _ended(call: Any) -> object:
    """What a call of either client returns or raises."""
    return asyncio.run(call) if inspect.iscoroutine(call) else call


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("create_contact", (NUMBER,), {"frist_name": "Ada"}, "first_name"),
    ("create_contact", (NUMBER,), {"lastname": "Ada"}, "last_name"),
    ("create_contact", (NUMBER,), {"upsert": True}, "update_if_exists"),
    ("create_contact", (ContactCreate(number=NUMBER),), {"update_if_exist": True},
     "update_if_exists"),
    ("create_contacts", ([],), {"concurency": 3}, "concurrency"),
    ("create_contacts", ([],), {"max_workers": 3}, "concurrency"),
    ("import_contacts", ("x.csv",), {"regoin": "US"}, "region"),
    ("import_contacts", ("x.csv",), {"country": "US"}, "region"),
    ("update_contact", (NUMBER,), {"frist_name": "Ada"}, "first_name"),
    ("update_contact", (NUMBER,), {"firstName": "Ada"}, "first_name"),
    ("delete_contact", (NUMBER,), {"missing": True}, "missing_ok"),
    ("list_contacts", (), {"offest": 3}, "offset"),
    ("iter_contacts", (), {"pagesize": 3}, "page_size"),
    ("request", ("GET", "/"), {"body": {}}, "json"),
    ("request", ("GET", "/"), {"query": {}}, "params"),
    ("with_options", (), {"timeout": 5}, "timeouts=Timeouts(total=5)"),
]  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "positional", "given", "meant"), CALLS)
def test_a_method_names_the_argument_that_was_meant(
    client: Callable[..., Any],
    name: str,
    positional: tuple[Any, ...],
    given: dict[str, Any],
    meant: str,
) -> None:
    """On both clients, before anything is sent."""
    (wrong,) = given
    with pytest.raises(TypeError) as caught:
        _ended(getattr(client(**KEYS), name)(*positional, **given))
    assert str(caught.value) == f"{name}() has no argument {wrong!r}; did you mean {meant}?"


@pytest.mark.parametrize("client", CLIENTS)
def test_signatures_show_no_argument_that_is_there_for_errors_alone(client: Any) -> None:
    """Web frameworks and editors read signatures: nothing in them takes any name at all."""
    methods = [getattr(client, name) for name in dir(client) if not name.startswith("_")]
    for function in [client, *filter(callable, methods)]:
        parameters = inspect.signature(function).parameters.values()
        catching = [each.name for each in parameters if each.kind is each.VAR_KEYWORD]
        assert catching in ([], ["deprecated"])


@pytest.mark.parametrize("kind", [ContactCreate, BulkContact])
def test_a_wrong_key_in_data_is_data_that_cannot_be_sent(kind: Any) -> None:
    """What comes from a mapping was typed by nobody, and is an error of its value."""
    read = ContactCreate.from_dict if kind is ContactCreate else BulkContact.of
    with pytest.raises(ValidationError, match="'frist_name' is not a field"):
        read({"number": NUMBER, "frist_name": "Ada"})


def test_deprecated_spellings_are_still_arguments(recwarn: pytest.WarningsRecorder) -> None:
    """They are known, so they are no mistake; a mistake beside them still is one."""
    client = SendblueClient(**KEYS)
    with pytest.raises(TypeError, match="'frist_name'; did you mean first_name"):
        asyncio.run(client.create_contact(phone_number=NUMBER, frist_name="Ada"))  # type: ignore[call-arg]
    with (
        pytest.warns(DeprecationWarning, match="phone_number is deprecated"),
        pytest.raises(ValidationError, match="two spellings"),
    ):
        asyncio.run(client.create_contact(NUMBER, phone_number="+14155550124"))


def test_a_type_error_of_another_cause_is_left_alone() -> None:
    """A missing argument, and an error inside a value, stay what they are."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'number'"):
        ContactCreate()  # type: ignore[call-arg]

    class Odd(dict[str, str]):
        def items(self) -> Any:
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        ContactCreate(number=NUMBER, custom_variables=Odd(a="b"))
