"""What the files around the package say about it, held against what is so."""

import ast
import os
import re
import subprocess
from difflib import get_close_matches
from importlib.metadata import requires
from pathlib import Path

import pytest

import sendblue_async

ROOT = Path(__file__).parents[1]

# Put together here, so that this file does not find itself.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
    ]
]


def read(name: str) -> str:
    """The text of one file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_version_is_the_top_entry_of_the_changelog() -> None:
    """Nobody can release a version the changelog does not describe first."""
    top = re.search(r"^## \[(.+?)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE)
    assert top is not None
    assert sendblue_async.__version__ == top[1]


def test_the_changelog_is_whole() -> None:
    """Its lists have no gaps, its headings stand alone, and no entry comes twice in a version."""
    text = read("CHANGELOG.md")
    assert not re.findall(r"^[- ] .*\n\n(- .*)", text, re.MULTILINE)
    assert not re.findall(r"^.*\S.*\n(#.*)|^(#.*)\n.*\S", text, re.MULTILINE)
    for version in text.split("\n## ")[1:]:
        starts = re.findall(r"^- .{40}", version, re.MULTILINE)
        assert len(starts) == len(set(starts))


def test_contributing_names_exactly_the_nox_sessions() -> None:
    """A contributor finds every session in CONTRIBUTING.md, and none that is gone."""
    sessions = {
        node.name
        for node in ast.parse(read("noxfile.py")).body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert set(re.findall(r"^\| `(\w+)`", read("CONTRIBUTING.md"), re.MULTILINE)) == sessions


def test_contributing_names_what_there_is() -> None:
    """A name in code that is made of several words is one of the package or of its tests."""
    folders = ROOT / "sendblue_async", ROOT / "tests"
    files = [file for folder in folders for file in folder.rglob("*.py")]
    known = {word for file in files for word in re.findall(r"\w+", file.read_text("utf-8"))}
    named = set(re.findall(r"`(\w+_\w+)`", read("CONTRIBUTING.md")))
    assert named
    assert named <= known


def test_each_promise_has_its_tests() -> None:
    """Each promise that users read has tests under its number, and each of these exists."""
    page, listed = read("docs/reliability.md"), read("tests/promises.md")
    promised = re.findall(r"^\| (\d+) \| \*\*(.+?)[.,]?\*\*", page, re.MULTILINE)
    assert promised == re.findall(r"^(\d+)\. (.+)$", listed, re.MULTILINE)
    for promise in re.split(r"^\d+\. ", listed, flags=re.MULTILINE)[1:]:
        named = re.findall(r"^   - `(tests/[\w/]+\.py)::(\w+)`$", promise, re.MULTILINE)
        assert len(named) == len(promise.strip().splitlines()) - 1 > 0
        for file, test in named:
            functions = {getattr(node, "name", None) for node in ast.parse(read(file)).body}
            assert test in functions, f"{file} has no {test}."


def test_the_modules_and_tests_that_the_mutation_run_names_are_there() -> None:
    """A module or a test file that is renamed is renamed there as well."""
    table = read("tests/mutation.toml").partition("[modules]")[2]
    modules, tests = re.findall(r"^(\w+) =", table, re.M), re.findall(r'"([^"]+)"', table)
    assert len(modules) > 5
    paths = [*(f"sendblue_async/{module}.py" for module in modules), *tests]
    assert not [path for path in paths if not (ROOT / path).is_file()]


def test_the_changes_that_no_test_notices_are_changes_of_the_code() -> None:
    """Each change in the list differs little from a line of a module that is changed."""
    modules = re.findall(r"^(\w+) =", read("tests/mutation.toml").partition("[modules]")[2], re.M)
    code = {
        line.strip()
        for module in modules
        for line in read(f"sendblue_async/{module}.py").splitlines()
    }
    listed = read("tests/mutants.md").partition("\n- ")[2].replace("\n  ", " ")
    changes = [change for change in re.findall(r"`([^`]+)`", listed) if len(change) > 5]
    assert len(changes) > 10
    assert not [change for change in changes if not get_close_matches(change, code, 1, 0.8)]


def test_no_typer_is_allowed_that_warns_with_the_newest_click() -> None:
    """Before 0.26, typer uses functions that click 8.5 deprecates."""
    wanted = " ".join(requires("sendblue-async") or ())
    lowest = re.findall(r"\btyper>=(\d+)\.(\d+)", wanted)
    assert [(int(major), int(minor)) >= (0, 26) for major, minor in lowest] == [True]


def test_nox_tests_the_wheel_and_not_the_source_tree() -> None:
    """Under nox, what these tests import is the installed package."""
    imported_from_source = Path(sendblue_async.__file__).parent == ROOT / "sendblue_async"
    assert not (imported_from_source and "NOX_CURRENT_SESSION" in os.environ)


@pytest.mark.parametrize("text", [*REGISTRIES, f"{ROOT.parent}{os.sep}"])
def test_no_tracked_file_names_a_registry_or_a_path_of_this_machine(text: str) -> None:
    """The project builds from whatever registry and folder its user has."""
    search = ["git", "grep", "-nIiF", "-e", text]
    found = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr


def test_what_lies_beside_the_clone_cannot_be_read() -> None:
    """Every test runs on a clone into an empty folder: nothing else is read, not even a listing."""
    with pytest.raises(PermissionError, match="outside the clone"):
        (ROOT.parent / "sample.csv").read_bytes()
    with pytest.raises(PermissionError, match="outside the clone"):
        os.listdir(ROOT.parent)


def test_no_path_leads_out_of_the_clone() -> None:
    """Programs that the tests start are held to it by what stands in the files."""
    listing = ["git", "ls-files", "*.py"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.split():
        for levels in re.findall(r"\bparents\[(\d+)\]", read(name)):
            assert int(levels) < len(Path(name).parts), f"{name} leads out with parents[{levels}]."


def test_no_lock_file_is_tracked() -> None:
    """Lock files name download hosts, and hide from the tests what users get."""
    listing = ["git", "ls-files", "*.lock", "*package-lock.json"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == ""
