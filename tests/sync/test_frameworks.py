"""The blocking client where it is used: gunicorn, uWSGI, Celery and Jupyter, for real."""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jupyter_client.manager import KernelManager, start_new_kernel

from sendblue_async.sandbox import Faults, Sandbox

from ..test_documents import BLOCKS
from .programs import Programs

pytestmark = pytest.mark.timeout(300)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true; fail if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not become true in time."
        time.sleep(0.05)


@contextlib.contextmanager
def running(
    programs: Programs, *arguments: str, command: tuple[str, ...] = (sys.executable, "-m")
) -> Iterator[Path]:
    """A server program's log while it runs; it must end in order when it is told to."""
    log = programs.folder / "log.txt"
    with log.open("w") as output:
        program = subprocess.Popen(
            [*command, *arguments],
            cwd=programs.folder,
            env=programs.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield log
            program.send_signal(signal.SIGTERM)
            assert program.wait(timeout=30) == 0, log.read_text()
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def ended_during_a_call(
    programs: Programs, sandbox: Sandbox, server: list[str], ready: str, work: Callable[[str], Any]
) -> Any:
    """What work returns, if the server is told to end while the sandbox has its request.

    Work gets what the server has said.
    """
    with ThreadPoolExecutor(1) as pool, running(programs, *server) as log:
        until(lambda: ready in log.read_text())
        sandbox.faults = Faults(latency=2)
        before = sandbox.counts["requests"]
        result = pool.submit(work, log.read_text())
        until(lambda: sandbox.counts["requests"] > before)
        assert not result.done()
    return result.result()


@pytest.fixture
def fastapi_app(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The FastAPI program of the docs, imported as a web server does."""
    for name in ("SENDBLUE_API_KEY", "SENDBLUE_API_SECRET", "SENDBLUE_API_BASE_URL"):
        monkeypatch.setenv(name, programs.environment[name])
    [source] = [
        block.source
        for block in BLOCKS
        if block.page.name == "usage.md" and "FastAPI(lifespan=lifespan)" in block.source
    ]
    app: FastAPI = runpy.run_path(str(programs.write("application.py", source)))["app"]
    return app


def sign_up_at(browser: TestClient, number: str) -> None:
    """Sign up at the program of the docs."""
    answer = browser.post("/signups", params={"number": number, "name": "Ada"})
    assert answer.json() == {"stored": number}


def test_the_fastapi_program_of_the_docs_serves_many_lifespans(
    fastapi_app: FastAPI, sandbox: Sandbox
) -> None:
    """Every test of an application may start it anew, as a server's reload does."""
    numbers = [f"+1415555010{n}" for n in range(3)]
    for number in numbers:
        with TestClient(fastapi_app) as browser:
            sign_up_at(browser, number)
    assert [*sandbox.contacts] == numbers


def test_lifespans_of_the_fastapi_program_of_the_docs_may_overlap(
    fastapi_app: FastAPI, sandbox: Sandbox
) -> None:
    """The end of one leaves the client open for the other."""
    with TestClient(fastapi_app) as one:
        sign_up_at(one, "+14155550100")
        with TestClient(fastapi_app) as other:
            sign_up_at(other, "+14155550101")
        sign_up_at(one, "+14155550102")
    assert len(sandbox.contacts) == 3


FLASK_APP = """
import os
import time

from flask import Flask, request

from sendblue_async import SyncSendblueClient

app = Flask(__name__)
client = SyncSendblueClient()
# Used where the application is loaded, which is before gunicorn forks its workers.
client.create_contact("+14155550100")
first_answer = None


@app.post("/signups/<number>")
def sign_up(number):
    global first_answer
    started = time.monotonic()
    phone = client.create_contact(number).contact.phone
    first_answer = first_answer or time.monotonic() - started
    return {"phone": phone, "pid": os.getpid(), "parent": os.getppid(), "seconds": first_answer}
"""


# Any free port, which its log then names.
GUNICORN = ["gunicorn", "--preload", "--bind", "127.0.0.1:0"]


def port_in(log: str) -> int:
    """The port that gunicorn says it listens on."""
    [port] = re.findall(r"Listening at: http://127\.0\.0\.1:(\d+)", log)
    return int(port)


def signed_up(port: int, number: str) -> dict[str, Any]:
    """What the application answers to a sign-up."""
    url = f"http://127.0.0.1:{port}/signups/{number}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


@pytest.mark.parametrize("workers", [["sync"], ["gthread", "--threads", "4"]], ids=" ".join)
def test_gunicorn_workers_share_a_client_used_before_the_fork(
    programs: Programs, sandbox: Sandbox, workers: list[str]
) -> None:
    """With --preload, both workers answer with a client that their parent had used, at once."""
    programs.write("application.py", FLASK_APP)
    options = ["--workers", "2", "--worker-class", *workers]
    with running(programs, *GUNICORN, *options, "application:app") as log:
        until(lambda: log.read_text().count("Booting worker") == 2)
        port = port_in(log.read_text())
        answers: list[dict[str, Any]] = []

        def both_have_answered() -> bool:
            answers.append(signed_up(port, f"+1415556{len(answers):04}"))
            return len({answer["pid"] for answer in answers}) == 2

        until(both_have_answered)
    assert {answer["parent"] for answer in answers} == {answers[0]["parent"]}
    assert max(answer["seconds"] for answer in answers) < 2
    assert {*sandbox.contacts} == {"+14155550100", *(answer["phone"] for answer in answers)}


def signed_up_at_once(port: int, sandbox: Sandbox, concurrency: int) -> list[dict[str, Any]]:
    """What 50 sign-ups are answered, so many at a time, each of which takes half a second."""
    sandbox.faults = Faults(latency=0.5)
    numbers = [f"+1415557{n:04}" for n in range(50)]
    with ThreadPoolExecutor(concurrency) as pool:
        answers = [*pool.map(lambda number: signed_up(port, number), numbers)]
    assert [answer["phone"] for answer in answers] == numbers
    return answers


def test_gunicorn_gevent_workers_answer_many_requests_at_once(
    programs: Programs, sandbox: Sandbox
) -> None:
    """With gevent, one worker makes ten calls at a time on a client that its parent had used."""
    programs.write("application.py", FLASK_APP)
    with running(programs, *GUNICORN, "--worker-class", "gevent", "application:app") as log:
        until(lambda: "Booting worker" in log.read_text())
        started = time.monotonic()
        signed_up_at_once(port_in(log.read_text()), sandbox, 10)
        # One after the other, they take 25 seconds.
        assert time.monotonic() - started < 15


if sys.version_info < (3, 14):
    # It forks without Python's hooks. Without its option for threads, those other than the
    # worker's own run during calls alone, which is when they are needed.
    UWSGI = (str(Path(sys.executable).with_name("uwsgi")),)

    @pytest.mark.parametrize("options", [[], ["--enable-threads", "--threads", "4"]], ids=" ".join)
    def test_uwsgi_workers_share_a_client_used_before_the_fork(
        programs: Programs, sandbox: Sandbox, options: list[str]
    ) -> None:
        """Both workers answer with a client that their parent had used, at once."""
        programs.write("application.py", FLASK_APP)
        server = ["--http-socket", "127.0.0.1:0", "--master", "--processes", "2", "--die-on-term"]
        home = [] if sys.prefix == sys.base_prefix else ["--virtualenv", sys.prefix]
        server += [*home, "--module", "application:app", *options]
        with running(programs, *server, command=UWSGI) as log:
            until(lambda: log.read_text().count("spawned uWSGI worker") == 2)
            [port] = re.findall(r"bound to TCP address 127\.0\.0\.1:(\d+)", log.read_text())
            answers = signed_up_at_once(int(port), sandbox, 8)
        assert len({answer["pid"] for answer in answers}) == 2
        assert len({answer["parent"] for answer in answers}) == 1
        assert max(answer["seconds"] for answer in answers) < 4


def test_gunicorn_ends_after_the_answer_under_way(programs: Programs, sandbox: Sandbox) -> None:
    """On SIGTERM a worker waits for its call, answers its request, and ends in order."""
    programs.write("application.py", FLASK_APP)
    server = [*GUNICORN, "application:app"]

    def sign_up(said: str) -> Any:
        return signed_up(port_in(said), "+14155550101")

    answer = ended_during_a_call(programs, sandbox, server, "Booting worker", sign_up)
    assert answer["phone"] == "+14155550101"
    assert {*sandbox.contacts} == {"+14155550100", "+14155550101"}


CELERY_APP = """
import os

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

from sendblue_async import SyncSendblueClient

app = Celery("application", broker="filesystem://", backend="file://{folder}/results")
app.conf.update(
    broker_transport_options={{
        "data_folder_in": "{folder}/queue",
        "data_folder_out": "{folder}/queue",
        "control_folder": "{folder}/control",
    }},
    worker_hijack_root_logger=False,
)
client = SyncSendblueClient()


@app.task
def create(number):
    return client.create_contact(number).contact.phone, os.getpid()


@app.task(soft_time_limit=1)
def be_interrupted(number):
    try:
        client.create_contact(number)
    except SoftTimeLimitExceeded:
        return "interrupted", os.getpid()


if "FORKS" in os.environ:
    # Used in the parent of the pool, before that forks.
    client.create_contact("+14155550100", update_if_exists=True)
"""

CELERY_WORKER = [
    *("celery", "-A", "application", "worker"),
    *("--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"),
]

CELERY_CALLER = """
import sys
from application import app, create, be_interrupted

task = {"create": create, "be_interrupted": be_interrupted}[sys.argv[1]]
results = [task.delay(number) for number in sys.argv[2:]]
print([result.get(timeout=60) for result in results])
"""


@pytest.fixture
def celery(programs: Programs) -> Programs:
    """A Celery application, whose parent process uses the client before it forks."""
    for name in ("queue", "results", "control"):
        (programs.folder / name).mkdir()
    programs.write("application.py", CELERY_APP.format(folder=programs.folder))
    programs.write("caller.py", CELERY_CALLER)
    return programs


def results(programs: Programs, task: str, *numbers: str) -> list[Any]:
    """What the tasks return, sent by a program of their own."""
    done = subprocess.run(
        [sys.executable, str(programs.folder / "caller.py"), task, *numbers],
        env=programs.environment,
        cwd=programs.folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed: list[Any] = json.loads(done.stdout.replace("'", '"'))
    return listed


def test_celery_children_share_a_client_used_before_the_fork(
    celery: Programs, sandbox: Sandbox
) -> None:
    """Both children of the prefork pool work, and a time limit interrupts a call and no more."""
    celery.environment["FORKS"] = "yes"
    with running(celery, *CELERY_WORKER) as log:
        until(lambda: "ready." in log.read_text())
        del celery.environment["FORKS"]
        numbers = [f"+1415557{n:04}" for n in range(40)]
        created = results(celery, "create", *numbers)
        assert [phone for phone, _ in created] == numbers
        assert len({pid for _, pid in created}) == 2

        sandbox.faults = Faults(latency=20)
        # One for each child.
        late = results(celery, "be_interrupted", "+14155580000", "+14155580001")
        sandbox.faults = Faults()
        assert [word for word, _ in late] == ["interrupted"] * 2
        again = results(celery, "create", *(f"+1415559{n:04}" for n in range(20)))
        assert {pid for _, pid in late} <= {pid for _, pid in created}
        assert {pid for _, pid in again} <= {pid for _, pid in created}
    assert {*numbers, "+14155550100"} <= {*sandbox.contacts}


def test_celery_gevent_runs_many_tasks_at_once(celery: Programs, sandbox: Sandbox) -> None:
    """With gevent, one worker process makes twenty calls at a time."""
    # Celery looks at the first option that names a pool before it lets gevent replace threads.
    worker = ["celery", "-A", "application", "worker", "--pool", "gevent", "--concurrency", "20"]
    quiet = ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    with running(celery, *worker, *quiet) as log:
        until(lambda: "ready." in log.read_text())
        sandbox.faults = Faults(latency=0.3)
        numbers = [f"+1415557{n:04}" for n in range(200)]
        started = time.monotonic()
        created = results(celery, "create", *numbers)
        # One after the other, they take 60 seconds.
        assert time.monotonic() - started < 40
    assert [phone for phone, _ in created] == numbers
    assert len({pid for _, pid in created}) == 1


def test_celery_ends_after_the_task_under_way(celery: Programs, sandbox: Sandbox) -> None:
    """A warm shutdown waits for a task's call, keeps its result, and ends in order."""
    celery.environment["FORKS"] = "yes"

    def create(_: str) -> Any:
        del celery.environment["FORKS"]
        return results(celery, "create", "+14155550101")

    worker = [*CELERY_WORKER, "--without-gossip", "--without-mingle"]
    [[phone, _]] = ended_during_a_call(celery, sandbox, worker, "ready.", create)
    assert phone == "+14155550101"
    assert {*sandbox.contacts} == {"+14155550100", "+14155550101"}


PAGE = Path(__file__).parents[2] / "docs" / "usage.md"
# What the page leaves to its reader: a broker; and no retries of the client's own, which take time.
FILES_AS_BROKER = """
from sendblue_async import RetryPolicy

app.conf.update(
    broker_url="filesystem://",
    result_backend="file://{folder}/results",
    broker_transport_options={{
        "data_folder_in": "{folder}/queue",
        "data_folder_out": "{folder}/queue",
        "control_folder": "{folder}/control",
    }},
    worker_hijack_root_logger=False,
)
sendblue = sendblue.with_options(retry=RetryPolicy(attempts=1))
# Logged without a traceback.
sign_up.throws = (SendblueError,)
"""
SIGN_UP = """
import sys
from application import sign_up

result = sign_up.delay(sys.argv[2], "Ada")
result.get(timeout=60, propagate=False)
print([result.state, str(result.result)[:28]])
"""


def recipe() -> str:
    """The task of the page, as it stands there."""
    (source,) = re.findall(r"```python\n(from celery .*?)```", PAGE.read_text(), re.DOTALL)
    return str(source)


def test_the_task_of_the_docs_comes_back_when_it_makes_sense(
    celery: Programs, sandbox: Sandbox
) -> None:
    """It waits as long as the server asks and then succeeds; a bad number fails it at once."""
    broker = FILES_AS_BROKER.format(folder=celery.folder)
    celery.write("application.py", recipe().replace("\nif __name__", f"{broker}\nif __name__"))
    celery.write("caller.py", SIGN_UP)
    sandbox.faults = Faults(too_many_requests=1.0, retry_after="2")
    with running(celery, *CELERY_WORKER) as log, ThreadPoolExecutor(1) as pool:
        until(lambda: "ready." in log.read_text())
        signed_up = pool.submit(results, celery, "sign_up", "+14155550101")
        until(lambda: "Retry in 2" in log.read_text())
        assert "asks to wait 2 s" in log.read_text()
        assert not sandbox.contacts
        sandbox.faults = Faults()
        assert signed_up.result() == ["SUCCESS", "+14155550101"]
        before = sandbox.counts["requests"]
        state, words = results(celery, "sign_up", "+1 415 555 0123 45678")
        assert (state, sandbox.counts["requests"]) == ("FAILURE", before)
        assert words == "number must be a phone numbe"
    assert [*sandbox.contacts] == ["+14155550101"]


class Notebook:
    """A kernel that runs cells."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self._manager = manager
        self._client = client

    def begin(self, cell: str) -> str:
        """Run a cell, and do not wait for it."""
        # A kernel drops what comes right after a cell that failed, unless it is told not to.
        identifier: str = self._client.execute(cell, stop_on_error=False)
        return identifier

    def end(self, identifier: str) -> dict[str, Any]:
        """What came of the cell: its status, and what the error was."""
        while True:
            message: dict[str, Any] = self._client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == identifier:
                content: dict[str, Any] = message["content"]
                return content

    def run(self, cell: str) -> None:
        """Run a cell that must succeed."""
        content = self.end(self.begin(cell))
        assert content["status"] == "ok", "\n".join(content.get("traceback", []))

    def interrupt(self) -> None:
        """What the stop button does."""
        self._manager.interrupt_kernel()


@pytest.fixture
def notebook(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook whose kernel has its account on the sandbox."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    # The kernel of the Python that runs the tests, whatever others are installed.
    manager, client = start_new_kernel(
        kernel_name="python3", env=programs.environment, cwd=str(programs.folder)
    )
    try:
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_notebook_uses_either_client(notebook: Notebook, sandbox: Sandbox) -> None:
    """In Jupyter cells block and await as they like, and the stop button ends a call alone."""
    notebook.run("from sendblue_async import SendblueClient, SyncSendblueClient")
    notebook.run("client = SyncSendblueClient(); client.create_contact('+14155550123')")
    notebook.run("assert [one.phone for one in client.iter_contacts()] == ['+14155550123']")
    notebook.run(
        "async with SendblueClient() as other:\n"
        "    assert (await other.count_contacts()).count == 1\n"
        "    assert [one.phone async for one in other.iter_contacts()] == ['+14155550123']"
    )
    sandbox.faults = Faults(latency=30)
    before = sandbox.counts["requests"]
    cell = notebook.begin("client.count_contacts()")
    until(lambda: sandbox.counts["requests"] > before)
    notebook.interrupt()
    content = notebook.end(cell)
    assert (content["status"], content["ename"]) == ("error", "KeyboardInterrupt")
    sandbox.faults = Faults()
    notebook.run("assert client.count_contacts().count == 1")
