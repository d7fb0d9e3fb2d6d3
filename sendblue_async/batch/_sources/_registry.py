"""The file formats there are."""

from __future__ import annotations

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


def find_format(source: SourceFile) -> Format:
    """Find the format of a file."""
    return next(each for each in FORMATS if each.sniff(source))
