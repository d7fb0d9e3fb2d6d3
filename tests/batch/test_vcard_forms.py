"""What is stored of vCards as phones and programs write them, and in every way they are spoilt."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch._importing._options import ImportOptions
from sendblue_async.batch._importing._rejected import write_rejected
from sendblue_async.batch._results import EntryOutcome
from sendblue_async.batch._sources._table import read_table
from sendblue_async.exceptions import ValidationError

Stored = Callable[..., list[tuple[Any, ...]]]
ALAN = ["N:Moss;Alan;;;", "FN:Alan Moss", "TEL:+12015550101"]
ADA = ["N:King;Ada;;;", "FN:Ada King", "TEL:+12015550102"]
IS_ALAN = ("+12015550101", "Alan", "Moss")
IS_ADA = ("+12015550102", "Ada", "King")
MARK = "\ufeff"


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Number, first and last name of each contact, or the line and code of each rejected card."""
    path = tmp_path_factory.mktemp("forms") / "contacts.vcf"

    def entries(content: str | bytes, **options: Any) -> list[tuple[Any, ...]]:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found: list[tuple[Any, ...]] = []
        for entry in ImportOptions(**options).read(path).entries():
            if entry.contact is not None:
                sent = entry.contact.to_dict()
                found.append((sent["number"], sent.get("first_name"), sent.get("last_name")))
            else:
                assert entry.problem is not None
                found.append((entry.line, entry.problem.code))
        return found

    return entries


def card(*lines: str, version: str = "3.0", end: str = "\n") -> str:
    """A card with these properties."""
    return end.join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def raw(charset: str, name: bytes) -> bytes:
    """A card with a name in a charset."""
    return card(f"N;CHARSET={charset}:?", ALAN[2], version="2.1").encode().replace(b"?", name)


