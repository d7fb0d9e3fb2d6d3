"""Values that no cell can hold as they are, such as one that ends in a space.

An export writes them into a column of their own: a JSON object that has, for a field, the value as
the cell of that field reads and the value that it stands for. A cell that somebody has changed
since reads otherwise, and counts as it stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exceptions import ValidationError

EXACT = "exact_values"
"""The name of the column."""


def format_exact(pairs: Mapping[str, tuple[Any, Any]]) -> str:
    """Format the cell of that column.

    Args:
        pairs: The value that is read and the one that it stands for, by field.
    """
    return json.dumps(pairs, separators=(",", ":")) if pairs else ""


def restore_exact(fields: dict[str, Any], cell: str) -> None:
    """Put the values that a cell of that column holds in the place of those they stand for.

    Raises:
        ValidationError: If it holds something else.
    """
    try:
        pairs = json.loads(cell)
        restored = {
            name: value for name, (read, value) in pairs.items() if fields.get(name) == read
        }
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise ValidationError(f"{EXACT} must be as it was exported.", field=EXACT) from None
    fields.update(restored)
