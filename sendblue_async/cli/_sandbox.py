"""The command `sandbox`: a local Sendblue to try things on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import anyio
import attrs
import typer

from ..exceptions import ValidationError
from ..sandbox import Faults, Sandbox
from ._app import AsJson, app, local_command, parse_number, parse_path
from ._help import format_examples
from ._output import print_json, print_note

_DIALS = ", ".join(dial.name for dial in attrs.fields(Faults))


class Spelling(str, Enum):
    """The names of a contact's fields in answers."""

    BOTH = "both"
    SNAKE = "snake"
    CAMEL = "camel"


@asynccontextmanager
async def _run(sandbox: Sandbox) -> AsyncGenerator[Sandbox, None]:
    try:
        await sandbox.start()
    except ValueError as error:
        # Its file is not one of its own.
        raise OSError(str(error)) from None
    try:
        yield sandbox
    finally:
        await sandbox.close()


@app.command(
    "sandbox",
    epilog=format_examples("sandbox", "sandbox --db contacts.db --fault reset=0.1 --port 0"),
)
@local_command
async def serve_sandbox(
    port: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=parse_number(0, 65535),
            show_default=False,
            help="Port, or 0 for any free one. Default: 8080.",
        ),
    ] = 8080,
    db: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            parser=parse_path,
            help="SQLite file that keeps the contacts. Default: in memory only.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=parse_number(0),
            show_default=False,
            help="The same seed gives the same faults. Default: 0.",
        ),
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help=f"A fault to simulate. Repeatable. The dials: {_DIALS}."
        ),
    ] = None,
    spelling: Annotated[
        Spelling,
        typer.Option(
            metavar="both|snake|camel",
            show_default=False,
            help="Names in answers: snake is first_name, camel firstName, both as live "
            "answers. Default: both.",
        ),
    ] = Spelling.BOTH,
    as_json: AsJson = False,
) -> None:
    """Serve a local Sendblue on this machine until Ctrl-C."""
    try:
        faults = Faults.parse(fault or [])
    except ValueError as error:
        raise ValidationError(str(error), field="fault") from None
    sandbox = Sandbox(port=port, db=db, seed=seed, faults=faults, spelling=spelling.value)
    async with _run(sandbox) as server:
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
