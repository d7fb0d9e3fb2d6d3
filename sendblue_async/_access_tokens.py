"""Access tokens: what a caller gives for one, when another is asked for, and who waits for it."""

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

from ._clock import monotonic
from ._converter import parse_datetime
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
# A token is replaced so many seconds, or a tenth of its life, before it expires.
_EARLY = 30.0
# Tokens that are still masked in errors: an answer may quote one that has been replaced meanwhile.
_REMEMBERED = 8


def _checked_token(token: Any) -> Secret:
    token = hide(token)
    if isinstance(token, Secret) and _TOKEN.fullmatch(token.reveal()):
        return token
    raise ConfigurationError(
        "An access token must be plain ASCII text without spaces, and without the word Bearer."
    )


def _checked_expiry(expires_at: Any) -> datetime | None:
    with suppress(TypeError, ValueError, OverflowError, OSError):
        if type(expires_at) in (int, float):
            return datetime.fromtimestamp(expires_at, timezone.utc)
        if isinstance(expires_at, str):
            return parse_datetime(expires_at)
        if expires_at is None or (isinstance(expires_at, datetime) and expires_at.tzinfo):
            return expires_at
    # Text is not shown, as it may be the token, given in the other one's place.
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

    token: str = field(converter=_checked_token)
    expires_at: datetime | None = field(default=None, converter=_checked_expiry)


_Told: TypeAlias = str | AccessToken | Mapping[str, Any]
TokenSource: TypeAlias = str | Callable[[], _Told | Awaitable[_Told]]
"""An access token, or a function (async or not) that gives one each time it is asked."""


def _read_told(told: Any) -> AccessToken:
    """What a function has told, as a token.

    Raises:
        ConfigurationError: If it is none of the things that it may tell.
    """
    told = hide(told)
    if isinstance(told, Mapping) and isinstance(told.get("data"), Mapping):
        told = told["data"]
    if isinstance(told, Mapping) and "token" in told:
        expires_at = told.get("expires_at")
        if isinstance(expires_at, Secret):
            expires_at = str(expires_at.reveal())
        return AccessToken(told["token"], expires_at)
    if isinstance(told, Secret):
        return AccessToken(told)
    if isinstance(told, AccessToken):
        return told
    raise ConfigurationError(
        "access_token must return a token as text, as an AccessToken, or as the mapping that "
        f"POST /v3/auth/tokens answers with, not {type(told).__name__}."
    )


@frozen
class NoToken:
    """Why there is no access token to send.

    Attributes:
        reason: Why, in words.
        error: The class of error to raise for it.
        cause: What the function raised that was asked, or ``None``.
        timed_out: Whether it did not answer in time.
    """

    reason: str
    error: type[SendblueError] = ConnectError
    cause: BaseException | None = None
    timed_out: bool = False


# What a function may raise that the next call would meet as well; all else may pass.
_LASTING = (AuthenticationError, ConfigurationError, PermissionDeniedError)


@define(eq=False)
class _Asking:
    """A function that is being asked for a token, and how many calls wait for its answer."""

    tokens: AccessTokens
    task: asyncio.Task[Secret | NoToken | BaseException] = field(init=False)
    waiting: int = 0


# What is being asked on behalf of the code that runs.
_askings: contextvars.ContextVar[tuple[_Asking, ...]] = contextvars.ContextVar(
    "sendblue_async access tokens", default=()
)


