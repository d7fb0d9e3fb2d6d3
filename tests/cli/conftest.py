"""Who runs the program, and where."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sendblue_async.cli import main

from .program import Done, Run, plain


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


@pytest.fixture
def run_here(
    home: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """The program from start to end in this process, which is much quicker than one of its own."""
    monkeypatch.chdir(home["HOME"])

    def run(environment: dict[str, str], *arguments: str) -> Done:
        with monkeypatch.context() as patch:
            for name in os.environ.keys() - environment.keys():
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["sendblue-async", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capfd.readouterr()
        return plain(Done(int(ended.value.code or 0), out, err))

    return run
