"""The count of a journal's commits in the header of its main file, beside the one in its log.

After a kill SQLite takes what it finds in a log for all there ever was: from the first frame on
that is damaged or missing, commits are as if they had never been made. So each commit is counted in
a table, which goes into the log with it, and once it is on the disk the count is written into the
main file past SQLite, into the bytes of ``user_version``, which SQLite leaves to its users. A
journal whose table has a lower count than its header has lost commits.

SQLite neither reads these bytes nor lets others in while it is at work. With the first page it may
write back what they were when it opened the file: a lower count, which the next commit sets right.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from ._journal_schema import VERSION

_OFFSET = 60
_VERSION_BITS = 8
_MAX_COMMITS = (1 << 31 - _VERSION_BITS) - 1


def keep_to_owner(path: Path) -> None:
    """Let nobody else read or write the file, if it belongs to this user."""
    if os.name != "posix":
        return
    found = path.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o600)


def user_version(commits: int) -> int:
    """Pack the version and the number of commits, as the header of a journal has them.

    The count stops at eight million, from where on lost commits go unnoticed.
    """
    return VERSION | min(commits, _MAX_COMMITS) << _VERSION_BITS


def version_in(user_version: int) -> int:
    """The version of the format of a journal."""
    return user_version & (1 << _VERSION_BITS) - 1


def commits_in(user_version: int) -> int:
    """How many commits a journal has."""
    return user_version >> _VERSION_BITS


class JournalHeader:
    """The bytes in the header of the main file.

    Open it while SQLite holds the file, and close it after SQLite has let go: by the rules of
    POSIX, closing it releases the lock.

    Args:
        path: The main file.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags)

    def commits(self) -> int:
        """Read how many commits there must be at least."""
        os.lseek(self._descriptor, _OFFSET, os.SEEK_SET)
        (found,) = struct.unpack(">I", os.read(self._descriptor, 4))
        return commits_in(found)

    def write(self, commits: int) -> None:
        """Write that so many commits are on the disk."""
        os.lseek(self._descriptor, _OFFSET, os.SEEK_SET)
        os.write(self._descriptor, struct.pack(">I", user_version(commits)))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
