"""The reference page's example request and answer: what the client sends, and what it reads.

The two examples are copied from Sendblue's reference page for creating a contact. The request
is taken apart as a shell and curl would, and compared with the bytes that a server receives.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import string
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field, frozen

from sendblue_async import ContactResponse, SendblueClient, __version__
from sendblue_async._converter import structure
from sendblue_async._options import DEFAULT_BASE_URL

pytestmark = pytest.mark.anyio

EXAMPLE_REQUEST = """\
curl https://api.sendblue.co/api/v2/contacts \\
    -H 'Content-Type: application/json' \\
    -H "sb-api-key-id: $SENDBLUE_API_API_KEY" \\
    -H "sb-api-secret-key: $SENDBLUE_API_API_SECRET" \\
    -d '{
          "number": "number"
        }'
"""

EXAMPLE_ANSWER = """\
{
  "contact": {
    "assigned_to_email": "[email protected]",
    "company_name": "Example Corp",
    "created_at": "2024-01-15T10:30:00Z",
    "first_name": "John",
    "last_name": "Doe",
    "phone": "+1234567890",
    "sendblue_number": "+1987654321",
    "tags": [
      "customer",
      "vip"
    ],
    "verified": true
  },
  "status": "OK"
}
"""

ENVIRONMENT = {
    "SENDBLUE_API_API_KEY": "key-of-the-example",
    "SENDBLUE_API_API_SECRET": "secret-of-the-example",
}
NUMBER = "+1234567890"


@frozen
class Request:
    """An HTTP request, its header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def example_request() -> tuple[str, Request]:
    """The base URL and the request that the example's curl command makes."""
    one_line = EXAMPLE_REQUEST.replace("\\\n", "")
    words = shlex.split(string.Template(one_line).substitute(ENVIRONMENT))
    assert words.pop(0) == "curl"
    url = urlsplit(words.pop(0))
    headers, body = {}, ""
    while words:
        option, value = words.pop(0), words.pop(0)
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name.lower()] = text
        else:
            assert option == "-d"
            # The page prints the name of the type where a number goes.
            body = value.replace('"number": "number"', f'"number": "{NUMBER}"')
    # curl posts where there is a body.
    return f"{url.scheme}://{url.netloc}", Request("POST", url.path, headers, body.encode())


@define
class Recorder:
    """A server that keeps the bytes of each request and gives the example's answer."""

    base_url: str = ""
    requests: list[Request] = field(factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests and answer them until the connection is closed."""
        try:
            while not reader.at_eof():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                first, *lines = head.strip().split("\r\n")
                pairs = [line.split(": ", 1) for line in lines]
                headers = {name.lower(): value for name, value in pairs}
                assert len(headers) == len(pairs), "a header stands twice"
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, version = first.split(" ")
                assert version == "HTTP/1.1"
                self.requests.append(Request(method, target, headers, body))
                answer = EXAMPLE_ANSWER.encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
                )
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def recorder() -> Any:
    """A recorder on a port of its own."""
    recorder = Recorder()
    async with await asyncio.start_server(recorder.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        recorder.base_url = f"http://127.0.0.1:{port}"
        yield recorder


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two variables of the example, and no others that the client knows."""
    for name in ("SENDBLUE_API_KEY", "SENDBLUE_API_SECRET", "SENDBLUE_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


async def test_the_example_request_is_sent_header_by_header(recorder: Recorder) -> None:
    """The client, set up by the example's two variables, sends what its curl command sends."""
    _, expected = example_request()
    assert set(expected.headers) == {"content-type", "sb-api-key-id", "sb-api-secret-key"}
    async with SendblueClient(base_url=recorder.base_url) as client:
        await client.create_contact(NUMBER)
    [sent] = recorder.requests
    assert sent.method == expected.method
    assert sent.target == expected.target == "/api/v2/contacts"
    for name, value in expected.headers.items():
        assert sent.headers[name] == value, name
    assert json.loads(sent.body) == json.loads(expected.body) == {"number": NUMBER}


async def test_no_other_header_is_sent_than_http_needs(recorder: Recorder) -> None:
    """Beyond the example's headers go out those of HTTP itself, and the client's name."""
    _, expected = example_request()
    async with SendblueClient(base_url=recorder.base_url) as client:
        await client.create_contact(NUMBER)
    [sent] = recorder.requests
    more = {name: value for name, value in sent.headers.items() if name not in expected.headers}
    assert more.pop("accept-encoding")
    assert more == {
        "host": recorder.base_url.removeprefix("http://"),
        "accept": "application/json",
        "user-agent": f"sendblue-async/{__version__}",
        "content-length": str(len(sent.body)),
    }


async def test_a_look_up_sends_the_same_keys_and_no_body(recorder: Recorder) -> None:
    """Fetching a contact carries the two keys, escapes the plus sign, and has no body."""
    async with SendblueClient(base_url=recorder.base_url) as client:
        await client.get_contact(NUMBER)
    [sent] = recorder.requests
    assert (sent.method, sent.target, sent.body) == ("GET", "/api/v2/contacts/%2B1234567890", b"")
    assert sent.headers["sb-api-key-id"] == ENVIRONMENT["SENDBLUE_API_API_KEY"]
    assert sent.headers["sb-api-secret-key"] == ENVIRONMENT["SENDBLUE_API_API_SECRET"]
    assert "content-type" not in sent.headers


async def test_every_field_is_sent_as_the_page_types_it(recorder: Recorder) -> None:
    """The body is UTF-8 JSON that has each field of the page under its preferred name."""
    async with SendblueClient(base_url=recorder.base_url) as client:
        await client.create_contact(
            NUMBER,
            first_name="Zoë",
            last_name="Doe",
            assigned_to_email="agent@example.com",
            sendblue_number="+1987654321",
            tags=("customer", "vip"),
            update_if_exists=True,
        )
    [sent] = recorder.requests
    assert json.loads(sent.body.decode("utf-8")) == {
        "number": NUMBER,
        "first_name": "Zoë",
        "last_name": "Doe",
        "assigned_to_email": "agent@example.com",
        "sendblue_number": "+1987654321",
        "tags": ["customer", "vip"],
        "update_if_exists": True,
    }


async def test_the_example_answer_is_read_in_every_field(recorder: Recorder) -> None:
    """The example's answer, as it comes over the wire, fills the nine fields of the page."""
    async with SendblueClient(base_url=recorder.base_url) as client:
        response = await client.create_contact(NUMBER)
    contact = response.contact
    assert contact.assigned_to_email == "[email protected]"
    assert contact.company_name == "Example Corp"
    assert contact.created_at == datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc)
    assert contact.first_name == "John"
    assert contact.last_name == "Doe"
    assert contact.phone == "+1234567890"
    assert contact.sendblue_number == "+1987654321"
    assert contact.tags == ("customer", "vip")
    assert contact.verified is True
    assert contact.custom_variables is contact.opt_out is contact.contact_id is None
    assert contact.extra == response.extra == {}
    assert response.status == "OK"
    assert response.meta.status_code == 200
    assert response.meta.attempts == 1
    assert response.meta.settled is False
    assert response.meta.headers["content-type"] == "application/json"
    assert response.to_dict() == json.loads(EXAMPLE_ANSWER)
    assert response == structure(json.loads(EXAMPLE_ANSWER), ContactResponse)


def test_the_example_goes_to_the_default_base_url() -> None:
    """The address in the example is the one the client uses unless told otherwise."""
    base_url, _ = example_request()
    assert base_url == DEFAULT_BASE_URL
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "*")
        assert base_url in repr(SendblueClient())