@pytest.mark.parametrize(
    "between",
    [
        "", " ", "\t", ";", ",", "\f", "\v", MARK, "\x1a", "\0", "\\n", "\\r\\n", "\u2028", " - ",
        "\r", "\r\n", "\r\r\n", "\n\n", "\n---\n", "\n\f\n", "\n,\n", f"\n{MARK}", f"{MARK}\n",
        "\n\x1a\n", "\n ", "\n\t", "\n\u00a0\n", "\x1e", "\n***\n\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_stands_between_two_cards(stored: Stored, between: str, end: str) -> None:
    """Both are read, as nothing that has a letter or a digit stands there."""
    text = card(*ALAN, end=end).rstrip() + between + card(*ADA, end=end)
    assert stored(text) == [IS_ALAN, IS_ADA]
    assert stored(MARK + text + "\x1a") == [IS_ALAN, IS_ADA]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The end is lost, the beginning, both, or the line end before one of them.
        (card(*ALAN).replace("END:VCARD\n", "") + card(*ADA), [(1, "bad_vcard"), IS_ADA]),
        (card(*ALAN).replace("\nEND:VCARD\n", "") + card(*ADA), [(1, "bad_vcard"), IS_ADA]),
        (card(*ALAN) + card(*ADA).replace("BEGIN:VCARD\n", ""), [IS_ALAN, (7, "bad_vcard")]),
        (
            card(*ALAN).replace("END:VCARD\n", "") + card(*ADA).replace("BEGIN:VCARD\n", ""),
            [(1, "bad_vcard")],
        ),
        (card(*ALAN).replace("\nEND", "END") + card(*ADA), [IS_ALAN, IS_ADA]),
        (card(*ALAN).replace("\nEND", " END") + card(*ADA), [IS_ALAN, IS_ADA]),
        (card(*ALAN).replace("VCARD\nV", "VCARDV") + card(*ADA), [IS_ALAN, IS_ADA]),
        (card(*ALAN).replace("VCARD\nV", "VCARD V") + card(*ADA), [IS_ALAN, IS_ADA]),
        (card(*ALAN).replace("VERSION:3.0\n", "") + card(*ADA), [IS_ALAN, IS_ADA]),
        # Of two contacts in one card, none is told from the other.
        (card(*ALAN, *ADA), [(1, "bad_vcard")]),
        (card(*ALAN, "VERSION:3.0", *ADA[1:]), [(1, "bad_vcard")]),
        (card(*ALAN[1:], *ADA[1:]), [(1, "bad_vcard")]),
        (card(ALAN[0], ALAN[2], ADA[0], ADA[2]), [(1, "bad_vcard")]),
        (card("VERSION:3.0", *ALAN), [(1, "bad_vcard")]),
        # The same name again, and one in another language, is no second contact.
        (card(*ALAN, *ALAN[:2]), [IS_ALAN]),
        (card(*ALAN[:2], "FN;LANGUAGE=ja;ALTID=1:アラン", ALAN[2], version="4.0"), [IS_ALAN]),
        ("BEGIN:VCARD\n" + card(*ALAN) + card(*ADA), [(1, "bad_vcard"), IS_ALAN, IS_ADA]),
        (
            "BEGIN:VCARD\n" + card(*ALAN) + "END:VCARD\n" + card(*ADA),
            [(1, "bad_vcard"), IS_ALAN, IS_ADA],
        ),
        (card(*ALAN).lower() + card(*ADA), [("+12015550101", "alan", "moss"), IS_ADA]),
        (card(*ALAN).replace("VCARD", "vCard").replace("BEGIN", "Begin"), [IS_ALAN]),
        (card(*ALAN).replace("\n", " \n").replace(":VCARD", " : VCARD"), [IS_ALAN]),
        ("".join(f"    {line}\n" for line in (card(*ALAN) + card(*ADA)).split("\n")), [
            IS_ALAN, IS_ADA,
        ]),
        # All on one line, or with line ends as text.
        ((card(*ALAN) + card(*ADA)).replace("\n", " "), [(1, "bad_vcard"), (1, "bad_vcard")]),
        ((card(*ALAN) + card(*ADA)).replace("\n", "\\n"), [(1, "bad_vcard"), (1, "bad_vcard")]),
        (card(*ALAN).replace("\nTEL", "TEL") + card(*ADA), [(1, "bad_vcard"), IS_ADA]),
        (card(*ALAN).replace("\nFN", "FN") + card(*ADA), [(1, "bad_vcard"), IS_ADA]),
        (card(*ALAN)[:-14], [(1, "bad_vcard")]),
        # Agents: their cards stand inside of others, or are a text.
        (card(*ALAN, "AGENT:", *card(*ADA).split("\n"), "NOTE:x"), [IS_ADA, IS_ALAN]),
        (card(*ALAN[:2], "AGENT:" + card(*ADA).rstrip(), ALAN[2]), [IS_ADA, IS_ALAN]),
        (
            card(
                *ALAN,
                r"AGENT:BEGIN:VCARD\nFN:Susan Thomas\nTEL:+1-919-555-",
                r"  1234\nEMAIL\;INTERNET:sthomas@example.com\nEND:VCARD\n",
                "NOTE:x",
            ),
            [IS_ALAN],
        ),
        (card(*ALAN, "AGENT:", "BEGIN:VCARD", *ADA), [IS_ADA, (1, "bad_vcard")]),
        (card("NOTE:between BEGIN:VCARD and END:VCARD it stands", *ALAN), [IS_ALAN]),
    ],
)  # fmt: skip
def test_glued_cut_and_nested_cards(
    stored: Stored, text: str, expected: list[tuple[Any, ...]]
) -> None:
    """No number ever comes under another name, and no card is lost."""
    assert stored(text) == expected


