"""Which encoding a file is taken to be in, and what becomes of bytes that are no text in it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async.batch._sources import _encoding
from sendblue_async.batch._sources._encoding import read_lines
from sendblue_async.batch._sources._file import open_source
from sendblue_async.batch._sources._table import Table, read_table
from sendblue_async.exceptions import ConfigurationError, ValidationError

Read = Callable[..., Table]
GERMAN = "number,name\n+14155550123,Müßiggang\n+14155550124,Ödön\n"


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads bytes as a CSV file."""
    path = tmp_path_factory.mktemp("encoding") / "contacts.csv"

    def table(content: bytes, **options: str) -> Table:
        path.write_bytes(content)
        return read_table(path, **options)

    return table


def cells(table: Table) -> list[tuple[str, ...]]:
    """The cells of all rows."""
    return [row.cells for row in table.rows()]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("utf-32-le", "utf-32-le"),
        ("utf-32-be", "utf-32-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_detected(read: Read, written: str, said: str) -> None:
    """Each encoding is recognised, with a byte order mark or without, and read right."""
    table = read(GERMAN.encode(written))
    assert table.encoding == said
    assert table.columns == ("number", "name")
    assert cells(table) == [("+14155550123", "Müßiggang"), ("+14155550124", "Ödön")]


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_the_header_has_to_be_latin(read: Read, encoding: str, end: str) -> None:
    """UTF-16 without a mark is seen by its header, which may have a few other letters in it."""
    rows = ["", "number,name (Ā㈀)", *["漢Ā,漢漢漢"] * 100]
    table = read(end.join(rows).encode(encoding))
    assert table.encoding == encoding
    assert table.columns == ("number", "name (Ā㈀)")
    assert cells(table) == [("漢Ā", "漢漢漢")] * 100


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-8"])
def test_a_byte_order_mark_is_never_a_part_of_a_name(read: Read, encoding: str) -> None:
    """It goes, also where the encoding is given."""
    table = read(("\ufeff" + GERMAN).encode(encoding), encoding=encoding)
    assert table.columns == ("number", "name")


@pytest.mark.parametrize(
    ("name", "said"), [("Latin-1", "iso8859-1"), ("UTF8", "utf-8"), ("cp1250", "cp1250")]
)
def test_the_encoding_can_be_given(read: Read, name: str, said: str) -> None:
    """A given encoding is used, and called as Python calls it."""
    table = read(GERMAN.encode(name), encoding=name)
    assert table.encoding == said
    assert cells(table)[1] == ("+14155550124", "Ödön")


@pytest.mark.parametrize("name", ["klingon", "", "base64", "rot13", "undefined\0"])
def test_an_unknown_encoding_is_refused(read: Read, name: str) -> None:
    """What is no encoding of text to Python is an error that names it."""
    with pytest.raises(ConfigurationError, match="is not a known encoding"):
        read(b"a,b\n", encoding=name)


@pytest.mark.parametrize("name", ["utf-16", "utf-32", "idna", "punycode", "undefined"])
@pytest.mark.parametrize("content", [b"number,name\n1,\xff\n", b'{"number": "1"}\n'])
def test_an_encoding_in_which_nothing_can_be_read_is_refused(
    read: Read, content: bytes, name: str
) -> None:
    """A byte order mark that it must have is missing, or it cannot mark what is not text."""
    with pytest.raises(ConfigurationError, match=f"cannot be read as {name}. Leave the encoding"):
        read(content, encoding=name)


def test_a_few_broken_lines_do_not_make_a_file_windows_1252(read: Read) -> None:
    """In a UTF-8 file only the broken rows are undecodable, with U+FFFD for what is broken."""
    good = "+14155550123,Zoë\n".encode()
    table = read(b"number,name\n" + good * 3 + b"+14155550124,Zo\xeb\n" + good + b"1,\xff\xfe x\n")
    assert table.encoding == "utf-8"
    found = list(table.rows())
    assert [row.line for row in found if row.problem] == [5, 7]
    assert {row.problem.code for row in found if row.problem} == {"undecodable"}
    assert found[3].cells == ("+14155550124", "Zo\ufffd")
    assert found[0].cells == found[4].cells == ("+14155550123", "Zoë")


@pytest.mark.parametrize(("valid", "broken"), [(1, 1), (50, 49), (0, 0), (3, 0)])
def test_lines_are_counted(read: Read, valid: int, broken: int) -> None:
    """A file of which as many lines are valid UTF-8 as are broken is UTF-8."""
    lines = ["José,x\n".encode()] * valid + [b"Jos\xe9,x\n"] * broken + [b"plain,x\n"] * 7
    random.Random(5).shuffle(lines)
    for end in (b"\n", b"\r"):
        table = read((b"a,b\n" + b"".join(lines)).replace(b"\n", end)[:-1])
        assert table.encoding == "utf-8"
        assert [row.problem is not None for row in table.rows()].count(True) == broken


@pytest.mark.parametrize(("valid", "broken"), [(1, 2), (40, 50)])
def test_a_file_in_two_encodings_is_refused(read: Read, valid: int, broken: int) -> None:
    """Where most lines are in another encoding, none is stored as what it is not."""
    lines = ["José,x\n".encode()] * valid + [b"Jos\xe9,x\n"] * broken + [b"plain,x\n"] * 7
    content = b"a,b\n" + b"".join(lines)
    with pytest.raises(
        ValidationError, match=r"has some lines in UTF-8, and more in another .*José"
    ):
        read(content)
    assert read(content, encoding="cp1252").encoding == "cp1252"


def test_the_whole_file_counts(read: Read) -> None:
    """A broken line after megabytes of ASCII is noticed, as is a character across two reads."""
    plain = b"a,b\n" * 300_000
    assert read(plain + b"Jos\xe9,x\n").encoding == "cp1252"
    for shift in range(4):
        text = b"x" * shift + ("é" * 999 + "\n").encode() * 500
        table = read(b"a,b\n" + text)
        assert table.encoding == "utf-8"
        assert not any(row.problem for row in table.rows())


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis", "ascii"])
def test_broken_text_in_any_encoding_is_the_row_s_problem(read: Read, encoding: str) -> None:
    """Half a character, or one that the encoding lacks, is shown as U+FFFD and breaks one row."""
    text = "a,b\nx,y\nz,?\n".encode(encoding)
    broken = {"utf-16": b"\x00\xd8", "shift_jis": b"\x82", "ascii": b"\xe4"}[encoding]
    table = read(
        text.replace("?".encode(encoding)[-2:].strip(b"\xff\xfe"), broken), encoding=encoding
    )
    first, second = table.rows()
    assert (first.cells, first.problem) == (("x", "y"), None)
    assert second.problem is not None
    assert second.problem.code == "undecodable"
    assert second.cells[1].startswith("\ufffd")


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "cp1252", "latin-1", "cp1251"]))
def test_any_bytes_at_all_can_be_written_out_again(
    read: Read, content: bytes, encoding: str
) -> None:
    """Whatever follows a header, each cell is text that can be encoded."""
    table = read(b"number,name\n" + content, encoding=encoding)
    for row in table.rows():
        "".join(row.cells).encode()
        assert "\0" not in "".join(row.cells)


