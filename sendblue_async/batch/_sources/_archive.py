"""ZIP archives of XML, as .xlsx and .ods are: what is in one, read without trusting it."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.parsers import expat

from ...exceptions import ValidationError
from ._file import BUFFER, SourceFile

ZIP = b"PK\x03\x04"
"""What a ZIP archive begins with."""

LARGEST = 1 << 29
"""How many bytes an archive may have when it is unpacked: those of half a million long rows."""

# How many elements may stand in each other.
_DEEPEST = 1_000

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    KeyError,
    NotImplementedError,
    ValueError,
)

Attributes = dict[str, str]


def find_members(source: SourceFile) -> frozenset[str]:
    """Find the names of what is in the file; none if it is no ZIP archive.

    Raises:
        ValidationError: If it is one, and damaged.
    """
    if not source.peek().startswith(ZIP):
        return frozenset()
    with open_unchecked(source, _broken_archive_error) as archive:
        return frozenset(archive.namelist())


@contextmanager
def open_archive(source: SourceFile) -> Iterator[zipfile.ZipFile]:
    """Open the file as an archive that unpacks to no more than :data:`LARGEST` bytes.

    Raises:
        ValidationError: If it does not, or is damaged or encrypted; also inside the block.
    """
    with open_unchecked(source) as archive:
        _check_size(source, archive)
        yield archive


@contextmanager
def open_unchecked(
    source: SourceFile, make_error: Callable[[SourceFile], ValidationError] | None = None
) -> Iterator[zipfile.ZipFile]:
    """Open the file as an archive, however large it is.

    Args:
        source: The file.
        make_error: Makes the error if it is damaged: by default :func:`damaged_error`.

    Raises:
        ValidationError: If it is damaged or encrypted; also inside the block.
    """
    make_error = make_error or damaged_error
    try:
        with zipfile.ZipFile(source.contents) as archive:
            yield archive
    except ValidationError:
        raise
    except _BROKEN as error:
        raise make_error(source) from error
    except OSError as error:
        # Where the archive says that something stands before its beginning.
        if error.errno != errno.EINVAL:
            raise
        raise make_error(source) from error
    except RuntimeError as error:
        # The only one that zipfile raises.
        raise protected_error(source) from error


def parse_xml(
    archive: zipfile.ZipFile,
    member: str,
    *,
    start: Callable[[str, Attributes], object],
    end: Callable[[str], object] = lambda name: None,
    text: Callable[[str], object] | None = None,
) -> None:
    """Read a member as XML.

    Args:
        archive: The archive.
        member: The name of the member.
        start: Called for each element with its name, without a prefix, and its attributes, with
            the prefixes that all programs use.
        end: Called at the end of each element with its name.
        text: Called with the text inside of elements, in pieces.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True

    depth = 0

    def refuse(*declaration: object) -> None:
        raise ValueError("No such file declares what its XML means.")

    def start_element(name: str, attributes: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError("Expat takes memory for each element that is open.")
        start(name.rpartition(":")[2], attributes)

    def end_element(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(":")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start_element
    parser.EndElementHandler = end_element
    parser.CharacterDataHandler = text
    with archive.open(member) as content:
        parser.ParseFile(content)


def damaged_error(source: SourceFile) -> ValidationError:
    """Make the error of a file that is not what it seems to be."""
    return ValidationError(
        f"{source.path} is a damaged workbook. Open it in a spreadsheet program and save it again, "
        "or export the contacts as CSV.",
        field="path",
    )


def _broken_archive_error(source: SourceFile) -> ValidationError:
    return ValidationError(
        f"{source.path} is an Excel workbook or another ZIP archive, and it is damaged. Save "
        'it as "CSV UTF-8" in Excel, or unpack it, and use that file.',
        field="path",
    )


def protected_error(source: SourceFile) -> ValidationError:
    """Make the error of a file that cannot be read without its password."""
    return ValidationError(
        f"{source.path} is protected by a password. Save it without one, or export the contacts "
        "as CSV.",
        field="path",
    )


def _check_size(source: SourceFile, archive: zipfile.ZipFile) -> None:
    """Check how large all members are; what they say of themselves may be a lie."""
    total = 0
    for member in archive.infolist():
        declared, member.file_size = member.file_size, LARGEST + 1
        with archive.open(member) as content:
            size = 0
            while total + size <= LARGEST and (chunk := content.read(BUFFER)):
                size += len(chunk)
        total += size
        member.file_size = declared
        if total > LARGEST:
            raise ValidationError(
                f"{source.path} unpacks to more than {LARGEST >> 20} MB. Export the contacts as "
                "CSV.",
                field="path",
            )
        if size != declared:
            raise damaged_error(source)