@pytest.mark.parametrize(
    "line",
    [
        "X-FOO",
        "X-FOO:",
        "x-foo bar",
        "item1.X-ABLabel",
        "item1.X-ABLabel:_$!<HomePage>!$_",
        "TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=D0=9C=D0=BE):(201) 5",
        "TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=D0=9C=\n=D0=BE):(201) 5",
        'ADR;LABEL="a:b;c":;;x',
        "X-SOCIALPROFILE;type=twitter;x-user=a:b:http://example.com/a",
        "NOTE this has no colon",
        "NOTE:one\ntwo\n\nthree: four\n  five",
        "NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0A=\nTEL:123=\n\n",
        "NOTE;ENCODING=QUOTED-PRINTABLE:=ZZ=",
        "NOTE;CHARSET=klingon:x",
        "FN Alan Moss",
        "FN",
        "PHOTO;ENCODING=BASE64;TYPE=JPEG:/9j/4AAQSk\nZJRgABAQ\nAAAQABAAD==\n",
        "PHOTO;ENCODING=b;TYPE=JPEG:\n /9j/4AAQSk\n ZJRgABAQ==\n",
        "PHOTO;VALUE=uri:http://example.com/a:b.jpg",
        "LOGO;ENCODING=BASE64:\nAAAA\nBBBB=\n\n",
        "TEL;:",
        "TEL;HOME;;VOICE:",
        "TEL;TYPE=:",
        "EMAIL;TYPE=:",
        "ADR;HOME;;;;",
        "REV:20240101T000000Z",
        "X-ANDROID-CUSTOM:vnd.android.cursor.item/nickname;x;1;;;;;;;;;;;;;",
    ],
)
@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_odd_lines_cost_nothing(stored: Stored, line: str, version: str) -> None:
    """Where nothing of the contact depends on them, it is read."""
    assert stored(card(*ALAN, line, version=version) + card(*ADA)) == [IS_ALAN, IS_ADA]
    assert stored(card(ALAN[0], line, *ALAN[1:], version=version)) == [IS_ALAN]


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([*ALAN, "TEL 030 1234"], 6),
        ([*ALAN, "0102"], 6),
        ([ALAN[0], "Esq.", *ALAN[1:]], 4),
        (["FN Alan Moss", ALAN[2]], 3),
        (["N Moss;Alan", ALAN[2]], 3),
        ([*ALAN, "NOTE:ask\nTel: +12015550109"], 7),
        ([*ALAN, "CATEGORIES"], 6),
        (["N:Moss;Alan TEL:+12015550101", ALAN[2]], 3),
        (["FN:Alan MossTEL;CELL:+12015550101", ALAN[2]], 3),
        (["FN;X-A=b:c:Alan", ALAN[2]], 3),
        (['FN;X-A="b:Alan', ALAN[2]], 3),
        (["N;CHARSET=klingon:Moss;Alan", ALAN[2]], 3),
        (["N;CHARSET=klingon;ENCODING=QUOTED-PRINTABLE:Mo=C3=9F;Alan", ALAN[2]], 3),
        (["N;ENCODING=QUOTED-PRINTABLE:Mo=Zs;Alan", ALAN[2]], 3),
        (["N;ENCODING=QUOTED-PRINTABLE:Moss;Alan=", "", ALAN[2]], 3),
        (["N;ENCODING=QUOTED-PRINTABLE:Moss;Alan=", ALAN[2]], 3),
        (["N;CHARSET=UTF-8:=D0=9C=D0=BE;x", ALAN[2]], 3),
        (["N;ENCODING=BASE64:!!", ALAN[2]], 3),
        (["N;ENCODING=X-ZIP:Moss;Alan", ALAN[2]], 3),
    ],
)
def test_a_broken_card_is_shown_with_its_line(
    stored: Stored, tmp_path: Path, lines: list[str], number: int
) -> None:
    """What would be stored wrong is rejected; the row has what could be read, and is marked."""
    path = tmp_path / "a.vcf"
    path.write_text(card(*lines) + card(*ADA))
    assert stored(path.read_bytes()) == [(1, "bad_vcard"), IS_ADA]
    row, _ = read_table(path).rows()
    assert row.problem is not None
    assert row.problem.reason.startswith(f"Line {number} ")
    assert "Moss" not in row.problem.reason
    if ALAN[2] in lines:
        assert "+12015550101" in "".join(row.cells)
    assert row.cells[2].startswith("\ufffd")


