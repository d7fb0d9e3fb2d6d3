"""The checks of this project, as nox sessions: `nox` runs all but the slow, `nox -s lint` one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

# What the sessions of one run share: the built distributions and the coverage data.
SHARED = tempfile.TemporaryDirectory(prefix="sendblue-async-nox-")
DIST = Path(SHARED.name, "dist")


def reach_pyenv_versions() -> None:
    """Make pyenv's shims run all the versions it has, the one now in force staying first."""
    if shutil.which("pyenv") is None:
        return

    def pyenv(*arguments: str) -> list[str]:
        answer = subprocess.run(["pyenv", *arguments], capture_output=True, text=True, check=False)
        return answer.stdout.strip().splitlines()

    installed = [name for name in pyenv("versions", "--bare") if re.fullmatch(r"3\.[\d.]+", name)]
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys(pyenv("version-name") + installed))


def runs(version: str) -> bool:
    """Whether this Python starts; a shim may exist and point nowhere."""
    try:
        return subprocess.run([f"python{version}", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


reach_pyenv_versions()
SUPPORTED = nox.project.python_versions(PROJECT)
FOUND = [version for version in SUPPORTED if runs(version)]
if not FOUND:
    raise SystemExit(f"None of the supported Pythons runs here: {', '.join(SUPPORTED)}.")


def group(name: str) -> list[str]:
    """The requirements of one dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


def built_wheel(session: nox.Session) -> Path:
    """The wheel, made from the sdist and once per run: every session sees the same one."""
    if not DIST.exists():
        session.install(*group("build"))
        session.run("python", "-m", "build", "--outdir", str(DIST))
    [wheel] = DIST.glob("*.whl")
    return wheel


def install_suite(session: nox.Session) -> None:
    """Install the built wheel and what the tests need beside it."""
    wheel = built_wheel(session)
    session.install(f"sendblue-async[cli,redis] @ {wheel.as_uri()}", *group("test"))
    # A reused environment would keep an older build of the same version.
    session.install("--force-reinstall", "--no-deps", str(wheel))


# A file stays on one worker, as what its tests share is started once. They are taken in the
# order of their names; by default those of few tests, however long, would come last.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")


@nox.session(python=FOUND)
def tests(session: nox.Session) -> None:
    """Run the suite against the built wheel; what follows `--` goes to pytest, unmeasured."""
    for version in sorted(set(SUPPORTED) - set(FOUND)):
        session.warn(f"Python {version} does not run here, so nothing is tested on it.")
    install_suite(session)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return

    # The lines run are counted on the oldest Python alone, where that costs least time. They
    # are counted from pytest's first import on, and in every program that the tests start.
    counted = session.python == SUPPORTED[0]
    data = {"COVERAGE_FILE": str(Path(SHARED.name, "coverage"))}
    start = {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")} if counted else {}
    session.run("pytest", *SIDE_BY_SIDE, "--ignore=tests/chaos", env={**data, **start})
    # These keep every core busy themselves, and an answer that is late is a fault to them.
    session.run("pytest", "tests/chaos", env={**data, **start})
    if counted:
        session.run("coverage", "combine", "--quiet", env=data)
        session.run("coverage", "report", env=data)


@nox.session(default=False)
def quick(session: nox.Session) -> None:
    """Run the suite on one Python, without what starts programs and frameworks, or takes long."""
    install_suite(session)
    left_out = ["chaos", "cli", "prism", "sandbox", "sync", "test_documents.py"]
    session.run("pytest", *SIDE_BY_SIDE, *(f"--ignore=tests/{name}" for name in left_out))


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package and of tests/typing, with mypy and with pyright."""
    session.install(".[cli]", *group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into docs/_build, every warning and unresolved name an error."""
    session.install(".[cli]", *group("docs"))
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-E", "docs", "docs/_build")


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel, check what is in them, and use the wheel without its extras."""
    session.install(*group("build"))
    wheel = built_wheel(session)
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))
    check_contents(session, wheel)

    clean = Path(session.create_tmp(), "clean")
    session.run("python", "-m", "venv", "--clear", str(clean))
    scripts = clean / ("Scripts" if os.name == "nt" else "bin")
    python, program = str(scripts / "python"), str(scripts / "sendblue-async")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    session.run(python, "-I", "-W", "error", "-c", "import sendblue_async", external=True)
    said = session.run(program, silent=True, success_codes=[1, 2], external=True)
    if "'.[cli]'" not in said or "Traceback" in said:
        session.error(f"Without its extra the command line must name its extra: {said}")


def check_contents(session: nox.Session, wheel: Path) -> None:
    """Fail unless the wheel holds the files of the package, its metadata and nothing else."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sendblue_async").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    name, version, *_ = wheel.name.split("-")
    metadata = {
        f"{name}-{version}.dist-info/{file}"
        for file in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    contents = set(zipfile.ZipFile(wheel).namelist())
    if "sendblue_async/py.typed" not in contents or contents != package | metadata:
        session.error(f"Missing or unexpected: {sorted(contents ^ (package | metadata))}")


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Change the send path place by place: a test notices, or tests/mutants.md says why none can.

    What follows `--` are names from tests/mutation.toml; by default each module has its turn.
    """
    modules = nox.project.load_toml(ROOT / "tests" / "mutation.toml")["modules"]
    # Changed is a copy, which is also what its tests import.
    copy = Path(session.create_tmp(), "copy")
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("sendblue_async", "tests", "pyproject.toml", "README.md", "LICENSE"):
        copy_of = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy_of(ROOT / name, copy / name)
    session.install("--editable", str(copy), *group("test"), *group("mutation"))
    session.chdir(copy)
    explained = (ROOT / "tests" / "mutants.md").read_text(encoding="utf-8")
    unexplained = [
        change
        for module in session.posargs or modules
        for change in survivors(session, module, modules[module])
        if f"`{change}`" not in explained
    ]
    if unexplained:
        session.error("\n".join(["No test notices, and no reason is given:", *unexplained]))


def survivors(session: nox.Session, module: str, tests: list[str]) -> list[str]:
    """The lines, as changed, that the tests of a module take for right."""
    command = " ".join(["python -m pytest -x -q --hypothesis-seed=0", *tests])
    given = f'module-path = "sendblue_async/{module}.py"\ntest-command = "{command}"'
    table = Path("tests", "mutation.toml").read_text(encoding="utf-8")
    config, results = f"{module}.toml", f"{module}.sqlite"
    Path(config).write_text(table.replace("[cosmic-ray]", f"[cosmic-ray]\n{given}", 1))
    session.run("cosmic-ray", "init", config, results)
    session.run("cr-filter-operators", results, config)
    session.run("cosmic-ray", "baseline", config)
    session.run("cosmic-ray", "exec", config, results)
    outcomes = [
        json.loads(line)[1]
        for line in session.run("cosmic-ray", "dump", results, silent=True).splitlines()
    ]
    tested = [outcome for outcome in outcomes if outcome["worker_outcome"] != "skipped"]
    # A change that could not be tried at all counts as one that nobody noticed.
    lived = [outcome for outcome in tested if outcome["test_outcome"] != "killed"]
    session.log(f"{module}: of {len(tested)} changes, {len(lived)} went unnoticed")
    return [line for outcome in lived for line in changed_lines(outcome["diff"])]


def changed_lines(diff: str) -> list[str]:
    """The lines that a change put in, or those that it took out if it put none in."""
    signs = {sign: re.findall(rf"^\{sign}(?!\{sign}\{sign})(.*)", diff, re.M) for sign in "+-"}
    put_in, taken_out = ([line.strip() for line in signs[sign] if line.strip()] for sign in "+-")
    return put_in or taken_out


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the package beside what a user would pick instead; takes some minutes.

    What follows `--` is a module of benchmarks/ and its arguments; by default each has its turn.
    """
    session.install(".[cli,excel]", *group("bench"))
    chosen = [session.posargs] if session.posargs else [["calls"], ["imports"], ["rate_limits"]]
    for name, *arguments in chosen:
        session.run("python", "-m", f"benchmarks.{name}", *arguments)
