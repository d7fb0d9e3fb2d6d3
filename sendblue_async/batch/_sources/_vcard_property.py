"""One property of a vCard: what stands before its colon, and its value as text."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import evolve, frozen

from ...exceptions import ConfigurationError
from ._encoding import check_encoding
from ._garbled import BROKEN, is_garbled
from ._row import Problem
from ._vcard_lines import extends_ascii

_NAME = re.compile(rb"(?:(?P<group>[\w-]+)\.)?(?P<name>[A-Za-z][\w-]*)", re.ASCII)
# X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=46=61=78): a label of a phone, in its type.
_LABEL = re.compile(r"[\w-]+\((?:CHARSET=[^,]*,|ENCODING=[^,]*,)*(.*?)\)?", re.IGNORECASE | re.S)
_SOFT_BREAK = re.compile(rb"=[ \t]*\n")
_SOFT_BREAK_AND_FOLD = re.compile(rb"=[ \t]*\n[ \t]?")
_BROKEN_QUOTE = re.compile(rb"=(?![0-9A-Fa-f]{2})")
_NOT_LATIN = re.compile(rb"[\x80-\x9f]")
# Codecs of Python that are no charset of text in a file.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})
# What people write who say the one: the other has all of it, and more.
_WIDER = {
    "big5": "cp950",
    "euc_jp": "euc_jisx0213",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
}
_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15"})
_ENCODINGS = {"QUOTED-PRINTABLE": "Q", "Q": "Q", "BASE64": "B", "B": "B", "8BIT": "", "7BIT": ""}
_KNOWN_PARAMETERS = frozenset({
    "ALTID", "CHARSET", "ENCODING", "LANGUAGE", "MEDIATYPE", "PID", "PREF", "SORT-AS", "TYPE",
    "VALUE",
})  # fmt: skip

_LONGEST_USUAL = 100


@frozen
class Head:
    """What stands before the colon.

    Attributes:
        name: The name in capital letters.
        group: What ties properties together, such as ``item1``, or ``""``.
        parameters: The parameters as they stand there.
        size: How many bytes it has, with the colon.
        in_capitals: Whether the name is in capital letters.
    """

    name: str
    group: str
    parameters: tuple[str, ...]
    size: int
    in_capitals: bool

    @property
    def is_quoted(self) -> bool:
        """Whether the value may be in quoted-printable, where a ``=`` continues a line."""
        return any("QUOTED-PRINTABLE" in each.upper() for each in self.parameters)


@frozen
class Property:
    """A property.

    Attributes:
        head: What stands before the colon.
        value: The bytes of its value, unfolded but for soft line breaks.
        line: The line on which it begins.
        types: The types of a phone and the like, and its label, in capital letters.
        encoding: ``"Q"`` for quoted-printable, ``"B"`` for Base64, ``""`` for none.
        charset: The charset that it declares, if it does.
        rank: Its ``PREF`` of version 4.0, if it has one.
        is_marked: Whether it is one of several in languages or of one name, as version 4.0 marks.
        may_end_early: Whether the colon may belong to a parameter that nobody knows.
    """

    head: Head
    value: bytes
    line: int
    types: tuple[str, ...]
    encoding: str | None
    charset: str | None
    rank: int | None
    is_marked: bool
    may_end_early: bool

    @property
    def name(self) -> str:
        """The name in capital letters."""
        return self.head.name


def parse_head(line: bytes) -> Head | None:
    """Parse what stands before the colon; return ``None`` if this is no property."""
    before, colon, _ = line.partition(b":")
    if not colon:
        return None
    if b'"' in before or b"(" in before:
        return _parse_parts(_split_head(line))
    # The cards of a file have much the same heads.
    parse = _parse_usual_head if len(before) <= _LONGEST_USUAL else _parse_usual_head.__wrapped__
    return parse(bytes(before))


@lru_cache(maxsize=1024)
def _parse_usual_head(before: bytes) -> Head | None:
    return _parse_parts(before.split(b";"))


def _parse_parts(parts: Sequence[bytes]) -> Head | None:
    match = _NAME.fullmatch(parts[0].strip()) if parts else None
    if match is None:
        return None
    name = match["name"].decode()
    return Head(
        name=name.upper().replace("_", "-"),
        group=(match["group"] or b"").decode().upper(),
        parameters=tuple(each.decode("utf-8", "replace").strip() for each in parts[1:]),
        size=sum(map(len, parts)) + len(parts),
        in_capitals=name.isupper(),
    )


def _split_head(line: bytes) -> list[bytes]:
    """Split at semicolons up to the colon, none of which is in quotes or parentheses."""
    parts, start, until = [], 0, b""
    last = line.rfind(b")")
    for position in range(len(line)):
        sign = line[position : position + 1]
        if until:
            until = b"" if sign == until else until
        elif sign in (b";", b":"):
            parts.append(line[start:position])
            start = position + 1
            if sign == b":":
                return parts
        elif sign == b'"' or (sign == b"(" and position < last):
            until = b'"' if sign == b'"' else b")"
    return []


def make_property(head: Head, value: bytes, line: int) -> Property:
    """Make a property, of which the parameters are read."""
    parameters = _read_parameters(head.parameters)
    return Property(
        head=head,
        value=value,
        line=line,
        types=parameters.types,
        encoding=parameters.encoding,
        charset=parameters.charset,
        rank=parameters.rank,
        is_marked=parameters.is_marked,
        may_end_early=parameters.may_end_early and b":" in value,
    )


@frozen
class _Parameters:
    """What parameters say of their property, as :class:`Property` has it."""

    types: tuple[str, ...]
    encoding: str | None
    charset: str | None
    rank: int | None
    is_marked: bool
    may_end_early: bool


@lru_cache(maxsize=256)
def _read_parameters(parameters: tuple[str, ...]) -> _Parameters:
    types: list[str] = []
    encoding: str | None = ""
    charset = rank = None
    is_marked = may_end_early = False
    for parameter in parameters:
        key, equals, given = parameter.partition("=")
        key, given = key.strip().upper(), given.strip().strip('"')
        if "(" in key:
            types += [key.partition("(")[0], _read_label(parameter).upper()]
        elif not equals:
            if key in _ENCODINGS:
                encoding = _ENCODINGS[key]
            else:
                types.append(key)
        elif key == "CHARSET":
            charset = given
        elif key == "ENCODING":
            encoding = _ENCODINGS.get(given.upper())
        elif key == "TYPE":
            types += [each.strip(' "') for each in given.upper().split(",")]
        elif key == "PREF":
            rank = int(given) if given.isdecimal() and len(given) < 4 else None
        is_marked |= key in {"ALTID", "LANGUAGE", "PREF"}
        # Of the last one that has a value only; those before it end at a semicolon.
        may_end_early = bool(equals) and key not in _KNOWN_PARAMETERS and "(" not in key
    return _Parameters(tuple(types), encoding, charset, rank, is_marked, may_end_early)


def _read_label(parameter: str) -> str:
    label = _LABEL.fullmatch(parameter)
    if label is None:
        return parameter
    if "QUOTED-PRINTABLE" not in parameter.upper():
        return label[1]
    return binascii.a2b_qp(label[1].encode("ascii", "ignore")).decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _find_codec(charset: str) -> str | None:
    """Find the codec of a charset, or ``None`` if Python knows none of text."""
    try:
        codec = check_encoding(charset)
    except ConfigurationError:
        return None
    return None if codec in _NO_CHARSETS else codec


@frozen
class Decoder:
    """How values are made text.

    Attributes:
        encoding: The encoding of what declares no charset.
        is_given: Whether it was given, and not detected.
        seeks_garbled: Whether a value that was decoded wrongly before is taken for none.
        is_transcoded: Whether the bytes are UTF-8, whatever a property declares.
        strip_folds: Whether the space that a line begins with after a soft break is no text.
    """

    encoding: str
    is_given: bool = False
    seeks_garbled: bool = True
    is_transcoded: bool = False
    strip_folds: bool = True

    def for_breaks(self, *, is_spaced: bool) -> Decoder:
        """Return the decoder for a card in which all lines after a soft break are so."""
        return self if is_spaced == self.strip_folds else evolve(self, strip_folds=is_spaced)

    def decode(self, each: Property) -> str | Problem:
        """Decode a value, with :data:`BROKEN` in it for what is no text; or say why it cannot be.

        A problem names the line, and shows nothing of what stands there.
        """
        value = each.value
        if each.encoding is None:
            return line_problem(each.line, "is in an encoding that no vCard has")
        if each.encoding == "Q":
            value = (_SOFT_BREAK_AND_FOLD if self.strip_folds else _SOFT_BREAK).sub(b"", value)
            if _BROKEN_QUOTE.search(value):
                return line_problem(each.line, "is not whole quoted-printable")
            value = binascii.a2b_qp(value)
        elif each.encoding == "B":
            try:
                value = base64.b64decode(b"".join(value.split()), validate=True)
            except binascii.Error:
                return line_problem(each.line, "is not whole Base64")
        return self._decode_bytes(each, value)

    def _decode_bytes(self, each: Property, value: bytes) -> str | Problem:
        is_raw = not each.encoding
        if value.isascii() and b"\0" not in value and not each.charset:
            return value.decode()
        if each.charset is None or (is_raw and self.is_transcoded):
            is_utf8 = self.is_transcoded or (not is_raw and _try_decode(value, "utf-8") is not None)
            found = _decode_marking(value, "utf-8" if is_utf8 else self.encoding)
        else:
            codec = _find_codec(each.charset)
            if codec is None or (is_raw and not extends_ascii(codec)):
                return line_problem(each.line, "is in a charset that is not known")
            if codec in _WESTERN and not value.isascii() and _try_decode(value, "utf-8"):
                return line_problem(each.line, "declares another charset than it is in")
            if codec == "iso8859-1" and _NOT_LATIN.search(value):
                codec = "cp1252"
            text = _try_decode(value, codec)
            if text is None and codec in _WIDER:
                text = _try_decode(value, _WIDER[codec])
            if text is None and self.is_given:
                text = _try_decode(value, self.encoding)
            found = _decode_marking(value, codec) if text is None else text
        if self.seeks_garbled and is_garbled(found):
            found = BROKEN + found
        return found.replace("\0", BROKEN)


def _try_decode(value: bytes, encoding: str) -> str | None:
    try:
        return value.decode(encoding)
    except UnicodeError:
        return None


def _decode_marking(value: bytes, encoding: str) -> str:
    try:
        return codecs.decode(value, encoding, "sendblue_async.mark")
    except UnicodeError:
        return BROKEN


def line_problem(line: int, what: str) -> Problem:
    """Make the problem of a card with such a line."""
    return Problem("bad_vcard", f"Line {line} {what}.")
