"""Phone numbers as people and spreadsheets write them, made into E.164 with libphonenumber."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from ..._phone_numbers import simplify_number
from ...exceptions import ConfigurationError
from .._sources._extra import import_library
from .._sources._row import SHOWN_ERRORS, SPREADSHEET_ERROR, Problem
from ._number_problems import (
    AMBIGUOUS,
    DOUBLED,
    EXTENSION,
    LETTERS,
    NO_NUMBER,
    NO_REGION,
    TOO_MANY_DIGITS,
    TWO_NUMBERS,
    reject,
    reject_sign,
)
from ._numbering_plans import find_plan, find_simple_number
from ._vocabulary import is_fax

# 4.41E+11, ###### and 14155550123.0: what a spreadsheet makes of a number in a cell, or a program
# that took it for one to reckon with. Only the last one is still exact.
SPREADSHEET_NUMBER = re.compile(
    r"\s*(?:[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+|##+|(?P<exact>\+?[0-9]{5,15})[.,]0+)\s*"
)
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# What needs no look at signs that nobody sees, at labels and at lists.
_PLAIN = re.compile(r"(?:\(\+?)?[+1-9][0-9 ()-]*[0-9]{3}")
_QUOTES = " \n'\"`\u00b4\u2018\u2019\u201c\u201d"
# Links and addresses of WhatsApp, whose numbers have their country code, and no "+".
_WHATSAPP = re.compile(
    r"(?:https?://)?(?:www\.)?(?:wa\.me/|(?:api|web)\.whatsapp\.com/send/?\?phone=|whatsapp://send/?\?phone=)\+?(?P<link>[0-9]+)"
    r"(?:[/?&].*)?|\+?(?P<address>[0-9]+)@(?:s\.whatsapp\.net|c\.us)",
    re.IGNORECASE,
)
# From where libphonenumber begins to read, such as after "Tel. ".
_WRITTEN = re.compile(r"(?:\([ (]*)?[+0-9].*")
_UNKNOWN_SIGN = re.compile(r"[^+0-9 ().\-/\[\]]")
# (0), which is dialled only inside the country whose code stands before it.
_TRUNK_ZERO = re.compile(r"[(\[] ?0 ?[)\]]")
# What looks like the end of another number, an extension or a range, behind a number.
_TAIL = re.compile(
    r"(?P<head>.*(?:[0-9]{3}\)?|[0-9](?= ?/)| [0-9]{2}(?= ?-))) ?"
    r"(?:(?P<sign>[-.][-. ]*[0-9]{1,2})|/[ 0-9/()-]*|[(\[][-./ ]*[0-9]+ ?[)\]]|(?<= )[0-9])\.?"
)
_NO_DIGIT = re.compile(r"[^0-9]")
_LONG_GROUP = re.compile(r"[0-9]{5}\)?$")
# "Tel 2: 030 123456", "2. 030 123456", and a number that begins anew after a digit or two.
_COUNTED = re.compile(r"\(?[0-9]{1,2}\)?(?P<sign>[):.]? |[):] ?)(?P<rest>.*)")


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


def parse_phone_number(
    text: str, region: str | None, *, is_national: bool | None = None
) -> str | Problem:
    """Parse a number into E.164 form, or say why there is none.

    Digits without ``+`` that are a number of the region and, with their country code in front,
    another one too, are ambiguous, unless they are grouped as the region's numbers are, or
    ``is_national`` settles it for a foreign one.

    Args:
        text: What stands in the cell.
        region: The region of a number without ``+``, or ``None`` if those are not to be read.
        is_national: Whether numbers without ``+`` lack their country code. By default they do
            where they are equally long and written without a zero in front.
    """
    if E164.fullmatch(text):
        return _parse_plain(text, None)
    if is_national is None:
        is_national = region is not None and _is_written_in_full(region)
    if text.isdigit() and text.isascii():
        return _parse_digits(text, region, is_national)
    if _PLAIN.fullmatch(text):
        return _parse_written(text, region, is_national, is_labelled=False)
    text = simplify_number(text).strip(_QUOTES)
    if not text:
        return Problem("missing_number", "There is no number.")
    if text in SHOWN_ERRORS:
        return SPREADSHEET_ERROR
    if damage := SPREADSHEET_NUMBER.fullmatch(text):
        if not damage["exact"]:
            return Problem(
                "spreadsheet_number",
                "A spreadsheet has changed the number. Export the column as text.",
            )
        text = damage["exact"]
    elif whatsapp := _WHATSAPP.fullmatch(text):
        text = f"+{whatsapp['link'] or whatsapp['address']}"
    elif "%" in text:
        text = simplify_number(unquote(text))
    written = _WRITTEN.search(text)
    if written is None:
        return NO_NUMBER
    label = text[: written.start()]
    if label and is_fax(label):
        return reject("It is the number of a fax or a pager.")
    if label[-1:].isalpha():
        return LETTERS
    return _parse_written(written[0], region, is_national, is_labelled=bool(label.strip("# ")))


def _parse_written(
    written: str, region: str | None, is_national: bool, *, is_labelled: bool
) -> str | Problem:
    digits = written.partition(";")[0]
    if digits != written or _UNKNOWN_SIGN.search(digits):
        return _parse_signs(written, digits, region)
    if "+" in digits[1:].lstrip("( +"):
        return TWO_NUMBERS
    if "0" in digits and _TRUNK_ZERO.search(digits):
        return _parse_trunk_zero(digits, region)
    found = _parse_digits(digits, region, is_national)
    other = _find_other(digits, region, is_national, is_labelled)
    return found if other is None or other == found else TWO_NUMBERS


def _parse_signs(written: str, digits: str, region: str | None) -> str | Problem:
    """Parse what has letters, signs that no number has, or the parameters of a URI."""
    found = _parse_plain(written, region)
    if found is EXTENSION or ";ext=" in written.lower():
        return EXTENSION
    # libphonenumber dials words: to it, "030 123456 neu" is 030 123456638, which is somebody else.
    if any(map(str.isalpha, digits)):
        return LETTERS
    sign = _UNKNOWN_SIGN.search(digits)
    return reject_sign(sign[0]) if sign else found


def _find_other(
    digits: str, region: str | None, is_national: bool, is_labelled: bool
) -> str | Problem | None:
    """Find the number that these digits would be without those that seem not to belong to it."""
    # Most end in more digits than a tail has.
    if (not digits[-3:].isdigit() or "/" in digits) and (tail := _TAIL.fullmatch(digits)):
        if tail["sign"] and _LONG_GROUP.search(tail["head"]):
            return TWO_NUMBERS
        head = _parse_digits(tail["head"], region, is_national)
        if isinstance(head, str) or head.code == "ambiguous_number":
            return head
    if (counted := _COUNTED.fullmatch(digits)) and (
        is_labelled or counted["sign"].strip() or counted["rest"].startswith(("0", "+"))
    ):
        rest = _parse_digits(counted["rest"], region, is_national)
        if isinstance(rest, str):
            return rest
    return None


def _parse_trunk_zero(digits: str, region: str | None) -> str | Problem:
    """Parse a number with ``(0)``, which says that all before it is a country code."""
    zero = _TRUNK_ZERO.search(digits)
    assert zero is not None
    code, rest = digits[: zero.start()], digits[zero.end() :]
    if not any(map(str.isdigit, code)):
        return _parse_plain(f"0{rest}", region) if region else NO_REGION
    bare = _NO_DIGIT.sub("", code)
    if region is None and "+" not in code and bare.startswith("00"):
        code, bare = f"+{bare[2:]}", bare[2:]
    if "+" not in code and bare.startswith("0"):
        without = _parse_plain(f"{code}{rest}", region)
        kept = _parse_plain(f"{code}0{rest}", region)
    else:
        without, kept = _parse_plain(f"+{bare}{rest}", None), _parse_plain(f"+{bare}0{rest}", None)
    # In Italy the zero is a part of the number.
    found = {number for number in (without, kept) if isinstance(number, str)}
    if len(found) > 1:
        return AMBIGUOUS
    return found.pop() if found else without


def _parse_digits(digits: str, region: str | None, is_national: bool) -> str | Problem:
    """Parse digits with no more between them than what groups them."""
    if "+" in digits:
        return _parse_plain(digits, region)
    bare = _NO_DIGIT.sub("", digits)
    found = _parse_plain(bare, region)
    if region is None:
        other = _parse_plain(f"+{bare[2:]}", None) if bare.startswith("00") else found
        return found if isinstance(other, Problem) and other is not DOUBLED else other
    if bare.startswith("00"):
        # 00 stands for + in most of the world, whatever is dialled in the region.
        other = _parse_plain(f"+{bare[2:]}", None)
        if isinstance(found, str) and isinstance(other, str) and other != found:
            return AMBIGUOUS
        return found if isinstance(found, str) or isinstance(other, Problem) else other
    if not _may_be_international(bare):
        return found
    is_own = bare.startswith(str(_phonenumbers().country_code_for_region(region)))
    if isinstance(found, str) and is_national and not is_own and digits == bare:
        # Only groups could say that it is the other one.
        return found
    other = _parse_plain(f"+{bare}", None)
    if isinstance(other, Problem) or other == found:
        return found
    if isinstance(found, Problem):
        if is_own:
            return other
        if found.code == "invalid_number":
            return reject(
                "It is no number of its region. If its country code begins it, write + before it."
            )
        return found
    told = _tell_by_groups(digits, found, other)
    if told is None and is_national and not is_own:
        return found
    return AMBIGUOUS if told is None or (told == other and not is_own) else told


def _tell_by_groups(digits: str, number: str, other: str) -> str | None:
    """Tell by how digits are set apart which of two numbers they are, if that says it.

    Args:
        digits: The digits as they stand there.
        number: The number of the region that they can be.
        other: The number that they can be with their country code.
    """
    groups = re.findall("[0-9]+", digits)
    if len(groups) == 1:
        return None
    formats = _phonenumbers().PhoneNumberFormat
    national = _group(number, formats.NATIONAL)
    if digits.startswith("("):
        # An area code, before which the zero or whatever is dialled may be left out.
        national = national[-len(groups) :]
    if (groups == national) == (groups == _group(other, formats.INTERNATIONAL)):
        return None
    return number if groups == national else other


def _group(number: str, format_: int) -> list[str]:
    phonenumbers = _phonenumbers()
    return re.findall("[0-9]+", phonenumbers.format_number(phonenumbers.parse(number), format_))


# So many numbers at least show how those in a column are written, and so many outweigh one that
# shows the contrary.
_MIN_EVIDENCE = 3
_OUTWEIGH = 100
_BARE = re.compile(r"[1-9(][0-9 ().-]{6,24}")


def are_national(cells: Iterable[str], region: str) -> bool:
    """Return whether numbers without ``+`` in a column seem to lack their country code.

    Those say so that are a number of the region only; what is a number only with its country code
    in front says the contrary. If nothing says either, they do where the region's numbers are
    equally long and written without a zero, or another digit that is dialled only inside it.

    Args:
        cells: Cells of the column.
        region: The region of its numbers.
    """
    code = str(_phonenumbers().country_code_for_region(region))
    national = international = 0
    for cell in filter(_BARE.fullmatch, map(str.strip, cells)):
        bare = _NO_DIGIT.sub("", cell)
        if not _may_be_international(bare) or isinstance(_parse_plain(f"+{bare}", None), Problem):
            national += _may_be_international(code + bare)
        else:
            international += isinstance(_parse_plain(bare, region), Problem)
    in_full = _is_written_in_full(region)
    if international >= (_MIN_EVIDENCE if in_full else 1):
        return national >= _OUTWEIGH * international
    return in_full or national >= _MIN_EVIDENCE


@lru_cache(maxsize=256)
def _is_written_in_full(region: str) -> bool:
    """Return whether a region's numbers are equally long, and written without a zero in front."""
    phonenumbers = _phonenumbers()
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    kinds = metadata.fixed_line, metadata.mobile
    if len({length for kind in filter(None, kinds) for length in kind.possible_length}) > 1:
        return False
    example = phonenumbers.example_number(region)
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    return bool(_NO_DIGIT.sub("", number) == phonenumbers.national_significant_number(example))


