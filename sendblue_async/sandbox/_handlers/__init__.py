"""What each endpoint does, by family: a module with its routes, and a line in the table here.

An endpoint that keeps nothing and needs one expression is a line in the table itself.
"""

from __future__ import annotations

from urllib.parse import unquote

from .._answer import Answer, error_answer, json_answer
from .._contact import Refusal
from . import bulk, contacts, lists, verified
from ._context import Call, Handler, HandlerContext

__all__ = ["Call", "Handler", "HandlerContext", "answer_call", "find_handler"]

# By method and path; ``{number}`` stands for one part of a path, which holds a phone number.
_ROUTES: dict[str, Handler] = {
    **contacts.ROUTES,
    **lists.ROUTES,
    **bulk.ROUTES,
    **verified.ROUTES,
}


def _by_path() -> dict[str, dict[str, Handler]]:
    paths: dict[str, dict[str, Handler]] = {}
    for route, handler in _ROUTES.items():
        method, _, path = route.partition(" ")
        paths.setdefault(path, {})[method] = handler
    return paths


_PATHS = _by_path()


def find_handler(method: str, target: str, body: bytes) -> tuple[Handler, Call] | Answer:
    """Find the handler for a request and the call to give it, or the 404 or 405 to answer."""
    path, _, query = target.partition("?")
    methods = _PATHS.get(path, {})
    number = ""
    above, _, last = path.rpartition("/")
    if method not in methods and last:
        # What no fixed path takes goes to a contact, even to one that would be called "bulk".
        methods, number = {**methods, **_PATHS.get(f"{above}/{{number}}", {})}, unquote(last)
    if not methods:
        return error_answer(404, "Not found", path=path)
    handler = methods.get(method)
    if handler is None:
        allow = {"Allow": ", ".join(sorted(methods))}
        return error_answer(405, "Method not allowed", allow, path=path)
    return handler, Call(path=path, phone_number=number, query=query, body=body)


def answer_call(context: HandlerContext, handler: Handler, call: Call) -> Answer:
    """Handle a call; what the rules refuse becomes the answer that says so."""
    try:
        answer = handler(context, call)
    except Refusal as refusal:
        return error_answer(refusal.status, refusal.message, path=call.path)
    return answer if isinstance(answer, Answer) else json_answer(200, answer)
