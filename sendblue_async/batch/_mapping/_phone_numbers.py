"""Phone numbers as people and spreadsheets write them, made into E.164 with libphonenumber."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ...exceptions import ConfigurationError
from .._sources._extra import import_library
from .._sources._row import SHOWN_ERRORS, SPREADSHEET_ERROR, Problem

# 4.41E+11, 14155550123.0 and ######: what a spreadsheet makes of a number in a cell.
_DAMAGE = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+|[0-9]+[.,]0+|#.*")
# From where libphonenumber begins to read, such as after "Tel. ", up to the parameters of a URI.
_WRITTEN = re.compile(r"[+\uff0b\d][^;]*")


@lru_cache(maxsize=1)
def _phonenumbers() -> Any:
    return import_library("phonenumbers")


def check_region(region: str | None) -> str | None:
    """Check the region of numbers without ``+``, such as ``"US"``, and return it in capitals.

    Raises:
        ConfigurationError: If there is no such region.
    """
    if region is None:
        return None
    if isinstance(region, str) and region.upper() in _phonenumbers().SUPPORTED_REGIONS:
        return region.upper()
    raise ConfigurationError(
        f"region must be the two-letter code of a country, such as 'US' or 'GB', not {region!r}."
    )


@lru_cache(maxsize=1)
def _impossible_reasons() -> dict[int, str]:
    result = _phonenumbers().ValidationResult
    return {
        result.INVALID_COUNTRY_CODE: "It has no country code that exists.",
        result.TOO_SHORT: "It is too short.",
        result.TOO_LONG: "It is too long.",
        result.INVALID_LENGTH: "No number of its country is as long.",
        result.IS_POSSIBLE_LOCAL_ONLY: "It lacks its area code.",
    }


def _is_valid(number: Any) -> bool:
    """Return whether it is a number of any region that has its country code."""
    phonenumbers = _phonenumbers()
    # Most are of the first of those, and to ask for that one takes half as long as to find it.
    first = phonenumbers.region_code_for_country_code(number.country_code)
    return bool(
        phonenumbers.is_valid_number_for_region(number, first)
        or phonenumbers.is_valid_number(number)
    )


def parse_phone_number(text: str, region: str | None) -> str | Problem:
    """Parse a number into E.164 form, or say why there is none.

    Args:
        text: What stands in the cell.
        region: The region of a number without ``+``, or ``None`` if those are not to be read.
    """
    text = text.strip()
    if not text:
        return Problem("missing_number", "There is no number.")
    if text in SHOWN_ERRORS:
        return SPREADSHEET_ERROR
    if _DAMAGE.fullmatch(text):
        return Problem(
            "spreadsheet_number",
            "A spreadsheet has changed the number. Export the column as text.",
        )
    phonenumbers = _phonenumbers()
    written = _WRITTEN.search(text)
    if written is None:
        return Problem("invalid_number", "This is not a phone number.")
    number = None
    try:
        number = phonenumbers.parse(text[written.start() :], region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == error.INVALID_COUNTRY_CODE:
            if "+" in text or region:
                return Problem("invalid_number", "It has no country code that exists.")
            return Problem(
                "no_country_code", "It has no country code, and no region was given to read it in."
            )
    if number is not None and number.extension:
        return Problem("invalid_number", "It has an extension, to which nothing can be sent.")
    # libphonenumber dials words: to it, "030 123456 neu" is 030 123456638, which is somebody else.
    if any(map(str.isalpha, written[0])):
        return Problem("invalid_number", "There are letters in it.")
    if number is None:
        return Problem("invalid_number", "This is not a phone number.")
    # Some are valid although they lack their area code, such as the Canadian 310-1234.
    reason = _impossible_reasons().get(phonenumbers.is_possible_number_with_reason(number))
    if reason is None and not _is_valid(number):
        reason = "No number of its country looks like that."
    if reason is not None:
        return Problem("invalid_number", reason)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
