"""The libraries that only files need, imported when one is read."""

from __future__ import annotations

import importlib
from typing import Any

from ...exceptions import ConfigurationError


def import_library(name: str, *, extra: str = "batch") -> Any:
    """Import a module of an extra.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        files = "Workbooks" if extra == "excel" else "Files"
        library = name.partition(".")[0].replace("_", "-")
        raise ConfigurationError(
            f"{files} need {library}, which is not installed. Run in your clone of "
            f"sendblue-async: pip install '.[{extra}]'"
        ) from error
