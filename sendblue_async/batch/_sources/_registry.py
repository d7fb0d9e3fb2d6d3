"""The file formats there are."""

from __future__ import annotations

from ._csv import CSV
from ._file import SourceFile
from ._format import Format
from ._json_lines import JSON_LINES
from ._vcard import VCARD

FORMATS = (JSON_LINES, VCARD, CSV)
"""All formats, in the order in which they are asked. CSV comes last, as it takes any file."""


def find_format(source: SourceFile) -> Format:
    """Find the format of a file."""
    return next(each for each in FORMATS if each.sniff(source))
