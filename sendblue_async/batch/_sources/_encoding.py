"""Text files: the encoding of one, and its lines, whatever is broken in them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from attrs import frozen

from ...exceptions import ConfigurationError, ValidationError
from ._archive import ZIP
from ._file import BUFFER, SourceFile, open_source

LONGEST_LINE = 1 << 24
"""How many characters a physical line may have, so that no file has to fit into memory."""

# The longest first: that of UTF-16 is the beginning of one of UTF-32.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SIGNATURES = (
    b"%PDF-",
    b"\x1f\x8b\x08",  # gzip
    b"BZh",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",  # Zstandard
    b"SQLite format 3\x00",
    b"PAR1",  # Parquet
    b"\x89PNG",
    b"\xff\xd8\xff",  # JPEG
)
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1a\x1b"))

_FIRST_LINE = re.compile(rb"[\0\r\n]*[^\r\n]+")

_BROKEN = "\udcff"


def _replace_broken_bytes(error: UnicodeError) -> tuple[str, int]:
    """Put a lone surrogate in place of bytes that are not text, in any encoding."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _BROKEN, error.end


codecs.register_error("sendblue_async.mark", _replace_broken_bytes)


@frozen
class Text:
    """A file of text.

    Attributes:
        path: The file.
        encoding: What it is read as, as Python calls it.
    """

    path: Path
    encoding: str

    def lines(self) -> Iterator[str]:
        """Read its lines from the first one on, as :func:`read_lines` gives them."""
        with open_source(self.path) as source:
            yield from read_lines(source, self.encoding)


def detect_text(source: SourceFile, encoding: str | None) -> Text:
    """Find out how a file is read as text: by its first bytes, else by all of them.

    Args:
        source: The file.
        encoding: The encoding by any name that Python knows, if it is given.

    Raises:
        ValidationError: If this is no text at all.
        ConfigurationError: If Python knows no such encoding.
    """
    given = None if encoding is None else check_encoding(encoding)
    found = detect_by_first_bytes(source)
    return Text(source.path, detect_by_all_bytes(source, known=given or found))


def check_encoding(name: str) -> str:
    """Return the encoding by the name that Python has for it.

    Raises:
        ConfigurationError: If Python knows no encoding of text by this name.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), name)
        return codecs.lookup(name).name
    except (LookupError, TypeError, ValueError):
        raise ConfigurationError(
            f'{name!r} is not a known encoding. Use one such as "utf-8", "utf-16" or "cp1252", or '
            "leave it out to have it detected."
        ) from None


def detect_by_first_bytes(source: SourceFile) -> str | None:
    """Detect the encoding by the first bytes, if they show it; nothing is read.

    Raises:
        ValidationError: If they show that this is no text.
    """
    start = source.peek()
    if start.startswith(ZIP):
        raise ValidationError(
            f"{source.path} is an Excel workbook of another kind than .xlsx, or another ZIP "
            'archive. Save it as "CSV UTF-8" in Excel, or unpack it, and use that file.',
            field="path",
        )
    if start.startswith(_SIGNATURES):
        raise _not_text_error(source)
    marked = (encoding for mark, encoding in _MARKS.items() if start.startswith(mark))
    return next(marked, None) or _detect_utf16(start)


def _detect_utf16(start: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: in Latin script every other byte is NUL."""
    first = _FIRST_LINE.match(start[:1024])
    line = first[0] if first else b""
    even, odd = line[::2].count(0), line[1::2].count(0)
    if max(even, odd) * 4 <= len(line):
        return None
    if odd > even * 4:
        found = "utf-16-le"
    elif even > odd * 4:
        found = "utf-16-be"
    else:
        return None
    text = line.decode(found, errors="replace").encode("latin-1", errors="ignore")
    # Numbers of two bytes have as many zeros.
    return None if text != text.translate(None, _CONTROLS) else found


def detect_by_all_bytes(source: SourceFile, *, known: str | None) -> str:
    """Detect the encoding by all bytes; the file is read to its end.

    UTF-8 if at least as many lines are valid beyond ASCII as are broken, else Windows-1252: text
    in that is next to never valid UTF-8, so what is valid is no accident.

    Args:
        source: The file.
        known: The encoding, if it is known already; the file is read all the same.

    Raises:
        ValidationError: If this is no text at all.
    """
    size = controls = valid = broken = 0
    rest = b""
    while chunk := source.read(BUFFER):
        size += len(chunk)
        controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
        if known or (chunk.isascii() and not rest):
            continue
        if len(rest) > LONGEST_LINE:
            raise _long_line_error(source)
        lines = (rest + chunk).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            valid, broken = _count_line(line, valid, broken)
    # In UTF-16 and other encodings such bytes are parts of letters.
    if known in {None, "utf-8"} and controls > 8 and controls > size / 20:
        raise _not_text_error(source)
    if known:
        return known
    valid, broken = _count_line(rest, valid, broken)
    return "utf-8" if valid >= broken else "cp1252"


def _count_line(line: bytes, valid: int, broken: int) -> tuple[int, int]:
    """Add the line to the valid or the broken ones, if it shows which encoding it is in."""
    if line.isascii():
        return valid, broken
    try:
        line.decode()
    except UnicodeDecodeError:
        return valid, broken + 1
    return valid + 1, broken


def read_lines(source: SourceFile, encoding: str) -> Iterator[str]:
    r"""Read the lines with their ends, ``\n``, ``\r\n`` or ``\r``, without a byte order mark.

    A lone surrogate stands for what is not text in this encoding, and for each NUL. The file
    is closed in the end.

    Raises:
        ValidationError: If a line is longer than :data:`LONGEST_LINE`.
        ConfigurationError: If nothing can be read in this encoding.
    """
    try:
        yield from _decode_lines(source, encoding)
    except UnicodeError:
        # A byte order mark is missing, or the encoding cannot go on after what is not text.
        raise ConfigurationError(
            f"{source.path} cannot be read as {encoding}. Leave the encoding out to have it "
            "detected, or give another one."
        ) from None


def _decode_lines(source: SourceFile, encoding: str) -> Iterator[str]:
    mark = "\ufeff"
    with io.TextIOWrapper(source, encoding, errors="sendblue_async.mark", newline="") as text:
        for line in iter(partial(text.readline, LONGEST_LINE), ""):
            if len(line) >= LONGEST_LINE:
                raise _long_line_error(source)
            yield line.removeprefix(mark).replace("\0", _BROKEN)
            mark = ""


def _not_text_error(source: SourceFile) -> ValidationError:
    return ValidationError(
        f"{source.path} is not a text file. Export the contacts as CSV, JSON Lines or vCard.",
        field="path",
    )


def _long_line_error(source: SourceFile) -> ValidationError:
    return ValidationError(
        f"{source.path} has a line of more than {LONGEST_LINE:,} characters. Export the contacts "
        "with one row a line.",
        field="path",
    )
