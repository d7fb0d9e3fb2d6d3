"""The options of a client, checked when they are set."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import field, frozen

from ._arguments import suggest_arguments
from ._checks import validate_positive_seconds
from ._credentials import KEY_HEADERS
from ._redaction import Revealed, Secret, hide
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
_SECRET_NAME = re.compile(
    "auth|cookie|credential|key|password|secret|session|sign|token", re.IGNORECASE
)
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f]+")
_FRAMING = {"content-length", "content-type", "host", "transfer-encoding"}


@suggest_arguments
@frozen(kw_only=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        connect: Making a connection: DNS, TCP and TLS together. Default 5.
        attempt: One attempt, from its slot in the pool to the last byte of its answer; the
            wait for that slot does not count. Default 20.
        total: The whole call: queueing, every attempt, every wait and look-up. Default 60, which
            suits a job; where a user waits for a web page, 10 does.

    Raises:
        ConfigurationError: If a value is not a finite number above zero.
    """

    connect: float = field(default=5.0, validator=validate_positive_seconds)
    attempt: float = field(default=20.0, validator=validate_positive_seconds)
    total: float = field(default=60.0, validator=validate_positive_seconds)


def find_environment_base_url() -> str:
    """Return the base URL that the environment names, unchecked, or else the default."""
    return os.environ.get("SENDBLUE_API_BASE_URL") or DEFAULT_BASE_URL


def check_base_url(base_url: str, *, allow_http: bool, name: str = "base_url") -> str:
    """Check a base URL; return it with its scheme in lower case and without a slash at its end.

    Args:
        base_url: The base URL.
        allow_http: Whether it may be plain http to another machine.
        name: What an error calls it.

    Raises:
        ConfigurationError: If it is no web address, has a user name, password, query or
            fragment, or is plain http to a host that is not loopback while ``allow_http`` is
            false.
    """
    if isinstance(base_url, str) and any(mark in base_url for mark in "@?#"):
        # Not shown, as it may hold a password.
        raise ConfigurationError(f"{name} may have no user name, password, query or fragment.")
    url = _split_url(base_url) if isinstance(base_url, str) and _URL.fullmatch(base_url) else None
    if url is None:
        raise ConfigurationError(
            f"{name} must be a web address such as {DEFAULT_BASE_URL!r}, not {base_url!r}."
        )
    if url.scheme == "http" and not (allow_http or is_loopback(url.hostname or "")):
        raise ConfigurationError(
            f"{name} {base_url!r} is not https, so the keys would travel in the clear; "
            "use https, or pass allow_http=True if that is what you want."
        )
    return url.scheme + base_url[len(url.scheme) :].rstrip("/")


def _split_url(url: str) -> SplitResult | None:
    """Split a URL into its parts, if its host and port are possible."""
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


class Authentication(Protocol):
    """What authenticates a request."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that do."""
        ...


def build_headers(credentials: Authentication, default_headers: Any) -> dict[str, str]:
    """Join the headers of every request: the client's own, the caller's, and the credentials'.

    Raises:
        ConfigurationError: If one of the caller's is no header, or is one the client sets.
    """
    if not isinstance(default_headers, Mapping):
        raise ConfigurationError(
            "default_headers must be a mapping of names to values, "
            f"not {type(default_headers).__name__}."
        )
    own = credentials.headers
    headers = {"user-agent": f"sendblue-async/{__version__}", "accept": "application/json"}
    for name, value in hide(default_headers).items():
        if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
            # Cut, as it may be a whole line.
            shown = repr(name.partition(":")[0] if isinstance(name, str) else name)
            raise ConfigurationError(f"default_headers has {shown}, which is not a header name.")
        if name.lower() in {*own, *KEY_HEADERS, *_FRAMING}:
            raise ConfigurationError(f"default_headers may not set {name}; the client does.")
        if not (isinstance(value, Secret) and _HEADER_VALUE.fullmatch(value.reveal())):
            raise ConfigurationError(
                f"default_headers has a value for {name} that cannot stand in a header."
            )
        headers[name.lower()] = value.reveal()
    return headers | own


