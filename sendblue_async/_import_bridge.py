"""Imports of a blocking caller, whose source and callables are used on the caller's own thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ._caller import Caller, run_with_caller
from ._portal import portal
from .batch._rows import CallersSource

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .batch import DryRun, ImportJob, ImportMapping, ImportProgress, ImportReport

R = TypeVar("R")


def run_import(
    method: Callable[..., Coroutine[Any, Any, R]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Run an import; read its source and call ``progress`` on this thread meanwhile."""
    progress: Any = kwargs.get("progress")

    def start(caller: Caller) -> Coroutine[Any, Any, R]:
        client, *others = args
        given, options = _on_thread_of(caller.call, others, kwargs)
        if callable(progress):
            options["progress"] = caller.show
        return method(client, *given, **options)

    return run_with_caller(start, progress)


def _on_thread_of(
    call: Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
) -> tuple[list[Any], dict[str, Any]]:
    """Have the source among these arguments read by a function; a file can be read anywhere."""
    given, options = [*args], dict(kwargs)
    arguments: Any = given if given else options
    key: Any = 0 if given else "source"
    if (given or key in options) and not isinstance(arguments[key], (str, os.PathLike)):
        arguments[key] = CallersSource(arguments[key], call)
    return given, options


class BlockingImportJob:
    """The import of one source, made by :meth:`SyncSendblueClient.import_job`.

    Leave it with ``with``: that stops an import that still runs on another thread, and waits for
    its end.

    Args:
        check: Raises if the calling thread may not wait.
        method: Makes the asynchronous job of the arguments.
        progress: Called with the progress on the thread that runs the job.
    """

    def __init__(
        self,
        check: Callable[[], object],
        method: Callable[..., ImportJob],
        *args: Any,
        progress: Any = None,
        **kwargs: Any,
    ) -> None:
        self._check = check
        self._progress = progress
        self._caller: Caller
        relay = self._relay if callable(progress) else progress
        given, options = _on_thread_of(self._call, args, kwargs)
        self._job = method(*given, progress=relay, **options)
        self._process = os.getpid()

    @property
    def path(self) -> Path | None:
        """The file; ``None`` if the source is none."""
        return self._job.path

    @property
    def source_name(self) -> str:
        """What it imports: the path, or words such as ``"standard input"``."""
        return self._job.source_name

    @property
    def journal_path(self) -> Path | None:
        """Its journal, which :meth:`run` creates; ``None`` if nothing can be resumed."""
        return self._job.journal_path

    @property
    def rejected_path(self) -> Path | None:
        """Where rejected rows are written; ``None`` if they are only counted."""
        return self._job.rejected_path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and all that the import may write."""
        return self._job.files

    @property
    def report(self) -> ImportReport | None:
        """How it ended, however it ended; ``None`` before, and if no row was read."""
        return self._job.report

    @property
    def mapping(self) -> ImportMapping | None:
        """How the source is read, once :meth:`inspect` or :meth:`run` has looked at it."""
        return self._job.mapping

    def inspect(self) -> ImportMapping:
        """Find out how the source is read; as :meth:`ImportJob.inspect`."""
        return self._wait_for(self._job.inspect)

    def run(self) -> ImportReport:
        """Import the source, once; as :meth:`ImportJob.run`."""
        return self._wait_for(self._job.run)

    def dry_run(self) -> DryRun | None:
        """Find out what the import would do; as :meth:`ImportJob.dry_run`."""
        return self._wait_for(self._job.dry_run)

    def stop(self) -> None:
        """Send nothing more. Contacts in flight are finished, and the journal is kept.

        Call it on another thread than :meth:`run`, in ``progress`` or in a signal handler.
        """
        self._job.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if os.getpid() == self._process:
            self._check()
            portal.run(self._job.__aexit__, (None, None, None), {})

    def _wait_for(self, method: Callable[[], Coroutine[Any, Any, R]]) -> R:
        def start(caller: Caller) -> Coroutine[Any, Any, R]:
            self._caller = caller
            return method()

        self._check()
        return run_with_caller(start, self._progress)

    def _relay(self, progress: ImportProgress) -> None:
        self._caller.show(progress)

    async def _call(self, function: Callable[[], Any]) -> Any:
        return await self._caller.call(function)
