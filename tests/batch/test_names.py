"""A first and a last name out of a cell that holds both."""

from __future__ import annotations

import pytest

from sendblue_async.batch._sources._names import split_name


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada King", "Ada", "King"),
        ("  Ada   Augusta\u00a0King ", "Ada Augusta", "King"),
        ("King, Ada", "Ada", "King"),
        ("King,Ada Augusta", "Ada Augusta", "King"),
        ("van Beethoven, Ludwig", "Ludwig", "van Beethoven"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Charles de la Fosse", "Charles", "de la Fosse"),
        ("ada augusta king", "ada augusta", "king"),
        ("Martin Luther King, Jr.", "Martin Luther", "King, Jr."),
        ("Ada King, Ph.D.", "Ada", "King, Ph.D."),
        ("Acme, Inc.", "Acme, Inc.", ""),
        ("Ada", "Ada", ""),
        (", Ada", "Ada", ""),
        ("King,", "King", ""),
        ("山田 太郎", "太郎", "山田"),
        ("山田\u3000太郎", "太郎", "山田"),
        ("홍 길동", "길동", "홍"),
        ("山田太郎", "山田太郎", ""),
        ("Иван Иванов", "Иван", "Иванов"),
        ("", "", ""),
        (" , ", "", ""),
    ],
)
def test_a_name_is_split(name: str, first: str, last: str) -> None:
    """Nothing of it is lost, and a comma says that the last name stands in front."""
    assert split_name(name) == (first, last)


@pytest.mark.parametrize(
    ("name", "first", "last", "whole"),
    [
        ("Ada King", "Ada", "", ("Ada", "King")),
        ("King, Ada", "Ada", "", ("Ada", "King")),
        ("King", "Ada", "", ("Ada", "King")),
        ("ADA KING", "Ada", "", ("Ada", "KING")),
        ("Ada", "Ada", "", ("Ada", "")),
        ("Adams", "Ada", "", ("Ada", "Adams")),
        ("Ada King", "", "King", ("Ada", "King")),
        ("Ada", "", "King", ("Ada", "King")),
        ("", "Ada", "", ("Ada", "")),
        ("Somebody Else", "Ada", "King", ("Ada", "King")),
    ],
)
def test_what_is_known_stays(name: str, first: str, last: str, whole: tuple[str, str]) -> None:
    """Beside a first name, what is left is the last one, and the other way round."""
    assert split_name(name, first=first, last=last) == whole
