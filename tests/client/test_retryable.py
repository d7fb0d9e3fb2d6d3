"""Whether an error says that the same call makes sense again later, where no table says it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sendblue_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ContactExistsError,
    OutcomeUnknownError,
    RateLimitError,
    RetryPolicy,
    SendblueError,
    Timeouts,
    ValidationError,
)

from .servers import contact, hang, hang_up, refusal

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1)


async def test_a_call_that_was_never_sent_for_lack_of_time_is_retryable(
    serve: Any, connect: Any
) -> None:
    """It waited for a connection until its time was over; later there may be one."""
    server = await serve(hang)
    client = connect(server, max_connections=1, retry=ONCE)
    first = asyncio.create_task(client.get_contact(NUMBER))
    await server.until(lambda: server.requests)
    hasty = client.with_options(timeouts=Timeouts(total=0.05))
    with pytest.raises(ConnectError) as caught:
        await hasty.get_contact(NUMBER)
    assert (caught.value.retryable, caught.value.attempts) == (True, 0)
    first.cancel()


async def test_a_call_whose_turn_comes_too_late_is_retryable(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The server asked all callers to wait; after that the call may be made."""
    server = await serve(refusal(429, Retry_After="120"))
    client = connect(server, timer=timer)
    for _ in range(2):
        with pytest.raises(RateLimitError) as caught:
            await client.get_contact(NUMBER)
        assert (caught.value.retryable, caught.value.retry_after) == (True, 120)
    assert len(server.requests) == 1


async def test_what_is_the_programs_own_fault_is_not_retryable(serve: Any, connect: Any) -> None:
    """A closed client stays closed, and a bad value stays bad."""
    client = connect(await serve(contact(NUMBER)))
    with pytest.raises(ValidationError) as bad:
        await client.create_contact("call me")
    await client.close()
    with pytest.raises(ConfigurationError) as closed:
        await client.get_contact(NUMBER)
    assert (bad.value.retryable, closed.value.retryable) == (False, False)


async def test_a_refusal_after_doubt_is_not_retryable(serve: Any, connect: Any, timer: Any) -> None:
    """The outcome is unknown, but the same call would be refused again."""
    server = await serve(hang_up, refusal(401))
    with pytest.raises(AuthenticationError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER, update_if_exists=True)
    assert (caught.value.outcome, caught.value.retryable) == ("unknown", False)


async def test_a_contact_that_exists_is_not_retryable(serve: Any, connect: Any, timer: Any) -> None:
    """Whether it may be ours or not: the same call would meet it again."""
    server = await serve(POST=[hang_up, refusal(409)], GET=contact(NUMBER, first_name="Eve"))
    with pytest.raises(ContactExistsError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER, first_name="Ada")
    assert (caught.value.maybe_applied, caught.value.retryable) == (True, False)


@pytest.mark.parametrize("settle", [True, False])
async def test_an_unknown_plain_create_is_retryable(
    serve: Any, connect: Any, timer: Any, settle: bool
) -> None:
    """Two creates of one number leave one contact, so a repeat does no harm."""
    server = await serve(POST=hang_up, GET=refusal(404))
    policy = RetryPolicy(attempts=2, settle=settle)
    with pytest.raises(OutcomeUnknownError) as caught:
        await connect(server, timer=timer, retry=policy).create_contact(NUMBER)
    assert caught.value.retryable


@pytest.mark.parametrize("name", ["verify_contact", "create_contacts_bulk"])
async def test_what_may_do_its_work_twice_is_not_retryable(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """A second message or a second bulk create may be one too many; a refusal is none."""
    server = await serve(hang_up, refusal(429))
    client = connect(server, timer=timer, retry=ONCE)
    argument: Any = NUMBER if name == "verify_contact" else [{"number": NUMBER}]
    for kind, retryable in ((OutcomeUnknownError, False), (RateLimitError, True)):
        with pytest.raises(kind) as caught:
            await getattr(client, name)(argument)
        error: SendblueError = caught.value
        assert error.retryable is retryable
