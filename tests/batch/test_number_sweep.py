"""The example numbers of all regions, in every spelling: none becomes somebody else's."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from sendblue_async.batch._mapping._phone_numbers import are_national, parse_phone_number

DOCS = Path(__file__).parents[2] / "docs" / "phone-numbers.md"
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
# Each region reads every number of its own, and one in so many of the others.
ONE_IN = 31
# Spellings of a number that does not name its country are tried in its own region only.
NATIONAL = ("national", "national, without its zero")


@lru_cache(maxsize=1)
def examples() -> list[tuple[str, PhoneNumber]]:
    """A fixed and a mobile number of each region."""
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    found = [
        (region, phonenumbers.example_number_for_type(region, kind))
        for region in REGIONS
        for kind in kinds
    ]
    return [(region, number) for region, number in found if number is not None]


def idd_of(region: str) -> str | None:
    """What is dialled in a region before a country code, or ``None`` if there are several."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    prefix = metadata.preferred_international_prefix or metadata.international_prefix or ""
    return prefix.replace("~", "") if prefix.replace("~", "").isdigit() else None


def spellings(number: PhoneNumber, region: str, own: bool) -> Iterator[tuple[str, str]]:
    """Names of spellings of a number, and each as it would stand in a file of a region."""
    code, rest = number.country_code, phonenumbers.national_significant_number(number)
    spaced = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    yield "with +", f"+{code}{rest}"
    yield "with +, spaced", spaced
    yield "with +, in dashes", spaced.replace(" ", "-")
    yield "with (0)", f"+{code}(0){rest}"
    yield "with (0), without +", f"{code}(0) {rest}"
    yield "with 00", f"00{code}{rest}"
    yield "with 00, spaced", f"00 {spaced[1:]}"
    yield "without +", f"{code}{rest}"
    yield "without +, spaced", spaced[1:]
    if idd := idd_of(region):
        yield "with the region's own prefix", f"{idd} {code} {rest}"
    if own:
        yield NATIONAL[0], phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        yield NATIONAL[1], rest
    home = phonenumbers.region_code_for_number(number)
    if phonenumbers.ndd_prefix_for_region(home, True) == "0":
        yield "without +, with its zero", f"{code}0{rest}"


class Cell(NamedTuple):
    """A cell of a file: the number that it means, and whether that is of the file's region."""

    text: str
    meant: str
    own: bool


def columns(region: str, index: int) -> dict[str, list[Cell]]:
    """A column for each spelling: a number of the region, and of others, in a file of a region."""
    found: dict[str, list[Cell]] = {}
    for position, (home, number) in enumerate(examples()):
        own = home == region
        if own or (position + index) % ONE_IN == 0:
            meant = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            for name, text in spellings(number, region, own):
                found.setdefault(name, []).append(Cell(text, meant, own))
    return found


@lru_cache(maxsize=1)
def sweep() -> dict[tuple[str, bool], Counter[str]]:
    """How often each spelling was read, rejected or taken for another number."""
    results: dict[tuple[str, bool], Counter[str]] = {}
    for index, region in enumerate(REGIONS):
        for name, cells in columns(region, index).items():
            is_national = are_national([cell.text for cell in cells], region)
            for text, meant, own in cells:
                found = parse_phone_number(text, region, is_national=is_national)
                outcome = "rejected"
                if isinstance(found, str):
                    outcome = "read" if found == meant else f"wrong: {text} in {region} as {found}"
                results.setdefault((name, own), Counter())[outcome] += 1
    return results


def share(name: str, own: bool) -> int | None:
    """How many percent of a spelling are read, if it is tried at all."""
    counts = sweep().get((name, own))
    return None if counts is None else math.floor(100 * counts["read"] / counts.total())


def test_no_number_becomes_somebody_elses() -> None:
    """Each is read as it was meant, or rejected."""
    wrong = [word for counts in sweep().values() for word in counts if word.startswith("wrong")]
    assert wrong == []


def test_the_docs_show_how_many_are_read() -> None:
    """Whoever has such a file can tell beforehand what will be rejected."""
    rows = re.findall(
        r"^\| (.+) \| ([0-9–]+)(?: %)? \| ([0-9–]+)(?: %)? \|$",
        DOCS.read_text(encoding="utf-8"),
        re.M,
    )
    assert [name for name, *_ in rows] == list(dict.fromkeys(name for name, _ in sweep()))
    for name, *shown in rows:
        for own, percent in zip((True, False), shown, strict=True):
            read = share(name, own)
            # The numbers that libphonenumber knows change a little with each version.
            assert percent == "–" if read is None else abs(int(percent) - read) <= 2, name
