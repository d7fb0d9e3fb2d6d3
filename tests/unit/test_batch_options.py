"""The options of batches: checked when they are made, whoever makes them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sendblue_async import (
    ConfigurationError,
    ImportOptions,
    SendblueClient,
    SendOptions,
    SyncSendblueClient,
)

WRONG_SEND = [
    ("concurrency", 0),
    ("concurrency", 1.5),
    ("concurrency", True),
    ("rate_limit", 0),
    ("rate_limit", -1),
    ("rate_limit", float("nan")),
    ("rate_limit", "50/s"),
    ("give_up_after", 0),
    ("give_up_after", None),
    ("bulk", 1),
]
WRONG_IMPORT = [
    ("update_if_exists", None),
    ("region", "Mars"),
    ("columns", "number"),
    ("columns", {"a": 1}),
    ("on_duplicate", "first"),
    ("all_numbers", "yes"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_SEND)
def test_a_wrong_way_to_send_is_refused_wherever_it_is_given(name: str, value: Any) -> None:
    """As an object, and by a keyword of either client: always as a wrong setting of that name."""
    wrong = {name: value}
    for make in (
        SendOptions,
        lambda **wrong: SendblueClient().create_contacts([], **wrong),
        lambda **wrong: SyncSendblueClient().create_contacts([], **wrong),
        lambda **wrong: SyncSendblueClient().import_contacts("nowhere.csv", **wrong),
    ):
        with pytest.raises(ConfigurationError, match=name):
            make(**wrong)


@pytest.mark.parametrize(("name", "value"), WRONG_IMPORT)
def test_a_wrong_way_to_read_is_refused_wherever_it_is_given(name: str, value: Any) -> None:
    """As an object or by a keyword, before the file is looked for."""
    wrong = {name: value}
    with pytest.raises(ConfigurationError, match=name):
        ImportOptions(**wrong)
    with pytest.raises(ConfigurationError, match=name):
        SyncSendblueClient().import_contacts("nowhere.csv", **wrong)


def test_options_travel_as_one_object() -> None:
    """In place of the keywords; a keyword beside them is refused, as one of the two is ignored."""
    options = SendOptions(concurrency=4, rate_limit=5, bulk=True)
    SendblueClient().create_contacts([], send_options=options)
    SyncSendblueClient().create_contacts([], send_options=options)
    with pytest.raises(ConfigurationError, match="send_options has a concurrency"):
        SendblueClient().create_contacts([], send_options=options, concurrency=8)
    with pytest.raises(ConfigurationError, match="send_options must be SendOptions"):
        SendblueClient().create_contacts([], send_options={"bulk": True})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="does not update"):
        SendblueClient().create_contacts([], send_options=options, update_if_exists=True)


def test_options_cannot_be_changed() -> None:
    """They may be shared; a change makes another object, which is checked as well."""
    options = SendOptions()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        options.concurrency = 3  # type: ignore[misc]
    with pytest.raises(ConfigurationError, match="concurrency"):
        attrs.evolve(options, concurrency=0)
    assert ImportOptions(region="us") == ImportOptions(region="US")


def test_a_misspelt_option_is_named() -> None:
    """The error says which option was probably meant."""
    with pytest.raises(TypeError, match="concurrency"):
        SendOptions(max_workers=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="region"):
        ImportOptions(country="US")  # type: ignore[call-arg]
