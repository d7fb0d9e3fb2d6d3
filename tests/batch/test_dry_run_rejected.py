"""The file of rows that an import would reject, which a dry run writes where one is named."""

from __future__ import annotations

import errno
import gzip
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from sendblue_async import (
    ConfigurationError,
    ImportJob,
    ImportOptions,
    JournalError,
    SendblueClient,
    SendOptions,
    ValidationError,
)
from sendblue_async.sandbox import Sandbox

from .workbooks import Sheet, write

pytestmark = pytest.mark.anyio

MANY = 2_500
CSV = (
    "number;first_name;last_name;line\n+12015550101;Ada;King;1\nnobody;=1+1;x;2\n"
    "+12015550102;Ada;King;x;y\n+12015550101;Ada;;3\n4.4E+11;Zoë;;4\n"
)
VCARD = (
    "BEGIN:VCARD\nFN:Ada King\nTEL:+12015550101\nEND:VCARD\nBEGIN:VCARD\nFN:Bob\nEND:VCARD\n"
    "BEGIN:VCARD\nFN:Cy\nTEL:+12015550103\n"
)
FILES: dict[str, bytes] = {
    "a.csv": CSV.encode(),
    "gzip.csv": gzip.compress(CSV.encode()),
    "broken.csv": b"number,first_name\n+12015550101,Zo\xc3\xab\n+12015550102,Zo\xeb\n",
    "a.jsonl": b'{"number": "+12015550101"}\n{"number": 5\n{"number": "x", "tags": ["a"]}\n',
    "a.vcf": VCARD.encode(),
    "many.csv": ("number\n" + "".join(f"nobody {n}\n" for n in range(MANY))).encode(),
}


def job_of(client: SendblueClient, path: Path, **options: Any) -> ImportJob:
    """The job of a file that is imported quickly."""
    return client.import_job(path, ImportOptions(), SendOptions(rate_limit=1e6), **options)


def files_in(folder: Path) -> set[str]:
    """The names of the files in a folder."""
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("name", [*FILES, "a.xlsx"])
async def test_it_is_the_one_that_the_import_would_leave(
    server: Sandbox, client: SendblueClient, tmp_path: Path, name: str
) -> None:
    """The same bytes for every format; nothing is sent, and no journal is made."""
    path = tmp_path / name
    if path.suffix == ".xlsx":
        write(path, Sheet([["number", "first_name"], ["+12015550101", "Ada"], ["x", "Bob"]]))
    else:
        path.write_bytes(FILES[name])
    found = await job_of(client, path, rejected=tmp_path / "tried.csv").dry_run()
    assert found is not None
    assert (found.rejected_path, sum(found.codes.values()) > 0) == (tmp_path / "tried.csv", True)
    assert not server.requests
    assert files_in(tmp_path) == {name, "tried.csv"}
    report = await job_of(client, path).run()
    assert report.rejected_path is not None
    assert report.rejected_path.read_bytes() == (tmp_path / "tried.csv").read_bytes()
    assert dict(report.codes) == dict(found.codes)


async def test_without_a_name_or_without_rejected_rows_nothing_is_written(
    client: SendblueClient, tmp_path: Path
) -> None:
    """A file beside the import's is for the import alone; what was there before stays."""
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    found = await job_of(client, path).dry_run()
    assert found is not None
    assert found.rejected_path is None
    assert files_in(tmp_path) == {path.name}
    path.write_text("number\n+12015550101\n")
    old = tmp_path / "old.csv"
    old.write_text("old")
    found = await job_of(client, path, rejected=old).dry_run()
    assert found is not None
    assert (found.rejected_path, old.read_text()) == (None, "old")


@pytest.mark.parametrize(("of_input", "of_old"), [(0o600, None), (0o600, 0o644), (0o644, 0o600)])
async def test_nobody_else_can_read_it(
    client: SendblueClient, tmp_path: Path, of_input: int, of_old: int | None
) -> None:
    """Its mode is no wider than that of the input, and of the file that it replaces."""
    path, rejected = tmp_path / "a.csv", tmp_path / "rejected.csv"
    path.write_text(CSV, encoding="utf-8")
    path.chmod(of_input)
    if of_old is not None:
        rejected.write_text("old")
        rejected.chmod(of_old)
    assert await job_of(client, path, rejected=rejected).dry_run()
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600


async def test_a_link_is_replaced_and_never_followed(
    client: SendblueClient, tmp_path: Path
) -> None:
    """What it leads to stays as it is, also where its name is easy to guess."""
    path, rejected, other = (tmp_path / name for name in ("a.csv", "rejected.csv", "other"))
    path.write_text(CSV, encoding="utf-8")
    other.write_text("precious")
    rejected.symlink_to(other)
    for suffix in (".unfinished", ".tmp", "~"):
        tmp_path.joinpath(f"rejected.csv{suffix}").symlink_to(other)
    assert await job_of(client, path, rejected=rejected).dry_run()
    assert other.read_text() == "precious"
    assert not rejected.is_symlink()


@pytest.mark.parametrize("name", ["a.csv", "./a.csv", "link.csv", "hard.csv", "a.csv.journal"])
async def test_it_is_never_a_file_of_the_import(
    client: SendblueClient, tmp_path: Path, name: str
) -> None:
    """Under whatever name: the input would be lost."""
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    tmp_path.joinpath("link.csv").symlink_to(path)
    tmp_path.joinpath("hard.csv").hardlink_to(path)
    with pytest.raises(ConfigurationError, match="must be a file of its own"):
        job_of(client, path, rejected=tmp_path / name)


async def test_where_it_cannot_be_written_is_told_before_the_file_is_read(
    client: SendblueClient, tmp_path: Path
) -> None:
    """Nobody waits for a check whose result cannot be kept."""
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    told: list[object] = []
    job = job_of(client, path, rejected=tmp_path / "no" / "rejected.csv", progress=told.append)
    with pytest.raises(ConfigurationError, match="The rejected rows cannot be written to"):
        await job.dry_run()
    assert told == []


async def test_a_disk_that_fails_later_is_told(
    client: SendblueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of before is as it was."""
    path, rejected = tmp_path / "a.csv", tmp_path / "rejected.csv"
    path.write_text(CSV, encoding="utf-8")
    rejected.write_text("old")

    def fill_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill_disk)
    with pytest.raises(JournalError, match=r"could not be written to .*No space left"):
        await job_of(client, path, rejected=rejected).dry_run()
    assert rejected.read_text() == "old"
    assert files_in(tmp_path) == {"a.csv", "rejected.csv"}


async def test_a_stopped_dry_run_writes_none(client: SendblueClient, tmp_path: Path) -> None:
    """Half of the rejected rows would pass for all of them."""
    path = tmp_path / "many.csv"
    path.write_bytes(FILES["many.csv"])
    job = job_of(client, path, rejected=tmp_path / "rejected.csv")
    job.stop()
    assert await job.dry_run() is None
    assert files_in(tmp_path) == {path.name}


async def test_a_file_that_changes_meanwhile_is_refused(
    client: SendblueClient, tmp_path: Path
) -> None:
    """Its rows would not be those whose reasons are known."""
    path, rejected = tmp_path / "a.csv", tmp_path / "rejected.csv"
    path.write_text(CSV, encoding="utf-8")
    job = job_of(client, path, rejected=rejected)
    await job.inspect()
    path.write_text("number\nx\ny\n")
    with pytest.raises(ValidationError, match="has changed"):
        await job.dry_run()
    assert not rejected.exists()
