"""Countries as exports name them: by ISO code, calling code or name in many languages."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import frozen

from ..._phone_numbers import simplify_number
from .._sources._extra import import_library

_CALLING_CODE = re.compile(r"\(?(?:\+|00 ?)?\(?(?P<digits>\d{1,3})(?:[- ]?\d{3,4})?\)?(?:\.0)?")
_SIGN = re.compile("[-()/|,;\u2013]")
# What stands for "not available" more often than for Namibia.
_MISSING = "na"
# The letters with which flags are drawn.
_FLAG_A = 0x1F1E6
_FLAG = re.compile(f"[{chr(_FLAG_A)}-{chr(_FLAG_A + 25)}]{{2}}")


@frozen
class Country:
    """The country of a row.

    Attributes:
        region: Its two-letter code, or the first one that has its calling code.
        calling_code: The calling code, if it is given by that.
    """

    region: str
    calling_code: int | None = None


@lru_cache(maxsize=4096)
def find_country(text: str) -> Country | None:
    """Find the country that a cell names, such as ``"UK"``, ``"DEU"``, ``"+44"`` or ``"US (+1)"``.

    Returns:
        The country, or ``None`` if there is none of that name.
    """
    text = simplify_number(_FLAG.sub(_read_flag, text)).strip()
    code = _CALLING_CODE.search(text)
    if code is None:
        region = _find_region(text)
        return None if region is None else Country(region)
    calling_code = int(code["digits"])
    others = _library().COUNTRY_CODE_TO_REGION_CODE.get(calling_code, ())
    name = text[: code.start()] + text[code.end() :]
    region = _find_region(name) if _normalize(name) else next(iter(others), None)
    if region is None or region == "001" or region not in others:
        return None
    return Country(region, calling_code)


def _find_region(name: str) -> str | None:
    """Find a region by a name, or by several that agree, such as ``"DE - Germany"``."""
    whole = _normalize(name)
    # "I/T" is no code.
    if whole in _regions() and (len(whole) > 3 or not _SIGN.search(name.strip("()- "))):
        return _regions()[whole]
    parts = filter(None, map(_normalize, _SIGN.split(name)))
    found = {_regions().get(part) for part in parts}
    return found.pop() if len(found) == 1 else None


def _read_flag(match: re.Match[str]) -> str:
    # Its name may stand beside it.
    code = "".join(chr(ord("A") + ord(letter) - _FLAG_A) for letter in match[0])
    return f"-{code}-"


def _library() -> Any:
    return import_library("phonenumbers")


@lru_cache(maxsize=1)
def _regions() -> dict[str, str]:
    """The two-letter codes by all names."""
    file = Path(__file__).with_name("countries.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    regions = {
        _normalize(name): region
        for region, names in document["regions"].items()
        if region in _library().SUPPORTED_REGIONS
        for name in (region, *names.split("|"))
    }
    del regions[_MISSING]
    return regions


def _normalize(name: str) -> str:
    """Leave out accents, spaces and signs, which are often lost."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalpha())
