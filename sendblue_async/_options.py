"""What a caller may set about a client, checked when it is set."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from attrs import field, frozen

from ._arguments import names_arguments
from ._checks import is_limit
from ._credentials import Credentials, Secret
from ._version import __version__
from .exceptions import ConfigurationError

DEFAULT_BASE_URL = "https://api.sendblue.co"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_URL = re.compile(
    rf"https?://(?:\[[0-9a-f:.]+\]|{_LABEL}(?:\.{_LABEL})*\.?)(?::[0-9]{{1,5}})?"
    r"(?:/[a-z0-9\-._~!$&'()*+,;=:%/]*)?",
    re.ASCII | re.IGNORECASE,
)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_FRAMING = {"content-length", "content-type", "host", "transfer-encoding"}


@names_arguments
@frozen(kw_only=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        connect: Making a connection: DNS, TCP and TLS together. Default 5.
        attempt: One attempt, from its place in the pool to the last byte of its answer; the
            wait for that place does not count. Default 20.
        total: The whole call: queueing, every attempt, every wait and look-up. Default 60.

    Raises:
        ConfigurationError: If a value is not a finite number above zero.
    """

    connect: float = field(default=5.0, validator=is_limit)
    attempt: float = field(default=20.0, validator=is_limit)
    total: float = field(default=60.0, validator=is_limit)


def checked_base_url(base_url: str, *, allow_http: bool) -> str:
    """The base URL, its scheme in lower case and without a slash at its end.

    Raises:
        ConfigurationError: If it is no web address, has a user name, password, query or
            fragment, or is plain http to a host that is not loopback while ``allow_http`` is
            false.
    """
    if isinstance(base_url, str) and any(mark in base_url for mark in "@?#"):
        # Not shown, as it may hold a password.
        raise ConfigurationError("base_url may have no user name, password, query or fragment.")
    url = _split(base_url) if isinstance(base_url, str) and _URL.fullmatch(base_url) else None
    if url is None:
        raise ConfigurationError(
            f"base_url must be a web address such as {DEFAULT_BASE_URL!r}, not {base_url!r}."
        )
    if url.scheme == "http" and not (allow_http or is_loopback(url.hostname or "")):
        raise ConfigurationError(
            f"base_url {base_url!r} is not https, so the keys would travel in the clear; "
            "use https, or pass allow_http=True if that is what you want."
        )
    return url.scheme + base_url[len(url.scheme) :].rstrip("/")


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, if its host and port can be."""
    try:
        parts = urlsplit(url)
        if "[" in url:
            ipaddress.IPv6Address(parts.hostname or "")
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_headers(credentials: Credentials, default_headers: Any) -> dict[str, str]:
    """The headers of every request: the client's own, the caller's, and the two keys.

    Raises:
        ConfigurationError: If one of the caller's is no header, or is one the client sets.
    """
    if not isinstance(default_headers, Mapping):
        raise ConfigurationError(
            f"default_headers must be a mapping of names to values, not {default_headers!r}."
        )
    headers = {"user-agent": f"sendblue-async/{__version__}", "accept": "application/json"}
    for name, value in default_headers.items():
        if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
            raise ConfigurationError(f"default_headers has {name!r}, which is no header name.")
        if name.lower() in credentials.headers or name.lower() in _FRAMING:
            raise ConfigurationError(f"default_headers may not set {name}; the client does.")
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise ConfigurationError(
                f"default_headers has a value for {name} that cannot stand in a header."
            )
        headers[name.lower()] = value
    return headers | credentials.headers


def checked_proxy(proxy: str | None) -> Secret | None:
    """The URL of a proxy, out of sight.

    Raises:
        ConfigurationError: If it is no URL. Does not show it, as it may hold a password.
    """
    if proxy is None:
        return None
    try:
        usable = urlsplit(proxy).scheme in ("http", "https") and urlsplit(proxy).hostname
    except (AttributeError, TypeError, ValueError):
        usable = False
    if not usable:
        raise ConfigurationError("proxy must be a URL such as 'http://proxy.example:3128'.")
    return Secret(proxy)


def proxy_secrets(proxy: str | None) -> list[str]:
    """What of a proxy's URL is not to be shown, in each way that it may be written."""
    login = urlsplit(proxy or "").netloc.rpartition("@")[0]
    words = {login, login.partition(":")[2]}
    return [form(word) for word in words if word for form in (str, unquote, quote)]


def environment_proxy(base_url: str) -> Secret | None:
    """The proxy that the environment names for the base URL; never one for this machine."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(url.scheme)
    # Without a scheme it is http, as curl and requests have it.
    return checked_proxy(proxy if proxy is None or "://" in proxy else f"http://{proxy}")


def trusted_certificates(base_url: str) -> ssl.SSLContext | bool:
    """The certificates to trust: aiohttp's default, or what the environment names now."""
    if base_url.startswith("https") and (
        os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    ):
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
    return True
