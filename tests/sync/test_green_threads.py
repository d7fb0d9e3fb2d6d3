"""The blocking client among green threads, which all run on one thread of the system."""

from __future__ import annotations

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .programs import Programs

# What replaces threads and sockets, and what waits for all of some green threads.
LIBRARIES = {
    "gevent": ("import gevent as green, gevent.monkey", "gevent.monkey.patch_all()"),
    "eventlet": ("import eventlet as green", "green.monkey_patch()"),
}
# When it does.
ORDERS = {
    "before the import": ["{patch}", "import sendblue_async"],
    "after the import": ["import sendblue_async; sendblue_async.SyncSendblueClient", "{patch}"],
    "after a call": [
        "import sendblue_async",
        "sendblue_async.SyncSendblueClient().create_contact('+14155550199')",
        "{patch}",
    ],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_green_threads_call_at_the_same_time(
    programs: Programs, sandbox: Sandbox, library: str, order: str
) -> None:
    """Forty green threads call at once, from the first burst on, and others go on meanwhile."""
    imported, patch = LIBRARIES[library]
    start = "\n        ".join([imported, *ORDERS[order]]).format(patch=patch)
    sandbox.faults = Faults(latency=0.3)
    printed = programs.run(
        f"""
        {start}
        import time
        ticks = 0

        def tick():
            global ticks
            while True:
                ticks += 1
                green.sleep(0.01)

        def burst(client, first):
            tasks = [
                green.spawn(client.create_contact, f"+141555501{{n:02}}")
                for n in range(first, first + 40)
            ]
            while not all(task.dead for task in tasks):
                green.sleep(0.01)

        green.spawn(tick)
        with sendblue_async.SyncSendblueClient() as client:
            started = time.monotonic()
            burst(client, 0)
            print(ticks > 5)
            burst(client, 40)
            # One after the other, they take 24 seconds.
            print(time.monotonic() - started < 12, client.count_contacts().count >= 80)
        """,
        "-W",
        "ignore",
    )
    assert printed == "True\nTrue True\n"
