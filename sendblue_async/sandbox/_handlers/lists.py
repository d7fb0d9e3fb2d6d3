"""All contacts: a page of them, and how many there are."""

from __future__ import annotations

from typing import Any

from .._query import read_list_query
from ._context import Call, Handler, HandlerContext

__all__ = ["ROUTES"]


def list_contacts(context: HandlerContext, call: Call) -> list[Any]:
    """The contacts that the query asks for, as a bare array."""
    page = context.store.reads().page(read_list_query(call.query))
    return [context.shown(contact) for contact in page]


def count_contacts(context: HandlerContext, _: Call) -> dict[str, Any]:
    """How many contacts there are."""
    return {"count": len(context.store.reads())}


ROUTES: dict[str, Handler] = {
    "GET /api/v2/contacts": list_contacts,
    "GET /api/v2/contacts/count": count_contacts,
}
