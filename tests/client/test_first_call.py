"""What the environment has is looked for at the first call, and then kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from sendblue_async import (
    ConfigurationError,
    ConnectError,
    RetryPolicy,
    SendblueClient,
    SyncSendblueClient,
)

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without keys, and an empty home."""
    for name in [name for name in os.environ if name.upper().startswith("SENDBLUE_")]:
        monkeypatch.delenv(name)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return monkeypatch


def set_keys(environment: pytest.MonkeyPatch, sandbox: Any) -> None:
    """Put the keys and the address of a sandbox into the environment."""
    environment.setenv("SENDBLUE_API_KEY_ID", sandbox.api_key)
    environment.setenv("SENDBLUE_API_SECRET_KEY", sandbox.api_secret)
    environment.setenv("SENDBLUE_API_BASE_URL", sandbox.base_url)


async def test_a_client_without_keys_says_so_at_its_first_call(sandbox: Any) -> None:
    """It is made, shown, entered and viewed; the first call fails before anything is sent."""
    async with SendblueClient(base_url=sandbox.base_url) as client:
        assert sandbox.base_url in repr(client)
        for view in (client, client.with_options(retry=ONCE), client):
            with pytest.raises(ConfigurationError, match=r"No api_key.*No api_secret") as caught:
                await view.create_contact(NUMBER)
            assert caught.value.outcome == "not_sent"
    assert sandbox.counts["requests"] == 0


async def test_keys_that_come_later_are_found(
    sandbox: Any, environment: pytest.MonkeyPatch
) -> None:
    """A look-up that failed is repeated by the next call, of any view."""
    async with SendblueClient() as client:
        view = client.with_options(retry=ONCE)
        with pytest.raises(ConfigurationError):
            await client.count_contacts()
        set_keys(environment, sandbox)
        assert (await view.count_contacts()).count == 0
        assert (await client.count_contacts()).count == 0


async def test_what_was_found_is_kept(sandbox: Any, environment: pytest.MonkeyPatch) -> None:
    """A change of the environment after the first call changes nothing, on any event loop."""
    set_keys(environment, sandbox)
    client = SendblueClient()

    async def count() -> int:
        return (await client.count_contacts()).count or 0

    assert await count() == 0
    account = client._transport.account
    environment.setenv("SENDBLUE_API_KEY", "another")
    environment.setenv("SENDBLUE_API_SECRET", "another")
    environment.setenv("SENDBLUE_API_BASE_URL", "http://127.0.0.1:9")
    environment.setenv("HTTP_PROXY", "socks5://127.0.0.1:9")
    assert await anyio.to_thread.run_sync(anyio.run, count) == 0
    assert client._transport.account == account
    await client.close()


@pytest.mark.parametrize("kind", [SendblueClient, SyncSendblueClient])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_key": "k\n"}, "api_key"),
        ({"api_secret": ""}, "api_secret is empty"),
        ({"api_key": "k ", "api_secret": " s"}, "api_key .* api_secret "),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"proxy": "socks5://127.0.0.1"}, "proxy must be a URL"),
        ({"default_headers": {"sb-api-key-id": "k"}}, "may not set"),
    ],
)
def test_arguments_are_checked_at_once(kind: Any, options: dict[str, Any], words: str) -> None:
    """What is given in code is refused where it is given, also if keys are missing."""
    with pytest.raises(ConfigurationError, match=words):
        kind(**options)


async def test_a_bad_base_url_of_the_environment_is_reported_by_the_first_call(
    environment: pytest.MonkeyPatch,
) -> None:
    """Neither making nor showing the client fails, and a password in it is not shown."""
    for url in ("https://user:hush@example.com", "ftp://example.com", "http://example.com"):
        environment.setenv("SENDBLUE_API_BASE_URL", url)
        client = SendblueClient("k", "s")
        assert "hush" not in repr(client)
        with pytest.raises(ConfigurationError, match=r"^The base URL in SENDBLUE_API_B") as caught:
            await client.count_contacts()
        assert "hush" not in str(caught.value)


PROXIES = {
    "HTTPS_PROXY": "socks5h://127.0.0.1:1080",
    "https_proxy": "SOCKS5://user:hush-hush@127.0.0.1:1080",
    "ALL_PROXY": "socks5h://127.0.0.1:1080",
    "all_proxy": "socks4a://127.0.0.1",
    "Https_Proxy": "socks://127.0.0.1",
}


@pytest.mark.parametrize("variable", PROXIES)
async def test_a_socks_proxy_of_the_environment_is_named(
    environment: pytest.MonkeyPatch, variable: str
) -> None:
    """The first call names the variable as it is spelled, and says what is not supported."""
    environment.setenv(variable, PROXIES[variable])
    client = SendblueClient("k", "s", base_url="https://api.example")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            await client.count_contacts()
        text = str(caught.value)
        assert text.startswith(f"{variable} names a SOCKS proxy, and SOCKS is not supported.")
        assert "hush" not in text
        assert "NO_PROXY" in text
    environment.setenv("NO_PROXY", "api.example")
    client._transport.prepare()


@pytest.mark.parametrize(
    "value",
    ["ftp://127.0.0.1", "http://", "http://:3128", "http://[::1", "http://127.0.0.1:0",
     "http://127.0.0.1:99999", "http://127.0.0.1:port", "user:hush@", "two words", "://",
     "http://user:hush@127.0.0.1:x"],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_garbage_for_a_proxy_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A request does not go around a proxy that cannot be used."""
    environment.setenv(variable, value)
    client = SendblueClient("k", "s", base_url="https://api.example")
    with pytest.raises(ConfigurationError, match=f"^{variable} names no proxy that") as caught:
        await client.count_contacts()
    assert "hush" not in str(caught.value)


async def test_all_proxy_is_used_where_no_other_is_named(environment: pytest.MonkeyPatch) -> None:
    """``ALL_PROXY`` is the proxy of a scheme that has none, as curl and requests have it."""
    environment.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = SendblueClient("k", "s", base_url="https://api.example", retry=ONCE)
    with pytest.raises(ConnectError, match=r"the proxy 127\.0\.0\.1:9"):
        await client.count_contacts()
    environment.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    environment.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    other = SendblueClient("k", "s", base_url="https://api.example", retry=ONCE)
    with pytest.raises(ConnectError, match=r"the proxy 127\.0\.0\.1:9"):
        await other.count_contacts()
    await client.close()
    await other.close()


async def test_an_explicit_proxy_makes_the_environments_unimportant(
    environment: pytest.MonkeyPatch,
) -> None:
    """The environment is not looked at, however bad it is."""
    environment.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    client = SendblueClient("k", "s", base_url="https://api.example", proxy="http://127.0.0.1:9")
    client._transport.prepare()
