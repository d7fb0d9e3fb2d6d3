"""What an import is given on the command line, and what is said of it before it runs."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Annotated

import typer

from ..exceptions import ValidationError
from ._output import print_stderr

if TYPE_CHECKING:
    from ..batch import ImportJob


Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="comma, semicolon, tab, pipe, caret or tilde. Default: detected."
    ),
]
"""The option ``--delimiter``."""

NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The first row is a contact; --map goes by position.")
]
"""The option ``--no-header``."""

Sheet = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|NUMBER",
        help="Sheet of a workbook. Default: the first visible one with rows.",
    ),
]
"""The option ``--sheet``."""


def announce_input(job: ImportJob, *, keeps: bool) -> None:
    """Say that standard input is copied, and what is not kept of it."""
    if job.path is not None:
        return
    note = "Reading standard input into a temporary file."
    if keeps and job.journal_path is None:
        note += " Without --journal, this import cannot be resumed."
    if keeps and job.rejected_path is None:
        note += " Without --rejected, rejected rows are only counted."
    print_stderr(note)


def parse_columns(columns: list[str] | None, *, by_position: bool) -> dict[str, str]:
    """Parse what --map was given: column names, or positions, of which each may have several."""
    pairs: dict[str, str] = {}
    given = columns or []
    for pair in ",".join(given).split(",") if by_position and given else given:
        # A column's name may have "=" in it; no field has.
        column, sign, field = pair.rpartition("=")
        if not sign:
            raise ValidationError(f"--map takes COLUMN=FIELD, not {pair!r}.", field="map")
        if column in pairs:
            raise ValidationError(f"--map names the column {column!r} twice.", field="map")
        pairs[column] = field
    return pairs


def parse_rate(rate: str | None) -> float | None:
    """Parse what --rate was given."""
    if rate is None:
        return None
    with contextlib.suppress(ValueError):
        if 0 < (per_second := float(rate.removesuffix("/s"))) < math.inf:
            return per_second
    raise ValidationError(
        f"--rate takes requests per second, such as 50/s, not {rate!a}.", field="rate"
    )


def add_resume(arguments: list[str]) -> list[str]:
    """Give the arguments the option ``--resume``, before a ``--`` that ends the options."""
    arguments = [word for word in arguments if word not in ("--resume", "--start-over")]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:end], "--resume", *arguments[end:]]
