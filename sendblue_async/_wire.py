"""Calls and answers as they stand on the wire. No I/O.

A call becomes a method, a path and bytes; a status, headers and bytes become a model, or a
:class:`Failure` that says which row of the truth table the attempt ended in.

Over 400 lines because a failure and the error that it becomes are worded in one module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from attrs import evolve, frozen

from ._answer import NO_CONTENT, Reply
from ._converter import encode_json, structure, unstructure
from ._options import DEFAULT_BASE_URL
from ._phone_numbers import shows_another
from ._redaction import Secret, redact_excerpt, redact_numbers, redact_path
from ._refusal import Meaning, is_missing_contact, is_refusal, read_refusal
from ._request_id import request_id
from ._retry import (
    CAPPED,
    RULES,
    Effect,
    FailureKind,
    Rule,
    is_retryable,
    rule_for,
)
from ._retry_after import parse_retry_after
from ._spellings import spellings
from .exceptions import (
    AuthenticationError,
    ConnectError,
    ContactExistsError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    SendblueError,
    TLSError,
    UnexpectedRedirectError,
    ValidationError,
)
from .models import Contact, ContactPage, RawResponse, ResponseMeta

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SNIPPET = 200
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PATH = re.compile(r"/(?!/)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_decode = json.JSONDecoder().decode


@frozen(kw_only=True)
class Failure:
    """Why an attempt did not bring what was asked for; ``was_attempted`` if it came to one at all.

    Nothing in it has a key or a whole phone number.
    """

    rule: Rule
    message: str
    status: int | None = None
    retry_after: float | None = None
    snippet: str | None = None
    cause: BaseException | None = None
    cause_text: str | None = None
    timed_out: bool = False
    was_attempted: bool = True
    refused_token: Secret | None = None
    request_id: str | None = None
    code: str | None = None
    meaning: Meaning | None = None


@frozen(kw_only=True, slots=False)
class Call(Generic[T_co]):
    """One API call.

    Attributes:
        method: The HTTP method.
        path: The path, percent-encoded, from the first slash on.
        effect: What the operation does, which decides whether it may be sent twice.
        read: Makes the answer's model from a JSON document and its meta; raises ``TypeError``
            for a document that is not the one expected.
        read_missing: Makes the answer's model from the meta of the API's own 404, or ``None``
            if a 404 is an error.
        body: The JSON document to send, or ``None`` for no body.
        number: The phone number of the one contact that it is about, where there is one.
    """

    method: str
    path: str
    effect: Effect
    read: Callable[[Any, ResponseMeta], T_co]
    read_missing: Callable[[ResponseMeta], T_co] | None = None
    body: bytes | None = None
    number: str = ""


@frozen(kw_only=True, slots=False)
class Operation(Generic[T_co]):
    """What all calls of one endpoint share.

    Attributes:
        method: The HTTP method.
        path: The path; ``{number}`` in it stands for the contact's phone number.
        effect: What the operation does, which decides whether it may be sent twice.
        read: Makes the answer's model, as in :class:`Call`.
        read_missing: Makes the answer's model from a 404, as in :class:`Call`.
    """

    method: str
    path: str
    effect: Effect
    read: Callable[[Any, ResponseMeta], T_co]
    read_missing: Callable[[ResponseMeta], T_co] | None = None

    def call(
        self, body: Any = None, *, number: str = "", query: Mapping[str, Any] | None = None
    ) -> Call[T_co]:
        """A call of this endpoint.

        Args:
            body: The model or the JSON document to send, or ``None`` for no body.
            number: The phone number of the one contact it is about, in E.164 form; stands in
                the path, where that has a place for it.
            query: Query parameters.
        """
        path = self.path
        if "{number}" in path:
            path = path.replace("{number}", _segment(number))
        return Call(
            method=self.method,
            path=path_with_query(path, query) if query else path,
            effect=self.effect,
            read=self.read,
            read_missing=self.read_missing,
            body=None if body is None else encode_json(unstructure(body), "body"),
            number=number,
        )


def checked_method(method: str) -> str:
    """The HTTP method, if it is one that a call can have.

    Raises:
        ValidationError: If it is not.
    """
    if method not in _METHODS:
        raise ValidationError(
            f"method must be one of {', '.join(_METHODS)}, not {method!r}.", field="method"
        )
    return method


def path_with_query(path: str, params: Mapping[str, Any] | None) -> str:
    """A path with query parameters, percent-encoded.

    Raises:
        ValidationError: If it is not a path of the API, or would name another server.
    """
    if type(path) is not str or not _PATH.fullmatch(path):
        raise ValidationError(
            "path must start with one slash and be percent-encoded, such as "
            f"'/api/v2/contacts', not {redact_numbers(repr(path))}.",
            field="path",
        )
    try:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}" if given else path
    except (AttributeError, TypeError, ValueError) as error:
        raise ValidationError(f"params cannot be sent: {error}.", field="params") from None


def bare_path(path: str) -> str:
    """A path without its query, which can hold anything."""
    return path.partition("?")[0]


def _segment(text: str) -> str:
    """A string as one segment of a path; its ``+`` becomes ``%2B``."""
    return quote(text, safe="")


def reader(
    cls: type[T], *, may_be_empty: bool = False, may_have_no_body: bool = False
) -> Callable[[Any, ResponseMeta], T]:
    """The ``read`` of a call whose answer is a model with an ``extra`` and a ``meta`` field.

    Args:
        cls: The model.
        may_be_empty: Whether an object without any key is an answer too.
        may_have_no_body: Whether a status that means "no content" is an answer too.
    """

    known = frozenset(spellings(cls))

    def read(document: Any, meta: ResponseMeta) -> T:
        if may_have_no_body and meta.status_code in NO_CONTENT:
            return structure({}, cls, meta=meta)
        model = structure(document, cls, meta=meta)
        if known.isdisjoint(document) and not (may_be_empty and not document):
            raise TypeError(f"not the JSON object of a {cls.__name__}")
        return model

    return read


def read_page(document: Any, meta: ResponseMeta) -> ContactPage:
    """The ``read`` of a call that is answered with a bare list of contacts."""
    if type(document) is not list:
        raise TypeError("not a JSON array")
    return ContactPage(contacts=tuple([structure(item, Contact) for item in document]), meta=meta)


def read_raw(document: Any, meta: ResponseMeta) -> RawResponse:
    """The ``read`` of a call that has no model."""
    return RawResponse(data=document, meta=meta)


def read_reply(
    call: Call[T],
    reply: Reply,
    *,
    attempts: int,
    elapsed: float,
    now: float,
    redact: Callable[[str], str],
) -> T | Failure:
    """What an answer says: the model, or how and why the attempt failed.

    Args:
        call: The call.
        reply: The answer.
        attempts: How many attempts it took.
        elapsed: Seconds since the call began.
        now: Seconds since the epoch.
        redact: Masks the keys in what a failure quotes, should the server have sent them back.
    """
    meta = ResponseMeta(
        status_code=reply.status, headers=reply.headers, attempts=attempts, elapsed=elapsed
    )
    if not 200 <= reply.status < 300:
        document = _document_or_none(reply)
        # Another 404, such as a proxy's page, does not tell that the contact is missing.
        if reply.status == 404 and call.read_missing is not None and is_missing_contact(document):
            return call.read_missing(meta)
        return _failed(reply, document, now, redact)
    if reply.fault is not None:
        return _unreadable(reply, redact, reply.fault)
    try:
        document = _document(reply.body)
    except (ValueError, RecursionError):
        if reply.body or not (call.read is read_raw or reply.status in NO_CONTENT):
            return _unreadable(reply, redact)
        document = None
    if _is_about_another(document, call):
        return _unreadable(reply, redact, "is about another contact")
    if type(document) is dict and is_refusal(document.get("status")):
        refusal = read_refusal(reply.status, document, redact)
        return Failure(
            rule=CAPPED if refusal.meaning is Meaning.PLAN_LIMIT else RULES[FailureKind.REFUSED],
            message=f"was refused: {refusal.reason}",
            status=reply.status,
            snippet=snippet(reply.body, redact),
            request_id=shown_request_id(reply.headers, redact),
            code=refusal.code,
            meaning=refusal.meaning,
        )
    try:
        return call.read(document, meta)
    except TypeError:
        return _unreadable(reply, redact)


def _is_about_another(document: Any, call: Call[Any]) -> bool:
    """Whether an answer belongs to another request; for most it takes one comparison."""
    if call.read is read_raw or not (call.number or call.body):
        return False
    if type(document) is dict:
        contact = document.get("contact")
        if type(contact) is dict and contact.get("phone") == call.number:
            return False
    sent = None if call.body is None else _document(call.body)
    return shows_another(document, number=call.number, sent=sent)


def with_last_response(failure: Failure, before: Failure) -> Failure:
    """A failure that came to no attempt, with what is known of the attempt before it."""
    return evolve(
        failure,
        status=before.status,
        snippet=before.snippet,
        cause=before.cause,
        cause_text=before.cause_text,
        request_id=before.request_id,
        code=before.code,
    )


def error_for(
    call: Call[Any],
    failure: Failure,
    *,
    base_url: str,
    attempts: int,
    maybe_applied: bool,
    reached_server: bool,
) -> SendblueError:
    """The error that ends a call.

    Args:
        call: The call.
        failure: How its last attempt failed.
        base_url: Where it was sent.
        attempts: How many attempts were made.
        maybe_applied: Whether any of them may have been applied.
        reached_server: Whether any of them reached the server.
    """
    cls, outcome = failure.rule.error, failure.rule.outcome
    if reached_server and outcome == "not_sent":
        outcome = "rejected"
    if maybe_applied and failure.rule.outcome == "not_sent":
        cls = OutcomeUnknownError
    if maybe_applied:
        outcome = "unknown"
    not_connected = failure.was_attempted and failure.rule.outcome == "not_sent"
    if not_connected and cls is not OutcomeUnknownError:
        message = f"{failure.message[:1].upper()}{failure.message[1:]}"
    else:
        repeated = "could not be repeated: " if not_connected else ""
        message = f"{call.method} {redact_path(bare_path(call.path))} {repeated}{failure.message}"
    if attempts > 1 or not_connected:
        message += f" ({attempts} attempt{'s' if attempts > 1 else ''})"
    message += "."
    return cls(
        " ".join([message, *_advice(call, failure, cls, outcome, base_url)]),
        outcome=outcome,
        method=call.method,
        url=base_url + redact_path(call.path),
        status=failure.status,
        attempts=attempts,
        retry_after=failure.retry_after,
        snippet=failure.snippet,
        cause=failure.cause_text,
        timed_out=failure.timed_out,
        maybe_applied=maybe_applied,
        retryable=is_retryable(failure.rule, call.effect, maybe_applied=maybe_applied),
        request_id=failure.request_id,
        code=failure.code,
    )


def _advice(
    call: Call[Any], failure: Failure, cls: type[SendblueError], outcome: Outcome, base_url: str
) -> list[str]:
    """What there is to do about a failure, in sentences."""
    advice = []
    if failure.meaning is Meaning.PLAN_LIMIT:
        advice.append(_CAPPED)
    elif failure.meaning is Meaning.NO_KEYS:
        other = DEFAULT_BASE_URL if base_url == _OTHER_BASE_URL else _OTHER_BASE_URL
        advice.append(_NO_KEYS.format(other))
    if outcome == "unknown" and call.effect is not Effect.SAFE:
        advice.append(_REPEAT if call.effect is Effect.IDEMPOTENT else _LOOK_FIRST)
    elif cls is ContactExistsError and call.effect is Effect.VERIFIABLE:
        advice.append("Pass update_if_exists=True to update it.")
    elif not advice and cls is AuthenticationError and failure.refused_token is not None:
        advice.append("Check the access token.")
    elif not advice and cls in _ADVICE and (cls is not ConnectError or outcome == "not_sent"):
        advice.append(_ADVICE[cls])
    return advice


_OTHER_BASE_URL = "https://api.sendblue.com"
_NO_KEYS = (
    "The headers with the keys did not arrive: a proxy dropped them, or the host is the wrong "
    "one. Have the proxy let them through, or set base_url (SENDBLUE_API_BASE_URL) to {}."
)
_CAPPED = (
    "This is a cap of the account's plan and no rate limit, so waiting does not help: make room, "
    "or have the plan extended."
)
_LOOK_FIRST = "It may have been done all the same; look before you send it again."
_REPEAT = "It may have been done all the same; to send it again does no harm."
_ADVICE: Mapping[type[SendblueError], str] = {
    AuthenticationError: "Check the API key and secret.",
    ConnectError: "Nothing was sent.",
    PermissionDeniedError: "Check what the account may do.",
    TLSError: "Nothing was sent; check the base URL, the certificates and any proxy.",
    UnexpectedRedirectError: "Redirects are not followed; check the base URL.",
}


def _document(body: bytes) -> Any:
    try:
        return _decode(body.decode())
    except ValueError:
        # Slower, and also takes a byte order mark and UTF-16.
        return json.loads(body)


def _unreadable(
    reply: Reply, redact: Callable[[str], str], why: str = "is not the JSON expected"
) -> Failure:
    return Failure(
        rule=RULES[FailureKind.UNREADABLE],
        message=f"got an answer ({reply.status}) that {why}",
        status=reply.status,
        snippet=snippet(reply.body, redact),
        request_id=shown_request_id(reply.headers, redact),
    )


def _document_or_none(reply: Reply) -> Any:
    """The JSON document of an answer, or ``None`` if it has none that can be read."""
    try:
        return _document(reply.body)
    except (ValueError, RecursionError):
        return None


def _failed(reply: Reply, document: Any, now: float, redact: Callable[[str], str]) -> Failure:
    retry_after = parse_retry_after(reply.headers, now)
    refusal = read_refusal(reply.status, document, redact)
    rule = rule_for(
        reply.status,
        has_retry_after=retry_after is not None,
        is_plan_limit=refusal.meaning is Meaning.PLAN_LIMIT,
    )
    if not rule.uses_retry_after:
        retry_after = None
    verb = "was redirected" if rule.error is UnexpectedRedirectError else "was answered"
    message = f"{verb} with {reply.status}: {refusal.reason}"
    if retry_after is not None:
        message += f"; the server asks to wait {show_seconds(retry_after)}"
    return Failure(
        rule=rule,
        message=message,
        status=reply.status,
        retry_after=retry_after,
        snippet=snippet(reply.body, redact),
        request_id=shown_request_id(reply.headers, redact),
        code=refusal.code,
        meaning=refusal.meaning,
    )


def show_seconds(seconds: float) -> str:
    """Seconds as people write them, to the tenth: ``"120 s"``."""
    return f"{seconds:.1f}".removesuffix(".0") + " s"


def shown_request_id(headers: Mapping[str, str], redact: Callable[[str], str]) -> str | None:
    """The identifier that an answer gives its request, the keys in it masked."""
    identifier = request_id(headers)
    return identifier and redact(identifier)


def snippet(body: bytes, redact: Callable[[str], str]) -> str:
    """The first 200 characters of a body, the keys in it masked and phone numbers cut."""
    return redact_excerpt(body, _SNIPPET, redact)
