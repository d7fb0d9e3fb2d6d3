"""The progress of an import: a bar on a terminal, lines at long intervals elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from ..batch import ImportProgress
from ._output import print_above_bar, print_stderr
from ._progress_line import ProgressLine

# Seconds between two lines of progress, where there is no bar.
_LINE_INTERVAL = 30.0
# How many cells the bar takes; where there is no room for the least, there is none.
_NARROWEST, _WIDEST = 10, 40


@contextmanager
def show_progress() -> Iterator[Callable[[ImportProgress], None]]:
    """Show progress: a bar on a terminal, and lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines().show
        return
    bar = _Bar(console)
    try:
        yield bar.show
    finally:
        bar.stop()


class _Lines:
    """Lines of progress, for logs and e-mails."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._last = 0.0

    def show(self, progress: ImportProgress) -> None:
        """Print the progress if the last line is old."""
        self._line.update(progress)
        if progress.seconds - self._last < _LINE_INTERVAL:
            return
        self._last = progress.seconds
        trouble = f": {progress.trouble}" if progress.trouble else ""
        print_stderr(self._line.format() + trouble)


class _Bar:
    """A bar that is drawn again and again on the last line of the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = ProgressLine()
        self._trouble: str | None = None
        self._live = Live(
            self,
            console=console,
            # What is printed meanwhile on the same terminal goes above it.
            redirect_stdout=sys.stdout.isatty(),
        )

    def show(self, progress: ImportProgress) -> None:
        """Draw the progress; the first one also begins the bar."""
        # It starts with the import: what is refused before that leaves no bar behind.
        self._line.update(progress)
        self._live.start()
        if progress.trouble and progress.trouble != self._trouble:
            # Above the bar, which has no room for it.
            print_above_bar(progress.trouble, self._console)
        self._trouble = progress.trouble

    def stop(self) -> None:
        """Draw the bar for the last time."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        words = self._line.format(options.max_width)
        room = options.max_width - len(words) - 2
        line = Text(no_wrap=True)
        if self._line.share is not None and room >= _NARROWEST:
            width = min(room, _WIDEST)
            filled = int(self._line.share * width)
            full, empty = ("#", "-") if options.ascii_only else ("━", "─")
            line.append(full * filled, "green").append(empty * (width - filled), "dim")
            line.append("  ")
        yield line.append(words)
