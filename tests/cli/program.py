"""The installed program in a process of its own, on pipes or on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sendblue_async import RetryPolicy, SyncSendblueClient
from sendblue_async.sandbox import Sandbox

PROGRAM = Path(sys.executable).with_name("sendblue-async")
NUMBER = "+14155550123"
OTHER = "+14155550199"
# Steers a terminal, is markup to rich, turns the direction of writing, and is plain text.
HOSTILE = (
    "\x1b[31m\x1b]0;title\x07[red]x[/red] [link=a]\u202e\x9b2J\r\b :smile: Zoë 日本語 עברית 😀"
)


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


class Done(Ended):
    """How a run of the program ended, and how it said that it would read the file to import."""

    mapping = ""


# The program from start to end, given its environment and its arguments.
Run = Callable[..., Done]


def account(server: Sandbox | str) -> dict[str, str]:
    """The variables that lead the program to a server."""
    base_url = server if isinstance(server, str) else server.base_url
    return {
        "SENDBLUE_API_KEY": "sandbox-key",
        "SENDBLUE_API_SECRET": "sandbox-secret",
        "SENDBLUE_API_BASE_URL": base_url,
    }


def client_of(environment: dict[str, str]) -> SyncSendblueClient:
    """A client of the same server that the program is led to."""
    key, secret, base_url = (environment[name] for name in account(""))
    return SyncSendblueClient(key, secret, base_url=base_url, retry=RetryPolicy(attempts=1))


# A shell's background job, as which the suite may run, would hand on that it ignores Ctrl-C.
_HEED = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
# The terminal on standard input becomes the one whose Ctrl-C this process gets.
_OWN = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "


@contextlib.contextmanager
def started(
    environment: dict[str, str], *arguments: str, terminal: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The running program, on pipes, or with input from a terminal.

    It is killed if it outlives the block.
    """
    prepare = _HEED if terminal is None else _HEED + _OWN
    command = [sys.executable, "-ISc", prepare + "os.execv(sys.argv[1], sys.argv[1:])", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, *arguments],
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=pipe,
        stderr=pipe,
        encoding="utf-8",
        start_new_session=terminal is not None,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def plain(done: Done) -> Done:
    """What the program printed, which is never a traceback, or an escape in a pipe."""
    for text in (done.out, done.err):
        assert "Traceback" not in text, text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), ascii(text)
    shown = re.search(r"^Reading .*:\n(?:  .*\n)+", done.err, re.MULTILINE)
    if shown is None:
        return done
    apart = Done(done.code, done.out, done.err.replace(shown[0], ""))
    apart.mapping = shown[0]
    return apart


def run(environment: dict[str, str], *arguments: str) -> Done:
    """The program from start to end, in a process of its own."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=40,
        encoding="utf-8",
        check=False,
    )
    return plain(Done(done.returncode, done.stdout, done.stderr))


def one_document(text: str) -> Any:
    """The one JSON document, on a line of its own, that the text is."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return json.loads(text)


def shown_on_terminal(
    environment: dict[str, str], *arguments: str, columns: int = 80
) -> tuple[int, bytes]:
    """The exit code of the program on a terminal, and all that the terminal got."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 25, columns, 0, 0))
    shown = b""
    with subprocess.Popen(
        [PROGRAM, *arguments],
        env={"TERM": "xterm-256color"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    ) as program:
        os.close(terminal)
        # At the end of what a terminal has to say, Linux raises.
        with contextlib.suppress(OSError):
            while piece := os.read(controller, 65536):
                shown += piece
        os.close(controller)
        return program.wait(timeout=40), shown


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Where one types, and where the program reads."""
    ends = pty.openpty()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@contextlib.contextmanager
def answering(document: object, status: int = 200) -> Iterator[str]:
    """The base URL of a server that answers one request, with this JSON in ASCII."""
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} Fine\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(head.encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