def _may_be_international(digits: str) -> bool:
    """Return whether digits can be a country code and a number; a look that costs next to none."""
    plan = find_plan(digits)
    if plan is None:
        return False
    length = len(plan.code)
    if len(digits) - length in plan.lengths and plan.pattern.fullmatch(digits, length):
        return True
    # A zero that is dialled only inside the country may have been left behind its code.
    start = length + digits.startswith("0", length)
    return len(digits) - start in plan.lengths and bool(plan.pattern.fullmatch(digits, start))


def _parse_plain(text: str, region: str | None) -> str | Problem:
    """Parse a number as libphonenumber does, and check that it is valid."""
    simple = find_simple_number(text, region)
    if simple is not None:
        return simple
    phonenumbers = _phonenumbers()
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type != error.INVALID_COUNTRY_CODE:
            return TOO_MANY_DIGITS if error.error_type == error.TOO_LONG else NO_NUMBER
        if "+" in text or region:
            return reject("It has no country code that exists.")
        return NO_REGION
    if number.extension:
        return EXTENSION
    # Some are valid although they lack their area code, such as the Canadian 310-1234.
    reason = _impossible_reasons().get(phonenumbers.is_possible_number_with_reason(number))
    if reason is None and not _is_valid(number):
        reason = "No number of its country looks like that."
    if reason is not None:
        return reject(reason)
    found = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    code = str(number.country_code)
    rest = 1 + len(code)
    is_doubled = found.startswith(code, rest) and ("+" in text or text.startswith("00"))
    if is_doubled and _is_mobile(f"+{found[rest:]}"):
        return DOUBLED
    return found


def _is_mobile(text: str) -> bool:
    """Return whether it is a valid number, with its country code, of a mobile phone."""
    phonenumbers = _phonenumbers()
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE)
