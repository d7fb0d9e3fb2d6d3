"""Errors as a sentence, or as a JSON document, and the exit code of each."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from ..exceptions import ConfigurationError, SendblueError, ValidationError
from ._output import print_error, print_json
from ._streams import discard_unprinted
from ._terms import translate

# What a document has of an error beside its type and message, and what it has where no call failed.
_FIELDS = ("outcome", "retryable", "status", "attempts", "retry_after", "request_id", "code")
# What sysexits.h calls EX_TEMPFAIL, as schedulers know it.
_TRY_LATER = 75
_NOT_SENT = SendblueError("")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def print_document(kind: str, message: str, **known: Any) -> None:
    """Print an error as the one JSON document of a command."""
    print_json(
        {
            "error": {
                "type": kind,
                "message": message,
                **{name: getattr(_NOT_SENT, name) for name in _FIELDS},
                **known,
            }
        }
    )


def _print(error: SendblueError | OSError, *, as_json: bool) -> None:
    if not as_json:
        print_error(error)
        return
    known = {}
    if isinstance(error, SendblueError):
        known = {name: getattr(error, name) for name in _FIELDS}
    print_document(type(error).__name__, translate(str(error)), **known)


@contextmanager
def exit_to_try_later(*, as_json: bool = False) -> Iterator[None]:
    """Exit with a code of its own where the same command may succeed later."""
    try:
        yield
    except SendblueError as error:
        if not error.retryable:
            raise
        _print(error, as_json=as_json)
        raise typer.Exit(_TRY_LATER) from None


@contextmanager
def translate_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn what is raised inside into a sentence, or a JSON document, and an exit code."""
    try:
        yield
    except (ValidationError, ConfigurationError) as error:
        _print(error, as_json=as_json)
        raise typer.Exit(2 if error.outcome == "not_sent" else 1) from None
    except SendblueError as error:
        _print(error, as_json=as_json)
        raise typer.Exit(1) from None
    except OSError as error:
        # Python may have given up what it could not print; files have a name, and their own words.
        is_full = error.errno in _FULL and error.filename is None
        is_unwritable = discard_unprinted() or is_full
        if is_unwritable:
            reason = "" if isinstance(error, BrokenPipeError) else error.strerror
            if reason:
                print_error(OSError(f"The output cannot be written: {reason}."))
        elif not isinstance(error, BrokenPipeError):
            _print(error, as_json=as_json)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        # On Python 3.10 anyio reports Ctrl-C as the cancellation that it caused.
        raise typer.Exit(130) from None
