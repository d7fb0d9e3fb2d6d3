"""One exchange over aiohttp: a request, and what its answer or its error means."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeVar

import aiohttp
from attrs import evolve, frozen
from multidict import CIMultiDict
from yarl import URL

from ._aiohttp_errors import ERRORS, read_error
from ._answer import ACCEPT_ENCODING, Body, Reply, join_headers
from ._clock import Clock
from ._pool import (
    MAX_HEADER_SIZE,
    ClientSession,
    ConnectionLost,
    RequestBody,
    SingleSend,
    drop_connection,
)
from ._redaction import Revealed, Secret
from ._retry import Failure
from ._retry_rules import RULES, FailureKind
from ._settings import Settings
from ._wire import Call, find_request_id, make_snippet, read_reply

T = TypeVar("T")

# The methods that aiohttp does not send twice by itself.
_SENT_ONCE = ("POST", "PATCH")

# After these, what comes next on the connection may be the answer to another request.
_OUT_OF_STEP = (RULES[FailureKind.UNREADABLE], RULES[408])

_CLOSED = Failure(
    rule=RULES[FailureKind.CLOSED],
    message="was not sent, as the client or its session is closed",
    was_attempted=False,
)


@frozen(eq=False)
class Identity:
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
    def of(cls, settings: Settings, token: Secret | None = None) -> Identity:
        """Make the identity of whoever has the keys in the settings, or this token."""
        headers = CIMultiDict(settings.headers)
        if token is not None:
            headers["authorization"] = Revealed("Bearer " + token.reveal())
        headers.setdefault("accept-encoding", ACCEPT_ENCODING)
        with_body = CIMultiDict(headers)
        with_body["content-type"] = "application/json"
        return cls(headers, with_body, token)


@lru_cache(maxsize=32)
def _make_url(base_url: str, path: str) -> URL:
    return URL(base_url + path, encoded=True)


@lru_cache(maxsize=32)
def make_timeout(attempt: float, connect: float) -> aiohttp.ClientTimeout:
    """Make the limits of one request, in seconds for all of it and for connecting."""
    # Connecting ends some time before the attempt does, so that aiohttp can tell which it was.
    # Without the threshold, it rounds five seconds and more up to the next whole second.
    return aiohttp.ClientTimeout(
        total=attempt, connect=min(connect, 0.9 * attempt), ceil_threshold=math.inf
    )


async def exchange(
    session: ClientSession,
    settings: Settings,
    identity: Identity,
    call: Call[T],
    timeout: aiohttp.ClientTimeout,
    *,
    clock: Clock,
    started: float,
    attempt: int,
) -> T | Failure:
    """Send one request and read its answer: the model, or why the attempt failed.

    Args:
        session: What to send it with.
        settings: What every request is made with.
        identity: Who sends it.
        call: The call.
        timeout: How long the request may take.
        clock: Tells when the answer is there.
        started: When the call began, in the monotonic seconds of the clock.
        attempt: The number of this attempt, from 1.
    """
    if session.closed:
        return _CLOSED
    body = None if call.body is None else RequestBody(call.body)
    # A body knows whether it was sent, and a POST is not sent twice by aiohttp.
    watched = body is None or call.method not in _SENT_ONCE
    single = SingleSend(session) if watched else None
    proxy = settings.proxy
    try:
        response = await session.request(
            call.method,
            _make_url(settings.base_url, call.path),
            data=body,
            headers=identity.headers if body is None else identity.headers_with_body,
            timeout=timeout,
            allow_redirects=False,
            raise_for_status=False,
            # Unpacked here, where it is known how much of it is wanted.
            auto_decompress=False,
            max_line_size=MAX_HEADER_SIZE,
            max_field_size=MAX_HEADER_SIZE,
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            ssl=settings.ssl,
            middlewares=None if single is None else single.middlewares,
        )
    except ERRORS as error:
        cause = error.__cause__ if isinstance(error, ConnectionLost) else error
        request = single if body is None else body
        was_sent = request is None or request.was_sent
        return read_error(
            cause or error, settings, was_sent=was_sent, connect_timeout=timeout.connect or 0.0
        )
    headers = join_headers(response.headers)
    received = Body(response.status, headers)
    try:
        content = response.content
        while not content.at_eof() and received.feed(await content.readany()):
            pass
    except ERRORS as error:
        # Of a refusal the status alone says what it means, however little came of its body.
        if 200 <= response.status < 300:
            return evolve(
                read_error(error, settings, was_sent=True),
                status=response.status,
                snippet=make_snippet(received.content, settings.redact),
                request_id=find_request_id(headers, settings.redact),
            )
    finally:
        # Closes the connection if anything is left to be read.
        response.release()
    answer = read_reply(
        call,
        Reply(response.status, headers, received.content, received.fault),
        attempts=attempt,
        elapsed=clock.monotonic() - started,
        now=clock.time(),
        redact=settings.redact,
    )
    if isinstance(answer, Failure):
        if answer.rule in _OUT_OF_STEP:
            drop_connection(response)
        if answer.status == 401:
            return evolve(answer, refused_token=identity.token)
    return answer
