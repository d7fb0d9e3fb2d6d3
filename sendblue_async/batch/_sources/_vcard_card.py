"""One card of a vCard file, put together from its lines."""

from __future__ import annotations

import re

from ._row import Problem
from ._vcard_property import Head, Property, line_problem, make_property, parse_head

READ = frozenset({
    "CATEGORIES", "EMAIL", "FN", "KIND", "N", "NICKNAME", "ORG", "PRODID", "TEL", "VERSION",
    "X-ABLABEL", "X-ABSHOWAS", "X-ADDRESSBOOKSERVER-KIND",
})  # fmt: skip
"""The properties that something is taken from."""

# A card without these says the same of its contact.
_OPTIONAL = frozenset({"NICKNAME", "PRODID", "VERSION", "X-ABLABEL", "X-ABSHOWAS"})
_OTHERS = frozenset({
    "ADR", "AGENT", "ANNIVERSARY", "BDAY", "CALADRURI", "CALURI", "CLASS", "CLIENTPIDMAP", "FBURL",
    "GENDER", "GEO", "IMPP", "KEY", "LABEL", "LANG", "LOGO", "MAILER", "MEMBER", "NAME", "NOTE",
    "PHOTO", "PROFILE", "RELATED", "REV", "ROLE", "SORT-STRING", "SOUND", "SOURCE", "TITLE", "TZ",
    "UID", "URL", "XML",
})  # fmt: skip
_WORD = re.compile(rb"(?:[\w-]+\.)?([Xx]-[\w-]+|[A-Z][A-Z0-9-]*(?![\w.]))", re.ASCII)
_SOFT_BREAK = re.compile(rb"=[ \t]*\n[ \t]?")
_BLANK = b"\t\v\f \x1a"
_LARGEST_CARD = 1 << 20
_LONGEST_HEAD = 1 << 13


class _Line:
    """A logical line: physical ones, unfolded but for soft line breaks.

    Attributes:
        number: The number of the first one.
        head: What stands before the colon, once that is known.
        is_read: Whether the value is kept.
        text: What was kept.
        size: How many bytes the value has so far.
        is_soft: Whether it ended with a soft line break so far.
    """

    def __init__(self, number: int, piece: bytes) -> None:
        self.number = number
        self.head: Head | None = None
        self.is_read = True
        self.text = bytearray(piece)
        self.size = len(piece)
        self.is_soft = False
        self._find_head()
        self._note_end(piece)

    def continues_on(self, piece: bytes) -> bool:
        """Return whether a physical line continues this one."""
        return self.is_soft or piece[:1] in (b" ", b"\t") or (piece[:1] == b"=" and self._is_quoted)

    def add(self, piece: bytes) -> None:
        """Add what continues it."""
        if self.is_soft:
            piece = b"\n" + piece
        elif piece[:1] in (b" ", b"\t"):
            piece = piece[1:]
        self.extend(piece)

    def extend(self, piece: bytes) -> None:
        """Add more of the last physical line."""
        self.size += len(piece)
        if self.is_read:
            self.text += piece
            if self.head is None:
                self._find_head()
        self._note_end(piece)

    @property
    def value(self) -> bytes:
        return bytes(self.text)

    @property
    def _is_quoted(self) -> bool:
        if self.head is None:
            return b"QUOTED-PRINTABLE" in self.text.upper()
        return self.head.is_quoted

    def _find_head(self) -> None:
        # A label in the head may be in quoted-printable, too.
        whole = _SOFT_BREAK.sub(b"", self.text) if b"\n" in self.text else bytes(self.text)
        self.head = parse_head(whole)
        if self.head is not None:
            self.text = bytearray(whole[self.head.size :])
            self.size = len(self.text)
            self.is_read = self.head.name in READ
        if not self.is_read or (self.head is None and len(self.text) > _LONGEST_HEAD):
            self.drop()

    def drop(self) -> None:
        """Keep nothing of it."""
        self.is_read = False
        self.text = bytearray()

    def _note_end(self, piece: bytes) -> None:
        self.is_soft = piece.rstrip(b" \t").endswith(b"=") and self._is_quoted


