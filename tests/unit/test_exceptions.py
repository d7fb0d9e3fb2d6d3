"""The error tree, and that errors travel: pickled, copied, and with every field."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any, get_args

import pytest

import sendblue_async
from sendblue_async import exceptions
from sendblue_async.exceptions import ContactExistsError, SendblueError, ValidationError

# class: (its bases, the statuses that the tree draws next to it)
TREE: dict[str, tuple[tuple[str, ...], str]] = {
    "SendblueError": (("Exception",), ""),
    "ConfigurationError": (("SendblueError",), ""),
    "JournalError": (("ConfigurationError",), ""),
    "ValidationError": (("SendblueError", "ValueError"), ""),
    "ConnectError": (("SendblueError",), ""),
    "TLSError": (("SendblueError",), ""),
    "OutcomeUnknownError": (("SendblueError",), ""),
    "APIError": (("SendblueError",), ""),
    "BadRequestError": (("APIError",), "400, 413, 422"),
    "AuthenticationError": (("APIError",), "401"),
    "PermissionDeniedError": (("APIError",), "402, 403"),
    "NotFoundError": (("APIError",), "404"),
    "ContactExistsError": (("APIError",), "409"),
    "RateLimitError": (("APIError",), "429"),
    "ServerError": (("APIError",), "5xx"),
    "UnexpectedRedirectError": (("APIError",), "3xx"),
    "ResponseFormatError": (("APIError",), ""),
}
CLASSES = {
    name: value
    for name, value in vars(exceptions).items()
    if inspect.isclass(value)
    and issubclass(value, BaseException)
    and not issubclass(value, Warning)
}
FIELDS: dict[str, Any] = {
    "outcome": "unknown",
    "method": "POST",
    "url": "https://api.sendblue.co/api/v2/contacts",
    "status": 503,
    "attempts": 4,
    "retry_after": 1.5,
    "snippet": "<html>",
    "cause": "ClientOSError: gone",
    "timed_out": True,
    "maybe_applied": True,
    "retryable": True,
    "request_id": "4f5e6d",
    "code": "too_many",
}
DEFAULTS = {
    "outcome": "not_sent",
    "method": None,
    "url": None,
    "status": None,
    "attempts": 0,
    "retry_after": None,
    "snippet": None,
    "cause": None,
    "timed_out": False,
    "maybe_applied": False,
    "retryable": False,
    "request_id": None,
    "code": None,
}


def test_the_tree_is_the_one_designed() -> None:
    """The module holds exactly the designed classes, each below the designed ones."""
    found = {
        name: tuple(base.__name__ for base in value.__bases__) for name, value in CLASSES.items()
    }
    assert found == {name: bases for name, (bases, _) in TREE.items()}


def test_the_tree_is_the_one_drawn() -> None:
    """The drawing at the top of the module shows every class, its bases and its statuses."""
    drawn: dict[str, tuple[tuple[str, ...], str]] = {}
    parents: list[str] = []
    pattern = re.compile(r"^ {4}([│├└─ ]*)(\w+Error)(?: \((\w+)\))?(?: {2,}(.*))?$", re.MULTILINE)
    for indent, name, also, words in pattern.findall(exceptions.__doc__ or ""):
        depth = len(indent) // 4
        parents[depth:] = [name]
        bases = (parents[depth - 1] if depth else "Exception", *([also] if also else []))
        drawn[name] = (bases, words if re.match(r"\d", words) else "")
    assert drawn == TREE


@pytest.mark.parametrize("name", TREE)
def test_each_class_is_public_and_documented(name: str) -> None:
    """Each class is exported by its module and by the package, and says what it means."""
    cls = CLASSES[name]
    assert name in exceptions.__all__
    assert getattr(sendblue_async, name) is cls
    assert cls.__module__ == "sendblue_async.exceptions"
    assert cls.__doc__
    assert cls.__doc__ != SendblueError.__doc__ or cls is SendblueError


def test_outcomes_are_the_three() -> None:
    """An outcome is one of the three that the truth table knows."""
    assert get_args(exceptions.Outcome) == ("not_sent", "rejected", "unknown")


def made(name: str) -> SendblueError:
    """An error of this class with no field left at its default."""
    if name == "ValidationError":
        return ValidationError("tags[2] is wrong.", field="tags[2]")
    error: SendblueError = CLASSES[name]("It failed.", **FIELDS)
    return error


DUPLICATES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle{version}": lambda error, version=version: pickle.loads(
            pickle.dumps(error, version)
        )
        for version in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def test_the_former_name_of_maybe_applied_warns() -> None:
    """``maybe_ours`` gives what ``maybe_applied`` says, and names it to whoever reads it."""
    error = made("ContactExistsError")
    with pytest.warns(DeprecationWarning, match="use maybe_applied") as warned:
        assert error.maybe_ours is True
    assert warned[0].filename == __file__


@pytest.mark.parametrize("applied", [True, False])
def test_an_error_is_made_with_the_former_name_of_maybe_applied(applied: bool) -> None:
    """Who makes errors, in tests mostly, may give ``maybe_ours`` and is told of the new name."""
    with pytest.warns(DeprecationWarning, match="use maybe_applied") as warned:
        error = ContactExistsError("It failed.", maybe_ours=applied)
    assert error.maybe_applied is applied
    assert warned[0].filename == __file__


def test_an_error_that_an_earlier_version_pickled_is_loaded() -> None:
    """What such a pickle calls ``maybe_ours`` arrives as ``maybe_applied``."""
    error = ContactExistsError("It failed.")
    error.__setstate__({"outcome": "rejected", "maybe_ours": True})
    assert error.maybe_applied is True
    assert "maybe_ours" not in vars(error)


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_errors_pickle_and_copy_with_all_fields(name: str, duplicate: Any) -> None:
    """An error that was pickled or copied has the same class, message and fields."""
    error = made(name)
    again = duplicate(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert repr(again) == repr(error)


@pytest.mark.parametrize("name", TREE)
def test_fields_are_what_they_were_given(name: str) -> None:
    """Every error has every field: as given, or a default that says nothing was sent."""
    error = made(name)
    if name == "ValidationError":
        assert vars(error) == {**DEFAULTS, "field": "tags[2]"}
        assert vars(ValidationError("wrong")) == {**DEFAULTS, "field": None}
    else:
        assert vars(error) == FIELDS
        assert vars(CLASSES[name]("It failed.")) == DEFAULTS


def test_an_error_that_was_raised_and_chained_pickles() -> None:
    """A raised error pickles although its cause does not, and leaves the cause behind."""
    cause = OSError("gone")
    cause.lock = lambda: None  # type: ignore[attr-defined]
    try:
        raise made("ServerError") from cause
    except SendblueError as error:
        again = pickle.loads(pickle.dumps(error))
    assert vars(again) == FIELDS
    assert again.__cause__ is None


def test_a_validation_error_is_a_value_error() -> None:
    """Code that catches ValueError catches a ValidationError, and no other error of ours."""
    assert {name for name, cls in CLASSES.items() if issubclass(cls, ValueError)} == {
        "ValidationError"
    }


def test_no_error_of_ours_is_an_error_of_the_system() -> None:
    """No error of ours is caught as OSError, TimeoutError, RuntimeError or TypeError."""
    for cls in CLASSES.values():
        assert not issubclass(cls, (OSError, TimeoutError, RuntimeError, TypeError))
