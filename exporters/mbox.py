r"""One mbox file a folder, in the mboxrd form, exactly reversible.

Form (RFC 4155 names the family; the mboxrd rule is Rahul Dhesi's, 1995): a line `From MAILER-DAEMON <asctime in UTC>`
and LF; then the message, in which every line that matches `^>*From ` gets one more `>`; then one LF. Lines begin at the
start of the message and after LF.

What comes back: every byte of every message, whatever its line ends, for `read_mbox` takes away one `>` where one was
added and the one LF before the next From_ line. A message that ends in LF is followed by an empty line, as all mbox
readers expect. One that does not (rare) is followed by the next From_ line at once: readers that end every message with
LF then add that one byte. Flags, and places beyond the first, are in the index beside.
"""

from __future__ import annotations

import filecmp
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from archiver.model import Body, MessageId, Place, Problem
from exporters import files
from exporters.index import Index
from exporters.interface import Outgoing, Report, problem
from exporters.names import Directory

INDEX = "index-mbox.csv"

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_WINDOW = 1024 * 1024


@dataclass(slots=True)
class _Box:
    """An mbox file in the making."""

    path: Path
    part: Path
    failure: str = ""
    new: bool = False
    messages: int = 0


@dataclass(frozen=True, slots=True)
class _Home:
    """A message and the mbox files it is in."""

    message: MessageId
    problem: Problem
    boxes: tuple[_Box, ...]

    @property
    def failure(self) -> str:
        return next((box.failure for box in self.boxes if box.failure), "")


class MboxExporter:
    """`<account>/<folder>.mbox`, each message once, in the folder of its first place (with `every_place` in each of
    its folders), and `index-mbox.csv`.

    An mbox already there with other content is left alone: its folder fails by name, for an export must never shrink
    an earlier one.
    """

    def __init__(self, *, every_place: bool = False) -> None:
        self._every_place = every_place

    def export(self, messages: Iterable[Outgoing], target: Path) -> Report:
        """As `Exporter.export`; files appear under their names only when all messages have been given."""
        export = _Export(target, self._every_place)
        failed: list[Problem] = []
        try:
            for message in messages:
                try:
                    export.append(message)
                except OSError as error:
                    files.raise_if_full(error)
                    failed.append(problem(message, files.reason(error)))
            return export.finish(failed)
        finally:
            export.drop_parts()


class _Export:
    """One export into one folder."""

    def __init__(self, target: Path, every_place: bool) -> None:
        self._target, self._every_place = target, every_place
        self._directory = Directory(INDEX)
        self._boxes: dict[tuple[str, str], _Box] = {}
        self._homes: list[_Home] = []
        self._index, self._rows = Index.load(target / INDEX), Index({})

    def append(self, message: Outgoing) -> None:
        """Add a message to its files. Raises OSError."""
        places: tuple[Place | None, ...] = message.places or (None,)
        used: list[_Box] = []
        rows: list[tuple[Place | None, PurePosixPath]] = []
        for place in places:
            box = self._box(place) if self._every_place or not used else used[0]
            if box not in used:
                _append_to(box.part, message, (place.date if place else None) or message.date)
                box.messages += 1
                used.append(box)
            rows.append((place, PurePosixPath(box.path.relative_to(self._target))))
        self._rows.add(message, rows)
        self._homes.append(_Home(message.id, problem(message, ""), tuple(used)))

    def finish(self, failed: list[Problem]) -> Report:
        """Give the finished files their names; a message counts as written when one of its files is new."""
        boxes = [box for box in self._boxes.values() if box.messages]
        for box in boxes:
            _settle(box)
        whole = [home for home in self._homes if not home.failure]
        failed += [replace(home.problem, reason=home.failure) for home in self._homes if home.failure]
        written = sum(any(box.new for box in home.boxes) for home in whole)
        self._index.take(self._rows, (home.message for home in whole))
        try:
            self._index.save(self._target / INDEX)
        except OSError as error:
            failed.append(Problem(INDEX, files.reason(error)))
        paths = tuple(box.path.relative_to(self._target) for box in boxes if not box.failure)
        return Report(written, len(whole) - written, tuple(failed), paths)

    def drop_parts(self) -> None:
        """Remove what has not got its name."""
        for box in self._boxes.values():
            box.part.unlink(missing_ok=True)

    def _box(self, place: Place | None) -> _Box:
        key = (place.account, place.folder) if place else ("_", "_")
        if key not in self._boxes:
            self._boxes[key] = _open(self._target / self._directory.file(*key, ".mbox"), len(self._boxes) + 1)
        return self._boxes[key]


def _open(path: Path, number: int) -> _Box:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.{number}.part")
    part.write_bytes(b"")
    return _Box(path, part)


def _append_to(part: Path, message: Outgoing, moment: datetime | None) -> None:
    """Add one message; when that fails in the middle, the file is cut back to what it was."""
    size = part.stat().st_size
    try:
        with part.open("ab") as file:
            file.write(from_line(moment))
            for piece in quoted(message.raw):
                file.write(piece)
            file.write(b"\n")
    except OSError:
        os.truncate(part, size)
        raise


def _settle(box: _Box) -> None:
    try:
        if not box.path.exists():
            box.part.replace(box.path)
            box.new = True
        elif not filecmp.cmp(box.part, box.path, shallow=False):
            box.failure = "an mbox file with other content is there"
    except OSError as error:
        files.raise_if_full(error)
        box.failure = files.reason(error)


def from_line(moment: datetime | None) -> bytes:
    """The separator line; its date is INTERNALDATE (else the Date header, else 1970) in UTC, as RFC 4155 asks."""
    stamp = moment.astimezone(UTC).timetuple() if moment and 1970 <= moment.year < 9999 else time.gmtime(0)
    return f"From MAILER-DAEMON {time.asctime(stamp)}\n".encode("ascii")


def quoted(raw: Body) -> Iterator[bytes]:
    """The message with one `>` more before every line like From_, in pieces of about 1 MiB that end where lines end."""
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", min(start + _WINDOW, len(raw))) + 1 or len(raw)
        yield _FROM.sub(rb">\1", raw[start:end])
        start = end


def read_mbox(path: Path) -> Iterator[bytes]:
    """The messages of an mbox that `MboxExporter` wrote, byte for byte as they were."""
    lines: list[bytes] = []
    with path.open("rb") as file:
        if not file.readline().startswith(b"From "):
            return
        for line in file:
            if line.startswith(b"From "):
                yield _restored(lines)
                lines = []
            else:
                lines.append(line)
    yield _restored(lines)


def _restored(lines: list[bytes]) -> bytes:
    return _QUOTED_FROM.sub(rb"\1", b"".join(lines).removesuffix(b"\n"))
