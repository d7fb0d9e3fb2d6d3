"""Reads that lag behind writes: what they show, and that writes know better."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.sandbox import Faults

pytestmark = pytest.mark.anyio

NUMBER, OTHER = "+14155550123", "+14155550124"
ONE = "/api/v2/contacts/%2B14155550123"


@pytest.fixture(params=["memory", "file"])
async def api(start: Any, clock: Any, request: Any, tmp_path: Path) -> Any:
    """A sandbox whose reads lag by two seconds, with contacts in memory or in a file."""
    db = tmp_path / "contacts.db" if request.param == "file" else None
    return await start(db=db, faults=Faults(read_lag=2), clock=clock)


async def shown(api: Any) -> tuple[Any, list[str], int]:
    """What the three reads show: the first name, the numbers, and how many there are."""
    one = await api.get()
    name = one.contact["first_name"] if one.status == 200 else one.refusal[0]
    listed = (await api.request("GET", "/api/v2/contacts?order_direction=asc")).json
    count = (await api.request("GET", "/api/v2/contacts/count")).json["count"]
    return name, [contact["phone"] for contact in listed], count


async def test_each_write_is_seen_two_seconds_later(api: Any, clock: Any) -> None:
    """Creates, updates and deletes alike, by fetching, listing and counting alike."""
    await api.create(NUMBER, first_name="Ada")
    assert await shown(api) == (404, [], 0)
    clock.now += 1
    await api.create(NUMBER, first_name="Eve", update_if_exists=True)
    await api.create(OTHER)
    clock.now += 0.9
    assert await shown(api) == (404, [], 0)
    clock.now += 0.1
    assert await shown(api) == ("Ada", [NUMBER], 1)
    await api.request("PUT", ONE, json={"first_name": "Mary"})
    clock.now += 1
    assert await shown(api) == ("Eve", [NUMBER, OTHER], 2)
    assert (await api.request("DELETE", ONE)).status == 200
    clock.now += 1
    assert await shown(api) == ("Mary", [NUMBER, OTHER], 2)
    clock.now += 1
    assert await shown(api) == (404, [OTHER], 1)


async def test_writes_know_what_reads_do_not(api: Any) -> None:
    """A duplicate is refused, an update finds its contact, and nothing is deleted twice."""
    await api.create(NUMBER, tags=["vip"])
    assert (await api.create(NUMBER)).status == 409
    answer = await api.create(NUMBER, first_name="Ada", update_if_exists=True)
    assert (answer.contact["first_name"], answer.contact["tags"]) == ("Ada", ["vip"])
    assert (await api.request("PUT", ONE, json={"last_name": "L"})).status == 200
    assert [(await api.request("DELETE", ONE)).status for _ in range(2)] == [200, 404]
    assert dict(api.sandbox.contacts) == {}
    assert await shown(api) == (404, [], 0)


async def test_the_dial_may_be_turned_at_any_time(api: Any, clock: Any) -> None:
    """What was stored before is seen at once, with a shorter lag sooner, and without one now."""
    await api.create(NUMBER, first_name="Ada")
    api.sandbox.faults = Faults()
    assert await shown(api) == ("Ada", [NUMBER], 1)
    api.sandbox.faults = Faults(read_lag=5)
    await api.create(OTHER)
    clock.now += 1
    assert await shown(api) == ("Ada", [NUMBER], 1)
    api.sandbox.faults = Faults(read_lag=1)
    assert await shown(api) == ("Ada", [NUMBER, OTHER], 2)


async def test_what_a_file_holds_is_seen_from_the_start(
    start: Any, clock: Any, tmp_path: Path
) -> None:
    """Contacts of an earlier run are no news."""
    first = await start(db=tmp_path / "contacts.db", clock=clock)
    await first.create(NUMBER, first_name="Ada")
    second = await start(db=tmp_path / "contacts.db", clock=clock, faults=Faults(read_lag=9))
    assert await shown(second) == ("Ada", [NUMBER], 1)


async def test_answers_have_the_date_of_the_sandboxs_clock(api: Any, clock: Any) -> None:
    """It is the clock that says when a contact was created, so the two can be compared."""
    answers = [await api.create(NUMBER), await api.get(), await api.request("GET", "/nowhere")]
    clock.now += 3600
    answers.append(await api.request("DELETE", ONE))
    dates = [parsedate_to_datetime(answer.headers["Date"]).timestamp() for answer in answers]
    assert dates == [clock.now - 3600] * 3 + [clock.now]
