"""What all endpoints share: the options and the life cycle of a client, and how it sends a call.

A call runs down a chain, and each step adds one thing. ``create_contact`` checks the contact.
``_create`` picks the operation. ``_send_settling`` drives the flow that settles an unknown outcome.
``_send`` adds the options of this client. ``Transport.send_with_retries`` asks a ``CallState`` what
to do after each failure. ``_send_once`` waits for a connection and for the rate limiter.
``exchange`` sends one request and reads its answer.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from ssl import SSLContext
from types import TracebackType
from typing import Any, TypeVar

from attrs import evolve

from ._access_tokens import AccessTokens, TokenSource
from ._arguments import NoOthers, hide_others, misspelling_error
from ._clock import SYSTEM_CLOCK, Clock
from ._converter import encode_json
from ._credentials import check_credentials, find_credentials
from ._event_loop import require_asyncio
from ._events import EventListener
from ._options import Timeouts, find_environment_base_url
from ._pool import ClientSession, TraceConfig, close_unless_in_use
from ._rate_limits import RateLimiter
from ._redaction import hide, redact_path
from ._retry_policy import RetryPolicy
from ._retry_rules import Effect
from ._settling import Flow, LookUp, LookUpResult, SendAgain, Settle
from ._transport import Transport
from ._wire import Call, add_query, check_method, read_raw
from .exceptions import ConfigurationError, ConnectError, SendblueError
from .models import RawResponse

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

_T = TypeVar("_T")

# RFC 9110 §9.2: what a method promises where nothing more is known of the operation.
_EFFECTS = {
    "GET": Effect.SAFE,
    "HEAD": Effect.SAFE,
    "OPTIONS": Effect.SAFE,
    "PUT": Effect.IDEMPOTENT,
    "DELETE": Effect.IDEMPOTENT,
}


def check_types(**options: tuple[object, type]) -> None:
    """Check the types of options, each given with the type that it must have.

    Raises:
        ConfigurationError: If one is neither of its type nor ``None``.
    """
    for name, (value, kind) in options.items():
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(f"{name} must be a {kind.__name__}, not {value!r}.")


class SharesConnections:
    """Base of the clients: copies share the connections, and pickling is refused."""

    def __copy__(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError(
            f"A {type(self).__name__} is not pickled, as that would write its keys down; "
            "make one in each process."
        )


class ApiClient(SharesConnections):
    """Sends calls with the keys, retries and errors that all endpoints share."""

    # A test has a subclass that waits by another one.
    _clock: Clock = SYSTEM_CLOCK

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
        **others: Unpack[NoOthers],
    ) -> None:
        # Keeps the keys out of tracebacks that show the locals of this frame.
        api_key, api_secret = hide(api_key), hide(api_secret)
        access_token, proxy = hide(access_token), hide(proxy)
        default_headers, others = hide(default_headers), hide(others)
        if others:
            raise misspelling_error(ApiClient.__init__, others, name=type(self).__name__)
        check_types(
            timeouts=(timeouts, Timeouts),
            retry=(retry, RetryPolicy),
            session=(session, ClientSession),
            allow_http=(allow_http, bool),
            ssl=(ssl, SSLContext),
            trace_configs=(trace_configs, Sequence),
        )
        for index, hook in enumerate(trace_configs or ()):
            check_types(**{f"trace_configs[{index}]": (hook, TraceConfig)})
        if session is not None and trace_configs:
            raise ConfigurationError(
                "trace_configs are for the client's own session; give them to yours instead."
            )
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._rate_limiter: RateLimiter | None = None
        check_credentials(api_key, api_secret)
        if access_token is not None and (api_key is not None or api_secret is not None):
            raise ConfigurationError(
                "access_token stands in place of api_key and api_secret; give one or the other."
            )
        self._transport = Transport(
            partial(find_credentials, api_key, api_secret)
            if access_token is None
            else AccessTokens(access_token, clock=self._clock),
            base_url,
            max_connections=max_connections,
            rate_limit=rate_limit,
            default_headers=default_headers,
            proxy=proxy,
            ssl_context=ssl,
            trace_configs=trace_configs,
            session=session,
            allow_http=allow_http,
            on_event=on_event,
            clock=self._clock,
        )

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)
        if transport is None:
            return f"<{type(self).__name__} (not set up)>"
        # What the environment has is not checked before the first call: it may hold a password.
        base_url = (
            transport.base_url or find_environment_base_url().rpartition("@")[2].split("?")[0]
        )
        return f"<{type(self).__name__} {base_url}>"

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._transport.enter()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transport.leave():
            with close_unless_in_use():
                await self.close()

    async def close(self) -> None:
        """Close the connections; the client and every view of it refuse calls afterwards.

        The end of an ``async with`` block closes them too, unless another block of the same client
        lasts; to begin one opens the client again. A session that was given to the client stays
        open. Closing twice does no harm.
        """
        await self._transport.close()

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
            raise misspelling_error(ApiClient.with_options, others)
        check_types(timeouts=(timeouts, Timeouts), retry=(retry, RetryPolicy))
        view = copy.copy(self)
        view._timeouts = timeouts or self._timeouts
        view._retry = retry or self._retry
        return view

    def _with_rate_limiter(self, limiter: RateLimiter) -> Self:
        """Make a view of this client with a rate limiter of its own."""
        view = copy.copy(self)
        view._rate_limiter = limiter
        return view

    @hide_others
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int | float | None] | None = None,
        **others: Unpack[NoOthers],
    ) -> RawResponse:
        """Make any call of the API, with the same auth, retries and errors.

        Args:
            method: The HTTP method, in capitals. GET, HEAD, OPTIONS, PUT and DELETE are
                repeated when the outcome of an attempt is unknown; the others only when
                nothing was done.
            path: The path, from its first slash on, percent-encoded where needed.
            json: A document to send as the body. None by default.
            params: Query parameters; one that is ``None`` is left out.

        Raises:
            ValidationError: If the path, the parameters or the document cannot be sent.
            SendblueError: If the call failed.
        """
        if others:
            raise misspelling_error(ApiClient.request, others)
        call = Call(
            method=check_method(method),
            path=add_query(path, params),
            effect=_EFFECTS.get(method, Effect.NON_IDEMPOTENT),
            read=read_raw,
            body=None if json is None else encode_json(json, "json"),
        )
        return await self._send_settling(call)

    async def _send_settling(
        self,
        call: Call[_T],
        *,
        settle: Settle | None = None,
        since: float | None = None,
    ) -> _T:
        """Send a call, and settle it if it ends with an unknown outcome.

        Args:
            call: The call.
            settle: Makes the flow that settles it, if there is one.
            since: When an earlier call began that may have done it, in seconds since the epoch;
                ``None`` if there was none.
        """
        started = self._transport.clock.monotonic()
        events = self._transport.events
        try:
            try:
                answer = await self._send(call, started, maybe_applied=since is not None)
                events.call_succeeded(call, answer, started=started)
                return answer
            except SendblueError as error:
                may_settle = self._retry.settle or since is not None
                if settle is None or not may_settle or not error.maybe_applied:
                    raise
                unknown = error
            answer = await self._run_flow(call, settle(unknown), started, since)
            events.call_succeeded(call, answer, started=started)
            return answer
        except Exception as error:
            events.call_failed(call, error, started=started)
            raise

    async def _run_flow(
        self, call: Call[_T], flow: Flow[_T], started: float, since: float | None
    ) -> _T:
        """Take the steps that a flow asks for, until it says what became of the call."""
        step: LookUp | SendAgain | None = None
        outcome: Any = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                if isinstance(step, LookUp):
                    self._transport.events.settled(call, end.value, started=started)
                return end.value  # type: ignore[no-any-return]
            if isinstance(step, LookUp):
                outcome = await self._look_up(step, started, since)
            else:
                outcome = await self._send_again(call, step, started)

    def _send(
        self,
        call: Call[_T],
        started: float,
        *,
        policy: RetryPolicy | None = None,
        maybe_applied: bool = False,
        attempts_before: int = 0,
        is_look_up: bool = False,
    ) -> Coroutine[Any, Any, _T]:
        """Send a call, or a part of one that began at ``started``, with this client's options."""
        return self._transport.send_with_retries(
            call,
            timeouts=self._timeouts,
            policy=policy or self._retry,
            started=started,
            rate_limiter=self._rate_limiter,
            maybe_applied=maybe_applied,
            attempts_before=attempts_before,
            is_look_up=is_look_up,
        )

    async def _send_again(
        self, call: Call[_T], step: SendAgain, started: float
    ) -> _T | SendblueError:
        policy = evolve(self._retry, attempts=1)
        try:
            return await self._send(
                call, started, policy=policy, maybe_applied=True, attempts_before=step.attempts
            )
        except SendblueError as error:
            return error

    async def _look_up(
        self, step: LookUp, started: float, since: float | None
    ) -> LookUpResult | None:
        """Look a contact up, if there is time for the wait before.

        Nothing is sent while so many calls fail that retries have stopped.
        """
        transport, response, error = self._transport, None, None
        clock = transport.clock
        if step.wait:
            left = started + self._timeouts.total - clock.monotonic()
            if step.wait >= left or not transport.allows_retry:
                return None
            await clock.sleep(step.wait)
        if transport.allows_retry:
            try:
                response = await self._send(step.call, started, is_look_up=True)
            except SendblueError as caught:
                error = caught
        else:
            path = redact_path(step.call.path)
            error = ConnectError(
                f"{step.call.method} {path} was not sent, as most calls fail.", retryable=True
            )
        elapsed, now = clock.monotonic() - started, clock.time()
        return LookUpResult(
            response=response,
            error=error,
            elapsed=elapsed,
            now=now,
            age=elapsed if since is None else max(elapsed, now - since),
            is_last=isinstance(error, ConfigurationError) or not transport.allows_retry,
        )
