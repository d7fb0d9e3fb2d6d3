"""An import of standard input: copied first, known by its content, and stopped at any time."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sendblue_async.sandbox import Sandbox

from .program import PROGRAM, account

CSV = b"number,first_name\n+12015550101,Ada\ncall me,Bob\n"
UTF_16 = CSV.decode().encode("utf-16")
JSON_LINES = b'{"number": "+12015550101", "first_name": "Ada"}\n\n{"number": "call me"}\n'
CARDS = b"BEGIN:VCARD\nFN:Ada\nTEL:+12015550101\nEND:VCARD\nBEGIN:VCARD\nTEL:call me\nEND:VCARD\n"
COPIED = "Reading standard input into a temporary file."


def pipe(
    home: dict[str, str], server: Sandbox, given: bytes, *options: str
) -> subprocess.CompletedProcess[bytes]:
    """Run an import of what comes through a pipe."""
    return subprocess.run(
        [PROGRAM, "import", "-", *options],
        input=given,
        capture_output=True,
        env=home | account(server),
        cwd=home["HOME"],
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (CSV, 3),
        (gzip.compress(CSV), 3),
        (JSON_LINES, 3),
        (CARDS, 5),
        (UTF_16, 3),
    ],
    ids=["CSV", "gzip", "JSON Lines", "vCard", "UTF-16"],
)
def test_a_pipe_is_imported(
    home: dict[str, str], sandbox: Sandbox, given: bytes, line: int
) -> None:
    """Its format is known by its content; what is not kept is said before it is sent."""
    done = pipe(home, sandbox, given)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said.startswith(f"{COPIED} Without --journal, this import cannot be resumed. Without")
    assert [*sandbox.contacts] == ["+12015550101"]
    assert not [*Path(home["HOME"]).glob("*.journal")]
    kept = pipe(home, sandbox, given, "--rejected", "r.csv", "--report", "r.json")
    assert b"Rejected rows are in r.csv." in kept.stdout
    text = Path(home["HOME"], "r.csv").read_text(encoding="utf-8-sig")
    assert f",{line},invalid_number," in text
    report = json.loads(Path(home["HOME"], "r.json").read_text(encoding="utf-8"))
    assert (report["source"], report["path"], report["journal"]) == ("standard input", None, None)


def test_a_pipe_with_a_journal_is_resumed(home: dict[str, str], sandbox: Sandbox) -> None:
    """By its content: nothing is sent twice."""
    for _ in range(2):
        done = pipe(home, sandbox, CSV, "--journal", "j", "--resume")
        assert (done.returncode, len(sandbox.contacts)) == (1, 1)
        assert b"       1 created" in done.stdout
    refused = pipe(home, sandbox, CSV, "--resume")
    assert (refused.returncode, b"ournal" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("given", "words"),
    [(b"", "is empty"), (gzip.compress(CSV)[:-4], "is cut short"), (CSV, "no JSON object")],
    ids=["empty", "cut short", "another format"],
)
def test_a_pipe_that_cannot_be_used_is_refused(
    home: dict[str, str], sandbox: Sandbox, given: bytes, words: str
) -> None:
    """In one sentence, before anything is sent."""
    options = ["--format", "jsonl"] if words == "no JSON object" else []
    done = pipe(home, sandbox, given, *options)
    assert (done.returncode, words in done.stderr.decode()) == (2, True)
    assert not sandbox.contacts


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["import", "dry run"])
@pytest.mark.parametrize("pause", [0.0, 1.0])
def test_a_pipe_that_gives_nothing_can_be_stopped(
    home: dict[str, str], sandbox: Sandbox, pause: float, options: list[str]
) -> None:
    """One Ctrl-C ends the wait, and nothing was sent."""
    with subprocess.Popen(
        [PROGRAM, "import", "-", *options],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home | account(sandbox),
        cwd=home["HOME"],
        text=True,
    ) as program:
        assert program.stderr is not None
        assert program.stderr.readline().startswith(COPIED)
        time.sleep(pause)
        # The line is written a moment before signals are heeded.
        for _ in range(50):
            program.send_signal(signal.SIGINT)
            try:
                program.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
            break
        said = program.stderr.read()
    assert program.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in said
    assert "Fatal" not in said
    assert not sandbox.contacts
