"""Sends the calls of a client: its keys, connections, retries and rate limit."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from attrs import evolve

from ._access_tokens import AccessTokens, NoToken
from ._call_error import make_error
from ._checks import check_count
from ._clock import SYSTEM_CLOCK, Clock
from ._credentials import Credentials
from ._events import Events
from ._exchange import Identity, exchange, make_timeout
from ._options import Timeouts
from ._pool import ClientSession, Pool, Pools, TraceConfig
from ._rate_limits import RateLimiter, make_rate_limiter
from ._redaction import redact_cause
from ._retry import CallState, Failure, RetryBudget
from ._retry_policy import RetryPolicy
from ._retry_rules import RULES, Effect, FailureKind, Retryable, Rule
from ._settings import Settings, SettingsSource
from ._wire import Call, format_seconds
from .exceptions import ConnectError

T = TypeVar("T")


class Transport:
    """Sends calls and repeats them: one session per event loop, made on first use.

    Args:
        credentials: The two keys, a function that finds them at the first call, or access tokens.
        base_url: Scheme, host and port; anything but https only to a loopback host, unless
            ``allow_http``. If ``None``, as the environment has it at the first call.
        max_connections: Requests in flight at once, per event loop.
        rate_limit: Requests per second, a rate limiter, or ``None``.
        default_headers: Headers sent with every request besides those of the transport.
        proxy: URL of a forward proxy; by default the environment's ``HTTPS_PROXY`` and
            ``NO_PROXY`` are honoured.
        ssl_context: TLS settings of the caller's own.
        trace_configs: aiohttp's hooks, given to the session.
        session: A session of the caller's own, used as it is and left open.
        on_event: A function that gets each :class:`CallEvent`, or several.
        clock: Time, waiting and randomness.
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
        self._identity: Identity | None = None
        self._token_identity: Identity | None = None
        self._pools = Pools(
            slots=check_count("max_connections", max_connections),
            trace_configs=list(trace_configs or []),
            session=session,
        )
        self._retry_budget = RetryBudget()
        self.clock = clock
        self.rate_limiter = make_rate_limiter(rate_limit, clock=clock)
        # No reference to this transport, which is to be collected as soon as it is dropped.
        source = self._settings_source
        self.events = Events(
            on_event, now=clock.monotonic, redact=lambda text: source.resolve().redact(text)
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A client is not pickled, as that would write its keys down.")

    @property
    def base_url(self) -> str:
        """Where the API is; empty if only the first call finds that out."""
        return self._settings_source.base_url

    @property
    def account(self) -> str:
        """A name for the account and its server that shows neither key."""
        return self.prepare().account

    @property
    def allows_retry(self) -> bool:
        """Whether the retry budget allows another request for a call that has failed."""
        return self._retry_budget.allows_retry

    def prepare(self) -> Settings:
        """Find what requests are made with, if no call has been made yet.

        Raises:
            ConfigurationError: If a key is not found, or what is found is not usable.
        """
        settings = self._settings_source.resolve()
        if self._tokens is None:
            self._identity = Identity.of(settings)
        self._settings = settings
        return settings

    async def _open_pool(self) -> Pool:
        self.prepare()
        return await self._pools.open()

    async def send_with_retries(
        self,
        call: Call[T],
        *,
        timeouts: Timeouts,
        policy: RetryPolicy,
        started: float,
        rate_limiter: RateLimiter | None = None,
        maybe_applied: bool = False,
        attempts_before: int = 0,
        is_look_up: bool = False,
    ) -> T:
        """Send a call, and again as the truth table and the policy allow.

        Args:
            call: The call.
            timeouts: How long it may take.
            policy: How often and how patiently it is attempted.
            started: When it began, in monotonic seconds; its deadline counts from there.
            rate_limiter: When each attempt may be sent; by default the client's own.
            maybe_applied: Whether it may have been applied already.
            attempts_before: How many attempts have been made before.
            is_look_up: Whether it looks up what became of another call. Such attempts do not count
                for the retry budget: while writes fail, look-ups may succeed.

        Raises:
            SendblueError: If the last attempt failed; its ``outcome`` speaks for all of them.
        """
        pool = self._pools.find() or await self._open_pool()
        limiter = rate_limiter or self.rate_limiter
        clock = self.clock
        deadline = started + timeouts.total
        state = CallState(
            call.effect, policy, deadline, attempts=attempts_before, maybe_applied=maybe_applied
        )
        while True:
            if state.maybe_applied and call.read_not_found and call.effect is not Effect.SAFE:
                # A 404 does not tell whose delete it was: that is for the caller to settle.
                call = evolve(call, read_not_found=None)
            attempt = state.attempt
            answer = await self._send_once(pool, limiter, call, timeouts, started, attempt)
            if not isinstance(answer, Failure):
                if not is_look_up:
                    self._retry_budget.on_success()
                limiter.on_accepted(clock.monotonic())
                return answer
            self.events.attempt_failed(call, answer, attempts=attempt, started=started)
            if not is_look_up:
                self._record_in_budget(answer)
            if answer.status is not None:
                await self._inform(limiter, answer, deadline)
            may_retry, has_new_token = self._retry_budget.allows_retry, False
            if answer.refused_token is not None and not state.renewed_token:
                answer, has_new_token = await self._renew_token(answer, deadline)
            step = state.record(
                answer,
                now=clock.monotonic(),
                draw=clock.random(),
                may_retry=may_retry,
                has_new_token=has_new_token,
            )
            if isinstance(step, Failure):
                raise make_error(
                    call, step, state, base_url=self._settings.base_url
                ) from step.cause
            self.events.retry(call, answer, attempts=attempt, wait=step, started=started)
            await clock.sleep(step)

    def _record_in_budget(self, failure: Failure) -> None:
        if failure.rule.retryable in (Retryable.YES, Retryable.ONCE):
            self._retry_budget.on_failure()
        elif failure.status is not None:
            # A 409 or 404 tells as well as a success that the server is there.
            self._retry_budget.on_success()

    async def _inform(self, limiter: RateLimiter, failure: Failure, deadline: float) -> None:
        """Let a rate limiter, and so the other callers, learn from an answer."""
        now = self.clock.monotonic()
        if failure.status == 429:
            limiter.on_throttled(now)
            if failure.retry_after is not None:
                paused = limiter.pause(now, failure.retry_after)
                if paused is not None:
                    with anyio.move_on_after(deadline - now):
                        await paused
        elif failure.rule.retryable is Retryable.NO:
            limiter.on_accepted(now)

    async def _send_once(
        self,
        pool: Pool,
        limiter: RateLimiter,
        call: Call[T],
        timeouts: Timeouts,
        started: float,
        attempt: int,
    ) -> T | Failure:
        """Make one attempt: a slot of the pool, a slot of the rate limiter, one exchange."""
        clock = self.clock
        deadline = started + timeouts.total
        try:
            pool.slots.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(deadline - clock.monotonic()) as scope:
                await pool.slots.acquire()
            if scope.cancelled_caught:
                return _fail_no_time("waited for a free connection until its time was over")
        try:
            identity = self._identity or await self._identify(deadline)
            if isinstance(identity, Failure):
                return identity
            now = clock.monotonic()
            slot = limiter.reserve_slot(now, deadline)
            if not isinstance(slot, float) or slot > now:
                waited = await self._wait_for_slot(limiter, slot, deadline)
                if isinstance(waited, Failure):
                    return waited
                now = waited
            left = deadline - now
            if left <= 0:
                return _fail_no_time("had no time left")
            return await exchange(
                pool.session,
                self._settings,
                identity,
                call,
                make_timeout(min(timeouts.attempt, left), timeouts.connect),
                clock=clock,
                started=started,
                attempt=attempt,
            )
        finally:
            pool.slots.release()

    async def _wait_for_slot(
        self, limiter: RateLimiter, reserved: float | Awaitable[float], deadline: float
    ) -> float | Failure:
        """Wait for a slot of the rate limiter; return the time at which it has come."""
        while True:
            slot = await self._await(reserved, deadline)
            now = self.clock.monotonic()
            if slot is None:
                return _fail_no_time("waited for the rate limiter until its time was over")
            if slot <= now:
                return now
            if slot >= deadline:
                return _fail_slot_too_late(slot - now)
            await self.clock.sleep(slot - now)
            paused_until = await self._await(limiter.paused_until(), deadline)
            now = self.clock.monotonic()
            if paused_until is None or paused_until <= now:
                return now
            reserved = limiter.reserve_slot(now, deadline)

    async def _await(self, answer: float | Awaitable[float], deadline: float) -> float | None:
        """Wait for what a rate limiter answers; ``None`` if the deadline comes first."""
        if not isinstance(answer, Awaitable):
            return answer
        with anyio.move_on_after(deadline - self.clock.monotonic()):
            return await answer
        return None

    async def _identify(self, deadline: float) -> Identity | Failure:
        """Get an access token for the request, or say why there is none."""
        assert self._tokens is not None
        token = await self._tokens.get(deadline - self.clock.monotonic())
        if isinstance(token, NoToken):
            return Failure(
                rule=_adapt_rule(RULES[FailureKind.NO_TOKEN], token),
                message=f"was not sent: {token.reason}",
                timed_out=token.timed_out,
                was_attempted=False,
                **self._describe_cause(token),
            )
        identity = self._token_identity
        if identity is None or identity.token is not token:
            identity = self._token_identity = Identity.of(self._settings, token)
        return identity

    async def _renew_token(self, refused: Failure, deadline: float) -> tuple[Failure, bool]:
        """Ask for another token than the one refused; say whether there is one, or why not."""
        assert self._tokens is not None
        token = await self._tokens.get(
            deadline - self.clock.monotonic(), refused=refused.refused_token
        )
        if not isinstance(token, NoToken):
            return refused, token is not refused.refused_token
        failure = evolve(
            refused,
            rule=_adapt_rule(refused.rule, token),
            message=f"{refused.message}, and {token.reason}",
            timed_out=token.timed_out,
            **self._describe_cause(token),
        )
        return failure, False

    def _describe_cause(self, token: NoToken) -> dict[str, Any]:
        if token.cause is None:
            return {}
        cause, text = redact_cause(token.cause, self._settings.redact)
        return {"cause": cause, "cause_text": text}

    def enter(self) -> None:
        """Begin a block that makes calls, also after a close."""
        self._pools.enter()

    def leave(self) -> bool:
        """End a block, and tell whether it was the last one, so that it is time to close."""
        return self._pools.leave()

    async def close(self) -> None:
        """Close the sessions of this transport's own, and refuse calls until a block begins."""
        await self._pools.close()
        await self.rate_limiter.aclose()


def _adapt_rule(rule: Rule, token: NoToken) -> Rule:
    retryable = Retryable.LATER if token.error is ConnectError else Retryable.NO
    return rule._replace(error=token.error, retryable=retryable)


def _fail_no_time(message: str) -> Failure:
    rule = RULES[FailureKind.NO_TIME_LEFT]
    return Failure(rule=rule, message=message, timed_out=True, was_attempted=False)


def _fail_slot_too_late(seconds: float) -> Failure:
    return Failure(
        rule=RULES[FailureKind.SLOT_TOO_LATE],
        message=(
            f"was not sent: the rate limit allows the next request in {format_seconds(seconds)}, "
            "after the deadline of the call"
        ),
        retry_after=seconds,
        was_attempted=False,
    )