def workbook() -> bytes:
    """The beginning of every .xlsx."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"encoding": "cp1252"}])
def test_a_workbook_is_to_be_saved_as_csv(read: Read, options: dict[str, str]) -> None:
    """For an Excel file the error says what to do in Excel."""
    with pytest.raises(ValidationError, match=r'contacts\.csv is an Excel .* Save it as "CSV UTF'):
        read(workbook(), **options)


@pytest.mark.parametrize(
    "content",
    [
        random.Random(1).randbytes(4000),
        bytes(range(256)) * 4,
        bytes(1000),
        b"\xef\xbb\xbf" + random.Random(1).randbytes(4000),
        struct.pack("<800H", *random.Random(1).choices(range(256), k=800)),
        struct.pack(">800H", *random.Random(1).choices(range(256), k=800)),
    ],
    ids=["random", "all", "nul", "marked", "little-endian", "big-endian"],
)
def test_what_is_no_text_is_refused(read: Read, content: bytes) -> None:
    """A binary file is told by its control characters."""
    with pytest.raises(ValidationError, match=r"contacts\.csv is not a text file\. Export "):
        read(content)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"%PDF-1.7\n", "is a PDF document. Export "),
        (b"SQLite format 3\0", "is an SQLite database. Export "),
        (b"\0\1\0\0Standard ACE DB\0", "is an Access database. Export "),
        (b"PAR1\x15\4", "is a Parquet file. Export "),
        (b"ARROW1\0\0", "is an Arrow file. Export "),
        (b"Obj\1\4", "is an Avro file. Export "),
        (b"\x89PNG\r\n\x1a\n", "is a picture. Export "),
        (b"\xff\xd8\xff\xe0", "is a picture. Export "),
        (gzip.compress(GERMAN.encode()), "is compressed with gzip. Unpack it"),
        (bz2.compress(GERMAN.encode()), "is compressed with bzip2. Unpack it"),
        (lzma.compress(GERMAN.encode()), "is compressed with xz. Unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "is compressed with 7-Zip. Unpack it"),
        (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard. Unpack it"),
        (b"Rar!\x1a\x07\1\0", "is compressed with RAR. Unpack it"),
    ],
)
def test_a_binary_file_is_called_what_it_is(read: Read, start: bytes, said: str) -> None:
    """Its first bytes tell, whatever its name is, and the error says what to do."""
    with pytest.raises(ValidationError, match=re.escape(said)):
        read(start + bytes(100))


def test_a_few_control_characters_do_not_make_a_file_binary(read: Read) -> None:
    """Text with NULs in some rows is still read."""
    table = read(b"number,name\n" + b"+14155550123,A\0da\n" * 3 + b"+14155550124,Bob\n" * 50)
    assert [row.problem is None for row in table.rows()].count(False) == 3


@given(
    st.text(st.sampled_from("ab\r\n\x0b\x0c\x1c\x85\u2028é")), st.sampled_from(["utf-8", "utf-16"])
)
def test_lines_end_where_python_s_files_end_them(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str
) -> None:
    """Only the three line ends end a line, and all lines together are the text."""
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes(text.encode(encoding))
    with open_source(path) as source:
        found = list(read_lines(source, encoding))
    assert found == list(io.StringIO(text, newline=""))


def test_a_line_without_an_end_is_not_read_into_memory(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line beyond the limit makes the file unusable, in ASCII and out of it."""
    monkeypatch.setattr(_encoding, "LONGEST_LINE", 1 << 19)
    for content in (b"a,b\n" + b"x" * (1 << 20), b"a,b\n" + "é".encode() * (1 << 20)):
        with pytest.raises(ValidationError, match="a line of more than 524,288 characters"):
            list(read(content).rows())


def test_the_fingerprint_is_that_of_the_bytes(read: Read, tmp_path: Path) -> None:
    """All bytes count, whichever way the encoding was found and whatever the format is."""
    content = GERMAN.encode() * 50_000
    expected = hashlib.sha256(content).hexdigest()
    assert read(content).fingerprint == read(content, encoding="latin-1").fingerprint == expected
    for name, content in [
        ("a.jsonl", b'{"a": 1}\n' * 100_000),
        ("a.vcf", b"BEGIN:VCARD\nEND:VCARD\n" * 50_000),
        ("a.csv", GERMAN.encode("utf-16")),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        assert read_table(path).fingerprint == hashlib.sha256(content).hexdigest()
