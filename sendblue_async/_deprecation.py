"""Deprecation warnings that point at the caller, also across threads."""

from __future__ import annotations

import warnings
from contextvars import ContextVar
from types import FrameType
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A line of a program. Unlike a frame it keeps no local variables alive."""

    filename: str
    line: int
    module: dict[str, Any]

    @classmethod
    def of(cls, frame: FrameType) -> Place:
        """Where a frame is now."""
        return cls(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


blocking_caller: ContextVar[Place | None] = ContextVar("blocking_caller", default=None)
"""The line that made the call under way, where another thread carries it out."""


def warn_deprecated(message: str, stacklevel: int) -> None:
    """Warn at the line of the caller, as by default Python shows no other such warning.

    A call that a task of its own carries out has no such line.

    Args:
        message: What is deprecated, and what to use.
        stacklevel: Which caller is meant, as for :func:`warnings.warn`; 1 calls this function.
    """
    place = blocking_caller.get()
    if place is None:
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)
    else:
        warnings.warn_explicit(
            message,
            DeprecationWarning,
            place.filename,
            place.line,
            module=place.module.get("__name__"),
            registry=place.module.setdefault("__warningregistry__", {}),
        )
