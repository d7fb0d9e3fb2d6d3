"""vCards of every version as rows, and cards that are broken in every way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendblue_async.batch._sources._table import Table, read_table
from sendblue_async.exceptions import ValidationError

Read = Callable[..., Table]
FIRST, LAST, PHONE, EMAIL, ORGANIZATION, CATEGORIES = range(6)


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads text or bytes as a vCard file."""
    path = tmp_path_factory.mktemp("vcard") / "contacts.vcf"

    def table(content: str | bytes, **options: str) -> Table:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, **options)

    return table


def card(*lines: str, version: str = "3.0", end: str = "\r\n") -> str:
    """A card with these properties."""
    return end.join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def cells(read: Read, *lines: str, **options: str) -> tuple[str, ...]:
    """The cells of a card with these properties."""
    (row,) = read(card(*lines, **options)).rows()
    assert row.problem is None
    return row.cells


def seen(table: Table) -> list[tuple[Any, ...]]:
    """Line, first name and the code of the problem of each row."""
    return [(row.line, row.cells[FIRST], row.problem and row.problem.code) for row in table.rows()]


def test_a_card_of_version_2_1(read: Read) -> None:
    """Quoted-printable, bare types and a comma that separates nothing."""
    found = cells(
        read,
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller, Dr.;J=C3=BCr=",
        "gen;;;",
        "FN;charset=utf-8;encoding=quoted-printable:J=C3=BCrgen M=C3=BCller",
        "TEL;HOME;VOICE:030 1234",
        "TEL;CELL;PREF:+49 1512 3485260",
        "EMAIL;INTERNET:j@example.com",
        "ORG;QUOTED-PRINTABLE:Gr=C3=BCn;Verkauf",
        version="2.1",
    )
    assert found == (
        "Jürgen", "Müller, Dr.", "+49 1512 3485260 ::: 030 1234", "j@example.com", "Grün", "",
    )  # fmt: skip


def test_quoted_printable_in_another_charset(read: Read) -> None:
    """The charset of a property is that of its quoted bytes, whatever the file is in."""
    line = "N;CHARSET=windows-1252;ENCODING=QUOTED-PRINTABLE:M=FCller;Zo=EB"
    assert cells(read, line, version="2.1")[:2] == ("Zoë", "Müller")


def test_a_card_of_version_3_0(read: Read) -> None:
    """Folded lines, groups, escapes, lists and types as Apple and Google write them."""
    found = cells(
        read,
        "N:Lovelace;Ada,Augusta;;;",
        "FN:Somebody Else",
        "item1.TEL;TYPE=HOME:(201) 555-0101",
        "item1.X-ABLabel:_$!<HomePage>!$_",
        "TEL;TYPE=CELL;TYPE=pref:+1 201 55",
        " 5-0102",
        'TEL;type="voice,PREF":+1 201 555-0103',
        "EMAIL;TYPE=INTERNET:a@example.com",
        "EMAIL:b@example.com",
        r"ORG:Analytical\; Engines\, Ltd.;Sales",
        r"CATEGORIES:vip,a\,b",
        "CATEGORIES: lead ,",
        r"NOTE:one\ntwo",
    )
    assert found == (
        "Ada Augusta",
        "Lovelace",
        "+1 201 555-0102 ::: +1 201 555-0103 ::: (201) 555-0101",
        "a@example.com ::: b@example.com",
        "Analytical; Engines, Ltd.",
        "vip ::: a,b ::: lead",
    )


def test_a_card_of_version_4_0(read: Read) -> None:
    """Phone numbers are URIs there, and preferences are ranks."""
    found = cells(
        read,
        "FN:Ada Lovelace",
        'TEL;VALUE=uri;TYPE="voice,home":tel:+1-201-555-0101',
        "TEL;VALUE=uri;PREF=2:TEL:+1-201-555-0102",
        "TEL;VALUE=uri;PREF=1:tel:+1-201-555-0103",
        "TEL;PREF=high:+1-201-555-0104",
        version="4.0",
    )
    assert found[:3] == (
        "Ada",
        "Lovelace",
        "+1-201-555-0103 ::: +1-201-555-0102 ::: +1-201-555-0101 ::: +1-201-555-0104",
    )


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_faxes_are_no_phones_and_mobiles_come_first(read: Read, version: str) -> None:
    """Only what a card prefers goes before its mobile numbers."""
    parameter = "" if version == "2.1" else "TYPE="
    found = cells(
        read,
        f"TEL;{parameter}HOME;{parameter}FAX:+12015550101",
        f"TEL;{parameter}pager:+12015550102",
        f"TEL;{parameter}Modem;{parameter}PREF:+12015550103",
        f"TEL;{parameter}HOME:+12015550104",
        f"TEL;{parameter}cell;{parameter}voice:+12015550105",
        f"TEL;{parameter}WORK;{parameter}PREF:+12015550106",
        *['TEL;VALUE=uri;TYPE="work,fax":tel:+12015550107'] * (version == "4.0"),
        version=version,
    )
    assert found[PHONE] == "+12015550106 ::: +12015550105 ::: +12015550104"


