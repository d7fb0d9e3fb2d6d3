"""What the body of a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from sendblue_async._refusal import Meaning, is_contact_not_found, is_refusal, read_refusal


@pytest.mark.parametrize("status", ["ERROR", "error", " Error "])
def test_only_error_is_a_refusal(status: str) -> None:
    """In any case; whatever comes before or after it in an alphabet is none."""
    assert is_refusal(status)
    for other in ("OK", "delivered", "failed", "", None, 1, ["ERROR"]):
        assert not is_refusal(other)


@pytest.mark.parametrize(
    ("document", "says_so"),
    [
        ({"status": "ERROR"}, True),
        ({"message": "Contact not found"}, True),
        ({"message": 404, "error_message": "No such CONTACT."}, True),
        ({"message": ["contact"], "error": {"message": "contact not found"}}, True),
        ({"message": 404}, False),
        ({"message": "contacts"}, False),
        ({"message": "Cannot POST /api"}, False),
        ({}, False),
        (["contact"], False),
        (None, False),
    ],
)
def test_a_404_is_about_a_contact_if_it_says_so(document: Any, says_so: bool) -> None:
    """Words of any other type say nothing."""
    assert is_contact_not_found(document) is says_so


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, Meaning.PLAN_LIMIT) for status in (200, 201, 299, 400, 422)),
        *((status, None) for status in (199, 300, 401, 429, 500)),
    ],
)
def test_the_code_429_is_a_limit_of_the_plan(status: int, meaning: Meaning | None) -> None:
    """In an answer that is no 429: there it is the rate limit."""
    assert read_refusal(status, {"error_code": 429}, str).meaning is meaning


def test_words_and_codes_are_limited() -> None:
    """To 200 and to 60 characters."""
    refusal = read_refusal(400, {"message": "a" * 500, "code": "b" * 500}, str)
    assert refusal.code is not None
    assert len(refusal.code) == 60
    assert refusal.reason == f"{'a' * 200} (code {'b' * 60})"
