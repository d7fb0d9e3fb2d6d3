"""Deprecation warnings that point at the caller, also across threads."""

from __future__ import annotations

import warnings
from contextvars import ContextVar
from types import FrameType

blocking_caller: ContextVar[FrameType | None] = ContextVar("blocking_caller", default=None)
"""The frame that made the call under way, where another thread carries it out."""


def warn_deprecated(message: str, stacklevel: int) -> None:
    """Warn at the line of the caller, whom Python shows the warning only if it is there.

    Args:
        message: What is deprecated, and what to use.
        stacklevel: Which caller is meant, as for :func:`warnings.warn`; 1 calls this function.
    """
    frame = blocking_caller.get()
    if frame is None:
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)
    else:
        warnings.warn_explicit(
            message,
            DeprecationWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=frame.f_globals.get("__name__"),
            registry=frame.f_globals.setdefault("__warningregistry__", {}),
        )
