"""Rows of vCards, 2.1 to 4.0: one for each card, under column names of a contacts export.

A card is cut out here, so that its line number is exact and one that is broken harms no other.
The library ``vobject`` reads the properties in it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...exceptions import ValidationError
from ._encoding import detect_text
from ._extra import import_library
from ._file import SourceFile
from ._format import Content, Format, ReadOptions, has_suffix
from ._row import UNDECODABLE, Problem, Row, is_readable, make_row

COLUMNS = ("First Name", "Last Name", "Phone", "E-mail", "Organization", "Categories")
"""The columns that every vCard file has."""

_LARGEST_CARD = 1 << 24
_BETWEEN = " ::: "
_NO_PHONES = frozenset({"FAX", "PAGER", "MODEM"})

_BEGIN = re.compile(r"BEGIN[ \t]*:[ \t]*VCARD\s*", re.IGNORECASE)
_END = re.compile(r"END[ \t]*:[ \t]*VCARD\s*", re.IGNORECASE)
# In time that grows with the line only, which that of vobject's own expression does not.
_PROPERTY = re.compile(
    r"""(?:[\w-]+\.)? (?P<name>[\w-]+)
    (?: ; [\w-]+ (?: = (?: "[^"]*" | [^",:;]* ) (?: , (?: "[^"]*" | [^",:;]* ) )* )? )*
    ;?:""",
    re.VERBOSE | re.ASCII,
)
# What may be as large as a picture, and is no part of a contact.
_LARGE = re.compile(r"(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:]", re.IGNORECASE | re.ASCII)
_FOLD = re.compile(r"(?<!=)\n[ \t]")

_NO_END = Problem("bad_vcard", "The card has no END:VCARD before the next one, or the file, ends.")
_NO_CARD = Problem("bad_vcard", "From this line on, text stands outside of any card.")
_TOO_LARGE = Problem("bad_vcard", f"The card has more than {_LARGEST_CARD:,} characters.")
_UNREADABLE = Problem("bad_vcard", "The card has a line that is no property of a vCard.")


def load_parser() -> Any:
    """Import the module of vobject that reads properties.

    Raises:
        ConfigurationError: If vobject is not installed.
    """
    return import_library("vobject.base")


def check_has_cards(name: str, lines: Iterable[str]) -> None:
    """Check that this is a vCard file.

    Raises:
        ValidationError: If no card begins in it.
    """
    if not any(map(_BEGIN.fullmatch, lines)):
        raise ValidationError(
            f"{name} has no vCard in it. Export the contacts as vCard, or rename the file if it "
            "is CSV.",
            field="path",
        )


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Read a row from each card, and one from each stretch of text outside of any card."""
    parser = load_parser()
    for number, text, problem in _split_cards(lines):
        cells: list[str] = [""] * len(COLUMNS)
        if problem is None:
            try:
                cells = _Card(parser, text).cells()
            except Exception:
                # A parser of somebody else's, on any input: there is no telling what it raises.
                problem = _UNREADABLE if is_readable(text) else UNDECODABLE
        yield make_row(number, cells, problem)


def _split_cards(lines: Iterable[str]) -> Iterator[tuple[int, str, Problem | None]]:
    """Split the file into cards: the first line of each and its text, or why it is none.

    Pictures and the like are left out, so that none has to fit into memory.
    """
    begun = size = 0
    leaving_out = False
    kept: list[str] = []
    problem: Problem | None = None
    for number, line in enumerate(lines, 1):
        if _BEGIN.fullmatch(line):
            if begun:
                yield begun, "", problem or _NO_END
            begun, size, problem = number, 0, None
            leaving_out = False
            kept.clear()
        elif _END.fullmatch(line):
            yield begun or number, "".join(kept), problem if begun else _NO_CARD
            begun = 0
        elif begun:
            # A line that continues a picture is as little wanted; after a soft line break, what
            # looks like one is text.
            leaving_out = (
                leaving_out
                if line.startswith((" ", "\t"))
                else _LARGE.match(line) is not None and not "".join(kept[-1:]).endswith("=\n")
            )
            if leaving_out:
                continue
            size += len(line)
            if size > _LARGEST_CARD:
                problem = problem or _TOO_LARGE
            if problem is None:
                kept.append(line.rstrip("\r\n") + "\n")
        elif not line.isspace():
            begun, problem = number, _NO_CARD
    if begun:
        yield begun, "", problem or _NO_END


