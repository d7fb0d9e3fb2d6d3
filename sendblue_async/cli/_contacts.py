"""The commands on contacts: arguments in, one call, output and exit code out."""

from __future__ import annotations

import csv
from contextlib import aclosing
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args

import anyio
import typer

from .._converter import CLEAR
from .._dates import parse_datetime
from ..exceptions import ValidationError
from ..models import ContactUpdate, e164
from ._app import (
    AsJson,
    InSandbox,
    app,
    command,
    open_client,
    parse_number,
)
from ._help import format_examples
from ._listing import open_list
from ._output import print_json, print_note, print_response, print_stderr
from ._prompt import confirm

Number = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER", help="Phone number with + and country code, such as +14155550123."
    ),
]
FirstName = Annotated[str | None, typer.Option(metavar="NAME", help="First name.")]
LastName = Annotated[str | None, typer.Option(metavar="NAME", help="Last name.")]
AssignedToEmail = Annotated[
    str | None,
    typer.Option(metavar="EMAIL", help="The Sendblue user the contact is assigned to."),
]
SendblueNumber = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="The Sendblue line that messages the contact."),
]


def _parse_variables(pairs: list[str] | None) -> dict[str, str] | None:
    for pair in pairs or []:
        if "=" not in pair:
            raise ValidationError(f"--variable takes LABEL=VALUE, not {pair!r}.", field="variable")
    return dict(pair.split("=", 1) for pair in pairs or []) or None


def _parse_tags(words: list[str] | None) -> list[str] | None:
    """Split what was given at its commas, except for those in quotes."""
    rows = csv.reader(words or [], skipinitialspace=True)
    return [tag.strip() for row in rows for tag in row if tag.strip()] or None


@app.command(
    epilog=format_examples(
        "create +14155550123 --first-name Ada --tag vip,lead",
        "create +14155550123 --variable plan=gold --update-if-exists",
    )
)
@command
async def create(
    number: Number,
    first_name: FirstName = None,
    last_name: LastName = None,
    assigned_to_email: AssignedToEmail = None,
    sendblue_number: SendblueNumber = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="A tag, or several: vip,lead. Repeatable."),
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=VALUE", help="A custom variable. Repeatable."),
    ] = None,
    update_if_exists: Annotated[
        bool, typer.Option("--update-if-exists", help="Update the contact if it exists already.")
    ] = False,
    as_json: AsJson = False,
    sandbox: InSandbox = False,
) -> None:
    """Create a contact and print it as stored."""
    async with open_client(sandbox) as client:
        response = await client.create_contact(
            number,
            first_name=first_name,
            last_name=last_name,
            assigned_to_email=assigned_to_email,
            sendblue_number=sendblue_number,
            tags=_parse_tags(tag),
            update_if_exists=update_if_exists or None,
            custom_variables=_parse_variables(variable),
        )
    print_response(response, as_json=as_json)


@app.command(epilog=format_examples("get +14155550123", "get +14155550123 --json"))
@command
async def get(number: Number, as_json: AsJson = False) -> None:
    """Print the contact that has this number."""
    async with open_client() as client:
        response = await client.get_contact(number)
    print_response(response, as_json=as_json)


class Order(str, Enum):
    """The order of a list."""

    ASCENDING = "asc"
    DESCENDING = "desc"

    @property
    def direction(self) -> Literal["asc", "desc"]:
        """The same in the client's words."""
        return "asc" if self is Order.ASCENDING else "desc"


# The service takes no more.
_MAX_LIMIT, _MAX_OFFSET = 1_000, 10_000
SortField = Literal["created_at", "first_name", "firstName", "last_name", "lastName", "phone"]
_SORT_FIELDS = "created_at, first_name, last_name or phone"


def _parse_sort_field(words: str) -> str:
    if words not in get_args(SortField):
        raise typer.BadParameter(f"{words!a} is not {_SORT_FIELDS}.")
    return words


def _parse_time(words: str) -> datetime:
    try:
        return parse_datetime(words)
    except ValueError:
        raise typer.BadParameter(
            f"{words!a} is not an ISO 8601 date or time, such as 2026-01-31T10:30:00Z."
        ) from None


def _refuse_beside_all(**options: object) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise ValidationError(
            f"--all lists every contact, oldest first, and can be combined only with --since; "
            f"leave out {' and '.join(given)}."
        )


