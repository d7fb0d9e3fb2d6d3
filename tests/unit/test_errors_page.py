"""The table of errors in ``docs/errors.md`` is the truth table that the client goes by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sendblue_async._retry import RULES, Again, Effect, Ending, Rule, is_retryable
from sendblue_async.exceptions import ConnectError, RateLimitError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
HEAD = "an attempt ends with"
# How the page begins to tell of what has no status of its own.
WORDS: dict[str, Ending | str] = {
    "DNS failure": Ending.NO_CONNECTION,
    "bad certificate": Ending.BAD_TLS,
    "connection lost": Ending.LOST,
    "no answer in time": Ending.TIMED_OUT,
    "2xx cut short": Ending.UNREADABLE,
    "2xx whose `status` is `ERROR`": Ending.REFUSED,
    "503 with a `Retry-After`": "503 that names a time",
    "the code 429": "400 that names a cap",
    "3xx": "3xx",
    "any other 4xx": "4xx",
    "any other 5xx": "5xx",
}
REPEATED = {Again.YES: "yes", Again.ONCE: "once", Again.NO: "no"}
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


def keys_of(words: str) -> list[Ending | int | str]:
    """What the first cell of a row stands for."""
    if re.fullmatch(r"\d{3}(, \d{3})*", words):
        return [int(status) for status in words.split(", ")]
    return [key for start, key in WORDS.items() if words.startswith(start)]


def told(rule: Rule) -> Row:
    """A rule in the words of the page."""
    retryable = is_retryable(rule, Effect.IDEMPOTENT, doubtful=rule.outcome == "unknown")
    return rule.outcome, REPEATED[rule.again], rule.error.__name__, "yes" if retryable else "no"


def on_the_page() -> dict[Ending | int | str, Row]:
    """Every ending that the page has a row for, and what it says of it."""
    found: dict[Ending | int | str, Row] = {}
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
def test_the_page_says_what_the_client_does(key: Ending | int | str) -> None:
    """Each rule has its row, with its outcome, whether it is repeated, its error and the rest."""
    assert on_the_page().get(key) == told(RULES[key])


def test_the_page_tells_of_nothing_else() -> None:
    """No row of the page is without a rule, and each says what to do."""
    assert {*on_the_page()} == {*RULES}
    assert all(row[-1] for row in rows())


NOT_MADE = [Rule("not_sent", Again.NO, False, error) for error in (ConnectError, RateLimitError)]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("rule", [*RULES.values(), *NOT_MADE])
def test_what_may_pass_and_does_no_harm_is_retryable(rule: Rule, effect: Effect) -> None:
    """After a doubtful attempt, only what may do its work twice is not to be tried again."""
    passes = rule.again is not Again.NO or rule in NOT_MADE
    assert is_retryable(rule, effect, doubtful=False) == passes
    assert is_retryable(rule, effect, doubtful=True) == (passes and effect is not Effect.NEITHER)
