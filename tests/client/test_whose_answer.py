"""An answer that belongs to another request: never taken for this one's, and its connection closed.

A server or a proxy that sends one answer too many on a kept connection shifts all that follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from attrs import Factory, define, frozen

from sendblue_async import ResponseFormatError, RetryPolicy, SendblueError
from sendblue_async._retry_rules import Effect

from .servers import contact, hang_up, late, refusal, reply

pytestmark = pytest.mark.anyio

NUMBER, OTHER, THIRD = "+14155550123", "+14155550199", "+14155550124"
ONCE = RetryPolicy(attempts=1, settle=False)
OK = {"status": "OK"}


@frozen
class Operation:
    """An operation, what kind it is, and answers to it that are about somebody else."""

    method: str
    call: Any
    answers: dict[str, Any]
    effect: Effect = Effect.IDEMPOTENT


THEIRS = {"contact": {"phone": OTHER, "first_name": "Eve"}, **OK}
AT_THE_TOP = {"number": OTHER, "opted_out": True, **OK}
OPERATIONS = {
    "create": Operation(
        "POST", lambda client: client.create_contact(NUMBER), {"contact": THEIRS}, Effect.VERIFIABLE
    ),
    "upsert": Operation(
        "POST",
        lambda client: client.create_contact(NUMBER, update_if_exists=True),
        {"contact": THEIRS},
    ),
    "get": Operation(
        "GET", lambda client: client.get_contact(NUMBER), {"contact": THEIRS}, Effect.SAFE
    ),
    "update": Operation(
        "PUT",
        lambda client: client.update_contact(NUMBER, first_name="Ada"),
        {"contact": THEIRS, "opt-out": AT_THE_TOP},
    ),
    "delete": Operation(
        "DELETE",
        lambda client: client.delete_contact(NUMBER),
        {"contact": THEIRS, "opt-out": AT_THE_TOP},
    ),
    "opt out": Operation(
        "POST",
        lambda client: client.opt_out_contact(NUMBER),
        {"contact": THEIRS, "opt-out": AT_THE_TOP},
    ),
    "verify": Operation(
        "POST",
        lambda client: client.verify_contact(NUMBER),
        {
            "contact": THEIRS,
            "opt-out": AT_THE_TOP,
            "phone": {"phone": OTHER, **OK},
            "snake_case": {"phone_number": OTHER, **OK},
            "camelCase": {"contact": {"phoneNumber": OTHER}, **OK},
            "refused": {"number": OTHER, "status": "ERROR", "message": "No route"},
        },
        Effect.NON_IDEMPOTENT,
    ),
    "list": Operation(
        "GET",
        lambda client: client.list_contacts(number=NUMBER),
        {"one": [{"phone": OTHER}], "one of two": [{"phone": NUMBER}, {"phone": OTHER}]},
        Effect.SAFE,
    ),
    "bulk create": Operation(
        "POST",
        lambda client: client.create_contacts_bulk(
            [{"number": NUMBER}, {"number": "+14155550124"}]
        ),
        {
            "other contacts": {"contacts": [{"phone": OTHER}], **OK},
            "one of two": {"contacts": [{"phone": NUMBER}, {"phone": OTHER}], **OK},
            "contact": THEIRS,
        },
        Effect.NON_IDEMPOTENT,
    ),
    "bulk delete": Operation(
        "DELETE", lambda client: client.delete_contacts_bulk([NUMBER]), {"contact": THEIRS}
    ),
}
CASES = [(name, shape) for name in OPERATIONS for shape in OPERATIONS[name].answers]


@pytest.mark.parametrize(("name", "shape"), CASES)
async def test_an_answer_about_somebody_else_is_no_answer(
    serve: Any, connect: Any, name: str, shape: str
) -> None:
    """Whatever was asked for: the outcome is unknown, and the connection is not used again."""
    operation = OPERATIONS[name]
    server = await serve(reply(200, operation.answers[shape]))
    client = connect(server, retry=ONCE)
    for calls in (1, 2):
        with pytest.raises(ResponseFormatError, match="another contact") as caught:
            await operation.call(client)
        assert (caught.value.outcome, caught.value.status) == ("unknown", 200)
        assert caught.value.attempts == 1
        assert OTHER not in str(caught.value)
        assert server.accepted == len(server.requests) == calls
    await server.until(lambda: server.open == 0)


@pytest.mark.parametrize(
    "name", [name for name, one in OPERATIONS.items() if one.effect is not Effect.NON_IDEMPOTENT]
)
async def test_it_is_repeated_as_the_table_has_it(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """What may be repeated is, on a connection of its own, and then succeeds."""
    operation = OPERATIONS[name]
    (answer, *_) = operation.answers.values()
    ours = [{"phone": NUMBER}] if name == "list" else {"contact": {"phone": NUMBER}, **OK}
    server = await serve(reply(200, answer), reply(200, ours))
    response = await operation.call(connect(server, timer=timer))
    assert response.meta.attempts == server.accepted == len(server.requests) == 2


@pytest.mark.parametrize("name", ["verify", "bulk create"])
async def test_what_may_not_be_repeated_is_not(
    serve: Any, connect: Any, timer: Any, name: str
) -> None:
    """An answer about somebody else does not tell whether the message was sent."""
    operation = OPERATIONS[name]
    (answer, *_) = operation.answers.values()
    server = await serve(reply(200, answer))
    with pytest.raises(ResponseFormatError) as caught:
        await operation.call(connect(server, timer=timer))
    assert (caught.value.maybe_applied, len(server.requests)) == (True, 1)


SPELLINGS: dict[str, Any] = {
    "as asked": NUMBER,
    "no plus": "14155550123",
    "spaces": " +1 415 555 0123 ",
    "punctuation": "+1 (415) 555-0123",
    "other dashes": "+1\u2011415\u2013555.0123",
    "percent-encoded": "%2B14155550123",
    "dialled": "0014155550123",
    "a link": "tel:+1-415-555-0123",
    "a whole number": 14155550123,
    "null": None,
    "empty": "",
    "hidden": "(hidden)",
    "no number at all": ["?"],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_our_number_in_another_spelling_is_ours(
    serve: Any, connect: Any, name: str, spelling: str
) -> None:
    """A server may write the number otherwise, or not at all."""
    shown = {"phone": SPELLINGS[spelling], "firstName": "Ada"}
    answer: Any = {"contact": shown, "contacts": [shown], "number": shown["phone"], **OK}
    server = await serve(reply(200, [shown] if name == "list" else answer))
    await OPERATIONS[name].call(connect(server, retry=ONCE))
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_answer_that_shows_no_number_is_ours(serve: Any, connect: Any, name: str) -> None:
    """Every field of a contact may be missing."""
    answer: Any = {"contact": {"firstName": "Ada"}, "contacts": [{"firstName": "Ada"}], **OK}
    server = await serve(reply(200, [{"firstName": "Ada"}] if name == "list" else answer))
    await OPERATIONS[name].call(connect(server, retry=ONCE))


NOT_OURS = ["+14155550124", "4155550123", "+114155550123", "+1415555012", "+1", 1415555012]


@pytest.mark.parametrize("shown", NOT_OURS)
async def test_a_number_that_is_nearly_ours_is_not(serve: Any, connect: Any, shown: Any) -> None:
    """Digits are compared as a whole."""
    server = await serve(reply(200, {"contact": {"phone": shown}, **OK}))
    with pytest.raises(ResponseFormatError, match="another contact"):
        await connect(server, retry=ONCE).get_contact(NUMBER)


async def test_a_number_that_the_caller_gives_the_contact(serve: Any, connect: Any) -> None:
    """An update that sends another number by ``extra_body`` may be answered with that one."""
    server = await serve(contact(OTHER))
    client = connect(server, retry=ONCE)
    updated = await client.update_contact(NUMBER, extra_body={"phone": OTHER})
    assert updated.contact.phone == OTHER
    with pytest.raises(ResponseFormatError):
        await client.update_contact(NUMBER, extra_body={"phone": "+14155550124"})


async def test_calls_that_name_no_contact_are_not_checked(serve: Any, connect: Any) -> None:
    """A list shows whom it shows, and what a call of one's own is about is not known here."""
    server = await serve(GET=reply(200, [{"phone": OTHER}]), POST=contact(OTHER))
    client = connect(server, retry=ONCE)
    assert (await client.list_contacts()).contacts[0].phone == OTHER
    raw_answer = await client.request("POST", "/api/v2/contacts", json={"number": NUMBER})
    assert raw_answer.data["contact"]["phone"] == OTHER


