"""All contacts: a page of them, and how many there are."""

from __future__ import annotations

from typing import Any

from .._query import read_list_query
from ._context import Call, Handler, HandlerContext

__all__ = ["ROUTES"]


def list_contacts(context: HandlerContext, call: Call) -> list[Any]:
    """Return the contacts that the query asks for, as a bare array."""
    page = context.store.read_view().page(read_list_query(call.parameters))
    return [context.show(contact) for contact in page]


def count_contacts(context: HandlerContext, _: Call) -> dict[str, Any]:
    """Count the contacts."""
    return {"count": len(context.store.read_view())}


ROUTES: dict[str, Handler] = {
    "GET /api/v2/contacts": list_contacts,
    "GET /api/v2/contacts/count": count_contacts,
}
