"""How much of a file has been read, while it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendblue_async.batch._sources._file import Reading
from sendblue_async.batch._sources._table import read_table


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.vcf"])
def test_the_share_grows_to_the_whole(tmp_path: Path, name: str) -> None:
    """It follows the rows as they are read, in each of the passes, and no other file."""
    path = tmp_path / name
    lines = {
        "a.csv": "number,name\n" + "+14155550123,Ada\n" * 20_000,
        "a.jsonl": '{"number": "+14155550123"}\n' * 20_000,
        "a.vcf": "BEGIN:VCARD\nFN:Ada\nTEL:+14155550123\nEND:VCARD\n" * 5_000,
    }
    path.write_text(lines[name])
    table = read_table(path)
    reading = Reading(passes=2)
    assert reading.share is None
    shares: list[float] = []

    def read() -> None:
        for index, _ in enumerate(table.rows()):
            if index % 500 == 0:
                assert reading.share is not None
                shares.append(reading.share)

    for _ in range(2):
        reading.watch(read)
        shares.append(reading.share or 0.0)
        # Nobody watches.
        assert [*table.rows()]
    assert shares == sorted(shares)
    assert len({*shares}) > 5
    assert 0.49 < shares[len(shares) // 2 - 1] < 0.51
    assert shares[-1] == 1.0