async def test_a_look_up_that_shows_somebody_else_settles_nothing(
    serve: Any, connect: Any, timer: Any
) -> None:
    """It is asked for again, and the contact that is then found makes the call a success."""
    server = await serve(POST=[hang_up, refusal(409)], GET=[contact(OTHER), contact(NUMBER)])
    response = await connect(server, timer=timer).create_contact(NUMBER)
    assert (response.meta.settled, response.contact.phone) == (True, NUMBER)
    server = await serve(POST=[hang_up, refusal(409)], GET=contact(OTHER))
    with pytest.raises(SendblueError) as caught:
        await connect(server, timer=timer).create_contact(NUMBER)
    assert (caught.value.outcome, caught.value.maybe_applied) == ("unknown", True)


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_batch_believes_no_answer_about_somebody_else(
    serve: Any, connect: Any, timer: Any, bulk: bool
) -> None:
    """Its row succeeds by the next answer, or is unknown."""
    theirs = {"contact": {"phone": OTHER}, "contacts": [{"phone": OTHER}], **OK}
    server = await serve(reply(200, theirs), contact(NUMBER))
    client = connect(server, timer=timer)
    (result,) = [one async for one in client.create_contacts([{"number": NUMBER}], bulk=bulk)]
    assert (result.outcome, len(server.requests)) == ("created", 2)


