"""The dials that make a sandbox misbehave, and how a command line spells them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from attrs import Attribute, field, fields, frozen
from attrs.validators import optional

__all__ = ["Faults"]


def _need_number(dial: Attribute[Any], value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"The fault dial {dial.name} takes a number, not {value!r}.")
    return float(value)


def _check_probability(_: object, dial: Attribute[Any], value: object) -> None:
    if not 0 <= _need_number(dial, value) <= 1:
        raise ValueError(f"The fault dial {dial.name} is a probability from 0 to 1, not {value!r}.")


def _check_seconds(_: object, dial: Attribute[Any], value: object) -> None:
    if _need_number(dial, value) < 0:
        raise ValueError(f"The fault dial {dial.name} is seconds, 0 or more, not {value!r}.")


def _check_rate(_: object, dial: Attribute[Any], value: object) -> None:
    if _need_number(dial, value) <= 0:
        raise ValueError(
            f"The fault dial {dial.name} is requests per second, above 0, not {value!r}."
        )


def _check_burst(_: object, dial: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"The fault dial {dial.name} is a count of 1 or more, not {value!r}.")


def _check_server_status(_: object, dial: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 500 <= value <= 599:
        raise ValueError(f"The fault dial {dial.name} is a status from 500 to 599, not {value!r}.")


def _check_redirect_status(_: object, dial: Attribute[Any], value: object) -> None:
    if value not in (301, 302, 303, 307, 308):
        raise ValueError(
            f"The fault dial {dial.name} is one of 301, 302, 303, 307, 308, not {value!r}."
        )


def _check_header(_: object, dial: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(
            f"The fault dial {dial.name} is one line of text, such as {dial.default or '1'!r}, "
            f"not {value!r}."
        )


def _probability() -> Any:
    return field(default=0.0, validator=_check_probability, metadata={"read": float})


def _seconds(default: float = 0.0) -> Any:
    return field(default=default, validator=_check_seconds, metadata={"read": float})


def _whole(default: int, validator: Any) -> Any:
    return field(default=default, validator=validator, metadata={"read": int})


@frozen(kw_only=True)
class Faults:
    """How a sandbox misbehaves; every dial is off by default.

    Probabilities run from 0 to 1 and are per request. At most one fault replaces an answer: the
    dials are asked in the order in which they stand here, and those that strike before the
    contact is stored come first. ``latency``, ``jitter``, ``slow_bytes`` and ``read_lag`` come on
    top.

    Raises:
        ValueError: a value is outside its range; the message names the dial.
    """

    latency: float = _seconds()
    """Seconds that every request waits before it is looked at."""
    jitter: float = _seconds()
    """Upper bound, in seconds, of a uniform random wait on top of ``latency``."""

    rate_limit: float | None = field(
        default=None, validator=optional(_check_rate), metadata={"read": float}
    )
    """Requests per second; beyond it 429 with ``Retry-After``. One second's worth may burst."""
    rate_limit_window: float = _seconds()
    """Seconds for each of which ``rate_limit`` is counted anew, instead of by a token bucket."""
    too_many_requests: float = _probability()
    """Probability of a 429, without ``Retry-After`` unless ``retry_after`` is set."""
    too_many_requests_burst: int = _whole(1, _check_burst)
    """How many requests in a row get the 429 once ``too_many_requests`` has struck."""
    retry_after: str | None = field(
        default=None, validator=optional(_check_header), metadata={"read": str}
    )
    """Value of ``Retry-After`` on every 429 and on a 503 that stored nothing."""
    reset: float = _probability()
    """Probability of a TCP reset; nothing is stored."""
    server_error: float = _probability()
    """Probability of an answer with ``server_error_status``; nothing is stored."""
    server_error_status: int = _whole(500, _check_server_status)
    """HTML for 502, 503, 504 and 520 to 526, as proxies send it; JSON for the rest."""
    redirect: float = _probability()
    """Probability of a redirect; nothing is stored."""
    redirect_to: str = field(default="/moved", validator=_check_header, metadata={"read": str})
    """The redirect's ``Location``: a path on this origin, or another origin's URL."""
    redirect_status: int = _whole(307, _check_redirect_status)
    """301, 302, 303, 307 or 308."""
    refusal_in_200: float = _probability()
    """Probability of a 200 whose ``status`` is ``ERROR``; nothing is stored."""

    server_error_after_commit: float = _probability()
    """Probability that the request is carried out, and a 5xx answers."""
    server_error_after_commit_status: int = _whole(500, _check_server_status)
    """The status that ``server_error_after_commit`` answers with."""
    drop_after_commit: float = _probability()
    """Probability that the request is carried out, and the connection closes unanswered."""
    short_body: float = _probability()
    """Probability that the request is carried out, and half of the announced body comes."""
    garbage: float = _probability()
    """Probability that the request is carried out, and a 200 comes whose body is not JSON."""
    not_http: float = _probability()
    """Probability that the request is carried out, and the answer is not HTTP."""

    slow_bytes: float = _probability()
    """Probability that the answer's body comes one byte at a time."""
    slow_bytes_interval: float = _seconds(0.01)
    """Seconds between two bytes of a slow body."""

    read_lag: float = _seconds()
    """How many seconds reads (get, list, count) lag behind creates, updates and deletes."""

    @classmethod
    def parse(cls, settings: Iterable[str]) -> Faults:
        """Read dials as a command line gives them: ``["latency=0.05", "reset=0.1"]``.

        A dial given twice takes its last value.

        Raises:
            ValueError: no ``=``, an unknown dial (the message lists the known ones), or a value
                that the dial does not take.
        """
        known = {dial.name: dial for dial in fields(cls)}
        values: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            name = name.strip()
            if not equals or name not in known:
                raise ValueError(
                    f"{setting!r} is not NAME=VALUE with a known fault dial. "
                    f"The dials are: {', '.join(known)}."
                )
            try:
                values[name] = known[name].metadata["read"](text)
            except ValueError:
                kind = "a whole number" if known[name].metadata["read"] is int else "a number"
                raise ValueError(f"The fault dial {name} takes {kind}, not {text!r}.") from None
        return cls(**values)
