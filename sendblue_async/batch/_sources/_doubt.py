"""What only the owner of a source can tell about it."""

from __future__ import annotations

from attrs import frozen


@frozen
class Doubt:
    """Something in a source that can be read in more than one way.

    Attributes:
        code: The same for each doubt of this kind, as a machine reads it.
        message: What is doubtful, how it is read, and the argument that settles it.
    """

    code: str
    message: str
