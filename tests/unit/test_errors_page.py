"""The table of errors in ``docs/errors.md`` is the truth table that the client goes by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sendblue_async._retry_rules import RULES, Effect, FailureKind, Retryable, Rule, is_retryable

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
HEAD = "an attempt ends with"
# How the page begins to tell of what has no status of its own.
WORDS: dict[str, FailureKind | str] = {
    "DNS failure": FailureKind.NO_CONNECTION,
    "bad certificate": FailureKind.BAD_TLS,
    "connection lost": FailureKind.LOST,
    "no answer in time": FailureKind.TIMED_OUT,
    "2xx cut short": FailureKind.UNREADABLE,
    "2xx whose `status` is `ERROR`": FailureKind.REFUSED,
    "503 with a `Retry-After`": "503 with Retry-After",
    "the code 429": FailureKind.PLAN_LIMIT,
    "no time left": FailureKind.NO_TIME_LEFT,
    "next slot of the rate limit": FailureKind.SLOT_TOO_LATE,
    "no access token": FailureKind.NO_TOKEN,
    "client or its session is closed": FailureKind.CLOSED,
    "3xx": "3xx",
    "any other 4xx": "4xx",
    "any other 5xx": "5xx",
}
REPEATED = {
    Retryable.YES: "yes",
    Retryable.ONCE: "once",
    Retryable.LATER: "no",
    Retryable.NO: "no",
}
Row = tuple[str, str, str, str]


def rows() -> list[list[str]]:
    """The cells of each row of the table."""
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {HEAD} |"):
            next(lines)
            break
    table: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def keys_of(words: str) -> list[FailureKind | int | str]:
    """What the first cell of a row stands for."""
    if re.fullmatch(r"\d{3}(, \d{3})*", words):
        return [int(status) for status in words.split(", ")]
    return [key for start, key in WORDS.items() if words.startswith(start)]


def told(rule: Rule) -> Row:
    """A rule in the words of the page."""
    retryable = is_retryable(rule, Effect.IDEMPOTENT, maybe_applied=rule.outcome == "unknown")
    return rule.outcome, REPEATED[rule.retryable], rule.error.__name__, "yes" if retryable else "no"


def on_the_page() -> dict[FailureKind | int | str, Row]:
    """Every ending that the page has a row for, and what it says of it."""
    found: dict[FailureKind | int | str, Row] = {}
    for words, outcome, repeated, error, retryable, _ in rows():
        keys = keys_of(words)
        assert keys, f"Nothing is known by {words!r}."
        for key in keys:
            assert key not in found, f"{key} has two rows."
            name = re.match(r"`(\w+)`", error)
            assert name
            found[key] = (outcome, repeated.partition(";")[0], name[1], retryable)
    return found


@pytest.mark.parametrize("key", RULES, ids=str)
def test_the_page_says_what_the_client_does(key: FailureKind | int | str) -> None:
    """Each rule has its row, with its outcome, whether it is repeated, its error and the rest."""
    assert on_the_page().get(key) == told(RULES[key])


def test_the_page_tells_of_nothing_else() -> None:
    """No row of the page is without a rule, and each says what to do."""
    assert {*on_the_page()} == {*RULES}
    assert all(row[-1] for row in rows())
