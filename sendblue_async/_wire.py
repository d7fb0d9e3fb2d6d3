"""Calls and answers as they stand on the wire. No I/O.

A call becomes a method, a path and bytes; a status, headers and bytes become a model, or a
:class:`Failure` with its row of the truth table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from attrs import define, frozen

from ._answer import NO_CONTENT, Reply
from ._converter import encode_json, structure, unstructure
from ._phone_numbers import shows_another
from ._redaction import redact_excerpt, redact_numbers
from ._refusal import (
    Meaning,
    Refusal,
    is_contact_not_found,
    is_refusal,
    read_refusal,
    show_target,
)
from ._request_id import read_request_id
from ._retry import Failure
from ._retry_after import parse_retry_after
from ._retry_rules import RULES, Effect, FailureKind, Rule, rule_for
from ._spellings import spellings
from .exceptions import UnexpectedRedirectError, ValidationError
from .models import Contact, ContactPage, RawResponse, Response, ResponseMeta

T = TypeVar("T")
ResponseT = TypeVar("ResponseT", bound=Response)
T_co = TypeVar("T_co", covariant=True)

_SNIPPET_LENGTH = 200
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PATH = re.compile(r"/(?!/)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_decode = json.JSONDecoder().decode


@define(kw_only=True, slots=False)  # A frozen class takes longer to make.
class Call(Generic[T_co]):
    """One API call.

    Attributes:
        method: The HTTP method.
        path: The path, percent-encoded, from the first slash on.
        effect: What the operation does, which decides whether it may be sent twice.
        read: Makes the answer's model from a JSON document and its meta, or says why that is a
            failure; raises ``TypeError`` for a document that is not the one expected.
        read_not_found: Makes the answer's model from the meta of the API's own 404, or ``None``
            if a 404 is an error.
        body: The JSON document to send, or ``None`` for no body.
        number: The phone number of the one contact that it is about, where there is one.
    """

    method: str
    path: str
    effect: Effect
    read: Callable[[Any, ResponseMeta], T_co | Failure]
    read_not_found: Callable[[ResponseMeta], T_co] | None = None
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
        read_not_found: Makes the answer's model from a 404, as in :class:`Call`.
    """

    method: str
    path: str
    effect: Effect
    read: Callable[[Any, ResponseMeta], T_co | Failure]
    read_not_found: Callable[[ResponseMeta], T_co] | None = None

    def call(
        self,
        body: Any = None,
        *,
        number: str = "",
        query: Mapping[str, Any] | None = None,
        read: Callable[[Any, ResponseMeta], Any] | None = None,
    ) -> Call[T_co]:
        """Make a call of this endpoint.

        Args:
            body: The model or the JSON document to send, or ``None`` for no body.
            number: The phone number of the one contact it is about, in E.164 form; stands in
                the path, if that has ``{number}``.
            query: Query parameters.
            read: Reads the answer in place of the operation's own ``read``.
        """
        path = self.path
        if "{number}" in path:
            path = path.replace("{number}", _quote_segment(number))
        return Call(
            method=self.method,
            path=add_query(path, query) if query else path,
            effect=self.effect,
            read=read or self.read,
            read_not_found=self.read_not_found,
            body=None if body is None else encode_json(unstructure(body), "body"),
            number=number,
        )


def check_method(method: str) -> str:
    """Return the HTTP method, if it is one that a call can have.

    Raises:
        ValidationError: If it is not.
    """
    if method not in _METHODS:
        raise ValidationError(
            f"method must be one of {', '.join(_METHODS)}, not {method!r}.", field="method"
        )
    return method


