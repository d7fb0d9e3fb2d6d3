"""Files that are written whole or not at all, and what can be told of one before."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# Flags that not every system has.
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_DIRECTORY", None)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
# A file system that cannot flush a folder, and a folder that may be written and not read.
_CANNOT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/\d+(/task/\d+)?/fd")
_MOST_LINKS = 40
_OWNER_ALONE = 0o600


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names lead to one file, or would, once the file is there.

    Of a file that is not there yet, the file system cannot tell whether it ignores case. It is
    taken to ignore it.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return os.path.samefile(one, other)
    targets = [Path(os.path.realpath(path)) for path in (one, other)]
    names = {unicodedata.normalize("NFC", target.name).casefold() for target in targets}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return len(names) == 1 and os.path.samefile(*(target.parent for target in targets))
    return False


def is_unread_pipe(path: Path, error: OSError) -> bool:
    """Whether the error of opening this is that nobody reads from the pipe."""
    # The system says that there is no such device.
    return error.errno == errno.ENXIO and path.is_fifo()


def is_stream(path: Path) -> bool:
    """Whether this is a pipe, a terminal or an open descriptor such as ``/dev/stdout``.

    None of these can be replaced: they are written to directly.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _is_descriptor(path)


def open_stream(path: Path) -> IO[str]:
    """Open what :func:`is_stream` tells of, to write to it; a pipe must have a reader already.

    Raises:
        OSError: If it cannot be opened.
    """
    return open(path, "a", encoding="utf-8", opener=open_at_once)


def open_at_once(name: str, flags: int) -> int:
    """Open without a wait for the reader of a pipe, which nobody could interrupt.

    Raises:
        OSError: If it cannot be opened, as a pipe without a reader.
    """
    descriptor = os.open(name, flags | _NO_WAIT)
    if _NO_WAIT:
        os.set_blocking(descriptor, True)
    return descriptor


def _is_descriptor(path: Path) -> bool:
    for _ in range(_MOST_LINKS):
        if _DESCRIPTORS.fullmatch(os.path.realpath(path.parent)):
            return True
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return False


def check_replaceable(path: Path) -> None:
    """Check that :func:`open_to_replace` can create a file there, by creating one.

    Raises:
        OSError: If it cannot.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = name_beside(path)
    os.close(os.open(temporary, _FLAGS, _OWNER_ALONE))
    os.unlink(temporary)


@contextlib.contextmanager
def open_to_replace(path: Path, *, like: Path | None, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Open a file that replaces ``path`` when the block ends without an error.

    Until it is whole and on the disk, it has a name of its own in the same folder, which nobody
    can guess, and ``path`` stays as it was. A link at ``path`` is replaced, never followed.

    Args:
        path: The file to write or to replace.
        like: The file that its contents come from. Whoever could not read that one, or the one
            that is replaced, cannot read the new one. Without one, only its owner can.
        encoding: The encoding of what is written.

    Raises:
        OSError: If it cannot be written; ``path`` is then as it was.
    """
    temporary = name_beside(path)
    descriptor = os.open(temporary, _FLAGS, _narrow_mode(path, like))
    try:
        with open(descriptor, "w", encoding=encoding, newline="") as file:
            _keep_out_another_group(descriptor, like)
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        # It is gone already if the whole folder is.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    flush_folder(path.parent)


def name_beside(path: Path) -> Path:
    """Make a name for a temporary file in the same folder, which nobody can guess."""
    return path.with_name(f".sendblue-async-{secrets.token_hex(8)}")


def _narrow_mode(path: Path, like: Path | None) -> int:
    """The permissions that both files give to others; the umask narrows them further."""
    mode = _OWNER_ALONE
    with contextlib.suppress(FileNotFoundError):
        mode |= stat.S_IMODE(like.stat().st_mode) & 0o066 if like else 0
    with contextlib.suppress(FileNotFoundError):
        mode &= stat.S_IMODE(path.lstat().st_mode) | _OWNER_ALONE
    return mode


def _keep_out_another_group(descriptor: int, like: Path | None) -> None:
    """Give the group no more than everybody has, unless it is the group of the other file."""
    made = os.fstat(descriptor)
    with contextlib.suppress(FileNotFoundError):
        if like and made.st_gid == like.stat().st_gid:
            return
    mode = stat.S_IMODE(made.st_mode)
    narrower = mode & ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3 & mode
    if narrower != mode:
        os.chmod(descriptor, narrower)


def flush_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, as after a rename."""
    if _FOLDER is None:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | _FOLDER)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
