"""The blocking client: the asynchronous client's own coroutines, seen through a portal."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from functools import wraps
from itertools import chain, islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from ._credentials import hidden
from ._deprecation import Place, blocking_caller
from ._options import Timeouts
from ._portal import portal
from ._retry import RetryPolicy
from .batch._workers import rows_of
from .client import SendblueClient
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SyncSendblueClient", "blocking", "blocking_iterator"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
# A row, or none at the end.
_Answer: TypeAlias = "asyncio.Future[list[Any]]"


def _check_may_block(name: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    # A Jupyter kernel runs every cell, blocking or not, inside its event loop.
    if not hasattr(builtins, "__IPYTHON__"):
        raise ConfigurationError(
            f"SyncSendblueClient.{name} would block the event loop that runs on this thread; "
            f"await SendblueClient.{name} instead."
        )


def blocking(
    method: Callable[Concatenate[SendblueClient, _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate[SyncSendblueClient, _P], _R]:
    """The same method for callers that cannot await: same arguments, results and errors."""
    name = method.__name__

    @wraps(method)
    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        _check_may_block(name)
        caller = blocking_caller.set(Place.of(sys._getframe(1)))
        try:
            return portal.run(method, (self._client, *args), kwargs)
        finally:
            blocking_caller.reset(caller)

    call.__qualname__ = f"SyncSendblueClient.{name}"
    return call


class _Items(Iterator[_R]):
    """The items of an asynchronous generator, for a thread that waits for each of them.

    Left early, the generator is closed by the event loop that it runs on: a loop is told when
    one goes. To wait for that here could wait for ever, as the garbage collector may do the
    leaving on that loop's own thread.
    """

    def __init__(
        self, method: Callable[..., AsyncGenerator[_R, None]], *args: Any, **kwargs: Any
    ) -> None:
        self._name = method.__name__
        self._generator = method(*args, **kwargs)
        self._process = os.getpid()

    def __next__(self) -> _R:
        _check_may_block(self._name)
        if os.getpid() != self._process:
            raise ConfigurationError(
                f"This iteration belongs to the process that called {self._name}; "
                "call it again in this one."
            )
        for item in self._wait():
            return item
        raise StopIteration

    def _wait(self) -> list[_R]:
        return portal.run(self._following, (), {})

    async def _following(self) -> list[_R]:
        async for item in self._generator:
            return [item]
        return []


class _Results(_Items[_R]):
    """What becomes of the rows of a source, which the thread pulls that waits for the results.

    A database cursor or a session often belongs to that thread, and the source may call a
    blocking client.
    """

    def __init__(
        self,
        method: Callable[..., AsyncGenerator[_R, None]],
        client: SendblueClient,
        source: Any,
        **options: Any,
    ) -> None:
        rows = _Rows()
        # What is asynchronous as well, as Django's query sets are, is at home on this thread.
        given = rows if isinstance(rows_of(source), Iterable) else source
        super().__init__(method, client, given, **options)
        self._steps = _steps(self._generator, rows, source)

    def _wait(self) -> list[_R]:
        return next(self._steps, [])


def _steps(results: AsyncGenerator[_R, None], rows: _Rows, source: Any) -> Iterator[list[_R]]:
    """Wait for each result, and meanwhile pull each row that is wanted.

    As a generator it is never run twice at a time. The event loop's side knows nothing of the
    source, so that it is also left on the thread that it belongs to.
    """
    # Not even iter() is called before a row is wanted: that alone may query a database.
    pulled: Iterator[Any] = chain.from_iterable([source])

    def pull(answer: _Answer) -> None:
        soon = answer.get_loop().call_soon_threadsafe
        try:
            row = list(islice(pulled, 1))
        except Exception as error:
            soon(answer.set_exception, error)
        else:
            soon(answer.set_result, row)

    async def following(ask: Callable[[_Answer], object]) -> list[_R]:
        rows.ask_with(ask)
        async for result in results:
            return [result]
        return []

    while True:
        yield portal.run(following, (), {}, serve=pull)


class _Rows(AsyncIterator[Any]):
    """Rows for the event loop, each of them asked for at the thread that waits for a result."""

    def __init__(self) -> None:
        self._ask: Callable[[_Answer], object]
        self._answer: _Answer | None = None

    async def __anext__(self) -> Any:
        self._answer = asyncio.get_running_loop().create_future()
        self._ask(self._answer)
        for row in await self._answer:
            return row
        raise StopAsyncIteration

    def ask_with(self, ask: Callable[[_Answer], object]) -> None:
        """Ask with this from now on, also for a row that nobody was there to pull."""
        self._ask = ask
        if self._answer is not None and not self._answer.done():
            ask(self._answer)


def blocking_iterator(
    method: Callable[Concatenate[SendblueClient, _P], AsyncGenerator[_R, None]],
    items: Callable[..., Iterator[Any]] = _Items,
) -> Callable[Concatenate[SyncSendblueClient, _P], Iterator[_R]]:
    """The same items for callers that cannot await: same arguments, results and errors."""
    name = method.__name__

    @wraps(method)
    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> Iterator[_R]:
        _check_may_block(name)
        return items(method, self._client, *args, **kwargs)

    call.__qualname__ = f"SyncSendblueClient.{name}"
    return call


def _with_arguments_of(
    init: Callable[Concatenate[SendblueClient, _P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[SyncSendblueClient, _P], None]]:
    return lambda own: wraps(init)(own)


class SyncSendblueClient:
    """The blocking client of Sendblue's contacts API, for Flask, Django, Celery and scripts.

    It has the methods, arguments, results and errors of :class:`SendblueClient`, whose
    coroutines it runs on a background thread. Make one and keep it: it is safe to share
    between threads, may be made at import time, and works in a process that was forked after
    its use. Ctrl-C during a call cancels the request.

    The rows of :meth:`create_contacts` are pulled on the thread that iterates over the results,
    and only while it waits for one: the source may be a database cursor, or call this client.

    The arguments are those of :class:`SendblueClient`, except that a ``session``, which belongs
    to an event loop of yours, cannot be given.

    Raises:
        ConfigurationError: As the asynchronous client does; from a method also when it is
            called on a thread where an event loop runs, which it would block.
    """

    @_with_arguments_of(SendblueClient.__init__)
    def __init__(
        self, api_key: str | None = None, api_secret: str | None = None, **options: Any
    ) -> None:
        # No key is to be seen in a traceback that shows the locals of this frame.
        api_key, api_secret = hidden(api_key), hidden(api_secret)
        if options.get("session") is not None:
            raise ConfigurationError(
                "A session belongs to an event loop, and the blocking client has its own; "
                "give the session to SendblueClient."
            )
        self._client = SendblueClient(api_key, api_secret, **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {getattr(self, '_client', None)!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def with_options(
        self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None
    ) -> Self:
        """A view of this client with other timeouts or another retry policy.

        It shares the connections, keys and rate limit; closing one closes the other.

        Args:
            timeouts: Replaces the client's timeouts. Unchanged by default.
            retry: Replaces the client's retry policy. Unchanged by default.
        """
        view = object.__new__(type(self))
        view._client = self._client.with_options(timeouts=timeouts, retry=retry)
        return view

    close = blocking(SendblueClient.close)
    count_contacts = blocking(SendblueClient.count_contacts)
    create_contact = blocking(SendblueClient.create_contact)
    create_contacts = blocking_iterator(SendblueClient.create_contacts, _Results)
    create_contacts_bulk = blocking(SendblueClient.create_contacts_bulk)
    delete_contact = blocking(SendblueClient.delete_contact)
    delete_contacts_bulk = blocking(SendblueClient.delete_contacts_bulk)
    get_contact = blocking(SendblueClient.get_contact)
    import_contacts = blocking(SendblueClient.import_contacts)
    iter_contacts = blocking_iterator(SendblueClient.iter_contacts)
    list_contacts = blocking(SendblueClient.list_contacts)
    opt_out_contact = blocking(SendblueClient.opt_out_contact)
    request = blocking(SendblueClient.request)
    update_contact = blocking(SendblueClient.update_contact)
    verify_contact = blocking(SendblueClient.verify_contact)
