"""What the commands print: lines for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from ..exceptions import ConfigurationWarning
from ..models import ContactResponse
from ._streams import heedless_of_stderr
from ._terms import translate


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on one line of standard output, in characters that it can encode."""
    text = json.dumps(document, ensure_ascii=False)
    # What could control a terminal is legal in a JSON string, and so is its escape.
    text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document)
    print_note(text)


def print_note(line: str) -> None:
    """Print a line on standard output, with what could control a terminal escaped."""
    print(_escape_unencodable(_escape_control(line), sys.stdout.encoding), flush=True)


def print_stderr(line: str, end: str = "\n") -> None:
    """Print a line on standard error, for people: no part of the output."""
    _print(Text(_escape_control(line)), to_stderr=True, end=end)


def print_above_bar(line: str, console: Console) -> None:
    """Print a line above the progress bar of a console."""
    console.print(
        Text(_escape_unencodable(_escape_control(line), console.encoding)), soft_wrap=True
    )


def print_error(error: BaseException) -> None:
    """Print an error on standard error, in the command line's terms."""
    _print(Text(_escape_control(translate(str(error))), style="red"), to_stderr=True)


def can_print(text: str) -> bool:
    """Return whether standard error can encode the text."""
    encoding = Console(stderr=True).encoding
    return _escape_unencodable(text, encoding) == text


def print_response(response: ContactResponse, *, as_json: bool) -> None:
    """Print a contact: a JSON document, or a line for each field that has a value."""
    if as_json:
        print_json(response.to_dict())
        return
    fields = {
        _escape_control(name): _escape_control(_format_value(value))
        for name, value in response.contact.to_dict().items()
        if value not in (None, [], {})
    }
    width = max(map(len, fields), default=0)
    for name, words in fields.items():
        _print(Text.assemble((name.ljust(width), "bold"), "  ", words))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings of settings in the block without the line of code behind them."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *others: Any, **more: Any) -> None:
        if issubclass(category, ConfigurationWarning):
            print_stderr(str(message))
        else:
            before(message, category, *others, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def format_printable(value: Any) -> str:
    """Format a value for people, in harmless characters that standard output can encode."""
    return _escape_unencodable(_escape_control(_format_value(value)), sys.stdout.encoding)


def format_count(number: int, noun: str, width: int = 0) -> str:
    """Format a number of things: ``1 entry``, ``2 entries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:>{width}} {noun if number == 1 else plural}"


def format_duration(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds: ``1:02:03``."""
    return str(timedelta(seconds=math.ceil(seconds)))


def _print(text: Text, *, to_stderr: bool = False, end: str = "\n") -> None:
    console = Console(stderr=to_stderr, soft_wrap=True)
    text.plain = _escape_unencodable(text.plain, console.encoding)
    with heedless_of_stderr() if to_stderr else nullcontext():
        console.print(text, end=end)
        console.file.flush()


def _escape_unencodable(text: str, encoding: str) -> str:
    """Escape what an encoding cannot encode; three dots need none."""
    text = text if encoding.lower().startswith("utf") else text.replace("…", "...")
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _format_value(value: Any) -> str:
    """Format a value for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{label}={text}" for label, text in value.items())
    return str(value)


def _escape_control(text: str) -> str:
    """Escape what could control a terminal; the text may come from anywhere."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
