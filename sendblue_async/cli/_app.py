"""The program, and what its commands share."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
import typer
from attrs import frozen

from .._options import Timeouts
from .._version import __version__
from ..client import SendblueClient
from ..sandbox import Sandbox
from ._errors import translate_errors
from ._help import Command, Program
from ._output import print_note
from ._waiting import tell_all, tell_of_calls

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_PURPOSE = "Create, list, change and delete contacts in Sendblue."

_EPILOG = """\b
The account's keys are read from SENDBLUE_API_KEY and SENDBLUE_API_SECRET.
Try it without an account: sendblue-async create +14155550123 --sandbox

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 75 an import to try later,
130 Ctrl-C.
"""


class _App(typer.Typer):
    def command(self, name: str | None = None, **more: Any) -> Callable[[F], F]:
        return super().command(name, **{"cls": Command, **more})


app = _App(
    cls=Program,
    help=_PURPOSE,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result, or the error, as one JSON document.")
]
InSandbox = Annotated[
    bool,
    typer.Option("--sandbox", help="Try the command on a local sandbox; needs no account."),
]


def parse_path(text: str) -> Path:
    """Parse the name of a file; an empty one would be the current folder.

    Of all names, only ``-`` itself stands for a standard stream.
    """
    if not text:
        raise typer.BadParameter("It is empty; name a file.")
    path = Path(text)
    return path if text == str(path) or str(path) != "-" else Path.cwd() / path


def parse_output(text: str) -> Path:
    """Parse the name of a file that is written beside what standard output gets."""
    if text == "-":
        raise typer.BadParameter("It must be a file, not standard output.")
    return parse_path(text)


def parse_number(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Make the parser of an option that takes a whole number."""
    bounds = f"of at least {least}" if most == math.inf else f"from {least} to {most}"

    def parse(words: str) -> int:
        with suppress(ValueError):
            if least <= (number := int(words)) <= most:
                return number
        raise typer.BadParameter(f"It must be a whole number {bounds}, not {words!a}.")

    return parse


@frozen
class _CallOptions:
    """The options of every command that makes calls."""

    verbose: bool = False
    timeout: float | None = None


_call_options: ContextVar[_CallOptions] = ContextVar("call_options")


def parse_seconds(words: str) -> float:
    """Parse an option that takes seconds."""
    with suppress(ValueError):
        if 0 < (seconds := float(words)) < math.inf:
            return seconds
    raise typer.BadParameter(f"It must be a number of seconds above 0, not {words!a}.")


def _declare_call_options(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each request and each retry.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            parser=parse_seconds,
            help="How long a call may take, retries included. Default: 60.",
        ),
    ] = None,
) -> _CallOptions:
    return _CallOptions(verbose, timeout)


def command(function: Callable[P, Coroutine[Any, Any, None] | None]) -> Callable[..., None]:
    """Make a command of a function that makes calls, and give it the options that all such have.

    It ends with the exit code of how the function ended.
    """
    own, shared = (
        inspect.signature(each, eval_str=True) for each in (function, _declare_call_options)
    )

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        given: Any = {name: kwargs.pop(name) for name in shared.parameters if name in kwargs}
        _call_options.set(_declare_call_options(**given))
        local_command(function)(*args, **kwargs)

    parameters = [*own.parameters.values(), *shared.parameters.values()]
    # What typer makes the options from.
    run.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    )
    return run


def local_command(function: Callable[P, Coroutine[Any, Any, None] | None]) -> Callable[P, None]:
    """Make a command of a function, with the exit code of how it ended."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with translate_errors(as_json=bool(kwargs.get("as_json"))):
            if inspect.iscoroutinefunction(function):
                anyio.run(partial(function, *args, **kwargs))
            else:
                function(*args, **kwargs)

    return run


@asynccontextmanager
async def open_client(
    sandbox: bool = False, *, shows_progress: bool = False
) -> AsyncGenerator[SendblueClient, None]:
    """Open a client of the account in the environment, or of a sandbox that ends with the block.

    Args:
        sandbox: Whether it is a sandbox.
        shows_progress: Whether the command itself shows what it waits for.
    """
    options = _call_options.get(_CallOptions())
    timeouts = Timeouts() if options.timeout is None else Timeouts(total=options.timeout)
    async with AsyncExitStack() as stack:
        if sandbox:
            server = await stack.enter_async_context(Sandbox())
            client = SendblueClient(
                server.api_key, server.api_secret, base_url=server.base_url, timeouts=timeouts
            )
        else:
            client = SendblueClient(timeouts=timeouts)
        if not shows_progress:
            await stack.enter_async_context(tell_of_calls(verbose=options.verbose))
        elif options.verbose:
            stack.enter_context(tell_all())
        yield await stack.enter_async_context(client)


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
