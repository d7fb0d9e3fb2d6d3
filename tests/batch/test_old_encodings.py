"""Files in old encodings: what is plainly Western is read, and anything else is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sendblue_async.batch._sources._table import Table, read_table
from sendblue_async.exceptions import ValidationError

Read = Callable[..., Table]

WESTERN = {
    "French": "Hélène Lefèvre, François Besançon, Zoë Noël, Benoît Château, Jérôme Forêt, Anaïs",
    "German": "Jürgen Müller, Björn Groß, Käthe Weiß, Özlem Schäfer, Änne Süßmuth, JÖRG STRAUß",
    "Spanish": "Begoña Agüero, José Muñoz, María Núñez, Íñigo Sáenz, Adrián Peláez, Óscar García",
    "Portuguese": "João Simões, Conceição Magalhães, Inês Gonçalves, Cláudio Sá, Estêvão Câmara",
    "Italian": "Nicolò Cantù, Niccolò Segrè, Libertà Città, Josè Lunedì, Mosè Cefalù",
    "Swedish": "Åsa Öberg, Göran Sjöström, Märta Ångström, Björn Åkesson",
    "Danish": "Søren Kjær, Jørgen Ødegård, Ærø Næss, Bøe Høegh, Øystein Sæther",
    "Finnish": "Päivi Hämäläinen, Väinö Mäkelä, Töölö",
    "Icelandic": "Guðrún Þórðardóttir, Sigríður Sigurðsson, Þorsteinn Davíð, Björk Guðmundsdóttir",
    "Dutch": "Daniëlle Coëlho, Zoë van Böhmer, Renée Israël",
    "Irish": "Seán, SEÁN, Ciarán, Siobhán, Róisín",
    "signs": "O’Brien, D’Angelo, Bob – the builder, “Bobby”, 30 €, £20, Nº 5, Acme™",
}

OTHERS = {
    "Czech": (
        ["cp1250", "iso8859-2", "cp852"],
        "Jiří Dvořák, Ondřej, Kateřina Černá, Božena Němcová",
    ),
    "Polish": (["cp1250", "iso8859-2"], "Łukasz Wałęsa, Małgorzata, Jędrzej Świątek"),
    "Hungarian": (["cp1250", "iso8859-2"], "Erdős Győző, Szűcs, Fülöp Kovács"),
    "Croatian": (["cp1250", "iso8859-2"], "Ivan Petrović, Anđela Kovačević, Đuro"),
    "Romanian": (["cp1250"], "Mădălina Ionică, Vasilică Stănescu, Nicoară Niţă"),
    "Turkish": (["cp1254", "iso8859-9"], "Ayşe Yıldız, İlker Doğan, Şener Çalışkan"),
    "Russian": (
        ["cp1251", "koi8-r", "iso8859-5", "cp866", "mac_cyrillic"],
        "Иван Петров, Мария Иванова, ЮРИЙ",
    ),
    "Greek": (["cp1253", "iso8859-7"], "Γιώργος Παπαδόπουλος, Ελένη"),
    "Hebrew": (["cp1255", "iso8859-8"], "דוד כהן, שרה לוי"),
    "Arabic": (["cp1256", "iso8859-6"], "محمد علي, فاطمة"),
    "Thai": (["cp874"], "สมชาย ใจดี, สมหญิง"),
    "Japanese": (["shift_jis", "euc-jp"], "田中 太郎, 鈴木 花子, タナカ"),
    "half-width": (["shift_jis"], "ﾀﾅｶ ﾀﾛｳ"),
    "Chinese": (["gb18030", "gbk"], "张伟, 王秀英, 李娜"),
    "Taiwanese": (["big5"], "陳怡君, 林志明"),
    "Korean": (["euc-kr", "cp949"], "김민준, 이서연"),
    "Latvian": (["cp1257"], "Jānis Bērziņš, Kārlis Ozoliņš"),
    "Mac": (["mac_roman"], "José Muñoz, Hélène Müller, Björn García"),
    "Mac, one": (["mac_roman"], "García"),
    "Mac, ñ": (["mac_roman"], "Muñoz"),
    "Mac, ö": (["mac_roman"], "Björn"),
    "Mac, ü": (["mac_roman"], "Müller"),
    "DOS": (["cp850", "cp437"], "José Muñoz, Hélène Müller, Jörg Weiß"),
    "DOS, é": (["cp850", "cp437"], "José"),
    "DOS, á": (["cp850", "cp437"], "Gálvez"),
    "DOS, final á": (["cp850"], "Barberá"),
    "DOS, ß": (["cp850", "cp437"], "Weiß"),
    "DOS, Ö": (["cp850", "cp437"], "Özil"),
    "Czech, one": (["cp1250"], "Jiří"),
    "Croatian, one": (["cp1250"], "Petrović"),
    "Hungarian, one": (["cp1250"], "Erdős"),
    "Turkish, one": (["cp1254"], "Ayşe"),
}

LEGACY = [(name, encoding) for name, (encodings, _) in OTHERS.items() for encoding in encodings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads names in an encoding, each in a row of its own."""

    def table(names: str, written: str, **options: str) -> Table:
        rows = (f"+1201555{n:04},{name}\n" for n, name in enumerate(names.split(", ")))
        path = tmp_path / "contacts.csv"
        path.write_bytes(("number,name\n" + "".join(rows)).encode(written))
        return read_table(path, **options)

    return table


