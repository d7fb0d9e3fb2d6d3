"""What the command line says, read as its user reads it."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import sendblue_async
from sendblue_async.batch._sources._dialect import DELIMITER_NAMES, DELIMITERS
from sendblue_async.batch._sources._registry import NAMES
from sendblue_async.cli import _mapping
from sendblue_async.cli._terms import translate
from sendblue_async.sandbox import Sandbox

from .program import NUMBER, OTHER, Run, account, client_of, run, started

COMMANDS = ("create", "get", "list", "update", "delete", "count", "export", "import", "sandbox")
PACKAGE = Path(sendblue_async.__file__).parent
PAGES = Path(__file__).parents[2] / "docs"
# What is Python's, or the library's, and not the command line's.
PYTHON = re.compile(
    r"\w+=(?:True|False|None|[{'\"\[])|\b(?:True|False|None|keyword|Python|await)\b|\bargument\b"
    r"|Value error|\[Errno|<\w+|<list|<=x|x>=|range>|\w+\(\)"
)
# Whoever runs a command cannot be told of these: no option gives them.
NO_OPTION = re.compile(
    r"\b(?:access_token|allow_blocking_loop|asyncio|expires_at"
    r"|call it on another thread|faults must be|read\(\) returned|extra_body|on_event|send_options"
    r"|import_options|SyncSendblueClient)|must be True or False"
)


def examples(home: dict[str, str], command: str) -> list[list[str]]:
    """The arguments of each example in the help of a command, up to a pipe."""
    text = run(home, command, "--help").out
    assert text.count("Examples:") == 1, text
    lines = re.findall(r"^ +\$? *sendblue-async (.+)$", text, re.M)
    return [shlex.split(line.partition(" | ")[0]) for line in lines]


def test_what_is_listed_is_all_there_is(home: dict[str, str]) -> None:
    """The help and the page name every delimiter, format and ending that a file may have."""
    help_ = " ".join(run(home, "import", "--help").out.replace("│", " ").split())
    assert f"{DELIMITER_NAMES}. Default: detected." in help_
    assert {sign: name for name, sign in DELIMITERS.items()} == _mapping._DELIMITERS
    (formats,) = re.findall(r"--format NAME (.+?)\. Default: detected", help_)
    assert {*re.findall(r"\w+", formats)} - {"or"} == NAMES.keys() - {"ndjson", "vcf"}
    page = PAGES.joinpath("importing.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\*\*Formats\*\*: (.+?)\n- ", page, re.S)
    signs = ["`|`", "`^`", "`~`", "comma", "semicolon", "tab"]
    assert len(signs) == len(DELIMITERS)
    for each in [*signs, ".jsonl", ".ndjson", ".vcf", ".vcard", ".gz", "workbooks"]:
        assert each in listed
    codes = re.findall(r"^\| ([\d, ]+) \|", page, re.M)
    assert {*", ".join(codes).split(", ")} == {"0", "1", "2", "75", "130", "143", "129"}


def test_one_is_not_plural(home: dict[str, str], run_here: Run) -> None:
    """A file of one contact has one entry."""
    Path(home["HOME"], "people.csv").write_text(f"number\n{NUMBER}\n")
    checked = run_here(home, "import", "people.csv", "--dry-run").out
    assert checked.splitlines()[:3] == [
        "1 entry, read as utf-8",
        "       1 contact would be sent",
        "       1 request, if nothing goes wrong",
    ]
    assert run_here(home, "import", "people.csv", "--sandbox").out.startswith("1 entry\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("list --order up", "'--order': 'up' is not one of 'asc', 'desc'."),
        ("list --limit 1001", "'--limit': It must be a whole number from 1 to 1000, not '1001'."),
        ("list --offset -1", "'--offset': It must be a whole number from 0 to 10000, not '-1'."),
        ("list --limit many", "'--limit': It must be a whole number from 1 to 1000, not 'many'."),
        (
            "import a.csv --give-up-after never",
            "'--give-up-after': It must be a number of seconds above 0, not 'never'.",
        ),
        (
            "import a.csv --concurrency 0",
            "'--concurrency': It must be a whole number of at least 1, not '0'.",
        ),
        ("import a.csv --on-duplicate x", "'--on-duplicate': 'x' is not one of 'merge', 'last'."),
        (f"update {NUMBER} --clear x", "'--clear': 'x' is not one of 'first_name', "),
        ("sandbox --spelling x", "'--spelling': 'x' is not one of 'both', 'snake', 'camel'."),
        ("import ''", "'FILE': It is empty; name a file."),
        ("import a.csv --report ''", "'--report': It is empty; name a file."),
        ("sandbox --db ''", "'--db': It is empty; name a file."),
    ],
)
def test_a_bad_value_is_refused_in_plain_words(
    home: dict[str, str], run_here: Run, command: str, said: str
) -> None:
    """The message names the option and what it takes, and nothing of what checks it."""
    done = run_here(home, *shlex.split(command))
    assert (done.code, done.out) == (2, "")
    assert f"Error: Invalid value for {said}" in done.err


def test_a_setting_that_has_changed_is_named_as_its_option(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """A changed import says so at once, in what can be typed."""
    path = Path(home["HOME"], "people.csv")
    path.write_text(f"number\n{NUMBER}\n")
    environment = home | account(sandbox)
    assert run_here(environment, "import", "people.csv").code == 0
    options = [
        "--all-numbers",
        "--update-if-exists",
        "--region",
        "US",
        "--on-duplicate",
        "last",
    ]
    done = run_here(environment, "import", "people.csv", *options, "--resume")
    assert done.code == 2
    assert done.err == (
        "The import with the journal people.csv.journal was begun with other settings: "
        "--all-numbers was left out and is given now, "
        "--on-duplicate was 'merge' and is 'last' now, "
        "--region was not given and is 'US' now, "
        "--update-if-exists was left out and is given now. "
        "Resume with the former settings, or start over (--start-over).\n"
    )
    other = environment | {"SENDBLUE_API_KEY": "another"}
    done = run_here(other, "import", "people.csv", "--resume")
    assert "settings: the account or the base URL is another one. Resume" in done.err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (f"create {NUMBER} --sandbox --sendblue-number 12", "--sendblue-number"),
        (f"update {NUMBER} --sendblue-number 12", "--sendblue-number"),
        ("import a.csv --sandbox --region Mars", "--region"),
    ],
)
def test_a_refused_value_is_named_by_its_option(
    home: dict[str, str], run_here: Run, command: str, option: str
) -> None:
    """Not by the argument that the library has for it."""
    done = run_here(home, *shlex.split(command))
    assert done.code == 2
    assert done.err.startswith(f"{option} must be ")


def test_a_header_that_is_no_longer_one_is_named_as_its_option(
    home: dict[str, str], sandbox: Sandbox, run_here: Run
) -> None:
    """The option says that there is none, so it is given where the setting is off."""
    path = Path(home["HOME"], "people.csv")
    path.write_text(f"number\n{NUMBER}\n")
    environment = home | account(sandbox)
    without = ["--map", "1=number", "--no-header"]
    for earlier, later, said in (
        ([], without, "left out and is given"),
        (without, [], "given and is left out"),
    ):
        run_here(environment, "import", "people.csv", *earlier)
        done = run_here(environment, "import", "people.csv", *later, "--resume")
        assert done.code == 2
        assert f" --no-header was {said} now. " in done.err
        Path(f"{path}.journal").unlink()


def test_a_file_without_a_contact_takes_no_time(home: dict[str, str], run_here: Run) -> None:
    """A check of it succeeds all the same, whatever it finds."""
    Path(home["HOME"], "people.csv").write_text("number\nnobody\n")
    done = run_here(home, "import", "people.csv", "--dry-run")
    assert done.code == 1
    assert "       0 contacts would be sent" in done.out
    assert "that takes" not in done.out


def test_a_warning_is_a_sentence(home: dict[str, str], sandbox: Sandbox) -> None:
    """Nothing of the code that warns stands beside it."""
    file = Path(home["HOME"], ".sendblue", "credentials.json")
    file.parent.mkdir()
    file.write_text('{"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}')
    file.chmod(0o644)
    environment = home | {"SENDBLUE_API_BASE_URL": sandbox.base_url, "PYTHONWARNINGS": "default"}
    done = run(environment, "count")
    assert done.code == 0
    assert done.err == (
        "~/.sendblue/credentials.json holds your API keys, and other users of this machine can "
        "read it (mode 644). Run: chmod 600 ~/.sendblue/credentials.json\n"
    )


@pytest.mark.parametrize("content", ["{", "", "[]", '"key"'])
def test_keys_that_cannot_be_read_are_said_how_to_mend(
    home: dict[str, str], run_here: Run, content: str
) -> None:
    """The file, what is wrong with it, and what to do."""
    file = Path(home["HOME"], ".sendblue", "credentials.json")
    file.parent.mkdir()
    file.write_text(content)
    file.chmod(0o600)
    done = run_here(home, "count")
    assert done.code == 2
    what = "not a JSON object" if content in ("[]", '"key"') else "not JSON"
    assert done.err == (
        f"~/.sendblue/credentials.json cannot be read ({what}). Mend or delete it, or set "
        "SENDBLUE_API_KEY and SENDBLUE_API_SECRET.\n"
    )


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("a.csv", "--report takes a file of its own; a.csv is the file to import."),
        ("./a.csv", "--report takes a file of its own; a.csv is the file to import."),
        ("link", "--report takes a file of its own; link is a.csv, which is the file to import."),
        (
            "no/x.json",
            "The report cannot be written to no/x.json: No such file or directory. Give --report "
            "a file in a folder that exists and can be written to.",
        ),
    ],
)
def test_a_report_that_cannot_be_is_refused_in_a_sentence(
    home: dict[str, str], run_here: Run, report: str, said: str
) -> None:
    """It says what the file is, or why there can be none."""
    path = Path(home["HOME"], "a.csv")
    path.write_text(f"number\n{NUMBER}\n")
    path.with_name("link").symlink_to(path.name)
    done = run_here(home, "import", "a.csv", "--dry-run", "--report", report)
    assert (done.code, done.err) == (2, f"{said}\n")


def test_help_says_how_to_begin(home: dict[str, str]) -> None:
    """Where the keys come from, a command that needs none, and what exit codes mean."""
    text = run(home, "--help").out
    assert "SENDBLUE_API_KEY and SENDBLUE_API_SECRET" in text
    codes = "0 done, 1 refused or failed, 2 wrong usage, 75 an import to try later, 130 Ctrl-C."
    assert f"Exit codes: {codes}" in " ".join(text.split())
    first = re.search(r"without an account: sendblue-async (.+)$", text, re.MULTILINE)
    assert first
    assert run(home, *shlex.split(first[1])).code == 0


def commands(home: dict[str, str]) -> list[str]:
    """The commands that the program lists."""
    listed = run(home, "--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  (\S+)  ", listed, re.MULTILINE)


def test_help_is_for_people(home: dict[str, str]) -> None:
    """Each begins with what the command does, has an example, fits, and shows nothing of Python."""
    names = commands(home)
    assert {*COMMANDS} <= {*names}
    for name in ["", *names]:
        done = run(home | {"COLUMNS": "80"}, *filter(None, [name]), "--help")
        usage, purpose, *_ = done.out.split("\n\n")
        assert usage.startswith(f"Usage: sendblue-async {name}".rstrip()), usage
        assert "[[" not in usage
        first = re.match(r"  ([A-Z][a-z]+)\b[^.]*[.]", purpose)
        assert first, purpose
        assert not first[1].endswith("s"), purpose
        assert re.search(r"^ +(Try it .*: )?sendblue-async \w", done.out, re.MULTILINE), done.out
        assert [line for line in done.out.splitlines() if len(line) > 80] == []
        assert not PYTHON.search(done.out), PYTHON.search(done.out)
        assert re.findall(r"\b[NX]\b|\bINTEGER\b|\bTEXT\b|\bFLOAT\b", done.out) == []


def spell(part: ast.expr) -> str:
    """A part of an f-string: its text, or what varies, in braces."""
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    return str(part.value) if isinstance(part, ast.Constant) else ""


def messages() -> Iterator[tuple[str, str]]:
    """Where in the package an error is made, and what it says, with a hole for what varies."""

    def read(node: ast.expr) -> list[str]:
        match node:
            case ast.Constant(value=str() as text):
                return [text]
            case ast.JoinedStr(values=values):
                return ["".join(map(spell, values))]
            case ast.IfExp(body=one, orelse=other):
                return [*read(one), *read(other)]
        return []

    # What a program holds in its memory is nothing that a command is given.
    for path in sorted({*PACKAGE.rglob("*.py")} - {PACKAGE / "batch" / "_rows.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            made = ast.unparse(node.func)
            for words in node.args if re.search("(?i)(error|problem)$", made) else ():
                for text in read(words):
                    if " " in text:
                        yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text


def test_no_error_speaks_of_python() -> None:
    """None of the messages that the package can raise, as the command line prints it."""
    found = [*messages()]
    assert len(found) > 100
    wrong = [
        f"{place}: {translate(text)}"
        for place, text in found
        if not NO_OPTION.search(text) and PYTHON.search(translate(re.sub(r"\{.*?\}", "x", text)))
    ]
    assert wrong == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "sandbox"])
def test_examples_in_help_work(home: dict[str, str], sandbox: Sandbox, command: str) -> None:
    """Whoever copies an example, in their order, gets what it is for."""
    if command == "import":
        Path(home["HOME"], "contacts.csv").write_text("Telefon,Name\n+1 (415) 555-0100,Ada\n")
    environment = home | account(sandbox)
    with client_of(environment) as client:
        for number in (NUMBER, OTHER) if command != "create" else ():
            client.create_contact(number)
    for arguments in examples(home, command):
        assert arguments[0] == command
        done = run(environment, *arguments)
        assert done.code == 0, (arguments, done)


def test_examples_of_the_sandbox_serve(home: dict[str, str]) -> None:
    """Each prints the variables that lead a client to it."""
    for arguments in examples(home, "sandbox"):
        with started(home, *arguments, "--port", "0") as program:
            assert program.stdout is not None
            assert program.stdout.readline().startswith("export SENDBLUE_API_BASE_URL=http://")
