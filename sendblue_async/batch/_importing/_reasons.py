"""What an error says, without anything of the contact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..._redaction import redact_numbers
from ...exceptions import SendblueError
from ...models import ContactCreate

_WORD = re.compile(r"\w+")


def describe_error(error: SendblueError, contact: ContactCreate) -> str:
    """Return the error's words, with every value of the contact replaced by an ellipsis."""
    values = " ".join(map(str, _leaves(contact.to_dict()))).casefold()
    sent = {*_WORD.findall(values)} - {"true", "false"}
    return _WORD.sub(
        lambda word: "…" if word[0].casefold() in sent else word[0], redact_numbers(str(error))
    )


def _leaves(value: Any) -> Iterator[Any]:
    """Iterate over all values in a document, without their keys."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from _leaves(item)
