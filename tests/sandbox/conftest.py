"""A running sandbox, and a plain client that knows nothing but HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from attrs import frozen
from yarl import URL

from sendblue_async.sandbox import Sandbox

# What a live answer has in both spellings.
DOUBLES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company_name": "companyName",
    "assigned_to_email": "assignedToEmail",
    "sendblue_number": "sendblueNumber",
    "custom_variables": "customVariables",
}


def without_doubles(contact: dict[str, Any]) -> dict[str, Any]:
    """The same in snake_case alone; each double that a contact has must equal its field."""
    doubles = {name: contact[camel] for name, camel in DOUBLES.items() if camel in contact}
    assert doubles == {name: contact[name] for name in doubles}
    return {name: value for name, value in contact.items() if name not in DOUBLES.values()}


@frozen(kw_only=True)
class Reply:
    """An answer after its body has been read."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def contact(self) -> Any:
        """The contact in the body, without its doubles."""
        return without_doubles(self.json["contact"])

    @property
    def contacts(self) -> list[Any]:
        """The contacts in the body, a list or a bulk create's answer, without their doubles."""
        answer = self.json
        found = answer if isinstance(answer, list) else answer["contacts"]
        return [without_doubles(contact) for contact in found]

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and message of an answer in the API's error shape."""
        assert self.json["status"] == "ERROR"
        assert self.headers["Content-Type"].startswith("application/json")
        return self.status, self.json["message"]


class Api:
    """A sandbox as a client sees it, with the right keys unless a test gives others."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.keys = {
            "sb-api-key-id": sandbox.api_key,
            "sb-api-secret-key": sandbox.api_secret,
        }

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """Send one request; the path goes out exactly as written."""
        options.setdefault("headers", self.keys)
        url = URL(self.sandbox.base_url + path, encoded=True)
        async with self.session.request(method, url, allow_redirects=False, **options) as answer:
            return Reply(status=answer.status, headers=answer.headers, body=await answer.read())

    async def post(self, body: object) -> Reply:
        """Post any JSON to the contacts."""
        return await self.request("POST", "/api/v2/contacts", json=body)

    async def create(self, number: str = "+14155550123", **fields: object) -> Reply:
        """Create a contact."""
        return await self.post({"number": number, **fields})

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true in the sandbox; the test's timeout is the limit."""
        # Polling, because the sandbox has no event for what only a test wants to know.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def get(self, number: str = "+14155550123") -> Reply:
        """Fetch a contact."""
        return await self.at(number, "GET")

    async def at(self, number: str, method: str, **options: Any) -> Reply:
        """Send a request about one contact."""
        path = f"/api/v2/contacts/{number.replace('+', '%2B')}"
        return await self.request(method, path, **options)

    async def update(self, **fields: object) -> Reply:
        """Update the contact that :meth:`create` makes."""
        return await self.at("+14155550123", "PUT", json=fields)

    async def list(self, **query: object) -> Reply:
        """List contacts."""
        return await self.request("GET", f"/api/v2/contacts?{urlencode(query)}")

    async def act(self, method: str, part: str, **fields: object) -> Reply:
        """Send a body to one of the paths below the contacts."""
        return await self.request(method, f"/api/v2/contacts/{part}", json=fields)


class Clock:
    """The clock of a sandbox, which moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1_705_314_600  # 2024-01-15T10:30:00Z

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


Start = Callable[..., Awaitable[Api]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a sandbox with the given arguments; it is closed after the test."""
    async with AsyncExitStack() as stack:

        async def start(**arguments: Any) -> Api:
            sandbox = await stack.enter_async_context(Sandbox(**arguments))
            # A connection of its own for each request: no fault spills over, none is resent.
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            return Api(sandbox, session)

        yield start


@pytest.fixture
async def api(start: Start) -> Api:
    """A sandbox with nothing set, and its client."""
    return await start()


@pytest.fixture
def clock() -> Clock:
    """The clock by which ``each_api`` stamps new contacts."""
    return Clock()


@pytest.fixture(params=["memory", "file"])
async def each_api(
    start: Start, clock: Clock, tmp_path: Path, request: pytest.FixtureRequest
) -> Api:
    """A sandbox on either kind of store, and its client."""
    db = tmp_path / "contacts.db" if request.param == "file" else None
    return await start(db=db, clock=clock)
