"""The command line, ``sendblue-async``; it needs the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted by Ctrl-C.
    """
    try:
        # Each adds its commands to the program, and the help lists them in this order.
        from . import _contacts, _import, _sandbox  # noqa: F401
        from ._app import app
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.exit(
            f"The command line needs the package {error.name}; "
            "install it with: pip install 'sendblue-async[cli]'"
        )
    app(prog_name="sendblue-async")
