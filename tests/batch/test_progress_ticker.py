"""The task that reports the progress of an import."""

from __future__ import annotations

import asyncio

import pytest

from sendblue_async.batch._importing._progress import ProgressTicker

pytestmark = pytest.mark.anyio


async def test_a_cancellation_at_its_end_is_not_lost() -> None:
    """Whoever is cancelled while the ticker ends is cancelled, and does not go on."""
    ticker = ProgressTicker(None, lambda: pytest.fail("nothing to report"), stop=lambda: None)

    async def work() -> None:
        async with ticker.running():
            pass

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
