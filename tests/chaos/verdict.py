"""What a run shows: what callers were told, held against what the server stored. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from attrs import asdict, frozen


def fields_of(number: str) -> dict[str, Any]:
    """The fields that the contact with this number is created with, no two alike."""
    return {
        "first_name": f"Ada {number[-7:]}",
        "last_name": "Lovelace",
        "tags": ["vip", f"t{number[-3:]}"],
        "custom_variables": {"Plan": "gold", "Call": number},
    }


@frozen
class Told:
    """What the caller of one call was told.

    Attributes:
        outcome: Done, not done, or perhaps done.
        error: The name of the exception, if there was one.
        settled: Whether the client says that it found out by looking.
        outside: Whether the exception was none of the client's own.
        differs: Whether the contact in the answer is not the one that was sent.
    """

    outcome: Literal["ok", "failed", "unknown"]
    error: str = ""
    settled: bool = False
    outside: bool = False
    differs: bool = False


@frozen(kw_only=True)
class Verdict:
    """One client's run in numbers, checked the way Jepsen checks a set.

    Attributes:
        client: Whose run it is.
        calls, ok, failed, unknown: All calls, and what their callers were told.
        settled: How many of ``ok`` are so because the client looked.
        stored: Contacts that the server has exactly as they were sent.
        stored_but_failed: Stored, and told to have failed.
        lost: Told to be stored, and not stored.
        unexpected: Stored or shown with other fields than sent, or never asked for.
        doubled: Numbers that were created more than once.
        outside: Exceptions that are none of the client's own.
        secrets_elsewhere: Requests with both keys that another origin got after a redirect.
        requests: HTTP requests that the server got, look-ups included.
        seconds: How long the calls took.
    """

    client: str
    calls: int
    ok: int
    failed: int
    unknown: int
    settled: int
    stored: int
    stored_but_failed: int
    lost: int
    unexpected: int
    doubled: int
    outside: int
    secrets_elsewhere: int
    requests: int
    seconds: float

    @property
    def wrongs(self) -> dict[str, int]:
        """The counts that a client must keep at zero, those that are not."""
        names = (
            "stored_but_failed",
            "lost",
            "unexpected",
            "doubled",
            "outside",
            "secrets_elsewhere",
        )
        return {name: count for name in names if (count := asdict(self)[name])}


def judge(
    client: str,
    told: Mapping[str, Told],
    report: Mapping[str, Any],
    *,
    somebody: Mapping[str, Any],
    seconds: float = 0.0,
) -> Verdict:
    """The verdict on a run.

    Args:
        client: Whose run it is.
        told: What the caller of each number was told.
        report: What the server stored and saw.
        somebody: The fields of contacts that were there before and are somebody else's.
        seconds: How long the calls took.
    """
    contacts = report["contacts"]
    stored = {number for number in contacts if contacts[number] == fields_of(number)} & set(told)
    others = [contacts[number] for number in contacts if number not in stored]
    by_outcome: dict[str, set[str]] = {"ok": set(), "failed": set(), "unknown": set()}
    for number, what in told.items():
        by_outcome[what.outcome].add(number)
    differing = sum(what.differs for what in told.values())
    return Verdict(
        client=client,
        calls=len(told),
        ok=len(by_outcome["ok"]),
        failed=len(by_outcome["failed"]),
        unknown=len(by_outcome["unknown"]),
        settled=sum(what.settled for what in told.values()),
        stored=len(stored),
        stored_but_failed=len(by_outcome["failed"] & stored),
        lost=len(by_outcome["ok"] - stored),
        unexpected=sum(other != somebody for other in others) + differing,
        doubled=sum(count > 1 for count in report["created"].values()),
        outside=sum(what.outside for what in told.values()),
        secrets_elsewhere=report["redirected"].get("secrets", 0),
        requests=sum(report["requests"].values()),
        seconds=seconds,
    )


def verdict_table(verdicts: list[Verdict]) -> str:
    """The verdicts as a table in Markdown, one row per client."""
    columns = {
        "client": lambda v: v.client,
        "calls": lambda v: f"{v.calls:,}",
        "ok": lambda v: f"{v.ok:,}",
        "of these settled": lambda v: f"{v.settled:,}",
        "failed": lambda v: f"{v.failed:,}",
        "unknown": lambda v: f"{v.unknown:,}",
        "per 1,000": lambda v: f"{1000 * v.unknown / v.calls:.1f}",
        "stored": lambda v: f"{v.stored:,}",
        "stored but reported failed": lambda v: f"{v.stored_but_failed:,}",
        "lost": lambda v: f"{v.lost:,}",
        "unexpected": lambda v: f"{v.unexpected:,}",
        "doubled": lambda v: f"{v.doubled:,}",
        "exceptions outside its own tree": lambda v: f"{v.outside:,}",
        "keys sent to another origin": lambda v: f"{v.secrets_elsewhere:,}",
        "requests per call": lambda v: f"{v.requests / v.calls:.3f}",
        "seconds": lambda v: f"{v.seconds:.1f}",
    }
    rows = [[show(verdict) for show in columns.values()] for verdict in verdicts]
    return _table(list(columns), rows)


def rows_table(report: Mapping[str, Any]) -> str:
    """How often each row of the truth table was met in a run, as a table in Markdown."""
    rows = [
        [name, *(f"{count.get(key, 0):,}" for key in ("POST", "GET", "stored", "late"))]
        for name, count in report["rows"].items()
    ]
    for group in ("conflicts", "connections"):
        for name, count in sorted(report[group].items()):
            rows.append([f"{group}: {name}", f"{count:,}", "", "", ""])
    return _table(["row", "creates", "look-ups", "stored first", "stored late"], rows)


def errors_table(told: Mapping[str, Told]) -> str:
    """What callers were told, by exception, as a table in Markdown."""
    counts = Counter((what.outcome, what.error or "(none)") for what in told.values())
    return _table(
        ["outcome", "exception", "calls"],
        [[outcome, error, f"{count:,}"] for (outcome, error), count in sorted(counts.items())],
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
