"""How programs with a blocking client end: at once, whatever they leave behind."""

from __future__ import annotations

import re
import socket
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


# A host name is looked up on a thread of its own, which an exiting interpreter does not start.
@pytest.mark.parametrize(("host", "used"), [("127.0.0.1", True), ("localhost", False)])
def test_a_call_from_an_exit_handler_ends(
    programs: Programs, sandbox: Sandbox, host: str, used: bool
) -> None:
    """A call from atexit works or fails with an error of ours that says so; it never hangs."""
    printed = programs.run(
        f"""
        import atexit
        from sendblue_async import SendblueError, SyncSendblueClient
        client = SyncSendblueClient(base_url={sandbox.base_url.replace("127.0.0.1", host)!r})
        @atexit.register
        def last():
            try:
                print(client.create_contact("+14155550100", first_name="late").status)
            except SendblueError as error:
                print("failed,", error)
        if {used}:
            client.create_contact("+14155550101")
        """
    )
    assert printed == "OK\n" or (printed.startswith("failed, ") and len(printed) > 30)
    assert ("+14155550100" in sandbox.contacts) == (printed == "OK\n")
