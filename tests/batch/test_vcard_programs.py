"""Exports of phones and programs, each in its own layout, and what is stored of them.

The layouts are those of the exporters' own code or help: AOSP's ``VCardBuilder``, Apple's Contacts,
Google Contacts, Outlook, Thunderbird, Nextcloud's sabre/vobject, and RFC 2426 and 6350.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendblue_async.batch._importing._options import ImportOptions

ANDROID = r"""BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=94=D0=BE=D1=81=D1=82=D0=BE=D0=B5=D0=B2=D1=81=D0=BA=D0=B8=D0=B9;=
=D0=A4=D1=91=D0=B4=D0=BE=D1=80;;;
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=A4=D1=91=D0=B4=D0=BE=D1=80=20=D0=94=D0=BE=D1=81=D1=82=
=D0=BE=D0=B5=D0=B2=D1=81=D0=BA=D0=B8=D0=B9
TEL;HOME:+7-495-123-45-67
TEL;CELL:8 (912) 345-67-89
TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=D0=A4=D0=B0=D0=BA=D1=81):84951234568
EMAIL;HOME:f@example.com
ADR;HOME;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:;;=D0=9A=D1=83=D0=B7=D0=BD=D0=B5=D1=87=D0=BD=D1=8B=D0=B9;;;;
X-ANDROID-CUSTOM:vnd.android.cursor.item/nickname;Fedya;1;;;;;;;;;;;;;
PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQSkZJRgABAQAASABIAAD
 4QBMRXhpZgAATU0AKgAAAAgAAgESAAMAAAABAAEAAIdpAAQAAAAB

END:VCARD
BEGIN:VCARD
VERSION:2.1
N:;Mom;;;
FN:Mom
TEL;CELL;PREF:+12015550101
END:VCARD
"""

SAMSUNG = r"""BEGIN:VCARD
VERSION:2.1
N:King;Ada;;;
FN:Ada King
TEL;CELL;PREF:201-555-0101
TEL;WORK;FAX:201-555-0102
X-GROUP_MEMBERSHIP:ICE/Emergency contacts
X-SAMSUNGADR;ENCODING=QUOTED-PRINTABLE:;;One Street=0D=0ATwo;;;;
X-ANDROID-CUSTOM;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:vnd.android.cursor=
.item/relation;=41;14;;;;;;;;;;;;;
END:VCARD
"""

HUAWEI = r"""BEGIN:VCARD
VERSION:3.0
N:张;伟;;;
FN:张伟
TEL;TYPE=CELL:+86 131 2345 6789
TEL;TYPE=X-固定电话:010 1234 5678
X-ANDROID-STARRED:1
X-MIUI-RING:
END:VCARD
"""

NOKIA = """BEGIN:VCARD
VERSION:2.1
N;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller;J=F6rg
TEL;VOICE:030 1234567
TEL;CELL;VOICE:+491512\x203456789
X-CLASS:private
REV:20080101T000000
END:VCARD

BEGIN:VCARD
VERSION:2.1
N:;Zentrale
TEL;PREF;WORK:+49301234567
END:VCARD
"""

IPHONE = r"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iPhone OS 17.4.1//EN
N:King;Ada;Mary;Dr.;
FN:Dr. Ada Mary King
NICKNAME:Countess
ORG:Analytical Engines;Research
TITLE:Founder
EMAIL;type=INTERNET;type=HOME;type=pref:ada@example.com
TEL;type=HOME;type=VOICE;type=pref:(201) 555-0102
TEL;type=IPHONE;type=CELL;type=VOICE:+1 (201) 555-0101
TEL;type=HOME;type=FAX:(201) 555-0103
item1.TEL:(201) 555-0104
item1.X-ABLabel:Cabin
item2.ADR;type=HOME;type=pref:;;1 Main St\nSuite 2;Hoboken;NJ;07030;USA
item2.X-ABADR:us
X-SOCIALPROFILE;type=twitter;x-user=ada:http://twitter.com/ada
NOTE:Met at the fair\, 1843: loves "numbers"\nand poems
PHOTO;ENCODING=b;TYPE=JPEG;X-ABCROP-RECTANGLE=ABClipRect_1&0&0&640&640&abc=
 =:/9j/4AAQSkZJRgABAQAASABIAAD/4QBMRXhpZgAATU0AKgAAAAgAAgESAAMAAAABAAEA
 AIdpAAQAAAAB
END:VCARD
BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 14.4//EN
N:;;;;
FN:Engines & Sons
ORG:Engines & Sons;
TEL;type=MAIN;type=pref:+12015550105
X-ABShowAs:COMPANY
UID:1
END:VCARD
BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 14.4//EN
N:Family
FN:Family
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1
END:VCARD
"""

GOOGLE = r"""BEGIN:VCARD
VERSION:3.0
FN:Ada King
N:King;Ada;;;
EMAIL;TYPE=INTERNET;TYPE=HOME:ada@example.com
TEL;TYPE=HOME:+1 201-555-0102
TEL;TYPE=CELL:+1 201-555-0101
item1.TEL:+1 201-555-0103
item1.X-ABLabel:Google Voice
item2.ORG:Analytical Engines
item2.X-ABLabel:
NOTE:one\ntwo
PHOTO:https://lh3.googleusercontent.com/contacts/abc:def
CATEGORIES:vip,myContacts,starred
END:VCARD
"""

