"""The program, what its commands share, and its exit codes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import anyio
import typer
from typer.core import TyperGroup

from .._version import __version__
from ..client import SendblueClient
from ..exceptions import ConfigurationError, SendblueError, ValidationError
from ..sandbox import Sandbox
from ._output import plain_warnings, print_error, print_note
from ._streams import discard_unprinted

P = ParamSpec("P")

_PURPOSE = "Create, list, change and delete contacts in Sendblue."

_EPILOG = """\b
The keys of the account are read from SENDBLUE_API_KEY and SENDBLUE_API_SECRET.
Try it without an account: sendblue-async create +14155550123 --sandbox

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 Ctrl-C.
"""

# What typer says of a bad value, in the words of its checks, and what people are told.
_TERMS = {
    r"^Value error, ": "",
    r"^Input should be a valid integer.*": "It must be a whole number.",
    r"^Input should be a valid number.*": "It must be a number.",
    r"^Input should be less than or equal to (\S+)$": r"It must be at most \1.",
    r"^Input should be greater than or equal to (\S+)$": r"It must be at least \1.",
}


class _Program(TyperGroup):
    """All commands; refuses a bad value, and warns, in plain words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with plain_warnings():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            for said, meant in _TERMS.items():
                error.message = re.sub(said, meant, error.message)
            raise


app = typer.Typer(
    cls=_Program,
    help=_PURPOSE,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
InSandbox = Annotated[
    bool,
    typer.Option("--sandbox", help="Try the command on a local sandbox; needs no account."),
]


def format_examples(*commands: str) -> str:
    """Format the end of a command's help: commands to copy, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  sendblue-async {command}" for command in commands)


def parse_path(text: str) -> Path:
    """Parse the name of a file; an empty one would be the current folder."""
    if not text:
        raise typer.BadParameter("It is empty; name a file.")
    return Path(text)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what is raised inside into a sentence and an exit code."""
    try:
        yield
    except (ValidationError, ConfigurationError) as error:
        print_error(error)
        raise typer.Exit(2 if error.outcome == "not_sent" else 1) from None
    except SendblueError as error:
        print_error(error)
        raise typer.Exit(1) from None
    except OSError as error:
        discard_unprinted()
        if not isinstance(error, BrokenPipeError):
            print_error(error)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        # On Python 3.10 anyio reports Ctrl-C as the cancellation that it caused.
        raise typer.Exit(130) from None


def command(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a command of a coroutine function, with the exit code of how it ended."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with translate_errors():
            anyio.run(partial(function, *args, **kwargs))

    return run


@asynccontextmanager
async def open_client(sandbox: bool) -> AsyncGenerator[SendblueClient, None]:
    """Open a client of the account in the environment, or of a sandbox that ends with the block."""
    if not sandbox:
        async with SendblueClient() as client:
            yield client
        return
    async with (
        Sandbox() as server,
        SendblueClient(server.api_key, server.api_secret, base_url=server.base_url) as client,
    ):
        yield client


def _print_version(wanted: bool) -> None:
    if wanted:
        print_note(f"sendblue-async {__version__}")
        raise typer.Exit


@app.callback(help=_PURPOSE, epilog=_EPILOG)
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before the command."""
