"""Whether text that was read as Windows-1252 is plainly Western European.

Each byte is some letter in each of the old code pages, so that nothing but the words shows which
one it was. Czech read as Windows-1252 has an ``ø`` beside an ``í`` ("Jiøí"), Polish a ``³`` inside
a word, Russian nothing but accents. What follows are the places in a word in which Western
languages have their letters, those in particular that stand for others in Windows-1250, -1254 and
-1257, Mac OS Roman and the code pages of DOS.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from functools import lru_cache

PLAIN_TO_DOUBTFUL = 10
"""How many plain words outweigh a doubtful one: a Western file has a few odd names in it."""


class Fit(Enum):
    """How well something fits Western European."""

    PLAIN = "plain"
    DOUBTFUL = "doubtful"
    IMPOSSIBLE = "impossible"
    NEUTRAL = "neutral"


# Where each letter stands in a word, in lower case; those that are missing are doubtful anywhere.
_LETTER = re.compile(
    r"""
      [äöüôíóú]
    | (?<!^)é | ^é(?!rs)
    | (?<![aeioué])á | (?<![aei])(?<=[iu])á(?=[nrl]) | (?<=[bcdglmnrstz]i)á(?=[nrl])
    | (?<=^se)á(?=n)
    | (?<=[aeiouyäöü])ß | ç(?=[aeouãõáéóúâô]|$) | ñ(?=[aeiouáéíóú])
    | â(?=[tpgqm]|c[ho]|n[gdctv]|le$|$) | (?<=[ao])î(?=t) | î(?=t$|l[eo]|ch|tre|m[ea])
    | ê(?=t?$|te?s?$|tr|n[eci]|m[ei]|v[erã]|s$|sn|r[cetm]|l[eo]|q|chn?e) | û(?=t$|lé|ler|r$|ch|me)
    | (?<=[aoiu])ë
    | (?<=[bcdfghjklmnprstviyu])è(?=[bcdfglmnprstv]{1,2}[er]|[sm]$|[glmnrstv]{1,2}$|gue|que)
    | (?<=lo)á$ | (?<=[srmlftnd])è$ | (?<=su)è$ | (?<!^)à$ | ^à(?=ng|l)
    | (?<=[bcdfglmnprstvz])ò(?=$|[lmnr][a-z]) | (?<=[dtnlrs])ù$ | (?<=[dtlrnm])ì$
    | (?<=[aoué])ï(?=[cdmlnsrvqz]|a$|e) | ã(?=o|es?$) | (?<=[cp]au)ã$ | (?<=apu)ã$ | õ(?=e)
    | å | (?<![aeiouy])æ(?=[bdfghklnrtv]|ss) | (?<![aeiouy])ø(?=[^aeiou]|$|e$|eg) | ^øi | œ(?=u|il)
    | (?<=[aeiou])[šž] | [šž](?=[aeiou])
    | (?<=r)ð(?=[aiurs]|$) | (?<=[íöúóáæ])ð | (?<=^gu)ð | (?<=ri)ð(?=[rg])
    | þ(?=ór|or[bfgklmsv]|urí|r[áö])
    """,
    re.VERBOSE,
)
# Two letters of which the first one is beyond ASCII, and so is the second.
_PAIRS = re.compile(
    "[öüä]ß|ç[ãõ]|é[éâ]|åø|[öäü]{2}|ñ[áéíó]|[áéíóú]ñ|ð[íú]|þ[óýú]|[æöíýáóú]ð",
)
# No word has letters of two of these, unless it is not read as it was written.
_ALPHABETS = tuple(
    map(
        frozenset,
        [
            "éàèùâêîôûëïüÿçœæ",
            "äöüßé",
            "áéíóúñüç",
            "ãõáéíóúâêôàçü",
            "àèéìòùî",
            "åäöéüšž",
            "æøåéóôüöä",
            "áéíóúýðþæö",
            "áéèëïóöüäç",
            "àèéíòóúïüç",
            "õäöüšž",
        ],
    )
)
_NEIGHBOURS = re.compile(r"[^\x00-\x7f]{2}")
_WORD = re.compile("[^\\W\\d_ªº¹²³¼½¾]+")
_CAPITALS = "\xc0-\xd6\xd8-\xdeŠŽŒ"
_SMALL = "\xdf-\xf6\xf8-\xffšžœ"
# Ada, ADA, ada, McAda.
_CASED = re.compile(
    rf"[A-Zß{_CAPITALS}]{{2,}}|(?:[A-Z{_CAPITALS}]|[A-Z][a-z]{{1,3}}[A-Z])?[a-z{_SMALL}]*"
)
# Hungarian letters of Windows-1250, which no Western language has there.
_CENTRAL = re.compile("õ(?!e)|û(?!t|l[ée]|r|che|me)")
# Signs that are no letters, where they are used as what they look like.
_SIGN = re.compile(
    rf"""
      (?<!\w)[ODLMNTSJ]’(?=[A-Z{_CAPITALS}]) | (?<=[a-z])’(?=(?:s|t|re|ll|ve|m|d)(?!\w))
    | (?<=(?<!\w)O)’(?=[a-z]) | (?<=(?<!\w)[dlDL])’(?=[aeiouh{_SMALL}]\w\w)
    | (?<=[nl]l)’(?=[A-Zaeiouh]) | (?<=s)’(?!\w) | (?<=(?<!\w)[OD])´(?=[A-Z])
    | (?<!\w)‘(?=\w)[^‘’]*(?<=[\w.!?])’(?!\w) | (?<!\w)“(?=\w)[^“”]*(?<=[\w.!?,])”(?!\w)
    | (?<!\w)„(?=\w)[^“„]*(?<=[\w.!?,])“(?!\w) | (?<!\w)«[^«»]*»(?!\w)
    | (?<=\s)[–—•·×](?=\s) | ^[–—•](?=\s) | (?<=\d)[–×](?=\d)
    | (?<=[\w.)])[™®](?!\w) | (?<!\w)[©§](?=\s|\d) | [€£](?=\s?\d) | (?<=\d)\s?[€£](?!\w)
    | (?<=\d)[ºª°](?!\w) | (?<=(?<!\w)[NnM])[ºª°](?!\w)
    | (?<=\d)\s?[½¼¾²³](?!\w) | (?<=(?<!\w)m)[²³](?!\w) | (?<!\w)[¡¿](?=\w)[^¡¿]*[!?]
    | (?<=[\w.,:;)])\xa0(?=[A-Z\d(«»!?:;€{_CAPITALS}]) | (?<![^\s,;])\xa0
    """,
    re.VERBOSE,
)
# The code pages of DOS have an "á" and an "à" there.
_DOUBTFUL_SIGN = re.compile(r"(?<=\w)(?:\xa0(?=[\s,;]|$)|…(?=\s|$))")


def judge_text(text: str) -> Counter[Fit]:
    """Count how well the words of a text fit, and the signs between them, that are not ASCII."""
    fits: Counter[Fit] = Counter()
    between = _WORD.sub("x", text)
    if not between.isascii():
        rest = _SIGN.sub(" ", text)
        if _WORD.sub("", rest).isascii():
            fits[Fit.PLAIN] += 1
        else:
            rest = _DOUBTFUL_SIGN.sub(" ", rest)
            fits[Fit.DOUBTFUL if _WORD.sub("", rest).isascii() else Fit.IMPOSSIBLE] += 1
    for word in _WORD.findall(text):
        if not word.isascii():
            fits[judge_word(word)] += 1
    return fits


@lru_cache(maxsize=1 << 12)
def judge_word(word: str) -> Fit:
    """Tell how well a word fits that has letters beyond ASCII."""
    lower = word.lower()
    special = [letter for letter in lower if not letter.isascii()]
    if (
        not _CASED.fullmatch(word)
        or _CENTRAL.search(lower)
        or not any(alphabet.issuperset(special) for alphabet in _ALPHABETS)
    ):
        return Fit.IMPOSSIBLE
    if len(word) == 1 or (len(word) == 2 and not word[0].isascii()):
        return Fit.NEUTRAL
    apart = _PAIRS.sub("", lower)
    if len(special) * 2 > len(word) + 1 or _NEIGHBOURS.search(apart):
        return Fit.IMPOSSIBLE
    placed = sum(not match[0].isascii() for match in _LETTER.finditer(lower))
    return Fit.PLAIN if placed == len(special) else Fit.DOUBTFUL
