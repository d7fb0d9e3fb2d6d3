"""Every code block of README.md and docs/ runs here as it is printed, against a real sandbox.

A comment right above a block names it: `<!-- output -->` makes a `text` block what the block before
it prints (`...` stands for anything), and a name in `NOT_RUN_HERE` keeps a block from being run.
"""

import doctest
import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient
from sybil import Document
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from sendblue_async.sandbox import Faults, Sandbox

from .rate_limits.redis_server import RedisServer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NOT_RUN_HERE = {
    "install command": "installs this package: .ci/run takes it from the README and runs it",
    "test command": "runs this very suite: .ci/run takes it from the README and runs it",
    "quick test command": "runs most of this very suite",
}


class Block(NamedTuple):
    """One fenced block, with the name the comment above gives it and the output it promises."""

    page: Path
    line: int
    language: str
    name: str
    source: str
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in their order, each output joined to the block it belongs to."""
    document = Document(page.read_text(encoding="utf-8"), str(page))
    lexer = RawFencedCodeBlockLexer(re.compile(r" *(?P<language>\S*)[^\n]*\n"))
    last: Block | None = None
    for region in sorted(lexer(document), key=lambda region: region.start):
        above = document.text[: region.start]
        name = re.search(r"<!-- (.+) -->\n[ \t]*\Z", above)
        language, source = region.lexemes["language"], str(region.lexemes["source"])
        block = Block(page, above.count("\n") + 1, language, name[1] if name else "", source)
        if last and block.language == "text" and block.name == "output":
            last = last._replace(output=block.source)
            continue
        if last:
            yield last
        last = block
    if last:
        yield last


BLOCKS = [block for page in PAGES for block in blocks(page)]


def check_output(promised: str, printed: str) -> None:
    """Compare what a block printed with what the page promises."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output(promised.strip(), printed.strip(), options)
    assert same, f"The page promises:\n{promised}\nbut what came is:\n{printed}"


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """The one account of a reader who tries everything, block after block."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox()) as sandbox,
    ):
        yield sandbox


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The home folder of the reader of a page, who tries its blocks in their order."""

    @functools.cache
    def home(page: str) -> Path:
        return tmp_path_factory.mktemp(page)

    return home


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis of a reader who shares a rate limit."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def environment(
    block: Block,
    homes: Callable[[str], Path],
    account: Sandbox,
    request: pytest.FixtureRequest,
) -> dict[str, str]:
    """The environment of somebody whose Sendblue account is a sandbox of their own."""
    inherited = {key: value for key, value in os.environ.items() if "SENDBLUE" not in key}
    programs = Path(sys.executable).parent
    own = {
        "HOME": str(homes(block.page.stem)),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "SENDBLUE_API_KEY": account.api_key,
        "SENDBLUE_API_SECRET": account.api_secret,
        "SENDBLUE_API_BASE_URL": account.base_url,
    }
    if "sendblue_api" in block.source:
        # The official SDK has its own names for the two keys, and the same one for the address.
        own |= {
            "SENDBLUE_API_API_KEY": account.api_key,
            "SENDBLUE_API_API_SECRET": account.api_secret,
        }
    if "REDIS_URL" in block.source:
        own["REDIS_URL"] = request.getfixturevalue("redis_url")
    return inherited | own


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the reader's home folder; its output holds errors in their place."""
    return subprocess.run(
        command,
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=45,
        check=False,
    )


def run_python(block: Block, environment: dict[str, str]) -> None:
    """Run a complete program, with warnings as errors."""
    program = Path(environment["HOME"], "program.py")
    program.write_text(block.source, encoding="utf-8")
    done = run([sys.executable, "-W", "error", str(program)], environment)
    assert done.returncode == 0, done.stdout
    if block.output is not None:
        check_output(block.output, done.stdout)


def run_sh(block: Block, environment: dict[str, str]) -> None:
    """Run a list of commands, none of which may fail."""
    done = run(["sh", "-e", "-c", block.source], environment)
    assert done.returncode == 0, done.stdout
    if block.output is not None:
        check_output(block.output, done.stdout)


