"""What the library calls things, and what the command line calls them."""

from __future__ import annotations

import re
from collections.abc import Callable


def _name_option(match: re.Match[str]) -> str:
    name, words = match.groups()
    return f"--{name.replace('_', '-')} {_GIVEN.get(words, words)}"


def _name_flag(match: re.Match[str]) -> str:
    return f"--{match[1].replace('_', '-')}"


def _name_value(match: re.Match[str]) -> str:
    return f"{_name_flag(match)} {match[2] or match[3]}"


# What is said of a flag, whose values mean nothing on the command line.
_GIVEN = {
    "was 'False' and is 'True' now": "was left out and is given now",
    "was 'True' and is 'False' now": "was given and is left out now",
}
_FLAGS = "update_if_exists|only_changes|all_numbers|bulk|resume|start_over"
_VALUES = (
    "region|on_duplicate|encoding|delimiter|sheet|format|concurrency|give_up_after|journal|rejected"
    "|results|first_name|last_name|company_name|assigned_to_email|sendblue_number"
)
# What errors call things, such as the library's arguments, and what the command line calls them.
_TERMS: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"\((--[a-z-]+), or [a-z_]+=True in Python\)": r"(\1)",
    # The settings of an earlier run, in a list of those that differ.
    r"(?<=[:,] )(update_if_exists|only_changes|region|on_duplicate|all_numbers|encoding|delimiter"
    r"|sheet)"
    r" (was (?:not given|'.*?'|\".*?\") and is (?:not given|'.*?'|\".*?\") now)": _name_option,
    r"(?<=[:,] )header was 'True' and is 'False' now": "--no-header was left out and is given now",
    r"(?<=[:,] )header was 'False' and is 'True' now": "--no-header was given and is left out now",
    r"^\[Errno \d+\] ": "",
    r"^(Cannot listen on .* in use)$": r"\1. Choose another port with --port.",
    # Arguments as a program passes them, and as the command line does.
    rf"\b({_FLAGS})=True\b": _name_flag,
    rf"\b({_VALUES})=(?:'([^']+)'|(\w+))": _name_value,
    r"\bpass overwrite=True to replace it\b": "replace it with --force",
    r"\bor give a format: .*": "or give --format.",
    r"^only_changes needs": "--only-changes needs",
    r"\baccept_doubts=True\b": "--yes",
    r"leave out bulk or update_if_exists\b": "leave out --bulk or --update-if-exists",
    rf"^({_VALUES}) (must|is empty|has)\b": _name_option,
    r"^tags (must)\b": r"--tag \1",
    r"^custom_variables (must be a mapping)": r"--variable \1",
    r"\boffset and created_at_gte\b": "paging and --since",
    r"\bset base_url \(SENDBLUE_API_BASE_URL\)": "set SENDBLUE_API_BASE_URL",
    r"\bit is not an argument, not in\b": "it is not in",
    r"use https, or pass allow_http=True if that is what you want\b": "use https",
    r"\bPass header=False and\b": "Give --no-header and",
    r"\bhas no header\. Leave the header out\b": "needs no --no-header. Leave it out",
    r"\bLeave the (delimiter|encoding|sheet) out\b": r"Leave out --\1",
    r"\bcolumns=\{(.+?): '([\w.]+)'\}": r"--map \1=\2",
}


def translate(words: str) -> str:
    """Say an error of the library in the command line's terms."""
    for said, meant in _TERMS.items():
        words = re.sub(said, meant, words)
    return words
