"""aiohttp underneath: sessions, auth headers, the attempt loop, and what aiohttp's errors mean.

Over 400 lines because an attempt is read from its place in the queue to the meaning of its end.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import anyio
from aiohttp.http_exceptions import LineTooLong
from attrs import evolve, frozen
from multidict import CIMultiDict
from yarl import URL

from ._access_tokens import AccessTokens, NoToken
from ._answer import ACCEPT_ENCODING, Body, Reply, join_headers
from ._checks import check_count
from ._clock import SYSTEM_CLOCK, Clock
from ._connect_reasons import why_not_connected
from ._credentials import Credentials
from ._events import Events
from ._options import Timeouts
from ._pool import (
    LARGEST_HEADER,
    ClientSession,
    Interrupted,
    Pool,
    Pools,
    RequestBody,
    Sending,
    TraceConfig,
    hang_up,
)
from ._rate_limits import RateLimiter, make_rate_limiter
from ._redaction import Revealed, Secret, redact_numbers
from ._retry import RULES, Effect, FailureKind, Retryable, RetryPolicy, RetryThrottle, Rule
from ._settings import Settings, SettingsSource
from ._wire import (
    Call,
    Failure,
    error_for,
    read_reply,
    shown_request_id,
    snippet,
    with_last_response,
)
from .exceptions import ConfigurationError, ConnectError, RateLimitError

T = TypeVar("T")


@frozen(eq=False)
class _Identity:
    """The headers of a request, which say who sends it.

    Attributes:
        headers: Those of a request without a body.
        headers_with_body: Those of one with a JSON body.
        token: The access token in them, if there is one.
    """

    headers: CIMultiDict[str]
    headers_with_body: CIMultiDict[str]
    token: Secret | None = None

    @classmethod
    def of(cls, settings: Settings, token: Secret | None = None) -> _Identity:
        """The identity of whoever has the keys in the settings, or this token."""
        headers = CIMultiDict(settings.headers)
        if token is not None:
            headers["authorization"] = Revealed("Bearer " + token.reveal())
        headers.setdefault("accept-encoding", ACCEPT_ENCODING)
        with_body = CIMultiDict(headers)
        with_body["content-type"] = "application/json"
        return cls(headers, with_body, token)


class Transport:
    """Sends calls and repeats them: one session per event loop, made on first use.

    Args:
        credentials: The two keys, a function that finds them at the first call, or access tokens.
        base_url: Scheme, host and port; anything but https only to a loopback host, unless
            ``allow_http``. If ``None``, as the environment has it at the first call.
        max_connections: Requests under way at once, per event loop.
        rate_limit: Requests per second, a rate limiter, or ``None``.
        default_headers: Headers sent with every request besides those of the transport.
        proxy: URL of a forward proxy; by default the environment's ``HTTPS_PROXY`` and
            ``NO_PROXY`` are honoured.
        ssl_context: TLS settings of the caller's own.
        trace_configs: aiohttp's hooks, given to the session.
        session: A session of the caller's own, used as it is and left open.
        on_event: A function that gets each :class:`CallEvent`, or several.
        clock: Time, waiting and randomness. A test may set another one later.
    """

    def __init__(
        self,
        credentials: Credentials | Callable[[], Credentials] | AccessTokens,
        base_url: str | None = None,
        *,
        max_connections: int = 100,
        rate_limit: float | RateLimiter | None = None,
        default_headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        session: ClientSession | None = None,
        allow_http: bool = False,
        on_event: object = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings_source = SettingsSource(
            credentials,
            base_url,
            allow_http=allow_http,
            default_headers=default_headers,
            proxy=proxy,
            ssl_context=ssl_context,
            has_session=session is not None,
        )
        self._tokens = credentials if isinstance(credentials, AccessTokens) else None
        self._settings: Settings
        # Made once for the keys, and for each access token.
        self._identity: _Identity | None = None
        self._token_identity: _Identity | None = None
        self._pools = Pools(
            places=check_count("max_connections", max_connections),
            trace_configs=list(trace_configs or []),
            session=session,
        )
        self._throttle = RetryThrottle()
        self.clock = clock
        self.rate_limiter = make_rate_limiter(rate_limit, clock=lambda: self.clock)
        self.events = Events(
            on_event,
            now=lambda: self.clock.monotonic(),
            redact=lambda text: self._settings.redact(text),
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A client is not pickled, as that would write its keys down.")

    @property
    def base_url(self) -> str:
        """Where the API is, as far as that is known before the first call."""
        return self._settings_source.base_url

    @property
    def account(self) -> str:
        """A name for the server and the account there that shows neither key."""
        return self.prepare().account

    @property
    def allows_retry(self) -> bool:
        """Whether one more request may be sent for a call that has failed."""
        return self._throttle.allows_retry

    def prepare(self) -> Settings:
        """What requests are made with; found now, if no call has been made yet.

        Raises:
            ConfigurationError: If a key is not found, or what is found is not usable.
        """
        settings = self._settings_source.resolve()
        if self._tokens is None:
            self._identity = _Identity.of(settings)
        self._settings = settings
        return settings

    async def _open_pool(self) -> Pool:
        self.prepare()
        return await self._pools.open()

    async def send(
        self,
        call: Call[T],
        *,
        timeouts: Timeouts,
        policy: RetryPolicy,
        started: float,
        rate_limiter: RateLimiter | None,
        maybe_applied: bool,
        attempts_before: int = 0,
        counted: bool = True,
    ) -> T:
        """The answer to a call, repeated as the truth table and the policy allow.

        Args:
            call: The call.
            timeouts: How long it may take.
            policy: How often and how patiently it is repeated.
            started: When it began, in monotonic seconds; its deadline counts from there.
            rate_limiter: When each attempt may be sent; the client's own if ``None``.
            maybe_applied: Whether it may have been done already.
            attempts_before: How many attempts have been made before.
            counted: Whether its attempts say how the server is, for the retry throttle. While
                writes fail, look-ups may succeed.

        Raises:
            SendblueError: If the last attempt failed; its ``outcome`` speaks for all of them.
        """
        pool = self._pools.of_running_loop() or await self._open_pool()
        limiter = rate_limiter or self.rate_limiter
        deadline = started + timeouts.total
        attempt = attempts_before
        reached_server = False
        before: Failure | None = None
        renewed = 0
        while True:
            attempt += 1
            if maybe_applied and call.read_missing is not None and call.effect is not Effect.SAFE:
                # Nobody knows whose work a 404 finds done now: that is for the caller to settle.
                call = evolve(call, read_missing=None)
            answer = await self._attempt(pool, limiter, call, timeouts, started, attempt)
            if not isinstance(answer, Failure):
                if counted:
                    self._throttle.succeeded()
                limiter.on_accepted(self.clock.monotonic())
                return answer
            self.events.attempt_failed(call, answer, attempts=attempt, started=started)
            maybe_applied = maybe_applied or answer.rule.outcome == "unknown"
            reached_server = reached_server or answer.rule.outcome != "not_sent"
            if counted and answer.rule.retryable is not Retryable.NO:
                self._throttle.failed()
            elif counted and answer.status is not None:
                # A 409 or 404 tells as well as a success that the server is there.
                self._throttle.succeeded()
            if answer.status is not None:
                await self._inform(limiter, answer, deadline)
            wait = self._wait(answer, call, policy, attempt - renewed)
            if answer.refused_token is not None and not renewed:
                renewed = 1
                end = await self._renew_token(answer, deadline)
                answer, wait = (answer, 0.0) if end is None else (end, None)
            if wait is None or self.clock.monotonic() + wait >= deadline:
                if not answer.was_attempted and before is not None:
                    answer = with_last_response(answer, before)
                error = error_for(
                    call,
                    answer,
                    base_url=self._settings.base_url,
                    attempts=attempt if answer.was_attempted else attempt - 1,
                    maybe_applied=maybe_applied,
                    reached_server=reached_server,
                )
                raise error from answer.cause
            before = answer
            self.events.retry(call, answer, attempts=attempt, wait=wait, started=started)
            await self.clock.sleep(wait)

    async def _inform(self, limiter: RateLimiter, failure: Failure, deadline: float) -> None:
        """Let a rate limiter, and so the other callers, learn from an answer."""
        now = self.clock.monotonic()
        if failure.status == 429:
            limiter.on_throttled(now)
            if failure.retry_after is not None:
                told = limiter.pause(now, failure.retry_after)
                if told is not None:
                    with anyio.move_on_after(deadline - now):
                        await told
        elif failure.rule.retryable is Retryable.NO:
            limiter.on_accepted(now)

    def _wait(
        self, failure: Failure, call: Call[Any], policy: RetryPolicy, attempt: int
    ) -> float | None:
        """Seconds until the next attempt, or ``None`` if there is none."""
        if not self._throttle.allows_retry:
            return None
        return policy.wait(
            failure.rule,
            call.effect,
            attempt=attempt,
            retry_after=failure.retry_after,
            draw=self.clock.random(),
        )

    async def _attempt(
        self,
        pool: Pool,
        limiter: RateLimiter,
        call: Call[T],
        timeouts: Timeouts,
        started: float,
        attempt: int,
    ) -> T | Failure:
        """One attempt: a slot in the pool, one of the rate limiter, the request and its answer."""
        deadline = started + timeouts.total
        try:
            pool.places.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(deadline - self.clock.monotonic()) as scope:
                await pool.places.acquire()
            if scope.cancelled_caught:
                return _no_time("waited for a free connection until its time was over")
        try:
            identity = self._identity or await self._identify(deadline)
            if isinstance(identity, Failure):
                return identity
            now = self.clock.monotonic()
            start = limiter.reserve_slot(now, deadline)
            if not isinstance(start, float) or start > now:
                waited = await self._wait_for_slot(limiter, start, now, deadline)
                if isinstance(waited, Failure):
                    return waited
                now = waited
            left = deadline - now
            if left <= 0:
                return _no_time("had no time left")
            limits = _aiohttp_timeout(min(timeouts.attempt, left), timeouts.connect)
            return await self._exchange(pool.session, identity, call, limits, started, attempt)
        finally:
            pool.places.release()

    async def _wait_for_slot(
        self,
        limiter: RateLimiter,
        reserved: float | Awaitable[float],
        now: float,
        deadline: float,
    ) -> float | Failure:
        """The time at which the slot has come."""
        while True:
            start = await self._in_time(reserved, deadline)
            now = self.clock.monotonic()
            if start is None:
                return _no_time("waited for the rate limiter until its time was over")
            if start <= now:
                return now
            if start >= deadline:
                return _held_back(start - now)
            await self.clock.sleep(start - now)
            paused_until = await self._in_time(limiter.paused_until(), deadline)
            now = self.clock.monotonic()
            if paused_until is None or paused_until <= now:
                return now
            reserved = limiter.reserve_slot(now, deadline)

    async def _in_time(self, answer: float | Awaitable[float], deadline: float) -> float | None:
        """What a rate limiter answers, or ``None`` if the deadline comes first."""
        if not isinstance(answer, Awaitable):
            return answer
        with anyio.move_on_after(deadline - self.clock.monotonic()):
            return await answer
        return None

    async def _identify(self, deadline: float) -> _Identity | Failure:
        """The identity by an access token, or why there is none."""
        assert self._tokens is not None
        token = await self._tokens.get(deadline - self.clock.monotonic(), clock=self.clock)
        if isinstance(token, NoToken):
            return Failure(
                rule=Rule("not_sent", Retryable.NO, False, token.error),
                message=f"was not sent: {token.reason}",
                timed_out=token.timed_out,
                was_attempted=False,
                **self._cause_of(token),
            )
        identity = self._token_identity
        if identity is None or identity.token is not token:
            identity = self._token_identity = _Identity.of(self._settings, token)
        return identity

    async def _renew_token(self, refused: Failure, deadline: float) -> Failure | None:
        """How a call ends whose access token was refused, or nothing if there is another token."""
        assert self._tokens is not None
        token = await self._tokens.get(
            deadline - self.clock.monotonic(), clock=self.clock, refused=refused.refused_token
        )
        if not isinstance(token, NoToken):
            return refused if token is refused.refused_token else None
        return evolve(
            refused,
            rule=refused.rule._replace(error=token.error),
            message=f"{refused.message}, and {token.reason}",
            timed_out=token.timed_out,
            **self._cause_of(token),
        )

    def _cause_of(self, token: NoToken) -> dict[str, Any]:
        if token.cause is None:
            return {}
        text = f"{type(token.cause).__name__}: {token.cause}"
        redacted = self._settings.redact(text)
        return {"cause": token.cause if text == redacted else None, "cause_text": redacted}

    async def _exchange(
        self,
        session: ClientSession,
        identity: _Identity,
        call: Call[T],
        limits: aiohttp.ClientTimeout,
        started: float,
        attempt: int,
    ) -> T | Failure:
        """One request and what its answer says."""
        if session.closed:
            return _CLOSED
        body = None if call.body is None else RequestBody(call.body)
        # A body knows whether it was sent, and a POST is not sent twice by aiohttp.
        watched = body is None or call.method not in _SENT_ONCE
        sending = Sending(session) if watched else None
        settings = self._settings
        proxy = settings.proxy
        try:
            response = await session.request(
                call.method,
                URL(settings.base_url + call.path, encoded=True),
                data=body,
                headers=identity.headers if body is None else identity.headers_with_body,
                timeout=limits,
                allow_redirects=False,
                raise_for_status=False,
                # Unpacked here, where it is known how much of it is wanted.
                auto_decompress=False,
                max_line_size=LARGEST_HEADER,
                max_field_size=LARGEST_HEADER,
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
                ssl=settings.ssl,
                middlewares=None if sending is None else sending.middlewares,
            )
        except _ERRORS as error:
            cause = error.__cause__ if isinstance(error, Interrupted) else error
            request = sending if body is None else body
            sent = request is None or request.sent
            return self._failure(cause or error, sent=sent, limit=limits.connect or 0.0)
        headers = join_headers(response.headers)
        received = Body(response.status, headers)
        try:
            while (chunk := await response.content.readany()) and received.take(chunk):
                pass
        except _ERRORS as error:
            # Of a refusal the status alone says what it means, however little came of its body.
            if 200 <= response.status < 300:
                return evolve(
                    self._failure(error, sent=True),
                    status=response.status,
                    snippet=snippet(received.content, settings.redact),
                    request_id=shown_request_id(headers, settings.redact),
                )
        finally:
            # Closes the connection if anything is left to be read.
            response.release()
        answer = read_reply(
            call,
            Reply(response.status, headers, received.content, received.fault),
            attempts=attempt,
            elapsed=self.clock.monotonic() - started,
            now=self.clock.time(),
            redact=settings.redact,
        )
        if isinstance(answer, Failure):
            if answer.rule in _OUT_OF_STEP:
                hang_up(response)
            if answer.status == 401:
                return evolve(answer, refused_token=identity.token)
        return answer

    def _failure(self, error: BaseException, *, sent: bool, limit: float = 0.0) -> Failure:
        """What one of aiohttp's errors means; the order matters, as its classes overlap.

        Args:
            error: The error.
            sent: Whether the server may have seen the whole request.
            limit: How many seconds connecting was given.
        """
        settings = self._settings
        proxy = settings.proxy
        timed_out = isinstance(error, asyncio.TimeoutError)
        message = ""
        if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
            ending = FailureKind.BAD_TLS
        elif not sent or isinstance(error, _NOT_CONNECTED):
            ending = FailureKind.NO_CONNECTION
        elif timed_out:
            ending, message = FailureKind.TIMED_OUT, "got no answer in time"
        elif isinstance(error, aiohttp.ClientPayloadError):
            ending, message = FailureKind.UNREADABLE, "got an answer that was cut short"
        elif isinstance(error, aiohttp.ClientResponseError):
            ending, message = FailureKind.UNREADABLE, "got an answer that is not HTTP"
            if any(isinstance(link, LineTooLong) for link in _chain(error)):
                message = f"got an answer with a header of more than {LARGEST_HEADER // 2**10} kB"
        else:
            ending, message = FailureKind.LOST, "lost the connection before an answer came"
        if not message:
            message = why_not_connected(
                error, settings.base_url, proxy.url if proxy else None, limit
            )
        shown = [f"{type(link).__name__}: {link}" for link in _chain(error)]
        redacted = [redact_numbers(settings.redact(text)) for text in shown]
        return Failure(
            rule=RULES[ending],
            message=message,
            # A server that sends the keys back as something other than HTTP gets them quoted, and
            # some quote the number in a request's.
            cause=error if shown == redacted else None,
            cause_text=redacted[0],
            timed_out=timed_out,
        )

    def enter(self) -> None:
        """Begin a block that makes calls, also after a close."""
        self._pools.enter()

    def leave(self) -> bool:
        """End a block, and tell whether it was the last one, so that it is time to close."""
        return self._pools.leave()

    async def close(self) -> None:
        """Close the sessions of this transport's own, and refuse calls until a block begins."""
        await self._pools.close()


