"""Files that are compressed with gzip, unpacked to a temporary file before they are read."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable

from ...exceptions import ValidationError
from ._file import BUFFER, SourceFile
from ._temporary import TemporaryCopy

GZIP = b"\x1f\x8b"
"""What a file of gzip begins with."""

LARGEST_RATIO = 100
"""How many times its size a file may unpack to; an export of repeated rows reaches some 50."""

SMALLEST_LIMIT = 1 << 26
"""How many bytes any file may unpack to."""


def unpack(source: SourceFile, stopped: Callable[[], bool]) -> TemporaryCopy | None:
    """Unpack a file that is compressed with gzip.

    Returns:
        What is in it; ``None`` if stopped before its end.

    Raises:
        ValidationError: If it is damaged or cut short, or unpacks to too much.
    """
    limit = SMALLEST_LIMIT + LARGEST_RATIO * os.fstat(source.fileno()).st_size
    copy = TemporaryCopy()
    size = 0
    try:
        with gzip.GzipFile(fileobj=source) as unpacked:
            while chunk := unpacked.read(BUFFER):
                size += len(chunk)
                if size > limit:
                    raise ValidationError(
                        f"{source.path} unpacks to more than {LARGEST_RATIO} times its size. "
                        "Unpack it, and import what is in it.",
                        field="path",
                    )
                if stopped():
                    return None
                copy.file.write(chunk)
        copy.file.flush()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = "is cut short" if isinstance(error, EOFError) else "is damaged"
        raise ValidationError(
            f"{source.path} {reason}, so that not all of it can be unpacked. Export or copy it "
            "again.",
            field="path",
        ) from error
    return copy
