"""The blocking client among threads, forks and signals: each test is a program of its own."""

from __future__ import annotations

import itertools
import signal
import socket
import textwrap
import time

import pytest

from sendblue_async.sandbox import Faults, Sandbox

from .programs import Programs

BODY = b'{"contact":{"phone":"+14155550123"},"status":"OK"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


FORK = """
    import asyncio, ctypes, gc, os, sys, threading, time
    from sendblue_async import SendblueClient, SyncSendblueClient

    def in_child(work):
        sys.stdout.flush()
        # Lets the other threads come to rest. A fork of C while one of them waits for the
        # interpreter's own lock may leave that taken in the child, whatever runs there.
        time.sleep({rest})
        pid = {fork}()
        if pid == 0:
            started = time.monotonic()
            work()
            assert time.monotonic() - started < 2
            sys.exit()
        return pid

    def wait_for(*pids):
        for pid in pids:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    client = SyncSendblueClient()
"""

# What is done after a fork, and how many contacts that must leave behind.
FORKS: dict[str, tuple[int, str]] = {
    "after use": (
        4,
        """
        client.create_contact("+14155550100")
        child = in_child(lambda: client.create_contact("+14155550101"))
        client.create_contact("+14155550102")
        wait_for(child)
        client.create_contact("+14155550103")
    """,
    ),
    "many children of one parent": (
        14,
        """
        client.create_contact("+14155550100")
        def work(index):
            threads = [
                threading.Thread(target=client.create_contact, args=(f"+1415555{index}0{n}",))
                for n in range(4)
            ]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        wait_for(*[in_child(lambda: work(index)) for index in (20, 30, 40)])
        client.create_contact("+14155550101")
    """,
    ),
    "a child's child": (
        5,
        """
        client.create_contact("+14155550100")
        def work():
            client.create_contact("+14155550101")
            wait_for(in_child(lambda: client.create_contact("+14155550102")))
            client.create_contact("+14155550103")
        wait_for(in_child(work))
        client.create_contact("+14155550104")
    """,
    ),
    "the child closes the client": (
        3,
        """
        client.create_contact("+14155550100")
        def work():
            with client:
                client.create_contact("+14155550101")
            gc.collect()
        wait_for(in_child(work))
        client.create_contact("+14155550102")
        client.close()
    """,
    ),
    "the child closes the client unused": (
        2,
        """
        client.create_contact("+14155550100")
        wait_for(in_child(client.close))
        client.create_contact("+14155550101")
        client.close()
    """,
    ),
    "while an iteration is under way": (
        30,
        """
        from sendblue_async import ConfigurationError
        client.create_contacts_bulk([{"number": f"+14155550{n:03}"} for n in range(30)])
        contacts = client.iter_contacts(page_size=10)
        next(contacts)
        def work():
            try: next(contacts)
            except ConfigurationError as error: assert "belongs to the process" in str(error)
            else: raise AssertionError
            assert len(list(client.iter_contacts(page_size=10))) == 30
        wait_for(in_child(work))
        assert len(list(contacts)) == 29
    """,
    ),
    "while another thread calls": (
        2,
        """
        client.create_contact("+14155550100")
        slow = threading.Thread(
            target=lambda: [client.get_contact("+14155550100") for _ in range(100)], daemon=True
        )
        slow.start()
        wait_for(*[in_child(lambda: client.get_contact("+14155550100")) for _ in range(5)])
        slow.join()
        client.create_contact("+14155550101")
    """,
    ),
    "the asynchronous client": (
        4,
        """
        client = SendblueClient()
        def create(number):
            return asyncio.run(client.create_contact(number))
        create("+14155550100")
        child = in_child(lambda: create("+14155550101"))
        create("+14155550102")
        wait_for(child)
        create("+14155550103")
    """,
    ),
    "beside an event loop": (
        3,
        """
        client = SendblueClient()
        def create():
            asyncio.run(client.create_contact("+14155550101"))
            del globals()["client"]
            gc.collect()
        async def main():
            await client.create_contact("+14155550100")
            # The child's event loop is to have a thread of its own.
            thread = threading.Thread(target=lambda: wait_for(in_child(create)), daemon=True)
            thread.start()
            await asyncio.to_thread(thread.join)
            await client.create_contact("+14155550102")
        asyncio.run(main())
    """,
    ),
}

