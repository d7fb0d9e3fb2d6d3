"""The lines of a vCard file, as bytes: each property may be in a charset of its own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ._code_pages import may_be_escaped
from ._encoding import Text, detect_text
from ._file import SourceFile, open_source
from ._format import ReadOptions

PIECE = 1 << 16
"""How many bytes of a line are handed out at once: a picture may stand on one line."""

# Of a line in pieces, so much of the end of each is handed out with the next one, so that what
# marks the beginning or the end of a card is never cut.
_OVERLAP = 64
_BATCH = 1 << 14

_MARK = b"\xef\xbb\xbf"
_LONE = re.compile("[\ud800-\udfff]")
_DECLARED = re.compile(rb"[^:]*;[ \t]*CHARSET=", re.IGNORECASE)

Piece = tuple[int, bytes, bool]
"""The number of a line, a piece of it without its end, and whether the line begins with it."""


@lru_cache(maxsize=64)
def extends_ascii(encoding: str) -> bool:
    """Return whether bytes below 128 mean in this encoding what they mean in ASCII."""
    plain = bytes(range(32, 127))
    try:
        return plain.decode(encoding) == plain.decode("ascii")
    except UnicodeError:
        return False


def read_pieces(text: Text) -> Iterator[Piece]:
    r"""Read the lines, which end in ``\n``, ``\r\n`` or ``\r``.

    They are in the encoding of the file if that extends ASCII, else in UTF-8, where a byte that
    is none stands for what could not be read.
    """
    if extends_ascii(text.encoding):
        yield from _read_bytes(text.path, text.contents)
        return
    for number, line in enumerate(text.lines(), 1):
        whole = _LONE.sub("\udcff", line).encode("utf-8", "surrogateescape")
        yield number, whole.rstrip(b"\r\n").removeprefix(_MARK), True


def _read_bytes(path: Path, contents: Path) -> Iterator[Piece]:
    number, begins, rest, after_return = 1, True, b"", False
    # In Latin-1 a character is a byte, and a line ends as it does in any other text.
    with (
        open_source(path, contents) as source,
        io.TextIOWrapper(source, "latin-1", newline="") as lines,
    ):
        while read := lines.readline(PIECE):
            if after_return and read == "\n":
                continue
            piece = rest + read.encode("latin-1")
            if begins:
                piece = piece.removeprefix(_MARK)
            is_end = read.endswith(("\n", "\r"))
            after_return = is_end and len(read) == PIECE and read.endswith("\r")
            if is_end or len(read) < PIECE:
                yield number, piece.rstrip(b"\r\n"), begins
                number, begins, rest = number + 1, True, b""
            else:
                yield number, piece[:-_OVERLAP], begins
                begins, rest = False, piece[-_OVERLAP:]
        if rest:
            yield number, rest, begins


class _Undeclared(SourceFile):
    """What shows the encoding of a vCard file: its lines beyond ASCII that declare no charset."""

    def __init__(self, path: Path, contents: Path) -> None:
        super().__init__(path, contents)
        self._lines = self._read_lines()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some of these lines, or nothing at their end."""
        found = bytearray()
        for line in self._lines:
            found += line
            if len(found) >= _BATCH:
                break
        return bytes(found)

    def _read_lines(self) -> Iterator[bytearray]:
        declared, line = False, bytearray()
        for _, piece, begins in _read_bytes(self.path, self.contents):
            is_folded = begins and piece.startswith((b" ", b"\t"))
            if begins and not is_folded:
                if not line.isascii() or may_be_escaped(line):
                    yield line + b"\n"
                declared, line = _DECLARED.match(piece) is not None, bytearray()
            elif len(line) > PIECE:
                # A picture.
                if not line.isascii() or may_be_escaped(line):
                    yield line
                line = bytearray()
            if not declared:
                # A letter may be folded in its middle.
                line += piece[1:] if is_folded else piece
        if not line.isascii() or may_be_escaped(line):
            yield line


def detect_undeclared(source: SourceFile, options: ReadOptions) -> Text:
    """Find out how a vCard file is read, but for what declares its charset.

    Args:
        source: The file.
        options: Have the encoding by any name that Python knows, if it is given.

    Raises:
        ValidationError: If this is no text at all.
        ConfigurationError: If Python knows no such encoding.
    """
    with _Undeclared(source.path, source.contents) as undeclared:
        return detect_text(undeclared, options)
