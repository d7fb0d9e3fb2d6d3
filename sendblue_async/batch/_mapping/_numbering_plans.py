"""Numbering plans of countries, by which most numbers are told faster than by libphonenumber."""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from .._sources._extra import import_library

# Nothing in it can be an extension, a second number or a letter.
_SIMPLE = re.compile(r"\(?(?P<plus>\+)?(?P<digits>[0-9][0-9 ().-]{,40})")
_NO_DIGITS = str.maketrans("", "", " ().-")
_KINDS = (
    *("mobile", "fixed_line", "toll_free", "voip", "shared_cost", "premium_rate"),
    *("personal_number", "pager", "uan", "voicemail"),
)


@frozen(eq=False)
class NumberingPlan:
    """How the numbers of a country code are built, as its main region has it.

    Attributes:
        code: The country code.
        lengths: How many digits they have.
        pattern: All of them.
        kinds: Those that exist, by kinds, each with their lengths.
        trunk_prefix: What may be dialled before them inside the country.
        strips_trunk_prefix: Whether it is left out and nothing else is changed.
        international_prefix: What is dialled before a country code.
    """

    code: str
    lengths: frozenset[int]
    pattern: re.Pattern[str]
    kinds: tuple[tuple[frozenset[int], re.Pattern[str]], ...]
    trunk_prefix: re.Pattern[str] | None
    strips_trunk_prefix: bool
    international_prefix: re.Pattern[str] | None

    def has(self, digits: str) -> bool:
        """Return whether a number exists that has these digits behind its country code."""
        length = len(digits)
        return self.pattern.fullmatch(digits) is not None and any(
            length in lengths and pattern.fullmatch(digits) for lengths, pattern in self.kinds
        )


def find_simple_number(text: str, region: str | None) -> str | None:
    """Find the number in E.164 form that a text is for libphonenumber, where that is simple.

    That takes a tenth of the time. ``None`` says nothing: only libphonenumber can tell then.

    Args:
        text: The number.
        region: The region of a number without ``+``, or ``None``.
    """
    written = _SIMPLE.fullmatch(text)
    if written is None:
        return None
    digits = written["digits"].translate(_NO_DIGITS)
    if written["plus"]:
        plan = find_plan(digits)
        digits = digits[len(plan.code) :] if plan else ""
    else:
        plan = _plan_of_region(region)
        if plan is None or (plan.international_prefix and plan.international_prefix.match(digits)):
            return None
    # Digits that begin with the country code may be read without that, too.
    if plan is None or digits.startswith(plan.code):
        return None
    prefix = plan.trunk_prefix.match(digits) if plan.trunk_prefix else None
    if prefix:
        if not plan.strips_trunk_prefix:
            return None
        digits = digits[prefix.end() :]
    return f"+{plan.code}{digits}" if plan.has(digits) else None


def find_plan(digits: str) -> NumberingPlan | None:
    """Find the plan of the country code that begins these digits."""
    for length in (1, 2, 3):
        plan = _plan_of(digits[:length])
        if plan is not None:
            return plan
    return None


@lru_cache(maxsize=2048)
def _plan_of(code: str) -> NumberingPlan | None:
    """The plan of a country code, or ``None`` if there is none."""
    library = import_library("phonenumbers")
    # The names of the regions, the main one first.
    regions = code and library.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not regions or code.startswith("0"):
        return None
    metadata = library.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    kinds = [getattr(metadata, kind) for kind in _KINDS]
    general = metadata.general_desc
    return NumberingPlan(
        code=code,
        lengths=frozenset(general.possible_length),
        pattern=re.compile(general.national_number_pattern),
        kinds=tuple(
            (frozenset(kind.possible_length), re.compile(kind.national_number_pattern))
            for kind in kinds
            if kind is not None and kind.national_number_pattern
        ),
        trunk_prefix=_compile(metadata.national_prefix_for_parsing),
        strips_trunk_prefix=not metadata.national_prefix_transform_rule,
        international_prefix=_compile(metadata.international_prefix),
    )


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


@lru_cache(maxsize=256)
def _plan_of_region(region: str | None) -> NumberingPlan | None:
    """The plan of a region's country code, if it is the main one of those that have it."""
    library = import_library("phonenumbers")
    code = library.country_code_for_region(region) if region else 0
    if not code or library.region_code_for_country_code(code) != region:
        return None
    return _plan_of(str(code))
