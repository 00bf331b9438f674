"""Files written whole or not at all, and never over another one."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from archiver.errors import QuotaError
from archiver.model import Body

_CHUNK = 1024 * 1024
_PART = re.compile(r"\.([0-9]{1,10})(?:\.[0-9]{1,6})?\.part")
"""`.<process>.part`, `.<process>.<number>.part`: a file on its way to its name."""


def holds(path: Path, content: Body) -> bool:
    """Whether the file exists and has exactly this content."""
    try:
        if path.stat().st_size != len(content):
            return False
        with path.open("rb") as file:
            return all(file.read(_CHUNK) == content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK))
    except FileNotFoundError:
        return False


def write(path: Path, content: Body, moment: datetime | None, part: Path | None = None) -> None:
    """Write a file that is not there yet, with `moment` as its modification time. Raises OSError, QuotaError if the
    disk is full.

    The content goes to a hidden file beside it first (or to `part`, on the same file system) and is renamed: after a
    crash there is the whole file or none.
    """
    part = part or path.with_name(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for start in range(0, len(content), _CHUNK):
                file.write(content[start : start + _CHUNK])
        set_time(part, moment)
        part.replace(path)
    except OSError as error:
        raise_if_full(error)
        raise
    finally:
        part.unlink(missing_ok=True)


def set_time(path: Path, moment: datetime | None) -> None:
    """Give the file this modification time; moments before 1970 are no file times everywhere."""
    if moment is not None and moment.timestamp() >= 0:
        os.utime(path, (moment.timestamp(), moment.timestamp()))


def raise_if_full(error: OSError) -> None:
    """QuotaError when the disk or the quota is full: then no other file can be written either."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise QuotaError(
            "the disk of the export is full", "free space and run the export again: what is there is skipped"
        ) from error


def reason(error: OSError) -> str:
    """What the system says of it, without the path, which holds a subject."""
    return error.strerror or type(error).__name__


def sweep(target: Path) -> None:
    """Remove the hidden files that processes killed in the middle left below `target`: plain mail nobody looks for."""
    for folder, _, names in os.walk(target):
        for found in filter(None, map(_PART.fullmatch, names)):
            if not _alive(int(found[1])):
                with suppress(OSError):
                    Path(folder, found[0]).unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
