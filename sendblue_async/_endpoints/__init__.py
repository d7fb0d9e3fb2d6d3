"""The endpoints, a module for each family of them.

Families stand on one another: each is a client that extends the one below it. So the clients have
one base, however many families there are. The topmost is imported here; a new family extends that
one, and is imported in its place.
"""

from __future__ import annotations

from .verified import VerifiedContacts as Endpoints

__all__ = ["Endpoints"]
