"""Short-lived tokens that stand in for the two keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

__all__ = ["TOKENS_PATH", "Tokens", "bearer_token"]

TOKENS_PATH = "/v3/auth/tokens"


def bearer_token(authorization: str) -> str | None:
    """The token of an ``Authorization`` header, or None if it carries none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Tokens:
    """The tokens that a sandbox has issued.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._expiry: dict[str, float] = {}

    def issue(self, lifetime: float) -> dict[str, Any]:
        """Issue a token that is valid for so many seconds, and return it as the API does."""
        now = self._clock()
        self._expiry = {token: end for token, end in self._expiry.items() if end > now}
        token = f"sbt_{secrets.token_urlsafe(32)}"
        self._expiry[token] = now + lifetime
        expires_at = datetime.fromtimestamp(now + lifetime, timezone.utc)
        return {
            "token": token,
            "token_id": secrets.token_hex(8),
            "expires_at": expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "phone_numbers": [],
        }

    def accepts(self, token: str) -> bool:
        """Whether it was issued here and has not expired."""
        return self._clock() < self._expiry.get(token, 0.0)

    def revoke_all(self) -> None:
        """Accept none of the tokens issued so far any more."""
        self._expiry.clear()
