"""Take in an HTTP answer. No I/O.

Its headers are joined, and its body is unpacked and kept, both up to a limit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

ACCEPT_ENCODING = "gzip, deflate"
"""What a request offers: the codings that :class:`Body` undoes."""

MAX_ANSWER_SIZE = 32 * 2**20
"""Bytes of a success that are read at most, unpacked; 1,000 contacts take some 300 kB."""

MAX_REFUSAL_SIZE = 64 * 2**10
"""Bytes of any other answer that are read at most: its status says what it means."""

NO_CONTENT = (204, 205)
"""The statuses whose answers have no body."""

_WINDOWS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
# Nobody packs an answer more often than this, nor into more gzip members than that.
_MAX_CODINGS = 3
_MAX_MEMBERS = 1000
_CHUNK = 2**18


class Reply(NamedTuple):
    """An HTTP answer.

    Attributes:
        status: Its status.
        headers: Its headers, as :func:`join_headers` has them.
        body: Its body, unpacked.
        fault: What is wrong with the body, as in :class:`Body`.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    fault: str | None = None


def join_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Join the headers of an answer, their names in lower case.

    The values of one that came several times are joined with commas, as RFC 9110 §5.3 has it; of
    ``Set-Cookie``, which may not be joined, the last one stands.

    Args:
        headers: The headers, in a mapping that may have a name several times.
    """
    joined = {name.lower(): value for name, value in headers.items()}
    if len(joined) == len(headers):
        return joined
    joined = {}
    for name, value in headers.items():
        key = name.lower()
        several = key in joined and key != "set-cookie"
        joined[key] = f"{joined[key]}, {value}" if several else value
    return joined


class _TooLarge(Exception):
    """The body is larger than the limit allows."""


class _Coding:
    """One content coding that is being undone."""

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self._room = limit
        self._members = 0
        self._inflate: zlib._Decompress | None = None

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Unpack the next bytes, piece by piece.

        Raises:
            zlib.error: If they are damaged.
            _TooLarge: If more comes out than the limit allows.
        """
        full = False
        while data or full:
            if self._inflate is None or (self._inflate.eof and data):
                self._inflate = self._make_decompressor(data)
            step = min(_CHUNK, self._room + 1)
            piece = self._inflate.decompress(data, step)
            full = len(piece) == step and not self._inflate.eof
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            self._room -= len(piece)
            yield piece
            if self._room < 0:
                raise _TooLarge

    def _make_decompressor(self, data: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _TooLarge
        # Some servers leave the header of "deflate" out; its lower half is always 8.
        bare = self._window == zlib.MAX_WBITS and data[0] & 0x0F != 8
        return zlib.decompressobj(-zlib.MAX_WBITS if bare else self._window)

    @property
    def is_whole(self) -> bool:
        """Whether all that began has ended."""
        return self._inflate is None or self._inflate.eof


class Body:
    """The body of an answer, taken in piece by piece.

    Args:
        status: The status of the answer, which decides how much of it is read.
        headers: Its headers. A ``Content-Encoding`` that is none of :data:`ACCEPT_ENCODING` is
            left as it is.
    """

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._limit = MAX_ANSWER_SIZE if 200 <= status < 300 else MAX_REFUSAL_SIZE
        self._room = self._packed_room = self._limit
        self._pieces: list[bytes] = []
        self._codings: Sequence[_Coding] = ()
        if "content-encoding" in headers:
            self._codings = _find_codings(headers["content-encoding"], self._limit)
        self._fault: str | None = None

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the body; return whether more can be taken."""
        if not self._codings and len(data) <= self._room:
            self._room -= len(data)
            self._pieces.append(data)
            return True
        self._packed_room -= len(data)
        try:
            if self._packed_room < 0 and self._codings:
                raise _TooLarge
            for piece in _unpack(data, self._codings):
                self._pieces.append(piece)
                self._room -= len(piece)
                if self._room < 0:
                    raise _TooLarge
        except _TooLarge:
            self._fault = f"is larger than {_format_size(self._limit)}, the most that is read"
        except zlib.error:
            self._fault = "is damaged and cannot be unpacked"
        return self._fault is None

    @property
    def fault(self) -> str | None:
        """What is wrong with it, in words that follow "an answer that"; ``None`` if nothing."""
        if not self._codings or self._fault is not None:
            return self._fault
        return None if all(coding.is_whole for coding in self._codings) else "was cut short"

    @property
    def content(self) -> bytes:
        """What was kept of it, unpacked."""
        return b"".join(self._pieces)[: self._limit]


def _find_codings(header: str, limit: int) -> list[_Coding]:
    """Find the codings to undo, the outermost first."""
    names = [name.strip().lower() for name in header.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MAX_CODINGS or not _WINDOWS.keys() >= set(names):
        return []
    return [_Coding(_WINDOWS[name], limit) for name in reversed(names)]


def _unpack(data: bytes, codings: Sequence[_Coding]) -> Iterator[bytes]:
    if not codings:
        yield data
        return
    for piece in codings[0].unpack(data):
        yield from _unpack(piece, codings[1:])


def _format_size(size: int) -> str:
    return f"{size // 2**20} MB" if size >= 2**20 else f"{size // 2**10} kB"
