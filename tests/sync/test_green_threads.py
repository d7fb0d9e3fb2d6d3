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


@pytest.mark.parametrize("order", ORDERS)
def test_gevent_may_leave_threads_as_they_are(
    programs: Programs, sandbox: Sandbox, order: str
) -> None:
    """With gevent's sockets and selectors on real threads, calls come back at once, every time."""
    patch = "gevent.monkey.patch_all(thread=False)"
    start = "\n        ".join(["import gevent.monkey", *ORDERS[order]]).format(patch=patch)
    printed = programs.run(
        f"""
        {start}
        import threading, time
        started = time.monotonic()
        with sendblue_async.SyncSendblueClient() as client:
            def create(n): return client.create_contact(f"+141555501{{n:02}}").contact.phone[-2:]
            print(*map(create, range(40)))
            threads = [threading.Thread(target=create, args=[n]) for n in range(40, 80)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            rows = [{{"number": f"+141555502{{n:02}}"}} for n in range(40)]
            print(len(list(client.create_contacts(rows, concurrency=8))))
        # Woken only by the looks for a signal, each call takes a second.
        print(time.monotonic() - started < 40)
        """,
        "-W",
        "ignore",
    )
    numbers = " ".join(f"{n:02}" for n in range(40))
    assert printed == f"{numbers}\n40\nTrue\n"
    # The first call of one order creates another one.
    assert len(sandbox.contacts) in (120, 121)