@lru_cache(maxsize=32)
def _aiohttp_timeout(attempt: float, connect: float) -> aiohttp.ClientTimeout:
    # Connecting ends some time before the attempt does, so that aiohttp can tell which it was.
    # Without the threshold, it rounds five seconds and more up to the next whole second.
    return aiohttp.ClientTimeout(
        total=attempt, connect=min(connect, 0.9 * attempt), ceil_threshold=math.inf
    )


# What can come of connecting alone, even if part of the request is given to the connection.
_NOT_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)

# The methods that aiohttp does not send twice by itself.
_SENT_ONCE = ("POST", "PATCH")

# After these, what comes next on the connection may be the answer to another request.
_OUT_OF_STEP = (RULES[FailureKind.UNREADABLE], RULES[408])

# An event loop without a thread pool, as in an interpreter that exits, is a RuntimeError.
_ERRORS = (aiohttp.ClientError, OSError, asyncio.TimeoutError, RuntimeError)

_CLOSED = Failure(
    rule=Rule("not_sent", Retryable.NO, False, ConfigurationError),
    message="was not sent, as the client or its session is closed",
    was_attempted=False,
)


def _no_time(message: str) -> Failure:
    rule = Rule("not_sent", Retryable.NO, False, ConnectError)
    return Failure(rule=rule, message=message, timed_out=True, was_attempted=False)


def _held_back(seconds: float) -> Failure:
    return Failure(
        rule=Rule("not_sent", Retryable.NO, False, RateLimitError),
        message=f"was not sent, as the next request is due only in {seconds:.1f} s",
        retry_after=seconds,
        was_attempted=False,
    )


def _chain(error: BaseException) -> list[BaseException]:
    """An error and those behind it, their tracebacks dropped.

    aiohttp's frames hold the request's headers, and so the keys.
    """
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        link.__traceback__ = None
        links.append(link)
        link = link.__cause__ or link.__context__
    return links
