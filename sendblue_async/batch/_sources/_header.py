"""The header of a table: what is wrong with it, and the names of its columns."""

from __future__ import annotations

from collections import Counter
from itertools import count

from ...exceptions import ValidationError


def number_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give each of several columns with one name a name of its own.

    The first one becomes ``name (1)``, and so on, so that none is taken for another. Names that
    are blank stay so.
    """
    times = Counter(name for name in names if name.strip())
    numbers = {name: count(1) for name in times if times[name] > 1}

    def add_number(name: str) -> str:
        candidates = (f"{name} ({number})" for number in numbers[name])
        return next(candidate for candidate in candidates if candidate not in times)

    return tuple(add_number(name) if name in numbers else name for name in names)


def no_header_error(name: str, reason: str) -> ValidationError:
    """Make the error of a file whose header cannot be used."""
    return ValidationError(
        f"{name} has no header that can be used. {reason} The first row must name the columns.",
        field="path",
    )
