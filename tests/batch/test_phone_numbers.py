"""Numbers as people and spreadsheets write them."""

from __future__ import annotations

import random
import sys
from collections import Counter

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async.batch._mapping._numbering_plans import _plan_of
from sendblue_async.batch._mapping._phone_numbers import (
    _is_valid,
    _phonenumbers,
    check_region,
    parse_phone_number,
)
from sendblue_async.batch._sources._row import Problem
from sendblue_async.exceptions import ConfigurationError
from sendblue_async.models import e164


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+12015550123", None, "+12015550123"),
        (" +1 (201) 555-0123 ", None, "+12015550123"),
        ("+1.201.555.0123", "DE", "+12015550123"),
        ("(201) 555-0123", "US", "+12015550123"),
        ("1 201 555 0123", "US", "+12015550123"),
        ("0151 23456789", "DE", "+4915123456789"),
        ("0049 151 23456789", "DE", "+4915123456789"),
        ("011 49 151 23456789", "US", "+4915123456789"),
        ("+39 06 698 12345", None, "+390669812345"),
        ("tel:+1-201-555-0123", None, "+12015550123"),
        ("tel:201-555-0123;phone-context=+1", None, "+12015550123"),
        ("tel:+1-201-555-0123;isub=12345", None, "+12015550123"),
        ("Tel. (201) 555-0123", "US", "+12015550123"),
        ("Büro: +1 201 555 0123", None, "+12015550123"),
        (
            "+\u0661\u0662\u0660\u0661\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
            None,
            "+12015550123",
        ),
        ("\uff0b\uff11 \uff12\uff10\uff11 555 0123", None, "+12015550123"),
    ],
)
def test_usable_numbers(text: str, region: str | None, number: str) -> None:
    """Every spelling of a valid number gives the same E.164 form."""
    assert parse_phone_number(text, region) == number


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("", None, "missing_number"),
        ("  \t", "US", "missing_number"),
        ("4.41E+11", None, "spreadsheet_number"),
        ("4,41E+11", "US", "spreadsheet_number"),
        ("1.5E10", "US", "spreadsheet_number"),
        ("#NAME?", "US", "spreadsheet_error"),
        (" #N/A", None, "spreadsheet_error"),
        ("#NV", "DE", "spreadsheet_error"),
        ("Err:502", "DE", "spreadsheet_error"),
        ("########", "US", "spreadsheet_number"),
        ("2015550123", None, "no_country_code"),
        ("14155550123", None, "no_country_code"),
        ("call me", "US", "invalid_number"),
        ("n/a", None, "invalid_number"),
        ("12", "US", "invalid_number"),
        ("+1201555", None, "invalid_number"),
        ("+120155501234567", None, "invalid_number"),
        ("+999123456789", None, "invalid_number"),
        ("0000000000", "US", "invalid_number"),
        ("+1 201 555 0123 ext. 5", None, "invalid_number"),
        ("555-0123", "US", "invalid_number"),
        ("+1 310-1234", None, "invalid_number"),
        ("201-555-0123 / 201-555-0124", "US", "invalid_number"),
    ],
)
def test_unusable_numbers(text: str, region: str | None, code: str) -> None:
    """What is no valid number, or cannot be told for one, has its code and a sentence."""
    problem = parse_phone_number(text, region)
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert problem.reason.endswith(".")
    digits = "".join(filter(str.isdigit, text))
    assert len(digits) < 4 or digits[-4:] not in problem.reason


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+49 30 123456 neu", None),
        ("+49 30 123456 (old)", None),
        ("+49 30 123456 B\u00fcro", None),
        ("+49 30 123456 m", None),
        ("030 123456 alt", "DE"),
        ("1-800-FLOWERS", "US"),
        ("2015550123 ext", "US"),
        ("tel:1-800-FLOWERS;phone-context=+1", None),
        ("tel:+1 201 555 0123 b;isub=12345", None),
    ],
)
def test_letters_are_not_dialled(text: str, region: str | None) -> None:
    """A word after a number makes no other number of it."""
    assert parse_phone_number(text, region) == Problem("invalid_number", "There are letters in it.")


def test_words_before_a_number_are_not_dialled() -> None:
    """Where a context says how the number begins, a word stands between digits, too."""
    assert isinstance(parse_phone_number("abc 2345;phone-context=+1201", None), Problem)


@pytest.mark.parametrize("extension", [" ext. 5", " x12", "#12", ";ext=12", " extension 12"])
def test_extensions_have_their_own_reason(extension: str) -> None:
    """The letters of an extension are none in the number."""
    problem = parse_phone_number(f"tel:+1-201-555-0123{extension}", None)
    assert isinstance(problem, Problem)
    assert problem.reason == "It has an extension, to which nothing can be sent."


@given(st.text(max_size=40), st.sampled_from([None, "US", "DE", "IN"]))
def test_any_text_gives_a_number_that_can_be_sent_or_a_problem(
    text: str, region: str | None
) -> None:
    """Nothing is raised, and what is taken for a number is one for the client, too."""
    found = parse_phone_number(text, region)
    if isinstance(found, str):
        assert e164(found) == found
    else:
        assert isinstance(found, Problem)


def test_validity_is_that_of_libphonenumber() -> None:
    """In every region, for numbers of each type and for some that differ in a few digits."""
    draw = random.Random(5)
    valid = Counter[bool]()
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        code = phonenumbers.country_code_for_region(region)
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            for changes in range(6):
                digits = list(phonenumbers.national_significant_number(example))
                for _ in range(changes):
                    digits[draw.randrange(len(digits))] = draw.choice("0123456789")
                number = phonenumbers.parse(f"+{code}{''.join(digits)}")
                expected = phonenumbers.is_valid_number(number)
                assert _is_valid(number) == expected, number
                valid[expected] += 1
    assert min(valid[True], valid[False]) > 1000


@pytest.mark.parametrize(("region", "taken"), [(None, None), ("US", "US"), ("de", "DE")])
def test_regions(region: str | None, taken: str | None) -> None:
    """A region is a two-letter code in any case, or left out."""
    assert check_region(region) == taken


@pytest.mark.parametrize("region", ["", "USA", "Mars", "XX", "UK", 49, "001"])
def test_what_is_no_region_is_refused(region: object) -> None:
    """The error says what a region is, which also holds for one of two letters."""
    with pytest.raises(ConfigurationError, match=r"of a country, such as 'US' or 'GB', not "):
        check_region(region)  # type: ignore[arg-type]


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without phonenumbers the error says what to install."""
    _phonenumbers.cache_clear()
    _plan_of.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"phonenumbers.*pip install .*\[batch\]"):
        parse_phone_number("+12015550123", None)
