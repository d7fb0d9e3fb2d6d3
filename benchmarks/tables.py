"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with a blank line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """The median of a figure over all rounds, then the lowest and the highest if they differ."""
    low, middle, high = (
        format(value, form) for value in (min(values), median(values), max(values))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """How many times their figure ours is: the ratio of each round, as :func:`spread` shows it.

    The two figures of a round were measured shortly after each other, so what slows the machine
    down for a while touches both.
    """
    rounds = zip(ours, theirs, strict=True)
    return f"{spread([one / other for one, other in rounds], '.2f')} ×"
