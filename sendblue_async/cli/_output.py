"""What the commands print: text for people on a terminal or in a pipe, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..models import ContactResponse


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on one line of standard output."""
    print(json.dumps(document, ensure_ascii=False), flush=True)


def print_note(line: str) -> None:
    """A line on standard output, as it is."""
    print(line, flush=True)


def print_error(error: BaseException) -> None:
    """An error as one or two plain sentences on standard error."""
    Console(stderr=True, soft_wrap=True).print(_plain(str(error)), style="red")


def print_response(response: ContactResponse, *, as_json: bool) -> None:
    """A contact: a JSON document, or a line for each field that has a value."""
    if as_json:
        print_json(response.to_dict())
        return
    table = Table.grid(padding=(0, 2))
    for name, value in response.contact.to_dict().items():
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        elif isinstance(value, dict):
            value = ", ".join(f"{label}={text}" for label, text in value.items())
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        table.add_row(Text(name, style="bold"), _plain(str(value)))
    Console(soft_wrap=True).print(table)


def _plain(text: str) -> Text:
    """The text with what could steer a terminal made visible; it may come from anywhere."""
    return Text("".join(char if char.isprintable() else ascii(char)[1:-1] for char in text))
