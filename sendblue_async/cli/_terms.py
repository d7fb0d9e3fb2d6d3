"""What the library calls things, and what the command line calls them."""

from __future__ import annotations

import re
from collections.abc import Callable


def _name_option(match: re.Match[str]) -> str:
    name, words = match.groups()
    return f"--{name.replace('_', '-')} {_GIVEN.get(words, words)}"


# What is said of a flag, whose values mean nothing on the command line.
_GIVEN = {
    "was 'False' and is 'True' now": "was left out and is given now",
    "was 'True' and is 'False' now": "was given and is left out now",
}
# What errors call things, such as the library's arguments, and what the command line calls them.
_TERMS: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"\(--resume, or resume=True in Python\)": "(--resume)",
    # The settings of an earlier run, in a list of those that differ.
    r"(?<=[:,] )(update_if_exists|only_changes|region|on_duplicate|all_numbers|encoding|delimiter"
    r"|sheet)"
    r" (was (?:not given|'.*?'|\".*?\") and is (?:not given|'.*?'|\".*?\") now)": _name_option,
    r"^\[Errno \d+\] ": "",
    r"^(Cannot listen on .* in use)$": r"\1. Choose another port with --port.",
    r"\bupdate_if_exists=True\b": "--update-if-exists",
    r"^only_changes needs": "--only-changes needs",
    r"\baccept_doubts=True\b": "--yes",
    r"leave out bulk or update_if_exists\b": "leave out --bulk or --update-if-exists",
    r"^(region|concurrency|give_up_after|sendblue_number) (must)\b": _name_option,
    r"\bset base_url \(SENDBLUE_API_BASE_URL\)": "set SENDBLUE_API_BASE_URL",
    r"\bit is not an argument, not in\b": "it is not in",
    r"use https, or pass allow_http=True if that is what you want\b": "use https",
    r"\bLeave the (delimiter|encoding|sheet) out\b": r"Leave out --\1",
    r"\bencoding='([\w-]+)'": r"--encoding \1",
    r"\bcolumns=\{(.+?): '([\w.]+)'\}": r"--map \1=\2",
}


def translate(words: str) -> str:
    """Say an error of the library in the command line's terms."""
    for said, meant in _TERMS.items():
        words = re.sub(said, meant, words)
    return words
