"""One rate limit that many processes share, kept by a Redis server."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import math
import os
import uuid
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any, NamedTuple

from .._checks import check_positive_seconds
from .._clock import SYSTEM_CLOCK, Clock
from .._redaction import Secret, hide
from ..exceptions import ConfigurationError
from .base import RateLimiter
from .fixed import MAX_PAUSE, PROBE, FixedRateLimiter, check_rate

# Seconds after which Redis is asked again, if it did not answer.
_ASK_AGAIN_AFTER = 1.0
# Seconds for which a process counts that has sent nothing, and for which Redis keeps anything.
_SEEN_WITHIN = 600.0
# How many processes are assumed, as long as Redis has never said how many there are.
_ASSUMED_PROCESSES = 10
# Seconds to the last slot that is given to whoever waits for ever.
_LONGEST_WAIT = 1e9
# Seconds for which nobody asks whether there is a pause by now.
_FRESH = 0.05

# Times are microseconds of the server's clock. Lua would write them as 1.7e+15 by itself.
_SCRIPT = """
local command, process = ARGV[1], ARGV[2]
local amount, time_left = tonumber(ARGV[3]), tonumber(ARGV[4])
local seen_within, max_pause, probe_space = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'now', 'next_slot', 'paused_until', 'probes')
local last = tonumber(state[1]) or now
local next_slot = tonumber(state[2]) or now
local paused_until = tonumber(state[3]) or now
local probes = state[4] == '1'
if last > now then
  -- The clock was set back, or is that of another machine: waits stay as long as they were.
  next_slot = next_slot - (last - now)
  paused_until = paused_until - (last - now)
end

local slot = -1
if command == 'pause' then
  probes = probes or amount > max_pause
  paused_until = math.max(paused_until, now + math.min(amount, max_pause))
elseif command == 'reserve' then
  slot = math.max(now, next_slot, paused_until)
  if slot - now < time_left then
    next_slot = slot + amount
    if probes then
      probes = false
      next_slot = math.max(next_slot, slot + probe_space)
    end
  end
end

local function text(number) return string.format('%.0f', number) end
local kept = math.max(now, next_slot, paused_until) - now + seen_within
redis.call('HSET', KEYS[1], 'now', text(now), 'next_slot', text(next_slot),
  'paused_until', text(paused_until), 'probes', probes and '1' or '0')
redis.call('PEXPIRE', KEYS[1], text(kept / 1000))
redis.call('ZADD', KEYS[2], text(now), process)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. text(now - seen_within))
redis.call('PEXPIRE', KEYS[2], text(seen_within / 1000))
return {text(slot - now), text(next_slot - now), text(paused_until - now),
  redis.call('ZCARD', KEYS[2])}
"""


class _Answer(NamedTuple):
    """What the script says: seconds from now, and how many processes were seen lately."""

    wait: float
    next_slot: float
    pause: float
    processes: int


class _Connection:
    """The connection of one event loop, on which one question follows the other."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.lock = asyncio.Lock()
        self.closed = False
        self.guard = _close_with_loop(client)
        # An event loop alone does not keep what runs on it.
        self.exchange: asyncio.Future[Any] | None = None


async def _close_with_loop(client: Any) -> AsyncGenerator[None, None]:
    """Close the client when this generator is closed, which an event loop does before it stops."""
    try:
        yield
    finally:
        await client.aclose()


