"""Bearer tokens in place of the two keys: when one is asked for, and who waits for it."""

from __future__ import annotations

import asyncio
import functools
import pickle
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from sendblue_async import (
    AccessToken,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    PermissionDeniedError,
    RetryPolicy,
    SendblueClient,
    SendblueError,
    SyncSendblueClient,
    Timeouts,
)
from sendblue_async._clock import SYSTEM_CLOCK
from sendblue_async.sandbox import Sandbox

from .conftest import Timer, make_client
from .servers import contact, reply

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
TOKEN = "tok-5f3a9c7d21e84b60"
ONCE = RetryPolicy(attempts=1)


class Issuer:
    """Has a sandbox issue tokens, as the callers of a client would, and counts them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.asked = 0

    async def issue(self) -> dict[str, Any]:
        """Ask for a token with the two keys; the answer as it came."""
        self.asked += 1
        keys = self.sandbox.api_key, self.sandbox.api_secret
        async with SendblueClient(*keys, base_url=self.sandbox.base_url) as client:
            answer = await client.request("POST", "/v3/auth/tokens")
        return dict(answer.data)

    async def token(self) -> str:
        """A token alone."""
        return str((await self.issue())["data"]["token"])

    async def __call__(self) -> dict[str, Any]:
        """Give the same in the shape in which the API documents it."""
        return dict((await self.issue())["data"])


@pytest.fixture
def issuer(sandbox: Sandbox) -> Issuer:
    """Issues tokens for the sandbox."""
    return Issuer(sandbox)


@pytest.fixture
def connect(stack: AsyncExitStack) -> Callable[..., SendblueClient]:
    """Makes a client with an access token; with a ``timer``, time is what that says."""

    def connect(
        server: Any,
        source: Any,
        *,
        timer: Timer | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> SendblueClient:
        client = make_client(
            SYSTEM_CLOCK if timer is None else timer.clock,
            access_token=source,
            base_url=server.base_url,
            timeouts=timeouts,
            retry=retry,
        )
        stack.push_async_callback(client.close)
        return client

    return connect


def given_in_turn(*answers: Any) -> Callable[[], Any]:
    """A function that returns these one after another, then the last; raises those to be raised."""
    left = list(answers)

    def give() -> Any:
        give.asked += 1  # type: ignore[attr-defined]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    give.asked = 0  # type: ignore[attr-defined]
    return give


async def test_a_token_replaces_the_key_headers(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One header or the other two, never both, also where the environment has keys."""
    monkeypatch.setenv("SENDBLUE_API_KEY", "a-key-in-the-environment")
    monkeypatch.setenv("SENDBLUE_API_SECRET", "its-secret")
    server = await serve(contact(NUMBER))
    await connect(server, TOKEN).create_contact(NUMBER)
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert not {"sb-api-key-id", "sb-api-secret-key"} & {*headers}


async def test_the_sandbox_takes_a_token_it_has_issued(sandbox: Sandbox, issuer: Issuer) -> None:
    """A token that is text is used until it expires, and then refused like any other."""
    token = await issuer.token()
    async with SendblueClient(access_token=token, base_url=sandbox.base_url) as client:
        assert (await client.create_contact(NUMBER)).contact.phone == NUMBER
        sandbox.revoke_tokens()
        with pytest.raises(AuthenticationError, match=r"401.*Check the access token") as caught:
            await client.get_contact(NUMBER)
    assert (caught.value.attempts, caught.value.outcome) == (1, "rejected")


class _Callable:
    """An object whose call is a coroutine."""

    async def __call__(self) -> str:
        """Give the token."""
        return TOKEN


async def _coroutine() -> str:
    return TOKEN


async def _coroutine_of(token: str) -> str:
    return token


SOURCES: dict[str, Any] = {
    "a function": lambda: TOKEN,
    "an async function": _coroutine,
    "a function that returns a coroutine": lambda: _coroutine(),
    "a partial": functools.partial(_coroutine_of, TOKEN),
    "an object": _Callable(),
    "an AccessToken": lambda: AccessToken(TOKEN),
    "one that expires": lambda: AccessToken(TOKEN, datetime.now(timezone.utc) + timedelta(hours=1)),
    "a mapping": lambda: {"token": TOKEN, "expires_at": "2199-01-01T00:00:00.000Z"},
    "seconds": lambda: {"token": TOKEN, "expires_at": time.time() + 900},
    "no time": lambda: {"token": TOKEN, "expires_at": None, "phone_numbers": []},
    "an answer as it comes": lambda: {"data": {"token": TOKEN, "token_id": "1"}},
}


