"""Why a contact was not stored, told without what the contact holds."""

from __future__ import annotations

import pytest

from sendblue_async import ContactCreate, RateLimitError
from sendblue_async.batch._importing._reasons import describe_error

CONTACT = ContactCreate(
    number="+12015550101",
    first_name="Rosalind",
    last_name="The",
    tags=["vip"],
    custom_variables={"plan": "gold plated"},
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Invalid phone number.", "Invalid phone number."),
        (
            "The carrier is not supported, says the server.",
            "… carrier is not supported, says … server.",
        ),
        ("ROSALIND (VIP) has a plan: Gold.", "… (…) has a plan: …."),
        ("No first_name, no tags.", "No first_name, no tags."),
    ],
)
def test_only_the_values_are_left_out(said: str, told: str) -> None:
    """Whole words that the contact holds are, however they are spelt; names of fields are not."""
    assert describe_error(RateLimitError(said), CONTACT) == told


def test_numbers_are_left_out() -> None:
    """No number stays whole, in whatever spelling."""
    for number in ("+12015550101", "12015550101", "+1 (201) 555-0101"):
        assert "5550101" not in describe_error(RateLimitError(f"{number} is taken."), CONTACT)
        assert "555-0101" not in describe_error(RateLimitError(f"{number} is taken."), CONTACT)