@pytest.mark.parametrize(
    ("lines", "cells"),
    [
        ([ALAN[0], "TEL +12015550101"], ("Alan", "Moss", "+12015550101")),
        ([ALAN[0], 'TEL;TYPE="HOME";+12015550101'], ("Alan", "Moss", "+12015550101")),
        ([ALAN[0], "TEL;TYPE=HOME+12015550101"], ("Alan", "Moss", "+12015550101")),
        ([ALAN[0], "TEL 1", ALAN[2]], ("Alan", "Moss", "+12015550101")),
        ([*ALAN, "TEL (201) 555-0109"], ("Alan", "Moss", "+12015550101 ::: (201) 555-0109")),
        (["FN Alan Moss", ALAN[2]], ("Alan", "Moss", "+12015550101")),
        (["FN;Alan Moss", ALAN[2]], ("Alan", "Moss", "+12015550101")),
        (["FN:Alan", "Moss", ALAN[2]], ("Alan", "", "+12015550101")),
    ],
)
def test_a_broken_card_shows_what_its_broken_lines_hold(
    tmp_path: Path, lines: list[str], cells: tuple[str, ...]
) -> None:
    """The name and all numbers stand in the row, so that it can be mended."""
    path = tmp_path / "a.vcf"
    path.write_text(card(*lines))
    [row] = read_table(path).rows()
    assert row.problem is not None
    assert row.problem.code == "bad_vcard"
    assert row.cells[:3] == (*cells[:2], f"\ufffd{cells[2]}")


def test_a_full_name_on_several_lines(stored: Stored) -> None:
    """As Google writes it; the other name has all of it."""
    lines = ["FN:Gábor Béla", "", "Szabó", "", "Esq.", r"N:Béla\n\nSzabó;Gábor;;;", ALAN[2]]
    assert stored(card(*lines)) == [("+12015550101", "Gábor", "Béla Szabó")]


