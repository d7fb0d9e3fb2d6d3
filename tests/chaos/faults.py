"""The rows of the truth table that the server acts out, and which request meets which. No I/O.

What happens to a request follows from the seed, its number and how many requests for that number
came before it, so that a run repeats whatever the order in which requests arrive.
"""

from __future__ import annotations

from bisect import bisect
from hashlib import blake2b
from itertools import accumulate
from typing import Literal

from attrs import frozen

Outcome = Literal["done", "rejected", "unknown"]


@frozen(kw_only=True)
class Row:
    """One way for a request to end.

    Attributes:
        name: What the counts call it.
        weight: How many of 1,000 requests end this way.
        outcome: What it means for a create: stored, never stored, or stored half of the time.
        act: The method of the server that acts it out.
        status: The HTTP status that is answered.
        retry_after: Seconds that the answer asks to wait, if any.
        final: Whether a request that ends this way is not to be sent again.
        ordered: Whether what it leads to depends on what other requests do meanwhile.
    """

    name: str
    weight: float
    outcome: Outcome
    act: str = "answer"
    status: int = 200
    retry_after: str | None = None
    final: bool = False
    ordered: bool = False


def _statuses(
    outcome: Outcome,
    weight: float,
    *statuses: int,
    retry_after: str | None = None,
    final: bool = False,
) -> list[Row]:
    suffix = " with Retry-After" if retry_after else ""
    return [
        Row(
            name=f"{status}{suffix}",
            weight=weight,
            outcome=outcome,
            status=status,
            retry_after=retry_after,
            final=final,
        )
        for status in statuses
    ]


_FAULTS = (
    *_statuses("rejected", 6, 400, 404, 422, final=True),
    *_statuses("rejected", 4, 413, 501, final=True),
    *_statuses("rejected", 1, 401, 402, 403, final=True),
    *_statuses("rejected", 2, 300, 301, 302, 303, 307, 308, final=True),
    Row(
        name="2xx with status ERROR",
        weight=8,
        outcome="rejected",
        act="refuse_with_200",
        final=True,
    ),
    *_statuses("rejected", 10, 408, 425),
    *_statuses("rejected", 4, 408, 425, retry_after="0.01"),
    *_statuses("rejected", 20, 429),
    *_statuses("rejected", 6, 429, retry_after="0.004"),
    *_statuses("rejected", 12, 503, retry_after="0.01"),
    *_statuses("rejected", 8, 521, 523, 525, 526),
    *_statuses("unknown", 28, 500, 502, 504),
    *_statuses("unknown", 24, 503),
    *_statuses("unknown", 4, 500, retry_after="0.01"),
    *_statuses("unknown", 9, 520, 522, 524),
    *_statuses("unknown", 4, 507, 530, 599),
    Row(name="reset", weight=10, outcome="unknown", act="reset"),
    Row(name="closed without an answer", weight=10, outcome="unknown", act="hang_up"),
    Row(name="read timeout", weight=5, outcome="unknown", act="hang"),
    Row(name="read timeout in the body", weight=3, outcome="unknown", act="stall"),
    Row(name="body cut short", weight=5, outcome="unknown", act="cut_short"),
    Row(name="body cut short, chunked", weight=4, outcome="unknown", act="cut_short_chunked"),
    Row(name="body cut short, unannounced", weight=4, outcome="unknown", act="cut_short_openly"),
    Row(name="2xx that is HTML", weight=8, outcome="unknown", act="answer_html"),
    Row(name="2xx that is no JSON after all", weight=8, outcome="unknown", act="answer_half"),
    Row(name="2xx that is other JSON", weight=8, outcome="unknown", act="answer_other_json"),
    Row(name="2xx without a body", weight=6, outcome="unknown", act="answer_nothing"),
    Row(name="not HTTP", weight=6, outcome="unknown", act="answer_other_protocol"),
)
_ODD = (
    Row(name="done, slow bytes", weight=10, outcome="done", act="drip"),
    Row(name="done, then closed", weight=6, outcome="done", act="answer_and_close", ordered=True),
)
DONE = Row(
    name="done",
    weight=1000 - sum(row.weight for row in (*_FAULTS, *_ODD)),
    outcome="done",
    act="answer",
)
ROWS: tuple[Row, ...] = (DONE, *_ODD, *_FAULTS)
_BOUNDS = list(accumulate(row.weight for row in ROWS))

ConnectionRow = Literal["served", "handshake hangs", "wrong host name", "unknown CA", "refused"]
_CONNECTION_BOUNDS = (20, 36, 52, 66)
_CONNECTION_ROWS: tuple[ConnectionRow, ...] = (
    "handshake hangs",
    "wrong host name",
    "unknown CA",
    "refused",
    "served",
)

# Of 1,000 numbers, so many belong to a contact of somebody else's from the start.
_TAKEN = 15
SOMEBODY = {"first_name": "Somebody", "last_name": "Else"}


@frozen
class Fault:
    """What happens to one request.

    Attributes:
        row: How it ends.
        stored: Whether a create is carried out before that.
        late: Whether a create whose answer never comes is carried out when all calls are over.
    """

    row: Row
    stored: bool
    late: bool


def _draws(*parts: object) -> tuple[float, int]:
    """A number from [0, 1,000) and 32 independent bits, the same for the same parts."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=12).digest()
    return int.from_bytes(digest[:8], "big") * 1000 / 2**64, int.from_bytes(digest[8:], "big")


def fault_of(seed: int, number: str, before: int, *, ordered: bool = True) -> Fault:
    """What happens to the request for ``number`` that ``before`` others came before.

    Args:
        seed: Another seed, another run.
        number: The phone number.
        before: How many requests for it came before.
        ordered: Whether rows may come up that depend on other requests.
    """
    place, bits = _draws(seed, number, before)
    row = ROWS[bisect(_BOUNDS, place)]
    if row.ordered and not ordered:
        row = DONE
    if row.outcome != "unknown":
        return Fault(row, stored=row.outcome == "done", late=False)
    late = row.act == "hang" and bits & 3 == 3
    return Fault(row, stored=bits & 1 == 1 and not late, late=late)


def connection_row(seed: int, before: int) -> ConnectionRow:
    """What happens to the connection that ``before`` others came before."""
    place, _ = _draws(seed, "connection", before)
    return _CONNECTION_ROWS[bisect(_CONNECTION_BOUNDS, place)]


def is_taken(seed: int, number: str) -> bool:
    """Whether the number is somebody else's from the start."""
    place, _ = _draws(seed, number, "taken")
    return place < _TAKEN
