"""The program's help and its usage errors, in words for people."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ._errors import print_document
from ._output import plain_warnings
from ._streams import heedless_of_stderr


def format_examples(*commands: str) -> str:
    """Format the end of a command's help: commands to copy, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  sendblue-async {command}" for command in commands)


class Command(TyperCommand):
    """A command whose help names no types of Python."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Put the arguments before the options, each as it is called below."""
        options, *arguments = super().collect_usage_pieces(ctx)
        return [*(piece.strip("{}") for piece in arguments), options]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List the arguments and the options."""
        sections: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                name, words = record
                sections[param.param_type_name].append(
                    (re.sub(r" <\w+>$", "", name), words.removesuffix("  [required]"))
                )
        for title, rows in zip(("Arguments", "Options"), sections.values(), strict=True):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Program(TyperGroup):
    """All commands; refuses a bad value, and warns, in plain words."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **more: Any) -> Any:
        """Run the command; where it takes ``--json``, its usage errors are documents, too."""
        words = [*(sys.argv[1:] if args is None else args)]
        before, _, _ = "\0".join(words).partition("\0--\0")
        try:
            code = super().main(args, *others, **more | {"standalone_mode": False})
        except Exception as error:
            # The class of typer's usage errors has no public name.
            code = getattr(error, "exit_code", None)
            if code is None:
                raise
            usage_error: Any = error
            if "--json" in before.split("\0"):
                print_document("UsageError", usage_error.format_message())
            else:
                with heedless_of_stderr():
                    usage_error.show()
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            with plain_warnings():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            # What checks the values is nothing to people.
            error.message = error.message.removeprefix("Value error, ")
            raise
