"""An export sealed into one file, `mailark-<digest>.tar.age`: a tar, encrypted to age recipients while it is written.

The tar is POSIX pax (POSIX.1-2001), with one spelling for everything but names, sizes and contents: mode 0600, owner 0,
times of messages as the exporter gave them, all others 1970. `age -d -i KEY FILE | tar x` opens it.
"""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from archiver.handover.carriers import Carried, File
from archiver.handover.digest import digest
from archiver.handover.receipt import Receipt
from archiver.stores.shelf import Put, Shelf
from archiver.vault import age
from archiver.vault.files import usable

_SUFFIX = ".tar.age"


def sealed_name(asked: Sequence[str], failures: Sequence[str] = (), volume: int = 0) -> str:
    """The name of the sealed file, which tells nobody anything: the same for the same order.

    asked: everything that decides what is in it, in order · failures: what is missing in it, so that an export that
    was not complete never passes for one that is.
    """
    return f"mailark-{digest([list(asked), sorted(failures)])}{f'-{volume:03d}' if volume else ''}{_SUFFIX}"


class Sealed:
    """Everything taken until `finish` becomes one file; a volume's name has its number, `…-001.tar.age`.

    `work` is a private folder in which the sealed file grows, and waits until it is carried: after a cut it is not made
    again. A name that is taken is this export's: sealing again gives other bytes every time, so that only the size in
    the receipt, one of those in `receipts`, can be compared.
    """

    def __init__(
        self,
        shelf: Shelf,
        recipients: Sequence[age.Recipient],
        asked: Sequence[str],
        work: Path,
        *,
        volumes: bool,
        receipts: Path,
    ) -> None:
        self.carried = Carried()
        self._shelf, self._recipients, self._asked, self._volumes = shelf, recipients, asked, volumes
        self._work, self._part = work, work / "sealed.part"
        self._receipt = Receipt(receipts, shelf, asked)
        self._begun = time.time()
        self._tar: _Tar | None = None

    def there(self) -> bool:
        """Whether this very export, complete, lies on the shelf already: the first volume is carried last. What waits
        to be carried is carried. Raises as `take`, and StoreError when only a part of it lies there still.
        """
        self._receipt.compare()
        name = sealed_name(self._asked, volume=int(self._volumes))
        if self._waiting(name).exists() and self._shelf.stat(name) is None:
            self._carry(name, whole=True)
            return True
        return self._shelf.stat(name) is not None

    def take(self, files: Sequence[File]) -> None:
        with usable(self._work):
            tar = self._opened()
            for name, path in files:
                tar.add(name, path)

    def finish(self, folders: Sequence[str], failures: Sequence[str]) -> None:
        self._seal(sealed_name(self._asked, failures), folders, whole=not failures)

    def volume(self, number: int, files: Sequence[File], failures: Sequence[str]) -> None:
        name = sealed_name(self._asked, failures, number)
        if self._waiting(name).exists():
            self._carry(name, whole=not failures)
        elif self._shelf.stat(name) is not None:
            self.carried.there += 1
            self.carried.names.append(name)
        else:
            self.take(files)
            self._seal(name, (), whole=not failures)

    def _seal(self, name: str, folders: Sequence[str], *, whole: bool) -> None:
        """End the file, and carry it; its name tells that it is whole."""
        with usable(self._work):
            tar = self._opened()
            tar.add_folders(folders)
            tar.close()
            self._part.replace(self._waiting(name))
        self._tar = None
        self._carry(name, whole=whole)

    def _carry(self, name: str, *, whole: bool) -> None:
        """whole: no message is missing in this export. Of others there may be several, and no receipt."""
        size = self._waiting(name).stat().st_size
        new = self._shelf.put_if_absent(name, self._waiting(name)) is Put.NEW
        if new and whole:
            self._receipt.add(name, size)
        self.carried.sent += new
        self.carried.there += not new
        self.carried.names.append(name)
        with usable(self._work):
            self._waiting(name).unlink()

    def _waiting(self, name: str) -> Path:
        return self._work / f"{name}.waiting"

    def _opened(self) -> _Tar:
        if self._tar is None:
            self._tar = _Tar(self._part, self._recipients, self._begun)
        return self._tar


class _Tar:
    """A tar that is sealed as it grows. Raises OSError."""

    def __init__(self, path: Path, recipients: Sequence[age.Recipient], begun: float) -> None:
        self.file = path.open("wb")
        self._sealed = age.Writer(self.file, recipients)
        stream = cast(BinaryIO, _Sink(self._sealed.write))
        self._tar = tarfile.TarFile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)
        self._begun = begun

    def add(self, name: str, path: Path) -> None:
        """A file; its time is kept when the exporter gave it one."""
        member = _member(name)
        found = path.stat()
        member.size = found.st_size
        member.mtime = int(found.st_mtime) if found.st_mtime < self._begun - 1 else 0
        with path.open("rb") as file:
            self._tar.addfile(member, file)

    def add_folders(self, names: Sequence[str]) -> None:
        """Empty folders."""
        for name in names:
            member = _member(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o700
            self._tar.addfile(member)

    def close(self) -> None:
        """The end of the tar and of the sealed file."""
        self._tar.close()
        self._sealed.close()
        self.file.flush()
        os.fsync(self.file.fileno())  # whoever goes on with it after a power cut takes it for whole
        self.file.close()


class _Sink:
    """The only thing a streamed tar needs of a file."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)


def _member(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = 0o600, 0
    return member
