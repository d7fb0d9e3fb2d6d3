"""The tags in a cell, as many programs write them."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

from ...exceptions import ValidationError

# What Google Contacts puts between the values of one cell, and others.
_GOOGLE = ":::"
_BETWEEN = (_GOOGLE, ";", ",", "|")
# As Python and databases write it: each in quotes, in which a backslash escapes.
_QUOTED = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|None|NULL|nan)\s*(?:,|\Z)""", re.DOTALL
)


def parse_tags(cell: str) -> Any:
    """Parse a list of JSON or Python, or text with ``:::``, ``;``, ``,`` or ``|`` between tags.

    Mailchimp puts each one in quotes, and databases all of them in braces. An empty tag is none.

    Raises:
        ValidationError: If it is a list without an end.
    """
    if cell.startswith("["):
        tags = _parse_list(cell)
    elif cell.startswith("{") and cell.endswith("}"):
        tags = [tag for tag in _parse_items(cell) if tag != "NULL"]
    elif cell.startswith(("('", '("')) and cell.endswith(")"):
        tags = _parse_items(cell)
    else:
        tags = _split(cell)
    # An empty list would take the stored ones away.
    return [tag for tag in tags if tag is not None and tag != ""] or None


def _parse_list(cell: str) -> list[Any]:
    try:
        listed = json.loads(cell)
    except (ValueError, RecursionError):
        if not cell.endswith("]"):
            raise ValidationError("tags must be a whole list.", field="tags") from None
        return _parse_items(cell)
    return [tag if not isinstance(tag, str) or tag.strip() else None for tag in listed]


def _parse_items(cell: str) -> list[str]:
    """Parse what stands in brackets."""
    inside = cell[1:-1]
    items, end = [], 0
    while match := _QUOTED.match(inside, end):
        items.append(re.sub(r"\\(.)", r"\1", match[1] or match[2] or "").strip())
        end = match.end()
    return _split(inside) if end < len(inside) else list(dict.fromkeys(items))


def _split(text: str) -> list[str]:
    between = next((sign for sign in _BETWEEN if sign in text), ",")
    text = text.strip()
    quote = "'" if text[:1] == text[-1:] == "'" else '"'
    if quote in text and between != _GOOGLE:
        line = " ".join(text.splitlines())
        options: dict[str, Any] = {"delimiter": between, "quotechar": quote}
        parts = next(csv.reader([line], skipinitialspace=True, **options))
    else:
        parts = text.split(between)
    tags = [tag.strip() for tag in parts]
    if all(len(tag) > 1 and tag[0] in "“„" and tag[-1] in "”“" for tag in tags):
        tags = [tag[1:-1] for tag in tags]
    # Google's own groups, such as "* myContacts", are none of the user's.
    return list(dict.fromkeys(tag for tag in tags if not tag.startswith("* ")))
