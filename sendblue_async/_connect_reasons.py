"""Say in plain words why no connection was made: by an error's type and number, not its text."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import traceback
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ._redaction import find_chain
from ._wire import format_seconds

_SYSTEM = {
    errno.EACCES: "not permitted",
    errno.EADDRNOTAVAIL: "no local address available",
    errno.ECONNABORTED: "connection closed",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.EMFILE: "too many open files",
    errno.ENETDOWN: "network down",
    errno.ENETUNREACH: "network unreachable",
    errno.ENFILE: "too many open files",
    errno.EPERM: "not permitted",
    errno.EPIPE: "connection closed",
    errno.ETIMEDOUT: "timed out",
}
_NAME_NOT_FOUND = "name not found"
_NAMES = {socket.EAI_AGAIN: f"{_NAME_NOT_FOUND}, as no name server answered"}
# X509_V_ERR_… of OpenSSL.
_CERTIFICATES = {
    2: "certificate of an unknown authority",
    9: "certificate not valid yet",
    10: "certificate expired",
    18: "self-signed certificate",
    19: "self-signed certificate in the chain",
    20: "certificate of an unknown authority",
    21: "certificate of an unknown authority",
    23: "certificate revoked",
    62: "certificate for another host name",
    64: "certificate for another address",
}
_NO_TLS = ("HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER")
_NO_COMMON_VERSION = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


def explain_no_connection(
    error: BaseException, base_url: str, proxy: str | None, timeout: float
) -> str:
    """Say what could not be connected to, and why.

    Args:
        error: What aiohttp raised.
        base_url: The URL of the server.
        proxy: The URL of the proxy on the way to it, if there is one.
        timeout: How many seconds connecting was given.
    """
    proxy_name = f"the proxy {_show_address(proxy)}" if proxy else "the proxy"
    by_way = f", by way of {proxy_name}" if proxy else ""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        reason = f"{proxy_name} refused the tunnel with status {error.status}"
    elif isinstance(error, aiohttp.ClientResponseError):
        # Before a request is sent, only a proxy that is asked for a tunnel answers.
        reason = f"{proxy_name} gave an answer that is not HTTP"
    elif isinstance(error, asyncio.TimeoutError):
        what = "TLS handshake timed out" if _was_in_handshake(error) else "timed out"
        reason = f"{what} after {format_seconds(timeout)}{by_way}"
    elif _is_about_proxy(error, base_url):
        reason = f"cannot reach {proxy_name}: {_find_reason(error)}"
    else:
        reason = f"{_find_reason(error)}{by_way}"
    return f"cannot connect to {_show_address(base_url)}: {reason}"


def _is_about_proxy(error: BaseException, base_url: str) -> bool:
    """Whether it was a proxy that could not be connected to, and not the server.

    Only some of aiohttp's errors about a proxy have a class of their own; all have its address.
    """
    if not isinstance(error, aiohttp.ClientConnectorError):
        return False
    server = URL(base_url, encoded=True)
    return isinstance(error, aiohttp.ClientProxyConnectionError) or (error.host, error.port) != (
        server.raw_host,
        server.port,
    )


def _show_address(url: str) -> str:
    """Show the host and the port of a URL, without its user name and password."""
    parts = urlsplit(url)
    host = re.sub(":[0-9]*$", "", parts.netloc.rpartition("@")[2])
    return f"{host}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"


def _find_reason(error: BaseException) -> str:
    looking_up = False
    while isinstance(error, aiohttp.ClientConnectorError):
        looking_up = looking_up or isinstance(error, aiohttp.ClientConnectorDNSError)
        error = error.os_error
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return "certificate with another fingerprint than the one given"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _CERTIFICATES.get(getattr(error, "verify_code", 0), "certificate not acceptable")
        return reason + _explain_missing_authorities()
    if isinstance(error, ssl.SSLError):
        if error.reason in _NO_TLS:
            return "it does not speak TLS"
        if error.reason in _NO_COMMON_VERSION:
            return "no version of TLS in common"
        return f"TLS failed ({error.reason})" if error.reason else "TLS failed"
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return _SYSTEM[error.errno]
    if looking_up or isinstance(error, socket.gaierror):
        number = error.errno if isinstance(error, OSError) else None
        return _NAMES.get(number or 0, _NAME_NOT_FOUND)
    if isinstance(error, OSError) and error.errno is not None:
        return _SYSTEM.get(error.errno, f"system error {errno.errorcode.get(error.errno, '?')}")
    if isinstance(error, (ConnectionError, aiohttp.ServerDisconnectedError)):
        return "connection closed"
    if type(error) is OSError:
        # That is how several errors are reported, one for each address of the host.
        return "none of its addresses answers"
    return type(error).__name__


def _explain_missing_authorities() -> str:
    """Say which variable names no certificates: OpenSSL goes by what is left, without a word."""
    for name, exists in (("SSL_CERT_FILE", os.path.isfile), ("SSL_CERT_DIR", os.path.isdir)):
        path = os.environ.get(name)
        if path and not exists(path):
            return f", and {name} names what does not exist"
    return ""


def _was_in_handshake(error: BaseException) -> bool:
    """Whether time ran out in the TLS handshake: the connection itself stood already.

    Only the frames of its traceback show that: the socket is connected before ``asyncio`` makes
    it a connection.
    """
    names = {
        frame.f_code.co_name
        for link in find_chain(error)
        for frame, _ in traceback.walk_tb(link.__traceback__)
    }
    return not names.isdisjoint({"create_connection", "start_tls"})