@pytest.mark.parametrize("blank", [" ", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("N:Ki|ng;Gr|ace", ("Grace", "King")),
        ("N|:King;Grace", ("Grace", "King")),
        ("N;CHAR|SET=UTF-8:K|ing;Grace", ("Grace", "King")),
        ("N:K| ing;Grace", ("Grace", "K ing")),
        ("N:M\u00fcl|ler;Zo|\u00eb", ("Zo\u00eb", "M\u00fcller")),
        ("N;ENCODING=QUOTED-PRINTABLE:Ki=|ng;Grace", ("Grace", "King")),
        ("N;ENCODING=QUOTED-PRINTABLE:M=C3=|=BCller;Zo=C3=AB", ("Zo\u00eb", "M\u00fcller")),
        ("N;QUOTED-PRINTABLE:M=C3|=BCller;Zo=C3=AB", ("Zo\u00eb", "M\u00fcller")),
        ("N;ENCODING=QUOTED-PRINTABLE:King;Ada=20=|Mary", ("Ada Mary", "King")),
        ("N;ENCODING=quoted-printable;CHARSET=utf-8:M=c3=bcller;=|Ada", ("Ada", "M\u00fcller")),
    ],
)
def test_folded_lines(
    stored: Stored, line: str, name: tuple[str, str], end: str, blank: str
) -> None:
    """A blank after a soft line break is a fold, as it is after any other line end."""
    if end == "\r\r\n" and "=|" in line:
        line = line.replace("=|", "|")
    folded = line.replace("|", end + blank)
    text = card(folded, f"TEL:+1201{end}{blank}5550101", version="2.1", end=end)
    assert stored(text) == [("+12015550101", *name)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_soft_breaks_without_a_fold(stored: Stored, end: str) -> None:
    """A blank is text where another soft break of the card has none after it."""
    lines = [
        f"N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=C3=84=C3=96={end}=C3=9C;Ada={end} Mary",
        ALAN[2],
    ]
    text = card(*lines, version="2.1", end=end)
    assert stored(text) == [("+12015550101", "Ada Mary", "\u00c4\u00d6\u00dc")]


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_letter_folded_in_its_middle(stored: Stored, width: int) -> None:
    """Bytes are unfolded before they are text, in the file's encoding, too."""
    for encoding in ("utf-8", "cp1252"):
        line = "N:M\u00fc\u00dfller;Zo\u00eb".encode(encoding)
        folded = b"\n ".join(line[n : n + width] for n in range(0, len(line), width))
        content = card("?", ALAN[2]).encode().replace(b"?", folded)
        assert stored(content) == [("+12015550101", "Zo\u00eb", "M\u00fc\u00dfller")]


@pytest.mark.parametrize(
    ("charset", "codec", "last", "first"),
    [
        ("windows-1251", "cp1251", "Пётр", "Анна"),
        ("WINDOWS-1251", "cp1251", "Пётр", "Анна"),
        ("koi8-r", "koi8-r", "Пётр", "Анна"),
        ("ISO-8859-1", "latin-1", "Müller", "Zoë"),
        ("ISO-8859-1", "cp1252", "O’Neill", "Zoë"),
        ("ISO-8859-2", "iso8859-2", "Wałęsa", "Żaneta"),
        ("ISO-8859-9", "iso8859-9", "Şahin", "Işık"),
        ("windows-1253", "cp1253", "Παπάς", "Άννα"),
        ("Shift_JIS", "cp932", "表山", "ソ太郎"),
        ("SHIFT-JIS", "cp932", "山田", "太郎"),
        ("EUC-JP", "euc_jp", "山田", "太郎"),
        ("ISO-2022-JP", "iso2022_jp", "山田", "太郎"),
        ("GB18030", "gb18030", "王", "小明"),
        ("GB2312", "gbk", "王", "镕"),
        ("GBK", "gbk", "王", "小明"),
        ("Big5", "big5", "王", "許功"),
        ("EUC-KR", "euc-kr", "김", "철수"),
        ("UTF-8", "utf-8", "Пётр", "Анна"),
        ('"utf-8"', "utf-8", "Пётр", "Анна"),
    ],
)
def test_a_charset_is_obeyed(
    stored: Stored, charset: str, codec: str, last: str, first: str
) -> None:
    """In raw bytes, in quoted-printable and in Base64, beside cards in UTF-8."""
    name = f"{last};{first}".encode(codec)
    quoted = "".join(f"={byte:02X}" for byte in name)
    is_it = ("+12015550101", first, last)
    other = card("N:Zoë;Ünal", ADA[2]).encode()
    is_other = ("+12015550102", "Ünal", "Zoë")
    assert stored(raw(charset, name)) == [is_it]
    assert stored(raw(charset, name) + other) == [is_it, is_other]
    line = f"N;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{quoted}"
    assert stored(card(line, ALAN[2], version="2.1").encode() + other) == [is_it, is_other]


@pytest.mark.parametrize(
    ("charset", "name", "code"),
    [
        ("UTF-8", "Пётр;Анна".encode("cp1251"), "undecodable"),
        ("US-ASCII", "Пётр;Анна".encode("cp1251"), "undecodable"),
        ("klingon", "Пётр;Анна".encode("cp1251"), "bad_vcard"),
        ("unknown-8bit", "Müller;Zoë".encode("latin-1"), "bad_vcard"),
        ("ISO-8859-1", "Müller;Zoë".encode(), "bad_vcard"),
        ("UTF-16", "Müller;Zoë".encode(), "bad_vcard"),
        ("UTF-7", b"M+APw-ller;Ada", "bad_vcard"),
        ("rot13", b"Zbff;Nyna", "bad_vcard"),
        ("idna", b"xn--mller-kva;Ada", "bad_vcard"),
        ("windows-1251", b"Mo\0ss;Alan", "undecodable"),
    ],
)
def test_a_charset_that_cannot_be_obeyed(
    stored: Stored, charset: str, name: bytes, code: str
) -> None:
    """The card is rejected, and none of its garbage is stored."""
    assert stored(raw(charset, name) + card(*ADA).encode()) == [(1, code), IS_ADA]


def test_the_encoding_given_is_what_a_wrong_charset_is_read_in(stored: Stored) -> None:
    """It settles what a program declared wrong, and no more than that."""
    wrong = raw("UTF-8", "Пётр;Анна".encode("cp1251"))
    right = raw("UTF-8", "Пётр;Анна".encode())
    is_it = ("+12015550101", "Анна", "Пётр")
    assert stored(wrong + right, encoding="cp1251") == [is_it, is_it]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_a_file_in_another_unicode(stored: Stored, encoding: str) -> None:
    """What a property declares was true before the file was converted."""
    text = card("N;CHARSET=windows-1251:Mül|ler;Zoë".replace("|", "\n "), ALAN[2])
    if encoding == "utf-8-sig":
        text = text.replace("windows-1251", "UTF-8")
    options = {"encoding": encoding} if encoding == "utf-16-be" else {}
    assert stored(text.encode(encoding), **options) == [("+12015550101", "Zoë", "Müller")]


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (["TEL;TYPE=HOME:1", "TEL;TYPE=CELL:2"], "21"),
        (["TEL;HOME;VOICE:1", "TEL;CELL:2"], "21"),
        (["TEL;TYPE=HOME:1", "TEL;TYPE=iPhone:2"], "21"),
        (["TEL;type=IPHONE;type=CELL;type=VOICE:1", "TEL:2"], "12"),
        (["TEL;TYPE=MAIN:1", "TEL;TYPE=mobile:2"], "21"),
        (["TEL;X-Mobile:1", "TEL;WORK:2"], "12"),
        (["TEL;TYPE=WORK:1", "TEL;TYPE=PCS:2"], "21"),
        (["TEL:1", "item1.TEL:2", "item1.X-ABLabel:Mobil"], "21"),
        (["TEL:1", "item1.TEL:2", "item1.X-ABLabel:_$!<Mobile>!$_"], "21"),
        (["item1.X-ABLabel:Móvil", "TEL:1", "item1.TEL:2"], "21"),
        (["TEL:1", "item1.TEL:2", "item1.X-ABLABEL:Work Fax"], "1"),
        (["TEL:1", "item1.TEL:2", "item1.X-ABLabel:_$!<HomeFAX>!$_"], "1"),
        (["TEL:1", "item1.TEL:2", "item1.X-ABLabel:Факс"], "1"),
        (["TEL;TYPE=CELL:1", "TEL;TYPE=CELL;TYPE=PREF:2"], "21"),
        (["TEL;CELL:1", "TEL;CELL;PREF:2"], "21"),
        (["TEL;TYPE=CELL,PREF:1", "TEL;TYPE=CELL:2"], "12"),
        (["TEL;TYPE=cell;PREF=2:1", "TEL;TYPE=cell;PREF=1:2"], "21"),
        (['TEL;TYPE="voice,cell";VALUE=uri:tel:1', "TEL;VALUE=text;TYPE=home:2"], "12"),
        (["TEL;FAX:1", "TEL;WORK;FAX:2", "TEL;TYPE=PAGER:3", "TEL;HOME:4"], "4"),
        (['TEL;TYPE="home,fax":1', "TEL;TYPE=OTHERFAX:2", "TEL;TYPE=MAIN:3"], "3"),
        (["TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=46=61=78):1", "TEL:2"], "2"),
        (["TEL;X-CUSTOM(Fax):1", "TEL:2"], "2"),
        (
            ["PRODID:-//Apple Inc.//iOS 17.0//EN", "TEL;type=HOME;type=pref:1", "TEL;type=CELL:2"],
            "21",
        ),
        (["TEL;TYPE=WORK,PREF:1", "TEL;TYPE=CELL:2"], "12"),
    ],
)
def test_which_number_comes_first(stored: Stored, lines: list[str], numbers: str) -> None:
    """The preferred one, then mobiles; a fax is none. With ``all_numbers`` each is a contact."""
    expected = [(f"+1201555010{n}", "Ada", "King") for n in numbers]
    for n in "1234":
        lines = [f"{line[:-1]}+1201555010{n}" if line[-2:] == f":{n}" else line for line in lines]
    text = card("N:King;Ada", *lines)
    assert stored(text) == expected[:1]
    assert stored(text, all_numbers=True) == expected


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("tel:+1-201-555-0101", "+12015550101"),
        ("TEL:+1-201-555-0101", "+12015550101"),
        ("tel:+1%20201%20555%200101", "+12015550101"),
        ("tel:%2B12015550101", "+12015550101"),
        ("+1 (201) 555-0101", "+12015550101"),
        ("201-555-0101", "+12015550101"),
        ("tel:+1-201-555-0101;ext=5", None),
        ("+1-201-555-0101;ext=5", None),
        ("tel:201-555-0101;phone-context=+1", "+12015550101"),
        ("tel:030-1234567;phone-context=+49", "+49301234567"),
        ("sip:ada@example.com", None),
        ("", None),
    ],
)
def test_numbers_as_addresses(stored: Stored, value: str, number: str | None) -> None:
    """A number is the same in a URI; nothing can be sent to an extension."""
    (found,) = stored(card("FN:Ada", f"TEL;VALUE=uri:{value}", version="4.0"), region="US")
    assert found[0] == (number or 1)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["N:King;Ada;Mary;Dr.;Jr.", "FN:Dr. Ada Mary King Jr."], ("Ada", "King")),
        (["TEL:+12015550101", "FN:Ada King", "N:King;Ada"], ("Ada", "King")),
        (["FN:Ada King"], ("Ada", "King")),
        (["FN:King, Ada"], ("Ada", "King")),
        (["FN:Ludwig van Beethoven"], ("Ludwig", "van Beethoven")),
        (["FN:张 伟"], ("伟", "张")),
        (["FN:Ada King", "N:;;;;"], ("Ada", "King")),
        (["N:;Ada King;;;", "FN:Ada King"], ("Ada King", None)),
        (["N:King;;;;", "FN:King"], (None, "King")),
        ([r"N:Smith\;Jones;Ada\, Mary;;;"], ("Ada, Mary", "Smith;Jones")),
        (["N:Müller-Lüdenscheid;Karl-Heinz"], ("Karl-Heinz", "Müller-Lüdenscheid")),
        (["NICKNAME:Ada"], ("Ada", None)),
        (["N:;;;;", "FN:", "NICKNAME:Ada,Countess"], ("Ada Countess", None)),
        (["N:;;;;", "FN:Acme Inc.", "ORG:Acme Inc.;", "X-ABShowAs:COMPANY"], (None, None)),
        (["ORG:Acme Inc."], (None, None)),
        (["FN:Acme Inc.", "ORG:Acme Inc.;Sales"], (None, None)),
        (["KIND:org", "FN:Acme Inc."], (None, None)),
        (["N:King;Ada", "FN:Ada King", "ORG:Acme Inc.", "X-ABShowAs:COMPANY"], ("Ada", "King")),
        (["FN:+1 201-555-0101"], (None, None)),
        (["FN:Zimmer 12"], ("Zimmer", "12")),
    ],
)
def test_names_and_companies(
    stored: Stored, lines: list[str], name: tuple[str | None, str | None]
) -> None:
    """A company has no first and last name, and neither has a number without a name."""
    assert stored(card(*lines, "TEL:+12015550101")) == [("+12015550101", *name)]


