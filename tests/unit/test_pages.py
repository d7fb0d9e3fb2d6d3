"""The walk over all contacts, on a server made of a list that changes between two pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sendblue_async import APIError, ServerError
from sendblue_async._pages import Walk, iterate_contacts
from sendblue_async.models import Contact, ContactPage
from sendblue_async.models._lists import ContactQuery

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def contact(number: int, second: int | None) -> Contact:
    """The contact with this number, created in this second of the test."""
    created_at = None if second is None else START + timedelta(seconds=second)
    return Contact(phone=f"+1415{number:07}", contact_id=f"c-{number}", created_at=created_at)


@define
class Account:
    """Contacts as the API lists them, oldest first, and what happens before each page."""

    contacts: list[Contact]
    before_page: Callable[[Account], object] = lambda _: None
    backwards: bool = False
    filters: bool = True
    skips: bool = True
    shuffle: Random | None = None
    limit: int = 1000
    queries: list[ContactQuery] = field(factory=list)

    async def fetch(self, query: ContactQuery) -> ContactPage:
        """A page, as the API gives it."""
        self.before_page(self)
        self.queries.append(query)
        listed = self.contacts[::-1] if self.backwards else self.contacts
        if self.filters and query.created_at_gte is not None:
            since = query.created_at_gte
            listed = [one for one in listed if one.created_at and one.created_at >= since]
        assert query.offset is not None
        assert query.limit is not None
        if self.shuffle is not None:
            listed = self.shuffle.sample(listed, len(listed))
        start = query.offset if self.skips else 0
        end = start + min(query.limit, self.limit)
        return ContactPage(contacts=tuple(listed[start:end]))


async def into(taken: list[Contact], walk: AsyncIterator[Contact]) -> None:
    """Take all that a walk gives, so that what came before an error is there after it."""
    async for one in walk:
        taken.append(one)  # noqa: PERF401 - extend would drop all of it at an error


async def walked(account: Account, page_size: int) -> list[Contact]:
    """All that a walk gives."""
    return [one async for one in iterate_contacts(Walk(page_size=page_size), account.fetch)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 19, 20, 21, 100])
@pytest.mark.parametrize("in_a_second", [1, 3, 9, 10, 11, 35, 1000])
@pytest.mark.parametrize("limit", [1000, 7, 2])
async def test_a_quiet_account_is_given_in_order(count: int, in_a_second: int, limit: int) -> None:
    """Every contact comes exactly once, oldest first, however many share a second.

    That holds for a server, too, that gives less at once than it was asked for.
    """
    account = Account(
        [contact(number, number // in_a_second) for number in range(count)], limit=limit
    )
    assert await walked(account, 10) == account.contacts
    query = account.queries[0]
    assert (query.order_by, query.order_direction, query.limit) == ("created_at", "asc", 10)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    seconds=st.lists(st.integers(0, 6), max_size=120),
    page_size=st.integers(10, 14),
    limit=st.sampled_from([1000, 8, 5]),
    changes=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=15)),
    order=st.sampled_from(["as asked", "newest first", "at random"]),
    filters=st.booleans(),
    dated=st.booleans(),
    anew=st.sampled_from(["new", "c"]),
)
def test_what_stays_comes_once_and_nothing_twice(
    seconds: list[int],
    page_size: int,
    limit: int,
    changes: list[list[tuple[bool, int]]],
    order: str,
    filters: bool,
    dated: bool,
    anew: str,
) -> None:
    """Whatever comes and goes between pages, what is there throughout is given exactly once.

    That holds too for a server that does not sort, does not filter or shows no times, that gives
    less than it was asked for, or that gives a number its identifier back when it comes again.
    """
    times = sorted(seconds) if dated else [None] * len(seconds)
    start = [contact(number, second) for number, second in enumerate(times)]
    if order == "at random":
        Random(len(seconds)).shuffle(start)
    gone: set[str | None] = set()
    waiting = iter(changes)

    def before_page(account: Account) -> None:
        for creates, place in next(waiting, []):
            new = evolve(contact(place, 7 if dated else None), contact_id=f"{anew}-{place}")
            if creates and new.phone not in {one.phone for one in account.contacts}:
                # Also a number that was there before, and is created anew.
                account.contacts.append(new)
            elif account.contacts:
                gone.add(account.contacts.pop(place % len(account.contacts)).phone)

    account = Account(
        list(start),
        before_page,
        backwards=order == "newest first",
        filters=filters,
        limit=limit,
    )
    # What ascends by chance is no proof; a page of that few may.
    assume(order == "as asked" or min(limit, page_size) >= 8)
    given_ = asyncio.run(walked(account, page_size))
    numbers = [one.phone for one in given_]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) >= {one.phone for one in start} - gone


@pytest.mark.parametrize("identifier", ["new", "c-0"])
async def test_a_contact_created_anew_is_no_overlap(identifier: str) -> None:
    """A contact that is deleted and created again stands elsewhere, and hides nobody."""

    def before_page(account: Account) -> None:
        if len(account.queries) == 2:
            anew = evolve(account.contacts[0], contact_id=identifier)
            # It stands where the next page begins, behind 15 that no page has shown.
            account.contacts[:] = [*account.contacts[16:34], anew]

    account = Account([contact(number, 0) for number in range(40)], before_page)
    numbers = [one.phone for one in await walked(account, 10)]
    assert sorted(map(str, numbers)) == [contact(number, 0).phone for number in range(34)]


async def test_a_deleted_neighbour_loses_nobody() -> None:
    """A contact deleted inside one second's pages moves the rest up; the walk steps back."""

    def before_page(account: Account) -> None:
        if len(account.queries) == 2:
            del account.contacts[:12]

    account = Account([contact(number, 0) for number in range(40)], before_page)
    numbers = {one.phone for one in await walked(account, 10)}
    assert numbers == {contact(number, 0).phone for number in range(40)}
    offsets = [query.offset for query in account.queries]
    # The walk had come to the 19th contact, which was the 7th then.
    assert offsets[:6] == [0, 9, 18, 9, 0, 5]


