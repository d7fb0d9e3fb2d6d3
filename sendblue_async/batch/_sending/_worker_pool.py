"""Workers that pull contacts from a source and send them, so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from ..._clock import Clock
from ..._event_loop import require_asyncio
from ..._rate_limits import CountingRateLimiter
from ...exceptions import (
    AuthenticationError,
    ConfigurationError,
    ContactExistsError,
    PermissionDeniedError,
    SendblueError,
    TLSError,
    UnexpectedRedirectError,
    ValidationError,
)
from ...models import BatchContact, ContactCreate, ContactResponse
from .._contacts import read_fields
from .._results import ContactOutcome, ContactResult
from .._rows import describe_kind
from ._circuit_breaker import CircuitBreaker, Stopped, is_transient, verification_failed
from ._keyed_lock import KeyedLock
from ._options import SendOptions
from ._rate_gate import RateGate

S = TypeVar("S")
T = TypeVar("T")

# What the next contact would meet as well.
FATAL = (
    AuthenticationError,
    ConfigurationError,
    PermissionDeniedError,
    TLSError,
    UnexpectedRedirectError,
)
# How many calls for a contact may fail while others succeed.
_MAX_FAILURES = 10


@frozen(slots=False)
class WithoutCompany:
    """The contact is stored, but the server refused its company.

    Attributes:
        error: Why.
    """

    error: SendblueError


Created: TypeAlias = ContactResponse | WithoutCompany | None


class Create(Protocol):
    """Creates one contact, as :meth:`SendblueClient.create_contact` does."""

    def __call__(
        self, contact: ContactCreate, *, since: float | None
    ) -> Coroutine[Any, Any, Created]:
        """Create the contact, and return it if the results are looked at.

        Args:
            contact: What is to be stored.
            since: When an earlier call began that may have created it, in seconds since the
                epoch; ``None`` if there was none.
        """
        ...


@frozen(slots=False)
class WorkItem(Generic[T]):
    """One contact to send, or why there is none.

    Attributes:
        row: The row that it was made from.
        contact: The contact.
        error: Why no contact that can be sent was made from the row.
        maybe_applied: Whether an earlier call may have stored it.
    """

    row: T
    contact: ContactCreate | None = None
    error: ValidationError | None = None
    maybe_applied: bool = field(default=False, kw_only=True)


def check_source(source: Any) -> None:
    """Refuse as a source what nothing can iterate over, a single contact and mere text.

    Raises:
        ValidationError: If it is one of these.
    """
    if isinstance(source, (str, bytes, Mapping)) or not (
        isinstance(source, (Iterable, AsyncIterable)) or callable(getattr(source, "fetchmany", 0))
    ):
        raise ValidationError(
            "source must be an iterable of contacts or of rows with their fields, a DataFrame or "
            f"a cursor, not {describe_kind(source)}.",
            field="source",
        )


def make_item(row: T, *, update_if_exists: bool | None) -> WorkItem[T]:
    """Make the item for a contact, or for a row of its fields.

    Args:
        row: The contact or the row. An item is returned as it is.
        update_if_exists: Whether it is updated, where it does not say so itself.
    """
    if isinstance(row, WorkItem):
        return row
    try:
        contact = row if isinstance(row, ContactCreate) else BatchContact.read(read_fields(row))
    except ValidationError as error:
        return WorkItem(row, error=error)
    if update_if_exists is not None and contact.update_if_exists is None:
        contact = evolve(contact, update_if_exists=update_if_exists)
    return WorkItem(row, contact)


class WorkerPool:
    """Sends contacts, so many at a time; memory does not grow with how many there are.

    Args:
        create: Creates one contact.
        rate_limiter: When the next call may begin.
        options: How many contacts are in flight at once, and when the workers give up.
        clock: Tells the time, and waits.

    Attributes:
        since: When the first call for a contact may have begun, in seconds since the epoch.
        circuit_breaker: Knows whether the server is available.
    """

    def __init__(
        self,
        create: Create,
        *,
        rate_limiter: CountingRateLimiter,
        options: SendOptions,
        clock: Clock,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.clock = clock
        self.since = clock.time()
        self.concurrency = options.concurrency
        self._create = create
        self._stopping = asyncio.Event()
        # Waits of both end as soon as the workers are to stop. They know nothing else of them: a
        # client is to go with the last reference to its batch, and not wait in a circle.
        stoppable = evolve(clock, sleep=partial(_pause, clock, self._stopping))
        self.circuit_breaker = CircuitBreaker(options.give_up_after, clock=stoppable)
        self._rate_gate = RateGate(rate_limiter, clock=stoppable)
        self._number_lock = KeyedLock()
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Pull nothing more and wait for nothing; calls in flight are finished."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called, or an error ended the work."""
        return self._stopping.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait for so long.

        Raises:
            Stopped: As soon as the workers are to stop.
        """
        await _pause(self.clock, self._stopping, seconds)

    async def results(
        self, source: Iterable[S] | AsyncIterable[S], make_item: Callable[[S], WorkItem[T]]
    ) -> AsyncGenerator[ContactResult[T], None]:
        """Send the rows of the source, and yield the result of each as it finishes.

        Args:
            source: The rows, pulled one at a time.
            make_item: Makes a row's item.

        Raises:
            SendblueError: If no contact can be sent any more, after the results of those that
                were in flight.
        """
        finished: asyncio.Queue[ContactResult[T] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self.concurrency)
        pull = self._make_pull(source)

        async def pull_item() -> WorkItem[T]:
            return make_item(await pull())

        async def on_result(result: ContactResult[T]) -> None:
            await room.acquire()
            finished.put_nowait(result)

        async with self._start(pull_item, on_result) as tasks:
            for task in tasks:
                # Not left to the worker, which may die of anything at any time.
                task.add_done_callback(lambda _: finished.put_nowait(None))
            running = len(tasks)
            while running:
                result = await finished.get()
                if result is None:
                    running -= 1
                else:
                    room.release()
                    yield result
        if self._error is not None:
            raise self._error

    async def run(
        self,
        pull: Callable[[], Awaitable[WorkItem[T]]],
        on_result: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> None:
        """Work until there is nothing to pull any more.

        Args:
            pull: Gives a worker its next item, or raises ``StopAsyncIteration``.
            on_result: Called with the result of an item, before its worker pulls the next.

        Raises:
            SendblueError: As from :meth:`results`.
        """
        async with self._start(pull, on_result) as tasks:
            await asyncio.wait(tasks)
        if self._error is not None:
            raise self._error

    @asynccontextmanager
    async def _start(
        self,
        pull: Callable[[], Awaitable[WorkItem[T]]],
        on_result: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Start the workers, and stop them at the end of the block."""
        require_asyncio()
        tasks = [asyncio.create_task(self._work(pull, on_result)) for _ in range(self.concurrency)]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.rate_limiter.aclose()

    def _make_pull(self, source: Iterable[S] | AsyncIterable[S]) -> Callable[[], Awaitable[S]]:
        """Make a function that gives the next item, and that several may call at once."""
        if isinstance(source, AsyncIterable):
            iterator, lock = aiter(source), asyncio.Lock()

            async def pull() -> S:
                async with lock:
                    # They may have been stopped while this one waited for the lock.
                    if self.stopped:
                        raise StopAsyncIteration
                    return await anext(iterator)

            return pull
        items = iter(source)

        async def pull_now() -> S:
            for item in items:
                return item
            raise StopAsyncIteration

        return pull_now

    async def _work(
        self,
        pull: Callable[[], Awaitable[WorkItem[T]]],
        on_result: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> None:
        try:
            while not self.stopped:
                await on_result(await self._process(await pull()))
        except StopAsyncIteration:
            pass
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.stop()

    async def _process(self, item: WorkItem[T]) -> ContactResult[T]:
        """Send one contact; contacts with one number are sent one by one, in their order."""
        contact = item.contact
        if contact is None:
            return ContactResult(row=item.row, outcome="rejected", error=item.error)
        await self._number_lock.acquire(contact.number)
        try:
            return await self._send_until_final(item, contact)
        finally:
            self._number_lock.release(contact.number)

    async def _send_until_final(
        self, item: WorkItem[T], contact: ContactCreate
    ) -> ContactResult[T]:
        """Call for the contact until it is settled what became of it, or the workers stop."""
        result = partial(ContactResult, row=item.row, contact=contact)
        maybe_applied, failures, answers = item.maybe_applied, 0, 0
        error: SendblueError | None = None
        while not self.stopped:
            create = partial(self._create, contact, since=self.since if maybe_applied else None)
            try:
                await self._rate_gate.wait()
                response = await self.circuit_breaker.call(create)
            except Stopped:
                break
            except SendblueError as caught:
                error = caught
                maybe_applied = maybe_applied or error.outcome == "unknown"
            else:
                if isinstance(response, WithoutCompany):
                    return result(outcome="rejected", error=response.error)
                outcome: ContactOutcome = "stored" if contact.update_if_exists else "created"
                return result(outcome=outcome, response=response)
            if isinstance(error, FATAL) or self.circuit_breaker.gave_up:
                self._fail(error)
                break
            if isinstance(error, ContactExistsError) and not verification_failed(error):
                return result(outcome="existing", error=error)
            if failures == 0 or self.circuit_breaker.answers > answers:
                failures, answers = failures + 1, self.circuit_breaker.answers
            if failures == _MAX_FAILURES or not (is_transient(error) or verification_failed(error)):
                return result(outcome="unknown" if maybe_applied else "rejected", error=error)
        return result(outcome="unknown" if maybe_applied else "skipped", error=error)


async def _pause(clock: Clock, stopping: asyncio.Event, seconds: float) -> None:
    either = [
        asyncio.ensure_future(clock.sleep(seconds)),
        asyncio.ensure_future(stopping.wait()),
    ]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in either:
            wait.cancel()
    if stopping.is_set():
        raise Stopped
