"""The phone numbers in a cell, of which there can be several."""

from __future__ import annotations

import re
from collections.abc import Callable

from .._sources._row import Problem
from ._countries import Country, find_country
from ._phone_numbers import SPREADSHEET_NUMBER, parse_phone_number

Parse = Callable[[str], "str | Problem"]

# Most cells are like this: no sign in them stands between two numbers.
_ONE_NUMBER = re.compile(r"\+?[0-9 ().-]*")
_LIST = re.compile(r"\s*(?:\[(.*)\]|\{(.*)\}|\((['\"].*)\))\s*", re.DOTALL)
# How spreadsheets show a number as an amount: 2,015,550,101.
_AMOUNT = re.compile(r"\s*\+?\d{1,3}(?:,\d{3}){2,4}\s*")
_OR = "or|and|oder|und|ou|et|y|e|ed|en|of|lub|albo|i|och|eller|og|ja|tai|ve|veya|или|и|або|та"
# What Google Contacts puts between the values of one cell, and what others do.
_VALUES = ":::"
_BETWEEN = re.compile(
    r"[\n\r\v\f\x85\u2028\u2029|,\u3001\uff0c\uff5c]"
    # But not within a link, nor before the parameters of a URI, such as ";ext=5".
    r"|[&\uff06](?=[\s\d(+])|[;\uff1b](?!\s*[\w-]+=)"
    # A "+" with a space on both sides may stand for "and".
    rf"|\s(?:{_OR})\s|(?<=\S)\s+(?=[+\uff0b]\(?\d)",
    re.IGNORECASE,
)
# What may stand between two, or within one: 089/123456.
_SLASH = re.compile(r"[/\uff0f]")
_QUOTES = " \t\"'"
# Fewer digits than any number has: an extension, or the end of a number of which it is a variant;
# and as many as a few numbers have, of some countries.
_MAX_FRAGMENT = 4
_MAX_DOUBTFUL = 6

_FRAGMENT = Problem(
    "invalid_number",
    "A few digits stand beside the number, such as an extension, to which nothing can be sent.",
)


_MISMATCH = Problem(
    "country_mismatch",
    "It is no number of the country that its row names. Mend one of them, or write it with + and "
    "the country code.",
)
_UNKNOWN_COUNTRY = Problem(
    "unknown_country",
    "The country of its row is not known. Write the number with + and the country code.",
)


def read_cell(
    cell: str, region: str | None, *, is_national: bool | None = None, country: str = ""
) -> list[str | Problem]:
    """Read the numbers in a cell, or why there are none; none if nothing stands in it.

    Args:
        cell: What stands in the cell.
        region: The region of numbers without ``+``, where the row names no country, or ``None``.
        is_national: Whether numbers of this column without ``+`` lack their country code.
        country: The country of the row, as the row names it.
    """
    if country and not country.isspace():
        found = find_country(country)
        return _split_cell(cell, lambda text: _parse_in(found, text, region))
    return _split_cell(cell, lambda text: parse_phone_number(text, region, is_national=is_national))


def _parse_in(country: Country | None, text: str, region: str | None) -> str | Problem:
    """Parse a number of a row that names this country, or one that is not known."""
    if country is None:
        found = parse_phone_number(text, None)
        is_unknown = isinstance(found, Problem) and found.code == "no_country_code"
        return _UNKNOWN_COUNTRY if is_unknown else found
    found = parse_phone_number(text, country.region, is_national=True)
    if isinstance(found, str):
        code = country.calling_code
        return found if code is None or found.startswith(f"+{code}") else _MISMATCH
    if found.code == "invalid_number" and region not in (None, country.region):
        return _MISMATCH if isinstance(parse_phone_number(text, region), str) else found
    return found


def _split_cell(cell: str, parse: Parse) -> list[str | Problem]:
    if _ONE_NUMBER.fullmatch(cell) or SPREADSHEET_NUMBER.fullmatch(cell):
        return [parse(cell)] if cell.strip() else []
    # The values of a contact: a short one, such as that of a mailbox, is no part of another.
    if _VALUES in cell:
        return [found for value in cell.split(_VALUES) for found in _split_cell(value, parse)]
    if _AMOUNT.fullmatch(cell):
        return [parse(cell.replace(",", ""))]
    if wrapped := _LIST.fullmatch(cell):
        cell = wrapped[wrapped.lastindex or 0]
        parts = [part.strip(_QUOTES) for part in _BETWEEN.split(cell)]
    else:
        parts = [part.strip() for part in _BETWEEN.split(cell)]
    parts = [part for part in parts if part]
    if len(parts) > 1 and any(_is_fragment(part, parse) for part in parts):
        return [_FRAGMENT]
    return [found for part in parts for found in _read_part(part, parse)]


def _is_fragment(part: str, parse: Parse) -> bool:
    digits = sum(map(str.isdecimal, part))
    if digits > _MAX_FRAGMENT:
        return digits <= _MAX_DOUBTFUL and isinstance(parse(part), Problem)
    return digits > 0


def _read_part(part: str, parse: Parse) -> list[str | Problem]:
    """Read what is one number, or several if each is a number between slashes."""
    pieces = [piece for piece in _SLASH.split(part) if piece.strip()]
    if len(pieces) > 1:
        found = [*map(parse, pieces)]
        if all(isinstance(number, str) for number in found):
            return found
    return [parse(part)]
