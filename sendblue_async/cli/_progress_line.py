"""How far an import is, on one line that fits the terminal."""

from __future__ import annotations

import math
from collections import deque

from rich.cells import cell_len

from ..batch import ImportProgress
from ._output import format_count

_GAP = "  "
# Seconds between two measurements of the speed, and how many of these are looked at.
_MEASURED_EVERY, _MEASUREMENTS = 0.5, 20
# Seconds of steady work that an estimate is made from, and what is no longer steady.
_STEADY_FOR, _STEADY_WITHIN = 4.0, 1.5
# Seconds to the next slot of the rate limiter that are a pause.
_PAUSE = 2.0


class ProgressLine:
    """What is shown of the progress of an import; parts that matter less give way."""

    def __init__(self) -> None:
        self._measured: deque[tuple[float, int]] = deque(maxlen=_MEASUREMENTS)
        # By what matters: where a part stands on the line, and its forms, the longest first.
        self._parts: list[tuple[int, tuple[str, ...]]] = []
        self.share: float | None = None
        """How much of the work is done, from 0 to 1; ``None`` if that is not known."""

    def update(self, progress: ImportProgress) -> None:
        """Show this progress from now on."""
        if progress.listed is not None:
            self._show_listing(progress, progress.listed)
        elif progress.checked:
            self._show_sending(progress)
        else:
            self._show_checking(progress)

    def format(self, width: float = math.inf) -> str:
        """Format the line, in at most so many cells of a terminal."""
        chosen: list[tuple[int, str]] = []
        room = width
        for position, forms in self._parts:
            for form in forms:
                taken = cell_len(form) + (len(_GAP) if chosen else 0)
                if taken <= room:
                    chosen.append((position, form))
                    room -= taken
                    break
        return _GAP.join(form for _, form in sorted(chosen))

    def _show_checking(self, progress: ImportProgress) -> None:
        self.share = progress.share_read
        self._parts = [(0, ("checking the file", "checking"))]
        if self.share is not None:
            self._parts.append((1, (_format_percent(self.share),)))
        if progress.entries:
            self._parts.append((2, (f"{progress.entries:,} read",)))

    def _show_listing(self, progress: ImportProgress, listed: int) -> None:
        self.share = None
        self._parts = [(0, ("listing the account", "listing"))]
        if state := _format_state(progress):
            self._parts.append((2, state))
        if listed:
            self._parts.append((1, (f"{listed:,} listed", f"{listed:,}")))

    def _show_sending(self, progress: ImportProgress) -> None:
        done, total = count_done(progress), progress.entries
        self.share = done / total if total else 1.0
        failed = progress.counts.get("rejected", 0) + progress.counts.get("unknown", 0)
        self._parts = [(0, (f"{done:,}/{total:,}",)), (1, (_format_percent(self.share),))]
        state = _format_state(progress)
        if state:
            self._measured.clear()
            self._parts.append((3, state))
        else:
            self._measure(progress.seconds, done)
            left = self._estimate(total - done)
            if left:
                self._parts.append((3, (f"ETA {format_clock(left)}",)))
        if failed:
            self._parts.append((4, (format_count(failed, "error"),)))
        if rate := self._rate(0, len(self._measured) - 1):
            self._parts.append((2, (f"{rate:,.0f}/s" if rate >= 1 else f"{rate:.1g}/s",)))
        if progress.throttled:
            self._parts.append((5, (f"{progress.throttled:,} throttled",)))
        if progress.requests_per_second:
            self._parts.append((6, (f"limit {progress.requests_per_second:,.0f}/s",)))

    def _measure(self, seconds: float, done: int) -> None:
        if not self._measured or seconds - self._measured[-1][0] >= _MEASURED_EVERY:
            self._measured.append((seconds, done))

    def _rate(self, first: int, last: int) -> float | None:
        """Return the entries a second between two measurements."""
        if last <= first:
            return None
        (began, before), (ended, after) = self._measured[first], self._measured[last]
        return (after - before) / (ended - began)

    def _estimate(self, remaining: int) -> float | None:
        """Estimate the seconds that remain, once the speed is steady."""
        last = len(self._measured) - 1
        if last < 2 or self._measured[last][0] - self._measured[0][0] < _STEADY_FOR:
            return None
        before, now = self._rate(0, last // 2), self._rate(last // 2, last)
        if not before or not now or now > before * _STEADY_WITHIN:
            return None
        return remaining / now


def count_done(progress: ImportProgress) -> int:
    """Return how many entries have their outcome."""
    return sum(progress.counts.values())


def format_clock(seconds: float) -> str:
    """Format seconds as a clock does: ``0:21``, ``1:02:03``."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _format_percent(share: float) -> str:
    return f"{math.floor(share * 100)} %"


def _format_state(progress: ImportProgress) -> tuple[str, ...]:
    """Say why nothing is sent, if nothing is, in shorter and shorter forms."""
    if progress.waiting:
        ends = format_clock(progress.gives_up_in or 0.0)
        words = "waiting for the server"
        return f"{words}, gives up in {ends}", words, "waiting"
    if progress.paused_for is not None and progress.paused_for >= _PAUSE:
        words = "paused by the rate limit"
        return f"{words}, resumes in {format_clock(progress.paused_for)}", words, "paused"
    return ()
