"""An exporter fills a folder; a handover carries the folder onward, a batch at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from archiver.errors import ConfigError, QuotaError
from archiver.handover.carriers import Carried, Carrier, File
from archiver.model import Body

BATCH = 64 << 20
"""Bytes of messages after which what is finished is carried: so much plain text lies in the folder, and what a form of
export makes of it."""

_MOST = 1000
"""Messages after which it is carried, however small they are."""


class _Message(Protocol):
    @property
    def raw(self) -> Body: ...


M = TypeVar("M", bound=_Message)


def make_usable(folder: Path, *, written: bool = True) -> None:
    """Make a folder of this machine where there is none; written: see that files can be made in it.

    Raises ConfigError, QuotaError: once, and not for each message that would have gone there.
    """
    probe = folder / f".{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if written:
            probe.open("xb").close()
            probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QuotaError(f"no room in {folder}: {reason}", "free space and run the export again") from error
        raise ConfigError(f"cannot write to {folder}: {reason}", "name a folder that can be made or written") from error


class Handover:
    """The folder for the exporter, emptied while it is filled; without a carrier it is where the export stays.

    Whatever has a name in it that does not begin with a dot is finished, and the exporter does not look at it again:
    so it is with every form but that of volumes. That one reads its files again until its end, and then each folder at
    the top is a volume of its own; they are carried from there and stay, for a cut export is gone on with by looking
    at them.
    """

    def __init__(self, folder: Path, carrier: Carrier | None = None, *, volumes: bool = False) -> None:
        self.folder = folder
        self._carrier, self._volumes = carrier, volumes
        self._filled: set[str] = set()

    def prepare(self) -> None:
        """Make the folder, for its owner alone: the mail in it is plain. Raises as `make_usable`.

        A bundle that is there is only verified, and may lie where nothing can be written.
        """
        make_usable(self.folder, written=not self._volumes)

    def watched(self, messages: Iterable[M]) -> Iterator[M]:
        """The messages on their way to the exporter; between two of them finished files are carried and removed."""
        size = count = 0
        for message in messages:
            if self._carrier and not self._volumes and (size >= BATCH or count >= _MOST):
                self._carry(self._carrier, self._files(self.folder))
                size = count = 0
            size, count = size + len(message.raw), count + 1
            yield message

    def finish(self, failures: Sequence[str]) -> Carried:
        """The exporter is done: carry what is left, the first volume last. failures: subjects of what failed."""
        if self._carrier is None:
            return Carried()
        if self._volumes:
            for number, volume in self._parts():
                self._carrier.volume(number, self._files(volume), failures)
        else:
            self._carry(self._carrier, self._files(self.folder))
            self._carrier.finish(self._empty_folders(), failures)
        return self._carrier.carried

    def _parts(self) -> list[tuple[int, Path]]:
        """The volumes with their numbers, the first one last."""
        volumes = [path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return list(enumerate(sorted(volumes, key=lambda path: (len(path.name), path.name)), 1))[::-1]

    def _carry(self, carrier: Carrier, files: Sequence[File]) -> None:
        carrier.take(files)
        self._filled.update(name.rpartition("/")[0] for name, _ in files)
        for _, path in files:
            path.unlink()

    def _files(self, below: Path) -> list[File]:
        """The finished files, in the order of their names."""
        paths = (path for path in below.rglob("*") if not path.name.startswith(".") and path.is_file())
        return sorted((path.relative_to(self.folder).as_posix(), path) for path in paths)

    def _empty_folders(self) -> list[str]:
        """Folders that never held anything, like new/ of a Maildir."""
        folders = [path for path in self.folder.rglob("*") if path.is_dir() and not any(path.iterdir())]
        return sorted({path.relative_to(self.folder).as_posix() for path in folders} - self._filled)
