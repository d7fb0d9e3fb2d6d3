"""Which column is which field, in the exports of common programs and as it is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from functools import partial
from importlib import resources
from typing import Any

import attrs
import pytest

from sendblue_async.batch._mapping._columns import CONTACT_FIELDS, check_repeated, map_columns
from sendblue_async.batch._mapping._vocabulary import find_meaning
from sendblue_async.batch._sources._header import number_repeated
from sendblue_async.exceptions import ConfigurationError, ValidationError
from sendblue_async.models import BatchContact

decompose = partial(unicodedata.normalize, "NFD")
EXPORTS: dict[str, tuple[list[str], list[str], dict[str, str]]] = {
    "plain": (
        ["number", "first_name", "last_name", "tags", "assigned_to_email", "sendblue_number"],
        ["number"],
        {
            "first_name": "first_name",
            "last_name": "last_name",
            "tags": "tags",
            "assigned_to_email": "assigned_to_email",
            "sendblue_number": "sendblue_number",
        },
    ),
    "Google Contacts": (
        [
            "First Name",
            "Middle Name",
            "Last Name",
            "Labels",
            "E-mail 1 - Value",
            "Phone 1 - Label",
            "Phone 1 - Value",
            "Phone 2 - Label",
            "Phone 2 - Value",
            "Phone 3 - Value",
        ],
        ["Phone 1 - Value", "Phone 2 - Value", "Phone 3 - Value"],
        {"first_name": "First Name", "last_name": "Last Name", "tags": "Labels"},
    ),
    "Google Contacts, before": (
        [
            "Name",
            "Given Name",
            "Family Name",
            "Group Membership",
            "Phone 1 - Type",
            "Phone 1 - Value",
        ],
        ["Phone 1 - Value"],
        {"first_name": "Given Name", "last_name": "Family Name", "tags": "Group Membership"},
    ),
    "HubSpot": (
        [
            "Record ID",
            "First Name",
            "Last Name",
            "Email",
            "Phone Number",
            "Contact owner",
            "Mobile Phone Number",
        ],
        ["Mobile Phone Number", "Phone Number"],
        {"first_name": "First Name", "last_name": "Last Name"},
    ),
    "Salesforce": (
        ["Id", "FirstName", "LastName", "Phone", "MobilePhone", "HomePhone", "OtherPhone"],
        ["MobilePhone", "Phone", "HomePhone", "OtherPhone"],
        {"first_name": "FirstName", "last_name": "LastName"},
    ),
    "Outlook": (
        [
            "First Name",
            "Last Name",
            "Business Phone",
            "Home Phone",
            "Mobile Phone",
            "Primary Phone",
            "Categories",
            "Home Fax",
        ],
        ["Mobile Phone", "Primary Phone", "Home Phone", "Business Phone"],
        {"first_name": "First Name", "last_name": "Last Name", "tags": "Categories"},
    ),
    "German": (
        ["Telefon", "Vorname", "Nachname", "Kategorien", "Mobiltelefon", "Firma"],
        ["Mobiltelefon", "Telefon"],
        {
            "first_name": "Vorname",
            "last_name": "Nachname",
            "company_name": "Firma",
            "tags": "Kategorien",
        },
    ),
    "Outlook, German": (
        [
            "Vorname",
            "Nachname",
            "Fax geschäftlich",
            "Telefon geschäftlich",
            "Telefon geschäftlich 2",
            "Telefon (privat)",
            "Telefon (privat 2)",
            "Mobiltelefon",
            "Haupttelefon",
            "Weiteres Telefon",
        ],
        [
            "Mobiltelefon",
            "Haupttelefon",
            "Telefon (privat)",
            "Telefon (privat 2)",
            "Telefon geschäftlich",
            "Telefon geschäftlich 2",
            "Weiteres Telefon",
        ],
        {"first_name": "Vorname", "last_name": "Nachname"},
    ),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_known_exports(export: str) -> None:
    """The columns of each are recognised, the likeliest number for a mobile in front."""
    names, numbers, fields = EXPORTS[export]
    found = map_columns(names, {})
    assert [names[position] for position in found.numbers] == numbers
    assert {field: names[position] for field, position in found.fields.items()} == fields
    used = {*numbers, *fields.values(), *(names[kind] for kind in found.kinds.values())}
    assert found.unused == tuple(name for name in names if name not in used)


# Each header with the column of numbers that is tried first, and those of both names.
HEADERS = [
    ("First,Last,Phone", "Phone", "First", "Last"),
    ("Name;Surname;Tel.", "Tel.", "Name", "Surname"),
    ("given_name,family_name,customer_phone,msisdn", "msisdn", "given_name", "family_name"),
    ("FirstName,LastName,Contact Phone,Phone Type,WhatsApp", "WhatsApp", "FirstName", "LastName"),
    ("fname,lname,phone_e164,mobileNumber", "mobileNumber", "fname", "lname"),
    ("Contact: First Name|Contact: Last Name|Contact: Phone|Contact: Mobile Phone",
     "Contact: Mobile Phone", "Contact: First Name", "Contact: Last Name"),
    ("Name;Vorname;Telefon;Mobil", "Mobil", "Vorname", "Name"),
    ("Vorname;Nachname;Festnetz;Telefonnr. (privat);Handynummer", "Handynummer",
     "Vorname", "Nachname"),
    ("Nom;Prénom;Téléphone fixe;Tél. portable", "Tél. portable", "Prénom", "Nom"),
    ("Nom de famille;Prénom;Téléphone;N° de GSM", "N° de GSM", "Prénom", "Nom de famille"),
    ("Nombre;Apellidos;Teléfono;Móvil", "Móvil", "Nombre", "Apellidos"),
    ("Nombre;Apellido;Telf.;N° de celular", "N° de celular", "Nombre", "Apellido"),
    ("Nome;Cognome;Telefono;Cellulare", "Cellulare", "Nome", "Cognome"),
    ("Nome;Sobrenome;Telefone;Telemóvel", "Telemóvel", "Nome", "Sobrenome"),
    ("Nome;Apelido;Telefone fixo;Telefone celular", "Telefone celular", "Nome", "Apelido"),
    ("Voornaam;Achternaam;Telefoon;Mobiel nummer", "Mobiel nummer", "Voornaam", "Achternaam"),
    ("Imię;Nazwisko;Numer telefonu;Telefon komórkowy", "Telefon komórkowy", "Imię", "Nazwisko"),
    ("Förnamn;Efternamn;Telefon;Mobilnummer", "Mobilnummer", "Förnamn", "Efternamn"),
    ("Ad;Soyad;Ev Telefonu;Cep Telefonu", "Cep Telefonu", "Ad", "Soyad"),
    ("ADI;SOYADI;İŞ TELEFONU;CEP NO", "CEP NO", "ADI", "SOYADI"),
    ("Имя;Фамилия;Номер телефона;Мобильный телефон", "Мобильный телефон", "Имя", "Фамилия"),
    ("名;姓;電話番号;携帯電話番号", "携帯電話番号", "名", "姓"),
    ("Fornavn;Etternavn;Telefon;Mobil", "Mobil", "Fornavn", "Etternavn"),
    ("Etunimi;Sukunimi;Puhelinnumero;Matkapuhelin", "Matkapuhelin", "Etunimi", "Sukunimi"),
    ("Jméno;Příjmení;Telefon;Mobilní telefon", "Mobilní telefon", "Jméno", "Příjmení"),
    ("이름;전화번호;휴대폰 번호;성", "휴대폰 번호", "이름", "성"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "number", "first", "last"), HEADERS)
@pytest.mark.parametrize("change", [str, str.upper, decompose])
def test_the_names_of_columns_in_many_languages(
    header: str, number: str, first: str, last: str, change: Callable[[str], str]
) -> None:
    """A mobile number goes before a landline; a whole name beside one part holds the other."""
    names = re.split("[,;|]", change(header))
    found = map_columns(names, {})
    assert names[found.numbers[0]] == change(number)
    read = {
        field: names[position]
        for field, position in {**found.fields, "full_name": found.full_name}.items()
        if position is not None
    }
    for field, column in (("first_name", first), ("last_name", last)):
        assert read.pop(field, None) or read.pop("full_name") == change(column)
    assert not read


@pytest.mark.parametrize(
    "name",
    ["Full Name", "Name", "Display Name", "Customer Name", "saved_name", "fullName", "Kundenname",
     "Vor- und Nachname", "Nom complet", "Nom et prénom", "Nom du client", "Nombre y apellidos",
     "Nombre completo", "Nome e cognome", "Nome completo", "Volledige naam", "Imię i nazwisko",
     "Namn", "Ad Soyad", "ФИО", "氏名", "お名前", "Contact name", "First and Last Name"],
)  # fmt: skip
def test_one_column_may_hold_both_names(name: str) -> None:
    """It is read where no columns hold them apart."""
    assert map_columns(["Phone", name], {}).full_name == 1
    apart = map_columns(["Phone", name, "First Name", "Surname"], {})
    assert (apart.full_name, apart.unused) == (None, (name,))
    given = map_columns(["Phone", "x", "First Name", "Surname"], {"x": "full_name"})
    assert given.full_name == 1


def test_a_column_can_be_every_field_of_a_contact() -> None:
    """The list of the fields has all that a batch stores, whatever the model gets in the end."""
    known = {field.name for field in attrs.fields(BatchContact)}
    assert known - {"update_if_exists", "extra_body"} == {*CONTACT_FIELDS}


COMPANY_NAMES = [
    "Company", "company_name", "CompanyName", "Organization Name", "Organization 1 - Name",
    "Business Name", "Account Name", "Employer", "Default Address Company", "Associated Company",
    "Billing Company", "Firmenname", "Unternehmen", "Société", "Raison sociale", "Empresa",
    "Razón social", "Azienda", "Ragione sociale", "Razão social", "Bedrijfsnaam", "Nazwa firmy",
    "Företag", "Şirket Adı", "Компания", "会社名", "公司名称",
]  # fmt: skip


@pytest.mark.parametrize("name", COMPANY_NAMES)
def test_companies_are_known_by_many_names(name: str) -> None:
    """In each of the languages, and with what programs put beside the word."""
    assert map_columns(["Phone", name], {}).fields == {"company_name": 1}


@pytest.mark.parametrize(
    "names",
    [
        ["Company Name", "Associated Company"],
        ["Company", "Organization"],
        ["Company", "Billing Company"],
        ["Company", "Company Size", "Company Owner", "Company Phone", "Company 2"],
    ],
)
def test_the_first_of_several_companies_is_the_best(names: list[str]) -> None:
    """The others are not used, in whichever order they stand."""
    for ordered in (names, names[::-1]):
        found = map_columns(["Mobile", *ordered], {})
        assert ["Mobile", *ordered][found.fields["company_name"]] == names[0]


MOBILE_NAMES = [
    "Mobile Phone (E164)", "Phone No. (Mobile)", "tel_mobile", "MOBILE_NO",
    "CELL_PHONE_NUM", "PhoneNumberMobile", "contact_mobile", "Cust. Mobile", "mobile#",
    "Phone/Mobile", "WhatsApp No.", "Handy-Nr.", "Mobilfunk-Nr.", "Telefon (mobil)",
    "Diensthandy", "Tél mobile", "Numéro de portable", "Mobile pro", "Tel. cellulare",
    "Cell.", "Numero di cellulare", "Nº de teléfono móvil", "Celular/WhatsApp",
    "Nº Telemóvel", "Telefoon mobiel", "Gsm-nummer", "Tel. kom.", "Telefon (Cep)",
    "Cep telefonu numarası", "GSM No", "Телефон (моб.)", "Телефон мобильный", "Сотовый",
    "電話番号（携帯）", "携帯TEL", "ケータイ番号", "手机号码", "휴대폰", "Mobil nr",
]  # fmt: skip
PHONE_NAMES = [
    "Primary Phone Number", "Best phone", "Ph. No.", "Tel #", "cust_phone", "phone_num",
    "2nd Phone", "Phone (with country code)", "Phone number (text)", "Contact: Phone",
    "Person - Phone - Home", "Telefon (priv.)", "Kontakttelefon", "N° de téléphone",
    "Numero telefono", "Teléfono de contacto", "Telefone para contato",
    "Telefoonnummer klant", "Nr telefonu", "Telefon kontaktowy", "Tfn", "Telefon Numarası",
    "Контактный телефон", "お電話番号", "ご連絡先電話番号", "TEL", "电话", "전화번호",
]  # fmt: skip


@pytest.mark.parametrize("name", PHONE_NAMES)
def test_a_mobile_number_goes_first(name: str) -> None:
    """However both columns are called."""
    for mobile in MOBILE_NAMES:
        assert map_columns([name, mobile], {}).numbers == (1, 0), mobile


NEVER_NUMBERS = [
    "Customer Number", "Order No", "Order Number", "Fax", "Work Fax", "Phone extension",
    "Ext", "Phone Type", "Phone 1 - Type", "Phone Label", "Do not call",
    "Do Not Call Phone", "Kundennummer", "N° client", "Número de pedido", "Account Number",
    "Phone Country Code", "Mobile Country", "Phone Verified", "Mobile Opt-In",
    "Phone Status", "Emergency Contact Phone", "Assistant's Phone", "Company Main Phone",
    "Number of orders", "ID Number", "Postal Code", "Phone Model", "Telex", "Hausnummer",
    "顧客番号", "郵便番号", "Номер заказа", "Numer NIP", "Müşteri No", "SMS Marketing Consent",
    "Cellar", "Hotel", "Unsubscribed Phone", "Last Phone Call", "Phone Calls",
]  # fmt: skip


@pytest.mark.parametrize("name", NEVER_NUMBERS)
def test_other_columns_are_no_phone_numbers(name: str) -> None:
    """A word that says something else is enough, whatever stands beside it."""
    assert map_columns(["Phone", name], {}).numbers == (0,)
    with pytest.raises(ValidationError, match="No column was recognised as phone numbers"):
        map_columns([name], {})


@pytest.mark.parametrize(
    "name",
    ["Last Contact", "Last Contacted", "First Contact", "First Order", "Last Order Name",
     "Username", "User Name", "Preferred Name", "Middle Name", "Nickname", "Product Name",
     "Company Size", "File As", "Event", "First Name Phonetic", "Name Prefix", "Spouse",
     "Manager's Name"],
)  # fmt: skip
def test_other_columns_are_no_names(name: str) -> None:
    """What happened first or last is no first or last name, nor is the name of something else."""
    found = map_columns(["Phone", name], {})
    assert (found.fields, found.full_name, found.unused) == ({}, None, (name,))


@pytest.mark.parametrize("name", ["Number", "Number 1", "No.", "Nummer", "Numéro", "番号",
                                  "Contact Number", "Contact No."])  # fmt: skip
def test_a_column_that_may_count_something_else_is_a_last_resort(name: str) -> None:
    """It holds phone numbers only if no other column does."""
    assert map_columns([name], {}).numbers == (0,)
    found = map_columns([name, "Phone"], {})
    assert (found.numbers, found.unused) == ((1,), (name,))
    assert map_columns([name, "Call me at"], {"Call me at": "number"}).numbers == (1,)
    assert map_columns([name, "Phone"], {name: "number"}).numbers == (0, 1)


@pytest.mark.parametrize(
    "names",
    [
        ["Mobile", "Personal mobile", "Work mobile", "Phone", "Home phone", "Work phone",
         "billing_phone", "Alternate phone", "shipping_phone", "Landline"],
        ["Handy", "Telefon", "Telefon privat", "Telefon geschäftlich", "Weiteres Telefon",
         "Festnetz"],
        ["GSM", "Téléphone", "Téléphone domicile", "Téléphone professionnel", "Téléphone fixe"],
        ["Phone", "Default Address Phone"],
    ],
)  # fmt: skip
def test_the_order_of_columns_with_numbers(names: list[str]) -> None:
    """Mobile, then main, then by whose it is, whatever their order in the file is."""
    found = map_columns(names[::-1], {})
    assert [names[::-1][position] for position in found.numbers] == names


@pytest.mark.parametrize(
    "name",
    ["Country", "Country Code", "Default Address Country Code", "Business Country/Region", "Land",
     "Address 1 - Country", "MailingCountry", "Phone Country Code", "Pays", "País", "Paese", "Kraj",
     "Ülke", "Страна", "国", "ISO country", "country_name",
     "Country of Residence", "Country/Territory", "Phone Prefix"],
)  # fmt: skip
def test_the_country_of_a_contact(name: str) -> None:
    """Its column is known; of several the likeliest is read, and no other is in the way."""
    assert map_columns(["Phone", name], {}).country == 1
    assert map_columns(["Phone", "Other Country", name, "x"], {"x": "country"}).country == 3


@pytest.mark.parametrize(
    "names",
    [
        ["Phone Number 1", "Phone Number 2"],
        ["Phone1", "Phone2"],
        ["Mobile No.", "Phone No."],
        ["Phone (Mobile)", "Phone"],
        ["Cell Phone Number", "Telephone No"],
        ["Handynummer", "Rufnummer"],
        ["Tel.", "Telefon (privat 2)", "Telefon gescha\u0308ftlich 2"],
        ["\uff30\uff48\uff4f\uff4e\uff45 \uff11", "Phone \u2116 2"],
    ],
)
def test_other_names_of_columns_with_numbers(names: list[str]) -> None:
    """They may be counted, abbreviated, and encoded as macOS or Japanese programs do it."""
    assert map_columns(names, {}).numbers == tuple(range(len(names)))


def test_only_columns_with_numbers_are_counted() -> None:
    """A second column of any other field would have to be told from the first one."""
    found = map_columns(["Phone", "Tags", "Tags 2", "First Name 2"], {})
    assert found.fields == {"tags": 1}
    assert found.unused == ("Tags 2", "First Name 2")


def test_the_kind_of_a_number_stands_in_a_column_of_its_own() -> None:
    """Google calls it label, and type before; it belongs to one number."""
    names = ["Phone 1 - Label", "Phone 1 - Value", "Phone 2 - Type", "Phone 2 - Value", "Mobile"]
    found = map_columns([*names, "E-mail 1 - Label"], {})
    assert found.kinds == {1: 0, 3: 2}
    assert found.unused == ("E-mail 1 - Label",)


def test_what_is_given_goes_before_what_is_recognised() -> None:
    """A field that is given is not looked for, and a column that is given is nothing else."""
    names = ["Phone", "Call this", "First Name", "Plan", "custom_variables.city"]
    given = {"Call this": "number", "First Name": "last_name", "Plan": "custom_variables.plan"}
    found = map_columns(names, given)
    assert found.numbers == (1, 0)
    assert found.fields == {"last_name": 2}
    assert found.variables == {"plan": 3, "city": 4}
    assert found.unused == ()


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({}, ["Mobile", "Phone", "Home Phone"]),
        ({"Plan": "tags"}, ["Mobile", "Phone", "Home Phone"]),
        ({"Beeper": "number"}, ["Beeper", "Mobile", "Phone", "Home Phone"]),
        ({"Phone": "number"}, ["Phone", "Mobile", "Home Phone"]),
        ({"Home Phone": "number", "Beeper": "number"},
         ["Home Phone", "Beeper", "Mobile", "Phone"]),
        ({"Phone": "custom_variables.phone"}, ["Mobile", "Home Phone"]),
    ],
)  # fmt: skip
def test_a_column_that_is_given_costs_no_number(given: dict[str, str], numbers: list[str]) -> None:
    """Columns that are known to hold numbers still do, unless they are given as something else."""
    names = ["Phone", "Home Phone", "Mobile", "Beeper", "Plan"]
    found = map_columns(names, given)
    assert [names[position] for position in found.numbers] == numbers


@pytest.mark.parametrize(
    ("names", "given", "kind", "words"),
    [
        (["a", "b"], {}, ValidationError, "No column was recognised as phone numbers"),
        (["+14155550123"], {}, ValidationError, r"with columns=\{NAME: 'number'\}\. The"),
        (["+14155550123"], {}, ValidationError, "The columns are '…0123'"),
        *(
            (
                [f"number{sign}first_name"],
                {},
                ValidationError,
                r"^'number.* was read as one column\. .* comma, .* or tilde, .* columns=\{'number",
            )
            for sign in ("|", " | ", "^", ";", ", ", ":", "!", "*", "  ", "\u00a7")
        ),
        (["E-Mail (work)/phone"], {}, ValidationError, "No column was recognised as phone num"),
        (["number"], {"Number": "number"}, ConfigurationError, "There is no column 'Number'"),
        (["number", "x"], {"x": "age"}, ConfigurationError, "'age' is not a field"),
        (["number", "x"], {"x": "custom_variables."}, ConfigurationError, "is not a field"),
        (["number", "Vorname", "First Name"], {}, ValidationError, "are both first_name"),
        (["number", "x", "y"], {"x": "tags", "y": "tags"}, ValidationError, "are both tags"),
    ],
)
def test_what_cannot_be_told_is_refused(
    names: list[str], given: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """The error names the column, or says how to name it."""
    with pytest.raises(kind, match=words):
        map_columns(names, given)


@pytest.mark.parametrize(
    "name",
    ["First Name", "number", "Telefon", "Phone 1 - Value", "custom_variables.x", "Categories"],
)
def test_two_columns_of_a_field_cannot_be_told_apart(name: str) -> None:
    """The error names them, whatever else is doubled."""
    header = ("a" if name == "number" else "number", "a", name, "a", name)
    mapping = map_columns(number_repeated(header), {})
    with pytest.raises(ValidationError, match=rf"^contacts\.csv has two columns .* '{name}'\. "):
        check_repeated("contacts.csv", header, mapping)


def test_other_columns_may_have_one_name() -> None:
    """Columns that are no field, and blank ones, are none's to take for another."""
    header = ("number", "a", "a", "", "", " ", "Name", "Name", "First Name", "Last Name")
    check_repeated("contacts.csv", header, map_columns(number_repeated(header), {}))