async def test_a_bulk_answer_may_spell_the_numbers_otherwise(serve: Any, connect: Any) -> None:
    """A row whose contact comes back as ``1415…`` was created."""
    server = await serve(reply(200, {"contacts": [{"phone": "1 415 555 0123"}], **OK}))
    rows = connect(server, retry=ONCE).create_contacts([{"number": NUMBER}], bulk=True)
    (result,) = [one async for one in rows]
    assert (result.outcome, len(server.requests)) == ("created", 1)


async def test_an_import_believes_no_answer_about_somebody_else(
    serve: Any, connect: Any, tmp_path: Any
) -> None:
    """A row is not done by an answer that shows another contact."""
    path = tmp_path / "contacts.csv"
    path.write_text(f"number\n{NUMBER}\n")
    server = await serve(contact(OTHER), contact(NUMBER))
    report = await connect(server).import_contacts(path)
    assert (report.created, len(server.requests)) == (1, 2)


def whole(status: int, document: Any) -> bytes:
    """An answer as bytes."""
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d So\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


OURS = whole(200, {"contact": {"phone": NUMBER}, **OK})
STRAYS = {
    "the same answer": OURS,
    "half of it": OURS[:-20],
    "a timeout": whole(408, {"status": "ERROR", "message": "Idle for too long"}),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no HTTP": b"\r\n\r\nsomething else\r\n\r\n",
}


@define
class AndThen:
    """A step: an answer, and one too many so many seconds later."""

    answer: bytes
    stray: bytes
    after: float
    sent: asyncio.Event = Factory(asyncio.Event)

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the answer, and see to the other one."""

        def send_stray() -> None:
            writer.write(self.stray)
            self.sent.set()

        if self.after:
            writer.write(self.answer)
            asyncio.get_running_loop().call_later(self.after, send_stray)
        else:
            writer.write(self.answer + self.stray)
            self.sent.set()

    async def arrive(self) -> None:
        """Wait until the other end has had its chance to read it."""
        await self.sent.wait()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("stray", "after"),
    # At once, what is no HTTP spoils the answer that it is stuck to.
    [(stray, after) for stray in STRAYS for after in (0, 0.02) if after or stray != "no HTTP"],
)
async def test_what_comes_while_nothing_is_asked_is_nobodys(
    serve: Any, connect: Any, stray: str, after: float
) -> None:
    """The next call is sent on another connection, once, and gets its own answer."""
    step = AndThen(OURS, STRAYS[stray], after)
    server = await serve(step, contact(OTHER))
    client = connect(server, retry=ONCE)
    assert (await client.create_contact(NUMBER)).contact.phone == NUMBER
    await step.arrive()
    response = await client.create_contact(OTHER)
    assert (response.contact.phone, response.meta.status_code) == (OTHER, 200)
    assert [request.json["number"] for request in server.requests] == [NUMBER, OTHER]
    assert server.accepted == 2


async def test_a_part_that_comes_while_nothing_is_asked(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The rest of it is not read as an answer; the call asks again on another connection."""

    async def finish(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OURS[20:])

    step = AndThen(OURS, OURS[:20], 0.02)
    server = await serve(step, finish, contact(OTHER))
    client = connect(server, timer=timer)
    await client.create_contact(NUMBER)
    await step.arrive()
    response = await client.create_contact(OTHER, update_if_exists=True)
    assert (response.contact.phone, response.meta.attempts, server.accepted) == (OTHER, 2, 2)