def test_a_card_with_a_fax_only_has_no_number(read: Read) -> None:
    """It is a row all the same."""
    assert cells(read, "FN:Ada", "TEL;TYPE=FAX:+12015550101")[:3] == ("Ada", "", "")


def test_an_extension_stays_with_its_number(read: Read) -> None:
    """So that it can be the reason why nothing is sent to it."""
    uri = "tel:+1-201-555-0101;ext=12"
    assert cells(read, f"TEL;VALUE=uri:{uri}", version="4.0")[PHONE] == uri.removeprefix("tel:")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["FN:Ada King Lovelace"], ("Ada King", "Lovelace")),
        (["FN: Ada  Lovelace "], ("Ada", "Lovelace")),
        (["FN:Ada"], ("Ada", "")),
        ([r"FN:Lovelace\, Ada"], ("Ada", "Lovelace")),
        (["FN:King, Ada"], ("Ada", "King")),
        (["N:;;;;", "FN:Ada Lovelace"], ("Ada", "Lovelace")),
        (["N:Lovelace", "FN:x y"], ("", "Lovelace")),
        (["N:;Ada;;;", "FN:x y"], ("Ada", "")),
        ([r"N:Love\;lace;A\\da;;;"], ("A\\da", "Love;lace")),
        (["N:Lovelace;Ada\\"], ("Ada\\", "Lovelace")),
        (["n:Lovelace;Ada"], ("Ada", "Lovelace")),
        ([], ("", "")),
    ],
)
def test_names(read: Read, lines: list[str], name: tuple[str, str]) -> None:
    """N tells first from last name; without it FN is split as a whole name in a table is."""
    assert cells(read, *lines, "TEL:1")[:2] == name


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_exact(read: Read, end: str) -> None:
    """Each row has the line of its BEGIN, after blank lines, folds and photos, too."""
    photo = ["PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ", *[" " + "A" * 74] * 40, " AA=="]
    one = card("FN:A", *photo, end=end)
    text = f"{end}{one}{end}{end}{one}{one.replace('VCARD', 'vCard')}"
    found = seen(read(text))
    length = 4 + len(photo)
    assert found == [(2, "A", None), (4 + length, "A", None), (4 + 2 * length, "A", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BEGIN:VCARD\nFN:A\n" + card("FN:B"), [(1, "A", "bad_vcard"), (3, "B", None)]),
        (card("FN:A") + "BEGIN:VCARD\nFN:B\n", [(1, "A", None), (5, "B", "bad_vcard")]),
        (
            "FN:A\n\nTEL:1\nEND:VCARD\n" + card("FN:B"),
            [(1, "A", "bad_vcard"), (5, "B", None)],
        ),
        (card("FN:A") + "END:VCARD\n\n" + card("FN:B"), [
            (1, "A", None), (5, "", "bad_vcard"), (7, "B", None),
        ]),
        (card("FN:A", "AGENT:", *card("FN:B").split()) + card("FN:C"), [
            (5, "B", None), (1, "A", None), (10, "C", None),
        ]),
        (card("FN:A") + "rubbish\n" + card("FN:B"), [
            (1, "A", None), (5, "", "bad_vcard"), (6, "B", None),
        ]),
        (card("FN:A") + "\nrubbish", [(1, "A", None), (6, "", "bad_vcard")]),
        ("BEGIN:VCARD", [(1, "", "bad_vcard")]),
        ("BEGIN:VCARD\nEND:VCARD", [(1, "", None)]),
    ],
)  # fmt: skip
def test_broken_cards_harm_no_others(
    read: Read, text: str, expected: list[tuple[Any, ...]]
) -> None:
    """A card without an end and text outside are rows with a problem, an agent's card is one."""
    assert seen(read(text)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "no property",
        'TEL;TYPE="open:1',
        "N;CHARSET=klingon;ENCODING=QUOTED-PRINTABLE:=C3",
        "FN;ENCODING=QUOTED-PRINTABLE:=4",
        "N;A=" + "x," * 60 + '"q"z:Ada;Z:x',
    ],
)
def test_a_card_that_cannot_be_parsed_is_accounted_for(read: Read, line: str) -> None:
    """It costs one row and no time, the reason names the line and shows nothing of it."""
    began = time.monotonic()
    first, second = read(card("TEL:+12015550101", line) + card("FN:B")).rows()
    assert time.monotonic() - began < 5
    assert first.problem is not None
    assert first.problem.code == "bad_vcard"
    assert first.problem.reason.startswith("Line 4 ")
    assert "klingon" not in first.problem.reason
    assert (first.line, first.cells[PHONE]) == (1, "\ufffd+12015550101")
    assert second.cells[FIRST] == "B"