@pytest.mark.parametrize(
    ("line", "tags"),
    [
        ("CATEGORIES:myContacts,starred,vip", ["vip"]),
        ("CATEGORIES:myContacts", None),
        ("CATEGORIES:vip;lead", ["vip", "lead"]),
        ("CATEGORIES:vip,lead", ["vip", "lead"]),
        ("CATEGORIES:vip\nCATEGORIES:lead,vip", ["vip", "lead"]),
        (r"CATEGORIES:a\,b", ["a,b"]),
        (r"CATEGORIES:a\;b,c", ["a;b", "c"]),
        ("item1.CATEGORIES;TYPE=x: vip , ", ["vip"]),
        ("CATEGORIES:", None),
        ("CATEGORIES", None),
    ],
)
def test_categories_are_tags(tmp_path: Path, line: str, tags: list[str] | None) -> None:
    """As in CSV, groups that Google makes by itself are none."""
    path = tmp_path / "a.vcf"
    path.write_text(card(*ALAN, line))
    (entry,) = ImportOptions().read(path).entries()
    if line == "CATEGORIES":
        assert entry.problem is not None
        return
    assert entry.contact is not None
    assert entry.contact.to_dict().get("tags") == tags


@pytest.mark.parametrize(
    "line", ["KIND:group", "KIND:Group", "X-ADDRESSBOOKSERVER-KIND:group", "kind:group"]
)
def test_a_group_is_no_contact(stored: Stored, line: str) -> None:
    """It is a row of its own all the same, with its own code."""
    group = card("N:Family", "FN:Family", line, "MEMBER:urn:uuid:1", version="4.0")
    assert stored(group + card(*ADA)) == [(1, "not_a_contact"), IS_ADA]