@pytest.mark.parametrize("name", SOURCES)
async def test_a_function_may_return_a_token_in_several_ways(
    serve: Any, connect: Any, name: str
) -> None:
    """Async or not, with a time or without, or whatever the endpoint has answered."""
    server = await serve(contact(NUMBER))
    await connect(server, SOURCES[name]).create_contact(NUMBER)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_hundred_calls_ask_once(sandbox: Sandbox, issuer: Issuer, connect: Any) -> None:
    """So it is at the first call, after a token has expired, and after all were refused."""
    client = connect(sandbox, issuer)

    async def call_a_hundred_times() -> list[int]:
        return [
            answer.meta.attempts
            for answer in await asyncio.gather(*(client.count_contacts() for _ in range(100)))
        ]

    assert await call_a_hundred_times() == [1] * 100
    assert issuer.asked == 1
    sandbox.revoke_tokens()
    assert await call_a_hundred_times() == [2] * 100
    assert issuer.asked == 2
    assert await call_a_hundred_times() == [1] * 100
    assert issuer.asked == 2


@pytest.mark.parametrize(("lifetime", "early"), [(900.0, 30.0), (100.0, 10.0)])
async def test_a_token_is_replaced_shortly_before_it_expires(
    serve: Any, connect: Any, timer: Timer, lifetime: float, early: float
) -> None:
    """Half a minute, or a tenth of its life, before its end; a call in time does not ask."""
    server = await serve(contact(NUMBER))
    tokens = [f"{TOKEN}-{number}" for number in range(3)]

    def give() -> AccessToken:
        return AccessToken(tokens.pop(0), time.time() + lifetime)

    client = connect(server, give, timer=timer)
    for wait in (0.0, lifetime - early - 1, 2, lifetime - early - 1, 2):
        timer.now += wait
        await client.get_contact(NUMBER)
    shown = [request.headers["authorization"][-1] for request in server.requests]
    assert shown == ["0", "0", "1", "1", "2"]


async def test_a_token_serves_until_it_expires_while_there_is_no_other(
    serve: Any, connect: Any, timer: Timer
) -> None:
    """A source that fails shortly before that fails no call; one that fails afterwards does."""
    server = await serve(contact(NUMBER))
    tokens = [AccessToken(TOKEN, time.time() + 900)]
    client = connect(server, lambda: tokens.pop(), timer=timer)
    for wait in (0.0, 880.0, 10.0):
        timer.now += wait
        await client.get_contact(NUMBER)
    timer.now += 20
    with pytest.raises(ConnectError, match="access_token raised IndexError"):
        await client.get_contact(NUMBER)
    assert len(server.requests) == 3


async def test_a_time_that_has_passed_is_left_to_the_server(serve: Any, connect: Any) -> None:
    """A wrong clock on this machine costs no asking before each call."""
    server = await serve(contact(NUMBER))
    give = given_in_turn(AccessToken(TOKEN, time.time() - 3600))
    client = connect(server, give)
    for _ in range(3):
        await client.get_contact(NUMBER)
    assert (give.asked, len(server.requests)) == (1, 3)  # type: ignore[attr-defined]


REFUSED = reply(401, {"status": "ERROR", "message": "Invalid Credentials"})


@pytest.mark.parametrize("retry", [None, ONCE])
async def test_a_refused_token_is_replaced_once(serve: Any, connect: Any, retry: Any) -> None:
    """The refused attempt counts, and the next has the new token, whatever the retry policy."""
    server = await serve(REFUSED, contact(NUMBER))
    client = connect(server, given_in_turn("first-token", "second-token"), retry=retry)
    response = await client.create_contact(NUMBER)
    assert response.meta.attempts == 2
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first-token", "Bearer second-token"]


async def test_operations_that_may_do_their_work_twice_are_sent_again_too(
    serve: Any, connect: Any
) -> None:
    """A 401 says that nothing was done."""
    server = await serve(REFUSED, reply(200, {"status": "OK"}))
    client = connect(server, given_in_turn("first-token", "second-token"))
    assert (await client.verify_contact(NUMBER)).meta.attempts == 2


async def test_the_same_token_again_ends_the_call(serve: Any, connect: Any) -> None:
    """It is asked for once more, and not sent again."""
    server = await serve(REFUSED)
    give = given_in_turn(TOKEN)
    with pytest.raises(AuthenticationError, match="Check the access token") as caught:
        await connect(server, give).create_contact(NUMBER)
    assert (caught.value.attempts, len(server.requests)) == (1, 1)
    assert give.asked == 2  # type: ignore[attr-defined]