@pytest.fixture(params=["with chardet", "without chardet"])
def chardet(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test with chardet and as if it were not installed."""
    if request.param == "without chardet":
        monkeypatch.setitem(__import__("sys").modules, "chardet", None)


@pytest.mark.usefixtures("chardet")
@pytest.mark.parametrize("language", WESTERN)
def test_western_names_are_read_without_a_question(read: Read, language: str) -> None:
    """Windows-1252 in any Western language is what it looks like, also name by name."""
    names = WESTERN[language]
    for some in (names, *(name for name in names.split(", ") if not name.isascii())):
        table = read(some, "cp1252")
        assert table.encoding == "cp1252"
        assert [row.cells[1] for row in table.rows()] == some.split(", ")
        assert not any(row.problem for row in table.rows())


@pytest.mark.usefixtures("chardet")
@pytest.mark.parametrize(("language", "encoding"), LEGACY)
def test_other_encodings_are_asked_for(read: Read, language: str, encoding: str) -> None:
    """The error shows what the likely ones make of it; one that is given is used."""
    names = OTHERS[language][1]
    with pytest.raises(ValidationError, match="is neither UTF-8 nor plainly Western") as caught:
        read(names, encoding)
    assert caught.value.field == "encoding"
    # None is recommended: only who knows the names can tell which is right.
    assert "encoding=NAME" in str(caught.value)
    table = read(names, encoding, encoding=encoding)
    assert [row.cells[1] for row in table.rows()] == names.split(", ")


@pytest.mark.usefixtures("chardet")
@pytest.mark.parametrize(
    ("language", "encoding"),
    [pair for pair in LEGACY if ", " not in pair[0] and pair[1] not in {"iso8859-8", "iso8859-6"}],
)
def test_the_right_encoding_is_among_those_shown(read: Read, language: str, encoding: str) -> None:
    """Somebody who knows the names finds two of them in it, and which encoding that is."""
    names = OTHERS[language][1]
    with pytest.raises(ValidationError) as caught:
        read(names, encoding)
    special = [name for name in names.split(", ") if not name.isascii()][:2]
    assert ", ".join(map(repr, special)) in str(caught.value)


@pytest.mark.parametrize(
    "garbled",
    [
        *("JosÃ©", "MÃ¼ller", "Ã…sa", "WaÅ‚Ä™sa", "Oâ€™Brien", "Ð˜Ð²Ð°Ð½"),
        *(
            "å¼µå‰",
            "Jos√©",
            "Jos├®",
            "MĂĽller",
            "JosĂ©",
            "WaĹ‚",
            "MĂśLLER",
            "Р˜РІР°РЅ",
            "Ãlodie",
            "NoÃ«l",
            "ã¿ã",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_that_was_read_wrongly_before_is_not_stored(
    read: Read, garbled: str, encoding: str
) -> None:
    """Its row is rejected with the place marked, and no other; a given encoding settles it."""
    table = read(f"Zoë, {garbled}, Ægir", encoding)
    assert [row.problem and row.problem.code for row in table.rows()] == [None, "undecodable", None]
    assert [row.cells[1].replace("\ufffd", "") for row in table.rows()] == ["Zoë", garbled, "Ægir"]
    table = read(f"Zoë, {garbled}, Ægir", encoding, encoding=encoding.removesuffix("-sig"))
    assert [row.cells[1] for row in table.rows()] == ["Zoë", garbled, "Ægir"]


def test_capitals_and_quotes_are_no_text_that_was_read_wrongly(read: Read) -> None:
    """What looks a little like it is read as it stands in proper text of any language."""
    names = "SMÅ’S, CAFÉ», RENÉ’S, JOÃO, voilà », « été », ÂGE, ÎLE, Ñandú, Рита, СССР, Г-н, √2"
    names += ", RĂŞCANU, CASĂ”, ÎN CASĂ…, Ăsta, TĂŁ, SLOVENĹ"
    names += ", Петров С.С., Иванов Р.С, √, “L’été…”, «café»…, —é—”"
    table = read(names, "utf-8")
    assert [row.cells[1] for row in table.rows() if not row.problem] == names.split(", ")


def test_one_broken_byte_is_the_problem_of_its_row(read: Read, tmp_path: Path) -> None:
    """A file of UTF-8 is no other file for it, and a letter that is cut off is not stored."""
    content = "number,name\n+12015550101,Zoë\n+12015550102,José\n".encode()
    (tmp_path / "contacts.csv").write_bytes(content.replace("é".encode(), b"\xc3"))
    table = read_table(tmp_path / "contacts.csv")
    assert [row.problem and row.problem.code for row in table.rows()] == [None, "undecodable"]
    (tmp_path / "contacts.csv").write_bytes(b"number,name\n+12015550102,Jos\xc3\n")
    with pytest.raises(ValidationError, match="neither UTF-8 nor"):
        read_table(tmp_path / "contacts.csv")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("iso2022_jp", "太郎, 山田, タナカ"),
        ("iso2022_jp_1", "太郎, 山田"),
        ("iso2022_kr", "철수, 김민준"),
        ("hz", "张伟, 王秀英"),
    ],
)
def test_letters_that_are_written_as_ascii(
    read: Read, tmp_path: Path, encoding: str, names: str
) -> None:
    """They are valid UTF-8, and nothing is stored of them before the encoding is given."""
    with pytest.raises(ValidationError, match=f"'{names.split(',')[0]}'") as caught:
        read(names, encoding)
    assert caught.value.field == "encoding"
    cards = tmp_path / "contacts.vcf"
    cards.write_bytes(f"BEGIN:VCARD\nFN:{names}\nEND:VCARD\n".encode(encoding))
    with pytest.raises(ValidationError, match=r"contacts\.vcf is in"):
        read_table(cards)
    [given] = re.findall("encoding='(.+?)'", str(caught.value))
    assert [row.cells[1] for row in read(names, encoding, encoding=given).rows()] == names.split(
        ", "
    )
    plain = "~{, a~{b}~, ~{ } ~}, $B"
    assert [row.cells[1] for row in read(plain, "utf-8").rows()] == plain.split(", ")


@pytest.mark.parametrize("name", ["a.jsonl", "a.vcf"])
def test_every_format_of_text_asks(tmp_path: Path, name: str) -> None:
    """JSON Lines and cards in an old encoding are refused as CSV is."""
    text = {
        "a.jsonl": '{"number": "+12015550101", "name": "Иван"}\n',
        "a.vcf": "BEGIN:VCARD\nFN:Иван\nTEL:+12015550101\nEND:VCARD\n",
    }[name]
    (tmp_path / name).write_bytes(text.encode("cp1251"))
    with pytest.raises(ValidationError, match=r"'.*Иван.*"):
        read_table(tmp_path / name)
    assert next(iter(read_table(tmp_path / name, encoding="cp1251").rows())).problem is None
