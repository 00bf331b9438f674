"""Files of this machine's file systems that are there whole and durable, or not at all, and are never replaced.

An fsync that fails may have dropped the dirty pages, and a second fsync of the same descriptor would then succeed
(fsync(2), "Fsyncgate" 2018): the temporary file is discarded, and the caller starts again with a new one.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from archiver.errors import MailarkError, QuotaError, StoreError
from archiver.stores.interface import Data

TEMPORARY = ".tmp-"
"""How the names of half-written files begin."""

_CHUNK = 1 << 20
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What link(2) answers on file systems without hard links (FAT, exFAT, some network mounts)."""


def write_once(path: Path, data: Data) -> bool:
    """Write beside, fsync, link to the name (link(2) refuses to replace); False when the name is taken. OSError."""
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        _write_durably(temporary, data)
        written = _link(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    fsync_folder(path.parent)
    return written


def translated(error: OSError, what: str) -> MailarkError:
    """What the operating system raised, as the failure of a store."""
    text = f"{what}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return QuotaError(text, "Free space on this store's disk; the next run goes on.")
    if error.errno == errno.EFBIG:
        return QuotaError(text, "This file system, or `ulimit -f`, bears no file of this size: 32 MiB are usual.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(text, "Check the owner and the mount options of this folder.")
    return StoreError(text, "Check the disk and its cable or network mount.")


def _write_durably(path: Path, data: Data) -> None:
    """Write a new file and fsync it once; StoreError when a source file shrank or grew underneath."""
    with path.open("xb") as file:
        if isinstance(data, Path):
            with data.open("rb") as source:
                expected = os.fstat(source.fileno()).st_size
                shutil.copyfileobj(source, file, _CHUNK)
        else:
            expected = len(data)
            file.write(data)
        file.flush()
        if file.tell() != expected:
            raise StoreError(f"{path.name}: {file.tell()} of {expected} bytes written")
        os.fsync(file.fileno())


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name unless it is taken. Where there are no hard links, look first and rename.

    The gap between the look and the rename is harmless: names are hashes of the content, or belong to one writer.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        temporary.rename(path)
    return True


def fsync_folder(folder: Path) -> None:
    """Make what was linked into the folder, or removed from it, durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # network mounts that cannot fsync a folder
            raise
    finally:
        os.close(descriptor)
