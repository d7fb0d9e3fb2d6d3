"""TLS: whom the client trusts, and that nobody else gets a request.

The endings of a handshake that fails are rows of the truth table.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from sendblue_async import SendblueError, TLSError

from .failures import FAILURES, Setting
from .servers import contact

pytestmark = pytest.mark.anyio

NUMBER = "+14155550123"


async def test_settings_of_the_callers_own(serve: Any, connect: Any, tls_for: Any) -> None:
    """A certificate that the caller's own SSLContext trusts is accepted."""
    tls = tls_for("127.0.0.1")
    server = await serve(contact(NUMBER), tls=tls.server)
    response = await connect(server, ssl=tls.trusting).create_contact(NUMBER)
    assert response.contact.phone == NUMBER
    assert server.base_url.startswith("https://")


async def test_certificates_from_the_environment(
    serve: Any,
    connect: Any,
    tls_for: Any,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A certificate authority that ``SSL_CERT_FILE`` names is trusted."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server = await serve(contact(), tls=tls_for("127.0.0.1").server)
    assert (await connect(server).create_contact(NUMBER)).status == "OK"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("certificate of an unknown authority", "unable to get local issuer certificate"),
        ("certificate for another host", "certificate is not valid for '127.0.0.1'"),
        ("certificate that has expired", "certificate has expired"),
        ("plain text on a TLS port", ""),
    ],
)
async def test_what_is_wrong_is_in_the_error(
    stack: AsyncExitStack, authority: trustme.CA, connect: Any, ending: str, reason: str
) -> None:
    """The cause names what TLS complained of, the message what to check; nothing was sent."""
    scene = await FAILURES[ending](Setting(stack=stack, authority=authority))
    client = connect(scene.url, **scene.options)
    with pytest.raises(TLSError, match="Check the base URL, the certificates") as caught:
        await client.create_contact(NUMBER)
    assert reason in str(caught.value.cause)
    assert (caught.value.outcome, scene.requests) == ("not_sent", [])


async def test_plain_http_to_a_tls_port(serve: Any, connect: Any, timer: Any, tls_for: Any) -> None:
    """A base URL that lost its s ends in an error of ours, and the server sees no request."""
    server = await serve(contact(), tls=tls_for("127.0.0.1").server)
    client = connect(server.base_url.replace("https:", "http:"), timer=timer)
    with pytest.raises(SendblueError):
        await client.create_contact(NUMBER)
    assert not server.requests