def add_query(path: str, params: Mapping[str, Any] | None) -> str:
    """Add query parameters to a path, percent-encoded.

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


def strip_query(path: str) -> str:
    """Leave out the query of a path, which can hold anything."""
    return path.partition("?")[0]


def _quote_segment(text: str) -> str:
    """Quote a string as one segment of a path; its ``+`` becomes ``%2B``."""
    return quote(text, safe="")


def make_reader(
    cls: type[ResponseT],
    *,
    may_be_empty: bool = False,
    may_have_no_body: bool = False,
    wrapped: bool = False,
) -> Callable[[Any, ResponseMeta], ResponseT]:
    """Make the ``read`` of a call whose answer is a :class:`~sendblue_async.models.Response`.

    Args:
        cls: The model, a subclass of ``Response``.
        may_be_empty: Whether an object without any key is an answer too.
        may_have_no_body: Whether a status that means "no content" is an answer too.
        wrapped: Whether it is the object under ``data`` in the answer, as is the way of ``/v3``.
    """

    known = frozenset(spellings(cls))

    def read(document: Any, meta: ResponseMeta) -> ResponseT:
        if may_have_no_body and meta.status_code in NO_CONTENT:
            return structure({}, cls, meta=meta)
        if wrapped:
            document = _unwrap(document)
        model = structure(document, cls, meta=meta)
        if known.isdisjoint(document) and not (may_be_empty and not document):
            raise TypeError(f"not the JSON object of a {cls.__name__}")
        return model

    return read


def _unwrap(document: Any) -> Any:
    """Take out what is under ``data``, and add the unknown keys beside it."""
    if type(document) is not dict or type(document.get("data")) is not dict:
        raise TypeError("not a JSON object with an object under data")
    beside = {key: value for key, value in document.items() if key != "data"}
    return beside | document["data"]


def read_page(document: Any, meta: ResponseMeta) -> ContactPage:
    """Read a bare list of contacts."""
    if type(document) is not list:
        raise TypeError("not a JSON array")
    return ContactPage(contacts=tuple([structure(item, Contact) for item in document]), meta=meta)


def read_raw(document: Any, meta: ResponseMeta) -> RawResponse:
    """Read an answer that has no model."""
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
    """Read what the server answered: the model, or why the attempt failed.

    Args:
        call: The call.
        reply: The answer.
        attempts: How many attempts it took.
        elapsed: Seconds since the call began.
        now: Seconds since the epoch.
        redact: Masks the keys in what a failure quotes, should the server have sent them back.
    """
    status = reply.status
    meta = ResponseMeta(
        status_code=status, headers=reply.headers, attempts=attempts, elapsed=elapsed
    )
    if not 200 <= status < 300:
        document = _parse_json_or_none(reply.body)
        if status == 404 and call.read_not_found is not None and is_contact_not_found(document):
            return call.read_not_found(meta)
        return _read_refusal(reply, document, now, redact)
    if reply.fault is not None:
        return _fail_unreadable(reply, redact, reply.fault)
    try:
        document = _parse_json(reply.body)
    except (ValueError, RecursionError):
        if reply.body or not (call.read is read_raw or status in NO_CONTENT):
            return _fail_unreadable(reply, redact)
        document = None
    if _is_about_other_contact(document, call):
        return _fail_unreadable(reply, redact, "is about another contact")
    if type(document) is dict and is_refusal(document.get("status")):
        refusal = read_refusal(status, document, redact)
        message = f"was refused: {refusal.reason}"
        return _fail_refused(reply, redact, RULES[FailureKind.REFUSED], message, refusal)
    try:
        return call.read(document, meta)
    except TypeError:
        return _fail_unreadable(reply, redact)


def _is_about_other_contact(document: Any, call: Call[Any]) -> bool:
    """Whether an answer belongs to another request; for most it takes one comparison."""
    if call.read is read_raw or not (call.number or call.body):
        return False
    if type(document) is dict:
        contact = document.get("contact")
        if type(contact) is dict and contact.get("phone") == call.number:
            return False
    sent = None if call.body is None else _parse_json(call.body)
    return shows_another(document, number=call.number, sent=sent)


def _parse_json(body: bytes) -> Any:
    try:
        return _decode(body.decode())
    except ValueError:
        # Slower, and also takes a byte order mark and UTF-16.
        return json.loads(body)


def _parse_json_or_none(body: bytes) -> Any:
    try:
        return _parse_json(body)
    except (ValueError, RecursionError):
        return None


def _is_page(reply: Reply, hundred: int) -> bool:
    """Whether an answer with such a status is HTML or XML, which the API never sends."""
    return hundred <= reply.status < hundred + 100 and reply.body.lstrip()[:1] == b"<"


def _fail_unreadable(reply: Reply, redact: Callable[[str], str], why: str = "") -> Failure:
    page = "a web page, perhaps of a proxy or a login, and " if _is_page(reply, 200) else ""
    why = why or f"is {page}not the JSON expected"
    return Failure(
        rule=RULES[FailureKind.UNREADABLE],
        message=f"got an answer ({reply.status}) that {why}",
        status=reply.status,
        snippet=make_snippet(reply.body, redact),
        request_id=find_request_id(reply.headers, redact),
    )


def _read_refusal(reply: Reply, document: Any, now: float, redact: Callable[[str], str]) -> Failure:
    """Read an answer whose status is not 2xx."""
    refusal = read_refusal(reply.status, document, redact)
    retry_after = parse_retry_after(reply.headers, now)
    rule = rule_for(reply.status, has_retry_after=retry_after is not None)
    verb, where = "was answered", ""
    if rule.error is UnexpectedRedirectError:
        verb, target = "was redirected", show_target(reply.headers.get("location", ""), redact)
        where = f" to {target}" if target else ""
    page = ", as a web page, perhaps of a proxy or firewall" if _is_page(reply, 400) else ""
    message = f"{verb} with {reply.status}{where}: {refusal.reason}{page}"
    return _fail_refused(reply, redact, rule, message, refusal, retry_after)


def _fail_refused(
    reply: Reply,
    redact: Callable[[str], str],
    rule: Rule,
    message: str,
    refusal: Refusal,
    retry_after: float | None = None,
) -> Failure:
    if refusal.meaning is Meaning.PLAN_LIMIT:
        rule = RULES[FailureKind.PLAN_LIMIT]
    if not rule.uses_retry_after:
        retry_after = None
    if retry_after is not None:
        message += f"; the server asks to wait {format_seconds(retry_after)}"
    return Failure(
        rule=rule,
        message=message,
        status=reply.status,
        retry_after=retry_after,
        snippet=make_snippet(reply.body, redact),
        request_id=find_request_id(reply.headers, redact),
        code=refusal.code,
        meaning=refusal.meaning,
    )


def format_seconds(seconds: float) -> str:
    """Write seconds as people do, to the tenth or, below that, the thousandth: ``"120 s"``."""
    text = f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.3f}"
    return f"{text.rstrip('0').rstrip('.')} s"


def find_request_id(headers: Mapping[str, str], redact: Callable[[str], str]) -> str | None:
    """Find the identifier that the server gave the request, and mask the keys in it."""
    identifier = read_request_id(headers)
    return identifier and redact(identifier)


def make_snippet(body: bytes, redact: Callable[[str], str]) -> str:
    """Quote the first 200 characters of a body, the keys in it masked and phone numbers cut."""
    return redact_excerpt(body, _SNIPPET_LENGTH, redact)