def test_the_vocabulary_has_its_sources_and_twelve_languages() -> None:
    """It is kept as data, and each kind of column is known in each of the languages."""
    package = "sendblue_async.batch._mapping"
    text = resources.files(package).joinpath("column_names.json").read_text(encoding="utf-8")
    assert len(text.encode()) < 32_768
    listed = json.loads(text)
    assert len(listed["sources"]) > 2
    languages = {"en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr", "ru", "ja"}
    for kind in ("mobile", "phone", "first_name", "last_name", "full_name", "company_name", "tags",
                 "country"):  # fmt: skip
        assert listed[kind].keys() | listed["alone"].get(kind, {}).keys() >= languages, kind


def test_the_vocabulary_is_read_when_it_is_needed() -> None:
    """Programs that import no file do not wait for it, nor does the second import."""
    code = (
        "import sendblue_async, sendblue_async.cli\n"
        "from sendblue_async.batch._mapping import _columns, _vocabulary\n"
        "assert _vocabulary._load.cache_info().misses == 0\n"
        "for names in (['Phone'], ['Mobil']): _columns.map_columns(names, {})\n"
        "assert _vocabulary._load.cache_info().misses == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("header", "numbers", "first", "last"),
    [
        ("Nombres;Apellido paterno;Apellido materno;Celular", "Celular", None, "Apellido paterno"),
        (
            "Prénom usuel;Nom d'usage;Tel Mobile;Tel Fixe",
            "Tel Mobile",
            "Prénom usuel",
            "Nom d'usage",
        ),
        ("Roepnaam;Achternaam;GSM-nummer", "GSM-nummer", "Roepnaam", "Achternaam"),
        ("N. telefono;N. cell.", "N. cell.", None, None),
        ("Nazwisko;Numer komórki", "Numer komórki", None, "Nazwisko"),
        ("Name (First);Name (Last);Phone", "Phone", "Name (First)", "Name (Last)"),
        ("姓(漢字);名(漢字);お電話番号", "お電話番号", "名(漢字)", "姓(漢字)"),
        ("名前（姓）;名前（名）;携帯番号", "携帯番号", "名前（名）", "名前（姓）"),
        ("姓氏;名字;商务电话;住宅电话;移动电话", "移动电话", "名字", "姓氏"),
        ("Όνομα;Επώνυμο;Σταθερό τηλέφωνο;Κινητό", "Κινητό", "Όνομα", "Επώνυμο"),
        (
            "الاسم الأول;اسم العائلة;رقم الهاتف;رقم الجوال",
            "رقم الجوال",
            "الاسم الأول",
            "اسم العائلة",
        ),
        ("שם פרטי;שם משפחה;טלפון;טלפון נייד", "טלפון נייד", "שם פרטי", "שם משפחה"),
        ("Etunimi;Sukunimi;Kotipuhelin;Matkapuhelin", "Matkapuhelin", "Etunimi", "Sukunimi"),
        ("Fornavn;Etternavn;Telefon arbeid;Mobil", "Mobil", "Fornavn", "Etternavn"),
        ("Vorname;Nachname;Tel. gesch.;Tel. priv.", "Tel. priv.", "Vorname", "Nachname"),
        ("What is your name?;What's your phone number?", "What's your phone number?", None, None),
    ],
)
def test_more_headers_of_exports(
    header: str, numbers: str, first: str | None, last: str | None
) -> None:
    """A mobile number goes before others, and each name into its field."""
    names = header.split(";")
    found = map_columns(names, {})
    assert names[found.numbers[0]] == numbers
    fields = {field: names[position] for field, position in found.fields.items()}
    assert (fields.get("first_name"), fields.get("last_name")) == (first, last)


@pytest.mark.parametrize("name", ["N", "Code", "код", "Postcode", "Is member", "ISO", "Dienst"])
def test_words_that_say_too_little_are_no_field(name: str) -> None:
    """A counter, a code of anything, or a yes or no."""
    assert find_meaning(name) is None
