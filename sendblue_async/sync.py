"""The blocking client: the asynchronous client's own coroutines, run through a portal."""

from __future__ import annotations

import copy
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from functools import partial, update_wrapper
from inspect import signature
from ssl import SSLContext
from types import FunctionType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from ._access_tokens import TokenSource
from ._api import SharesConnections, check_types
from ._arguments import NoOthers, hide_others, misspelling_error
from ._deprecation import CallSite, blocking_call_site
from ._event_loop import find_blocked_loop
from ._events import EventListener
from ._import_bridge import BlockingImportJob, run_import
from ._options import Timeouts
from ._pool import ClientSession, TraceConfig, close_unless_in_use
from ._portal import portal
from ._rate_limits import RateLimiter
from ._redaction import hide
from ._retry_policy import RetryPolicy
from ._source_bridge import BatchIterator, BlockingIterator, run_with_lists
from .client import SendblueClient
from .exceptions import ConfigurationError

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

if TYPE_CHECKING:
    from .batch import ImportJob

__all__ = ["SyncSendblueClient", "blocking", "blocking_iterator", "blocking_job"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C", bound=Callable[..., Any])


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
    run: Callable[..., Any] = portal.run,
) -> Callable[Concatenate[SyncSendblueClient, _P], _R]:
    """Make a method blocking, with the same arguments, results and errors.

    Args:
        method: The method.
        run: Runs the coroutine of a function, its arguments and keyword arguments.
    """
    run_blocking = _run_blocking

    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        result: _R = run_blocking(run, method, self, args, kwargs)
        return result

    return _imitate(method, call)


def _run_blocking(
    run: Callable[..., Any],
    method: Callable[..., Any],
    client: SyncSendblueClient,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    _check_may_block(client, method.__name__)
    # The first function of a thread or greenlet has no caller.
    call_site = CallSite.from_frame(sys._getframe(1).f_back or sys._getframe(1))
    token = blocking_call_site.set(call_site)
    try:
        return run(method, (client._client, *args), kwargs)
    finally:
        blocking_call_site.reset(token)


def _imitate(method: Callable[..., Any], call: _C) -> _C:
    """Return a function with the name, docstring and signature of a method.

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
    copied: _C = twin
    return copied


def blocking_iterator(
    method: Callable[Concatenate[SendblueClient, _P], AsyncGenerator[_R, None]],
    items: Callable[..., BlockingIterator[Any]] = BlockingIterator,
) -> Callable[Concatenate[SyncSendblueClient, _P], BlockingIterator[_R]]:
    """Make an iterator blocking, with the same arguments, results and errors.

    Args:
        method: The method.
        items: Returns the iterator, given a check, the bound method and its arguments.
    """
    make = _make

    def call(
        self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> BlockingIterator[_R]:
        iterator: BlockingIterator[_R] = make(items, method, self, args, kwargs)
        return iterator

    return _imitate(method, call)


def blocking_job(
    method: Callable[Concatenate[SendblueClient, _P], ImportJob],
) -> Callable[Concatenate[SyncSendblueClient, _P], BlockingImportJob]:
    """Make a job blocking, with the same arguments, results and errors."""
    make, kind = _make, BlockingImportJob

    def call(self: SyncSendblueClient, /, *args: _P.args, **kwargs: _P.kwargs) -> BlockingImportJob:
        job: BlockingImportJob = make(kind, method, self, args, kwargs)
        return job

    return _imitate(method, call)


def _make(
    kind: Callable[..., Any],
    method: Callable[..., Any],
    client: SyncSendblueClient,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    check = partial(_check_may_block, client, method.__name__)
    check()
    return kind(check, MethodType(method, client._client), *args, **kwargs)


class SyncSendblueClient(SharesConnections):
    """The blocking client of Sendblue's contacts API, for Flask, Django, Celery and scripts.

    It has the methods, arguments, results and errors of :class:`SendblueClient`, whose
    coroutines it runs on a background thread. Make one and keep it: it is safe to share
    between threads, may be made at import time, and works in a process that was forked after
    its use. Ctrl-C during a call cancels the request.

    Iterables and callables that you pass are used on the calling thread: rows of
    :meth:`create_contacts` are pulled there, and only while it waits for a result, other sources
    are read and ``progress`` is called there. So a source may be a database cursor, and
    all of them may call this client. Only ``on_event`` and ``trace_configs`` run on the background
    thread.
    Iterators have a ``close()``, which cancels what is in flight.

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

    @hide_others
    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        access_token: TokenSource | None = None,
        base_url: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_connections: int = 100,
        rate_limit: float | RateLimiter | None = None,
        default_headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        session: ClientSession | None = None,
        allow_http: bool = False,
        on_event: EventListener | Sequence[EventListener] | None = None,
        allow_blocking_loop: bool = False,
        **others: Unpack[NoOthers],
    ) -> None:
        # Keeps the keys out of tracebacks that show the locals of this frame.
        api_key, api_secret = hide(api_key), hide(api_secret)
        access_token, proxy = hide(access_token), hide(proxy)
        default_headers, others = hide(default_headers), hide(others)
        if others:
            raise misspelling_error(SyncSendblueClient.__init__, others, name=type(self).__name__)
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
            access_token=access_token,
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
            on_event=on_event,
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
            with close_unless_in_use():
                self.close()

    @hide_others
    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        **others: Unpack[NoOthers],
    ) -> Self:
        """Make a view of this client with other timeouts or another retry policy.

        It shares the connections, keys and rate limit; closing one closes the other.

        Args:
            timeouts: Replaces the client's timeouts. Unchanged by default.
            retry: Replaces the client's retry policy. Unchanged by default.
        """
        if others:
            raise misspelling_error(SyncSendblueClient.with_options, others)
        view = copy.copy(self)
        view._client = self._client.with_options(timeouts=timeouts, retry=retry)
        return view

    close = blocking(SendblueClient.close)
    count_contacts = blocking(SendblueClient.count_contacts)
    create_contact = blocking(SendblueClient.create_contact, run_with_lists)
    create_contacts = blocking_iterator(SendblueClient.create_contacts, BatchIterator)
    create_contacts_bulk = blocking(SendblueClient.create_contacts_bulk, run_with_lists)
    create_verified_contact = blocking(SendblueClient.create_verified_contact)
    delete_contact = blocking(SendblueClient.delete_contact)
    delete_contacts_bulk = blocking(SendblueClient.delete_contacts_bulk, run_with_lists)
    export_contacts = blocking(SendblueClient.export_contacts)
    get_contact = blocking(SendblueClient.get_contact)
    get_verified_contact = blocking(SendblueClient.get_verified_contact)
    import_contacts = blocking(SendblueClient.import_contacts, run_import)
    import_job = blocking_job(SendblueClient.import_job)
    iter_contacts = blocking_iterator(SendblueClient.iter_contacts)
    list_contacts = blocking(SendblueClient.list_contacts)
    list_verified_contacts = blocking(SendblueClient.list_verified_contacts)
    opt_out_contact = blocking(SendblueClient.opt_out_contact)
    request = blocking(SendblueClient.request)
    update_contact = blocking(SendblueClient.update_contact, run_with_lists)
    verify_contact = blocking(SendblueClient.verify_contact)
