"""What a client works with: its arguments, and the rest from the environment."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from ._access_tokens import AccessTokens
from ._credentials import Credentials
from ._options import (
    Proxy,
    build_headers,
    check_base_url,
    check_proxy,
    find_environment_base_url,
    find_environment_proxy,
    find_header_secrets,
    load_trusted_certificates,
)
from ._redaction import Secret, hide, make_redactor


@frozen(kw_only=True, eq=False)
class Settings:
    """What every request is made with.

    Attributes:
        base_url: Scheme, host and port.
        headers: The headers of every request, with the keys unless there are tokens.
        proxy: The forward proxy, or ``None``.
        ssl: TLS settings, or whether aiohttp's are used.
        account: A name for the server and the account there that shows no key.
        redact: Masks everything secret in what others say.
    """

    base_url: str
    headers: dict[str, str]
    proxy: Proxy | None
    ssl: ssl.SSLContext | bool
    account: str
    redact: Callable[[str], str]


class SettingsSource:
    """The arguments of a client, checked; what is missing is read from the environment later.

    Args:
        credentials: The two keys, a function that finds them, or access tokens.
        base_url: Where the API is, or ``None``.
        allow_http: Whether that may be plain http to another machine.
        default_headers: Headers of the caller's own.
        proxy: URL of a forward proxy, or ``None``.
        ssl_context: TLS settings of the caller's own, or ``None``.
        has_session: Whether there is a session of the caller's own, which has its own settings for
            proxies and certificates.

    Raises:
        ConfigurationError: If something is not usable.
    """

    def __init__(
        self,
        credentials: Credentials | Callable[[], Credentials] | AccessTokens,
        base_url: str | None,
        *,
        allow_http: bool,
        default_headers: Mapping[str, str] | None,
        proxy: str | None,
        ssl_context: ssl.SSLContext | None,
        has_session: bool,
    ) -> None:
        self.base_url = check_base_url(base_url, allow_http=allow_http) if base_url else ""
        self._allow_http = allow_http
        self._credentials = credentials
        self._headers: Any = hide(default_headers or {})
        placeholder = Credentials(Secret(""), Secret(""))
        build_headers(placeholder if callable(credentials) else credentials, self._headers)
        self._proxy = check_proxy(proxy)
        self._ssl = ssl_context
        self._has_session = has_session
        self._resolved: dict[str, Settings] = {}

    def resolve(self) -> Settings:
        """Return the settings: found at the first call, and the same from then on.

        Raises:
            ConfigurationError: If something is not found, or not usable. The next call looks
                again.
        """
        # Without a lock, which a fork could leave taken: of threads that resolve at once, all get
        # what the first one found.
        return self._resolved.get("") or self._resolved.setdefault("", self._resolve())

    def _resolve(self) -> Settings:
        base_url = self.base_url or check_base_url(
            find_environment_base_url(),
            allow_http=self._allow_http,
            name="The base URL in SENDBLUE_API_BASE_URL",
        )
        credentials = self._credentials() if callable(self._credentials) else self._credentials
        proxy_url = self._proxy
        if proxy_url is None and not self._has_session:
            proxy_url = find_environment_proxy(base_url)
        proxy = None if proxy_url is None else Proxy.parse(proxy_url)
        headers = build_headers(credentials, self._headers)
        secrets = [*find_header_secrets(self._headers)]
        if proxy is not None:
            secrets += proxy.secrets
            if base_url.startswith("http:"):
                # There is no tunnel, so that the proxy reads the request itself.
                headers |= proxy.headers
        redact = make_redactor(secrets)
        account = f"{base_url} {credentials.account}".encode()
        return Settings(
            base_url=base_url,
            headers=headers,
            proxy=proxy,
            ssl=self._ssl or (True if self._has_session else load_trusted_certificates(base_url)),
            account=hashlib.blake2b(account, digest_size=16).hexdigest(),
            redact=lambda text: redact(credentials.redact(text)),
        )
