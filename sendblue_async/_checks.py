"""Checks of numbers and flags that a caller sets; most are attrs validators."""

from __future__ import annotations

from typing import Any

from attrs import Attribute

from .exceptions import ConfigurationError


def check_count(name: str, value: Any) -> int:
    """Check that a value is a whole number of 1 or more, and return it.

    Raises:
        ConfigurationError: If it is not; names the option.
    """
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name} must be a whole number, 1 or more, not {value!r}.")
    return value


def validate_count(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """A whole number of 1 or more."""
    check_count(attribute.name, value)


def check_flags(**flags: Any) -> None:
    """Check that options are true or false, and not what merely counts as such.

    Raises:
        ConfigurationError: If one is; names it.
    """
    for name, value in flags.items():
        if type(value) is not bool:
            raise ConfigurationError(f"{name} must be True or False, not {value!r}.")


def validate_flag(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """True or false, and nothing that merely counts as such."""
    check_flags(**{attribute.name: value})


def validate_duration(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """A number of seconds, 0 included."""
    if type(value) not in (int, float) or not 0 <= value < 1e9:
        raise ConfigurationError(
            f"{attribute.name} must be a number of seconds from 0 to 1e9, not {value!r}."
        )


def check_positive_seconds(name: str, value: Any) -> float:
    """Check that a value is a number of seconds above 0, and return it.

    Raises:
        ConfigurationError: If it is not; names the option.
    """
    if type(value) not in (int, float) or not 0 < value < 1e9:
        raise ConfigurationError(
            f"{name} must be a number of seconds above 0 and below 1e9, not {value!r}."
        )
    return float(value)


def validate_positive_seconds(instance: object, attribute: Attribute[Any], value: Any) -> None:
    """A number of seconds above 0."""
    check_positive_seconds(attribute.name, value)
