"""Workers that pull contacts from a source and send them, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from attrs import evolve, field, frozen

from ..._checks import checked_count
from ..._clock import Clock
from ..._event_loop import require_asyncio
from ..._rate_limits import RateLimiter
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
from ...models import ContactCreate, ContactResponse
from .._results import ContactOutcome, ContactResult
from ._circuit_breaker import Outage, Stopped, is_transient, verification_failed
from ._rate_gate import Lanes, Turns

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
# How often a contact is called for in vain while others succeed.
_TRIES = 10


class Create(Protocol):
    """Creates one contact, as :meth:`SendblueClient.create_contact` does."""

    async def __call__(
        self, contact: ContactCreate, *, since: float | None
    ) -> ContactResponse | None:
        """The stored contact, if anybody wants to see it.

        Args:
            contact: What is to be stored.
            since: When an earlier call began that may have created it, in seconds since the
                epoch; ``None`` if there was none.
        """
        ...


@frozen(slots=False)
class Job(Generic[T]):
    """One contact to be sent, or why there is none.

    Attributes:
        row: What it was made from.
        contact: The contact.
        error: Why the row is no contact that can be sent.
        maybe_applied: Whether an earlier call may have stored it.
    """

    row: T
    contact: ContactCreate | None = None
    error: ValidationError | None = None
    maybe_applied: bool = field(default=False, kw_only=True)


def rows_of(source: Any) -> Any:
    """The source, if it is one.

    Raises:
        ValidationError: If it is nothing to iterate over, a single contact or mere text.
    """
    if isinstance(source, (str, bytes, Mapping)) or not isinstance(
        source, (Iterable, AsyncIterable)
    ):
        raise ValidationError(
            "source must be an iterable of contacts or of mappings of their fields, "
            f"not {type(source).__name__}.",
            field="source",
        )
    return source


def job_of(row: T, *, update_if_exists: bool | None) -> Job[T]:
    """The job of a contact, or of a mapping of its fields.

    Args:
        row: The contact or the mapping, or the job itself.
        update_if_exists: Whether it is updated, where it does not say so itself.
    """
    if isinstance(row, Job):
        return row
    try:
        contact = row if isinstance(row, ContactCreate) else ContactCreate.from_dict(row)  # type: ignore[arg-type]
    except ValidationError as error:
        return Job(row, error=error)
    if update_if_exists is not None and contact.update_if_exists is None:
        contact = evolve(contact, update_if_exists=update_if_exists)
    return Job(row, contact)


class Workers:
    """Sends contacts, so many at a time; memory does not grow with how many there are.

    Args:
        create: Creates one contact.
        rate_limiter: When the next call may begin.
        give_up_after: Seconds without any success after which they stop.
        concurrency: Contacts under way at once.
        clock: Tells the time, and waits.

    Attributes:
        since: When the first call for a contact may have begun, in seconds since the epoch.
    """

    def __init__(
        self,
        create: Create,
        *,
        rate_limiter: RateLimiter,
        give_up_after: float,
        concurrency: int,
        clock: Clock,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.clock = clock
        self.since = clock.time()
        self.concurrency = checked_count("concurrency", concurrency)
        self._create = create
        # Told to stop, they wait no longer.
        waits = evolve(clock, sleep=self._pause)
        self._turns = Turns(rate_limiter, clock=waits)
        self._outage = Outage(give_up_after, clock=waits)
        self._stopping = asyncio.Event()
        self._error: BaseException | None = None
        self._lanes = Lanes()

    def stop(self) -> None:
        """Pull nothing more and wait for nothing; a call that is under way is finished."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether they were told to stop."""
        return self._stopping.is_set()

    @property
    def outage(self) -> Outage:
        """The trouble that all calls share, if there is any."""
        return self._outage

    async def _pause(self, seconds: float) -> None:
        """Wait for so long.

        Raises:
            Stopped: As soon as the workers are told to stop.
        """
        either = [
            asyncio.ensure_future(self.clock.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in either:
                wait.cancel()
        if self.stopped:
            raise Stopped

    async def results(
        self, source: Iterable[S] | AsyncIterable[S], job_of: Callable[[S], Job[T]]
    ) -> AsyncGenerator[ContactResult[T], None]:
        """What became of each row of the source, as they finish.

        Args:
            source: The rows, pulled one at a time.
            job_of: Makes a row's job.

        Raises:
            SendblueError: If no contact can be sent any more, after the results of those that
                were under way.
        """
        finished: asyncio.Queue[ContactResult[T] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self.concurrency)
        pull = self._pulling(source)

        async def pull_job() -> Job[T]:
            return job_of(await pull())

        async def hand_over(result: ContactResult[T]) -> None:
            await room.acquire()
            finished.put_nowait(result)

        async with self._at_work(pull_job, hand_over) as tasks:
            for task in tasks:
                # Not left to the worker, which may die of anything at any time.
                task.add_done_callback(lambda _: finished.put_nowait(None))
            at_work = len(tasks)
            while at_work:
                result = await finished.get()
                if result is None:
                    at_work -= 1
                else:
                    room.release()
                    yield result
        if self._error is not None:
            raise self._error

    async def run(
        self,
        pull: Callable[[], Awaitable[Job[T]]],
        hand_over: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> None:
        """Work until there is nothing to pull any more.

        Args:
            pull: Gives a worker its next job, or raises ``StopAsyncIteration``.
            hand_over: Is given what became of it, before its worker pulls anything else.

        Raises:
            SendblueError: As from :meth:`results`.
        """
        async with self._at_work(pull, hand_over) as tasks:
            await asyncio.wait(tasks)
        if self._error is not None:
            raise self._error

    @asynccontextmanager
    async def _at_work(
        self,
        pull: Callable[[], Awaitable[Job[T]]],
        hand_over: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> AsyncIterator[list[asyncio.Task[None]]]:
        """The workers, which work for as long as the block lasts."""
        require_asyncio()
        tasks = [asyncio.create_task(self._work(pull, hand_over)) for _ in range(self.concurrency)]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _pulling(self, source: Iterable[S] | AsyncIterable[S]) -> Callable[[], Awaitable[S]]:
        """A function for the next item, which several may call at once."""
        if isinstance(source, AsyncIterable):
            iterator, turn = aiter(source), asyncio.Lock()

            async def pull() -> S:
                async with turn:
                    # They may have been told to while this one waited for its turn.
                    if self.stopped:
                        raise StopAsyncIteration
                    return await anext(iterator)

            return pull
        items = iter(source)

        async def pull_at_once() -> S:
            for item in items:
                return item
            raise StopAsyncIteration

        return pull_at_once

    async def _work(
        self,
        pull: Callable[[], Awaitable[Job[T]]],
        hand_over: Callable[[ContactResult[T]], Awaitable[object]],
    ) -> None:
        try:
            while not self.stopped:
                await hand_over(await self._ended(await pull()))
        except StopAsyncIteration:
            pass
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.stop()

    async def _ended(self, job: Job[T]) -> ContactResult[T]:
        """What becomes of one contact; those of one number are sent one by one in their order."""
        contact = job.contact
        if contact is None:
            return ContactResult(row=job.row, outcome="rejected", error=job.error)
        await self._lanes.enter(contact.number)
        try:
            return await self._sent(job, contact)
        finally:
            self._lanes.leave(contact.number)

    async def _sent(self, job: Job[T], contact: ContactCreate) -> ContactResult[T]:
        result = partial(ContactResult, row=job.row, contact=contact)
        maybe_applied, failures, answers = job.maybe_applied, 0, 0
        error: SendblueError | None = None
        while not self.stopped:
            create = partial(self._create, contact, since=self.since if maybe_applied else None)
            try:
                await self._turns.wait()
                response = await self._outage.call(create)
            except Stopped:
                break
            except SendblueError as caught:
                error = caught
                maybe_applied = maybe_applied or error.outcome == "unknown"
            else:
                outcome: ContactOutcome = "stored" if contact.update_if_exists else "created"
                return result(outcome=outcome, response=response)
            if isinstance(error, FATAL) or self._outage.given_up:
                self._fail(error)
                break
            if isinstance(error, ContactExistsError) and not verification_failed(error):
                return result(outcome="existing", error=error)
            if failures == 0 or self._outage.answers > answers:
                failures, answers = failures + 1, self._outage.answers
            if failures == _TRIES or not (is_transient(error) or verification_failed(error)):
                return result(outcome="unknown" if maybe_applied else "rejected", error=error)
        return result(outcome="unknown" if maybe_applied else "skipped", error=error)
