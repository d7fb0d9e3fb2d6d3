"""Listing and counting contacts: order, pages, filters, and what the query must look like."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendblue_async.sandbox._contact import CONTACT_FIELDS, StoredContact
from sendblue_async.sandbox._query import ListQuery
from sendblue_async.sandbox._store import MemoryStore, SqliteStore, _page_statement

from .conftest import Clock

pytestmark = pytest.mark.anyio

# What a list can be sorted by, and the field of a stored contact that it is.
ORDERS = {
    "created_at": "created_at",
    "firstName": "first_name",
    "lastName": "last_name",
    "phone": "phone",
}


def number(n: int) -> str:
    """One of many numbers."""
    return f"+1415{n:07}"


def places(reply: Any) -> list[int]:
    """Which of the numbers a list has, in its order."""
    assert reply.status == 200
    return [int(contact["phone"].removeprefix("+1415")) for contact in reply.json]


async def fill(api: Any, amount: int) -> None:
    """Create so many contacts, in one second."""
    contacts = [{"phone": number(n)} for n in range(amount)]
    assert (await api.act("POST", "bulk", contacts=contacts)).status == 200


async def test_a_list_is_a_bare_array_newest_first(each_api: Any, clock: Clock) -> None:
    """Whole contacts, the latest one first, also where several were made in one second."""
    assert (await each_api.list()).json == []
    for n in range(4):
        clock.now += n % 2
        await each_api.create(number(n), first_name=f"N{n}")
    reply = await each_api.list()
    assert places(reply) == [3, 2, 1, 0]
    assert reply.contacts[0] == (await each_api.get(number(3))).contact
    assert [contact["created_at"][-3:] for contact in reply.json] == ["02Z", "01Z", "01Z", "00Z"]
    assert places(await each_api.list(order_direction="asc")) == [0, 1, 2, 3]


async def test_an_update_keeps_the_place(each_api: Any) -> None:
    """A changed contact stays where it was; one deleted and made again is the newest."""
    await fill(each_api, 3)
    await each_api.at(number(0), "PUT", json={"first_name": "Ada"})
    await each_api.create(number(1), first_name="Eve", update_if_exists=True)
    assert places(await each_api.list()) == [2, 1, 0]
    await each_api.at(number(1), "DELETE")
    await fill(each_api, 3)
    assert places(await each_api.list()) == [1, 2, 0]


async def test_a_page_is_cut_by_limit_and_offset(each_api: Any) -> None:
    """100 contacts by default and 1,000 at most; the offset skips, also beyond the end."""
    await fill(each_api, 1000)
    await each_api.create(number(1000))
    assert places(await each_api.list()) == list(range(1000, 900, -1))
    assert places(await each_api.list(limit=2, offset=3)) == [997, 996]
    assert places(await each_api.list(limit=1000)) == list(range(1000, 0, -1))
    assert places(await each_api.list(limit=1000, offset=999)) == [1, 0]
    assert places(await each_api.list(offset=10000)) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        *[
            (f"limit={value}", "limit must be a whole number from 1 to 1000")
            for value in ("0", "1001", "-1", "1.0", "ten", "", "%D9%A1", "1" * 5000, "+5")
        ],
        *[
            (f"offset={value}", "offset must be a whole number from 0 to 10000")
            for value in ("-1", "10001", "1e3", "")
        ],
        *[
            (f"order_direction={value}", "order_direction must be asc or desc")
            for value in ("", "ASC", "up")
        ],
        *[
            (f"phone_number={value}", "Invalid phone number")
            for value in ("", "nonsense", "14155550123", "+14155550123")
        ],
        *[
            (f"created_at_gte={value}", "created_at_gte must be a date and time with its offset, ")
            for value in (
                "",
                "yesterday",
                "2024-01-15",
                "2024-01-15T10:30:00",
                "2024-01-15T10:30Z",
                "2024-01-15T10:30:00.Z",
                "2024-01-15T10:30:00+00:00",
                "2024-01-15T10:30:00%2B0000",
                "2024-01-15T10:30:00%2B24:00",
                "2024-01-15T10:30:00%2B01:60",
                "2024-01-15T24:00:00Z",
                "2024-01-15T10:60:00Z",
                "2024-01-15T10:30:61Z",
                "2023-02-29T10:30:00Z",
                "2024-13-01T10:30:00Z",
                "1705314600",
            )
        ],
    ],
)
async def test_a_query_out_of_range_is_refused(api: Any, query: str, message: str) -> None:
    """A value that cannot be read or is too large or small answers 400 with its name."""
    status, said = (await api.request("GET", f"/api/v2/contacts?{query}")).refusal
    assert status == 400
    assert said.startswith(message)


async def test_what_a_query_does_not_know_changes_nothing(each_api: Any) -> None:
    """Unknown names and fields to sort by are ignored; of two equal names the last counts."""
    await fill(each_api, 3)
    await each_api.at(number(2), "PUT", json={"first_name": "Ada", "company_name": "A"})
    others = [f"order_by={name}" for name in ("", "first_name", "company_name", "%27%29;--")]
    for query in ("colour=red", "%FF=%FF", *others):
        reply = await each_api.request("GET", f"/api/v2/contacts?{query}")
        assert places(reply) == [2, 1, 0]
    assert places(await each_api.request("GET", "/api/v2/contacts?limit=x&limit=1")) == [2]


@pytest.mark.parametrize("name", ORDERS)
async def test_a_list_can_be_sorted_by_any_field(each_api: Any, clock: Clock, name: str) -> None:
    """Nulls come first, equal values in the order of creation, and descending is the reverse."""
    varied = [
        {"first_name": "Zoë", "tags": ["b"], "custom_variables": {"Plan": "gold"}},
        {"first_name": "ada", "last_name": "", "tags": ["a", "b"], "sendblue_number": "+1"},
        {"last_name": "Lovelace", "company_name": "Example", "assigned_to_email": "a@example.com"},
        {"first_name": "Ada", "company_name": None, "opt_out": True, "tags": ["a"]},
        {"first_name": "Ada"},
    ]
    for n, fields in zip((3, 1, 4, 0, 2), varied, strict=True):
        clock.now += 1
        await each_api.create(number(n))
        assert (await each_api.at(number(n), "PUT", json=fields)).status == 200

    def key(contact: dict[str, Any]) -> tuple[bool, Any]:
        value = contact[ORDERS[name]]
        return value is not None, value

    rising = sorted(each_api.sandbox.contacts.values(), key=key)
    assert (await each_api.list(order_by=name, order_direction="asc")).contacts == rising
    assert (await each_api.list(order_by=name)).contacts == rising[::-1]


async def test_a_list_can_be_one_contact(each_api: Any) -> None:
    """The number, in any spelling, and the contact's id each choose one; nobody is no error."""
    await fill(each_api, 3)
    for written in (number(1), "+1 (415) 000-0001"):
        assert places(await each_api.list(phone_number=written)) == [1]
    wanted = (await each_api.get(number(2))).contact["contact_id"]
    assert places(await each_api.list(cid=wanted)) == [2]
    assert places(await each_api.list(cid=wanted, phone_number=number(2))) == [2]
    for nobody in (
        {"cid": wanted, "phone_number": number(1)},
        {"phone_number": number(7)},
        {"cid": ""},
        {"cid": "\x00'"},
        {"cid": wanted, "offset": 1},
    ):
        assert places(await each_api.list(**nobody)) == []


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2024-01-15T10:30:01Z", [2, 1]),
        ("2024-01-15t10:30:01z", [2, 1]),
        ("2024-01-15T10:30:01.000Z", [2, 1]),
        ("2024-01-15T10:30:00.0000000001Z", [2, 1]),
        ("2024-01-15T10:30:01.5Z", [2]),
        ("2024-01-15T10:30:01,5Z", [2]),
        ("2024-01-15T10:29:60Z", [2, 1, 0]),
        ("2024-01-15T12:30:02+02:00", [2]),
        ("2024-01-14T22:45:02-11:45", [2]),
        ("2024-01-15T10:30:02+00:00", [2]),
        ("2024-01-15T10:30:02-00:00", [2]),
        ("2024-01-15T10:30:03Z", []),
        ("0001-01-01T00:00:00+23:59", [2, 1, 0]),
        ("0101-01-01T00:00:00Z", [2, 1, 0]),
        ("9999-12-31T23:59:60Z", []),
        ("9999-12-31T23:59:59-23:59", []),
    ],
)
async def test_a_list_can_begin_at_a_time(
    each_api: Any, clock: Clock, since: str, found: list[int]
) -> None:
    """Contacts created at that moment or later, whatever its offset and fraction."""
    for n in range(3):
        await each_api.create(number(n))
        clock.now += 1
    assert places(await each_api.list(created_at_gte=since)) == found


