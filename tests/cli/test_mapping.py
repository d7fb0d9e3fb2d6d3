"""What `import` says of a file before it sends anything, and what it asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sendblue_async.sandbox import Sandbox

from .program import Done, Run, account, plain, run, started, terminal

# Two columns of mobile numbers that differ.
DOUBTFUL = "Mobile,Handy,Name\n+12015550101,+12015550102,Ada King\n"
QUESTION = "Import it as it is? [y/N] "


@pytest.fixture
def environment(home: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    """The environment of somebody with a doubtful file in the home folder."""
    Path(home["HOME"], "people.csv").write_text(DOUBTFUL, encoding="utf-8")
    return home | account(sandbox)


def answered(environment: dict[str, str], keys: bytes, *options: str) -> Done:
    """The import from start to end; these keys are typed when it has asked."""
    with (
        terminal() as (keyboard, screen),
        started(environment, "import", "people.csv", *options, terminal=screen) as program,
    ):
        assert program.stderr is not None
        asked = ""
        while not asked.endswith(QUESTION):
            character = program.stderr.read(1)
            assert character, asked
            asked += character
        os.write(keyboard, keys)
        out, err = program.communicate(timeout=40)
    return plain(Done(program.returncode, out, asked + err))


def test_the_mapping_is_shown(
    home: dict[str, str], sandbox: Sandbox, run_here: Run, tmp_path: Path
) -> None:
    """Each column with its field; headers of any script as they are, and what is left over."""
    names = [
        "Имя",
        "携帯電話",
        "Telefon",
        "Land",
        "Büro",
        "\x1b[31m",
        *(f"x{n}" for n in range(12)),
    ]
    text = f"{';'.join(names)}\nАнна;+12015550101;;US;(201) 555-0102;\n"
    Path(home["HOME"], "people.csv").write_text(text, encoding="utf-8")
    done = run_here(home | account(sandbox), "import", "people.csv", "--region", "US")
    assert (done.code, done.err) == (0, "")
    assert done.mapping.splitlines() == [
        "Reading people.csv (utf-8, semicolon, region US):",
        "  number ← 携帯電話, then Telefon",
        "  first_name ← Имя",
        "  country ← Land",
        "  Not used: '\\x1b[31m', x0, x1, x2, x3, x4, x5, x6, x7, x8 and 3 more",
        "  Not used, with numbers in it: Büro",
    ]


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        (",", "comma"),
        (";", "semicolon"),
        ("\t", "tab"),
        ("|", "pipe"),
        ("^", "caret"),
        ("~", "tilde"),
    ],
)
def test_the_delimiter_is_shown_as_the_option_takes_it(
    home: dict[str, str], run_here: Run, sign: str, name: str
) -> None:
    """Whichever it is, by its name."""
    Path(home["HOME"], "people.csv").write_text(f"number{sign}name\n+12015550101{sign}Ada\n")
    for options in ([], ["--delimiter", name]):
        done = run_here(home, "import", "people.csv", "--sandbox", *options)
        assert done.code == 0
        assert done.mapping.startswith(f"Reading people.csv (utf-8, {name}, no region):\n")


def test_an_old_terminal_gets_an_arrow_of_its_own(environment: dict[str, str]) -> None:
    """What it cannot show is not sent to it."""
    done = run(environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
               "import", "people.csv", "--yes", "--sandbox")  # fmt: skip
    assert "  number <- Mobile, then Handy\n" in done.mapping


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_without_a_terminal_a_doubt_is_an_error(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run, options: list[str]
) -> None:
    """It names the options that settle it, and nothing is sent; both of them do."""
    done = run_here(environment, "import", "people.csv", *options)
    assert done.code == 2
    assert done.err == (
        "'Mobile' and 'Handy' may both hold the number to use, and differ in 1 of the first 1 "
        "rows; the first one is used. Say which one is with --map 'Handy'=number. If the file is "
        "read right as it is, go ahead with --yes.\n"
    )
    assert "number ← Mobile, then Handy" in done.mapping
    assert not sandbox.requests
    assert run_here(environment, "import", "people.csv", "--yes", *options).code == 0
    assert list(sandbox.contacts) == ([] if options else ["+12015550101"])


def test_an_option_settles_a_doubt(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """Nobody is asked any more."""
    done = run_here(environment, "import", "people.csv", "--map", "Handy=number")
    assert (done.code, done.err, list(sandbox.contacts)) == (0, "", ["+12015550102"])


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [(b"y\n", 0, ""), (b"n\n", 2, "Nothing was sent.\n"), (b"\x03", 130, "")],
)
def test_a_terminal_is_asked_once(
    environment: dict[str, str], sandbox: Sandbox, keys: bytes, code: int, said: str
) -> None:
    """A yes imports, anything else sends nothing, and Ctrl-C ends the program."""
    done = answered(environment, keys)
    assert done.code == code
    assert done.err.count("may both hold the number to use") == 1
    assert done.err.partition(QUESTION)[2].lstrip("\n") == said
    assert list(sandbox.contacts) == (["+12015550101"] if code == 0 else [])


def test_what_was_settled_is_not_asked_again(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """A resumed import goes on with what was shown when it began."""
    wrong = environment | {"SENDBLUE_API_SECRET": "wrong"}
    assert run_here(wrong, "import", "people.csv", "--yes").code == 1
    done = run_here(environment, "import", "people.csv", "--resume")
    assert (done.code, done.err, list(sandbox.contacts)) == (0, "", ["+12015550101"])


def test_the_journal_of_another_file_settles_nothing(
    environment: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """The nightly line has --resume, and the columns of tonight's file may be new."""
    path = Path(environment["HOME"], "people.csv")
    doubtful = path.read_bytes()
    path.write_text("number\n+12015550109\n")
    assert run_here(environment, "import", "people.csv", "--resume").code == 0
    path.write_bytes(doubtful)
    done = run_here(environment, "import", "people.csv", "--resume")
    assert (done.code, list(sandbox.contacts)) == (2, ["+12015550109"])
    assert "may both hold the number to use" in done.err
