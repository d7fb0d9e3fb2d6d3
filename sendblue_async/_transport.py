"""aiohttp underneath: sessions, auth headers, the attempt loop, and what aiohttp's errors mean.

Over 400 lines because an attempt is read from its place in the queue to the meaning of its end.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import anyio
from aiohttp.http_exceptions import LineTooLong
from attrs import evolve
from multidict import CIMultiDict
from yarl import URL

from . import _log
from ._answer import ACCEPT_ENCODING, Body, Reply, join_headers
from ._checks import checked_count
from ._clock import monotonic
from ._connect_reasons import why_not_connected
from ._credentials import Credentials, Secret, masked
from ._options import (
    Timeouts,
    checked_base_url,
    checked_headers,
    checked_proxy,
    environment_proxy,
    proxy_secrets,
    trusted_certificates,
)
from ._pace import Pace
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
from ._redaction import shortened
from ._retry import RULES, Again, Ending, RetryPolicy, RetryThrottle, Rule
from ._wire import Call, Failure, error_for, read_reply, shown_request_id, snippet, told_of
from .exceptions import ConfigurationError, ConnectError, RateLimitError

T = TypeVar("T")

# Forked processes share what a seeded generator draws next, and would repeat their calls together.
_random = random.SystemRandom()


class Transport:
    """Sends calls and repeats them: one session per event loop, made on first use.

    Args:
        credentials: The two keys.
        base_url: Scheme, host and port; anything but https only to a loopback host, unless
            ``allow_http``.
        max_connections: Requests under way at once, per event loop.
        rate_limit: Requests per second, or ``None``.
        default_headers: Headers sent with every request besides those of the transport.
        proxy: URL of a forward proxy; by default the environment's ``HTTPS_PROXY`` and
            ``NO_PROXY`` are honoured.
        ssl_context: TLS settings of the caller's own.
        trace_configs: aiohttp's hooks, given to the session.
        session: A session of the caller's own, used as it is and left open.
        clock, sleep, draw: Monotonic seconds, a way to wait and random numbers from [0, 1).
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        max_connections: int = 100,
        rate_limit: float | None = None,
        default_headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trace_configs: Sequence[TraceConfig] | None = None,
        session: ClientSession | None = None,
        allow_http: bool = False,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        draw: Callable[[], float] = _random.random,
    ) -> None:
        self.base_url = checked_base_url(base_url, allow_http=allow_http)
        self._credentials = credentials
        self._headers = CIMultiDict(checked_headers(credentials, default_headers or {}))
        self._headers.setdefault("Accept-Encoding", ACCEPT_ENCODING)
        self._headers_with_body = CIMultiDict(self._headers)
        self._headers_with_body["Content-Type"] = "application/json"
        # A session of the caller's own keeps its own ideas of proxies and certificates.
        self._proxy = checked_proxy(proxy) or (
            None if session else environment_proxy(self.base_url)
        )
        self._proxy_secrets = [*map(Secret, proxy_secrets(self._proxy))]
        self._ssl = ssl_context or (True if session else trusted_certificates(self.base_url))
        self._pools = Pools(
            places=checked_count("max_connections", max_connections),
            trace_configs=list(trace_configs or []),
            session=session,
        )
        self.pace = Pace(rate_limit)
        self._throttle = RetryThrottle()
        self._clock = clock
        self.sleep = sleep
        self._draw = draw

    @property
    def account(self) -> str:
        """A name for the server and the account there that shows neither key."""
        words = f"{self.base_url} {self._credentials.api_key}"
        return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()

    @property
    def allows_retry(self) -> bool:
        """Whether one more request may be sent for a call that has failed."""
        return self._throttle.allows_retry

    def now(self) -> float:
        """The time from which a call's deadline counts."""
        return self._clock()

    async def send(
        self,
        call: Call[T],
        *,
        timeouts: Timeouts,
        policy: RetryPolicy,
        started: float,
        pace: Pace | None,
        doubtful: bool,
        made: int = 0,
    ) -> T:
        """The answer to a call, repeated as the truth table and the policy allow.

        Args:
            call: The call.
            timeouts: How long it may take.
            policy: How often and how patiently it is repeated.
            started: When it began, by :meth:`now`; its deadline counts from there.
            pace: When each attempt may be sent; if ``None``, as the client's own pace has it.
            doubtful: Whether it may have been done already.
            made: How many attempts have been made before.

        Raises:
            SendblueError: If the last attempt failed; its ``outcome`` speaks for all of them.
        """
        pool = self._pools.of_running_loop() or await self._pools.open()
        pace = pace or self.pace
        deadline = started + timeouts.total
        attempt = made
        answered = False
        before: Failure | None = None
        while True:
            attempt += 1
            answer = await self._attempt(pool, pace, call, timeouts, started, attempt)
            elapsed = self._clock() - started
            if not isinstance(answer, Failure):
                self._throttle.succeeded()
                pace.accepted(self._clock())
                _log.succeeded(call, attempt, elapsed)
                return answer
            _log.failed(call, attempt, answer, elapsed)
            doubtful = doubtful or answer.rule.outcome == "unknown"
            answered = answered or answer.rule.outcome != "not_sent"
            wait = self._wait(answer, call, policy, pace, attempt)
            if wait is None or self._clock() + wait >= deadline:
                if not answer.made and before is not None:
                    answer = told_of(answer, before)
                error = error_for(
                    call,
                    answer,
                    base_url=self.base_url,
                    attempts=attempt if answer.made else attempt - 1,
                    doubtful=doubtful,
                    answered=answered,
                )
                raise error from answer.cause
            before = answer
            _log.retrying(call, attempt, answer, wait)
            await self.sleep(wait)

    def _wait(
        self, failure: Failure, call: Call[Any], policy: RetryPolicy, pace: Pace, attempt: int
    ) -> float | None:
        """Seconds until the next attempt, or ``None``; tells the other callers what it learned."""
        rule = failure.rule
        if rule.again is not Again.NO:
            self._throttle.failed()
        if failure.status == 429:
            pace.refused(self._clock())
            if failure.retry_after is not None:
                pace.pause(self._clock() + failure.retry_after)
        elif failure.status is not None and rule.again is Again.NO:
            pace.accepted(self._clock())
        if not self._throttle.allows_retry:
            return None
        return policy.wait(
            rule,
            call.effect,
            attempt=attempt,
            retry_after=failure.retry_after,
            draw=self._draw(),
        )

    async def _attempt(
        self,
        pool: Pool,
        pace: Pace,
        call: Call[T],
        timeouts: Timeouts,
        started: float,
        attempt: int,
    ) -> T | Failure:
        """One attempt: a place in the pool, one in the pace, the request and its answer."""
        deadline = started + timeouts.total
        try:
            pool.places.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(deadline - self._clock()) as scope:
                await pool.places.acquire()
            if scope.cancelled_caught:
                return _no_time("waited for a free connection until its time was over")
        try:
            now = self._clock()
            start = pace.reserve(now)
            while start > now:
                if start >= deadline:
                    return _held_back(start - now)
                await self.sleep(start - now)
                now = self._clock()
                if pace.paused_until() <= now:
                    break
                start = pace.reserve(now)
            left = deadline - now
            if left <= 0:
                return _no_time("had no time left")
            limits = _aiohttp_timeout(min(timeouts.attempt, left), timeouts.connect)
            return await self._exchange(pool.session, call, limits, started, attempt)
        finally:
            pool.places.release()

    async def _exchange(
        self,
        session: ClientSession,
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
        try:
            response = await session.request(
                call.method,
                URL(self.base_url + call.path, encoded=True),
                data=body,
                headers=self._headers if body is None else self._headers_with_body,
                timeout=limits,
                allow_redirects=False,
                raise_for_status=False,
                # Unpacked here, where it is known how much of it is wanted.
                auto_decompress=False,
                max_line_size=LARGEST_HEADER,
                max_field_size=LARGEST_HEADER,
                proxy=self._proxy,
                ssl=self._ssl,
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
                    snippet=snippet(received.content, self._credentials.redact),
                    request_id=shown_request_id(headers, self._credentials.redact),
                )
        finally:
            # Closes the connection if anything is left to be read.
            response.release()
        answer = read_reply(
            call,
            Reply(response.status, headers, received.content, received.fault),
            attempts=attempt,
            elapsed=self._clock() - started,
            redact=self._credentials.redact,
        )
        if isinstance(answer, Failure) and answer.rule in _OUT_OF_STEP:
            hang_up(response)
        return answer

    def _failure(self, error: BaseException, *, sent: bool, limit: float = 0.0) -> Failure:
        """What one of aiohttp's errors means; the order matters, as its classes overlap.

        Args:
            error: The error.
            sent: Whether the server may have seen the whole request.
            limit: How many seconds connecting was given.
        """
        timed_out = isinstance(error, asyncio.TimeoutError)
        message = ""
        if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
            ending = Ending.BAD_TLS
        elif not sent or isinstance(error, _NOT_CONNECTED):
            ending = Ending.NO_CONNECTION
        elif timed_out:
            ending, message = Ending.TIMED_OUT, "got no answer in time"
        elif isinstance(error, aiohttp.ClientPayloadError):
            ending, message = Ending.UNREADABLE, "got an answer that was cut short"
        elif any(isinstance(link, LineTooLong) for link in (error, error.__cause__)):
            ending = Ending.UNREADABLE
            message = f"got an answer with a header of more than {LARGEST_HEADER // 2**10} kB"
        elif isinstance(error, aiohttp.ClientResponseError):
            ending, message = Ending.UNREADABLE, "got an answer that is not HTTP"
        else:
            ending, message = Ending.LOST, "lost the connection before an answer came"
        if not message:
            message = why_not_connected(error, self.base_url, self._proxy, limit)
        shown = [f"{type(link).__name__}: {link}" for link in _chain(error)]
        secrets = [*self._credentials, *self._proxy_secrets]
        redacted = [shortened(masked(text, secrets)) for text in shown]
        return Failure(
            rule=RULES[ending],
            message=message,
            # A server that sends the keys back as something other than HTTP gets them quoted, an
            # error of a proxy's quotes its URL, and some quote the number in a request's.
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
_OUT_OF_STEP = (RULES[Ending.UNREADABLE], RULES[408])

# An event loop without a thread pool, as in an interpreter that exits, is a RuntimeError.
_ERRORS = (aiohttp.ClientError, OSError, asyncio.TimeoutError, RuntimeError)

_CLOSED = Failure(
    rule=Rule("not_sent", Again.NO, False, ConfigurationError),
    message="was not sent, as the client or its session is closed",
    made=False,
)


def _no_time(message: str) -> Failure:
    rule = Rule("not_sent", Again.NO, False, ConnectError)
    return Failure(rule=rule, message=message, timed_out=True, made=False)


def _held_back(seconds: float) -> Failure:
    return Failure(
        rule=Rule("not_sent", Again.NO, False, RateLimitError),
        message=f"was not sent, as the next request is due only in {seconds:.1f} s",
        retry_after=seconds,
        made=False,
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