async def test_a_second_refusal_ends_the_call(serve: Any, connect: Any) -> None:
    """However many new tokens there are, a call asks once more and is sent once more."""
    server = await serve(REFUSED)
    give = given_in_turn(*(f"{TOKEN}-{number}" for number in range(9)))
    with pytest.raises(AuthenticationError) as caught:
        await connect(server, give).create_contact(NUMBER)
    assert (caught.value.attempts, len(server.requests)) == (2, 2)
    assert give.asked == 2  # type: ignore[attr-defined]


async def test_a_refused_token_does_not_use_up_the_retries(serve: Any, connect: Any) -> None:
    """Four attempts are made of the new token, as of one that was good from the start."""
    server = await serve(REFUSED, *[reply(500, {})] * 3, contact(NUMBER))
    client = connect(server, given_in_turn("a-token", "b-token"), retry=RetryPolicy(base=0))
    assert (await client.create_contact(NUMBER, update_if_exists=True)).meta.attempts == 5


@pytest.mark.parametrize("refused", [False, True])
async def test_a_function_that_hangs_ends_with_the_deadline(
    serve: Any, connect: Any, refused: bool
) -> None:
    """Not sent if it is the first token, rejected if the first was; the next call asks anew."""
    server = await serve(*[REFUSED] * refused, contact(NUMBER))
    hangs, cancelled = [False] * refused + [True], []

    async def give() -> str:
        if hangs and hangs.pop(0):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
        return f"{TOKEN}-{len(hangs)}"

    client = connect(server, give, timeouts=Timeouts(total=0.3))
    with pytest.raises(ConnectError, match="access_token gave none in time") as caught:
        await client.create_contact(NUMBER)
    error = caught.value
    assert (error.timed_out, error.retryable) == (True, True)
    assert (error.attempts, error.outcome) == ((1, "rejected") if refused else (0, "not_sent"))
    assert len(server.requests) == refused
    # Nobody waits for it any more.
    await asyncio.sleep(0)
    assert cancelled == [True]
    if not refused:
        await client.create_contact(NUMBER)


class VaultError(Exception):
    """What a caller's own code raises."""


async def test_what_the_function_raises_is_the_cause(serve: Any, connect: Any) -> None:
    """Nothing is sent, every call that waited fails, and the next one asks again."""
    server = await serve(contact(NUMBER))
    give = given_in_turn(VaultError("sealed"), TOKEN)
    client = connect(server, give)
    errors = await asyncio.gather(
        *(client.create_contact(NUMBER) for _ in range(5)), return_exceptions=True
    )
    for error in errors:
        assert isinstance(error, ConnectError)
        assert isinstance(error.__cause__, VaultError)
        assert (error.outcome, error.attempts, error.retryable) == ("not_sent", 0, True)
        assert error.cause == "VaultError: sealed"
        assert "access_token raised VaultError" in str(error)
        assert pickle.loads(pickle.dumps(error)).cause == error.cause
    assert (give.asked, server.requests) == (1, [])  # type: ignore[attr-defined]
    assert (await client.create_contact(NUMBER)).meta.attempts == 1


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (AuthenticationError("no", status=401), AuthenticationError),
        (PermissionDeniedError("no"), PermissionDeniedError),
        (ConfigurationError("no"), ConfigurationError),
        (SendblueError("no"), ConnectError),
        (StopIteration("no"), ConnectError),
        (asyncio.CancelledError("no"), ConnectError),
        (TimeoutError("no"), ConnectError),
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_will_not_pass_ends_a_batch(
    serve: Any, connect: Any, raised: BaseException, kind: type[SendblueError], is_async: bool
) -> None:
    """A token that keys are refused for is no outage; anything else may pass."""
    server = await serve(contact(NUMBER))
    give = given_in_turn(raised)

    async def give_later() -> Any:
        return give()

    with pytest.raises(kind, match="access_token raised") as caught:
        await connect(server, give_later if is_async else give).create_contact(NUMBER)
    assert type(caught.value) is kind
    assert (caught.value.outcome, server.requests) == ("not_sent", [])
    # There are no keys to check, and the account was not asked.
    assert "Check" not in str(caught.value)


@pytest.mark.parametrize("behind", [False, True])
async def test_what_the_function_raises_shows_no_number(
    serve: Any, connect: Any, behind: bool
) -> None:
    """An error that quotes one, or has one behind it, is told in words with the number cut."""
    server = await serve(contact(NUMBER))

    def give() -> str:
        try:
            raise VaultError(f"sealed for {NUMBER}")
        except VaultError as error:
            if behind:
                raise VaultError("closed") from error
            raise

    with pytest.raises(ConnectError) as caught:
        await connect(server, give).create_contact(NUMBER)
    assert caught.value.cause == f"VaultError: {'closed' if behind else 'sealed for …0123'}"
    assert caught.value.__cause__ is None


