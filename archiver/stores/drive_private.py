"""Small secret files of this machine: for their owner only, and whole or not there at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from archiver.errors import ConfigError
from archiver.secrets import readable_by_others
from archiver.stores.local_files import fsync_folder

LARGEST = 65536
"""Bytes that are read of such a file."""


def read(path: Path) -> bytes | None:
    """What the file holds; None when there is none. ConfigError when it cannot be read, or others can read it."""
    refuse_readable(path)
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def refuse_readable(path: Path) -> None:
    """ConfigError when others can read the file.

    Credentials of a systemd service may show mode 0440, the mask of their ACL; nobody else can enter their folder
    (github.com/systemd/systemd/issues/29435).
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and path.parent == Path(credentials):
        return
    if reason := readable_by_others(path):
        raise ConfigError(reason, f"chmod 600 {path}")


def make_folder(folder: Path, hint: str) -> None:
    """The folder is there and can be written when this returns; ConfigError, with the hint, when it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"cannot make {folder}: {error.strerror}", hint) from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"cannot write into {folder}", hint)


def replace(path: Path, data: bytes, hint: str) -> None:
    """Write the file, mode 0600, in place of one that is there; ConfigError, with the hint, when that fails."""
    _write(path, data, hint, new=False)


def create(path: Path, data: bytes, hint: str) -> bool:
    """Like `replace`, but never in place of another file: False where there is one, also one made meanwhile."""
    return _write(path, data, hint, new=True)


def _write(path: Path, data: bytes, hint: str, *, new: bool) -> bool:
    make_folder(path.parent, hint)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from the start
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if new:
                os.link(name, path)
            else:
                Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
        fsync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", hint) from error
    return True
