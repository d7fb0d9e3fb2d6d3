"""Access tokens: what a caller gives for one, when it is refreshed, and who waits for it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, TypeAlias

from attrs import define, field, frozen

from ._clock import SYSTEM_CLOCK, Clock
from ._dates import parse_datetime
from ._redaction import Secret, hide, make_redactor
from ._threads import run_on_daemon
from .exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    PermissionDeniedError,
    SendblueError,
)

_TOKEN = re.compile(r"[!-~]+")
# A token is refreshed so many seconds, or a tenth of its life, before it expires.
_REFRESH_MARGIN = 30.0
# Tokens that are still masked in errors: an answer may quote one that has been refreshed since.
_RECENT_TOKENS = 8


def _check_token(token: Any) -> Secret:
    token = hide(token)
    if isinstance(token, Secret) and _TOKEN.fullmatch(token.reveal()):
        return token
    raise ConfigurationError(
        "An access token must be plain ASCII text without spaces, and without the word Bearer."
    )


def _parse_expiry(expires_at: Any) -> datetime | None:
    with suppress(TypeError, ValueError, OverflowError, OSError):
        if type(expires_at) in (int, float):
            return datetime.fromtimestamp(expires_at, timezone.utc)
        if isinstance(expires_at, str):
            return parse_datetime(expires_at)
        if expires_at is None or (isinstance(expires_at, datetime) and expires_at.tzinfo):
            return expires_at
    # Text is not shown, as it may be the token, given instead of the other.
    shown = "this text" if isinstance(expires_at, str) else repr(expires_at)
    raise ConfigurationError(
        "expires_at must be an aware datetime, ISO 8601 text or seconds since the epoch, "
        f"not {shown}."
    )


@frozen
class AccessToken:
    """A short-lived token that authenticates requests in place of the two keys.

    Attributes:
        token: The token, without the word ``Bearer``; shown as stars.
        expires_at: When it expires: an aware datetime; ISO 8601 text and seconds since the epoch
            are accepted too. A token without it is used until it is refused.

    Raises:
        ConfigurationError: If a value is not usable.
    """

    token: str = field(converter=_check_token)
    expires_at: datetime | None = field(default=None, converter=_parse_expiry)


_TokenResult: TypeAlias = str | AccessToken | Mapping[str, Any]
TokenSource: TypeAlias = str | Callable[[], _TokenResult | Awaitable[_TokenResult]]
"""An access token, or a function (async or not) that returns one whenever it is called."""


def _parse_token(result: Any) -> AccessToken:
    """Read a token from what a function returned.

    Raises:
        ConfigurationError: If that is nothing that it may return.
    """
    result = hide(result)
    if isinstance(result, Mapping) and isinstance(result.get("data"), Mapping):
        result = result["data"]
    if isinstance(result, Mapping) and "token" in result:
        expires_at = result.get("expires_at")
        if isinstance(expires_at, Secret):
            expires_at = str(expires_at.reveal())
        return AccessToken(result["token"], expires_at)
    if isinstance(result, Secret):
        return AccessToken(result)
    if isinstance(result, AccessToken):
        return result
    raise ConfigurationError(
        "access_token must return a token as text, as an AccessToken, or as the mapping that "
        f"POST /v3/auth/tokens answers with, not {type(result).__name__}."
    )


@frozen
class NoToken:
    """Why there is no access token to send.

    Attributes:
        reason: Why, in words that follow "was not sent:".
        error: The class of error to raise.
        cause: What the function raised, or ``None``.
        timed_out: Whether the function did not return in time.
    """

    reason: str
    error: type[SendblueError] = ConnectError
    cause: BaseException | None = None
    timed_out: bool = False


# What a function may raise that the next call would meet as well; all else is transient.
_PERMANENT = (AuthenticationError, ConfigurationError, PermissionDeniedError)


@define(eq=False)
class _Refresh:
    """A refresh in progress, and how many calls wait for it."""

    tokens: AccessTokens
    task: asyncio.Task[Secret | NoToken | BaseException] = field(init=False)
    waiting: int = 0


# The refreshes that the running code is a part of.
_refreshes: contextvars.ContextVar[tuple[_Refresh, ...]] = contextvars.ContextVar(
    "sendblue_async access tokens", default=()
)


class AccessTokens:
    """The tokens of one client: the one in use, and how to get the next.

    All calls on an event loop wait for one refresh. It runs in a task of its own, so that it
    goes on if the call that started it is cancelled, and is cancelled when no call waits for it.

    Args:
        source: A token, or a function that is called for one whenever there is none, or the last
            one is about to expire or was refused. A function that is not async is called on a
            thread of its own, as it may block.
        clock: Tells the time.

    Raises:
        ConfigurationError: If it is neither.
    """

    def __init__(self, source: Any, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._source: Callable[[], Any] | None = None
        self._recent: deque[Secret] = deque(maxlen=_RECENT_TOKENS)
        self._token: Secret | None = None
        self._refresh_at = self._expires_at = math.inf
        self._refreshes: dict[asyncio.AbstractEventLoop, _Refresh] = {}
        if isinstance(source, str):
            self._store(AccessToken(source))
        elif callable(source):
            self._source = source
        else:
            raise ConfigurationError(
                "access_token must be a token as text, or a function that returns one, "
                f"not {type(source).__name__}."
            )

    @property
    def headers(self) -> dict[str, str]:
        """The header that carries a token; each request puts its own into it."""
        return {"authorization": ""}

    @property
    def account(self) -> str:
        """The same for all accounts, as tokens change."""
        return "access token"

    def redact(self, text: str) -> str:
        """Mask the latest tokens in a text, should a server have sent them back."""
        return make_redactor(self._recent)(text)

    async def get(self, timeout: float, *, refused: Secret | None = None) -> Secret | NoToken:
        """Return a token to send, or why there is none.

        Args:
            timeout: Seconds to wait for one.
            refused: A token that the server has refused. If there is no other, it is returned,
                the very same object.
        """
        token = self._token
        fresh = (
            token is not None
            and token is not refused
            and self._clock.monotonic() < self._refresh_at
        )
        if self._source is None or fresh:
            assert token is not None
            return token
        answer = await self._wait_for_refresh(timeout)
        if isinstance(answer, NoToken) and token is not None and token is not refused:
            # The refresh began early enough for the last token to be still valid.
            return token if self._clock.monotonic() < self._expires_at else answer
        return answer

    async def _wait_for_refresh(self, timeout: float) -> Secret | NoToken:
        if any(each.tokens is self and not each.task.done() for each in _refreshes.get()):
            return NoToken(
                "access_token makes a call with the client that it is to give a token to; "
                "use another client there",
                ConfigurationError,
            )
        loop = asyncio.get_running_loop()
        refresh = self._refreshes.get(loop)
        if refresh is None or refresh.task.done():
            refresh = self._refreshes[loop] = _Refresh(self)
            refresh.task = asyncio.ensure_future(self._refresh(refresh))
        refresh.waiting += 1
        try:
            await asyncio.wait([refresh.task], timeout=timeout)
        finally:
            refresh.waiting -= 1
            if not refresh.waiting:
                refresh.task.cancel()
                if self._refreshes.get(loop) is refresh:
                    del self._refreshes[loop]
        if not refresh.task.done():
            return NoToken("access_token gave none in time", timed_out=True)
        answer = refresh.task.result()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _refresh(self, refresh: _Refresh) -> Secret | NoToken | BaseException:
        """Get the next token, or why there is none.

        What ends the program is returned, so that whoever waits can raise it.
        """
        _refreshes.set((*_refreshes.get(), refresh))
        try:
            result = await _call_source(self._source)
        except (KeyboardInterrupt, SystemExit) as error:
            # Raised in this task, it would stop the event loop.
            return error
        except BaseException as error:
            permanent = [cls for cls in _PERMANENT if isinstance(error, cls)]
            return NoToken(
                f"access_token raised {type(error).__name__}",
                permanent[0] if permanent else ConnectError,
                error,
            )
        try:
            return self._store(_parse_token(result))
        except ConfigurationError as error:
            return NoToken(f"{error}".rstrip("."), ConfigurationError)

    def _store(self, token: AccessToken) -> Secret:
        """Use this token from now on; return the very same object as before if it is no other."""
        secret: Secret = hide(token.token)
        if self._token is not None and secret == self._token:
            secret = self._token
        else:
            self._token = secret
            self._recent.append(secret)
        life = math.inf
        if token.expires_at is not None:
            life = token.expires_at.timestamp() - self._clock.time()
        # One that seems to have expired already may be good by the server's clock: let that tell.
        life = life if life > 0 else math.inf
        self._expires_at = self._clock.monotonic() + life
        self._refresh_at = self._expires_at - min(_REFRESH_MARGIN, life / 10)
        return secret


async def _call_source(function: Callable[[], Any] | None) -> Any:
    """Return what the function returns, awaited if it has to be."""
    assert function is not None
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    ):
        return await function()
    # Empty but for one variable: done for many calls, it belongs to none, and anyio would take a
    # copy of this context for an event loop that runs on that thread.
    context = contextvars.Context()
    context.run(_refreshes.set, _refreshes.get())

    def call() -> tuple[Any, BaseException | None]:
        try:
            return context.run(function), None
        except BaseException as error:
            return None, error

    result, error = await asyncio.wrap_future(run_on_daemon(call, "sendblue-async-token"))
    if error is not None:
        raise error
    return await result if inspect.isawaitable(result) else result