async def test_a_list_answers_in_camel_case(start: Any) -> None:
    """On demand each contact has camelCase keys; the query keeps its names."""
    api = await start(spelling="camel")
    await api.create(first_name="Ada")
    [contact] = (await api.list(order_by="firstName", created_at_gte="2024-01-15T10:30:00Z")).json
    assert contact == (await api.get()).json["contact"]
    assert contact["firstName"] == "Ada"


async def test_many_contacts_are_paged_through(each_api: Any, clock: Clock) -> None:
    """25,000 contacts come in pages of 1,000, by offset as far as it goes and then by time."""
    for thousand in range(25):
        contacts = [{"phone": number(thousand * 1000 + n)} for n in range(1000)]
        assert (await each_api.act("POST", "bulk", contacts=contacts)).status == 200
        clock.now += 1
    assert (await each_api.request("GET", "/api/v2/contacts/count")).json == {"count": 25_000}
    seen: list[int] = []
    for page in range(11):
        reply = await each_api.list(limit=1000, offset=page * 1000, order_direction="asc")
        seen += places(reply)
    for page in range(14):
        since = f"2024-01-15T10:30:{11 + page:02}Z"
        reply = await each_api.list(limit=1000, created_at_gte=since, order_direction="asc")
        seen += places(reply)
    assert seen == list(range(25_000))
    assert places(await each_api.list(limit=1000, offset=10_000))[0] == 14_999