class Card:
    """A card whose lines come one by one.

    Attributes:
        line: The line that it begins on.
        indent: The blanks that it stands after.
        problem: Why it cannot be read, of what is known so far.
        properties: Those of :data:`READ`.
        fragments: Those of them that are not whole, with all that stands there after the name.
        other_breaks: How many lines begin with no blank after a soft line break.
    """

    def __init__(self, line: int, indent: bytes = b"", problem: Problem | None = None) -> None:
        self.line = line
        self.indent = indent
        self.problem = problem
        self.properties: list[Property] = []
        self.fragments: list[tuple[str, bytes]] = []
        self.other_breaks = 0
        self._current: _Line | None = None
        self._last: _Line | None = None
        self._broken_names: list[int] = []
        self._broken_full_names: list[int] = []
        self._size = 0

    @property
    def expects_card(self) -> bool:
        """Whether the next line may begin a card inside of this one."""
        current = self._current
        return (
            current is not None
            and current.head is not None
            and (current.head.name == "AGENT" and not current.size)
        )

    def note(self, problem: Problem) -> None:
        """Note why it cannot be read, unless that is known."""
        self.problem = self.problem or problem

    def add(self, number: int, piece: bytes) -> None:
        """Add a physical line."""
        if not piece.startswith(self.indent):
            self.indent = b""
        piece = piece.removeprefix(self.indent)
        current = self._current
        if not piece or (piece[:1] not in b" \t" and not piece.strip(_BLANK)):
            if current is not None:
                current.is_soft = False
        elif current is not None and current.continues_on(piece):
            if current.is_soft:
                self.other_breaks += piece[:1] not in b" \t"
            current.add(piece)
            self._count(current, len(piece))
        elif piece := piece.lstrip(b" \t"):
            self._end_line()
            self._current = _Line(number, piece)
            # An empty value takes some memory, too.
            self._count(self._current, len(piece) + 100)

    def extend(self, piece: bytes) -> None:
        """Add more of the last physical line."""
        if self._current is not None:
            self._current.extend(piece)
            self._count(self._current, len(piece))

    def _count(self, line: _Line, size: int) -> None:
        """Count what is kept, and keep no more than a card may have."""
        if line.is_read:
            self._size += size
            if self._size > _LARGEST_CARD:
                self.note(Problem("bad_vcard", f"The card has more than {_LARGEST_CARD:,} bytes."))
                line.drop()

    def finish(self) -> None:
        """Take note that no more lines come."""
        self._end_line()
        named = {each.name for each in self.properties if each.value.strip(b"; ")}
        for number in self._broken_full_names[: "N" not in named]:
            self.note_broken(number)
        for number in self._broken_names[: named.isdisjoint({"N", "FN"})]:
            self.note_broken(number)

    def note_broken(self, number: int) -> None:
        """Note that a line is no property, nor a part of one of which nothing is read."""
        self.note(line_problem(number, "is no whole property of a vCard"))

    def _end_line(self) -> None:
        line, self._current = self._current, None
        if line is None:
            return
        last, self._last = self._last, line
        head = line.head
        if head is None:
            self._end_broken(line, last)
        elif line.is_read:
            if (
                not head.in_capitals
                and head.name.isalpha()
                and last is not None
                and not last.is_read
                and any(each.head.in_capitals for each in self.properties)
            ):
                self.note(line_problem(line.number, "may be text of the property before it"))
            self.properties.append(make_property(head, line.value, line.number))

    def _end_broken(self, line: _Line, last: _Line | None) -> None:
        """Take note of a line that is no property: it may be a part of the one before it."""
        word = _WORD.match(line.text)
        name = word[1].decode().upper() if word else ""
        is_known = name in READ or name in _OTHERS or name.startswith("X-")
        if name in READ and word is not None:
            self.fragments.append((name, bytes(line.text[word.end() :])))
        if name in {"FN", "N"}:
            self._broken_names.append(line.number)
        elif name in READ and name not in _OPTIONAL:
            self.note_broken(line.number)
        elif not is_known and last is not None and last.head is not None and last.head.name == "FN":
            # Google puts a full name with line ends in it on several lines.
            self._broken_full_names.append(line.number)
        elif not is_known and (last is None or last.is_read):
            self.note_broken(line.number)
        line.drop()
