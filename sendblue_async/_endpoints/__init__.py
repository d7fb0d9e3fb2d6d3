"""The endpoints by family: each family is a client that can do what the ones before it can.

They stand on one another: each extends the one that was the last before it, and the one that
is imported here is the last. A new one extends that, and takes its name here.
"""

from __future__ import annotations

from .verified import VerifiedContacts as Endpoints

__all__ = ["Endpoints"]