@app.command(
    "list",
    epilog=format_examples(
        "list --limit 10",
        "list --order-by phone --order asc",
        "list --all --since 2026-01-31 --json",
    ),
)
@command
async def list_contacts(
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=parse_number(1, _MAX_LIMIT),
            help="Print at most so many, up to 1000. Default: 100.",
        ),
    ] = None,
    offset: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=parse_number(0, _MAX_OFFSET),
            help="Skip so many of the first, up to 10000.",
        ),
    ] = None,
    order_by: Annotated[
        SortField | None,
        typer.Option(
            metavar="FIELD",
            parser=_parse_sort_field,
            help=f"Sort by {_SORT_FIELDS}. Default: created_at.",
        ),
    ] = None,
    order: Annotated[
        Order | None,
        typer.Option(metavar="asc|desc", help="Sort order. Default: desc, newest first."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATETIME",
            parser=_parse_time,
            help="Only contacts created then or later (ISO 8601; UTC unless it has a time zone).",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every contact, oldest first.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each contact as a JSON document on its own line.")
    ] = False,
) -> None:
    """List contacts, one per line."""
    if everything:
        _refuse_beside_all(limit=limit, offset=offset, order_by=order_by, order=order)
    async with open_client() as client:
        with open_list(as_json=as_json) as show:
            if everything:
                async with aclosing(client.iter_contacts(created_at_gte=since)) as contacts:
                    async for contact in contacts:
                        show(contact)
                return
            wanted = 100 if limit is None else limit
            page = await client.list_contacts(
                # One more tells whether there are more.
                limit=min(wanted + 1, _MAX_LIMIT),
                offset=offset,
                order_by=order_by,
                order_direction=order.direction if order else None,
                created_at_gte=since,
            )
            for contact in page.contacts[:wanted]:
                show(contact)
    if len(page.contacts) >= min(wanted + 1, _MAX_LIMIT):
        _tell_of_more((offset or 0) + wanted, certain=len(page.contacts) > wanted)


def _tell_of_more(offset: int, *, certain: bool) -> None:
    way = f"--offset {offset} shows the next, " if offset <= _MAX_OFFSET else ""
    there = "are" if certain else "may be"
    print_stderr(f"There {there} more contacts; {way}--all lists every one.")


class Clearable(str, Enum):
    """A field that an update can clear."""

    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    COMPANY_NAME = "company_name"
    ASSIGNED_TO_EMAIL = "assigned_to_email"
    SENDBLUE_NUMBER = "sendblue_number"
    TAGS = "tags"
    CUSTOM_VARIABLES = "custom_variables"


def _make_changes(clear: list[Clearable] | None, **fields: Any) -> ContactUpdate:
    for name in [field.value for field in clear or []]:
        if fields[name] not in (None, CLEAR):
            option = {"tags": "tag", "custom_variables": "variable"}.get(name, name)
            raise ValidationError(
                f"--{option.replace('_', '-')} and --clear {name} exclude each other; choose one."
            )
        fields[name] = CLEAR
    return ContactUpdate(**fields)


@app.command(
    epilog=format_examples(
        "update +14155550123 --last-name Lovelace",
        "update +14155550123 --clear tags --variable plan=gold",
    )
)
@command
async def update(
    number: Number,
    first_name: FirstName = None,
    last_name: LastName = None,
    company_name: Annotated[str | None, typer.Option(metavar="NAME", help="Company name.")] = None,
    assigned_to_email: AssignedToEmail = None,
    sendblue_number: SendblueNumber = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="A tag, or several: vip,lead. Repeatable. They replace the stored ones.",
        ),
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=VALUE",
            help="A custom variable. Repeatable. Those given are merged into the stored ones.",
        ),
    ] = None,
    opt_out: Annotated[
        bool | None,
        typer.Option(
            "--opt-out/--no-opt-out", help="Whether the contact has opted out of messages."
        ),
    ] = None,
    clear: Annotated[
        list[Clearable] | None,
        typer.Option(
            metavar="FIELD",
            help="A field to clear. Repeatable. One of: "
            + ", ".join(field.value for field in Clearable)
            + ".",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a contact and print it as stored."""
    changes = _make_changes(
        clear,
        first_name=first_name,
        last_name=last_name,
        company_name=company_name,
        assigned_to_email=assigned_to_email,
        sendblue_number=sendblue_number,
        opt_out=opt_out,
        tags=_parse_tags(tag),
        custom_variables=_parse_variables(variable),
    )
    async with open_client() as client:
        response = await client.update_contact(number, changes)
    print_response(response, as_json=as_json)


# Not a coroutine: while an event loop runs, Ctrl-C would not reach a question.
@app.command(
    epilog=format_examples("delete +14155550123 --yes", "delete +14155550123 --yes --missing-ok")
)
@command
def delete(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Succeed if there is no such contact.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the contact that has this number, after asking."""
    number = e164(number)
    if not (yes or confirm(f"Delete the contact {number}?")):
        print_stderr("Nothing was deleted.")
        raise typer.Exit(1)
    anyio.run(_delete, number, missing_ok, as_json)


async def _delete(number: str, missing_ok: bool, as_json: bool) -> None:
    async with open_client() as client:
        response = await client.delete_contact(number, missing_ok=missing_ok)
    if as_json:
        print_json(response.to_dict())
    elif response.meta.status_code == HTTPStatus.NOT_FOUND and not response.meta.settled:
        print_note(f"There was no contact {number}.")
    else:
        print_note(f"Deleted {number}.")


@app.command(epilog=format_examples("count", "count --json"))
@command
async def count(as_json: AsJson = False) -> None:
    """Print the number of contacts."""
    async with open_client() as client:
        response = await client.count_contacts()
    if as_json:
        print_json(response.to_dict())
    else:
        print_note(str(response.count))
