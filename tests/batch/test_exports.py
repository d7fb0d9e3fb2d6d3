"""Exports of common programs are imported as they are, and every stored field is looked at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import ImportOptions, SendblueClient
from sendblue_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

EXPORTS = Path(__file__).parents[1] / "data" / "exports"
FIELDS = ("first_name", "last_name", "company_name", "tags")

# What is stored of each file, by number: first name, last name, company and tags. Then the codes of
# what is rejected.
STORED: dict[str, tuple[dict[str, tuple[Any, Any, Any, Any]], dict[str, int]]] = {
    "google-contacts.csv": (
        {
            "+12015550101": ("Ada", "King", "Analytical Engines", ["vip", "spring 26"]),
            "+34612345678": ("José", "García", None, []),
            "+12015550102": ("Grace", "Hopper", None, []),
            "+819012345678": ("太郎", "山田", None, ["lead"]),
        },
        {"missing_number": 1},
    ),
    "outlook.csv": (
        {
            "+12015550121": ("Ada", "King", "Analytical Engines", ["VIP", "Spring 26"]),
            "+4915123456789": ("Jürgen", "Müller", None, []),
            "+12015550123": ("Grace", "Hopper", None, []),
        },
        {"missing_number": 1},
    ),
    "icloud.vcf": (
        {
            "+12015550191": ("Ada", "King", "Analytical Engines", ["vip", "spring 26"]),
            "+33612345679": ("Élodie", "Dupont", None, []),
            "+12015550192": (None, None, "Corner Shop", []),
        },
        {},
    ),
    "hubspot.csv": (
        {
            "+12015550131": ("Ada", "King", "Analytical Engines", []),
            "+4532123456": ("Søren", "Kierkegaard", None, []),
            "+12015550132": ("Grace", None, None, []),
        },
        {},
    ),
    "salesforce.csv": (
        {
            "+12015550141": ("Ada", "King", None, []),
            "+522221316716": ("Juana Inés", "de la Cruz", None, []),
            "+12015550142": (None, "Hopper", None, []),
        },
        {},
    ),
    "mailchimp.csv": (
        {
            "+12015550151": ("Ada", "King", None, ["vip", "spring 26"]),
            "+33612345678": ("Léa", "Dubois", None, ["lead"]),
            "+12015550152": ("Grace", None, None, []),
        },
        {"missing_number": 1},
    ),
    "shopify.csv": (
        {
            "+12015550161": ("Ada", "King", "Analytical Engines", ["VIP", "spring 26"]),
            "+12015550162": ("Grace", "Hopper", None, []),
            "+31612345678": ("Zoë", None, None, ["newsletter"]),
        },
        {},
    ),
    "klaviyo.csv": (
        {
            "+12015550171": ("Ada", "King", "Analytical Engines", []),
            "+3546112345": ("Björk", None, None, []),
        },
        {"missing_number": 1},
    ),
    "whatsapp.csv": (
        {
            "+12015550181": ("Ada", "King", None, ["vip", "spring 26"]),
            "+573248559947": ("María de los Ángeles", "Rojas", None, []),
            "+4915123456780": (None, None, None, ["lead"]),
        },
        {},
    ),
    "android.vcf": (
        {
            "+12015550173": ("Ada", "King", "Analytical Engines", []),
            "+4915123456781": ("Jürgen", "Müller", None, []),
            "+79261234567": ("Анна Павловна Иванова", None, None, []),
        },
        {},
    ),
}


@pytest.mark.parametrize("name", STORED)
async def test_an_export_is_stored_field_by_field(
    server: Sandbox, client: SendblueClient, tmp_path: Path, name: str
) -> None:
    """No option but the region is needed, and nothing else than what stands there is stored."""
    stored, codes = STORED[name]
    path = Path(shutil.copy(EXPORTS / name, tmp_path))
    async with client.import_job(path, ImportOptions(region="US")) as job:
        mapping = await job.inspect()
        assert mapping.doubts == ()
        report = await job.run()
    assert (report.created, report.codes) == (len(stored), codes)
    assert {
        number: tuple(contact[field] for field in FIELDS)
        for number, contact in server.contacts.items()
    } == stored
    for contact in server.contacts.values():
        assert not contact["assigned_to_email"]
        assert not contact["sendblue_number"]
        assert not contact["custom_variables"]


def test_each_export_has_a_source_for_its_layout() -> None:
    """The table beside the files names all of them."""
    text = (EXPORTS / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in EXPORTS.iterdir()} - {"README.md"}
    assert files == STORED.keys()
    assert all(f"| `{name}` |" in text for name in files)