# The second is how uWSGI forks: Python's own hooks are not run.
HOW_TO_FORK = {
    "os.fork": {"fork": "os.fork", "rest": 0},
    "fork of C": {"fork": "ctypes.PyDLL(None).fork", "rest": 0.2},
}


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        (shape, how)
        for shape, how in itertools.product(FORKS, HOW_TO_FORK)
        # Here no other thread comes to rest.
        if (shape, how) != ("while another thread calls", "fork of C")
    ],
)
def test_a_fork_may_follow_use(programs: Programs, sandbox: Sandbox, shape: str, how: str) -> None:
    """After a fork the calls of the child, within two seconds, and of the parent work."""
    stored, source = FORKS[shape]
    start = textwrap.dedent(FORK).format(**HOW_TO_FORK[how])
    assert programs.run(start + textwrap.dedent(source)) == ""
    assert len(sandbox.contacts) == stored


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_workers_share_a_client_made_at_import(
    programs: Programs, sandbox: Sandbox, method: str
) -> None:
    """A module's client works in the workers of a pool, however they are started."""
    programs.write(
        "clients.py",
        """
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        def create(number):
            return client.create_contact(number).contact.phone
        """,
    )
    numbers = [f"+141555501{index:02}" for index in range(20)]
    printed = programs.run(
        f"""
        import multiprocessing
        from clients import create
        if __name__ == "__main__":
            create("+14155550199")
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(create, {numbers}) == {numbers})
            create("+14155550198")
        """
    )
    assert printed == "True\n"
    assert {*sandbox.contacts} == {*numbers, "+14155550199", "+14155550198"}


def test_a_child_may_drop_the_client_of_its_parent(programs: Programs) -> None:
    """No resource warning is given where a fork's child drops a client that it has not used."""
    printed = programs.run(
        """
        import gc, os, sys
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        client.create_contact("+14155550100")
        child = os.fork()
        if child == 0:
            del client
            gc.collect()
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        client.close()
        """,
        "-W",
        "always::ResourceWarning",
    )
    assert printed == "0\n"


MANY_FIRST_CALLS = """
    import threading
    from concurrent.futures import ThreadPoolExecutor
    from sendblue_async import SyncSendblueClient

    client = SyncSendblueClient()
    together = threading.Barrier(64)

    def work(index):
        number = f"+141555501{index:02}"
        together.wait(timeout=20)
        return client.create_contact(number).contact.phone == number

    with ThreadPoolExecutor(64) as pool:
        print(all(pool.map(work, range(64))))
    print([thread.name for thread in threading.enumerate()].count("sendblue-async"))
"""


def test_many_threads_may_make_the_first_call(programs: Programs, sandbox: Sandbox) -> None:
    """64 threads that make a process's first call at the same moment start one loop thread."""
    assert programs.run(MANY_FIRST_CALLS) == "True\n1\n"
    assert len(sandbox.contacts) == 64


def test_a_call_while_a_module_is_imported(programs: Programs, sandbox: Sandbox) -> None:
    """A client made and even used at import time works, there and afterwards."""
    programs.write(
        "clients.py",
        """
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        client.create_contact("+14155550100")
        """,
    )
    programs.run("from clients import client; client.create_contact('+14155550101')")
    assert len(sandbox.contacts) == 2


