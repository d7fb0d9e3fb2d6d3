"""The progress of an import: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..batch import ImportProgress
from ._output import format_count, format_duration, print_above_bar, print_stderr

# Seconds between two lines of progress, where there is no bar.
_LINE_INTERVAL = 10.0
# Seconds over which the number of entries a second is averaged.
_RATE_WINDOW = 10.0
_CHECKING = "checking the file"


@contextmanager
def show_progress() -> Iterator[Callable[[ImportProgress], None]]:
    """Show progress: a bar on a terminal, and lines elsewhere."""
    console = Console(stderr=True)
    status = _StatusLine()
    if not console.is_terminal:
        last = 0.0

        def show_line(progress: ImportProgress) -> None:
            nonlocal last
            line = (
                f"{progress.trouble}; {status(progress)}" if progress.trouble else status(progress)
            )
            if progress.seconds - last >= _LINE_INTERVAL:
                last = progress.seconds
                done = (
                    f"{_count_done(progress)} of {progress.entries}"
                    if progress.checked
                    else f"{progress.entries} read"
                )
                print_stderr(f"{done}: {line}")

        yield show_line
        return
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
        console=console,
    )
    # It starts with the import: what is refused before that leaves no bar behind.
    try:
        task = bar.add_task("import", total=None, status=_CHECKING)
        trouble: str | None = None

        def show(progress: ImportProgress) -> None:
            nonlocal trouble
            bar.start()
            if progress.trouble and progress.trouble != trouble:
                # Above the bar, which has no room for it.
                print_above_bar(progress.trouble, console)
            trouble = progress.trouble
            if progress.checked:
                bar.update(
                    task,
                    total=progress.entries,
                    completed=_count_done(progress),
                    status=status(progress),
                )
            else:
                bar.update(task, completed=progress.entries, status=status(progress))

        yield show
    finally:
        bar.stop()


def _count_done(progress: ImportProgress) -> int:
    return sum(progress.counts.values())


class _StatusLine:
    """What an import is doing, in words, and how many entries a second it processes."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()

    def __call__(self, progress: ImportProgress) -> str:
        if not progress.checked:
            return _CHECKING
        rate = f"{self._recent_rate(progress):.0f}/s, "
        if progress.requests_per_second:
            rate += f"{progress.requests_per_second:.0f}/s allowed, "
        if progress.waiting:
            left = format_duration(progress.gives_up_in or 0.0).removeprefix("0:")
            rate = f"waiting, gives up in {left}, "
        failed = progress.counts.get("rejected", 0) + progress.counts.get("unknown", 0)
        return f"{rate}{progress.throttled} throttled, {format_count(failed, 'error')}"

    def _recent_rate(self, progress: ImportProgress) -> float:
        self._recent.append((progress.seconds, _count_done(progress)))
        while progress.seconds - self._recent[0][0] > _RATE_WINDOW:
            self._recent.popleft()
        since, then = self._recent[0]
        return (
            (_count_done(progress) - then) / (progress.seconds - since)
            if progress.seconds > since
            else 0.0
        )
