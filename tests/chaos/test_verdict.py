"""The verdict of the mixed-failure run sees whatever may go wrong in one."""

from __future__ import annotations

from typing import Any

import pytest

from .verdict import Told, fields_of, judge

NUMBER, OTHER = "+14155550123", "+14155550124"
SOMEBODY = {"first_name": "Somebody"}
OK, FAILED, UNKNOWN = Told("ok"), Told("failed", "ServerError"), Told("unknown", "ServerError")


def wrongs(told: Told, *contacts: tuple[str, Any], **seen: Any) -> dict[str, int]:
    """What is wrong after one call, if the server has these contacts."""
    report = {"contacts": dict(contacts), "created": {}, "redirected": {}, "requests": {"POST": 1}}
    verdict = judge("ours", {NUMBER: told}, {**report, **seen}, somebody=SOMEBODY)
    return verdict.wrongs


STORED = (NUMBER, fields_of(NUMBER))


@pytest.mark.parametrize(
    ("told", "contacts"),
    [
        (OK, [STORED]),
        (FAILED, []),
        (UNKNOWN, []),
        (UNKNOWN, [STORED]),
        (FAILED, [(NUMBER, SOMEBODY)]),
        (UNKNOWN, [(NUMBER, SOMEBODY)]),
    ],
)
def test_a_true_word_is_no_wrong(told: Told, contacts: list[Any]) -> None:
    """What the caller was told agrees with what is stored."""
    assert wrongs(told, *contacts) == {}


@pytest.mark.parametrize(
    ("told", "contacts", "wrong"),
    [
        (OK, [], {"lost": 1}),
        (OK, [(NUMBER, SOMEBODY)], {"lost": 1}),
        (FAILED, [STORED], {"stored_but_failed": 1}),
        (UNKNOWN, [(NUMBER, fields_of(OTHER))], {"unexpected": 1}),
        (OK, [(NUMBER, {**fields_of(NUMBER), "tags": []})], {"lost": 1, "unexpected": 1}),
        (OK, [STORED, (OTHER, fields_of(OTHER))], {"unexpected": 1}),
        (Told("ok", differs=True), [STORED], {"unexpected": 1}),
        (Told("failed", "KeyError", outside=True), [], {"outside": 1}),
    ],
)
def test_a_false_word_is_counted(told: Told, contacts: list[Any], wrong: dict[str, int]) -> None:
    """Each disagreement has a count of its own."""
    assert wrongs(told, *contacts) == wrong


def test_what_the_server_saw_counts_too() -> None:
    """A number that was created twice, and keys that went elsewhere."""
    assert wrongs(OK, STORED, created={NUMBER: 2}) == {"doubled": 1}
    assert wrongs(OK, STORED, redirected={"requests": 1, "secrets": 1}) == {"secrets_elsewhere": 1}
