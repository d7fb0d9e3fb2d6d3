"""The file formats there are."""

from __future__ import annotations

from ...exceptions import ConfigurationError
from ._csv import CSV
from ._file import SourceFile
from ._format import Format
from ._json_lines import JSON_LINES
from ._ods import ODS
from ._vcard import VCARD
from ._xls import XLS
from ._xlsx import XLSX

FORMATS = (XLSX, XLS, ODS, JSON_LINES, VCARD, CSV)
"""All formats, in the order in which they are asked: first those that go by what is in the file,
whatever its name is, and last CSV, which takes any file."""

NAMES = {name: each for each in FORMATS for name in each.short_names}
"""The formats by the names that users give them."""


def check_format(name: str | None) -> str | None:
    """Return the name of a format, if it is one.

    Raises:
        ConfigurationError: If there is no such format.
    """
    if name is None or (isinstance(name, str) and name.lower() in NAMES):
        return name
    raise ConfigurationError(
        f"{name!r} is not a known format. Use one of {', '.join(sorted(NAMES))}, or leave it out "
        "to have it detected."
    )


def find_format(source: SourceFile, name: str | None = None) -> Format:
    """Find the format of a file, unless it is given by its name."""
    if name is not None:
        return NAMES[name.lower()]
    return next(each for each in FORMATS if each.sniff(source))
