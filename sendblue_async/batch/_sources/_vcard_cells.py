"""What a card says of its contact, as cells under the column names of a contacts export."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from ._garbled import BROKEN
from ._names import split_name
from ._row import REPLACEMENT, Problem
from ._vcard_card import Card
from ._vcard_property import Decoder, Property, line_problem

COLUMNS = ("First Name", "Last Name", "Phone", "E-mail", "Organization", "Categories")
"""The columns that every vCard file has."""

_BETWEEN = " ::: "
_NO_PHONES = re.compile("FAX|PAGER|MODEM|BBS|TELEX|ФАКС|传真|傳真|ファックス|TÉLÉCOP")
_MOBILES = re.compile(
    "CELL|MOBI|IPHONE|HANDY|^PCS$|M[ÓO]VIL|PORTABLE|МОБ|携帯|手机|手機|휴대", re.MULTILINE
)
# How Google names its own groups here, and how in CSV, where no name of a user looks like it.
_OWN_GROUPS = {name: f"* {name}" for name in ("myContacts", "starred")}
# Another property in the value of one, before which a line end is lost; in capitals, as all
# programs write it, and in a name more is taken for one than in a tag such as "REGION:EU".
_ALL = rb"ADR|BDAY|CATEGORIES|EMAIL|FN|N|NOTE|ORG|REV|TEL|TITLE|UID|URL|VERSION"
_GLUED = re.compile(rb"(?<![A-Z])(?:%b)(?:;[^:]*)?:|TEL(?:;[^:]*)?:\s*[+(\d]" % _ALL)
_GLUED_TO_NAME = re.compile(rb"(?:%b|X-[\w-]+|\.[\w-]+)(?:;[^:]*)?:(?!\s)|PHOTO;[^:]*:" % _ALL)
_GLUED_PHONE = re.compile(rb"TEL(?:;[^:]*)?:\s*([+(\d][\d ().-]*)")
# What a property holds that is not whole.
_NUMBER = re.compile(rb"[+(\d][\d ().+/-]{4,}$")
_NAME = re.compile(rb"[^\s:;=].*$", re.DOTALL)
_URI = re.compile(rb"\s*tel:", re.IGNORECASE)
_UNDECLARED_QUOTES = re.compile(r"=[0-9A-F]{2}=[0-9A-F]{2}")
_ONCE = {"VERSION": "second version", "N": "second name", "FN": "second full name"}

_GROUP = Problem("not_a_contact", "The card is a group of contacts, not a contact.")


def make_cells(card: Card, decoder: Decoder) -> tuple[list[str], Problem | None]:
    """Make a cell for each column, and say why the card cannot be used, if it cannot.

    The number of such a card is marked, so that it is rejected until somebody has looked at it.
    """
    reading = _Reading(card, decoder)
    cells = reading.cells()
    if card.problem is not None:
        cells[COLUMNS.index("Phone")] = REPLACEMENT + cells[COLUMNS.index("Phone")]
    return cells, card.problem


class _Reading:
    """A card that is read."""

    def __init__(self, card: Card, decoder: Decoder) -> None:
        self._card = card
        self._decoder = decoder
        self._properties: dict[str, list[Property]] = {}
        for each in card.properties:
            self._properties.setdefault(each.name, []).append(each)
        self._labels = {
            each.head.group: self._text(each).upper()
            for each in self._properties.get("X-ABLABEL", [])
            if each.head.group
        }
        self._has_lists = self._first("VERSION").strip() != "2.1"
        self._is_by_apple = "APPLE" in self._first("PRODID").upper()

    def cells(self) -> list[str]:
        """Make a cell for each column; what is wrong is noted on the card."""
        self._check_is_one()
        if any(
            self._first(name).strip().upper() == "GROUP"
            for name in ("KIND", "X-ADDRESSBOOKSERVER-KIND")
        ):
            self._card.note(_GROUP)
        phones = [*self._phones()]
        organization = [_split_at(value, ";")[0] for value in self._texts("ORG")[:1]]
        first, last, company = self._find_name(phones, _join(organization))
        return [
            first,
            last,
            _join([*phones, *self._find_glued_phones(), *self._find_fragments("TEL", _NUMBER)]),
            _join(self._texts("EMAIL")),
            company,
            self._join_categories(),
        ]

    def _check_is_one(self) -> None:
        """Check that this is not two cards, of which an end and a beginning are lost."""
        for name, what in _ONCE.items():
            found = self._properties.get(name, [])
            for each in found[1:]:
                if name == "VERSION" or (
                    each.value.strip() != found[0].value.strip() and not each.is_marked
                ):
                    problem = line_problem(each.line, f"has a {what}, as if it were another card's")
                    self._card.note(problem)

    def _find_glued_phones(self) -> Iterator[str]:
        """Find the numbers in values of other properties, which is a problem of the card."""
        for each in self._card.properties:
            if b":" not in each.value:
                continue
            start = _find_start(each)
            if _GLUED.search(each.value, start) or (
                each.name in {"FN", "N"} and _GLUED_TO_NAME.search(each.value)
            ):
                self._card.note(line_problem(each.line, "has another property in its value"))
                for phone in _GLUED_PHONE.finditer(each.value, start):
                    yield phone[1].decode()

    def _find_fragments(self, name: str, wanted: re.Pattern[bytes]) -> Iterator[str]:
        """Find what a property holds that is not whole, which is a problem of the card."""
        for fragment, text in self._card.fragments:
            if fragment == name and (found := wanted.search(text.strip())):
                yield found[0].decode("utf-8", "replace")

    def _text(self, each: Property) -> str:
        text = self._decoder.decode(each)
        if isinstance(text, Problem):
            self._card.note(text)
            return each.value.decode("ascii", "replace").replace("\0", BROKEN)
        return text

    def _texts(self, name: str) -> list[str]:
        """Return the values of a property as they stand in the card, the likeliest first."""
        found = sorted(self._properties.get(name, []), key=_rank)
        return [self._text(each) for each in found]

    def _first(self, name: str) -> str:
        found = self._properties.get(name)
        return self._text(found[0]) if found else ""

    def _phones(self) -> Iterator[str]:
        """Iterate over the numbers that are no faxes: the preferred one first, then mobiles."""
        ranked: list[tuple[tuple[int, ...], str]] = []
        for each in self._properties.get("TEL", []):
            kind = "\n".join([*each.types, self._labels.get(each.head.group, "")])
            if _NO_PHONES.search(kind):
                continue
            text = self._text(each)
            if re.match(r"\s*tel:", text, re.IGNORECASE):
                text = unquote(text.partition(":")[2])
            is_other = _MOBILES.search(kind) is None
            # Apple marks whichever number stands first.
            rank = (is_other, _rank(each)) if self._is_by_apple else (_rank(each), is_other)
            ranked.append((rank, text))
        return (text for _, text in sorted(ranked, key=lambda pair: pair[0]))

    def _find_name(self, phones: list[str], organization: str) -> tuple[str, str, str]:
        """Find first name, last name and company."""
        for each in sorted(self._properties.get("N", []), key=_rank):
            value = self._name_text(each)
            last, first, *_ = (self._parse_names(part) for part in [*_split_at(value, ";"), ""])
            if first or last:
                return _on_one_line(first), _on_one_line(last), organization
        is_company = self._first("X-ABSHOWAS").strip().upper() == "COMPANY" or (
            self._first("KIND").strip().upper() == "ORG"
        )
        numbers = {re.sub(r"\D", "", phone) for phone in phones} - {""}
        for each in sorted(self._properties.get("FN", []), key=_rank):
            name = _unescape(self._name_text(each))
            if not name or re.sub(r"[\s+().-]", "", name) in numbers:
                continue
            if is_company or name == organization:
                return "", "", organization or name
            return *split_name(name), organization
        if self._card.problem is not None:
            for broken in self._find_fragments("FN", _NAME):
                return *split_name(broken), organization
        return *self._find_nickname(), "", organization

    def _find_nickname(self) -> tuple[str]:
        for value in self._texts("NICKNAME"):
            if nickname := self._parse_names(value):
                return (nickname,)
        return ("",)

    def _name_text(self, each: Property) -> str:
        text = self._text(each)
        if each.may_end_early:
            self._card.note(line_problem(each.line, "has a parameter that may end too early"))
        if each.encoding != "Q" and "=" in text and _UNDECLARED_QUOTES.search(text):
            self._card.note(line_problem(each.line, "is quoted-printable, which it does not say"))
        return text

    def _parse_names(self, part: str) -> str:
        """Parse a list of names, as it is since version 3.0; before, a comma is a comma."""
        return (
            " ".join(map(_unescape, _split_at(part, ","))).strip()
            if self._has_lists
            else _unescape(part)
        )

    def _join_categories(self) -> str:
        found: list[str] = []
        for value in self._texts("CATEGORIES"):
            parts = _split_at(value, ",")
            found += _split_at(value, ";") if len(parts) == 1 else parts
        names = [*filter(None, map(_unescape, found))]
        cell = _BETWEEN.join(_OWN_GROUPS.get(name, name) for name in names)
        # A comma in the only one separates nothing.
        return cell + _BETWEEN if len(names) == 1 and re.search("[,;]", cell) else cell


def _on_one_line(name: str) -> str:
    return " ".join(name.split()) if "\n" in name else name


def _find_start(each: Property) -> int:
    """Find where the value begins after the scheme of a URI."""
    return each.value.index(b":") + 1 if _URI.match(each.value) else 0


def _rank(each: Property) -> int:
    """Rank a value from 1, the best, to 100, as version 4.0 does, 101 for none."""
    rank = 101 if each.rank is None else each.rank
    return min(rank, 1) if "PREF" in each.types else rank


def _split_at(value: str, separator: str) -> list[str]:
    """Split at those separators that no backslash stands before."""
    if separator not in value:
        return [value]
    if "\\" not in value:
        return value.split(separator)
    return re.findall(rf"(?:^|{separator})((?:[^{separator}\\]|\\.|\\\Z)*)", value, re.DOTALL)


def _unescape(value: str) -> str:
    """Remove the backslashes that escape what follows them."""
    if "\\" not in value:
        return value.strip()
    plain = re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value, flags=re.DOTALL)
    return plain.strip()


def _join(values: Iterable[str]) -> str:
    return _BETWEEN.join(filter(None, map(_unescape, values)))
