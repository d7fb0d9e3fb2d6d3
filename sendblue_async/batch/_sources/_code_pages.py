"""Which of the old code pages a file may be in, for somebody who can tell by what it says."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from ...exceptions import ValidationError
from ._file import SourceFile

_SHOWN_READINGS = 5
_SHOWN_CELLS = 2
_JUDGED_CELLS = 100

_WESTERN = ["àâæçéèêëïîôœùûüÿñ", "äöüß", "áéíóúñü", "ãõáàâéêíóôúç", "àèéìòù", "åäöéæø"]
_CENTRAL = "áčďéěíňóřšťúůýž ąćęłńóśźż áéíóöőúüű ăâîşţ čćđšž áäčďéíĺľňóôŕšťúýž äöüß".split()  # noqa: SIM905
_TURKISH = ["çğıöşüâîû"]
# Encodings that write letters as ASCII, between signs that say so.
_ESCAPED = {
    "iso2022_jp_2": re.compile(rb"\x1b\$(?:[@AB]|\([CD])[!-~]+\x1b\([BJ]"),
    "iso2022_kr": re.compile(rb"\x1b\$\)C[^\x0f]*\x0e[!-~]+\x0f"),
    "hz": re.compile(rb"~\{(?:[!-w][!-~])+~\}"),
}
# By the names that Python has for them: what they are, and the letters of the languages for which
# people used them, where those are Latin.
_CODE_PAGES: dict[str, tuple[str, Sequence[str]]] = {
    "cp1252": ("Western, Windows", _WESTERN),
    "cp1250": ("Central European, Windows", _CENTRAL),
    "cp1251": ("Cyrillic, Windows", ()),
    "cp1254": ("Turkish, Windows", _TURKISH),
    "cp1253": ("Greek, Windows", ()),
    "cp1255": ("Hebrew, Windows", ()),
    "cp1256": ("Arabic, Windows", ()),
    "cp1257": ("Baltic, Windows", ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž")),
    "cp874": ("Thai", ()),
    "cp932": ("Japanese, Shift-JIS", ()),
    "euc_jp": ("Japanese, EUC-JP", ()),
    "gb18030": ("Chinese, simplified", ()),
    "big5": ("Chinese, traditional", ()),
    "euc_kr": ("Korean, EUC-KR", ()),
    "mac_roman": ("Western, Mac", _WESTERN),
    "cp850": ("Western, DOS", _WESTERN),
    "cp437": ("American, DOS", _WESTERN),
    "iso8859_15": ("Western, ISO", _WESTERN),
    "iso8859_2": ("Central European, ISO", _CENTRAL),
    "cp852": ("Central European, DOS", _CENTRAL),
    "mac_latin2": ("Central European, Mac", _CENTRAL),
    "koi8_r": ("Russian, KOI8-R", ()),
    "iso8859_5": ("Cyrillic, ISO", ()),
    "cp866": ("Russian, DOS", ()),
    "mac_cyrillic": ("Cyrillic, Mac", ()),
    "iso8859_7": ("Greek, ISO", ()),
    "iso8859_9": ("Turkish, ISO", _TURKISH),
}
_WORD = re.compile(r"\w+")
_CELL = re.compile(rb'[^,;\t"\r\n]*[\x80-\xff][^,;\t"\r\n]*')
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "IDEOGRAPHIC"}


def unknown_encoding_error(
    source: SourceFile, lines: Iterable[bytes], *, mixed: bool
) -> ValidationError:
    """Make the error of a file that is neither UTF-8 nor plainly Western.

    Args:
        source: The file.
        lines: Some of its lines that are not valid UTF-8.
        mixed: Whether fewer others are.
    """
    cells = list(dict.fromkeys(cell.strip() for line in lines for cell in _CELL.findall(line)))
    readings = _rank_readings(cells[:_JUDGED_CELLS])
    shown = "; ".join(
        f"{' or '.join(names)} ({_CODE_PAGES[names[0]][0]}): "
        + ", ".join(repr(cell) for cell in text.split("\n")[:_SHOWN_CELLS])
        for text, names in readings[:_SHOWN_READINGS]
    )
    what = (
        "has some lines in UTF-8, and more in another encoding"
        if mixed
        else "is neither UTF-8 nor plainly Western (Windows-1252)"
    )
    return ValidationError(
        f"{source.path} {what}. What stands there in the likely encodings: {shown}. Name the one "
        "in which that is right, with encoding=NAME, or export the contacts in UTF-8.",
        field="encoding",
    )


def may_be_escaped(content: bytes | bytearray) -> bool:
    """Tell whether letters may be written as ASCII there."""
    return b"\x1b$" in content or b"~{" in content


def check_escapes(source: SourceFile, content: bytes) -> None:
    """Check that some of the file is not in an encoding that writes letters as ASCII.

    Raises:
        ValidationError: If it is.
    """
    if not may_be_escaped(content):
        return
    for name, escaped in _ESCAPED.items():
        found = escaped.search(content)
        if found is not None and (text := _decode_escaped(found[0], name)):
            raise ValidationError(
                f"{source.path} is in {name} and says {text[:20]!r} in it. If that is right, read "
                f"it with encoding={name!r}, or export the contacts in UTF-8.",
                field="encoding",
            )


def _decode_escaped(content: bytes, name: str) -> str:
    try:
        return content.decode(name)
    except UnicodeDecodeError:
        return ""


def doubts_western(lines: Iterable[bytes]) -> bool:
    """Ask chardet, where it is installed, whether the lines say something else in its opinion."""
    content = b"\n".join(cell for line in lines for cell in _CELL.findall(line))
    names = _ask_chardet(content)
    return bool(names) and content.decode(names[0], "replace") != content.decode(
        "cp1252", "replace"
    )


def _rank_readings(cells: Sequence[bytes]) -> list[tuple[str, list[str]]]:
    """Read the cells in each encoding: the text and the names of those that give it, best first."""
    content = b"\n".join(cells)
    asked = _ask_chardet(content)
    readings: dict[str, list[str]] = {}
    scores: dict[str, tuple[float, int]] = {}
    for name in _CODE_PAGES:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        readings.setdefault(text, []).append(name)
        opinion = -asked.index(name) if name in asked else -len(_CODE_PAGES)
        score = _score(text, _CODE_PAGES[name][1]), opinion
        scores[text] = max(scores.get(text, score), score)
    return sorted(readings.items(), key=lambda reading: scores[reading[0]], reverse=True)


def _score(text: str, alphabets: Sequence[str]) -> float:
    """Tell how much of a text consists of words that people write, from 0 to 1."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    signs = sum(not char.isascii() and not char.isprintable() for char in text)
    signs += sum(not char.isascii() for char in _WORD.sub("", text))
    return sum(_score_word(word, alphabets) for word in words) / (len(words) + signs or 1)


