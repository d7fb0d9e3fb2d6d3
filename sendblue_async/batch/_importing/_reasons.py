"""Why a contact was not stored, in words that show nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..._redaction import redact_numbers
from ...exceptions import SendblueError
from ...models import ContactCreate

_WORD = re.compile(r"\w+")


def reason_of(error: SendblueError, contact: ContactCreate) -> str:
    """Why a contact was not stored, in words that show nothing of it."""
    values = " ".join(map(str, _leaves(contact.to_dict()))).casefold()
    sent = {*_WORD.findall(values)} - {"true", "false"}
    return _WORD.sub(
        lambda word: "…" if word[0].casefold() in sent else word[0], redact_numbers(str(error))
    )


def _leaves(value: Any) -> Iterator[Any]:
    """All values in a document, without the names that they have in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from _leaves(item)
