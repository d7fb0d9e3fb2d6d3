"""The command `list`: what it asks for, and how people and programs get to see it."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sendblue_async.sandbox import Sandbox

from .program import (
    HOSTILE,
    NUMBER,
    OTHER,
    Run,
    account,
    answering,
    client_of,
    one_document,
    run,
    shown_on_terminal,
    started,
)

VISIBLE = (
    r"\x1b[31m\x1b]0;title\x07[red]x[/red] [link=a]\u202e\x9b2J\r\x08 :smile: Zoë 日本語 עברית 😀"
)
ADA = {
    "phone": NUMBER,
    "first_name": "Ada",
    "last_name": "Byron King",
    "company_name": "Analytical Engines Ltd.",
    "tags": ["vip", "lead"],
    "created_at": "2026-01-31T12:30:59+02:00",
    "opt_out": True,
}
JUN = {
    "phone": "+4915112345678",
    "first_name": "日本語",
    "created_at": "2026-02-01T00:00:00Z",
    "opt_out": False,
}
NOBODY = {"phone": OTHER}


MORE = "There are more contacts; --offset {} shows the next, --all lists every one.\n"


def documents(text: str) -> list[Any]:
    """The JSON documents, each on a line of its own."""
    return [json.loads(line) for line in text.splitlines()]


def many(amount: int) -> list[dict[str, Any]]:
    """Contacts created one second after the other, with names that fill a pipe."""
    first = datetime(2026, 1, 31, tzinfo=timezone.utc)
    return [
        {
            "phone": f"+1415{index:07}",
            "first_name": "Ada" * 40,
            "created_at": (first + timedelta(seconds=index)).isoformat(),
        }
        for index in range(amount)
    ]


def bulk_created(environment: dict[str, str], amount: int) -> list[str]:
    """The numbers of so many new contacts of an account, in their order."""
    contacts = many(amount)
    with client_of(environment) as client:
        client.create_contacts_bulk(
            {"number": contact["phone"], "first_name": contact["first_name"]}
            for contact in contacts
        )
    return [contact["phone"] for contact in contacts]


def test_list_is_a_table_for_people(home: dict[str, str]) -> None:
    """A line for each contact, under titles; times are in UTC, and what is not known is blank."""
    with answering([ADA, JUN, NOBODY]) as base_url:
        done = run(home | account(base_url), "list")
    assert done == (
        0,
        "PHONE           NAME            COMPANY                  TAGS       "
        "CREATED (UTC)     OPTED OUT\n"
        "+14155550123    Ada Byron King  Analytical Engines Ltd.  vip, lead  "
        "2026-01-31 10:30  yes\n"
        "+4915112345678  日本語                                              "
        "2026-02-01 00:00  no\n"
        "+14155550199\n",
        "",
    )


def test_a_long_table_is_cut_nowhere_unless_a_terminal_has_an_end(home: dict[str, str]) -> None:
    """In a pipe a line may be of any length; a terminal gets all of it in lines that fit."""
    name = "Ada " * 100 + "end"
    contact = ADA | {"first_name": name, "tags": ["t" * 100]}
    with answering([contact]) as base_url:
        done = run(home | account(base_url) | {"COLUMNS": "60", "FORCE_COLOR": "1"}, "list")
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert f"{name} Byron King  Analytical Engines Ltd.  {'t' * 100}  " in done.out
    with answering([contact]) as base_url:
        code, shown = shown_on_terminal(home | account(base_url), "list", columns=100)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).splitlines()]
    assert code == 0
    assert max(map(len, lines)) <= 100
    assert sum(line.count("Ada") for line in lines) == 100
    assert sum(len(word) for line in lines for word in re.findall(r"\bt+\b", line)) == 100
    assert re.match(rf"{re.escape(NUMBER)}  .*  2026-01-31 10:30  yes$", lines[1])


@pytest.mark.parametrize("options", [[], ["--all"]], ids=str)
def test_no_contacts_is_an_answer(
    home: dict[str, str], sandbox: Sandbox, options: list[str], run_here: Run
) -> None:
    """Without any contact people are told so beside the output, and programs get nothing."""
    assert run_here(home | account(sandbox), "list", *options) == (0, "", "No contacts.\n")
    assert run_here(home | account(sandbox), "list", *options, "--json") == (0, "", "")


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ("", {"limit": "101"}),
        (
            "--limit 7 --offset 3 --order-by phone --order asc",
            {"limit": "8", "offset": "3", "order_by": "phone", "order_direction": "asc"},
        ),
        ("--order-by last_name", {"limit": "101", "order_by": "lastName"}),
        ("--order-by firstName", {"limit": "101", "order_by": "firstName"}),
        ("--limit 1000 --order desc", {"limit": "1000", "order_direction": "desc"}),
        (
            "--since 2026-01-31T10:30:00.5+02:00",
            {"limit": "101", "created_at_gte": "2026-01-31T08:30:00.500000Z"},
        ),
        ("--since 2026-01-31", {"limit": "101", "created_at_gte": "2026-01-31T00:00:00Z"}),
        (
            "--all --since 2026-01-31T10:30",
            {
                "limit": "1000",
                "offset": "0",
                "order_by": "created_at",
                "order_direction": "asc",
                "created_at_gte": "2026-01-31T10:30:00Z",
            },
        ),
    ],
)
def test_options_arrive_at_the_server(
    home: dict[str, str], sandbox: Sandbox, options: str, query: dict[str, str], run_here: Run
) -> None:
    """Each option is what the server is asked for; a time without an offset is in UTC."""
    done = run_here(home | account(sandbox), "list", *options.split(), "--json")
    assert done == (0, "", "")
    [request] = sandbox.requests
    assert dict(parse_qsl(request.path.partition("?")[2])) == query


@pytest.mark.parametrize("name", ["tags", "created", "First_Name", ""])
def test_a_list_is_sorted_by_what_the_service_knows(
    home: dict[str, str], sandbox: Sandbox, name: str, run_here: Run
) -> None:
    """Another field than the four is refused before anything is sent, and the four are named."""
    done = run_here(home | account(sandbox), "list", "--order-by", name)
    assert (done.code, done.out) == (2, "")
    assert "--order-by" in done.err
    assert "created_at, first_name, last_name or phone" in " ".join(done.err.split())
    assert not sandbox.requests


def test_list_prints_a_page_and_all_prints_the_rest(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """A plain list ends at its limit, newest first; --all goes on to the end, oldest first."""
    environment = home | account(sandbox)
    numbers = bulk_created(environment, 2001)
    done = run_here(environment, "list", "--limit", "2", "--json")
    assert [contact["phone"] for contact in documents(done.out)] == numbers[:-3:-1]
    assert documents(done.out)[0].items() <= sandbox.contacts[numbers[-1]].items()
    done = run_here(environment, "list")
    assert len(done.out.splitlines()) == 1 + 100
    assert done.err == MORE.format(100)
    assert run_here(environment, "list", "--limit", "1", "--offset", "2000").err == ""
    assert run_here(environment, "list", "--limit", "2", "--offset", "1998").err == MORE.format(
        2000
    )
    may_be = MORE.replace("are", "may be")
    assert run_here(environment, "list", "--limit", "1000").err == may_be.format(1000)
    done = run_here(environment, "list", "--all", "--json")
    assert [contact["phone"] for contact in documents(done.out)] == numbers
    done = run_here(environment, "list", "--all")
    assert [line.split()[0] for line in done.out.splitlines()] == ["PHONE", *numbers]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("in_terminal", [True, False])
def test_a_table_steers_no_terminal(home: dict[str, str], as_json: bool, in_terminal: bool) -> None:
    """What a server sends is text in a list too, its escapes visible to people."""
    contact = {
        "phone": HOSTILE,
        "first_name": HOSTILE,
        "last_name": "half of an emoji: \ud83d",
        "company_name": HOSTILE,
        "tags": [HOSTILE, HOSTILE],
        HOSTILE: HOSTILE,
    }
    options = ["list", *["--json"] * as_json]
    with answering([contact]) as base_url:
        if in_terminal:
            code, out = shown_on_terminal(home | account(base_url), *options, columns=1000)
            text = re.sub(r"\x1b\[[01]m|\r(?=\n)", "", out.decode())
            assert all(char.isprintable() for char in text.replace("\n", "")), ascii(text)
        else:
            code, text, err = run(home | account(base_url), *options)
            assert err == ""
    assert code == 0
    if as_json:
        assert documents(text) == [contact]
    else:
        assert text.count(VISIBLE) == 5
        assert r"half of an emoji: \ud83d" in text


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_a_list_in_ascii_alone(home: dict[str, str], options: list[str]) -> None:
    """Where the output has no room for a character, it is escaped, and columns stay straight."""
    with answering([ADA | {"first_name": "Zoë 😀", "last_name": None}, JUN]) as base_url:
        environment = home | account(base_url) | {"PYTHONIOENCODING": "ascii"}
        done = run(environment, "list", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    if options:
        assert [document["first_name"] for document in documents(done.out)] == ["Zoë 😀", "日本語"]
    else:
        titles, zoe, jun = done.out.splitlines()
        assert r"  Zo\xeb \U0001f600  " in zoe
        assert r"  \u65e5\u672c\u8a9e  " in jun
        assert zoe.index("2026") == jun.index("2026") == titles.index("CREATED")


@contextmanager
def breaking_off(contacts: list[dict[str, Any]], go_on: threading.Event) -> Iterator[str]:
    """The base URL of a server that lists these contacts, and later refuses to list any more."""

    def reply(status: str, document: object) -> None:
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            assert status.startswith("200") or go_on.wait(20)
            connection.sendall(head.encode() + body)

    def serve() -> None:
        reply("200 OK", contacts)
        reply("400 Bad Request", {"status": "ERROR", "message": "That is enough"})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        go_on.set()
        thread.join()


def test_documents_are_printed_as_they_come(home: dict[str, str]) -> None:
    """With --all a program has the contacts of one page before the next page has come."""
    contacts = many(1000)
    go_on = threading.Event()
    with (
        breaking_off(contacts, go_on) as base_url,
        started(home | account(base_url), "list", "--all", "--json") as program,
    ):
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in contacts]
        go_on.set()
        out, err = program.communicate(timeout=20)
    assert [json.loads(line)["phone"] for line in lines] == [each["phone"] for each in contacts]
    assert (program.returncode, err) == (1, "")
    assert "400: That is enough." in one_document(out)["error"]["message"]


def test_a_list_that_fails_half_way_shows_what_it_had(home: dict[str, str], run_here: Run) -> None:
    """People get the contacts that came before the error, then the error, and exit code 1."""
    contacts = many(999)
    go_on = threading.Event()
    go_on.set()
    # The last one stands on the page twice, and is shown once.
    with breaking_off([*contacts, contacts[-1]], go_on) as base_url:
        done = run_here(home | account(base_url), "list", "--all")
    assert done.code == 1
    assert len(done.out.splitlines()) == 1 + 999
    assert re.fullmatch(r".* 400: That is enough\.?\n", done.err)


@pytest.mark.parametrize(
    "options",
    [["--limit=1000", "--json"], ["--limit=1000"], ["--all", "--json"], ["--all"]],
    ids=str,
)
def test_a_reader_that_leaves_a_list_early_is_no_error_to_show(
    home: dict[str, str], sandbox: Sandbox, options: list[str]
) -> None:
    """After the first line nobody reads on, as with `| head -1`: the program ends in silence."""
    environment = home | account(sandbox)
    bulk_created(environment, 1000)
    with started(environment, "list", *options) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait(timeout=40) == 1
