"""The commands `update` and `count`."""

from __future__ import annotations

import pytest

from sendblue_async.sandbox import Sandbox

from .program import NUMBER, OTHER, Run, account, client_of, one_document

ALL_CHANGES = (
    *("--first-name", "Ada", "--last-name", "", "--company-name", "Analytical Engines Ltd."),
    *("--assigned-to-email", "agent@example.com", "--sendblue-number", "+1 (987) 654-3210"),
    *("--tag", "vip,lead", "--tag", '"a, b"', "--variable", "plan=gold", "--variable", "sum=1=1"),
)
SENT = {
    "first_name": "Ada",
    "last_name": "",
    "company_name": "Analytical Engines Ltd.",
    "assigned_to_email": "agent@example.com",
    "sendblue_number": "+19876543210",
    "tags": ["vip", "lead", "a, b"],
    "custom_variables": {"plan": "gold", "sum": "1=1"},
}
CLEARABLE = ("first_name", "last_name", "company_name", "assigned_to_email", "sendblue_number")


def test_update_sends_what_was_given_and_prints_what_is_stored(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Every option arrives at the server, no other field does, and `get` prints the same."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contact(NUMBER, first_name="Augusta", tags=["old"])
    done = run_here(environment, "update", "+1 (415) 555-0123", *ALL_CHANGES, "--opt-out")
    assert (done.code, done.err) == (0, "")
    request = sandbox.requests[-1]
    assert (request.method, request.json) == ("PUT", SENT | {"opt_out": True})
    lines = dict(line.rstrip().split(maxsplit=1) for line in done.out.splitlines() if line[20:])
    assert (
        lines.items() >= {"phone": NUMBER, "first_name": "Ada", "tags": "vip, lead, a, b"}.items()
    )
    assert lines["opt_out"] == "yes"
    assert run_here(environment, "get", NUMBER) == done
    done = run_here(environment, "update", NUMBER, "--no-opt-out", "--json")
    assert sandbox.requests[-1].json == {"opt_out": False}
    assert one_document(done.out)["contact"].items() >= (SENT | {"opt_out": False}).items()


@pytest.mark.parametrize("fields", [CLEARABLE, ("tags", "custom_variables")], ids=str)
def test_update_clears_fields(
    home: dict[str, str], sandbox: Sandbox, fields: tuple[str, ...], run_here: Run
) -> None:
    """A field to clear is null in the request; it may be given often, and beside other changes."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contact(NUMBER, first_name="Ada", tags=["vip"], custom_variables={"a": "b"})
    clear = [word for field in fields for word in ("--clear", field)]
    done = run_here(environment, "update", NUMBER, *clear, *clear, "--opt-out", "--json")
    assert (done.code, done.err) == (0, "")
    assert sandbox.requests[-1].json == dict.fromkeys(fields) | {"opt_out": True}
    stored = one_document(done.out)["contact"]
    assert not any(stored.get(field) for field in fields)


def test_count_prints_the_number_of_contacts(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """People get a number, and programs a document with it."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contacts_bulk([{"number": NUMBER}, {"number": OTHER}])
    assert run_here(environment, "count") == (0, "2\n", "")
    done = run_here(environment, "count", "--json")
    assert (done.code, one_document(done.out), done.err) == (0, {"count": 2}, "")