async def test_the_count_is_of_all_contacts(each_api: Any) -> None:
    """Only what is stored now counts, and the answer holds nothing else."""
    for expected in range(3):
        reply = await each_api.request("GET", "/api/v2/contacts/count")
        assert (reply.status, reply.json) == (200, {"count": expected})
        await each_api.create(number(expected))
    await each_api.at(number(0), "DELETE")
    assert (await each_api.request("GET", "/api/v2/contacts/count?x=1")).json == {"count": 2}


async def test_reading_changes_nothing(each_api: Any) -> None:
    """Lists and counts leave no trace but the request itself."""
    await fill(each_api, 2)
    kept = dict(each_api.sandbox.contacts)
    await each_api.list()
    await each_api.request("GET", "/api/v2/contacts/count")
    assert dict(each_api.sandbox.contacts) == kept
    assert each_api.sandbox.counts == {"requests": 3, "created": 2}


async def test_an_older_file_can_be_listed(start: Any, tmp_path: Path) -> None:
    """A file from before there were lists opens as it is, and its contacts are found by time."""
    file = tmp_path / "contacts.db"
    contact = StoredContact(
        phone=number(1), created_at="2024-01-15T10:30:00Z", contact_id="1", first_name="Zoë"
    )
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA application_id = 95509069")
        connection.execute(
            "CREATE TABLE contacts "
            "(id INTEGER PRIMARY KEY, phone TEXT NOT NULL UNIQUE, contact TEXT NOT NULL)"
        )
        connection.execute(
            "INSERT INTO contacts (phone, contact) VALUES (?, ?)",
            (contact.phone, json.dumps(contact.as_dict())),
        )
        connection.commit()
    api = await start(db=file)
    await api.create(number(2))
    assert places(await api.list()) == [2, 1]
    assert places(await api.list(created_at_gte="2024-01-15T10:30:00Z")) == [2, 1]
    assert places(await api.list(created_at_gte="2024-01-15T10:30:00.1Z")) == [2]


def test_pages_of_a_file_are_read_by_an_index(tmp_path: Path) -> None:
    """By time, by number and by default SQLite neither sorts nor reads contacts it leaves out."""
    store = SqliteStore(tmp_path / "contacts.db")
    store.open()
    with closing(sqlite3.connect(tmp_path / "contacts.db")) as connection:
        for query in (
            ListQuery(),
            ListQuery(descending=False, created_from="2024-01-15T10:30:00Z"),
            ListQuery(number=number(1)),
        ):
            statement, values = _page_statement(query)
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            assert "USING INDEX" in plan[0][-1]
            assert query.number or not [step for step in plan if "TEMP B-TREE" in step[-1]]
    store.close()


# No NUL, at which older versions of SQLite end a text that they take out of JSON.
TEXTS = st.none() | st.text(
    st.characters(exclude_characters="\x00", max_codepoint=0x1FFFF), max_size=3
)
CONTACTS = st.lists(
    st.builds(
        dict,
        first_name=TEXTS,
        sendblue_number=TEXTS,
        tags=st.lists(st.sampled_from(["a", "é", '"', "\ud83d"]), max_size=2),
        custom_variables=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        opt_out=st.booleans(),
        created_at=st.sampled_from(["2024-01-15T10:30:00Z", "2024-01-15T10:30:01Z"]),
        contact_id=st.sampled_from(["1", "2", "3"]),
    ),
    max_size=6,
)
QUERIES = st.builds(
    ListQuery,
    limit=st.integers(1, 6),
    offset=st.integers(0, 3),
    order_by=st.sampled_from(CONTACT_FIELDS),
    descending=st.booleans(),
    number=st.none() | st.sampled_from([number(0), number(1)]),
    contact_id=st.none() | st.sampled_from(["1", "2"]),
    created_from=st.none() | st.just("2024-01-15T10:30:01Z"),
)


@settings(deadline=None, max_examples=200)
@given(contacts=CONTACTS, queries=st.lists(QUERIES, min_size=1, max_size=5))
def test_both_stores_list_alike(contacts: list[dict[str, Any]], queries: list[ListQuery]) -> None:
    """Memory and file answer any query about the same contacts in the same way."""
    memory, file = MemoryStore(), SqliteStore(":memory:")
    file.open()
    for n, fields in enumerate(contacts):
        contact = StoredContact(phone=number(-n % 7), **fields)
        memory.put(contact)
        file.put(contact)
    for query in queries:
        assert file.page(query) == memory.page(query)
    file.close()
