"""Python programs of their own, for what happens to whole processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path


class Programs:
    """Python programs in a folder of their own, each with an account on the given server."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.folder = folder
        clean = {key: value for key, value in os.environ.items() if "SENDBLUE" not in key}
        self.environment = clean | {
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), clean.get("PYTHONPATH")])),
            "SENDBLUE_API_KEY": "sandbox-key",
            "SENDBLUE_API_SECRET": "sandbox-secret",
            "SENDBLUE_API_BASE_URL": base_url,
        }

    def write(self, name: str, source: str) -> Path:
        """Put a module into the folder."""
        path = self.folder / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    @contextlib.contextmanager
    def start(
        self, source: str, *options: str, arguments: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[str]]:
        """A running program, on pipes; it and its children are killed if they outlive the block."""
        # As by default, nothing is said of what was not closed. Since 3.12 a fork beside other
        # threads warns, which is what these tests are about.
        ignored = ["-W", "ignore::ResourceWarning", "-W", "ignore:This process:DeprecationWarning"]
        command = [
            sys.executable,
            "-W",
            "error",
            *ignored,
            *options,
            str(self.write("program.py", source)),
            *arguments,
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            env=self.environment,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        ) as program:
            try:
                yield program
            finally:
                # With the children that it forked: none may be left behind by a test that fails.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)

    def run(self, source: str, *options: str) -> str:
        """What a program prints; it must exit with 0 and have no complaint."""
        with self.start(source, *options) as program:
            printed, complaints = program.communicate(timeout=40)
        assert (program.returncode, complaints) == (0, ""), printed + complaints
        return printed

    def run_command(self, arguments: Sequence[str]) -> str:
        """What Python prints when it is given these arguments; it must exit with 0."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