@pytest.mark.parametrize(
    "text",
    [
        card(*ALAN).replace("END:VCARD\n", "") + card(*ADA),
        card(*ADA) + card(*ALAN, "TEL 030") + card(*ADA),
        (card(*ALAN) + card(*ALAN)).replace("\n", " ") + card(*ADA),
        card(*ALAN).replace("BEGIN:VCARD\n", "").rstrip() + card(*ADA),
        card(*ADA).rstrip() + "rubbish" + card(*ADA),
        card("N;CHARSET=klingon:Moss;Alan", ALAN[2]) + card(*ADA),
        card("KIND:group", *ALAN) + card(*ADA),
    ],
)
def test_rejected_cards_can_be_mended(stored: Stored, tmp_path: Path, text: str) -> None:
    """Each stands once in the file, is rejected as long as it is marked, and imported then."""
    path = tmp_path / "a.vcf"
    path.write_text(text)
    reader = ImportOptions().read(path)
    ended = [
        EntryOutcome(entry.index, "rejected", entry.line, entry.problem.code, entry.problem.reason)
        for entry in reader.entries()
        if entry.problem is not None
    ]
    rejected = tmp_path / "rejected.csv"
    assert write_rejected(rejected, reader.table, iter(ended))
    with rejected.open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(int(row["line"]), row["code"]) for row in rows] == [
        (each.line, each.code) for each in ended
    ]
    assert all(entry.problem for entry in ImportOptions().read(rejected).entries())
    rejected.write_text(rejected.read_text(encoding="utf-8-sig").replace("\ufffd", ""), "utf-8")
    again = [entry.contact for entry in ImportOptions().read(rejected).entries()]
    shown = [contact and (contact.number, contact.first_name) for contact in again]
    assert shown == [IS_ALAN[:2] if "Alan" in row["First Name"] else None for row in rows]