async def test_many_idle_connections_with_something_on_them(serve: Any, connect: Any) -> None:
    """None of them is used again, however many they are."""
    together = asyncio.Event()
    steps: list[AndThen] = []

    async def time_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        step = AndThen(OURS, STRAYS["a timeout"], 0.02)
        steps.append(step)
        if len(steps) == 5:
            together.set()
        await together.wait()
        await step(reader, writer)

    server = await serve(*[time_out] * 5, contact(NUMBER))
    client = connect(server, retry=ONCE, max_connections=5)
    await asyncio.gather(*(client.get_contact(NUMBER) for _ in range(5)))
    for step in steps:
        await step.arrive()
    await client.get_contact(NUMBER)
    assert (server.accepted, len(server.requests)) == (6, 6)
    await server.until(lambda: server.open == 1)


async def test_an_answer_too_many_that_comes_while_the_next_is_waited_for(
    serve: Any, connect: Any, timer: Any
) -> None:
    """The call that gets it is in doubt, asks again on another connection, and succeeds."""

    async def repeat(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OURS)

    server = await serve(contact(NUMBER), repeat, contact(OTHER))
    client = connect(server, timer=timer)
    await client.create_contact(NUMBER, update_if_exists=True)
    response = await client.create_contact(OTHER, update_if_exists=True)
    assert (response.contact.phone, response.meta.attempts) == (OTHER, 2)
    assert (server.accepted, len(server.requests)) == (2, 3)


async def test_the_connection_is_closed_under_whoever_uses_it(
    serve: Any, connect: Any, timer: Any
) -> None:
    """A call that was given the connection meanwhile loses it and asks again elsewhere."""
    server = await serve(contact(OTHER), late(0.1, contact(OTHER)), contact(NUMBER))
    client = connect(server, timer=timer, max_connections=1)
    calls = [client.get_contact(NUMBER) for _ in range(3)]
    for response in await asyncio.gather(*calls):
        assert response.contact.phone == NUMBER
    assert server.accepted >= 2


@pytest.mark.parametrize("name", ["create", "get"])
async def test_a_session_of_the_callers_own(
    serve: Any, connect: Any, stack: AsyncExitStack, name: str
) -> None:
    """The connection of an answer about somebody else is closed there, too."""
    server = await serve(contact(OTHER))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = connect(server, retry=ONCE, session=session)
    for calls in (1, 2):
        with pytest.raises(ResponseFormatError, match="another contact"):
            await OPERATIONS[name].call(client)
        assert server.accepted == calls


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"count": 5}'])
async def test_an_answer_that_makes_no_sense_may_be_another_requests(
    serve: Any, connect: Any, timer: Any, body: bytes
) -> None:
    """Whatever comes after it is not waited for on the same connection."""
    server = await serve(reply(200, body), contact(NUMBER))
    response = await connect(server, timer=timer).create_contact(NUMBER, update_if_exists=True)
    assert (response.meta.attempts, server.accepted) == (2, 2)


async def test_a_408_ends_its_connection(serve: Any, connect: Any, timer: Any) -> None:
    """It may have been sent before the request came, whose own answer would follow."""
    server = await serve(refusal(408), contact(NUMBER))
    response = await connect(server, timer=timer).get_contact(NUMBER)
    assert (response.meta.attempts, server.accepted) == (2, 2)


async def test_a_server_that_greets_is_still_answered_for(serve: Any, connect: Any) -> None:
    """What speaks first on every connection ends in an error and not in a loop."""
    greeted: list[asyncio.Task[Any]] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.append(asyncio.current_task())  # type: ignore[arg-type]
        writer.write(b"220 mail.example.com ESMTP\r\n")
        with contextlib.suppress(OSError):
            await reader.read()
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(greet, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    client = connect(f"http://127.0.0.1:{port}", retry=ONCE, max_connections=3)
    with pytest.raises(SendblueError):
        await client.get_contact(NUMBER)
    assert len(greeted) <= 4
    listener.close()
    await client.close()
    await asyncio.gather(*greeted)


@pytest.mark.parametrize("method", ["create_verified_contact", "get_verified_contact"])
async def test_an_answer_under_v3_has_its_contact_within_data(
    serve: Any, connect: Any, method: str
) -> None:
    """A verified contact's number counts, and that of the line beside it does not."""
    line = {"phone_number": "+15550100001", "type": "shared"}
    ours, theirs = (
        reply(200, {"data": {"contact": {"phone_number": number}, "line": line}})
        for number in (NUMBER, OTHER)
    )
    client = connect(await serve(theirs, ours), retry=ONCE)
    with pytest.raises(ResponseFormatError, match="another contact"):
        await getattr(client, method)(NUMBER)
    response = await getattr(client, method)(NUMBER)
    assert response.contact.phone_number == NUMBER