async def test_a_walk_comes_to_its_end_while_contacts_go() -> None:
    """With contacts of one second deleted before every page, each still comes, in few requests."""

    def before_page(account: Account) -> None:
        del account.contacts[:2]

    account = Account([contact(number, 0) for number in range(300)], before_page)
    numbers = [one.phone for one in await walked(account, 10)]
    assert len(numbers) == len(set(numbers))
    assert len(account.queries) < 120


async def test_newcomers_in_front_are_no_obstacle() -> None:
    """With newest first and one more before every page, the walk still comes to its end."""
    coming = iter(range(1000, 2000))

    def before_page(account: Account) -> None:
        number = next(coming)
        account.contacts.append(contact(number, number))

    start = [contact(number, number) for number in range(100)]
    account = Account(list(start), before_page, backwards=True)
    assert {*await walked(account, 10)} >= {*start}
    assert len(account.queries) < 30


async def test_a_server_that_does_not_sort_is_not_believed_again() -> None:
    """One page that is out of order, and offsets are all that is gone by from there on."""
    seconds = [*range(40), 3, *range(41, 80)]
    account = Account([contact(number, second) for number, second in enumerate(seconds)])
    account.filters = False
    assert await walked(account, 10) == account.contacts
    times = [query.created_at_gte for query in account.queries]
    assert times[-1] == max(time for time in times if time)
    assert len(set(times)) == 5


@pytest.mark.parametrize("in_a_second", [20_000, 11_000])
async def test_more_than_the_api_can_list_is_an_error(in_a_second: int) -> None:
    """Beyond offset 10,000 of one second the walk raises, after all that it could reach."""
    early = contact(99_999, -1)
    account = Account([early, *(contact(number, 0) for number in range(in_a_second))])
    walk = iterate_contacts(Walk(page_size=1000), account.fetch)
    reached: list[Contact] = []
    with pytest.raises(
        APIError, match=r"10,000 contacts.* from 2026-01-01 .*may be incomplete"
    ) as caught:
        await into(reached, walk)
    assert reached == account.contacts[:11_001]
    assert caught.value.outcome == "rejected"
    assert max(query.offset or 0 for query in account.queries) <= 10_000


@pytest.mark.parametrize("in_a_second", [10_000, 10_500, 10_990])
@pytest.mark.parametrize("later", [50, 0])
async def test_what_the_last_page_still_shows_is_reached(in_a_second: int, later: int) -> None:
    """A second whose contacts end on the last page that the API lists is no obstacle."""
    times = [0] * 50 + [1] * in_a_second + [2] * later
    account = Account([contact(number, second) for number, second in enumerate(times)])
    assert await walked(account, 1000) == account.contacts