@pytest.mark.parametrize("codec", ["cp1251", "cp1250", "mac_roman", "cp850", "gb18030", "cp932"])
def test_an_old_encoding_without_a_charset_is_refused(stored: Stored, codec: str) -> None:
    """As in any file of text, so that no garbage is stored; giving it settles it."""
    last, first = {
        "cp1251": ("Достоевский", "Фёдор"),
        "cp1250": ("Wałęsa", "Łucja"),
        "gb18030": ("王力宏", "小明"),
        "cp932": ("山田", "太郎"),
    }.get(codec, ("Müller", "José"))
    name = f"N:{last};{first};;;\nFN:{first} {last}".encode(codec)
    content = card("?", ALAN[2]).encode().replace(b"?", name) * 20
    with pytest.raises(ValidationError, match="encoding"):
        stored(content)
    assert stored(content, encoding=codec)[:1] == [("+12015550101", first, last)]


@pytest.mark.parametrize(
    "line",
    [
        "N:MÃ¼ller;JosÃ©",
        "N;CHARSET=UTF-8:MÃ¼ller;JosÃ©",
        "N:MĂĽller;JosĂ©",
        "N;ENCODING=QUOTED-PRINTABLE:M=C3=83=C2=BCller;Jo",
    ],
)
def test_names_that_were_garbled_before_are_rejected(stored: Stored, line: str) -> None:
    """The bytes are UTF-8, and what they say is not a name."""
    assert stored(card(line, ALAN[2]) + card(*ADA)) == [(1, "undecodable"), IS_ADA]
