"""Answers as plain values: what is to be said, not how it travels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from attrs import evolve, field, frozen

from ._faults import Faults
from ._schedule import Plan

__all__ = [
    "Answer",
    "add_date",
    "error_answer",
    "fault_answer",
    "json_answer",
    "reason_phrase",
]

_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_V3 = "/v3/"
_PROXY_STATUSES = frozenset({502, 503, 504, *range(520, 527)})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class Answer:
    """A status, a body, and headers besides those that every answer has."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: Mapping[str, str] = field(factory=dict[str, str])


def json_answer(status: int, content: object) -> Answer:
    """An answer in JSON, UTF-8 as it stands wherever that can be written."""
    try:
        body = _encode(content).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8 form; JSON can escape it.
        body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status=status, body=body)


def error_answer(
    status: int, message: str, headers: Mapping[str, str] | None = None, *, path: str = ""
) -> Answer:
    """A refusal in the API's shape: ``{"status": "ERROR", "message": …}``.

    Under ``/v3`` it is ``{"error": {"code": …, "message": …}}``.
    """
    body: dict[str, object] = {"status": "ERROR", "message": message}
    if path.startswith(_V3):
        body = {"error": {"code": HTTPStatus(status).name.lower(), "message": message}}
    return evolve(json_answer(status, body), headers=headers or {})


def _server_error_answer(
    status: int, headers: Mapping[str, str] | None = None, *, path: str
) -> Answer:
    """A 5xx: a proxy's HTML page for 502 to 504 and 520 to 526, the API's JSON otherwise."""
    if status not in _PROXY_STATUSES:
        return error_answer(status, "Internal server error", headers, path=path)
    title = f"{status} {reason_phrase(status)}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status=status, body=page.encode(), content_type=_HTML, headers=headers or {})


def fault_answer(fault: str, plan: Plan, faults: Faults, *, path: str) -> Answer:
    """The answer of a fault, for the faults that answer at all."""
    again = {} if plan.retry_after is None else {"Retry-After": plan.retry_after}
    if fault in ("rate_limit", "too_many_requests"):
        return error_answer(429, "Too many requests", again, path=path)
    if fault == "server_error":
        status = faults.server_error_status
        return _server_error_answer(status, again if status == 503 else None, path=path)
    if fault == "redirect":
        where = {"Location": faults.redirect_to}
        return Answer(status=faults.redirect_status, body=b"", headers=where)
    if fault == "refusal_in_200":
        return json_answer(200, {"status": "ERROR", "message": "Request refused"})
    if fault == "garbage":
        return Answer(status=200, body=b'{"contact": {"phone": "+1')
    if fault == "server_error_after_commit":
        # No Retry-After after a commit: it would promise that nothing was stored.
        return _server_error_answer(faults.server_error_after_commit_status, path=path)
    raise ValueError(f"No answer belongs to the fault {fault}.")


def add_date(answer: Answer, seconds: int) -> Answer:
    """Add the time at which an answer was given, in seconds since the epoch."""
    return evolve(answer, headers={"Date": _http_date(seconds), **answer.headers})


# Thousands of answers are given in one second.
@lru_cache(maxsize=2)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def reason_phrase(status: int) -> str:
    """The words of a status, also of those that only proxies use."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
