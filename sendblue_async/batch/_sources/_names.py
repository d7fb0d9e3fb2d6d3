"""The first and the last name in a cell that holds both."""

from __future__ import annotations

import re

# Behind a comma these are no first name: "King, PhD" and "Acme, Inc." are not turned round.
_TITLES = re.compile(
    "jr|sr|ii|iii|iv|phd|md|mba|esq|dds|cpa|inc|llc|ltd|limited|corp|co|gmbh|ag|kg|plc|sa|srl|bv|ab"
)
# Chinese characters, kana and Hangul: the family name stands in front.
_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def split_name(name: str, *, first: str = "", last: str = "") -> tuple[str, str]:
    """Split a name into a first and a last one; what is known of them stays as it is.

    ``Ada King``, ``King, Ada`` and ``Ludwig van Beethoven`` are split; of a single word, and of
    the name of a company, all of it is the first name. Beside a known first name, what is left
    is the last one, and the other way round.
    """
    name = " ".join(name.split())
    if first or last:
        rest = _take_out(name, first or last)
        return (first, last or rest) if first else (rest, last)
    before, comma, after = map(str.strip, name.partition(","))
    if comma and before and after:
        if not _TITLES.fullmatch(after.replace(".", "").casefold()):
            return after, before
        if " " not in before:
            return name, ""
        given, family = split_name(before)
        return given, f"{family}, {after}"
    words = before.split(" ")
    if len(words) == 1:
        return before or after, ""
    if _EAST_ASIAN.search(before):
        return " ".join(words[1:]), words[0]
    start = len(words) - 1
    # "van", "de la": they begin with a small letter where the name itself does not.
    while start > 1 and words[0][:1].isupper() and words[start - 1][:1].islower():
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def _take_out(name: str, known: str) -> str:
    """Leave of a whole name what is not the known part, which may stand at either end."""
    known = " ".join(known.split())
    rest = re.sub(rf"^{re.escape(known)}(?:,\s*|\s+|$)|(?:,\s*|\s+){re.escape(known)}$", "", name,
                  count=1, flags=re.IGNORECASE)  # fmt: skip
    return rest.strip(" ,")
