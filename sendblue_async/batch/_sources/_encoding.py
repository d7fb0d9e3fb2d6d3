"""Text files: the encoding of one, and its lines, whatever is broken in them."""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attrs import frozen

from ...exceptions import ConfigurationError, ValidationError
from ._archive import ZIP
from ._code_pages import check_escapes, doubts_western, unknown_encoding_error
from ._file import BUFFER, SourceFile, open_source, suffix_of
from ._format import ReadOptions
from ._garbled import BROKEN, is_garbled, mark_garbled
from ._western import PLAIN_TO_DOUBTFUL, Fit, judge_text

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
_PACKED = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"Rar!\x1a\x07": "RAR",
}
_BINARY = {
    b"%PDF-": "a PDF document",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x00\x01\x00\x00Standard ": "an Access database",
    b"PAR1": "a Parquet file",
    b"ARROW1\x00\x00": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1a\x1b"))

_SAMPLE = 4096
_KEPT_LINES = 200


def _replace_broken_bytes(error: UnicodeError) -> tuple[str, int]:
    """Put a lone surrogate in place of bytes that are not text, in any encoding."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return BROKEN, error.end


codecs.register_error("sendblue_async.mark", _replace_broken_bytes)


@frozen
class Text:
    """A file of text.

    Attributes:
        path: Its name.
        contents: Where it is.
        encoding: What it is read as, as Python calls it.
        garbled: Whether text that was decoded wrongly before it was written is looked for, and
            taken for what cannot be read.
    """

    path: Path
    contents: Path
    encoding: str
    garbled: bool = False

    def lines(self) -> Iterator[str]:
        """Read its lines from the first one on, as :func:`read_lines` gives them."""
        with open_source(self.path, self.contents) as source:
            lines = read_lines(source, self.encoding)
            yield from map(mark_garbled, lines) if self.garbled else lines


def detect_text(source: SourceFile, options: ReadOptions) -> Text:
    """Find out how a file is read as text: by its first bytes, else by all of them.

    UTF-8 if at least as many lines are valid beyond ASCII as are broken, of which each is a problem
    of its row. Otherwise Windows-1252, if it is plainly Western.

    Args:
        source: The file.
        options: Have the encoding by any name that Python knows, if it is given.

    Raises:
        ValidationError: If this is no text at all, or in an encoding that has to be given.
        ConfigurationError: If Python knows no such encoding.
    """
    given = None if options.encoding is None else check_encoding(options.encoding)
    found = detect_by_first_bytes(source)
    known = given or found
    judged = _Judged()
    for line in _read_special_lines(source, known, judge=options.seeks_garbled):
        judged.add(line)
    if known:
        garbled = options.seeks_garbled and (judged.garbled or known != "utf-8")
        return Text(source.path, source.contents, known, garbled=garbled)
    if judged.valid >= judged.broken:
        return Text(source.path, source.contents, "utf-8", garbled=judged.garbled)
    if judged.valid or not judged.is_western():
        raise unknown_encoding_error(source, judged.lines, mixed=judged.valid > 0)
    return Text(source.path, source.contents, "cp1252")


def sniff_text(*suffixes: str, start: re.Pattern[str]) -> Callable[[SourceFile], bool]:
    """Make a ``sniff`` that goes by the end of the file's name, or by its text if it has none."""

    def sniff(source: SourceFile) -> bool:
        suffix = suffix_of(source.path)
        if suffix:
            return suffix in suffixes
        encoding = detect_by_first_bytes(source) or "utf-8"
        text = codecs.getincrementaldecoder(encoding)("replace").decode(source.peek())
        return start.match(text.removeprefix("\ufeff")) is not None

    return sniff


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
    for signature, program in _PACKED.items():
        if start.startswith(signature):
            raise ValidationError(
                f"{source.path} is compressed with {program}. Unpack it, and import what is in it.",
                field="path",
            )
    for signature, what in _BINARY.items():
        if start.startswith(signature):
            raise _not_text_error(source, what)
    marked = (encoding for mark, encoding in _MARKS.items() if start.startswith(mark))
    return next(marked, None) or _detect_wide(start)


def _detect_wide(start: bytes) -> str | None:
    """Detect UTF-16 and UTF-32 without a byte order mark, in which digits and commas have NULs."""
    if b"\0" not in start[:_SAMPLE]:
        return None
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        sample = start[: min(len(start), _SAMPLE) // width * width]
        # The end may be half of a pair.
        text = sample.decode(encoding, "replace").removesuffix("\ufffd")
        first_line = text.lstrip("\r\n").partition("\n")[0]
        if all(char in "\t\r\n\x1a" or ord(char) >= 32 for char in text) and (
            _is_mostly_ascii(first_line) or _is_mostly_ascii(text)
        ):
            return encoding
    return None


def _is_mostly_ascii(text: str) -> bool:
    """Tell whether much of it is ASCII, and all of it text: only in the right encoding, it is."""
    return "\ufffd" not in text and sum(map(str.isascii, text)) * 3 > len(text) > 0


class _Judged:
    """What the lines of a file show of its encoding.

    Attributes:
        valid: How many are UTF-8, of those with more than ASCII.
        broken: How many are not.
        garbled: Whether one of those that are was decoded wrongly before it was written.
        lines: The first ones that are not.
    """

    def __init__(self) -> None:
        self.valid = self.broken = 0
        self.garbled = False
        self.lines: list[bytes] = []
        self._fits: Counter[Fit] = Counter()

    def add(self, line: bytes) -> None:
        """Judge one more line."""
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.broken += 1
            self._judge_western(line)
        else:
            self.valid += 1
            self.garbled = self.garbled or is_garbled(text)

    def is_western(self) -> bool:
        """Tell whether those that are not UTF-8 are plainly Western in Windows-1252."""
        plain, doubtful = self._fits[Fit.PLAIN], self._fits[Fit.DOUBTFUL]
        if self._fits[Fit.IMPOSSIBLE] or not plain or plain < doubtful * PLAIN_TO_DOUBTFUL:
            return False
        return not doubtful or not doubts_western(self.lines)

    def _judge_western(self, line: bytes) -> None:
        # One that does not fit is enough; those show best what the file may be in.
        if self._fits[Fit.IMPOSSIBLE] and len(self.lines) >= _KEPT_LINES:
            return
        fits = judge_text(line.decode("cp1252", "replace"))
        self._fits += fits
        if len(self.lines) < _KEPT_LINES:
            self.lines.append(line)
        elif fits[Fit.IMPOSSIBLE]:
            self.lines[0] = line


def _read_special_lines(source: SourceFile, known: str | None, *, judge: bool) -> Iterator[bytes]:
    """Read the file to its end, and yield the lines that have more than ASCII.

    Args:
        source: The file.
        known: The encoding, if it is known already.
        judge: Whether lines are wanted.

    Raises:
        ValidationError: If this is no text at all.
    """
    size = controls = 0
    rest = b""
    judge = judge and known in {None, "utf-8"}
    while chunk := source.read(BUFFER):
        size += len(chunk)
        controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
        if not judge:
            continue
        check_escapes(source, chunk)
        if chunk.isascii() and not rest:
            continue
        if len(rest) > LONGEST_LINE:
            raise _long_line_error(source)
        lines = (rest + chunk).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        yield from (line for line in lines if not line.isascii())
    # In UTF-16 and other encodings such bytes are parts of letters.
    if known in {None, "utf-8"} and controls > 8 and controls > size / 20:
        raise _not_text_error(source)
    if not rest.isascii():
        yield rest


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
    with io.TextIOWrapper(source, encoding, errors="sendblue_async.mark", newline="") as text:
        for line in iter(partial(text.readline, LONGEST_LINE), ""):
            if len(line) >= LONGEST_LINE:
                raise _long_line_error(source)
            # In front of each part of a file that was put together, and DOS's mark of its end.
            line = line.removeprefix("\ufeff").replace("\0", BROKEN)
            yield _strip_end_mark(line) if "\x1a" in line else line


def _strip_end_mark(line: str) -> str:
    text = line.rstrip("\r\n")
    return text.strip("\x1a") + line[len(text) :]


def _not_text_error(source: SourceFile, what: str = "not a text file") -> ValidationError:
    return ValidationError(
        f"{source.path} is {what}. Export the contacts as CSV, JSON Lines, vCard or a workbook.",
        field="path",
    )


def _long_line_error(source: SourceFile) -> ValidationError:
    return ValidationError(
        f"{source.path} has a line of more than {LONGEST_LINE:,} characters. Export the contacts "
        "with one row a line.",
        field="path",
    )