async def test_what_the_function_raises_after_a_refusal(serve: Any, connect: Any) -> None:
    """The error tells of both: the attempt that was refused, and why there was no other token."""
    server = await serve(REFUSED)
    client = connect(server, given_in_turn(TOKEN, VaultError("sealed")))
    with pytest.raises(ConnectError, match=r"401.*access_token raised VaultError") as caught:
        await client.create_contact(NUMBER)
    error = caught.value
    assert (error.status, error.attempts, error.outcome) == (401, 1, "rejected")
    assert isinstance(error.__cause__, VaultError)


RUBBISH = [
    None, 5, True, "", "two words", f"Bearer {TOKEN}", f"{TOKEN}\n", "tökén", TOKEN.encode(),
    [TOKEN], {}, {"access_token": TOKEN}, {"token": None}, {"token": ""}, {"data": TOKEN},
    {"token": TOKEN, "expires_at": "soon"}, {"token": TOKEN, "expires_at": True},
    {"token": TOKEN, "expires_at": 1e300}, {"token": TOKEN, "expires_at": datetime(2030, 1, 1)},
]  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH, ids=ascii)
async def test_what_is_no_token_is_refused(serve: Any, connect: Any, rubbish: Any) -> None:
    """The error says what may be returned, and shows nothing of what was."""
    server = await serve(contact(NUMBER))
    with pytest.raises(ConfigurationError, match=r"token|expires_at") as caught:
        await connect(server, lambda: rubbish).create_contact(NUMBER)
    assert TOKEN not in str(caught.value)
    assert (caught.value.outcome, server.requests) == ("not_sent", [])


@pytest.mark.parametrize("rubbish", ["", "two words", f"Bearer {TOKEN}", f"{TOKEN}\n", 5, ["x"]])
@pytest.mark.parametrize("kind", [SendblueClient, SyncSendblueClient])
def test_what_is_no_source_of_tokens_is_refused_at_once(kind: Any, rubbish: Any) -> None:
    """As an argument it is checked when the client is made."""
    with pytest.raises(ConfigurationError, match="access") as caught:
        kind(access_token=rubbish)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("kind", [SendblueClient, SyncSendblueClient])
@pytest.mark.parametrize("keys", [{"api_key": "k"}, {"api_secret": "s"}])
@pytest.mark.parametrize("source", [TOKEN, lambda: TOKEN])
def test_keys_and_a_token_are_not_given_together(kind: Any, keys: Any, source: Any) -> None:
    """Neither of the keys may stand beside a token."""
    with pytest.raises(ConfigurationError, match="one or the other"):
        kind(access_token=source, **keys)


def test_the_header_of_a_token_is_not_the_callers() -> None:
    """With a token, ``Authorization`` is the client's to set, and the headers of the keys too."""
    for name in ("Authorization", "sb-api-key-id"):
        with pytest.raises(ConfigurationError, match=f"may not set {name}"):
            SendblueClient(access_token=TOKEN, default_headers={name: "x"})


async def test_a_function_that_blocks_holds_up_nobody(serve: Any, connect: Any) -> None:
    """It runs on another thread: it waits here for what the event loop does meanwhile."""
    server = await serve(contact(NUMBER))
    goes_on = threading.Event()

    def give() -> str:
        assert goes_on.wait(20)
        return TOKEN

    call = asyncio.ensure_future(connect(server, give).create_contact(NUMBER))
    await asyncio.sleep(0.05)
    goes_on.set()
    assert (await call).contact.phone == NUMBER


async def test_a_call_that_is_cancelled_leaves_the_asking_to_the_others(
    serve: Any, connect: Any
) -> None:
    """The first caller goes, the second gets the token that was asked for."""
    server = await serve(contact(NUMBER))
    goes_on = asyncio.Event()
    asked = []

    async def give() -> str:
        asked.append(True)
        await goes_on.wait()
        return TOKEN

    client = connect(server, give)
    calls = [asyncio.ensure_future(client.create_contact(NUMBER)) for _ in range(2)]
    await asyncio.sleep(0.05)
    calls[0].cancel()
    await asyncio.sleep(0)
    goes_on.set()
    assert (await calls[1]).contact.phone == NUMBER
    assert calls[0].cancelled()
    assert asked == [True]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_that_calls_its_own_client_is_told_so(
    serve: Any, connect: Any, is_async: bool
) -> None:
    """It would wait for itself."""
    server = await serve(contact(NUMBER))

    async def give() -> str:
        await client.count_contacts()
        return TOKEN

    client = connect(server, give if is_async else lambda: anyio.run(give))
    with anyio.fail_after(20):
        with pytest.raises(ConfigurationError) as caught:
            await client.create_contact(NUMBER)
    assert "use another client there" in str(caught.value.__cause__)
    assert server.requests == []


