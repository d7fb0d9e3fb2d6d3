"""The blocking client: the asynchronous client's own coroutines, seen through a portal."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import update_wrapper
from inspect import signature
from itertools import chain, islice
from ssl import SSLContext
from types import FunctionType, TracebackType
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from ._api import Shared, check_types
from ._arguments import NoOthers, misspelt, without_others
from ._credentials import hidden
from ._deprecation import Place, blocking_caller
from ._event_loop import find_blocked_loop
from ._options import Timeouts
from ._pool import ClientSession, TraceConfig, closing_unless_in_use
from ._portal import portal
from ._retry import RetryPolicy
from .batch._workers import rows_of
from .client import SendblueClient
from .exceptions import ConfigurationError

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

__all__ = ["SyncSendblueClient", "blocking", "blocking_iterator"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C", bound=Callable[..., Any])
# A row, or none at the end.
_Answer: TypeAlias = "asyncio.Future[list[Any]]"


def _check_may_block(client: SyncSendblueClient, name: str) -> None:
    loop = None if client._allow_blocking_loop else find_blocked_loop()
    if loop is None:
        return
    message = f"SyncSendblueClient.{name} would block the event loop that runs on this thread"
    if loop == "trio":
        raise ConfigurationError(
            f"{message}, trio's; call it on another thread instead: "
            f"await anyio.to_thread.run_sync(client.{name}, ...)."
        )
    raise ConfigurationError(
        f"{message}; await SendblueClient.{name} instead, or call it on another thread: "
        f"await asyncio.to_thread(client.{name}, ...). Where nothing can be awaited, because the "
        "loop belongs to Playwright, a console or the like, let the loop wait: "
        "SyncSendblueClient(allow_blocking_loop=True)."
    )


def blocking(
    method: Callable[Concatenate[SendblueClient, _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate[SyncSendblueClient, _P], _R]:
    """The same method for callers that cannot await: same arguments, results and errors."""
    run = _run

    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return run(method, self, args, kwargs)

    return _made_like(method, call)


def _run(
    method: Callable[..., Coroutine[Any, Any, _R]],
    client: SyncSendblueClient,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> _R:
    _check_may_block(client, method.__name__)
    # The first function of a thread or greenlet has no caller.
    place = Place.of(sys._getframe(1).f_back or sys._getframe(1))
    caller = blocking_caller.set(place)
    try:
        return portal.run(method, (client._client, *args), kwargs)
    finally:
        blocking_caller.reset(caller)


def _made_like(method: Callable[..., Any], call: _C) -> _C:
    """Give a function the name, docstring and signature of a method.

    It gets the method's globals too, where its annotations mean something, so it may use none of
    its own. It has no ``__wrapped__``: web frameworks follow that, find a coroutine function, and
    call this on their event loop.

    Args:
        method: A method of the asynchronous client.
        call: A function without defaults.
    """
    assert isinstance(call, FunctionType)
    assert isinstance(method, FunctionType)
    twin: Any = FunctionType(call.__code__, method.__globals__, closure=call.__closure__)
    update_wrapper(twin, method)
    del twin.__wrapped__
    twin.__signature__ = signature(method)
    twin.__qualname__ = f"SyncSendblueClient.{method.__name__}"
    made: _C = twin
    return made


class _Items(Iterator[_R]):
    """The items of an asynchronous generator, for a thread that waits for each of them.

    Left early, the generator is closed by the event loop that it runs on: a loop is told when
    one goes. To wait for that here could wait for ever, as the garbage collector may do the
    leaving on that loop's own thread.
    """

    def __init__(
        self,
        method: Callable[..., AsyncGenerator[_R, None]],
        client: SyncSendblueClient,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._name = method.__name__
        self._client = client
        self._generator = method(client._client, *args, **kwargs)
        self._process = os.getpid()

    def __next__(self) -> _R:
        _check_may_block(self._client, self._name)
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
        client: SyncSendblueClient,
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
    check = _check_may_block

    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> Iterator[_R]:
        check(self, method.__name__)
        return items(method, self, *args, **kwargs)

    return _made_like(method, call)


class SyncSendblueClient(Shared):
    """The blocking client of Sendblue's contacts API, for Flask, Django, Celery and scripts.

    It has the methods, arguments, results and errors of :class:`SendblueClient`, whose
    coroutines it runs on a background thread. Make one and keep it: it is safe to share
    between threads, may be made at import time, and works in a process that was forked after
    its use. Ctrl-C during a call cancels the request.

    The rows of :meth:`create_contacts` are pulled on the thread that iterates over the results,
    and only while it waits for one: the source may be a database cursor, or call this client.

    The arguments are those of :class:`SendblueClient`, and one more. A ``session``, which belongs
    to an event loop of yours, cannot be given.

    Args:
        allow_blocking_loop: Whether calls may block an event loop that runs on their thread, which
            stands still meanwhile. Default false; in Jupyter and marimo they always may.

    Raises:
        ConfigurationError: As the asynchronous client does; from a method also when it is
            called on a thread where an event loop of asyncio's or trio's runs, which it would
            block.
    """

    @without_others
    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        base_url: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_connections: int = 100,
        rate_limit: float | None = None,
        default_headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        session: ClientSession | None = None,
        allow_http: bool = False,
        allow_blocking_loop: bool = False,
        **others: Unpack[NoOthers],
    ) -> None:
        # No key is to be seen in a traceback that shows the locals of this frame.
        api_key, api_secret = hidden(api_key), hidden(api_secret)
        if others:
            raise misspelt(SyncSendblueClient.__init__, others, name=type(self).__name__)
        if session is not None:
            raise ConfigurationError(
                "A session belongs to an event loop, and the blocking client has its own; "
                "give the session to SendblueClient."
            )
        check_types(allow_blocking_loop=(allow_blocking_loop, bool))
        self._allow_blocking_loop = allow_blocking_loop
        self._client = SendblueClient(
            api_key,
            api_secret,
            base_url=base_url,
            timeouts=timeouts,
            retry=retry,
            max_connections=max_connections,
            rate_limit=rate_limit,
            default_headers=default_headers,
            proxy=proxy,
            ssl=ssl,
            trace_configs=trace_configs,
            allow_http=allow_http,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {getattr(self, '_client', None)!r}>"

    def __enter__(self) -> Self:
        self._client._transport.enter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client._transport.leave():
            with closing_unless_in_use():
                self.close()

    @without_others
    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        **others: Unpack[NoOthers],
    ) -> Self:
        """A view of this client with other timeouts or another retry policy.

        It shares the connections, keys and rate limit; closing one closes the other.

        Args:
            timeouts: Replaces the client's timeouts. Unchanged by default.
            retry: Replaces the client's retry policy. Unchanged by default.
        """
        if others:
            raise misspelt(SyncSendblueClient.with_options, others)
        view = copy.copy(self)
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
