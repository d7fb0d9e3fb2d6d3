"""How programs with a blocking client end: at once, whatever they leave behind."""

from __future__ import annotations

import re
import socket
import sys
import textwrap
import time

import pytest

from sendblue_async.sandbox import Sandbox

from .programs import Programs

# What a script does last with a client that it never closes.
LAST = {
    "a call": "client.create_contact('+14155550100', update_if_exists=True)",
    "calls of many threads": """
        from concurrent.futures import ThreadPoolExecutor
        def upsert(n): client.create_contact(f"+1415555010{n}", update_if_exists=True)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(upsert, range(8)))
    """,
    "a call, and then it drops the client": """
        client.create_contact("+14155550100")
        del client
    """,
    "a call given up": """
        from sendblue_async import SendblueError, Timeouts
        hasty = client.with_options(timeouts=Timeouts(connect=0.001, attempt=0.001, total=0.001))
        try: hasty.get_contact("+14155550100")
        except SendblueError: pass
    """,
    "an iteration half done": """
        for n in range(10, 40):
            client.create_contact(f"+141555501{n}", update_if_exists=True)
        contacts = client.iter_contacts(page_size=10)
        next(contacts)
    """,
}


@pytest.mark.parametrize("last", LAST)
def test_a_script_that_never_closes_its_client_ends_at_once(programs: Programs, last: str) -> None:
    """Less than a second after its last line such a script is gone, without a complaint."""
    source = "\n".join(
        [
            "import time",
            "from sendblue_async import SyncSendblueClient",
            "client = SyncSendblueClient()",
            textwrap.dedent(LAST[last]),
            "print(time.time())",
        ]
    )

    def seconds_to_end() -> float:
        printed = programs.run(source)
        return time.time() - float(printed)

    # A busy machine can make any one of them late, but hardly all three.
    assert any(seconds_to_end() < 1 for _ in range(3))


