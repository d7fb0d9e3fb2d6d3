"""Deprecation warnings that point at the caller, also across threads."""

from __future__ import annotations

import sys
import warnings
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, NamedTuple

_PACKAGE = __name__.partition(".")[0]


class CallSite(NamedTuple):
    """A line of a program that calls this package. Unlike a frame it keeps no locals alive."""

    code: CodeType
    instruction: int
    module: dict[str, Any]

    def __repr__(self) -> str:
        # Without the globals of the caller's module, should a reporter show locals.
        return f"{self.filename}:{self.line}"

    @classmethod
    def from_frame(cls, frame: FrameType) -> CallSite:
        """Return where a frame is now."""
        return cls(frame.f_code, frame.f_lasti, frame.f_globals)

    @property
    def filename(self) -> str:
        """The file as its module was loaded from."""
        return self.code.co_filename

    @property
    def line(self) -> int:
        """The line in the file; looked for only now, as hardly any call warns."""
        lines = (
            line for start, end, line in self.code.co_lines() if start <= self.instruction < end
        )
        return next(lines, None) or self.code.co_firstlineno


blocking_call_site: ContextVar[CallSite | None] = ContextVar("blocking_call_site", default=None)
"""Where the call in flight was made, if another thread carries it out."""


def warn_deprecated(message: str) -> None:
    """Warn at the line that called this package, as by default Python shows no other warning.

    A call that a task of its own carries out has no such line.
    """
    call_site = blocking_call_site.get() or _find_call_site()
    warnings.warn_explicit(
        message,
        DeprecationWarning,
        call_site.filename,
        call_site.line,
        module=call_site.module.get("__name__"),
        registry=call_site.module.setdefault("__warningregistry__", {}),
    )


def _find_call_site() -> CallSite:
    frame = sys._getframe()
    # The code that attrs writes has no module of its own.
    while frame.f_globals.get("__name__", _PACKAGE).partition(".")[0] == _PACKAGE and frame.f_back:
        frame = frame.f_back
    return CallSite.from_frame(frame)