WHATSAPP = r"""BEGIN:VCARD
VERSION:3.0
N:;Ada King;;;
FN:Ada King
item1.TEL;waid=12015550101:+1 (201) 555-0101
item1.X-ABLabel:Mobile
X-WA-BIZ-NAME:Ada King
X-WA-BIZ-DESCRIPTION:Engines: new and used
END:VCARD
"""

OUTLOOK = """BEGIN:VCARD
VERSION:2.1
X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns="http://schemas.microsoft.com/office" ver="1.0"></card>
N;LANGUAGE=de;CHARSET=Windows-1252:M\u00fcller;J\u00f6rg
FN;CHARSET=Windows-1252:J\u00f6rg M\u00fcller
ORG:M\u00fcller & S\u00f6hne
TEL;WORK;VOICE:(030) 1234567
TEL;CELL;VOICE:01512 3456789
TEL;WORK;FAX:(030) 1234568
ADR;WORK;PREF:;;Stra\u00dfe 1;Berlin;;10115;Deutschland
LABEL;WORK;PREF;ENCODING=QUOTED-PRINTABLE:Stra=DFe 1=0D=0A=
10115 Berlin
X-MS-OL-DEFAULT-POSTAL-ADDRESS:2
EMAIL;PREF;INTERNET:j@example.com
PHOTO;TYPE=JPEG;ENCODING=BASE64:
 /9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0NDh0VFhEYIx8l
 JCIfIiEmKzcvJik0KSEiMEExNDk7Pj4+JS5ESUM8SDc9Pjs=

X-MS-OL-DESIGN:x
REV:20240101T000000Z
END:VCARD
"""

THUNDERBIRD = r"""BEGIN:VCARD
VERSION:4.0
EMAIL;PREF=1:ada@example.com
FN:Ada King
N:King;Ada;;;
TEL;TYPE=work;VALUE=TEXT:+1 201 555 0102
TEL;TYPE=cell;VALUE=TEXT:+1 201 555 0101
UID:8a1b
CUSTOM1;VALUE=TEXT:x:y
END:VCARD
"""

NEXTCLOUD = r"""BEGIN:VCARD
VERSION:4.0
PRODID:-//Sabre//Sabre VObject 4.5.4//EN
UID:8a1b
FN:Ada King
N:King;Ada;;;
TEL;TYPE="CELL,VOICE";PREF=1;VALUE=uri:tel:+1-201-555-0101
TEL;TYPE="HOME,VOICE":+1-201-555-0102
CATEGORIES:vip,spring 26
X-SOCIALPROFILE;TYPE=MASTODON:https://example.com/@ada
REV;VALUE=DATE-AND-OR-TIME:20240101T000000Z
END:VCARD
"""

ADA: dict[str, Any] = {"number": "+12015550101", "first_name": "Ada", "last_name": "King"}
RUSSIAN = {"number": "+79123456789", "first_name": "Фёдор", "last_name": "Достоевский"}
AT_WORK = {**ADA, "company_name": "Analytical Engines"}
ENGINES = {"number": "+12015550105", "company_name": "Engines & Sons"}
GERMAN = {"number": "+4915123456789", "first_name": "Jörg", "last_name": "Müller"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "codec", "region", "expected"),
    [
        (ANDROID, "utf-8", "RU", [RUSSIAN, {"number": "+12015550101", "first_name": "Mom"}]),
        (SAMSUNG, "utf-8", "US", [ADA]),
        (
            HUAWEI,
            "utf-8",
            "CN",
            [{"number": "+8613123456789", "first_name": "伟", "last_name": "张"}],
        ),
        (
            NOKIA,
            "utf-8",
            "DE",
            [GERMAN, {"number": "+49301234567", "first_name": "Zentrale"}],
        ),
        (IPHONE, "utf-8", "US", [AT_WORK, ENGINES, "not_a_contact"]),
        (GOOGLE, "utf-8", "US", [{**AT_WORK, "tags": ["vip"]}]),
        (WHATSAPP, "utf-8", "US", [{"number": "+12015550101", "first_name": "Ada King"}]),
        (OUTLOOK, "cp1252", "DE", [{**GERMAN, "company_name": "Müller & Söhne"}]),
        (THUNDERBIRD, "utf-8", "US", [ADA]),
        (NEXTCLOUD, "utf-8", "US", [{**ADA, "tags": ["vip", "spring 26"]}]),
    ],
    ids=[
        "android", "samsung", "huawei", "nokia", "iphone", "google", "whatsapp", "outlook",
        "thunderbird", "nextcloud",
    ],
)  # fmt: skip
def test_exports(
    tmp_path: Path, text: str, codec: str, region: str, expected: list[Any], end: str
) -> None:
    """Names, companies, the number to send to and tags are those that the program shows."""
    path = tmp_path / "contacts.vcf"
    path.write_bytes(text.replace("\n", end).encode(codec))
    found: list[Any] = []
    for entry in ImportOptions(region=region).read(path).entries():
        if entry.contact is None:
            found.append(entry.problem and entry.problem.code)
        else:
            found.append(entry.contact.to_dict())
    assert found == expected