async def test_the_blocking_client_takes_both_kinds(sandbox: Sandbox, issuer: Issuer) -> None:
    """An async function runs on the loop of the blocking clients, where threads share an asking."""

    def call(source: Any) -> None:
        with SyncSendblueClient(access_token=source, base_url=sandbox.base_url) as client:
            threads = [threading.Thread(target=client.count_contacts) for _ in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert client.count_contacts().meta.attempts == 1

    await anyio.to_thread.run_sync(call, issuer)
    assert issuer.asked == 1

    def issue() -> Any:
        keys = sandbox.api_key, sandbox.api_secret
        with SyncSendblueClient(*keys, base_url=sandbox.base_url) as client:
            return client.request("POST", "/v3/auth/tokens").data

    await anyio.to_thread.run_sync(call, issue)
    assert sandbox.counts["tokens"] == 2


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_a_program_comes_out_as_it_is(
    sandbox: Sandbox, issuer: Issuer, kind: type[BaseException], is_async: bool
) -> None:
    """It does not end the event loop: the next call works."""
    token = await issuer.token()
    give = given_in_turn(kind("enough"), token)

    async def give_later() -> Any:
        return give()

    def call() -> None:
        client = SyncSendblueClient(
            access_token=give_later if is_async else give, base_url=sandbox.base_url
        )
        with client:
            with pytest.raises(kind, match="enough"):
                client.count_contacts()
            assert client.count_contacts().count == 0

    await anyio.to_thread.run_sync(call)


async def test_each_event_loop_asks_for_itself(sandbox: Sandbox, issuer: Issuer) -> None:
    """A token that one loop has got serves the others; no loop waits for another's asking."""
    client = SendblueClient(access_token=issuer, base_url=sandbox.base_url)

    async def count() -> int:
        return (await client.count_contacts()).count or 0

    assert await count() == 0
    assert await anyio.to_thread.run_sync(anyio.run, count) == 0
    assert issuer.asked == 1
    sandbox.revoke_tokens()
    assert await anyio.to_thread.run_sync(anyio.run, count) == 0
    assert await count() == 0
    assert issuer.asked == 2
    await client.close()


async def test_a_token_that_a_server_sends_back_is_masked(serve: Any, connect: Any) -> None:
    """The one in use and the one before it, in the text, the snippet and the cause of an error."""
    tokens = [f"{TOKEN}-{number}" for number in range(2)]
    echo = f"I do not know {tokens[0]} and {tokens[1]}"
    server = await serve(REFUSED, reply(400, {"message": echo}), reply(200, echo.encode()))
    client = connect(server, given_in_turn(*tokens), retry=ONCE)
    for _ in range(2):
        with pytest.raises(SendblueError) as caught:
            await client.verify_contact(NUMBER)
        error = caught.value
        assert TOKEN not in f"{error} {error!r} {vars(error)} {error.__cause__!r}"
        assert TOKEN.encode() not in pickle.dumps(error)
        assert "*** and ***" in (error.snippet or "")


def test_an_access_token_does_not_show_itself() -> None:
    """Its ``repr`` has stars, it is compared by value, and it is not pickled."""
    token = AccessToken(TOKEN, "2030-01-01T00:00:00Z")
    assert TOKEN not in f"{token!r} {token} {token.token}"
    assert token == AccessToken(TOKEN, datetime(2030, 1, 1, tzinfo=timezone.utc))
    assert token.expires_at == datetime(2030, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(token)
    with pytest.raises(ConfigurationError):
        AccessToken("two words")
    with pytest.raises(ConfigurationError, match="expires_at must be") as caught:
        AccessToken("2030-01-01T00:00:00Z", TOKEN)
    assert TOKEN not in str(caught.value)


def test_the_account_of_a_token_is_its_server() -> None:
    """An import resumes with the next token, and not at another server or with keys."""

    def account(*keys: str, **options: Any) -> str:
        return SendblueClient(*keys, **options)._transport.account

    one = account(access_token=TOKEN, base_url="https://one.example")
    assert one == account(access_token=lambda: "another", base_url="https://one.example")
    assert one != account(access_token=TOKEN, base_url="https://two.example")
    assert one != account("k", "s", base_url="https://one.example")