class AccessTokens:
    """The tokens of one client: the one in use, and the way to the next.

    All calls on an event loop wait for one asking. It runs in a task of its own, so that it goes
    on if the call that began it is cancelled, and is cancelled when no call waits for it any more.

    Args:
        source: A token, or a function that is asked for one whenever there is none, the last one
            is about to expire, or was refused. A function that is not async is called on a
            thread of its own, as it may block.
        clock: Monotonic seconds.

    Raises:
        ConfigurationError: If it is neither.
    """

    def __init__(self, source: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._ask: Callable[[], Any] | None = None
        self._recent: deque[Secret] = deque(maxlen=_REMEMBERED)
        self._token: Secret | None = None
        self._renew_at = self._expires_at = math.inf
        self._askings: dict[asyncio.AbstractEventLoop, _Asking] = {}
        if isinstance(source, str):
            self._keep(AccessToken(source))
        elif callable(source):
            self._ask = source
        else:
            raise ConfigurationError(
                "access_token must be a token as text, or a function that returns one, "
                f"not {type(source).__name__}."
            )

    @property
    def headers(self) -> dict[str, str]:
        """The header that carries the token, if there is one already."""
        return {"authorization": f"Bearer {self._token or ''}"}

    @property
    def account(self) -> str:
        """The same for all accounts: no token that is replaced can name one."""
        return "access token"

    def redact(self, text: str) -> str:
        """The text with the latest tokens masked, should a server have sent them back."""
        return make_redactor(self._recent)(text)

    async def token(self, within: float, *, refused: Secret | None = None) -> Secret | NoToken:
        """A token to send, or why there is none.

        Args:
            within: Seconds to wait for one.
            refused: A token that the server has refused. If there is no other, it is returned,
                the very same object.
        """
        token = self._token
        fresh = token is not None and token is not refused and self._clock() < self._renew_at
        if self._ask is None or fresh:
            assert token is not None
            return token
        answer = await self._wait_for_asking(within)
        if isinstance(answer, NoToken) and token is not None and token is not refused:
            # It was asked in good time, so that the last one may still do.
            return token if self._clock() < self._expires_at else answer
        return answer

    async def _wait_for_asking(self, within: float) -> Secret | NoToken:
        if any(each.tokens is self and not each.task.done() for each in _askings.get()):
            return NoToken(
                "access_token makes a call with the client that it is to give a token to; "
                "use another client there",
                ConfigurationError,
            )
        loop = asyncio.get_running_loop()
        asking = self._askings.get(loop)
        if asking is None or asking.task.done():
            asking = self._askings[loop] = _Asking(self)
            asking.task = asyncio.ensure_future(self._renew(asking))
        asking.waiting += 1
        try:
            await asyncio.wait([asking.task], timeout=within)
        finally:
            asking.waiting -= 1
            if not asking.waiting:
                asking.task.cancel()
                if self._askings.get(loop) is asking:
                    del self._askings[loop]
        if not asking.task.done():
            return NoToken("access_token gave none in time", timed_out=True)
        answer = asking.task.result()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _renew(self, asking: _Asking) -> Secret | NoToken | BaseException:
        """The next token, or why there is none; what ends the program is handed to who waits."""
        _askings.set((*_askings.get(), asking))
        try:
            told = await _ask(self._ask)
        except (KeyboardInterrupt, SystemExit) as error:
            # Raised in this task, it would stop the event loop.
            return error
        except BaseException as error:
            lasting = [cls for cls in _LASTING if isinstance(error, cls)]
            return NoToken(
                f"access_token raised {type(error).__name__}",
                lasting[0] if lasting else ConnectError,
                error,
            )
        try:
            return self._keep(_read_told(told))
        except ConfigurationError as error:
            return NoToken(f"{error}".rstrip("."), ConfigurationError)

    def _keep(self, token: AccessToken) -> Secret:
        """Use this token from now on; the very same object as before if it is no other."""
        secret: Secret = hide(token.token)
        if self._token is not None and secret == self._token:
            secret = self._token
        else:
            self._token = secret
            self._recent.append(secret)
        life = math.inf
        if token.expires_at is not None:
            life = (token.expires_at - datetime.now(timezone.utc)).total_seconds()
        # One that seems to have expired already may be good by the server's clock: let that tell.
        life = life if life > 0 else math.inf
        self._expires_at = self._clock() + life
        self._renew_at = self._expires_at - min(_EARLY, life / 10)
        return secret


async def _ask(function: Callable[[], Any] | None) -> Any:
    """What the function returns, awaited if it has to be."""
    assert function is not None
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    ):
        return await function()
    # Empty but for one variable: asked for many calls, it belongs to none, and anyio would take a
    # copy of this context for an event loop that runs on that thread.
    context = contextvars.Context()
    context.run(_askings.set, _askings.get())

    def call() -> tuple[Any, BaseException | None]:
        try:
            return context.run(function), None
        except BaseException as error:
            return None, error

    told, error = await asyncio.wrap_future(run_on_daemon(call, "sendblue-async-token"))
    if error is not None:
        raise error
    return await told if inspect.isawaitable(told) else told
