"""What is told about a number without libphonenumber is what libphonenumber says."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from sendblue_async.batch._mapping._numbering_plans import find_simple_number

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = sorted(set(PhoneNumberType.values()) - {PhoneNumberType.UNKNOWN})
# Codes of no country, such as those of satellites.
SERVICES = sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)


def numbers() -> Iterator[tuple[str, str]]:
    """The code and the rest of a number of each kind of each region, and of some near it."""
    pick = random.Random(15)
    for number in [
        *(phonenumbers.example_number_for_type(each, kind) for each in REGIONS for kind in KINDS),
        *map(phonenumbers.example_number_for_non_geo_entity, SERVICES),
    ]:
        if number is not None:
            code, rest = str(number.country_code), phonenumbers.national_significant_number(number)
            yield code, rest
            yield code, rest[:-1]
            yield code, f"{rest}{pick.randrange(10)}"
            yield code, "".join(pick.choices("0123456789", k=len(rest)))
            yield code, f"{pick.randrange(10)}{rest[1:]}"


def spellings(code: str, rest: str, other: str) -> Iterator[tuple[str, str | None]]:
    """Spellings of a number, each with a region that it is read in."""
    yield f"+{code}{rest}", None
    yield f"(+{code}) {rest[:3]} {rest[3:]}", other
    yield f"+{code} 0{rest}", None
    home = phonenumbers.region_code_for_country_code(int(code))
    for region in (other, home):
        if region in phonenumbers.SUPPORTED_REGIONS:
            yield f"({rest[:3]}) {rest[3:]}-", region
            yield f"00{code}{rest}", region
            yield f"011{code}{rest}", region
            yield from ((f"{before}{rest}", region) for before in ("", "0", "1", "8", code))


def ask_library(text: str, region: str | None) -> str | None:
    """The number that a text is for libphonenumber, if it is valid and could be dialled."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    is_possible = phonenumbers.is_possible_number(number)
    if number.extension or not is_possible or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def test_simple_numbers_are_those_of_libphonenumber() -> None:
    """A number that is told by its numbering plan is the same one for libphonenumber."""
    regions = random.Random(15).sample(REGIONS, len(REGIONS))
    wrong: list[tuple[str | None, ...]] = []
    told = usable = 0
    for position, (code, rest) in enumerate(numbers()):
        for text, region in spellings(code, rest, regions[position % len(regions)]):
            found = find_simple_number(text, region)
            is_sample = position % 20 == 0
            if found is None and not is_sample:
                continue
            expected = ask_library(text, region)
            usable += is_sample and expected is not None
            told += is_sample and found is not None
            if found not in (None, expected):
                wrong.append((text, region, found, expected))
    assert wrong == []
    assert told > usable * 0.55