# Functions that make a client and drop it, with an error or a circle around it.
DROPPED = {
    "an error that leads to it": """
        def work():
            try:
                SyncSendblueClient().get_contact("+14155550199")
            except SendblueError as error:
                error.itself = error
    """,
    "a batch": """
        def work():
            rows = [{"number": f"+1415555010{n}"} for n in range(3)]
            list(SyncSendblueClient().create_contacts(rows, update_if_exists=True))
    """,
    "a circle": """
        def work():
            client = SyncSendblueClient()
            client.itself = client
            client.get_contact("+14155550100")
    """,
}
COLLECT = """
    gc.collect()
    deadline = time.monotonic() + 20
    while len(os.listdir("/proc/self/fd")) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


@pytest.mark.parametrize("dropped", DROPPED)
@pytest.mark.parametrize("end", ["", COLLECT])
def test_a_client_may_be_left_to_the_garbage_collector(
    programs: Programs, dropped: str, end: str
) -> None:
    """Its connections are closed, and nothing is logged: not then, and not at the end."""
    start = """
        import gc, os, time
        from sendblue_async import SendblueError, SyncSendblueClient
        kept = SyncSendblueClient()
        kept.create_contact("+14155550100")
        before = len(os.listdir("/proc/self/fd"))
    """
    drop = "for _ in range(20): work()"
    programs.run("\n".join(map(textwrap.dedent, [start, DROPPED[dropped], drop, end])))


def test_a_finished_batch_leaves_its_client_at_once(programs: Programs) -> None:
    """No circle keeps a client and its connections until the garbage collector comes by."""
    programs.run(
        """
        import gc, time, weakref
        from sendblue_async import SyncSendblueClient
        gc.disable()
        client = SyncSendblueClient()
        gone = weakref.ref(client._client._transport)
        rows = [{"number": f"+1415555010{n}"} for n in range(3)]
        list(client.create_contacts(rows, update_if_exists=True))
        del client
        deadline = time.monotonic() + 20
        while gone() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        """
    )


def test_an_unclosed_client_is_a_resource_warning(programs: Programs) -> None:
    """Where resource warnings are shown, an unclosed client gives one, and aiohttp none."""
    source = """
        from sendblue_async import SyncSendblueClient
        SyncSendblueClient().create_contact("+14155550100")
    """
    with programs.start(source, "-W", "always::ResourceWarning") as program:
        _, complaints = program.communicate(timeout=40)
    assert program.returncode == 0
    assert re.findall("[Uu]nclosed [^_]+$", complaints, re.MULTILINE) == [
        "unclosed Sendblue client"
    ]


def test_a_program_may_end_while_a_daemon_thread_calls(
    slow_programs: Programs, listener: socket.socket
) -> None:
    """A call under way on a daemon thread does not hold up the end of the program."""
    source = """
        import threading
        from sendblue_async import SyncSendblueClient
        call = SyncSendblueClient().get_contact
        threading.Thread(target=call, args=["+14155550123"], daemon=True).start()
        input()
    """
    with slow_programs.start(source) as program:
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(65536)
            assert program.communicate("\n", timeout=20) == ("", "")
            assert program.returncode == 0


# What calls `work` after the last line of the program, and which end of the interpreter that is.
LATE = {
    "a thread": """
        def outlive():
            threading.main_thread().join()
            work()
        threading.Thread(target=outlive).start()
    """,
    "a thread pool": """
        def outlive():
            while not thread._shutdown:
                time.sleep(0.01)
            work()
        ThreadPoolExecutor().submit(outlive)
    """,
    "atexit": "atexit.register(work)",
    "weakref.finalize": "finalizer = weakref.finalize(client, work)",
}
# These start no thread any more once the main thread has ended.
STARTS_NO_THREAD = sys.version_info[:3] in ((3, 12, 0), (3, 12, 1))
BLOCKING = "client.create_contact('+14155550100', first_name='late')"
AWAITED = f"asyncio.run(asynchronous_{BLOCKING})"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("kind", ["used before", "not used before", "asynchronous"])
@pytest.mark.parametrize("late", LATE)
def test_a_call_may_come_after_the_last_line(
    programs: Programs, sandbox: Sandbox, late: str, kind: str, host: str
) -> None:
    """Calls of threads and handlers that outlive the main thread work, with names looked up."""
    programs.environment["SENDBLUE_API_BASE_URL"] = sandbox.base_url.replace("127.0.0.1", host)
    start = f"""
        import asyncio, atexit, threading, time, weakref
        from concurrent.futures import ThreadPoolExecutor, thread
        from sendblue_async import ConfigurationError, SendblueClient, SyncSendblueClient
        client, asynchronous_client = SyncSendblueClient(), SendblueClient()
        if {kind == "used before"}:
            client.create_contact("+14155550101")
        def work():
            try:
                print({AWAITED if kind == "asynchronous" else BLOCKING}.status)
            except ConfigurationError as error:
                print(repr(error.__cause__))
        """
    printed = programs.run(textwrap.dedent(start) + textwrap.dedent(LATE[late]))
    if STARTS_NO_THREAD and kind == "not used before":
        assert "can't create new thread" in printed
    else:
        assert printed == "OK\n"
        assert "+14155550100" in sandbox.contacts


def test_a_file_may_be_imported_after_the_last_line(programs: Programs, sandbox: Sandbox) -> None:
    """An import on a thread that outlives the main thread works."""
    programs.write("contacts.csv", "number\n+14155550100\n")
    printed = programs.run(
        f"""
        import threading
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        client.create_contact("+14155550101")
        def outlive():
            threading.main_thread().join()
            print(client.import_contacts({str(programs.folder / "contacts.csv")!r}).created)
        threading.Thread(target=outlive).start()
        """
    )
    assert printed == "1\n"
    assert "+14155550100" in sandbox.contacts


# How a call is made whose name is never found.
HANGING = {
    "blocking": "blocking.get_contact('+14155550100')",
    "asynchronous": "asyncio.run(awaited.get_contact('+14155550100'))",
}


@pytest.mark.parametrize("kind", HANGING)
def test_a_look_up_that_hangs_keeps_no_program_from_ending(programs: Programs, kind: str) -> None:
    """Where the resolver hangs, the call ends at its deadline, and the program with it."""
    printed = programs.run(
        f"""
        import asyncio, socket, threading, time
        from sendblue_async import SendblueClient, SendblueError, SyncSendblueClient, Timeouts

        def hang(*_, **__):
            threading.Event().wait()

        socket.getaddrinfo = hang
        options = dict(base_url="https://sendblue.invalid", timeouts=Timeouts(total=1))
        blocking, awaited = SyncSendblueClient(**options), SendblueClient(**options)
        for _ in range(5):
            try:
                {HANGING[kind]}
            except SendblueError as error:
                assert error.timed_out
        names = [thread.name for thread in threading.enumerate()]
        print(names.count("sendblue-async-resolver"), time.time())
        """
    )
    threads, ended = printed.split()
    assert threads == "1"
    assert time.time() - float(ended) < 5


@pytest.mark.parametrize("closed", [False, True])
def test_an_interpreter_may_have_lost_its_modules(programs: Programs, closed: bool) -> None:
    """A client that goes after what its module has imported goes without noise."""
    printed = programs.run(
        f"""
        import gc, sys
        from sendblue_async import SyncSendblueClient
        client = SyncSendblueClient()
        client.create_contact("+14155550100")
        if {closed}:
            client.close()
        # As free-threaded builds leave the module by then.
        names = vars(sys.modules["sendblue_async._pool"])
        names.update(dict.fromkeys(["asyncio", "os", "sys", "warnings"]))
        del client
        gc.collect()
        print("end")
        """
    )
    assert printed == "end\n"


def test_a_call_of_a_finalizer_ends(programs: Programs) -> None:
    """A call made by __del__ while the interpreter takes itself apart fails at once."""
    source = """
        import builtins
        from sendblue_async import SyncSendblueClient

        class Last:
            def __init__(self):
                self.client = SyncSendblueClient()
            def __del__(self):
                self.client.get_contact("+14155550100")

        builtins.last = Last()
        builtins.last.client.create_contact("+14155550101")
    """
    with programs.start(source) as program:
        _, complaints = program.communicate(timeout=20)
    assert program.returncode == 0
    assert "interpreter" in complaints