def _score_word(word: str, alphabets: Sequence[str]) -> float:
    letters = [char for char in word if not char.isascii()]
    scripts = {unicodedata.name(char, "?").split()[0] for char in word}
    if scripts <= _EAST_ASIAN:
        # Few names have rare characters; in the wrong encoding, most are.
        common = sum(_is_common(char) for char in word)
        return 0.2 + 0.75 * common / len(word)
    if len(scripts) > 1:
        return 0.0
    if word.upper() != word and word[1:] != word[1:].lower():
        return 0.1
    if scripts != {"LATIN"}:
        return 0.9 if word[0] != word[0].lower() or word.lower() == word.upper() else 0.5
    lower = {char.lower() for char in letters} - {"i̇"}
    if len(letters) * 2 > len(word):
        return 0.2
    return 1.0 if any(lower <= set(alphabet) for alphabet in alphabets) else 0.3


def _is_common(char: str) -> bool:
    """Tell whether a sign is one of the common ones: the first part of each national standard."""
    if "\u3040" <= char <= "\u30ff" or "\uac00" <= char <= "\ud7a3":
        return True
    try:
        return char.encode("gb2312")[0] < 0xD8
    except UnicodeEncodeError:
        return len(char.encode("big5", "ignore")) == 2 and char.encode("big5")[0] < 0xC7


def _ask_chardet(content: bytes) -> list[str]:
    """Ask chardet for the encodings that may be meant, the likeliest first."""
    try:
        chardet: Any = importlib.import_module("chardet")
    except ImportError:
        return []
    if int(chardet.__version__.partition(".")[0]) < 7:
        return []
    found = [answer["encoding"] for answer in chardet.detect_all(content, prefer_superset=True)]
    known = {_plain(name): name for name in _CODE_PAGES}
    return [known[_plain(name)] for name in found if name and _plain(name) in known]


def _plain(name: str) -> str:
    plain = re.sub(r"[\W_]", "", name.lower()).replace("windows", "cp")
    return {"shiftjis": "cp932", "cp949": "euckr"}.get(plain, plain)
