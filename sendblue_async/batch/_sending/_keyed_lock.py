"""A lock for each key, for the contacts of one number."""

from __future__ import annotations

import asyncio
from collections import deque


class KeyedLock:
    """Lets one caller in at a time for each key, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def acquire(self, key: str) -> None:
        """Wait until nobody who came before holds this key; :meth:`release` must follow."""
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Let in at the very moment at which it is cancelled.
            if not turn.cancelled():
                self.release(key)
            raise

    def release(self, key: str) -> None:
        """Let in the caller that came next."""
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]
