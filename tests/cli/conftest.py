"""Who runs the program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has a home folder and no account."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE")}
    python = os.environ.get("PYTHONPATH", "")
    return kept | {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": python,
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "error",
    }
