"""Messages as .eml files in a tree of folders, with an index that a spreadsheet opens."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath

from archiver.model import Place, Problem
from exporters import files
from exporters.index import Index
from exporters.interface import Outgoing, Report, problem
from exporters.names import Directory, room_below, safe_name

INDEX = "index.csv"
ID_LENGTHS = (8, 16, 64)
"""Digits of a message's id in its file's name, the more the oftener other files have that name."""


class EmlExporter:
    """`<account>/<folder>/…/<yyyy-mm-dd> <subject> <id>.eml`: the exact bytes, INTERNALDATE as the file's time, and
    `index.csv`.

    A message is written once, at its first place; its other places are rows of the index. With `every_place` it is
    written at each.
    """

    def __init__(self, *, every_place: bool = False) -> None:
        self._every_place = every_place

    def export(self, messages: Iterable[Outgoing], target: Path) -> Report:
        """As `Exporter.export`; the index is merged with the one of an earlier export into the same folder."""
        index = Index.load(target / INDEX)
        directory = Directory(INDEX)
        written, skipped = 0, 0
        failed: list[Problem] = []
        paths: list[Path] = []
        try:
            for message in messages:
                try:
                    done = self._write(message, target, directory)
                except OSError as error:
                    failed.append(problem(message, files.reason(error)))
                    continue
                written, skipped = (written + 1, skipped) if any(new for _, _, new in done) else (written, skipped + 1)
                index.add(message, [(place, path) for place, path, _ in done])
                paths += dict.fromkeys(Path(path) for _, path, _ in done)
        finally:
            try:
                index.save(target / INDEX)
            except OSError as error:
                failed.append(Problem(INDEX, files.reason(error)))
        return Report(written, skipped, tuple(failed), tuple(paths))

    def _write(
        self, message: Outgoing, target: Path, directory: Directory
    ) -> list[tuple[Place | None, PurePosixPath, bool]]:
        """Each place with the file that stands for it, and whether that was written now."""
        places: tuple[Place | None, ...] = message.places or (None,)
        done: list[tuple[Place | None, PurePosixPath, bool]] = []
        for place in places:
            if done and not self._every_place:
                done.append((place, done[0][1], False))
                continue
            parent = directory.path(place.account, place.folder) if place else PurePosixPath("_")
            moment = (place.date if place else None) or message.date
            done.append((place, *_write_file(message, target, parent, moment)))
        return done


def _write_file(
    message: Outgoing, target: Path, parent: PurePosixPath, moment: datetime | None
) -> tuple[PurePosixPath, bool]:
    """The file that holds the message, and whether it was written now. Where another file has the name, the id is
    longer.
    """
    for length in ID_LENGTHS:
        path = parent / file_name(message, moment, parent, length)
        if files.holds(target / path, message.raw):
            return path, False
        if not (target / path).exists():
            files.write(target / path, message.raw, moment)
            return path, True
    raise FileExistsError(errno.EEXIST, "another file has the message's name")


def file_name(
    message: Outgoing, moment: datetime | None, parent: PurePosixPath, length: int = ID_LENGTHS[0], suffix: str = ".eml"
) -> str:
    """`<yyyy-mm-dd> <subject> <id><suffix>`, at most 120 bytes; the day is the Date header's, else INTERNALDATE's.

    parent: the folder it is for; deep in a tree there is room for less of the subject.
    """
    day = message.date or moment
    start = day.date().isoformat() if day else "0000-00-00"
    end = f" {message.id[:length]}{suffix}"
    subject = safe_name(message.subject, max(1, room_below(parent) - len(start) - 1 - len(end)), empty="no subject")
    return f"{start} {subject}{end}"
