"""What is taken out of whatever is shown: secrets in any spelling, and phone numbers."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from sendblue_async._redaction import Secret, make_redactor, redact_excerpt, redact_numbers

NUMBER = "+14155550123"


@pytest.mark.parametrize(
    "spell", [str, quote, html.escape, lambda text: json.dumps(text)[1:-1],
              lambda text: repr(text.encode())[2:-1], lambda text: quote(text, safe="")],
)  # fmt: skip
def test_a_secret_is_masked_in_other_spellings(spell: Callable[[str], str]) -> None:
    """A URL, an HTML page, JSON and quoted bytes may spell a key in another way."""
    value = 'k/y+"&<\\ 5f3a9c'
    assert make_redactor([Secret(value)])(f"a {spell(value)} b") == "a *** b"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("+14155550123", "…0123"),
        ("%2B14155550123.", "…0123."),
        ("'+1 (415) 555-0123'", "'…0123'"),
        ("5550123", "…0123"),
        ("+49.176.1234.5678, +4917612345679", "…5678, …5679"),
        ("503 after 0.250 s, offset=10000", "503 after 0.250 s, offset=10000"),
        ("from 10:00:00.123 to 11:00:00", "from 10:00:00.123 to 11:00:00"),
        ("2026-01-31", "…0131"),
    ],
)
def test_a_number_is_cut_to_its_last_four_digits(text: str, short: str) -> None:
    """A number in any spelling is cut, and so is a date; times, counts and durations are not."""
    assert redact_numbers(text) == short


@pytest.mark.parametrize("form", [str, str.encode])
@pytest.mark.parametrize("before", range(20))
def test_an_excerpt_has_no_part_of_a_secret_or_number(
    form: Callable[[str], str | bytes], before: int
) -> None:
    """Where the excerpt ends within a key or a number, neither is left in part."""
    redact = make_redactor([Secret("the-long-key")])
    text = f"{'-' * before} the-long-key {NUMBER} and more"
    shown = redact_excerpt(form(text), 24, redact)
    assert shown == f"{'-' * before} *** …0123 and more"[:24]


def test_an_excerpt_on_one_line_has_no_control_characters() -> None:
    """Line breaks and what could steer a terminal become single spaces."""
    shown = redact_excerpt("a\r\n\tb\x1b[31m c", 100, str, on_one_line=True)
    assert shown == "a b [31m c"
