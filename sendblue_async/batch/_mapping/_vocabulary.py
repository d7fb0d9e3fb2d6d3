"""What the name of a column says it holds, by the words in it, in many languages."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from attrs import frozen

# No longer name is that of a field, and no longer word is in the vocabulary.
_LONGEST_NAME = 100
_LONGEST_WORD = 40
_NO_LETTER = re.compile(r"[\W_]")
_DIGITS = re.compile(r"\d+")
# Letters that Unicode does not take for another one with a sign.
_PLAIN = str.maketrans("łøđı°", "lodio")

# The words that say what kind of number it is, the best to be written to in front.
_NUMBER_KINDS = ("mobile", "chat", "phone", "landline", "number")
# Whose number it is, or for what; without any of these words it is the main one.
_QUALIFIERS = ("", "home", "work", "billing", "other", "shipping")
_BESIDE_NUMBERS = (*_QUALIFIERS[1:], "whose", "article", "filler")
_BESIDE_NAMES = ("billing", "shipping", "whose", "article")
# The fields with a column each, and the words that may stand beside theirs.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "first_name": _BESIDE_NAMES,
    "last_name": _BESIDE_NAMES,
    "full_name": _BESIDE_NAMES,
    "company_name": _BESIDE_NAMES,
    "tags": ("whose", "article"),
    "country": (*_BESIDE_NUMBERS, "phone", "mobile", "chat"),
    "assigned_to_email": (),
    "sendblue_number": (),
    "custom_variables": (),
    "area_code": (*_BESIDE_NUMBERS, "phone", "mobile"),
}
WEAKEST = _NUMBER_KINDS.index("number")
"""The kind of a column such as ``Number``, which may count something else."""


@frozen
class ColumnMeaning:
    """What a column holds, as its name says.

    Attributes:
        field: The field of a contact, or ``full_name``, ``country`` or ``area_code``.
        rank: Orders the columns of one field, the best one first. Of numbers, the first item is
            their kind: 0 for a mobile number, up to :data:`WEAKEST`.
    """

    field: str
    rank: tuple[int, ...]


# What a word says, and how good a name it is among those that say the same.
_Words = Mapping[str, tuple[str, int]]


def find_meaning(name: str) -> ColumnMeaning | None:
    """Find out what a column holds, or ``None`` if its name does not say that.

    Case, accents, signs, spaces and numbering do not matter: ``Phone 1 - Value``,
    ``customer_phone`` and ``TéléphonePortable`` are read word by word.
    """
    plain = normalise(name)
    if not plain or len(plain) > _LONGEST_NAME:
        return None
    vocabulary = _load()
    alone = vocabulary.alone.get(plain)
    if alone is not None:
        return ColumnMeaning(alone, (len(_QUALIFIERS), 0))
    unnumbered = _DIGITS.sub("", plain.replace("e164", ""))
    found = []
    for field, words in vocabulary.fields.items():
        # There can be a "Phone 2", but only one column of any other field.
        text = unnumbered if field == "number" or _DIGITS.findall(plain) == ["1"] else plain
        parsed = _split_words(text, words)
        rank = _rank(field, parsed) if parsed else None
        if rank is not None:
            found.append((len(parsed), ColumnMeaning(field, rank)))
    return min(found, key=lambda pair: pair[0], default=(0, None))[1]


@lru_cache(maxsize=1_000)
def is_mobile(label: str) -> bool:
    """Return whether the label of a number says that it is a mobile one."""
    parsed = _split_words(normalise(label), _load().fields["number"])
    return any(role == "mobile" for role, _ in parsed)


@lru_cache(maxsize=1_000)
def is_fax(label: str) -> bool:
    """Return whether the label of a number says that nobody reads there: a fax or a pager."""
    return _load().fax.search(normalise(label)) is not None


@frozen
class _Vocabulary:
    fields: Mapping[str, _Words]
    alone: Mapping[str, str]
    fax: re.Pattern[str]


@lru_cache(maxsize=1)
def _load() -> _Vocabulary:
    text = (
        files(__name__.rpartition(".")[0]).joinpath("column_names.json").read_text(encoding="utf-8")
    )
    listed: dict[str, Any] = json.loads(text)

    def collect(*roles: str) -> dict[str, tuple[str, int]]:
        return {
            word: (role, index)
            for role in roles
            for index, word in _number_words(listed[role].values())
        }

    return _Vocabulary(
        # Those in front count where a word says two things, so they come last.
        fields={
            "number": collect(*_BESIDE_NUMBERS, *reversed(_NUMBER_KINDS)),
            **{field: collect(*beside, field) for field, beside in _BESIDE.items()},
        },
        alone={
            word: field
            for field, languages in listed["alone"].items()
            for _, word in _number_words(languages.values())
        },
        fax=re.compile("|".join(word for _, word in _number_words(listed["fax"].values()))),
    )


def _number_words(languages: Any) -> Iterator[tuple[int, str]]:
    """Iterate over the words of all languages, each with its index in its own one."""
    for words in languages:
        for index, word in enumerate(words.split()):
            yield index, normalise(word)


def _split_words(text: str, words: _Words) -> list[tuple[str, int]]:
    """Split text into as few known words as possible; empty if it is not made of such."""
    best: dict[int, list[tuple[str, int]]] = {0: []}
    for start in range(len(text)):
        if start not in best:
            continue
        for end in range(start + 1, min(start + _LONGEST_WORD, len(text)) + 1):
            word = words.get(text[start:end])
            if word and (end not in best or len(best[start]) + 1 < len(best[end])):
                best[end] = [*best[start], word]
    return best.get(len(text), [])


def _rank(field: str, parsed: list[tuple[str, int]]) -> tuple[int, ...] | None:
    """Rank a column by the words of its name; ``None`` if it is not of the field at all."""
    roles = [role for role, _ in parsed]
    qualifier = max(
        (_QUALIFIERS.index(role) for role in roles if role in _QUALIFIERS),
        default=0,
    )
    if field == "number":
        kind = next(
            (kind for kind in ("mobile", "chat", "landline", "phone") if kind in roles), "number"
        )
        if kind == "number" and {*roles} != {"number"}:
            return None
        return _NUMBER_KINDS.index(kind), qualifier
    return next(((qualifier, index) for role, index in parsed if role == field), None)


def normalise(name: str) -> str:
    """Leave the bare letters and digits of a name, in lower case and without accents."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NO_LETTER.sub("", bare.casefold().translate(_PLAIN))
