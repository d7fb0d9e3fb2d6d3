"""What a caller may set about a client, and what is refused when it is set."""

from __future__ import annotations

import math
import ssl
from typing import Any

import pytest

from sendblue_async import __version__
from sendblue_async._credentials import Credentials
from sendblue_async._options import (
    DEFAULT_BASE_URL,
    Timeouts,
    build_headers,
    check_base_url,
    check_proxy,
    find_environment_proxy,
    is_loopback,
    load_trusted_certificates,
)
from sendblue_async._redaction import Secret
from sendblue_async.exceptions import ConfigurationError

CREDENTIALS = Credentials(Secret("the-key"), Secret("the-secret"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies and no certificates from the outside."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUEST_METHOD", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://api.sendblue.co", "https://api.sendblue.co"),
        ("https://api.sendblue.com/", "https://api.sendblue.com"),
        ("https://api.sendblue.co///", "https://api.sendblue.co"),
        ("https://proxy.example:8443/sendblue/", "https://proxy.example:8443/sendblue"),
        ("HTTPS://Proxy.Example", "https://Proxy.Example"),
        ("https://a_b.example", "https://a_b.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://app.localhost:80/", "http://app.localhost:80"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.8.9.10:65535", "http://127.8.9.10:65535"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_a_base_url_is_https_or_loopback(url: str, taken: str) -> None:
    """https anywhere and http on this machine are taken, without slashes at the end."""
    assert check_base_url(url, allow_http=False) == taken
    assert check_base_url(taken, allow_http=True) == taken


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sendblue.co", "http://localhost.evil.example", "http://evillocalhost",
        "http://127.0.0.1.evil.example", "http://192.168.0.1", "http://0.0.0.0", "http://10.0.0.1",
        "http://[2001:db8::1]", "http://[::]", "http://127.1", "http://2130706433",
        "HTTP://api.sendblue.co",
    ],
)  # fmt: skip
def test_plain_http_to_another_machine_is_refused_unless_allowed(url: str) -> None:
    """Plain http to a host that is not loopback is refused, and allow_http=True takes it."""
    with pytest.raises(ConfigurationError, match=r"not https.*allow_http=True"):
        check_base_url(url, allow_http=False)
    assert check_base_url(url, allow_http=True).lower() == url.lower()


@pytest.mark.parametrize("allow_http", [True, False])
@pytest.mark.parametrize(
    "url",
    [
        "", " ", "api.sendblue.co", "//api.sendblue.co", "localhost:8080", "ftp://api.sendblue.co",
        "ws://localhost", "file:///etc/passwd", "javascript:alert(1)", "https://", "https:///x",
        "https://:443", "https:api.sendblue.co", "https://api.sendblue.co:0",
        "https://api.sendblue.co:65536", "https://api.sendblue.co:-1", "https://api.sendblue.co:x",
        "https://[::1", "https://::1]", "https://[zz]", "https://[1:2]", "https://[:::]", "https://[::1]x",
        " https://api.sendblue.co",
        "https://api.sendblue.co ", "https://api.sendblue.co\n", "https://api.send\nblue.co",
        "https://api.sendblue.co\t", "https://api sendblue.co", "https://bücher.example",
        "https://api.sendblue.co\u2028", "https://api.sendblue.co/\u00e9", "https://api\x00.co",
        "https://\ud800", "https://user@api.sendblue.co", "https://u:p@api.sendblue.co",
        "https://@api.sendblue.co", "http://localhost@evil.example", "https://api.sendblue.co?x=1",
        "https://api.sendblue.co/#top", "https://api.sendblue.co?", "https://api.sendblue.co#",
        "https://api.sendblue.co/api?", "https://api\\sendblue.co",
        "https://api..example", "https://.", "https://.example", f"https://{'a' * 64}.example",
        "https://api.sendblue.co\\@evil.example",
        b"https://api.sendblue.co", None, 1, 1.5, True, ["https://api.sendblue.co"], ...,
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_base_url_is_refused(url: Any, allow_http: bool) -> None:
    """What is no web address, or holds a user, query, fragment or odd character, is refused."""
    with pytest.raises(ConfigurationError, match="base_url"):
        check_base_url(url, allow_http=allow_http)


def test_a_password_in_a_base_url_is_not_shown() -> None:
    """The error about a user name in a base URL does not repeat the password."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url("https://user:hush@api.sendblue.co", allow_http=False)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("a.b.localhost", True), ("127.0.0.1", True), ("127.255.255.254", True),
     ("::1", True), ("", False), ("localhost.example", False), ("notlocalhost", False),
     ("128.0.0.1", False), ("0.0.0.0", False), ("::", False), ("::2", False), ("127", False),
     ("0127.0.0.1", False), ("api.sendblue.co", False)],
)  # fmt: skip
def test_loopback_is_judged_by_name_or_address_alone(host: str, expected: bool) -> None:
    """Only localhost names and loopback addresses in plain notation are this machine."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize("name", ["connect", "attempt", "total"])
@pytest.mark.parametrize(
    "value",
    [0, 0.0, -1, math.nan, math.inf, -math.inf, True, "5", None, [5], 1j, 10**400],
    ids=lambda value: str(value)[:9],
)
def test_timeouts_are_checked(name: str, value: Any) -> None:
    """A timeout that is no finite number above zero is refused by name."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a number of seconds above 0"):
        Timeouts(**{name: value})


def test_timeouts_have_the_documented_defaults() -> None:
    """5 s to connect, 20 s an attempt, 60 s in total; whole and tiny seconds are fine."""
    assert Timeouts() == Timeouts(connect=5, attempt=20.0, total=60)
    assert Timeouts(connect=1e-9, attempt=1, total=10**6).attempt == 1
    with pytest.raises(AttributeError):
        Timeouts().total = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Timeouts(5.0)  # type: ignore[misc]


OWN = {
    "user-agent": f"sendblue-async/{__version__}",
    "accept": "application/json",
    "sb-api-key-id": "the-key",
    "sb-api-secret-key": "the-secret",
}


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, {}),
        ({"X-Request-Id": "abc"}, {"x-request-id": "abc"}),
        ({"X-A": "a b\tc", "X-B": "~", "x-1.!#$%&'*+-^_`|": "!"},
         {"x-a": "a b\tc", "x-b": "~", "x-1.!#$%&'*+-^_`|": "!"}),
        ({"User-Agent": "mine/1"}, {"user-agent": "mine/1"}),
        ({"ACCEPT": "*/*"}, {"accept": "*/*"}),
        ({"Authorization": "Bearer x"}, {"authorization": "Bearer x"}),
    ],
)  # fmt: skip
def test_headers_of_the_caller_join_the_own_ones(given: Any, more: dict[str, str]) -> None:
    """Every request has the client's headers and the caller's, which may replace the names."""
    assert build_headers(CREDENTIALS, given) == {**OWN, **more}


@pytest.mark.parametrize(
    "name",
    ["sb-api-key-id", "SB-API-KEY-ID", "Sb-Api-Secret-Key", "Content-Length", "content-type",
     "HOST", "Transfer-Encoding"],
)  # fmt: skip
def test_headers_that_the_client_sets_are_not_the_callers(name: str) -> None:
    """The two keys and the headers that frame the body cannot be replaced, in any case."""
    with pytest.raises(ConfigurationError, match=f"may not set {name}"):
        build_headers(CREDENTIALS, {name: "x"})


@pytest.mark.parametrize(
    "given",
    [
        {"": "x"}, {"X A": "x"}, {"X:A": "x"}, {"X\r\nA": "x"}, {"X-É": "x"}, {"X\x00": "x"},
        {"X-A ": "x"}, {"(X)": "x"}, {1: "x"}, {None: "x"}, {b"X-A": "x"}, {"\ud800": "x"},
        {"X-A": "a\r\nX-B: b"}, {"X-A": "a\n"}, {"X-A": "\na"}, {"X-A": "a\x00"}, {"X-A": "é"},
        {"X-A": " a"}, {"X-A": "a "}, {"X-A": "\ta"}, {"X-A": "a\x7f"}, {"X-A": 1},
        {"X-A": None}, {"X-A": b"a"}, {"X-A": ["a"]}, {"X-A": "\ud800"}, {"X-A": "a\u2028b"},
        [("X-A", "a")], "X-A: a", 5,
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_header_is_refused(given: Any) -> None:
    """Names and values that no header can hold are refused, line breaks above all."""
    with pytest.raises(ConfigurationError, match="default_headers"):
        build_headers(CREDENTIALS, given)


def test_a_header_that_is_refused_does_not_show_its_value() -> None:
    """The error about a header's value names the header only: the value may be a secret."""
    with pytest.raises(ConfigurationError, match="Authorization") as caught:
        build_headers(CREDENTIALS, {"Authorization": "Bearer hush\n"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [None, "http://proxy.example", "http://proxy.example:3128", "https://u:p@proxy.example:443",
     "http://[::1]:3128", "HTTP://proxy.example"],
)  # fmt: skip
def test_a_proxy_is_a_web_address(proxy: str | None) -> None:
    """None and http or https URLs, with a user and password or without, are taken as they are."""
    assert check_proxy(proxy) == proxy


@pytest.mark.parametrize(
    "proxy",
    ["", "proxy.example:3128", "//hush", "socks5://hush.example", "http://", "http://:3128",
     "http://[hush", b"http://hush.example", 1, True, ["http://hush.example"], ...],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_being_shown(proxy: Any) -> None:
    """A proxy that is no URL is refused; as it may hold a password, it is not shown."""
    with pytest.raises(ConfigurationError, match="proxy must be a URL") as caught:
        check_proxy(proxy)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://hush.example", "SOCKS5H://hush.example:1080"])
def test_a_socks_proxy_is_called_one(proxy: str) -> None:
    """Somebody who passes one is told that it is the kind that is not supported."""
    with pytest.raises(ConfigurationError, match=r"proxy must be .*; SOCKS is not supported"):
        check_proxy(proxy)


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("variables", "base_url", "expected"),
    [
        ({}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY}, DEFAULT_BASE_URL, PROXY),
        ({"https_proxy": PROXY}, DEFAULT_BASE_URL, PROXY),
        ({"HTTPS_PROXY": "http://other.example", "https_proxy": PROXY}, DEFAULT_BASE_URL, PROXY),
        ({"https_proxy": ""}, DEFAULT_BASE_URL, None),
        ({"HTTP_PROXY": PROXY}, DEFAULT_BASE_URL, None),
        ({"HTTP_PROXY": PROXY}, "http://internal.example", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://internal.example", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.sendblue.co"}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "x.example, sendblue.co"}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".sendblue.co"}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "x, api.sendblue.co:443"}, DEFAULT_BASE_URL, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.sendblue.co:8443"}, DEFAULT_BASE_URL, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "sendblue.com"}, DEFAULT_BASE_URL, PROXY),
        ({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, "http://127.0.0.1:8080", None),
        ({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, "https://localhost", None),
        ({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, "http://[::1]:1", None),
    ],
)
def test_the_environment_names_the_proxy(
    variables: dict[str, str], base_url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of the base URL's scheme names the proxy; NO_PROXY and loopback go around it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_environment_proxy(base_url) == expected


def test_an_unusable_proxy_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names no usable proxy is an error: requests must not go around it."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:hush@proxy.example")
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        find_environment_proxy(DEFAULT_BASE_URL)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_of_the_environment_are_trusted(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A variable that names certificates makes TLS settings that verify; else aiohttp's stay."""
    assert load_trusted_certificates(DEFAULT_BASE_URL) is True
    monkeypatch.setenv(variable, str(tmp_path))
    context = load_trusted_certificates(DEFAULT_BASE_URL)
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert load_trusted_certificates("http://localhost") is True
    monkeypatch.setenv(variable, "")
    assert load_trusted_certificates(DEFAULT_BASE_URL) is True