async def test_contacts_without_a_number_are_told_apart() -> None:
    """Contacts that show no number, and perhaps no identifier, are not taken for one another."""
    bare = [evolve(contact(number, 0), phone=None) for number in range(30)]
    nameless = [Contact(first_name=str(number), created_at=START) for number in range(30)]
    account = Account([*bare, *nameless])
    assert await walked(account, 10) == account.contacts


async def test_at_most_one_page_is_fetched_ahead() -> None:
    """While the contacts of one page are taken, the next one is fetched, and no more."""
    account = Account([contact(number, number) for number in range(100)])
    walk = iterate_contacts(Walk(page_size=10), account.fetch)
    ahead = []
    async for _ in walk:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ahead.append(len(account.queries))
    # The first page brings ten contacts, each later one nine, as it begins where that ended.
    assert ahead[:10] == [2] * 10
    assert ahead[10:19] == [3] * 9


async def test_an_error_comes_after_the_contacts_before_it() -> None:
    """A page that fails is told when its turn comes, not before."""

    def before_page(account: Account) -> None:
        if len(account.queries) == 1:
            raise ServerError("No.")

    account = Account([contact(number, number) for number in range(30)], before_page)
    taken: list[Contact] = []
    with pytest.raises(ServerError):
        await into(taken, iterate_contacts(Walk(page_size=10), account.fetch))
    assert taken == account.contacts[:10]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_walk_that_is_left_fetches_no_more(fails: bool) -> None:
    """Left early, a walk ends the page under way, and nobody hears of its errors."""
    state: dict[str, Any] = {"cancelled": False}

    async def fetch(query: ContactQuery) -> ContactPage:
        if query.offset == 0 and query.created_at_gte is None:
            return ContactPage(contacts=tuple(contact(number, number) for number in range(10)))
        if fails:
            raise ServerError("No.")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            state["cancelled"] = True
            raise
        raise AssertionError

    walk = iterate_contacts(Walk(page_size=10), fetch)
    async for _ in walk:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        break
    await walk.aclose()
    assert state["cancelled"] is not fails


async def walked_until_error(account: Account, page_size: int) -> list[Contact]:
    """What a walk gives before the error that says why it ends."""
    taken: list[Contact] = []
    with pytest.raises(APIError, match="may be incomplete") as caught:
        await into(taken, iterate_contacts(Walk(page_size=page_size), account.fetch))
    assert caught.value.outcome == "rejected"
    return taken


@pytest.mark.parametrize("page_size", [10, 1000])
@pytest.mark.parametrize("count", [2, 9, 10, 50, 1500])
@pytest.mark.parametrize("seconds", ["one each", "one for all", "none"])
@pytest.mark.parametrize("backwards", [False, True])
async def test_the_same_page_again_and_again_is_an_error(
    page_size: int, count: int, seconds: str, backwards: bool
) -> None:
    """A server that takes no notice of offset and filter is found out soon, after its one page."""
    second: dict[str, Callable[[int], int | None]] = {
        "one each": lambda number: number,
        "one for all": lambda number: 5,
        "none": lambda number: None,
    }
    contacts = [contact(number, second[seconds](number)) for number in range(count)]
    account = Account(contacts, backwards=backwards, filters=False, skips=False)
    taken = await walked_until_error(account, page_size)
    listed = contacts[::-1] if backwards else contacts
    assert taken == listed[:page_size]
    assert len(account.queries) < 40


@pytest.mark.parametrize("count", [10, 50])
@pytest.mark.parametrize("seed", range(5))
async def test_pages_drawn_by_lot_are_an_error(count: int, seed: int) -> None:
    """What has no order and no offset never proves that nothing is missing."""
    contacts = [contact(number, 5) for number in range(count)]
    account = Account(contacts, filters=False, skips=False, shuffle=Random(seed))
    taken = await walked_until_error(account, 10)
    assert set(taken) <= set(contacts)
    assert len(taken) == len(set(taken))
    assert len(account.queries) < 200


async def test_times_that_move_on_with_every_page_are_an_error() -> None:
    """The same contacts with ever later times of creation are nothing new."""

    def age(account: Account) -> None:
        pages = len(account.queries)
        account.contacts = [contact(number, 100 * pages + number) for number in range(10)]

    account = Account([], before_page=age, skips=False, filters=False)
    assert len(await walked_until_error(account, 10)) == 10
    assert len(account.queries) < 40
