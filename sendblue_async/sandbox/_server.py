"""The server itself: its life, its authentication, and the way of one request through it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import socket
import ssl as tls
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, get_args

from aiohttp import web

from ._answer import Answer, add_date, error_answer, fault_answer, json_answer
from ._contact import Spelling
from ._delivery import CONNECTION_FAULTS, send, send_slowly
from ._faults import Faults
from ._handlers import HandlerContext, answer_call, find_handler
from ._received import KEY_HEADER, SECRET_HEADER, ReceivedRequest
from ._replica import ReplicatedStore
from ._schedule import FaultSchedule
from ._store import ContactsView, MemoryStore, SqliteStore
from ._tokens import TOKENS_PATH, Tokens, bearer_token

__all__ = ["Sandbox"]

_log = logging.getLogger("sendblue_async.sandbox")
# aiohttp logs a malformed request with the bytes it came in, and those may hold a secret; and it
# logs every client that leaves early as an error, which here is none.
_silent = logging.Logger("sendblue_async.sandbox.silent", logging.CRITICAL + 1)

_REQUESTS_KEPT = 1000
_BACKLOG = 1024
_WRONG_KEYS = "Invalid Credentials"
_EMPTY = Answer(status=200, body=b"")
# Seconds that an answer in progress gets when the sandbox closes.
_CLOSING_GRACE = 0.05


class Sandbox:
    """A local Sendblue that keeps contacts, applies the API's rules, and fails on demand.

    Use it as ``async with Sandbox() as sandbox:``, or call :meth:`start` and :meth:`close`.

    Args:
        host: the address to listen on; name resolution applies.
        port: the port, or 0 for any free one.
        db: a SQLite file that keeps the contacts across restarts; None keeps them in memory.
        seed: what the faults and the contact ids are drawn from.
        faults: the dials; none is on by default.
        api_key: the value that ``sb-api-key-id`` must have; another one is answered with 401,
            and a request without the header with 403.
        api_secret: the value that ``sb-api-secret-key`` must have, likewise.
        spelling: the names of a contact's fields in answers: ``"snake"`` as the provider's
            reference shows them, ``"camel"`` as its guide does, or ``"both"`` as live answers do.
        camel_case: the same as ``spelling="camel"``.
        created_status: the status of a create that made a contact; an update always gets 200.
        ssl: serve TLS with this context.
        clock: seconds since the epoch; tells when a contact was created, the ``Date`` of answers,
            what reads that lag can see, and when a token expires.
        token_lifetime: seconds for which a bearer token is valid that ``POST /v3/auth/tokens``
            issues; may be set at any time, for tokens from then on.

    Attributes:
        counts: how often what happened: ``requests``; contacts ``created``, ``updated`` and
            ``deleted``; ``verifications``, messages sent to verify a contact; ``opt_outs``,
            settings of it either way; ``verified_contacts`` created; ``tokens`` issued; and the
            name of each dial that struck.
        requests: the last 1,000 requests as they came, newest last, without keys and tokens.

    Raises:
        ValueError: ``port`` is out of range, ``created_status`` is not a 2xx with a body, or
            ``spelling`` is none of the three.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        db: str | os.PathLike[str] | None = None,
        seed: int = 0,
        faults: Faults | None = None,
        api_key: str = "sandbox-key",
        api_secret: str = "sandbox-secret",
        spelling: Spelling = "both",
        camel_case: bool = False,
        created_status: int = 200,
        ssl: tls.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        token_lifetime: float = 900.0,
    ) -> None:
        if not 200 <= created_status <= 299 or created_status in (204, 205):
            raise ValueError(
                f"created_status must be a 2xx status that has a body, not {created_status!r}."
            )
        if spelling not in get_args(Spelling):
            choices = ", ".join(map(repr, get_args(Spelling)))
            raise ValueError(f"spelling must be one of {choices}, not {spelling!r}.")
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be a number from 0 to 65535, not {port!r}.")
        self.api_key = api_key
        self.api_secret = api_secret
        self.token_lifetime = token_lifetime
        self.counts: Counter[str] = Counter()
        self.requests: deque[ReceivedRequest] = deque(maxlen=_REQUESTS_KEPT)
        self._host = host
        self._port = port
        self._ssl = ssl
        self._clock = clock
        self._tokens = Tokens(clock)
        self._store = ReplicatedStore(MemoryStore() if db is None else SqliteStore(db), clock)
        self._verified = ReplicatedStore(
            MemoryStore() if db is None else SqliteStore(db, "verified_contacts"), clock
        )
        self._schedule = FaultSchedule(seed, Faults())
        self.faults = Faults() if faults is None else faults
        self._context = HandlerContext(
            store=self._store,
            verified=self._verified,
            seed=seed,
            spelling="camel" if camel_case else spelling,
            created_status=created_status,
            clock=clock,
            counts=self.counts,
        )
        self._runner: web.ServerRunner | None = None
        self._bound_port: int | None = None

    @property
    def base_url(self) -> str:
        """Where clients reach the sandbox, without a slash at the end.

        Raises:
            RuntimeError: it has not been started.
        """
        if self._bound_port is None:
            raise RuntimeError("The sandbox has no address before it has been started.")
        # A wildcard address is for listening; a client needs one to connect to.
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        scheme = "http" if self._ssl is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self._bound_port}"

    @property
    def contacts(self) -> Mapping[str, dict[str, Any]]:
        """A read-only mapping from E.164 number to the stored contact in snake_case.

        With ``db`` it can be read only while the sandbox runs; ``RuntimeError`` otherwise.
        """
        return ContactsView(self._store)

    @property
    def faults(self) -> Faults:
        """The dials in force; assign new ones at any time. The draws go on where they were."""
        return self._schedule.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if not isinstance(faults, Faults):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"faults must be Faults, such as Faults(reset=0.1), or Faults() for none, not "
                f"{faults!r}."
            )
        self._schedule.faults = faults
        self._store.lag = self._verified.lag = faults.read_lag

    async def start(self) -> None:
        """Open the store and the port, and serve until :meth:`close`.

        Raises:
            OSError: the port cannot be had, or the contact file cannot be opened or written.
            ValueError: the contact file is not one of a sandbox.
            RuntimeError: the sandbox is running already.
        """
        if self._runner is not None:
            raise RuntimeError("The sandbox is running already.")
        self._open_stores()
        listener: socket.socket | None = None
        runner = web.ServerRunner(
            web.Server(self._serve, access_log=None, logger=_silent),
            shutdown_timeout=_CLOSING_GRACE,
        )
        try:
            listener = _listen(self._host, self._port)
            await runner.setup()
            await web.SockSite(runner, listener, ssl_context=self._ssl, backlog=_BACKLOG).start()
        except BaseException:
            await runner.cleanup()
            if listener is not None:
                listener.close()
            self._close_stores()
            raise
        self._runner = runner
        self._bound_port = listener.getsockname()[1]

    async def close(self) -> None:
        """Stop serving, end every connection, and close the store; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            # A connection that is being closed is closed one turn of the loop later.
            await asyncio.sleep(0)
            self._close_stores()

    def _open_stores(self) -> None:
        try:
            self._store.open()
            self._verified.open()
        except BaseException:
            self._close_stores()
            raise

    def _close_stores(self) -> None:
        self._store.close()
        self._verified.close()

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        if self._runner is None:
            return "<Sandbox not running>"
        return f"<Sandbox at {self.base_url}, {len(self._store)} contacts>"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        # Before the first await, so that plans go out in the order in which requests came.
        plan = self._schedule.next_plan()
        faults = self._schedule.faults
        self.counts["requests"] += 1
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return send(error_answer(413, "The body is too large"))
        except web.RequestPayloadError:
            return send(error_answer(400, "The body cannot be read"))
        self.requests.append(ReceivedRequest.read(request, body))
        if plan.delay:
            self.counts.update(dial for dial in ("latency", "jitter") if getattr(faults, dial))
            await asyncio.sleep(plan.delay)
        answer = _EMPTY if plan.before_commit else self._handle(request, body)
        fault = plan.before_commit or plan.after_commit
        if fault is not None:
            self.counts[fault] += 1
            break_connection = CONNECTION_FAULTS.get(fault)
            if break_connection is not None:
                return break_connection(request, answer)
            answer = fault_answer(fault, plan, faults, path=request.raw_path)
        answer = add_date(answer, int(self._clock()))
        if plan.slow:
            self.counts["slow_bytes"] += 1
            return await send_slowly(request, answer, faults.slow_bytes_interval)
        return send(answer)

    def _handle(self, request: web.BaseRequest, body: bytes) -> Answer:
        if request.raw_path.partition("?")[0] == TOKENS_PATH:
            return self._issue_token(request)
        found = find_handler(request.method, request.raw_path, body)
        if isinstance(found, Answer):
            return found
        refusal = self._check_keys(request)
        if refusal is not None:
            return refusal
        try:
            return answer_call(self._context, *found)
        except Exception as error:
            _log.exception("The sandbox could not handle %s", request.method)
            return error_answer(
                500, f"The sandbox failed: {type(error).__name__}", path=request.raw_path
            )

    def _issue_token(self, request: web.BaseRequest) -> Answer:
        """Issue a token, for which a request needs the two keys."""
        if request.method != "POST":
            return error_answer(405, "Method not allowed", path=TOKENS_PATH)
        if KEY_HEADER not in request.headers or self._check_keys(request) is not None:
            return error_answer(401, _WRONG_KEYS, path=TOKENS_PATH)
        self.counts["tokens"] += 1
        return json_answer(200, {"data": self._tokens.issue(self.token_lifetime)})

    def confirm_verification(self, number: str) -> None:
        """Pretend that a person has written, which verifies the contacts with this number.

        Args:
            number: the E.164 number of a contact, of a verified contact, or of both.

        Raises:
            KeyError: there is neither.
        """
        found = False
        for store in (self._store, self._verified):
            with store.exclusive():
                contact = store.get(number)
                if contact is not None:
                    store.put(contact.merge({"verified": True}))
                    found = True
        if not found:
            raise KeyError(number)

    def revoke_tokens(self) -> None:
        """Refuse every bearer token issued so far, whenever it would have expired."""
        self._tokens.revoke_all()

    def _check_keys(self, request: web.BaseRequest) -> Answer | None:
        """Check the keys or the token of a request, and return the answer if they are wrong."""
        key = request.headers.get(KEY_HEADER, "")
        secret = request.headers.get(SECRET_HEADER, "")
        token = bearer_token(request.headers.get("authorization", ""))
        if token is not None and not key and not secret:
            right = self._tokens.accepts(token)
        elif not key or not secret:
            return json_answer(403, {"message": "Did not get inputs for authorization"})
        else:
            # Both are always compared, so that the time taken does not tell which one is wrong.
            right_key = _same(key, self.api_key)
            right_secret = _same(secret, self.api_secret)
            right = right_key and right_secret
        return None if right else error_answer(401, _WRONG_KEYS, path=request.raw_path)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(
        given.encode(errors="surrogateescape"), wanted.encode(errors="surrogateescape")
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Behind the reason Python shows the address once more.
        reason = (error.strerror or str(error)).partition(" (while ")[0]
        message = f"Cannot listen on {host!r} port {port}: {reason}"
        # A name that is not found has a number below zero, which is not an errno.
        found = (error.errno or 0) > 0
        raise (OSError(error.errno, message) if found else OSError(message)) from error