def find_header_secrets(default_headers: Mapping[str, str]) -> Iterator[Secret]:
    """Find what of the caller's headers must not be quoted, judging by their names."""
    for name, value in hide(default_headers).items():
        if _SECRET_NAME.search(name):
            yield value
            yield Secret(value.reveal().rpartition(" ")[2])


@frozen
class Proxy:
    """A forward proxy.

    Attributes:
        url: Where it is, without the name and the password to log in with.
        headers: What logs in there; empty if nothing has to.
        secrets: What of that must not be quoted.
    """

    url: str
    headers: dict[str, str]
    secrets: tuple[Secret, ...]

    @classmethod
    def parse(cls, proxy: Secret) -> Proxy:
        """Parse the URL of a proxy, which has been checked."""
        parts = urlsplit(str(proxy.reveal()))
        login, _, host = parts.netloc.rpartition("@")
        url = parts._replace(netloc=host).geturl()
        if not login:
            return cls(url, {}, ())
        # aiohttp would take the login from the URL, and show it in its frames and errors.
        user, _, password = login.partition(":")
        words = f"{unquote(user)}:{unquote(password)}"
        try:
            encoded = words.encode("latin-1")
        except UnicodeEncodeError:
            encoded = words.encode()
        basic = base64.b64encode(encoded).decode()
        secrets = tuple(Secret(word) for word in (login, words, unquote(password), basic))
        return cls(url, {"Proxy-Authorization": Revealed(f"Basic {basic}")}, secrets)


def check_proxy(proxy: str | None) -> Secret | None:
    """Check the URL of a proxy; return it as a secret.

    Raises:
        ConfigurationError: If it is not a URL. It is not shown, as it may hold a password.
    """
    proxy = hide(proxy)
    if proxy is None:
        return None
    if not isinstance(proxy, Secret) or not _is_proxy(proxy):
        socks = "; SOCKS is not supported" if _is_socks(proxy) else ""
        raise ConfigurationError(f"proxy must be a URL such as {_EXAMPLE_PROXY!r}{socks}.")
    return proxy


def _is_proxy(proxy: Secret) -> bool:
    try:
        parts = urlsplit(str(proxy.reveal()))
        return bool(
            _VISIBLE.fullmatch(proxy.reveal())
            and parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
        )
    except ValueError:
        return False


def _is_socks(proxy: object) -> bool:
    return isinstance(proxy, Secret) and proxy.reveal().lower().startswith("socks")


def find_environment_proxy(base_url: str) -> Secret | None:
    """Find the proxy that the environment names for the base URL; never one for this machine.

    Raises:
        ConfigurationError: If it is no proxy that can be used: a request must not go around it.
    """
    url = urlsplit(base_url)
    host = url.hostname or ""
    # NO_PROXY may name a port as well, also the usual one.
    address = f"{host}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"
    if is_loopback(host) or any(map(urllib.request.proxy_bypass, (host, address))):
        return None
    proxies = hide(urllib.request.getproxies())
    scheme = url.scheme if url.scheme in proxies else "all"
    named = proxies.get(scheme)
    if named is None:
        return None
    # Without a scheme it is http, as curl and requests have it.
    proxy = named if "://" in named.reveal() else Secret("http://" + named.reveal())
    if _is_proxy(proxy):
        return proxy
    problem = "names no proxy that can be used"
    if _is_socks(named):
        problem = "names a SOCKS proxy, and SOCKS is not supported"
    raise ConfigurationError(
        f"{_spell_variable(f'{scheme}_proxy', named)} {problem}. Set it to the URL of an HTTP "
        f"proxy, such as {_EXAMPLE_PROXY!r}, or add {host} to NO_PROXY to do without."
    )


def _spell_variable(name: str, value: Secret) -> str:
    """Spell the name of the variable that has this value as the environment does."""
    names = [each for each in os.environ if each.lower() == name and value == os.environ[each]]
    # The one in lower case comes first in urllib.
    return max(names, default="The proxy in the system's settings")


_EXAMPLE_PROXY = "http://proxy.example:3128"


def load_trusted_certificates(base_url: str) -> ssl.SSLContext | bool:
    """Load the certificates to trust: aiohttp's default, or what the environment names now."""
    if base_url.startswith("https") and (
        os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    ):
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
    return True
