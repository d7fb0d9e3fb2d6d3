"""Files with rows of a megabyte: memory does not grow with how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sendblue_async.sandbox import Sandbox

from ..sync.programs import Programs

ROWS = 100
MEGABYTE = 1_000_000
# Of 76 characters a line, as they come out of a phone.
PICTURE = ("A" * 75 + "\n ") * (MEGABYTE // 76)
# What getrusage tells of memory, a process has in part from the one that started it.
IMPORT = """
    import pathlib, re, sys
    from sendblue_async import SyncSendblueClient

    def peak():
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s*([0-9]+)", status)[1])

    with SyncSendblueClient() as client:
        client.create_contact("+12015559999")
        before = peak()
        report = client.import_contacts(sys.argv[1], rate_limit=1e6)
    print(report.created, report.rejected, *report.codes, peak() - before)
"""


def number(n: int) -> str:
    """One of many valid numbers."""
    return f"+1201555{n:04}"


def csv_cells() -> Iterator[str]:
    """Columns of which none is used have most of it."""
    yield "number,first_name," + ",".join(f"note {n}" for n in range(10)) + "\n"
    cells = ",".join(["x" * (MEGABYTE // 10)] * 10)
    for n in range(ROWS):
        yield f"{number(n)},Ada,{cells}\n"


def csv_line() -> Iterator[str]:
    """One cell has all of it."""
    yield "number,first_name\n"
    for n in range(ROWS):
        yield f"{number(n)},{'x' * MEGABYTE}\n"


def json_unused() -> Iterator[str]:
    """A key that is not used has all of it."""
    for n in range(ROWS):
        yield f'{{"number": "{number(n)}", "picture": "{"x" * MEGABYTE}"}}\n'


def json_used() -> Iterator[str]:
    """A name has all of it."""
    for n in range(ROWS):
        yield f'{{"number": "{number(n)}", "first_name": "{"x" * MEGABYTE}"}}\n'


def vcards() -> Iterator[str]:
    """A picture has all of it."""
    for n in range(ROWS):
        yield (
            f"BEGIN:VCARD\nVERSION:3.0\nPHOTO;ENCODING=b;TYPE=JPEG:{PICTURE}\nFN:Ada\n"
            f"TEL:{number(n)}\nEND:VCARD\n"
        )


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("rows", "name", "expected"),
    [
        (csv_cells, "people.csv", [str(ROWS), "0"]),
        (csv_line, "people.csv", ["0", str(ROWS), "cell_too_long"]),
        (json_unused, "people.jsonl", [str(ROWS), "0"]),
        (json_used, "people.jsonl", ["0", str(ROWS), "row_too_long"]),
        (vcards, "people.vcf", [str(ROWS), "0"]),
    ],
)
def test_memory_does_not_grow_with_long_rows(
    programs: Programs,
    sandbox: Sandbox,
    rows: Callable[[], Iterator[str]],
    name: str,
    expected: list[str],
) -> None:
    """What is used of a row is sent if it is no longer than a contact can be; else it is rejected.

    A hundred rows of a megabyte take less than the half of that.
    """
    path = programs.folder / name
    with path.open("w", encoding="utf-8") as file:
        file.writelines(rows())
    with programs.start(IMPORT, arguments=[str(path)]) as program:
        printed, complaints = program.communicate(timeout=150)
    assert complaints == ""
    *found, grown = printed.split()
    assert found == expected
    assert int(grown) < 45_000
    path.unlink()
