"""Iterables of a blocking caller, used on the caller's own thread.

A database cursor or a session often belongs to that thread, and either may call the client itself.
So the event loop asks for rows, and the caller's thread answers while it waits for the outcome.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from ._caller import answer_with
from ._portal import portal
from .batch._contacts import find_contacts
from .batch._sending._worker_pool import check_source, make_item
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    pass

R = TypeVar("R")
# The arguments that may be any iterable, such as a query.
_ITERABLE_ARGUMENTS = {"contacts", "numbers", "tags"}
# A row, or none at the end.
_Answer: TypeAlias = "asyncio.Future[list[Any]]"


class _Stream(Generic[R]):
    """An asynchronous generator as its event loop sees it: items one by one, and an end."""

    def __init__(self, generator: AsyncGenerator[R, None]) -> None:
        self._generator = generator
        self._steps: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._closing = asyncio.Lock()

    async def next(self) -> list[R]:
        """Return the next item, or none at the end or after a close."""
        step = asyncio.current_task()
        assert step is not None
        self._steps.add(step)
        try:
            if not self._closed:
                async for item in self._generator:
                    return [item]
        except asyncio.CancelledError:
            if not self._closed:
                raise
        finally:
            self._steps.discard(step)
        return []

    async def close(self) -> None:
        """Cancel what is in flight, and wait for its end."""
        self._closed = True
        async with self._closing:
            for step in self._steps:
                step.cancel()
            if self._steps:
                await asyncio.wait(self._steps)
            await self._generator.aclose()


class BlockingIterator(Iterator[R]):
    """The items of an asynchronous generator, for a thread that waits for each of them.

    Leave it early with :meth:`close`, or :func:`contextlib.closing`. If it is only dropped, the
    event loop closes the generator later: to wait for that could wait for ever, as the garbage
    collector may do the dropping on that loop's own thread.

    Args:
        check: Raises if the calling thread may not wait.
        method: Returns the generator.
        args, kwargs: Its arguments.
    """

    def __init__(
        self,
        check: Callable[[], object],
        method: Callable[..., AsyncGenerator[R, None]],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._check = check
        self._name = method.__name__
        self._stream = _Stream(method(*args, **kwargs))
        self._process = os.getpid()

    def __next__(self) -> R:
        self._check()
        if os.getpid() != self._process:
            raise ConfigurationError(
                f"This iteration belongs to the process that called {self._name}; "
                "call it again in this one."
            )
        for item in self._wait():
            return item
        raise StopIteration

    def _wait(self) -> list[R]:
        return portal.run(self._stream.next, (), {})

    def close(self) -> None:
        """End the iteration: cancel what is in flight, and wait until it has ended.

        No item follows, not even on another thread that waits for one. Closing twice, or at the
        end, does no harm.

        Raises:
            ConfigurationError: If that would block an event loop.
        """
        self._check()
        if os.getpid() == self._process:
            portal.run(self._stream.close, (), {})


class BatchIterator(BlockingIterator[R]):
    """The results of a source, whose rows are pulled by the thread that waits for the results.

    Args:
        check: Raises if the calling thread may not wait.
        method: Returns the generator of the results from the source and the options.
        source: The rows.
        options: Keyword arguments of the method.
    """

    def __init__(
        self,
        check: Callable[[], object],
        method: Callable[..., AsyncGenerator[R, None]],
        source: Any,
        **options: Any,
    ) -> None:
        check_source(source)
        source = find_contacts(source, options.pop("columns", None))
        rows = _Rows()
        # What is asynchronous as well, as Django's query sets are, is at home on this thread.
        given = rows if isinstance(source, Iterable) else source
        super().__init__(check, method, given, **options)
        self._steps = _pull_rows_and_wait(
            self._stream, rows, source, options.get("update_if_exists")
        )

    def _wait(self) -> list[R]:
        return next(self._steps, [])

    def close(self) -> None:
        """End the iteration, as for any such iterator, and leave the source."""
        super().close()
        # A thread that runs it, which may be this one inside the source, leaves it by itself.
        with suppress(ValueError):
            self._steps.close()


def _pull_rows_and_wait(
    stream: _Stream[R], rows: _Rows, source: Any, update_if_exists: bool | None
) -> Generator[list[R], None, None]:
    """Wait for each result, and meanwhile pull each row that is wanted.

    As a generator it is never run twice at a time. The event loop's side knows nothing of the
    source, so that it is also left on the thread that it belongs to.
    """
    # Not even iter() is called before a row is wanted: that alone may query a database.
    pulled: Iterator[Any] = chain.from_iterable([source])

    def pull(answer: _Answer) -> None:
        call_soon = answer.get_loop().call_soon_threadsafe
        try:
            # The fields of a row may be lazy as well.
            items = [make_item(row, update_if_exists=update_if_exists) for row in islice(pulled, 1)]
        except Exception as error:
            call_soon(answer_with, answer, [], error)
        else:
            call_soon(answer_with, answer, items, None)

    async def next_result(ask: Callable[[_Answer], object]) -> list[R]:
        rows.use(ask)
        return await stream.next()

    while results := portal.run(next_result, (), {}, on_message=pull):
        yield results


class _Rows(AsyncIterator[Any]):
    """Rows for the event loop, each requested from the thread that waits for a result."""

    def __init__(self) -> None:
        self._ask: Callable[[_Answer], object]
        self._answer: _Answer | None = None

    async def __anext__(self) -> Any:
        self._answer = asyncio.get_running_loop().create_future()
        self._ask(self._answer)
        for row in await self._answer:
            return row
        raise StopAsyncIteration

    def use(self, ask: Callable[[_Answer], object]) -> None:
        """Use this to ask from now on, also for a row that is still wanted."""
        self._ask = ask
        if self._answer is not None and not self._answer.done():
            ask(self._answer)


def run_with_lists(
    method: Callable[..., Coroutine[Any, Any, R]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Run a method, with each iterable argument made a list on this thread first."""
    client, *others = args
    for name, value in kwargs.items():
        if name in _ITERABLE_ARGUMENTS:
            kwargs[name] = _to_list(value)
    return portal.run(method, (client, *map(_to_list, others)), kwargs)


def _to_list(argument: Any) -> Any:
    if isinstance(argument, (str, list, tuple, set, frozenset, bytes, Mapping)):
        return argument
    return list(argument) if isinstance(argument, Iterable) else argument
