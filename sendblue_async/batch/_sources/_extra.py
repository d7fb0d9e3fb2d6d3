"""The libraries that only files need, imported when one is read."""

from __future__ import annotations

import importlib
from typing import Any

from ...exceptions import ConfigurationError


def import_library(name: str) -> Any:
    """A module of the extra ``batch``.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"Files are imported with {name.partition('.')[0]}, which is not installed. Run: "
            "pip install 'sendblue-async[batch]'"
        ) from error
