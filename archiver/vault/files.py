"""Small secret files in the work folder: written whole or not at all, for their owner only."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archiver.errors import ConfigError, MailarkError, QuotaError

MAX_FILE = 16 * 1024 * 1024
"""Bytes such a file may have."""


def write_private(path: Path, data: bytes) -> None:
    """Replaces the file at `path` by `data`, mode 0600, on disk when it returns. QuotaError, ConfigError."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from its creation on
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise _translated(error, path) from error


def read_private(path: Path) -> bytes:
    """The bytes of the file at `path`; ConfigError when it is not there, cannot be read or is absurdly large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise _translated(error, path) from error
    if len(data) > MAX_FILE:
        raise ConfigError(f"{path} is not a key file: it is too large")
    return data


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turn the file system's errors about `path` into QuotaError (no room) and ConfigError (anything else)."""
    try:
        yield
    except OSError as error:
        raise _translated(error, path) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translated(error: OSError, path: Path) -> MailarkError:
    reason = error.strerror or "unknown error"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return QuotaError(f"no room to write {path}: {reason}")
    return ConfigError(f"cannot use {path}: {reason}", "check the work folder and its owner")
