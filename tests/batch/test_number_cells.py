"""Cells with several numbers, with more than a number, and in rows that name their country."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendblue_async.batch._mapping._columns import map_columns
from sendblue_async.batch._mapping._contact_reader import ContactReader, Entry
from sendblue_async.batch._mapping._number_cells import read_cell
from sendblue_async.batch._sources._row import Problem
from sendblue_async.batch._sources._table import read_table

ONE, TWO = "+12015550101", "+12015550102"


def usable(cell: str, region: str | None, country: str = "") -> list[str]:
    """The numbers that a cell gives."""
    found = read_cell(cell, region, country=country)
    return [number for number in found if isinstance(number, str)]


def code(cell: str, region: str | None, country: str = "") -> str:
    """Why a cell gives no number."""
    [problem] = read_cell(cell, region, country=country)
    assert isinstance(problem, Problem), problem
    assert problem.reason.endswith(".")
    return problem.code


@pytest.mark.parametrize(
    "cell",
    [
        "201-555-0101, 201-555-0102",
        "2015550101,2015550102",
        "201-555-0101; 201-555-0102",
        "201-555-0101 / 201-555-0102",
        "2015550101/2015550102",
        "201-555-0101 | 201-555-0102",
        "201-555-0101\n201-555-0102",
        "201-555-0101\r\n\r\n201-555-0102",
        "201-555-0101\u2028201-555-0102",
        "201-555-0101 or 201-555-0102",
        "201-555-0101 OR +1 201 555 0102",
        "201-555-0101 oder 201-555-0102",
        "201-555-0101 & 201-555-0102",
        "2015550101&2015550102",
        "201-555-0101 et 201-555-0102",
        "201-555-0101 и 201-555-0102",
        "+12015550101 +12015550102",
        "+1 201 555 0101 ::: +1 201 555 0102",
        "201-555-0101\uff0c201-555-0102",
        "201-555-0101\u3001201-555-0102",
        "201-555-0101\uff1b201-555-0102",
        '["2015550101", "2015550102"]',
        "[2015550101, 2015550102]",
        "['2015550101', '2015550102']",
        "{+12015550101,+12015550102}",
        '[ "+1 201 555 0101" ,"+1 201 555 0102" ]',
        "Mobile: 201-555-0101, Work: 201-555-0102",
        "H 201-555-0101 / W 201-555-0102",
        "tel:+1-201-555-0101; tel:+1-201-555-0102",
        "https://wa.me/12015550101, https://wa.me/12015550102",
        "n/a, 201-555-0101, , 201-555-0102,",
        "2015550101, (201) 555-0102",
        "('2015550101', '2015550102')",
    ],
)
def test_several_numbers(cell: str) -> None:
    """Whatever stands between them, each one is read."""
    assert usable(cell, "US") == [ONE, TWO]


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("089/123456/57", "DE"),
        ("089/123456-57", "DE"),
        ("0171 1234567 / 8", "DE"),
        ("0171 1234567/68", "DE"),
        ("030 12 34 56 7/8", "DE"),
        ("030/12 34 56/78", "DE"),
        ("Tel2 030 1234567", "DE"),
        ("Tel 2 030 1234567", "DE"),
        ("Tel. 2: 030 1234567", "DE"),
        ("2. 030 1234567", "DE"),
        ("(2) 030 1234567", "DE"),
        ("2) 030 1234567", "DE"),
        ("2 030 1234567", "DE"),
        ("1234567-8", "DE"),
        ("030 1234567-8", "DE"),
        ("030 1234567 - 8", "DE"),
        ("030 1234567 8", "DE"),
        ("030 1234567 (2)", "DE"),
        ("030 1234567\u2013 89", "DE"),
        ("030 1234567..69", "DE"),
        ("030 1234567\u202669", "DE"),
        ("030 1234567 bis 69", "DE"),
        ("030 1234567~69", "DE"),
        ("030 1234567, 12", "DE"),
        ("030 1234567, -12", "DE"),
        ("030 1234567 DW 5", "DE"),
        ("030 1234567 Durchwahl 12", "DE"),
        ("030 1234567 *5", "DE"),
        ("+49 30 1234567/8", None),
        ("+49 30 1234567 / 030", None),
        ("030 1234567 0171 1234567", "DE"),
        ("030 1234567\u00b2", "DE"),
        ("2015550123 ext. 5", "US"),
        ("2015550123 ext5", "US"),
        ("2015550123x5", "US"),
        ("2015550123 x 5", "US"),
        ("2015550123;ext=5", "US"),
        ("2015550123;isub=5;ext=5", "US"),
        ("2015550123#5", "US"),
        ("2015550123 #5", "US"),
        ("2015550123,5", "US"),
        ("2015550123,,5", "US"),
        ("2015550123;5", "US"),
        ("2015550123; ext 5", "US"),
        ("2015550123p5", "US"),
        ("2015550123w5", "US"),
        ("2015550123/5", "US"),
        ("2015550123-5", "US"),
        ("2015550123 (5)", "US"),
        ("2015550123*5", "US"),
        ("201-555-0123/0124", "US"),
        ("2015550123 45", "US"),
        ("2015550123 2015550124", "US"),
        ("+1 201 555 0123 | 5", "US"),
        ("5, 2015550123", "US"),
        ('["2015550123", "5"]', "US"),
        ("+12015550123 (mobile)", "US"),
        ("1-800-FLOWERS", "US"),
        ("201-555-CALL", "US"),
        ("Fax: 201-555-0123", "US"),
        ("Pager 201-555-0123", "US"),
        ("https://wa.me/message/ABC123", "US"),
        ("2015550123 + 2015550124", "US"),
        ("+12015550123 + 2015550124", "US"),
        ("+12015550123+12015550124", None),
        ("2015550123, 12345", "US"),
        ("2015550123;123456", "US"),
        ("+12015550123,,12345", None),
        ("089 - 12 34 56 - 57", "DE"),
        ("030-123 45 67 -89", "DE"),
        ("030 1234567 (-89)", "DE"),
        ("+49 30 1234567 (- 8)", None),
    ],
)
def test_what_stands_beside_a_number_is_not_dialled(cell: str, region: str | None) -> None:
    """An extension, a range, a label or half of another number makes no other number of it."""
    assert code(cell, region) == "invalid_number"


@pytest.mark.parametrize("cell", ["4.41E+11", "4,41E+11", " 2.01555e9 ", "1.2015550101E10", "####"])
def test_what_a_spreadsheet_has_rounded_is_refused(cell: str) -> None:
    """Some of the digits are lost, and the reason says by what."""
    assert code(cell, "US") == "spreadsheet_number"


@pytest.mark.parametrize(
    "cell",
    [
        "2015550101",
        "12015550101",
        "#2015550101",
        "# 2015550101",
        "'2015550101",
        "\u20192015550101",
        '"2015550101"',
        "2015550101.0",
        "12015550101.0",
        "+12015550101.00",
        "2015550101,0",
        "\t2015550101\n",
        "tel:+1-201-555-0101",
        "tel:2015550101",
        "tel://+12015550101",
        "tel:%2B12015550101",
        "TEL;TYPE=CELL:+12015550101",
        "tel:201-555-0101;phone-context=+1",
        "tel:+12015550101;isub=12",
        "whatsapp:+12015550101",
        "whatsapp://send?phone=12015550101",
        "wa.me/12015550101",
        "https://wa.me/12015550101",
        "http://www.wa.me/+12015550101?text=hi",
        "12015550101@c.us",
        "https://api.whatsapp.com/send?phone=12015550101&text=a",
        "12015550101@s.whatsapp.net",
        "sms:+12015550101",
        "callto:+12015550101",
        "Mobile: 201.555.0101",
        "Tel 1 201 555 0101",
        "1. 201 555 0101",
        "No. 2015550101",
        "(201)555-0101",
        "[201] 555-0101",
        "(+1) 201 555 0101",
        "+ 1 201 555 0101",
        "001 201 555 0101",
        "0012015550101",
        "00 1 (201) 555-0101",
        "011 1 201 555 0101",
        "201\u202f555\u20090101",
        "201\u2007555\t0101",
        "\u200e2015550101\u200f",
        "\u202a+12015550101\u202c",
        "201\u200c555\u200d0101",
        "2\ufe0f\u20e30\ufe0f\u20e3155\ufe0d50101",
        "\ufeff2015550101",
        "\u20602015550101",
        "\uff12\uff10\uff11\uff15\uff15\uff15\uff10\uff11\uff10\uff11",
        "201\u2011555\u20120101",
        "201\u2212555\uff0d0101",
        "\u0662\u0660\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0661",
        "201\u00b7555\u00b70101",
        "201\u00ad5550101",
        "\u2066+1\u2069 201\u00a0555\u30000101",
        "(201)\u200b555\u20140101",
        "201\ufe0e555\u180e0101",
    ],
)
def test_spellings_of_one_number(cell: str) -> None:
    """Links, quotes, what a program adds and what nobody sees change nothing."""
    assert usable(cell, "US") == [ONE]


@pytest.mark.parametrize(
    ("cell", "region", "number"),
    [
        ("49(0)30123456", "DE", "+4930123456"),
        ("49(0)30123456", "US", "+4930123456"),
        ("49(0)30123456", None, "+4930123456"),
        ("+49 (0) 30/123456", "SE", "+4930123456"),
        ("+49 [0] 30 123456", None, "+4930123456"),
        ("0049(0)30123456", "DE", "+4930123456"),
        ("(0)30 123456", "DE", "+4930123456"),
        ("(0 30) 12 34 56", "DE", "+4930123456"),
        ("44 (0)20 7946 0018", "GB", "+442079460018"),
        ("+39 (0)6 69812345", None, "+390669812345"),
        ("62-21-5551234", "ID", "+62215551234"),
        ("49 171 1234567", "DE", "+491711234567"),
        ("442079460018", "GB", "+442079460018"),
        ("919876543210", "IN", "+919876543210"),
        ("33612345678", "FR", "+33612345678"),
        ("79161234567", "RU", "+79161234567"),
        ("89161234567", "RU", "+79161234567"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("(495) 123-45-67", "RU", "+74951234567"),
        ("0049 30 123456", "US", "+4930123456"),
        ("011 49 30 123456", "US", "+4930123456"),
        ("089/123456", "DE", "+4989123456"),
        ("0171/1234567", "DE", "+491711234567"),
        ("+49/89/123456", "DE", "+4989123456"),
        ("030 12 34 56 78", "DE", "+493012345678"),
        ("06/12/34/56/78", "FR", "+33612345678"),
        ("6208123456789", "ID", "+628123456789"),
        ("030-12-34-56-78", "DE", "+493012345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("\uff10\uff13\u30fb1234\u30fc5678", "JP", "+81312345678"),
        ("391 234 5678", "IT", "+393912345678"),
        ("3212345678", "US", "+13212345678"),
        ("2,015,550,101", "US", "+12015550101"),
        ("+12,015,550,101", None, "+12015550101"),
        ("0049 30 123456", None, "+4930123456"),
        ("0049 (0)30 123456", None, "+4930123456"),
        ("00 1 (201) 555-0101", None, "+12015550101"),
        ("+49 4941 123456", None, "+494941123456"),
        ("06221 - 12 34 - 5678", "DE", "+49622112345678"),
    ],
)
def test_which_number_it_is(cell: str, region: str | None, number: str) -> None:
    """Zeros, country codes and what sets digits apart say it."""
    assert usable(cell, region) == [number]


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("4915123456789", "DE"),
        ("447911123456", "DE"),
        ("490301234567", "DE"),
        ("15123456789", "DE"),
        ("62215551234", "ID"),
        ("38343205032", "XK"),
        ("+39 (0)312 345 6789", "US"),
        ("468122934", "SE"),
        ("84951234567", "RU"),
        ("4915123456789.0", "DE"),
        ("#4915123456789", "DE"),
        ("'447911123456", "DE"),
        ("\uff14915123456789", "DE"),
        ("+49 49 151 23456789", None),
        ("+494915123456789", "US"),
        ("0049 49 151 23456789", "DE"),
        ("0049 49 151 23456789", None),
    ],
)
def test_what_can_be_two_numbers_is_not_guessed(cell: str, region: str) -> None:
    """One of the region, and one whose country code comes first: neither is taken."""
    assert code(cell, region) == "ambiguous_number"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("201_555_0101", "It has '_' in it, which no phone number has."),
        ("<2015550101>", "It has '>' in it, which no phone number has."),
        ("\u00ab2015550101\u00bb", "It has '\u00bb' in it, which no phone number has."),
        ("201555\ue0000101", "It has U+E000 in it, which no phone number has."),
        (
            "201-555-0101  201-555-0102",
            "No number has so many digits. If there are several, write a comma between them.",
        ),
    ],
)
def test_the_reason_shows_what_is_wrong(cell: str, reason: str) -> None:
    """A number that looks right to whoever mends it is not called no number."""
    assert read_cell(cell, "US") == [Problem("invalid_number", reason)]


def test_digits_of_another_country_need_a_plus() -> None:
    """What is no number of the region may be one with a digit too many."""
    assert code("447911123456", "US") == "invalid_number"
    assert code("20155501014", "US") == "invalid_number"
    assert usable("+447911123456", "US") == ["+447911123456"]


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("India", "+917702345678"),
        ("IN", "+917702345678"),
        ("ind", "+917702345678"),
        ("91", "+917702345678"),
        ("+91", "+917702345678"),
        ("0091", "+917702345678"),
        ("91.0", "+917702345678"),
        ("IN (+91)", "+917702345678"),
        ("\U0001f1ee\U0001f1f3", "+917702345678"),
        ("\U0001f1ee\U0001f1f3 India", "+917702345678"),
        ("India \U0001f1ee\U0001f1f3", "+917702345678"),
        ("+91 \U0001f1ee\U0001f1f3", "+917702345678"),
        ("\u092d\u093e\u0930\u0924", "+917702345678"),
        ("\u0418\u043d\u0434\u0438\u044f", "+917702345678"),
        ("Indien", "+917702345678"),
        ("", "+17702345678"),
        (" ", "+17702345678"),
        ("United States", "+17702345678"),
        ("+1", "+17702345678"),
    ],
)
def test_the_country_of_the_row_decides(country: str, number: str) -> None:
    """By whatever name; the region of the import is for rows that name none."""
    assert usable("7702345678", "US", country) == [number]


@pytest.mark.parametrize(
    ("cell", "country", "expected"),
    [
        ("447911123456", "UK", "+447911123456"),
        ("447911123456", "44", "+447911123456"),
        ("07911 123456", "United Kingdom", "+447911123456"),
        ("7911123456", "44", "+447911123456"),
        ("+12015550101", "Germany", ONE),
        ("+12015550101", "Narnia", ONE),
        ("+12015550101", "1", ONE),
        ("(201) 555-0101", "France", "country_mismatch"),
        ("+12015550101", "+49", "country_mismatch"),
        ("0049 30 123456", "44", "country_mismatch"),
        ("2015550101", "Narnia", "unknown_country"),
        ("2015550101", "n/a", "unknown_country"),
        ("2015550101", "NA", "unknown_country"),
        ("2015550101", "?", "unknown_country"),
        ("2015550101", "+999", "unknown_country"),
        ("2015550101", "Germany (+44)", "unknown_country"),
        ("call me", "Germany", "invalid_number"),
        ("4915123456789", "DE", "ambiguous_number"),
        ("15123456789", "DE", "+4915123456789"),
        ("", "Narnia", None),
    ],
)
def test_a_country_that_does_not_fit_is_told(cell: str, country: str, expected: str | None) -> None:
    """Nothing is guessed; a number with + needs no country, but must not contradict its code."""
    found = [
        each if isinstance(each, str) else each.code
        for each in read_cell(cell, "US", country=country)
    ]
    assert found == ([] if expected is None else [expected])


def read(
    tmp_path: Path, columns: str, *rows: str, region: str = "US", **options: bool
) -> list[Entry]:
    """The entries of a file."""
    path = tmp_path / "people.csv"
    path.write_text("\n".join([columns, *rows]), encoding="utf-8")
    table = read_table(path)
    mapping = map_columns(
        table.columns, {"Country": "custom_variables.country"} if options.pop("sent", False) else {}
    )
    return list(ContactReader(table=table, columns=mapping, region=region, **options).entries())


def results(entries: list[Entry]) -> list[str]:
    """The number of each, or the code of what is wrong."""
    return [
        entry.contact.number if entry.contact else entry.problem.code if entry.problem else ""
        for entry in entries
    ]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Country", False),
        ("Country", True),
        ("Phone Country Code", False),
        ("Dial Code", False),
        ("Land", False),
        ("Pays", False),
    ],
)
def test_the_country_is_found_in_its_column(tmp_path: Path, name: str, sent: bool) -> None:
    """Under its names, also where it is sent as a custom variable."""
    rows = ["7702345678,91", "2015550101,", "7702345678,Narnia"]
    expected = ["+917702345678", ONE, "unknown_country"]
    assert results(read(tmp_path, f"Phone,{name}", *rows, sent=sent)) == expected


def test_each_number_of_a_cell_is_a_contact_if_all_are_wanted(tmp_path: Path) -> None:
    """Otherwise the first that is usable is the only one."""
    rows = ['"555, 2015550101; 2015550102"', '"2015550101 / (201) 555-0102"', "2015550101 x5"]
    first = read(tmp_path, "Phone", *rows)
    assert results(first) == ["invalid_number", ONE, "invalid_number"]
    every = read(tmp_path, "Phone", *rows[1:], all_numbers=True)
    assert results(every) == [ONE, TWO, "invalid_number"]


def test_other_numbers_of_the_column_tell_what_a_number_lacks(tmp_path: Path) -> None:
    """Beside numbers of the region an unclear one is such, beside foreign ones it is ambiguous."""
    unclear = ["15123456789", "447911123456"]
    german = ["1701234567", "1601234567", "1721234567"]
    assert results(read(tmp_path, "Phone", *unclear, region="DE")) == ["ambiguous_number"] * 2
    found = results(read(tmp_path, "Phone", *unclear, *german, region="DE"))
    assert found[0] == "+4915123456789"
    assert results(read(tmp_path, "Phone", "3212345678")) == ["+13212345678"]
    foreign = ["4915123456789", "33612345678", "447911123456"]
    expected = ["ambiguous_number", *["invalid_number"] * 3]
    assert results(read(tmp_path, "Phone", "3212345678", *foreign)) == expected
    assert results(read(tmp_path, "Phone", "2015550101", *foreign[:2]))[0] == ONE
    german.append("905012345678")
    assert results(read(tmp_path, "Phone", *unclear, *german, region="DE"))[0] == "ambiguous_number"
    many = [f"41520{n:05}" for n in range(20000, 20400)]
    assert results(read(tmp_path, "Phone", "3212345678", *foreign, *many))[0] == "+13212345678"


def test_rows_of_other_countries_tell_nothing_of_the_column(tmp_path: Path) -> None:
    """Their numbers are read by their own country."""
    abroad = ["33612345678,France", "33612345679,France", "33612345670,FR"]
    rows = ["3212345678,", *abroad]
    found = results(read(tmp_path, "Phone,Country", *rows))
    assert found[0] == "+13212345678"
