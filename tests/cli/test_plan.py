"""The option `--only-changes` of `import`: a plan, and what it counts."""

from __future__ import annotations

import json
from pathlib import Path

from sendblue_async.sandbox import Sandbox

from .program import Run, account, client_of


def written(home: dict[str, str], count: int) -> None:
    """A file of so many contacts in the home folder."""
    rows = [f"+1201555{n:04},Ada,vip" for n in range(count)]
    path = Path(home["HOME"], "people.csv")
    path.write_text("\n".join(["number,first_name,tags", *rows]) + "\n", encoding="utf-8")


def test_a_plan_shows_each_change(home: dict[str, str], sandbox: Sandbox, run_here: Run) -> None:
    """Stored and new value of each field, of ten contacts; the report has all of them."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        client.create_contact("+12015550000", first_name="Ada", tags=["vip"])
        client.create_contact("+12015550001", first_name="Zoë")
    written(home, 13)
    options = ("import", "people.csv", "--update-if-exists", "--only-changes", "--rate", "1000/s")
    done = run_here(environment, *options, "--dry-run", "--report", "plan.json")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[1:4] == [
        "      12 contacts would be sent",
        "      12 requests, if nothing goes wrong",
        "       1 unchanged",
    ]
    assert lines[5:11] == [
        "line 3, …0001",
        '         first_name: "Zoë" -> "Ada"',
        '         tags: none -> ["vip"]',
        "line 4, …0002 new",
        '         first_name: "Ada"',
        '         tags: ["vip"]',
    ]
    assert lines[-1] == "2 more contacts would change; --report FILE has all."
    assert "+1201555" not in done.out
    plan = json.loads(Path(home["HOME"], "plan.json").read_text(encoding="utf-8"))
    assert len(plan["changes"]) == 12
    assert plan["changes"][0]["fields"]["first_name"] == {"stored": "Zoë", "new": "Ada"}
    assert len(sandbox.contacts) == 2

    done = run_here(environment, *options)
    assert (done.code, done.out) == (0, "13 entries\n      12 stored\n       1 unchanged\n")
    assert len(sandbox.contacts) == 13


def test_plain_creates_are_refused(home: dict[str, str], sandbox: Sandbox, run_here: Run) -> None:
    """In the words of the command line, before anything is sent."""
    written(home, 1)
    done = run_here(home | account(sandbox), "import", "people.csv", "--only-changes")
    assert done.code == 2
    assert done.err == (
        "--only-changes needs --update-if-exists: a plain create changes no contact that exists.\n"
    )
    assert not sandbox.contacts
