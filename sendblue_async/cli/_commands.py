"""The commands: arguments in, one call, output and exit code out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import anyio
import attrs
import typer

from .._version import __version__
from ..client import SendblueClient
from ..exceptions import ConfigurationError, SendblueError, ValidationError
from ..sandbox import Faults, Sandbox
from ._output import print_error, print_json, print_note, print_response

P = ParamSpec("P")

app = typer.Typer(
    help="Create and fetch contacts in Sendblue.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
InSandbox = Annotated[
    bool,
    typer.Option("--sandbox", help="Use a local sandbox made for this command; no account needed."),
]
Number = Annotated[str, typer.Argument(help="Phone number in E.164 form, such as +14155550123.")]


_DIALS = ", ".join(dial.name for dial in attrs.fields(Faults))


def command(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the coroutine to its end and turn what it raises into a sentence and an exit code."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            anyio.run(partial(function, *args, **kwargs))
        except (ValidationError, ConfigurationError) as error:
            print_error(error)
            raise typer.Exit(2) from None
        except BrokenPipeError:
            # Nobody reads on; what is still buffered must not fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (SendblueError, OSError) as error:
            print_error(error)
            raise typer.Exit(1) from None
        except (KeyboardInterrupt, asyncio.CancelledError):
            # On Python 3.10 anyio reports Ctrl-C as the cancellation that it caused.
            raise typer.Exit(130) from None

    return run


@asynccontextmanager
async def _client(sandbox: bool) -> AsyncGenerator[SendblueClient, None]:
    if not sandbox:
        async with SendblueClient() as client:
            yield client
        return
    async with (
        Sandbox() as server,
        SendblueClient(server.api_key, server.api_secret, base_url=server.base_url) as client,
    ):
        yield client


def _variables(pairs: list[str]) -> dict[str, str] | None:
    for pair in pairs:
        if "=" not in pair:
            raise ValidationError(f"--variable takes LABEL=VALUE, not {pair!r}.", field="variable")
    return dict(pair.split("=", 1) for pair in pairs) or None


@app.command()
@command
async def create(
    number: Number,
    first_name: Annotated[str | None, typer.Option(help="First name.")] = None,
    last_name: Annotated[str | None, typer.Option(help="Last name.")] = None,
    assigned_to_email: Annotated[
        str | None, typer.Option(help="E-mail address of the user it is assigned to.")
    ] = None,
    sendblue_number: Annotated[
        str | None, typer.Option(help="The Sendblue line to send with.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given often.")] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=VALUE", help="A custom variable; may be given often."),
    ] = None,
    update_if_exists: Annotated[
        bool, typer.Option("--update-if-exists", help="Update the contact if it exists.")
    ] = False,
    as_json: AsJson = False,
    sandbox: InSandbox = False,
) -> None:
    """Create a contact, and print it as it is stored."""
    async with _client(sandbox) as client:
        response = await client.create_contact(
            number,
            first_name=first_name,
            last_name=last_name,
            assigned_to_email=assigned_to_email,
            sendblue_number=sendblue_number,
            tags=tag or None,
            update_if_exists=update_if_exists or None,
            custom_variables=_variables(variable or []),
        )
    print_response(response, as_json=as_json)


@app.command()
@command
async def get(number: Number, as_json: AsJson = False, sandbox: InSandbox = False) -> None:
    """Print the contact with this number."""
    async with _client(sandbox) as client:
        response = await client.get_contact(number)
    print_response(response, as_json=as_json)


@asynccontextmanager
async def _started(sandbox: Sandbox) -> AsyncGenerator[Sandbox, None]:
    try:
        await sandbox.start()
    except ValueError as error:
        # Its file is not one of its own.
        raise OSError(str(error)) from None
    try:
        yield sandbox
    finally:
        await sandbox.close()


@app.command("sandbox")
@command
async def serve_sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.")] = 8080,
    db: Annotated[
        Path | None, typer.Option(help="SQLite file that keeps the contacts. In memory by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help=f"A fault dial; may be given often. The dials: {_DIALS}."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a local Sendblue on this machine until Ctrl-C."""
    try:
        faults = Faults.parse(fault or [])
    except ValueError as error:
        raise ValidationError(str(error), field="fault") from None
    async with _started(Sandbox(port=port, db=db, seed=seed, faults=faults)) as server:
        environment = {
            "SENDBLUE_API_BASE_URL": server.base_url,
            "SENDBLUE_API_KEY": server.api_key,
            "SENDBLUE_API_SECRET": server.api_secret,
        }
        if as_json:
            print_json(environment)
        else:
            for name, value in environment.items():
                print_note(f"export {name}={value}")
            print_note("# Serving until Ctrl-C.")
        await anyio.sleep_forever()


def _print_version(wanted: bool) -> None:
    if wanted:
        print_note(f"sendblue-async {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Version.")
    ] = False,
) -> None:
    """Create and fetch contacts in Sendblue."""
