"""Bearer tokens of the sandbox: who gets one, what it opens, and when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import aiohttp
import pytest

from sendblue_async.sandbox import Sandbox

KEYS = {"sb-api-key-id": "sandbox-key", "sb-api-secret-key": "sandbox-secret"}
CONTACTS = "/api/v2/contacts"
TOKENS = "/v3/auth/tokens"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Sends plain requests."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_token_opens_what_the_keys_do(session: Any) -> None:
    """It comes wrapped in ``data``, with its end, and stands in for both keys until then."""
    now = 1_800_000_000.0
    async with Sandbox(clock=lambda: now, token_lifetime=60) as sandbox:
        async with session.post(sandbox.base_url + TOKENS, headers=KEYS) as answer:
            data = (await answer.json())["data"]
        assert answer.status == 200
        assert sorted(data) == ["expires_at", "phone_numbers", "token", "token_id"]
        end = datetime.fromtimestamp(now + 60, timezone.utc)
        assert data["expires_at"] == f"{end:%Y-%m-%dT%H:%M:%S}.000Z"
        bearer = {"Authorization": f"Bearer {data['token']}"}
        for moment, status in ((now, 200), (now + 59.9, 200), (now + 60, 401)):
            now = moment
            async with session.get(sandbox.base_url + CONTACTS, headers=bearer) as answer:
                assert answer.status == status
        assert data["token"] not in str([request.headers for request in sandbox.requests])


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer unknown"}, {**KEYS, "sb-api-secret-key": "wrong"},
     {"sb-api-key-id": "sandbox-key"}],
)  # fmt: skip
async def test_a_token_is_issued_for_the_keys_alone(session: Any, headers: dict[str, str]) -> None:
    """A refusal has the shape of that part of the API."""
    async with Sandbox() as sandbox:
        async with session.post(sandbox.base_url + TOKENS, headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "unauthorized"
        assert sandbox.counts["tokens"] == 0


@pytest.mark.parametrize("authorization", ["Bearer unknown", "Bearer ", "bearer x", "Bearer  y"])
async def test_an_unknown_token_is_refused(session: Any, authorization: str) -> None:
    """As wrong keys are."""
    async with Sandbox() as sandbox:
        bearer = {"Authorization": authorization}
        async with session.get(sandbox.base_url + CONTACTS, headers=bearer) as answer:
            assert (answer.status, (await answer.json())["message"]) == (401, "Invalid Credentials")


async def test_tokens_can_be_revoked(session: Any) -> None:
    """All that were issued so far, at once; the next one is good."""
    async with Sandbox() as sandbox:
        for status in (401, 200):
            async with session.post(sandbox.base_url + TOKENS, headers=KEYS) as answer:
                token = (await answer.json())["data"]["token"]
            if status == 401:
                sandbox.revoke_tokens()
            bearer = {"Authorization": f"Bearer {token}"}
            async with session.get(sandbox.base_url + CONTACTS, headers=bearer) as answer:
                assert answer.status == status


async def test_only_post_issues_a_token(session: Any) -> None:
    """There is nothing to read at that path."""
    async with (
        Sandbox() as sandbox,
        session.get(sandbox.base_url + TOKENS, headers=KEYS) as answer,
    ):
        assert answer.status == 405