def test_broken_bytes_are_undecodable_where_they_count(read: Read) -> None:
    """In a name they are the row's problem, in a note nobody reads them."""
    good = card("FN:Zoë").encode()
    broken = card("FN:Zo?").encode().replace(b"?", b"\xeb")
    noted = card("FN:Ada", "NOTE:?").encode().replace(b"?", b"\xeb")
    quoted = card("FN;ENCODING=QUOTED-PRINTABLE:?").encode().replace(b"?", b"\xeb")
    table = read(good * 3 + broken + noted + quoted)
    assert table.encoding == "utf-8"
    assert seen(table)[3:] == [
        (13, "Zo\ufffd", "undecodable"), (17, "Ada", None), (22, "\ufffd", "undecodable"),
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings(read: Read, encoding: str) -> None:
    """The encoding is detected as it is for CSV."""
    assert seen(read(card("FN:Zoë").encode(encoding))) == [(1, "Zoë", None)]


def test_a_large_photo_takes_little_time(read: Read) -> None:
    """Unfolding grows with the card, not with its square."""
    photo = ["PHOTO;ENCODING=b:AAAA", *[" " + "A" * 74] * 40_000]
    began = time.monotonic()
    assert cells(read, "FN:Ada", *photo, "TEL:1")[:3] == ("Ada", "", "1")
    assert time.monotonic() - began < 5


def test_a_card_with_too_much_is_not_kept(read: Read) -> None:
    """What is larger than any card is a row with a problem; a note may have any size."""
    text = card("FN:A", *["TEL:" + "1" * 10_000] * 120) + card("FN:B", "NOTE:" + "x" * 20_000_000)
    first, second = read(text).rows()
    assert (first.cells[FIRST], first.problem and first.problem.code) == ("A", "bad_vcard")
    assert len(first.cells[PHONE]) < 1 << 20
    assert (second.line, second.cells[FIRST], second.problem) == (125, "B", None)


def test_a_file_without_cards_cannot_be_used(read: Read) -> None:
    """The error names the file and what to do."""
    with pytest.raises(ValidationError, match=r"contacts\.vcf has no vCard in it\. Export "):
        read("number,name\n+14155550123,Ada\n")


NAME = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffd"),
    max_size=20,
).map(str.strip)


@given(st.lists(st.tuples(NAME, NAME, st.lists(NAME.filter(bool))), min_size=1), st.integers(1, 75))
def test_escaped_and_folded_values_read_back(
    read: Read, people: list[tuple[str, str, list[str]]], width: int
) -> None:
    """Whatever is in a value, and wherever its line is folded, the cells hold it."""

    def escaped(value: str) -> str:
        for special in "\\,;":
            value = value.replace(special, f"\\{special}")
        return value

    def folded(line: str) -> list[str]:
        rest = [line[n : n + width] for n in range(0, len(line), width)]
        return [("" if n == 0 else " ") + part for n, part in enumerate(rest)]

    def joined(categories: list[str]) -> str:
        single = len(categories) == 1 and {",", ";"} & {*categories[0]}
        return " ::: ".join([*categories, ""] if single else categories)

    text = ""
    for first, last, categories in people:
        name = f"N:{escaped(last)};{escaped(first)};;;"
        text += card(*folded(name), *folded(f"CATEGORIES:{','.join(map(escaped, categories))}"))
    found = list(read(text, encoding="utf-8").rows())
    assert [(row.cells[FIRST], row.cells[LAST], row.cells[CATEGORIES]) for row in found] == [
        (first, last, joined(categories)) for first, last, categories in people
    ]


@pytest.mark.parametrize(
    "head",
    [
        "PHOTO;ENCODING=b;TYPE=JPEG",
        "photo;encoding=base64",
        "item1.PHOTO",
        "LOGO;VALUE=uri",
        "SOUND",
        "KEY;MEDIATYPE=application/pgp-keys",
    ],
)
def test_a_picture_is_left_out_whatever_its_size(read: Read, head: str) -> None:
    """Over as many lines as it takes; what stands after it is read, and so is the next card."""
    picture = [f"{head}:{'A' * 75}", *[" " + "A" * 75] * 250_000, "\t" + "A" * 75, ""]
    one = card(*picture, "FN:Ada King", "TEL:+12015550101")
    two = card("FN:Alan", "TEL:+12015550102", *picture[:3])
    rows = [*read(one + two).rows()]
    assert [row.problem for row in rows] == [None, None]
    assert [row.line for row in rows] == [1, 250_009]
    assert [row.cells[PHONE] for row in rows] == ["+12015550101", "+12015550102"]
    assert rows[0].cells[:2] == ("Ada", "King")


def test_what_only_looks_like_a_picture_is_read(read: Read) -> None:
    """A text goes on after a soft line break, and a name may begin with the word."""
    found = cells(
        read,
        "N;ENCODING=QUOTED-PRINTABLE:King;=",
        "PHOTO:x",
        "PHOTOGRAPHER:no",
        "TEL:+12015550101",
        version="2.1",
    )
    assert found[:3] == ("PHOTO:x", "King", "+12015550101")


def test_a_line_that_continues_none_is_left_out_with_the_picture_alone(read: Read) -> None:
    """Folded lines after another property are part of that one."""
    found = cells(read, "PHOTO:A", " B", "FN:Ada", "  King", "TEL:+1201555", " 0101")
    assert found[:3] == ("Ada", "King", "+12015550101")