def run_console(block: Block, environment: dict[str, str]) -> None:
    """Run each command after a `$`, and compare with what is printed below it."""
    before, *entries = re.split(r"^\$ ", block.source, flags=re.MULTILINE)
    assert not before, "The first line of a console block is a command, after `$ `."
    for entry in entries:
        # A backslash at the end of a line carries the command on.
        command, promised = re.split(r"(?<!\\)\n", entry, maxsplit=1)
        check_output(promised, run(["sh", "-c", command], environment).stdout)


RUN = {"python": run_python, "sh": run_sh, "console": run_console}


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language in RUN and block.name not in NOT_RUN_HERE],
    ids=str,
)
def test_block_does_what_the_page_says(block: Block, environment: dict[str, str]) -> None:
    """A reader who copies the block gets what the page shows."""
    RUN[block.language](block, environment)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block_is_of_a_known_kind(block: Block) -> None:
    """No block escapes for its language: it runs here, is plain text or a Sphinx directive."""
    directive = re.fullmatch(r"\{[\w-]+\}", block.language)
    assert block.language in {*RUN, "text"} or directive, f"Teach {Path(__file__).name} to run it."
    assert block.name in {"", *NOT_RUN_HERE}, f"Nothing knows a block named {block.name!r}."
    assert block.output is None or block.language in {"python", "sh"}, "What prints that output?"


@pytest.mark.parametrize("name", NOT_RUN_HERE)
def test_exception_is_still_needed(name: str) -> None:
    """Each name in NOT_RUN_HERE stands above exactly one block, in the README."""
    assert [block.page.name for block in BLOCKS if block.name == name] == ["README.md"]


def test_a_web_program_waits_no_longer_than_its_user() -> None:
    """Each client of a web backend has ten seconds for a call; the default of 60 suits a job."""
    clients = {
        name: arguments
        for block in BLOCKS
        if re.search(r"^from (fastapi|flask) import", block.source, re.MULTILINE)
        for name, arguments in re.findall(
            r"(\w*SendblueClient)\((.*)\)$", block.source, re.MULTILINE
        )
    }
    ten_seconds = "timeouts=Timeouts(total=10)"
    assert clients == {"SendblueClient": ten_seconds, "SyncSendblueClient": ten_seconds}


def load_program(file: Path) -> dict[str, Any]:
    """Load a program as a module that knows its file, as a server does; return its names."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


WEB_PROGRAMS = {
    framework: block
    for block in BLOCKS
    for framework in re.findall(r"^from (fastapi|flask) import", block.source, re.MULTILINE)
}


@pytest.mark.parametrize(
    ("number", "faults", "answer"),
    [
        ("+14155550123", Faults(), (200, None)),
        ("call me", Faults(), (422, None)),
        ("+14155550123", Faults(too_many_requests=1.0, retry_after="40"), (503, "40")),
        ("+14155550123", Faults(too_many_requests=1.0), (503, None)),
        ("+14155550123", Faults(refusal_in_200=1.0), (502, None)),
    ],
    ids=["stored", "bad number", "throttled", "throttled, no time named", "refused"],
)
@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_a_web_program_answers_errors(
    framework: str,
    number: str,
    faults: Faults,
    answer: tuple[int, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its user learns whether to correct the number or to try again later, and when."""
    file = tmp_path / "signups.py"
    file.write_text(WEB_PROGRAMS[framework].source, encoding="utf-8")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox(faults=faults)) as sandbox,
    ):
        monkeypatch.setenv("SENDBLUE_API_KEY", sandbox.api_key)
        monkeypatch.setenv("SENDBLUE_API_SECRET", sandbox.api_secret)
        monkeypatch.setenv("SENDBLUE_API_BASE_URL", sandbox.base_url)
        program = load_program(file)
        signup = {"number": number, "name": "Ada"}
        if framework == "fastapi":
            with TestClient(program["app"], raise_server_exceptions=False) as browser:
                got: Any = browser.post("/signups", params=signup)
        else:
            got = program["app"].test_client().post("/signups", data=signup)
            program["sendblue"].close()
    assert (got.status_code, got.headers.get("Retry-After")) == answer
