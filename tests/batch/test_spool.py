"""Entries that are kept between the check of a file and its sending."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendblue_async import JournalError
from sendblue_async.batch._importing._options import ImportOptions
from sendblue_async.batch._importing._spool import Spool

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", ["contacts.csv", "google-contacts.csv", "dirty-semicolons.csv"])
@pytest.mark.parametrize("update", [False, True])
def test_entries_come_back_as_they_were(tmp_path: Path, name: str, update: bool) -> None:
    """Contacts and problems, places and lines: all as in the file."""
    options = ImportOptions(region="US", all_numbers=True, update_if_exists=update)
    entries = list(options.read(DATA / name).entries())
    with Spool(tmp_path) as spool:
        spool.write(entries[:7])
        spool.write(entries[7:])
        assert list(spool.entries()) == entries
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_an_error(tmp_path: Path) -> None:
    """It is one of ours, and names the folder."""
    with pytest.raises(JournalError, match="nowhere"):
        Spool(tmp_path / "nowhere")


def test_entries_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    """It is the same as for those that cannot be written."""
    with Spool(tmp_path) as spool, (tmp_path / "file").open("wb") as only_written:
        spool._file.close()
        spool._file = only_written
        with pytest.raises(JournalError, match="temporary file"):
            list(spool.entries())
