"""vCard files that are spoilt at random: no card is lost, and no number changes hands."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async.batch._importing._options import ImportOptions
from sendblue_async.batch._mapping._contact_reader import Entry
from sendblue_async.batch._sources._table import read_table
from sendblue_async.exceptions import ValidationError

Read = Callable[[bytes], list[Entry]]
NAMES = ["Moss", "KING", "Müller", "O'Neill", "N", "Tel", "Fn", "张"]


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that is read."""
    return tmp_path_factory.mktemp("mutations") / "contacts.vcf"


@pytest.fixture(scope="session")
def entries(path: Path) -> Read:
    """The entries of a vCard file."""

    def read(content: bytes) -> list[Entry]:
        path.write_bytes(content)
        return list(ImportOptions(all_numbers=False).read(path).entries())

    return read


@st.composite
def cards(draw: st.DrawFn, index: int = 0) -> list[str]:
    """The lines of a card, with a number of its own and odd lines of all kinds."""
    last, first = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    quoted = "".join(f"={byte:02X}" for byte in f"{last}{index};{first}".encode())
    name = draw(
        st.sampled_from(
            [
                f"N:{last}{index};{first};;;",
                f"N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:{quoted[:9]}=\n{quoted[9:]}",
                f"N:{last}{index};{first[:1]}\n {first[1:]}",
            ]
        )
    )
    number = f"+12015550{100 + index}"
    odd = st.sampled_from([
        "X-FOO", "NOTE:a\nb\n\nc: d", "PHOTO;ENCODING=BASE64:AAAA\nBBBB==\n", "REV:1", "",
        "EMAIL:a@example.com", "item1.X-ABLabel:x", "NOTE;ENCODING=QUOTED-PRINTABLE:a=\n b=\n c",
    ])  # fmt: skip
    lines = [f"VERSION:{draw(st.sampled_from(['2.1', '3.0', '4.0']))}", name, draw(odd)]
    lines += [f"FN:{first} {last}{index}"] * draw(st.booleans())
    return [*lines, f"TEL;{draw(st.sampled_from(['CELL', 'TYPE=HOME']))}:{number}", draw(odd)]


@st.composite
def files(draw: st.DrawFn) -> list[list[str]]:
    """The cards of a file."""
    return [draw(cards(index)) for index in range(draw(st.integers(1, 5)))]


@given(files(), st.data())
def test_each_card_is_an_entry(entries: Read, people: list[list[str]], data: st.DataObject) -> None:
    """Without an end, with two beginnings, nested, and with anything without letters between."""
    between = st.sampled_from(
        ["\n", "", " ", "\r\n\r\n", "\f", "\ufeff", "\n--\n", ";", "\n\ufeff", "\x1a\n", "\\n"]
    )
    text = ""
    for lines in people:
        begin = data.draw(
            st.sampled_from(["BEGIN:VCARD\n", "begin:vcard\r\n", "Begin : VCard\n"]), "begin"
        )
        body = "".join(f"{line}\n" for line in lines)
        if data.draw(st.booleans(), "agent"):
            body += f"AGENT:\n{begin}FN:An Agent\nEND:VCARD\n"
        twice = data.draw(st.booleans(), "twice")
        end = data.draw(st.sampled_from(["END:VCARD", "end:vcard", ""]), "end")
        text += begin * (1 + twice) + body + end + data.draw(between, "between")
    found = entries(text.encode())
    assert len(found) == len(re.findall("begin[ ]?:[ ]?vcard", text, re.IGNORECASE))
    assert [entry.index for entry in found] == [*range(len(found))]


@given(files(), st.data())
def test_no_number_changes_hands(
    entries: Read, path: Path, people: list[list[str]], data: st.DataObject
) -> None:
    """Marks, versions and line ends are lost: a number keeps its name, or its row is rejected."""
    right = {
        entry.contact.number: entry.contact
        for lines in people
        for entry in entries("\n".join(["BEGIN:VCARD", *lines, "END:VCARD"]).encode())
        if entry.contact is not None
    }
    assert len(right) == len(people)
    kept = ["N", "FN", "TEL", "EMAIL"]
    text = ""
    for lines in people:
        whole = ["BEGIN:VCARD", *lines, "END:VCARD"]
        for line, following in zip(whole, [*whole[1:], "BEGIN:VCARD"], strict=True):
            name = re.split("[;:]", line)[0]
            lose = st.sampled_from([False] * 4 + [True])
            if name in {"BEGIN", "END", "VERSION"} and data.draw(lose, "line"):
                continue
            # What has no colon is a part of any name.
            is_read = name in {*kept, "BEGIN", "END", "VERSION"} and ":" in following
            text += line + ("" if is_read and data.draw(lose, "end") else "\n")
    try:
        found = entries(text.encode())
    except ValidationError:
        assert "BEGIN:VCARD" not in text
        return
    cells = "".join("".join(row.cells) for row in read_table(path).rows())
    for number in right:
        assert number in cells
    for entry in found:
        if entry.contact is not None:
            expected = right[entry.contact.number].to_dict()
            assert entry.contact.to_dict() == expected


@given(files(), st.data())
def test_any_bytes_are_read_or_refused(
    entries: Read, people: list[list[str]], data: st.DataObject
) -> None:
    """Bytes are lost, doubled and changed: nothing else is raised, and no card is lost."""
    content = "".join(
        "\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""]) for lines in people
    ).encode()
    for _ in range(data.draw(st.integers(1, 4), "times")):
        start = data.draw(st.integers(0, len(content)), "start")
        end = data.draw(st.integers(start, min(len(content), start + 60)), "end")
        put = data.draw(st.sampled_from([b"", content[start:end] * 2, b"\xff", b"\0=\r", b'"(:;']))
        content = content[:start] + put + content[end:]
    try:
        found = entries(content)
    except ValidationError:
        return
    # A line that begins a card is one wherever it stands.
    begun = len(re.findall(rb"(?:\A|[\r\n])BEGIN:VCARD(?=[\r\n])", content))
    assert len(found) >= begun


def peak(path: Path, expected: int) -> int:
    """How many bytes it takes at most to read the rows of a file."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_table(path).rows()) == expected
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("width", "size"), [(76, 20), (1 << 20, 100), (100 << 20, 100)])
def test_a_picture_takes_no_memory(tmp_path: Path, width: int, size: int) -> None:
    """Up to 100 MB, folded, in long lines or on one line, beside letters that show the encoding."""
    path = tmp_path / "contacts.vcf"
    read = "BEGIN:VCARD\nVERSION:3.0\nFN:Zoë\nTEL:+12015550101\n"

    def lines() -> Iterator[bytes]:
        yield f"{read}PHOTO;X-É=1;ENCODING=b:".encode()
        line = b"A" * width + b"\n "
        for _ in range((size << 20) // width):
            yield line
        yield f"\nNOTE:É\nEND:VCARD{read}END:VCARD\n".encode()

    with path.open("wb") as file:
        file.writelines(lines())
    assert peak(path, 2) < 4_000_000
    path.unlink()
