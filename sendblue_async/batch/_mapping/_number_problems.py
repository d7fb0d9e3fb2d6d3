"""Why a number cannot be used, in words for whoever mends its row."""

from __future__ import annotations

from .._sources._row import Problem


def reject(reason: str) -> Problem:
    """Reject what is no number that can be used."""
    return Problem("invalid_number", reason)


NO_NUMBER = reject("This is not a phone number.")
LETTERS = reject("There are letters in it.")
EXTENSION = reject("It has an extension, to which nothing can be sent.")
AMBIGUOUS = Problem(
    "ambiguous_number",
    "It can be a number of its region, or one whose country code begins it. Write it with + and "
    "the country code.",
)
DOUBLED = Problem("ambiguous_number", "Its country code seems to stand there twice.")
TWO_NUMBERS = reject(
    "More digits stand beside the number: an extension, a range or another number."
)
TOO_MANY_DIGITS = reject(
    "No number has so many digits. If there are several, write a comma between them."
)
NO_REGION = Problem(
    "no_country_code", "It has no country code, and no region was given to read it in."
)


def reject_sign(sign: str) -> Problem:
    """Reject what has a sign in it that no number has, and show it."""
    shown = f"'{sign}'" if sign.isprintable() else f"U+{ord(sign):04X}"
    return reject(f"It has {shown} in it, which no phone number has.")
