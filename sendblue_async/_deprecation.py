"""Deprecation warnings that point at the caller, also across threads."""

from __future__ import annotations

import sys
import warnings
from contextvars import ContextVar
from types import FrameType
from typing import Any, NamedTuple

_PACKAGE = __name__.partition(".")[0]


class Place(NamedTuple):
    """A line of a program. Unlike a frame it keeps no local variables alive."""

    filename: str
    line: int
    module: dict[str, Any]

    def __repr__(self) -> str:
        # The globals of the caller's module are nobody's business where locals are shown.
        return f"{self.filename}:{self.line}"

    @classmethod
    def of(cls, frame: FrameType) -> Place:
        """Where a frame is now."""
        return cls(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


blocking_caller: ContextVar[Place | None] = ContextVar("blocking_caller", default=None)
"""The line that made the call under way, where another thread carries it out."""


def warn_deprecated(message: str) -> None:
    """Warn at the line that called this package, as by default Python shows no other warning.

    A call that a task of its own carries out has no such line.
    """
    place = blocking_caller.get() or _caller()
    warnings.warn_explicit(
        message,
        DeprecationWarning,
        place.filename,
        place.line,
        module=place.module.get("__name__"),
        registry=place.module.setdefault("__warningregistry__", {}),
    )


def _caller() -> Place:
    frame = sys._getframe()
    # The code that attrs writes has no module of its own.
    while frame.f_globals.get("__name__", _PACKAGE).partition(".")[0] == _PACKAGE and frame.f_back:
        frame = frame.f_back
    return Place.of(frame)