class RedisRateLimiter(RateLimiter):
    """One rate limit for all processes that use the same Redis server and the same key.

    Requests are evenly spaced by the clock of the Redis server, whichever process sends them, and
    a 429 with ``Retry-After`` in one of them pauses all. Needs the extra ``redis``.

    While Redis is unavailable, each process continues at its share of the rate, and a warning is
    logged. Its share is the rate divided by the number of processes seen in the ten minutes before
    the last answer, or a tenth of the rate if Redis has never answered. Redis is asked again every
    second.

    Args:
        url: Where Redis is: ``redis://``, ``rediss://`` (TLS) or ``unix://``.
        rate: Requests per second at most, of all processes together.
        key: Names the limit. Processes with the same key share it; give each Sendblue account a
            key of its own. Default ``"default"``.
        timeout: Seconds that an answer of Redis may take. Default 1.
        fallback_rate: Requests per second of this process while Redis is unavailable. By default
            its share, as above.

    Raises:
        ConfigurationError: If an argument is not usable, or the extra is not installed.
    """

    # A test has a subclass with another clock.
    _clock: Clock = SYSTEM_CLOCK

    def __init__(
        self,
        url: str,
        *,
        rate: float,
        key: str = "default",
        timeout: float = 1.0,
        fallback_rate: float | None = None,
    ) -> None:
        self._url: Secret = hide(url)
        url = self._url
        check_rate("rate", rate)
        if fallback_rate is not None:
            check_rate("fallback_rate", fallback_rate)
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f"key must be a text that is not empty, not {key!r}.")
        self.rate = rate
        self._rate = rate
        self._key = key
        self._timeout = check_positive_seconds("timeout", timeout)
        self._fallback_rate = fallback_rate
        self._errors = (_module("redis.exceptions").RedisError, OSError, asyncio.TimeoutError)
        self._where = self._find_address()
        self._connections: dict[asyncio.AbstractEventLoop, _Connection] = {}
        self._identity = (0, "")
        self._processes = 0
        self._next_slot = self._paused_until = self._heard_at = self._ask_at = -math.inf
        # What this process keeps to while Redis is unavailable.
        self._fallback: FixedRateLimiter | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._where!r}, rate={self._rate!r}, key={self._key!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("A rate limiter is not pickled, as that would write its password down.")

    async def aclose(self) -> None:
        """Close the connection of the running event loop; the next call opens another one.

        The end of the event loop, as in :func:`asyncio.run`, closes it, too.
        """
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is not None:
            async with connection.lock:
                await self._drop(connection)

    async def reserve_slot(self, now: float, before: float = math.inf) -> float:
        """Reserve the next slot of all processes, and return its time."""
        # What batches go by until the answer has come.
        self._next_slot = max(self._next_slot, now) + 1 / self._rate
        answer = fallback = None
        # Redis may have come back between no answer and here.
        while answer is None and fallback is None:
            answer = await self._ask("reserve", 1 / self._rate, until=before)
            fallback = self._fallback
        now = self._clock.monotonic()
        if answer is not None:
            return max(now + answer.wait, self._paused_until)
        assert fallback is not None
        return fallback.reserve_slot(max(now, self._paused_until), before)

    def next_slot_at(self, now: float) -> float:
        """The next slot, as far as it is known here."""
        fallback = self._fallback
        if fallback is not None:
            return fallback.next_slot_at(max(now, self._paused_until))
        return max(now, self._next_slot, self._paused_until)

    async def paused_until(self) -> float:
        """The time until which a pause lasts that any of the processes has shared."""
        if self._clock.monotonic() - self._heard_at > _FRESH:
            await self._ask("look", 0)
        return self._paused_until

    async def pause(self, now: float, seconds: float) -> None:
        """Hold back the requests of every process."""
        self._paused_until = max(self._paused_until, now + min(seconds, MAX_PAUSE))
        await self._ask("pause", min(seconds, 2 * MAX_PAUSE))

    async def _ask(self, command: str, amount: float, *, until: float = math.inf) -> _Answer | None:
        """Ask Redis, and return its answer, or nothing while it is unavailable."""
        if self._fallback is not None:
            if self._clock.monotonic() < self._ask_at:
                return None
            # The others need not wait while one finds out.
            self._ask_at = self._clock.monotonic() + self._timeout + _ASK_AGAIN_AFTER
        tries_again = self._fallback is not None
        connection = await self._acquire_connection()
        if self._fallback is not None and not tries_again:
            connection.lock.release()
            return None
        # A caller that is cancelled leaves the connection in the midst of nothing.
        exchange = asyncio.ensure_future(self._exchange(connection, command, amount, until))
        connection.exchange = exchange
        return await asyncio.shield(exchange)

    async def _acquire_connection(self) -> _Connection:
        """Acquire the connection of the running event loop, once nobody else uses it."""
        while True:
            connection = await self._connect()
            await connection.lock.acquire()
            if not connection.closed:
                return connection
            connection.lock.release()

    async def _exchange(
        self, connection: _Connection, command: str, amount: float, until: float
    ) -> _Answer | None:
        """Ask one question and record its answer; then the next one may be asked."""
        try:
            answer = await self._run(connection, command, amount, until)
        except self._errors as error:
            self._start_fallback(error)
            # The next one may reach another machine.
            await self._drop(connection)
            return None
        finally:
            connection.lock.release()
        self._record_answer(answer)
        return answer

    async def _drop(self, connection: _Connection) -> None:
        connection.closed = True
        self._connections.pop(asyncio.get_running_loop(), None)
        with contextlib.suppress(*self._errors):
            await asyncio.wait_for(connection.guard.aclose(), self._timeout)

    async def _run(
        self, connection: _Connection, command: str, amount: float, until: float
    ) -> _Answer:
        # A hash tag keeps both keys on one node of a cluster.
        key = f"sendblue:rate-limit:{{{self._key}}}"
        time_left = min(until - self._clock.monotonic(), _LONGEST_WAIT)
        times = (amount, time_left, _SEEN_WITHIN, MAX_PAUSE, PROBE)
        arguments = [command, self._process(), *(round(1e6 * time) for time in times)]
        # The whole script each time: a Redis that was started again knows none.
        run = connection.client.eval(_SCRIPT, 2, key, f"{key}:processes", *arguments)
        # In a task, as an error that the library keeps would keep all that is on the stack here.
        answer = await asyncio.wait_for(asyncio.ensure_future(run), self._timeout)
        *waits, processes = answer
        wait, next_slot, pause = (int(each) / 1e6 for each in waits)
        return _Answer(wait, next_slot, pause, int(processes))

    def _record_answer(self, answer: _Answer) -> None:
        self._heard_at = self._clock.monotonic()
        self._next_slot = self._heard_at + answer.next_slot
        # A Redis that was started again may have forgotten a pause.
        self._paused_until = max(self._paused_until, self._heard_at + answer.pause)
        self._processes = answer.processes
        if self._fallback is not None:
            self._fallback = None
            _log.warning("Redis at %s answers again: its rate limit is shared again", self._where)

    def _start_fallback(self, error: BaseException) -> None:
        self._ask_at = self._clock.monotonic() + _ASK_AGAIN_AFTER
        if self._fallback is not None:
            return
        share = self._rate / (self._processes or _ASSUMED_PROCESSES)
        self._fallback = FixedRateLimiter(self._fallback_rate or share)
        _log.warning(
            "Redis at %s is unavailable (%s): this process continues at %s of the %s requests per "
            "second, until Redis answers again",
            self._where,
            type(error).__name__,
            _format_rate(self._fallback_rate or share),
            _format_rate(self._rate),
        )

    async def _connect(self) -> _Connection:
        """Return the connection of the running event loop, which opens at the first question."""
        loop = asyncio.get_running_loop()
        connection = self._connections.get(loop)
        if connection is not None:
            return connection
        # After a fork, that of the parent stays: to drop it would close it for the parent, too.
        for other in list(self._connections):
            if other.is_closed():
                self._connections.pop(other, None)
        connection = self._connections[loop] = _Connection(self._make_client())
        await connection.guard.asend(None)
        return connection

    def _make_client(self) -> Any:
        retry = _module("redis.asyncio.retry").Retry(_module("redis.backoff").NoBackoff(), 0)
        return _module("redis.asyncio").Redis.from_url(str(self._url.reveal()), retry=retry)

    def _find_address(self) -> str:
        """Find the address in the URL, without what may be secret."""
        try:
            pool = self._make_client().connection_pool
            options = pool.connection_kwargs
            # It is not opened, but refuses options that it does not know.
            pool.make_connection()
        except (TypeError, ValueError, AttributeError, self._errors[0]):
            # What it says may hold a piece of the password.
            options = None
        if options is None:
            raise ConfigurationError(
                "url must be the URL of a Redis server, such as redis://localhost:6379/0, with no "
                "options but those of redis-py; what is neither a letter nor a digit in its "
                "password must be percent-encoded."
            )
        if "path" in options:
            return str(options["path"])
        return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"

    def _process(self) -> str:
        """Return a name for this process, which a fork does not inherit."""
        if self._identity[0] != os.getpid():
            self._identity = os.getpid(), uuid.uuid4().hex
        return self._identity[1]


_log = logging.getLogger("sendblue_async")


def _format_rate(rate: float) -> str:
    """Format a rate without an exponent."""
    return f"{Decimal(f'{rate:.6g}'):f}"


def _module(name: str) -> Any:
    """Import a module of the extra ``redis``.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            "RedisRateLimiter needs redis, which is not installed. Run in your clone of "
            "sendblue-async: pip install '.[redis]'"
        ) from error
