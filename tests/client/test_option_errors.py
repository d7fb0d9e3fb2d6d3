"""One class of error for one kind of mistake: a setting is no value, and a value no setting."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import (
    ConfigurationError,
    RetryPolicy,
    SendblueClient,
    SyncSendblueClient,
    Timeouts,
    ValidationError,
)

NUMBER = "+14155550123"
CLIENTS: list[Callable[..., Any]] = [SendblueClient, SyncSendblueClient]
# Where nobody listens, should a wrong option be taken after all.
ACCOUNT = {
    "api_key": "sandbox-key",
    "api_secret": "sandbox-secret",
    "base_url": "http://127.0.0.1:9",
}

NO_COUNT: list[Any] = [0, -1, 1.5, "3", True, None]
NO_LIMIT: list[Any] = [0, -1, float("nan"), float("inf"), "3", True]
NO_FLAG: list[Any] = ["yes", 1, 0, None]


def each(name: str, values: list[Any]) -> list[tuple[str, Any]]:
    """The option with each of these values."""
    return [(name, value) for value in values]


CLIENT_OPTIONS = [
    *each("timeouts", [5, (1, 2)]),
    *each("retry", [3]),
    *each("max_connections", NO_COUNT),
    *each("rate_limit", NO_LIMIT),
    *each("default_headers", ["a: b", {"a b": "c"}]),
    *each("proxy", ["proxy.example", 5]),
    *each("ssl", [False, True, "x"]),
    *each("trace_configs", [5, [5]]),
    *each("session", [5]),
    *each("allow_http", ["yes", 1]),
    *each("base_url", ["ftp://a.example", 5]),
]
BATCH_OPTIONS = [
    *each("concurrency", NO_COUNT),
    *each("rate_limit", NO_LIMIT),
    *each("give_up_after", [*NO_LIMIT, None]),
    *each("bulk", NO_FLAG),
    *each("update_if_exists", ["yes", 1]),
]
IMPORT_OPTIONS = [
    *BATCH_OPTIONS,
    *each("update_if_exists", [None]),
    *each("region", ["Mars", "", 49]),
    *each("columns", [5, "number", {"number": 5}, {"Nope": "number"}, {"number": "age"}]),
    *each("on_duplicate", ["first", None, 5]),
    *each("all_numbers", NO_FLAG),
    *each("encoding", ["klingon", "", 5]),
    *each("delimiter", ["x", "", 5]),
    *each("resume", NO_FLAG),
    *each("progress", [5, "x"]),
]
VALUES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("create_contact", ("call me",), {}),
    ("create_contact", (NUMBER,), {"tags": "vip"}),
    ("create_contact", (NUMBER,), {"update_if_exists": "yes"}),
    ("update_contact", (NUMBER,), {"opt_out": "yes"}),
    ("update_contact", (NUMBER,), {}),
    ("opt_out_contact", (NUMBER, "yes"), {}),
    ("get_contact", ("call me",), {}),
    ("list_contacts", (), {"limit": 0}),
    ("list_contacts", (), {"offset": 10_001}),
    ("list_contacts", (), {"order_direction": "up"}),
    ("iter_contacts", (), {"page_size": 5}),
    ("create_contacts_bulk", ([],), {}),
    ("create_contacts", ("number",), {}),
    ("request", ("get", "/"), {}),
    ("request", ("GET", "no path"), {}),
]


def ended(call: Any) -> object:
    """What a call of either client comes to."""
    return asyncio.run(call) if inspect.iscoroutine(call) else call


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "value"), CLIENT_OPTIONS)
def test_a_wrong_option_of_a_client_is_a_configuration_error(
    client: Callable[..., Any], name: str, value: Any
) -> None:
    """It comes when the client is made, and names the option."""
    with pytest.raises(ConfigurationError, match=name):
        client(**ACCOUNT | {name: value})


@pytest.mark.parametrize("kind", [Timeouts, RetryPolicy])
@pytest.mark.parametrize("value", [-1, float("nan"), "3", None])
def test_wrong_settings_are_configuration_errors(kind: Any, value: Any) -> None:
    """Whichever of them it is."""
    for name in inspect.signature(kind).parameters:
        with pytest.raises(ConfigurationError, match=name):
            kind(**{name: value})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "value"), BATCH_OPTIONS)
def test_a_wrong_option_of_a_batch_is_a_configuration_error(
    client: Callable[..., Any], name: str, value: Any
) -> None:
    """It comes before the first row is pulled, and names the option."""
    with pytest.raises(ConfigurationError, match=name):
        ended(client(**ACCOUNT).create_contacts(iter([]), **{name: value}))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "value"), IMPORT_OPTIONS)
def test_a_wrong_option_of_an_import_is_a_configuration_error(
    client: Callable[..., Any], tmp_path: Path, name: str, value: Any
) -> None:
    """It comes before anything is sent or written."""
    path = tmp_path / "people.csv"
    path.write_text("number\n+14155550123\n")
    with pytest.raises(ConfigurationError) as caught:
        ended(client(**ACCOUNT).import_contacts(path, **{name: value}))
    assert type(caught.value) is ConfigurationError
    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"]


@pytest.mark.parametrize("client", CLIENTS)
def test_updates_in_bulk_are_a_configuration_error(client: Callable[..., Any]) -> None:
    """Two options that do not go together are settings, too."""
    with pytest.raises(ConfigurationError, match="does not update"):
        client(**ACCOUNT).create_contacts([], bulk=True, update_if_exists=True)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("name", "positional", "given"), VALUES)
def test_a_value_that_cannot_be_sent_is_a_validation_error(
    client: Callable[..., Any], name: str, positional: tuple[Any, ...], given: dict[str, Any]
) -> None:
    """It is a ValueError, too, and no setting is at fault."""
    with pytest.raises(ValidationError) as caught:
        ended(getattr(client(**ACCOUNT), name)(*positional, **given))
    assert not isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("text", ["", "name\nAda\n", "number,number\n1,2\n"])
def test_a_file_that_cannot_be_used_is_a_validation_error(tmp_path: Path, text: str) -> None:
    """What is wrong with the file is no setting; neither is a file that is not there."""
    path = tmp_path / "people.csv"
    path.write_text(text)
    for file in (path, tmp_path / "none.csv"):
        with pytest.raises(ValidationError):
            SyncSendblueClient(**ACCOUNT).import_contacts(file)


@pytest.mark.parametrize("value", ["yes", 1])
def test_missing_ok_is_a_setting(value: Any) -> None:
    """It says what counts as success, and is not sent."""
    with pytest.raises(ConfigurationError, match="missing_ok"):
        SyncSendblueClient(**ACCOUNT).delete_contact(NUMBER, missing_ok=value)
