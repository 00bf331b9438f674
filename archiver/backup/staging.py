"""Catalog lines as sealed objects in the spool, made in memory that does not grow with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from archiver.backup import filling
from archiver.vault import age
from archiver.vault.catchup import Staged
from archiver.vault.files import usable


def stage_lines(spool: Path, era: str, recipient: age.Recipient, frames: Iterable[bytes]) -> Iterator[Staged]:
    """The zstd frames, which one after another are one zstd file (RFC 8878 section 3), in objects of a pack's size.

    Whoever reads the lines has an object in memory. Raises QuotaError for a full disk.
    """
    coming = iter(frames)
    for first in coming:
        yield _object(spool, era, recipient, chain([first], coming))


def _object(spool: Path, era: str, recipient: age.Recipient, frames: Iterator[bytes]) -> Staged:
    """As many of the frames as make a full object."""
    path = spool / "lines.part"
    with usable(path):
        with path.open("w+b") as file:
            writer, size = age.Writer(file, [recipient]), 0
            for frame in frames:
                writer.write(frame)
                size += len(frame)
                if size >= filling.PACK_SIZE:
                    break
            writer.close()
            file.flush()
            os.fsync(file.fileno())
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = path.rename(spool / f"lines-{sha256}.age")
        _sync(spool)
    return Staged(f"catalog/{era}/{sha256}.age", size, sha256, path)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
