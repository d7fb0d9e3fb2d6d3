"""Rows of vCards, 2.1 to 4.0: one for each card, however the cards stand side by side.

A card is cut out here, so that its line number is exact and one that is broken harms no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...exceptions import ValidationError
from ._encoding import sniff_text
from ._file import SourceFile
from ._format import Content, Format, ReadOptions
from ._row import Problem, Row, make_row
from ._vcard_card import Card
from ._vcard_cells import COLUMNS, make_cells
from ._vcard_lines import Piece, detect_undeclared, extends_ascii, read_pieces
from ._vcard_property import Decoder, line_problem

_CARD = re.compile(r"\s*BEGIN[ \t]*:[ \t]*VCARD", re.IGNORECASE)
_MARK = re.compile(rb"(BEGIN|END)[ \t]*:[ \t]*VCARD", re.IGNORECASE)
_VERSION = re.compile(rb"VERSION[ \t]*:[ \t]*\d\.\d[ \t]*", re.IGNORECASE)
# What may follow BEGIN:VCARD where it does not begin a line: else it is some text.
_FOLLOWS_BEGIN = re.compile(rb"[\s,;]*(?:[A-Za-z-]+[ \t]*[:;]|\Z)")
# Between properties that stand on one line.
_SEVERAL = re.compile(rb"(?:\s|\\[nr])+(?=(?:[\w-]+\.)?[A-Za-z-]+[:;])")
_LINE_END = rb"\n"
_DEEPEST = 20

_NO_END = Problem("bad_vcard", "The card has no END:VCARD before the next one, or the file, ends.")
_NO_CARD = Problem("bad_vcard", "From this line on, text stands outside of any card.")


def check_has_cards(name: str, pieces: Iterable[Piece]) -> None:
    """Check that this is a vCard file.

    Raises:
        ValidationError: If no card begins in it.
    """
    if not any(
        mark[1].upper() == b"BEGIN" for _, piece, _ in pieces for mark in _find_marks(piece)
    ):
        raise ValidationError(
            f"{name} has no vCard in it. Export the contacts as vCard, or rename the file if it "
            "is CSV.",
            field="path",
        )


def read_rows(pieces: Iterable[Piece], decoder: Decoder) -> Iterator[Row]:
    """Read a row from each card, and one from each stretch of text outside of any card."""
    for card in _Cards().split(pieces):
        card.finish()
        own = decoder.for_breaks(is_spaced=card.other_breaks == 0)
        yield make_row(card.line, *make_cells(card, own))


class _Cards:
    """The cards of a file."""

    def __init__(self) -> None:
        # The last one stands inside of the others.
        self._open: list[Card] = []
        self._outside: Card | None = None
        self._unclosed = 0

    def split(self, pieces: Iterable[Piece]) -> Iterator[Card]:
        """Iterate over the cards, and stretches of text outside of any, in the order they end."""
        for number, piece, begins in pieces:
            position, is_begun = 0, False
            for mark in _find_marks(piece):
                between = piece[position : mark.start()]
                if not _is_noise(between) and position:
                    self._add_after(number, between, is_begun=is_begun)
                elif not _is_noise(between):
                    self._add(number, between, begins=begins)
                position, is_begun = mark.end(), _is_begin(mark)
                if is_begun:
                    yield from self._begin(number, between)
                else:
                    yield from self._end(number)
            if position == 0:
                self._add(number, piece, begins=begins)
            elif not _is_noise(piece[position:]):
                self._add_after(number, piece[position:], is_begun=is_begun)
        yield from self._leave_all()

    def _begin(self, number: int, before: bytes) -> Iterator[Card]:
        if self._open and not (self._open[-1].expects_card and len(self._open) < _DEEPEST):
            self._unclosed += len(self._open)
            yield from self._leave_all()
        elif self._outside is not None:
            yield from self._leave_all()
        self._open.append(Card(number, before if before.isspace() else b""))

    def _end(self, number: int) -> Iterator[Card]:
        if self._open:
            card = self._open.pop()
            if card.line == number:
                card.note(line_problem(number, "has all of the card on it"))
            yield card
        elif self._outside is not None:
            yield from self._leave_all()
        elif self._unclosed:
            self._unclosed -= 1
        else:
            yield Card(number, problem=_NO_CARD)

    def _leave_all(self) -> Iterator[Card]:
        """Leave the cards without an end, and the text outside of any."""
        for card in reversed(self._open):
            card.note(_NO_END)
            yield card
        self._open.clear()
        if self._outside is not None:
            yield self._outside
            self._outside = None

    def _add(self, number: int, piece: bytes, *, begins: bool) -> None:
        if self._open:
            card = self._open[-1]
        elif self._outside is not None:
            card = self._outside
        elif _is_noise(piece):
            return
        else:
            card = self._outside = Card(number, problem=_NO_CARD)
        if begins:
            card.add(number, piece)
        else:
            card.extend(piece)

    def _add_after(self, number: int, piece: bytes, *, is_begun: bool) -> None:
        """Add what follows a beginning or an end on its line."""
        if is_begun and not _VERSION.fullmatch(piece.strip()):
            self._open[-1].note(line_problem(number, "has more than BEGIN:VCARD on it"))
        for part in _SEVERAL.split(piece.strip()):
            self._add(number, part, begins=True)


def _is_begin(mark: re.Match[bytes]) -> bool:
    return mark[1].upper() == b"BEGIN"


def _find_marks(piece: bytes) -> list[re.Match[bytes]]:
    """Find where cards begin and end in a line; in a text, the words may stand for something."""
    if b"vcard" not in piece.lower():
        return []
    every = [*_MARK.finditer(piece)]
    found: list[re.Match[bytes]] = []
    position = 0
    for index, mark in enumerate(every):
        end = every[index + 1].start() if index + 1 < len(every) else len(piece)
        before, after = piece[position : mark.start()], piece[mark.end() : end]
        if _is_noise(before):
            is_mark = True
        elif not found and before.endswith(_LINE_END):
            # The card of an agent as one text.
            is_mark = False
        elif _is_begin(mark):
            is_mark = _FOLLOWS_BEGIN.match(after) is not None
        else:
            is_mark = _is_noise(after)
        if is_mark:
            found.append(mark)
            position = mark.end()
    return found


def _is_noise(piece: bytes) -> bool:
    """Return whether it has no letter and no digit, so that nothing is lost with it."""
    if not piece:
        return True
    text = piece.replace(rb"\r", b"").replace(_LINE_END, b"").decode("utf-8", "ignore")
    return not any(map(str.isalnum, text))


def _open(source: SourceFile, options: ReadOptions) -> Content:
    text = detect_undeclared(source, options)
    check_has_cards(str(source.path), read_pieces(text))
    decoder = Decoder(
        text.encoding,
        is_given=options.encoding is not None,
        seeks_garbled=options.seeks_garbled,
        is_transcoded=not extends_ascii(text.encoding),
    )
    return Content(
        header=COLUMNS,
        read_rows=lambda: read_rows(read_pieces(text), decoder),
        encoding=text.encoding,
    )


VCARD = Format(
    name="vCard",
    short_names=("vcard", "vcf"),
    options=frozenset({"encoding"}),
    sniff=sniff_text(".vcf", ".vcard", start=_CARD),
    open=_open,
)
"""Cards as phones and address books export them."""
