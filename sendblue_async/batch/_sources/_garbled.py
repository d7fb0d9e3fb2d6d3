"""Text that was decoded wrongly once before it was written: "JosÃ©" for José."""

from __future__ import annotations

import re

# Each byte of a character beyond ASCII was taken for a character beyond ASCII.
_TWO_SPECIAL = re.compile("[^\x00-\x7f][^\x00-\x7f]")
# What Windows-1252 makes of the bytes that continue a character in UTF-8.
_NEXT = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
# The same of Windows-1250, where the first byte is a capital: small letters and most signs; and
# what may stand behind one among capitals.
_NEXT_1250 = "€‚†‡‰™šśťžźˇ˘¤¦§¨©¬\xad®°±˛ł´µ¶·¸ąşľż"
_CAPITALS_1250 = "ŠŚŤŽŹŁĄŞŻ˝Ľ„…‹›«»‘’“”•–—\xa0"

GARBLED = re.compile(
    # é, ñ, ü; š, ł, ő, ı, where it is no capital among capitals; quotes and dashes.
    rf"Ã{_NEXT}|Â[\x80-\xbf]|(?<![A-Z\xc0-\xde])[ÄÅ]{_NEXT}|â[€„‚]{_NEXT}"
    rf"|[ĂĹ][{_NEXT_1250}]|(?<![A-Z\xc0-\xde])[ĂĹ][{_CAPITALS_1250}]"
    rf"|[ĂĹ][{_CAPITALS_1250}](?=[a-z])"
    # Greek, Cyrillic, Hebrew and Arabic: one letter after the other.
    rf"|(?:[ÎÏÐÑ×ØÙ]{_NEXT}){{2,}}"
    # Chinese, Japanese and Korean, Thai; not where a word ends in an accent, and a quote ends.
    rf"|[à-ï](?![\xa0…–—‘’“”„«»‹›]{{2}}){_NEXT}{{2}}|ð[Ÿ\x9f]{_NEXT}{{2}}"
    # The same in Mac OS Roman, the code pages of DOS, and Windows-1251.
    r"|[√├┬][^\w\s\x00-\x7f]|(?:[РС][^\sа-яА-ЯёЁ\x00-\x7f]){2,}|Г[©±јіЎ­­¶¤]"
)
"""What next to no text has in it that was not read in the wrong encoding."""


BROKEN = "\udcff"
"""Stands in text for what cannot be read, until its row is made."""


def mark_garbled(text: str) -> str:
    """Mark each place where a text was decoded wrongly as one that cannot be read."""
    return text if text.isascii() else GARBLED.sub(lambda match: BROKEN + match[0], text)


def is_garbled(text: str) -> bool:
    """Tell whether some of a text was decoded wrongly."""
    if text.isascii() or _TWO_SPECIAL.search(text) is None:
        return False
    return GARBLED.search(text) is not None