class _Card:
    """The properties of one card."""

    def __init__(self, parser: Any, text: str) -> None:
        self._properties: dict[str, list[Any]] = {}
        unfolded = io.StringIO(_FOLD.sub("", text))
        for line, _ in parser.getLogicalLines(unfolded, allowQP=True):
            head = _PROPERTY.match(line)
            if head is None:
                raise ValueError
            name = head["name"].upper()
            if name in {"VERSION", "N", "FN", "TEL", "EMAIL", "ORG", "CATEGORIES"}:
                # vobject knows the names of encodings and types in capital letters only.
                whole = head[0].upper() + line[head.end() :]
                found = parser.textLineToContentLine(whole)
                if name != "TEL" or _NO_PHONES.isdisjoint(_phone_types(found)):
                    self._properties.setdefault(name, []).append(found)
        version = self._properties.get("VERSION")
        self._lists = not version or version[0].value.strip() != "2.1"

    def cells(self) -> list[str]:
        """Make a cell for each column."""
        first, last = self._find_name()
        organization = [_split_at(value, ";")[0] for value in self._find_values("ORG")[:1]]
        categories = [
            part for value in self._find_values("CATEGORIES") for part in _split_at(value, ",")
        ]
        return [
            first,
            last,
            _join(re.sub(r"^\s*tel:", "", phone, flags=re.I) for phone in self._find_values("TEL")),
            _join(self._find_values("EMAIL")),
            _join(organization),
            _join(categories),
        ]

    def _find_values(self, name: str) -> list[str]:
        """Return the values of a property as they stand in the card, the likeliest first."""
        return [found.value for found in sorted(self._properties.get(name, []), key=_rank)]

    def _find_name(self) -> tuple[str, str]:
        for value in self._find_values("N"):
            last, first, *_ = (self._parse_names(part) for part in [*_split_at(value, ";"), ""])
            if first or last:
                return first, last
        for value in self._find_values("FN"):
            first, _, last = _unescape(value).rpartition(" ")
            return (first.rstrip(), last) if first else (last, "")
        return "", ""

    def _parse_names(self, part: str) -> str:
        """Parse a list of names, as it is since version 3.0; before, a comma is a comma."""
        return (
            " ".join(map(_unescape, _split_at(part, ","))).strip()
            if self._lists
            else _unescape(part)
        )


def _phone_types(found: Any) -> list[str]:
    given: list[str] = [*found.params.get("TYPE", []), *found.singletonparams]
    return ",".join(given).split(",")


def _rank(found: Any) -> tuple[int, bool]:
    """Rank a value from 1, the best, to 100, as version 4.0 does, 101 for none; mobiles first."""
    types = _phone_types(found)
    numbers = [int(rank) for rank in found.params.get("PREF", []) if rank.isdecimal()]
    return min([*numbers, 1 if "PREF" in types else 101]), "CELL" not in types


def _split_at(value: str, separator: str) -> list[str]:
    """Split at those separators that no backslash stands before."""
    return re.findall(rf"(?:^|{separator})((?:[^{separator}\\]|\\.|\\\Z)*)", value, re.DOTALL)


def _unescape(value: str) -> str:
    """Remove the backslashes that escape what follows them."""
    plain = re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value, flags=re.DOTALL)
    return plain.strip()


def _join(values: Iterable[str]) -> str:
    return _BETWEEN.join(filter(None, map(_unescape, values)))


def _open(source: SourceFile, options: ReadOptions) -> Content:
    load_parser()
    text = detect_text(source, options.encoding)
    check_has_cards(str(source.path), text.lines())
    return Content(
        header=COLUMNS,
        read_rows=lambda: read_rows(text.lines()),
        encoding=text.encoding,
    )


VCARD = Format(
    name="vCard",
    options=frozenset({"encoding"}),
    sniff=has_suffix(".vcf", ".vcard"),
    open=_open,
)
"""Cards as phones and address books export them."""
