"""Rows of batches and imports that may be stored: looked up, also when reads lag."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ContactExistsError, OutcomeUnknownError, RetryPolicy
from sendblue_async.sandbox import Faults, Sandbox

from .servers import Step, contact, hang_up, refusal, reply, reset

pytestmark = pytest.mark.anyio

NUMBER = "+12015550123"
EXISTS = refusal(409, "Contact already exists")
MISSING = refusal(404, "Contact not found")
ONCE = RetryPolicy(attempts=1)
SERVER_TIME = 1_700_000_000


def created(seconds: float) -> Step:
    """A contact that was created so many seconds ago, by the server's own clock."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(SERVER_TIME - seconds))
    document = {"contact": {"phone": NUMBER, "created_at": moment}, "status": "OK"}
    return reply(200, document, {"Date": formatdate(SERVER_TIME, usegmt=True)})


async def result(client: Any, **options: Any) -> Any:
    """What becomes of a batch of one contact."""
    rows = [{"number": NUMBER}]
    [found] = [one async for one in client.create_contacts(rows, rate_limit=1e6, **options)]
    return found


@pytest.mark.parametrize("lost", [hang_up, reset, refusal(500)])
@pytest.mark.parametrize("bulk", [False, True])
async def test_a_contact_from_before_the_batch_is_existing(
    serve: Any, connect: Any, timer: Any, bulk: bool, lost: Step
) -> None:
    """It agrees, as only the number was sent, and yet no row of the batch created it."""
    server = await serve(POST=[lost, EXISTS], GET=created(3600))
    found = await result(connect(server, timer=timer), bulk=bulk)
    assert (found.outcome, type(found.error)) == ("existing", ContactExistsError)
    assert (found.error.outcome, found.error.maybe_applied) == ("rejected", False)
    server = await serve(POST=[lost, EXISTS], GET=created(0))
    assert (await result(connect(server, timer=timer), bulk=bulk)).outcome == "created"


@pytest.mark.parametrize("bulk", [False, True])
async def test_a_row_is_looked_up_until_reads_have_caught_up(
    serve: Any, connect: Any, timer: Any, bulk: bool
) -> None:
    """A look-up that finds nothing is not the end of a row that exists."""
    server = await serve(POST=[reset, EXISTS], GET=[MISSING, MISSING, MISSING, created(0)])
    found = await result(connect(server, timer=timer), bulk=bulk)
    assert (found.outcome, found.response.meta.settled) == ("created", True)
    assert server.count("GET") == 4


async def test_an_upsert_of_a_batch_is_settled(serve: Any, connect: Any, timer: Any) -> None:
    """What is stored as sent is stored, and is not called for again."""
    server = await serve(POST=refusal(500), GET=contact(NUMBER))
    found = await result(connect(server, timer=timer), update_if_exists=True)
    assert (found.outcome, found.response.meta.settled) == ("stored", True)
    assert server.count("POST") == 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one contact, of which only the number is known."""
    path = tmp_path / "people.csv"
    path.write_text(f"number\n{NUMBER}\n", encoding="utf-8")
    return path


async def import_unanswered(client: Any, path: Path) -> None:
    """Import the file at a server that answers nothing, so that it is not known what became."""
    with pytest.raises(OutcomeUnknownError):
        await client.import_contacts(path, rate_limit=1e6, give_up_after=1)


async def test_a_resumed_import_knows_what_was_there_before_it(
    start_sandbox: Any, connect: Any, timer: Any, path: Path
) -> None:
    """A contact from before the first run is ``existing``, however well it agrees."""
    now = time.time()
    sandbox: Sandbox = await start_sandbox(clock=lambda: now)
    client = connect(sandbox, timer=timer, retry=ONCE)
    await client.create_contact(NUMBER)
    now += 3600
    sandbox.faults = Faults(reset=1)
    await import_unanswered(client, path)
    sandbox.faults = Faults()
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.existing, report.created) == (1, 0)


async def test_a_resumed_import_knows_what_an_earlier_run_has_created(
    start_sandbox: Any, connect: Any, timer: Any, path: Path
) -> None:
    """The run before was yesterday, and so was the contact created: it is ours."""
    ago = 86_400.0
    timer.time_of_day = lambda: time.time() - ago
    sandbox: Sandbox = await start_sandbox(clock=timer.time_of_day)
    client = connect(sandbox, timer=timer, retry=ONCE)
    sandbox.faults = Faults(drop_after_commit=1)
    await import_unanswered(client, path)
    assert NUMBER in sandbox.contacts
    sandbox.faults, ago = Faults(), 0.0
    report = await client.import_contacts(path, rate_limit=1e6, resume=True)
    assert (report.existing, report.created) == (0, 1)
