"""How far an import is: frames of the bar at each width of a terminal, and lines elsewhere."""

from __future__ import annotations

import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from sendblue_async.batch import ImportProgress
from sendblue_async.cli import _progress
from sendblue_async.cli._progress_line import ProgressLine
from sendblue_async.sandbox import Faults, Sandbox

from .program import account, client_of, shown_on_terminal

ROWS = 70
UTF_8 = {"LC_ALL": "C.UTF-8"}
# By what stands in for each: columns and variables of a terminal.
TERMINALS: dict[str, tuple[int, dict[str, str]]] = {
    "40 columns": (40, UTF_8),
    "80 columns": (80, UTF_8),
    "200 columns": (200, UTF_8),
    "no colour": (80, UTF_8 | {"NO_COLOR": "1"}),
    "C locale": (80, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "dumb": (80, UTF_8 | {"TERM": "dumb"}),
}


def written(home: dict[str, str], count: int) -> Path:
    """A file of so many contacts."""
    path = Path(home["HOME"], "people.csv")
    path.write_text("number\n" + "".join(f"+{14155551000 + i}\n" for i in range(count)))
    return path


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What each terminal got of an import that takes some eight seconds; all run side by side."""

    # Threads that all make their first one get in each other's way.
    folders = {name: tmp_path_factory.mktemp("home") for name in TERMINALS}

    def show(name: str) -> bytes:
        columns, variables = TERMINALS[name]
        folder = folders[name]
        home = {"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"}
        kept = {key: each for key, each in os.environ.items() if key.startswith("COVERAGE")}
        path = written(home, ROWS)
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(Sandbox()) as sandbox,
        ):
            code, shown = shown_on_terminal(
                kept | home | account(sandbox) | variables,
                *("import", str(path), "--rate", "8", "--concurrency", "4"),
                columns=columns,
            )
        assert code == 0, shown
        return shown

    with ThreadPoolExecutor(len(TERMINALS)) as pool:
        return dict(zip(TERMINALS, pool.map(show, TERMINALS), strict=True))


def frames(screen: bytes) -> list[str]:
    """What stood on the line of the bar, one after another, without colours."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    return [line for line in lines if f"/{ROWS}" in line]


@pytest.mark.parametrize("name", ["40 columns", "80 columns", "200 columns", "no colour"])
def test_a_frame_fits_and_has_what_matters(screens: dict[str, bytes], name: str) -> None:
    """Counts, percent, speed and what is left; nothing is cut, and nothing is zero."""
    columns, _ = TERMINALS[name]
    shown = frames(screens[name])
    assert max(map(len, shown)) <= columns
    assert all(re.search(rf"\d+/{ROWS}  \d+ %", frame) for frame in shown), shown
    assert not any(re.search(r"\b0 (errors|throttled)|…", frame) for frame in shown)
    # There is an estimate only after some seconds, and then it is near.
    assert "ETA" not in shown[0]
    [first, *_] = [frame for frame in shown if "ETA" in frame]
    parsed = re.search(rf"(\d+)/{ROWS}  \d+ %  (\d+)/s  ETA 0:(\d\d)", first)
    assert parsed, first
    done, speed, left = map(int, parsed.groups())
    assert speed in range(5, 12)
    assert abs(left - (ROWS - done) / 8) <= 4
    assert f"{ROWS}/{ROWS}  100 %" in shown[-1]
    bars = [frame for frame in shown if "━" in frame]
    if columns > 40:
        assert re.match(r"━+─+  \d", bars[len(bars) // 2])
    assert "limit 8/s" in shown[-1]


def test_colours_can_be_turned_off(screens: dict[str, bytes]) -> None:
    """Done and to do then differ in their signs alone."""
    assert re.search(rb"\x1b\[[0-9;]*3[0-9]m", screens["80 columns"])
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", screens["no colour"])


def test_a_terminal_of_ascii_gets_ascii(screens: dict[str, bytes]) -> None:
    """The bar is made of what its encoding has."""
    assert screens["C locale"].isascii()
    assert any(re.match(r"#+-+  \d+/", frame) for frame in frames(screens["C locale"]))


def test_a_dumb_terminal_gets_no_bar(screens: dict[str, bytes]) -> None:
    """Nothing steers it; short imports print their counts alone."""
    assert b"\x1b" not in screens["dumb"]
    assert frames(screens["dumb"]) == []
    assert f"{ROWS} created".encode() in screens["dumb"]


def progress(**changes: Any) -> ImportProgress:
    """How far an import is after 20 seconds, with 6,919 of 20,000 entries ended."""
    known: dict[str, Any] = {
        "entries": 20_000,
        "counts": {"created": 6_900, "rejected": 19},
        "requests_per_second": 700.0,
        "throttled": 3,
        "seconds": 20.0,
    }
    return ImportProgress(**known | changes)


def steady(done: int, speed: float, **changes: Any) -> list[ImportProgress]:
    """An import that has been going on at a steady speed for ten seconds."""
    return [
        progress(
            counts={"created": round(done - speed * (20 - i) / 2)}, seconds=i / 2 + 10, **changes
        )
        for i in range(21)
    ]


TROUBLE = "Cannot connect to api.sendblue.co:443: name not found (4 attempts)"
NO_LIMIT = {"requests_per_second": None, "throttled": 0}
WAITING = {"waiting": True, "trouble": TROUBLE, "gives_up_in": 581.2}
# The steps, the width, and the line then.
LINES: list[tuple[list[ImportProgress], int, str]] = [
    ([progress(checked=False, counts={}, entries=0)], 80, "checking the file"),
    (
        [progress(checked=False, counts={}, entries=6_919, share_read=0.358)],
        80,
        "checking the file  35 %  6,919 read",
    ),
    (
        [progress(checked=False, counts={}, entries=6_919, share_read=0.358)],
        25,
        "checking the file  35 %",
    ),
    (steady(6919, 693, **NO_LIMIT), 40, "6,919/20,000  34 %  693/s  ETA 0:19"),
    (steady(6919, 2, **NO_LIMIT), 80, "6,919/20,000  34 %  2/s  ETA 1:49:01"),
    (
        steady(6919, 693, requests_per_second=700.0, throttled=1234),
        200,
        "6,919/20,000  34 %  693/s  ETA 0:19  1,234 throttled  limit 700/s",
    ),
    (
        steady(6919, 693, requests_per_second=700.0, throttled=1234),
        30,
        "6,919/20,000  34 %  ETA 0:19",
    ),
    (
        [progress(**NO_LIMIT)],
        40,
        "6,919/20,000  34 %  19 errors",
    ),
    ([progress(**NO_LIMIT)], 20, "6,919/20,000  34 %"),
    ([progress(**NO_LIMIT)], 15, "6,919/20,000"),
    (
        [progress(**NO_LIMIT, **WAITING)],
        80,
        "6,919/20,000  34 %  waiting for the server, gives up in 9:42  19 errors",
    ),
    ([progress(**NO_LIMIT, **WAITING)], 42, "6,919/20,000  34 %  waiting for the server"),
    ([progress(**NO_LIMIT, **WAITING)], 40, "6,919/20,000  34 %  waiting  19 errors"),
    (
        [progress(**NO_LIMIT, waiting=True, gives_up_in=4000)],
        64,
        "6,919/20,000  34 %  waiting for the server, gives up in 1:06:40",
    ),
    (
        [*steady(6919, 693), progress(**NO_LIMIT, paused_for=41.2)],
        80,
        "6,919/20,000  34 %  paused by the rate limit, resumes in 0:42  19 errors",
    ),
    ([progress(**NO_LIMIT, paused_for=41.2)], 40, "6,919/20,000  34 %  paused  19 errors"),
    # A fixed rate that is slow for a moment is no pause.
    ([progress(**NO_LIMIT, paused_for=0.9)], 40, "6,919/20,000  34 %  19 errors"),
    ([progress(counts={}, entries=0, **NO_LIMIT)], 40, "0/0  100 %"),
    ([progress(listed=0, counts={}, **NO_LIMIT)], 80, "listing the account"),
    ([progress(listed=12_000, checked=False)], 80, "listing the account  12,000 listed"),
    ([progress(listed=12_000)], 27, "listing the account  12,000"),
    ([progress(listed=12_000)], 18, "listing  12,000"),
    (
        [progress(listed=12_000, **WAITING)],
        80,
        "listing the account  12,000 listed  waiting for the server, gives up in 9:42",
    ),
    ([progress(counts={"created": 19_999}, **NO_LIMIT)], 40, "19,999/20,000  99 %"),
]


@pytest.mark.parametrize(("steps", "width", "line"), LINES)
def test_parts_give_way_by_what_matters(steps: list[ImportProgress], width: int, line: str) -> None:
    """The count stays longest; what is zero or not known is left out."""
    shown = ProgressLine()
    for step in steps:
        shown.update(step)
    assert shown.format(width) == line


def test_there_is_no_estimate_before_the_speed_is_steady() -> None:
    """Neither at once, nor while an import speeds up, nor just after an outage."""
    shown = ProgressLine()

    def is_estimated(*steps: ImportProgress) -> bool:
        for step in steps:
            shown.update(step)
        return "ETA" in shown.format()

    assert not is_estimated(*steady(6919, 693)[:8])
    assert is_estimated(*steady(6919, 693)[8:])
    assert not is_estimated(progress(seconds=31.0, **WAITING))
    assert not is_estimated(*(progress(seconds=32 + i) for i in range(2)))
    shown = ProgressLine()
    assert not is_estimated(
        *(progress(counts={"created": i**3}, seconds=float(i)) for i in range(12))
    )


def test_in_a_pipe_a_line_is_printed_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """One in half a minute, whole however long it is, with what is wrong."""
    with _progress.show_progress() as show:
        for second in range(70):
            show(progress(seconds=float(second), counts={"created": second * 100}, **NO_LIMIT))
        show(progress(seconds=95.0, **NO_LIMIT, **WAITING))
    assert capsys.readouterr().err.splitlines() == [
        "3,000/20,000  15 %  100/s  ETA 2:50",
        "6,000/20,000  30 %  100/s  ETA 2:20",
        f"6,919/20,000  34 %  waiting for the server, gives up in 9:42  19 errors: {TROUBLE}",
    ]


def test_a_pause_is_told(home: dict[str, str], sandbox: Sandbox) -> None:
    """While the server has asked for time, the bar says until when nothing is sent."""
    path = written(home, 3)
    sandbox.faults = Faults(too_many_requests=1.0, retry_after="4")
    arguments = ["import", str(path), "--give-up-after", "6"]
    _, shown = shown_on_terminal(home | account(sandbox), *arguments)
    assert re.search(rb"paused by the rate limit, resumes in 0:0\d", shown)


def test_an_outage_is_told_beside_the_bar(home: dict[str, str]) -> None:
    """To what there is no connection, why, and how long it goes on trying, at 80 columns."""
    path = written(home, 3)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        environment = home | account(f"http://{address}")
        arguments = ["import", str(path), "--give-up-after", "4"]
        code, shown = shown_on_terminal(environment, *arguments)
    said = f"Cannot connect to {address}: connection refused (4 attempts)"
    assert code != 0
    assert said.encode() in shown
    assert re.search(rb"waiting for the server, gives up in 0:0\d", shown)


@pytest.mark.parametrize("dry", [False, True])
def test_the_listing_of_the_account_is_shown(
    home: dict[str, str], sandbox: Sandbox, dry: bool
) -> None:
    """How many contacts were listed so far grows, before anything is sent or planned."""
    environment = home | account(sandbox)
    with client_of(environment) as client:
        for first in range(0, 2_500, 100):
            client.create_contacts_bulk(
                [{"number": f"+{14155550000 + n}"} for n in range(first, first + 100)]
            )
    sandbox.faults = Faults(latency=1.2)
    path = written(home, 1)
    options = ["--update-if-exists", "--only-changes", "--rate", "1000", *["--dry-run"] * dry]
    code, shown = shown_on_terminal(environment, "import", str(path), *options)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert code == 0, text
    listed = [int(each.replace(",", "")) for each in re.findall(r"([\d,]+) listed", text)]
    assert re.search(r"listing the account\s*[\r\n]", text)
    assert 0 < listed[0] < 2_500
    assert listed == sorted(listed)
    assert "1/1  100 %" in text or dry


def test_a_dry_run_has_a_bar(home: dict[str, str]) -> None:
    """A large file is checked in percent, which grow; a dry run needs no account."""
    # So many that the check takes some seconds, as the bar is drawn once a second.
    path = written(home, 200_000)
    code, shown = shown_on_terminal(home, "import", str(path), "--dry-run")
    percent = [int(each) for each in re.findall(rb"checking the file  (\d+) %", shown)]
    assert code == 0, shown[-2000:]
    assert len({*percent}) > 1
    assert percent == sorted(percent)
