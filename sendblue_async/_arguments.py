"""Keyword arguments that do not exist: a ``TypeError`` that says which one was meant."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypedDict, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


class NoOthers(TypedDict):
    """No further keyword arguments: type checkers refuse each, and so do functions that take it."""


# What other libraries call an argument, and what it is here: an argument, and how to give it.
# The first one that there is counts.
_SUGGESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "api_key_id": (("api_key", ""),),
    "key": (("api_key", ""),),
    "key_id": (("api_key", ""),),
    "api_secret_key": (("api_secret", ""),),
    "secret": (("api_secret", ""),),
    "secret_key": (("api_secret", ""),),
    "bearer_token": (("access_token", ""),),
    "token": (("access_token", ""),),
    "api_base": (("base_url", ""),),
    "api_url": (("base_url", ""),),
    "endpoint": (("base_url", ""),),
    "host": (("base_url", ""),),
    "url": (("base_url", ""), ("path", "")),
    "timeout": (("timeouts", "timeouts=Timeouts(total={})"), ("total", "")),
    "connect_timeout": (("timeouts", "timeouts=Timeouts(connect={})"), ("connect", "")),
    "read_timeout": (("timeouts", "timeouts=Timeouts(attempt={})"), ("attempt", "")),
    "read": (("attempt", ""),),
    "attempts": (("retry", "retry=RetryPolicy(attempts={})"),),
    "max_attempts": (("retry", "retry=RetryPolicy(attempts={})"), ("attempts", "")),
    "max_retries": (("retry", "retry=RetryPolicy(attempts=…)"), ("attempts", "")),
    "retries": (("retry", "retry=RetryPolicy(attempts=…)"), ("attempts", "")),
    "retry_policy": (("retry", ""),),
    "backoff": (("retry", "retry=RetryPolicy(base={})"), ("base", "")),
    "backoff_factor": (("retry", "retry=RetryPolicy(base={})"), ("base", "")),
    "max_wait": (("cap", ""),),
    "headers": (("default_headers", ""),),
    "proxies": (("proxy", ""),),
    "ssl_context": (("ssl", ""),),
    "verify": (("ssl", ""),),
    "client": (("session", ""),),
    "http_client": (("session", ""),),
    "callback": (("on_event", ""),),
    "event_hooks": (("on_event", ""),),
    "hooks": (("on_event", ""),),
    "listeners": (("on_event", ""),),
    "pool_size": (("max_connections", ""),),
    "max_concurrency": (("concurrency", ""), ("max_connections", "")),
    "max_workers": (("concurrency", ""), ("max_connections", "")),
    "workers": (("concurrency", ""),),
    "rate": (("rate_limit", ""),),
    "requests_per_second": (("rate_limit", ""),),
    "upsert": (("update_if_exists", ""),),
    "country": (("region", ""),),
    "phone": (("number", ""),),
    "phoneNumber": (("number", ""),),
    "phone_number": (("number", ""),),
    "email": (("assigned_to_email", ""),),
    "company": (("company_name", ""),),
    "body": (("json", ""), ("extra_body", "")),
    "data": (("json", ""),),
    "query": (("params", ""),),
}

NO_COMPANY = (
    "No single create carries a company_name: use create_contacts, create_contacts_bulk or an "
    "import, or update_contact afterwards."
)
"""What to do about a company, which bulk creates and updates carry alone."""
_COMPANY = frozenset({"company", "company_name", "companyName"})


def misspelling_error(function: Callable[..., Any], given: Any, *, name: str = "") -> TypeError:
    """The error for keyword arguments that a function does not have.

    Args:
        function: The function.
        given: The arguments that it does not have, which are taken out: a frame of a traceback
            that shows its locals is not to show a key under a wrong name.
        name: What users call the function; by default its own name.
    """
    known = [
        parameter.name
        for parameter in signature(function).parameters.values()
        if parameter.kind is not Parameter.VAR_KEYWORD and parameter.name != "self"
    ]
    wrong = next(iter(given))
    value = given[wrong]
    given.clear()
    words = f"{name or function.__name__}() has no argument {wrong!r}"
    if wrong in _COMPANY and "company_name" not in known and "first_name" in known:
        return TypeError(f"{words}. {NO_COMPANY}")
    meant = _suggest(wrong, value, known)
    return TypeError(
        f"{words}; did you mean {meant}?" if meant else f"{words}; it takes {', '.join(known)}."
    )


def _suggest(wrong: str, value: object, known: list[str]) -> str | None:
    for argument, words in _SUGGESTIONS.get(wrong, ()):
        if argument in known:
            shown = f"{value}" if type(value) in (int, float) else "…"
            return words.format(shown) or argument
    return next(iter(get_close_matches(wrong, known, 1)), None)


def hide_others(function: _F) -> _F:
    """Hide ``**others`` in the signature, which readers and web frameworks go by."""
    whole = signature(function)
    kept = [each for each in whole.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    function.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]
    return function


def suggest_arguments(cls: type[_T]) -> type[_T]:
    """Have a class suggest the argument that was meant when it is given an unknown one."""
    init = cls.__init__

    @wraps(init)
    def init_or_explain(self: Any, *args: Any, **given: Any) -> None:
        try:
            init(self, *args, **given)
        except TypeError:
            known = signature(init).parameters
            unknown = {name: value for name, value in given.items() if name not in known}
            if not unknown:
                raise
            raise misspelling_error(init, unknown, name=cls.__name__) from None

    cls.__init__ = init_or_explain  # type: ignore[method-assign]
    return cls
