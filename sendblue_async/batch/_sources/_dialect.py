"""How the cells of a CSV file are written."""

from __future__ import annotations

from attrs import frozen

from ...exceptions import ConfigurationError
from ._wrapping import LineMend, Wrapping

DELIMITERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "caret": "^",
    "tilde": "~",
}
"""What may stand between two cells, by its name."""

_FIRST, _LAST = [*DELIMITERS][:-1], [*DELIMITERS][-1]
DELIMITER_NAMES = f"{', '.join(_FIRST)} or {_LAST}"
"""Their names, as messages list them."""


@frozen(kw_only=True)
class Dialect:
    """How the cells of a file are written.

    Attributes:
        delimiter: What stands between two cells.
        quote: What stands around a cell that has a delimiter in it.
        header_line: Where the header begins, counted from 1; of a file without one, where the
            first row begins that is none, or 0.
        has_header: Whether there is one.
        wrapping: What stands around the text of each cell, as part of it.
        mend: How its lines are made plain CSV.
    """

    delimiter: str
    quote: str = '"'
    header_line: int = 1
    has_header: bool = True
    wrapping: Wrapping | None = None
    mend: LineMend | None = None


def check_delimiter(name: str) -> str:
    """Return the delimiter that is given by its name or as it is.

    Raises:
        ConfigurationError: If it is none.
    """
    delimiter = DELIMITERS.get(name, name) if isinstance(name, str) else ""
    if delimiter not in DELIMITERS.values():
        raise ConfigurationError(
            f"{name!r} is not a known delimiter. Use {DELIMITER_NAMES}, or leave it out to have it "
            "detected."
        )
    return delimiter