INTERRUPTIONS = {
    "Ctrl-C": (signal.SIGINT, "signal.default_int_handler", "KeyboardInterrupt"),
    "a signal handler's exception": (signal.SIGUSR1, "too_late", "TooLate"),
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_an_interrupted_call_is_cancelled(
    slow_programs: Programs, listener: socket.socket, interruption: str
) -> None:
    """What interrupts the wait is raised at once, the request ends, and the client works on."""
    number, handler, error = INTERRUPTIONS[interruption]
    source = f"""
        import signal
        from sendblue_async import SyncSendblueClient

        class TooLate(Exception): ...

        def too_late(*_):
            raise TooLate

        # Set here, as a program that a shell started in the background ignores Ctrl-C.
        signal.signal({int(number)}, {handler})
        with SyncSendblueClient() as client:
            try:
                client.get_contact("+14155550123")
            except {error}:
                print("interrupted", flush=True)
                input()
            print(client.get_contact("+14155550123").contact.phone)
    """
    with slow_programs.start(source) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            assert connection.recv(65536).startswith(b"GET ")
            sent = time.monotonic()
            program.send_signal(number)
            assert connection.recv(65536) == b""
            assert program.stdout.readline() == "interrupted\n"
            assert time.monotonic() - sent < 5
        program.stdin.write("\n")
        program.stdin.flush()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(65536)
            connection.sendall(HEAD % len(BODY) + BODY)
            assert program.communicate(timeout=20) == ("+14155550123\n", "")
        assert program.returncode == 0


def test_an_interruption_may_come_at_any_moment(programs: Programs) -> None:
    """Wherever in a call a signal handler raises, the next calls work and nothing hangs."""
    source = """
        import random, signal, time
        from sendblue_async import SyncSendblueClient

        class TooLate(Exception): ...

        def too_late(*_):
            raise TooLate

        signal.signal(signal.SIGALRM, too_late)
        draw = random.Random(7)
        with SyncSendblueClient() as client:
            client.create_contact("+14155550100")
            interrupted = 0
            for _ in range(300):
                try:
                    signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.00005, 0.005))
                    client.create_contact("+14155550100", update_if_exists=True)
                    time.sleep(0.02)
                except TooLate:
                    interrupted += 1
            print(interrupted > 250, client.get_contact("+14155550100").status)
    """
    # Not measured: an exception of a signal handler can leave a lock of coverage's taken.
    programs.environment.pop("COVERAGE_PROCESS_START", None)
    with programs.start(source) as program:
        # Python itself complains of a handler that raises while it cleans up.
        printed, _ = program.communicate(timeout=40)
    assert (program.returncode, printed) == (0, "True OK\n")


# What happens after some delay in a process's first call; it returns the exit code.
FIRST_CALLS = {
    "a fork beside it": """
        def one(delay):
            first = threading.Thread(target=client.get_contact, args=[NUMBER], daemon=True)
            first.start()
            time.sleep(delay)
            child = os.fork()
            if child == 0:
                client.get_contact(NUMBER)
                os._exit(0)
            first.join()
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    """,
    "a signal handler's call within it": """
        def one(delay):
            answers = []
            signal.signal(signal.SIGALRM, lambda *_: answers.append(client.get_contact(NUMBER)))
            signal.setitimer(signal.ITIMER_REAL, max(delay, 0.00001))
            client.get_contact(NUMBER)
            while not answers:
                time.sleep(0.001)
            return 0
    """,
}


@pytest.mark.parametrize("meanwhile", FIRST_CALLS)
def test_the_very_first_call_may_be_disturbed(
    programs: Programs, sandbox: Sandbox, meanwhile: str
) -> None:
    """A fork or a signal handler's call may come at any moment of a process's first call."""
    source = """
        import os, signal, threading, time
        from sendblue_async import SyncSendblueClient
        client, NUMBER = SyncSendblueClient(), "+14155550100"
        # By a process of its own, so that no other has made a call yet.
        if os.fork() == 0:
            client.create_contact(NUMBER)
            os._exit(0)
        os.wait()
    """
    ends = """
        ends = []
        for index in range(40):
            # Each of them makes a first call of its own.
            process = os.fork()
            if process == 0:
                os._exit(one(index / 40 * 0.02))
            started = time.monotonic()
            while not (done := os.waitpid(process, os.WNOHANG))[0]:
                if time.monotonic() - started > 10:
                    os.kill(process, signal.SIGKILL)
                time.sleep(0.002)
            ends.append(done[1])
        print(ends.count(0))
    """
    sandbox.faults = Faults(latency=0.02)
    parts = [source, FIRST_CALLS[meanwhile], ends]
    assert programs.run("".join(textwrap.dedent(part) for part in parts)) == "40\n"


def test_a_signal_handler_may_call_while_its_thread_holds_the_lock_of_logging(
    programs: Programs,
) -> None:
    """The thread of the event loop does not wait for a lock that the waiting thread has taken."""
    printed = programs.run(
        """
        import logging, signal
        from sendblue_async import SyncSendblueClient

        client = SyncSendblueClient()

        class Interrupted(logging.Logger):
            def __init__(self, name):
                super().__init__(name)
                signal.raise_signal(signal.SIGUSR1)

        def call(*_):
            print(client.create_contact("+14155550100").status)

        signal.signal(signal.SIGUSR1, call)
        logging.setLoggerClass(Interrupted)
        # It makes the logger with its lock taken.
        logging.getLogger("application")
        """
    )
    assert printed == "OK\n"


def test_a_fork_may_come_while_the_event_loop_is_made(programs: Programs, sandbox: Sandbox) -> None:
    """A child that goes on with the first call of its parent shares no event loop with it."""
    printed = programs.run(
        """
        import os, sys
        from sendblue_async import SyncSendblueClient

        client, child = SyncSendblueClient(), None

        def fork(frame, event, _):
            global child
            if (event, frame.f_code.co_name) == ("call", "socketpair"):
                sys.setprofile(None)
                child = os.fork()

        sys.setprofile(fork)
        for n in range(20):
            client.create_contact(f"+141555501{n:02}", update_if_exists=True)
        if child == 0:
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert printed == "0\n"
    assert sandbox.counts["created"] == 20


def test_a_fork_within_a_call_ends_it_in_the_child(
    slow_programs: Programs, listener: socket.socket
) -> None:
    """A handler that forks during a call: the child is told, and the parent gets its answer."""
    source = """
        import os, signal, sys
        from sendblue_async import ConfigurationError, SyncSendblueClient
        client = SyncSendblueClient()
        child = None

        def fork(*_):
            global child
            child = os.fork()

        signal.signal(signal.SIGUSR1, fork)
        try:
            print(client.get_contact("+14155550123").status, flush=True)
        except ConfigurationError as error:
            sys.exit(0 if child == 0 and "forked" in str(error) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    with slow_programs.start(source) as program:
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(65536)
            program.send_signal(signal.SIGUSR1)
            # The child is told within a second.
            time.sleep(2)
            connection.sendall(HEAD % len(BODY) + BODY)
            assert program.communicate(timeout=20) == ("OK\n0\n", "")


def test_a_first_call_imports_nothing(programs: Programs) -> None:
    """An import that a fork leaves half done can never be finished: a call has none to make."""
    printed = programs.run(
        """
        import os, sys
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient(base_url=os.environ["SENDBLUE_API_BASE_URL"])
        before = {*sys.modules}
        client.create_contact("+14155550100")
        print({*sys.modules} - before)
        """
    )
    assert printed == "set()\n"
