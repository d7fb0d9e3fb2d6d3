"""A store whose reads lag behind its writes, as those of a database with a read replica do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from ._contact import StoredContact
from ._query import ListQuery
from ._store import MemoryStore, Store

__all__ = ["ReplicatedStore"]


class ReplicatedStore:
    """A store, and beside it what reads see: the same contacts as they were some seconds ago.

    It is a :class:`Store` itself, and as such always shows the truth. While reads lag, all
    contacts are kept in memory a second time.

    Args:
        store: The store.
        clock: Seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._lag = 0.0
        self._replica: MemoryStore | None = None
        self._writes: deque[tuple[float, str, StoredContact | None]] = deque()

    @property
    def lag(self) -> float:
        """How many seconds ago reads see the store; may be set at any time."""
        return self._lag

    @lag.setter
    def lag(self, seconds: float) -> None:
        self._lag = seconds
        if not seconds:
            self._replica = None
            self._writes.clear()

    def read_view(self) -> Store:
        """The contacts that a read sees now, which is what was stored ``lag`` seconds ago."""
        replica = self._start_replica()
        if replica is None:
            return self
        seen_until = self._clock() - self._lag
        while self._writes and self._writes[0][0] <= seen_until:
            _, number, contact = self._writes.popleft()
            if contact is None:
                replica.remove(number)
            else:
                replica.put(contact)
        return replica

    def _start_replica(self) -> MemoryStore | None:
        """Start the replica, if reads lag and it is needed for the first time, and return it."""
        if self._lag and self._replica is None:
            self._replica = MemoryStore()
            for number in self._store.numbers():
                contact = self._store.get(number)
                if contact is not None:
                    self._replica.put(contact)
        return self._replica

    def open(self) -> None:
        self._store.open()

    def close(self) -> None:
        self._store.close()

    def exclusive(self) -> AbstractContextManager[None]:
        return self._store.exclusive()

    def get(self, number: str) -> StoredContact | None:
        return self._store.get(number)

    def put(self, contact: StoredContact) -> None:
        replica = self._start_replica()
        self._store.put(contact)
        if replica is not None:
            self._writes.append((self._clock(), contact.phone, contact))

    def remove(self, number: str) -> bool:
        replica = self._start_replica()
        removed = self._store.remove(number)
        if removed and replica is not None:
            self._writes.append((self._clock(), number, None))
        return removed

    def numbers(self) -> list[str]:
        return self._store.numbers()

    def page(self, query: ListQuery) -> list[StoredContact]:
        return self._store.page(query)

    def __len__(self) -> int:
        return len(self._store)
