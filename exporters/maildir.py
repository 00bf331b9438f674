"""Messages as Maildir folders in a tree: what mail programs open, serve and synchronise as it is.

A folder is a directory with cur/, new/ and tmp/, its subfolders beside those: `<account>/INBOX`, `<account>/项目/合同`.
mutt opens a folder by its path, notmuch and mu the whole tree; for Dovecot the account is
`maildir:PATH:LAYOUT=fs:UTF-8:INBOX=PATH/INBOX`, for mbsync a MaildirStore with `SubFolders Verbatim`. Dots in
directory names (Maildir++) would hide them from people, and need an encoding of names that contain dots.

A message is `cur/<seconds>.<id>.mailark:2,<flags>` (https://cr.yp.to/proto/maildir.html), its exact bytes; the colon is
not for Windows, which has no program for Maildir either.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from archiver.model import Place, Problem
from exporters import files
from exporters.index import Index
from exporters.interface import Outgoing, Report, problem
from exporters.names import Directory

INDEX = "index-maildir.csv"
PARTS = ("cur", "new", "tmp")

_FLAGS = {
    "\\draft": "D",
    "\\flagged": "F",
    "$forwarded": "P",
    "\\answered": "R",
    "\\seen": "S",
    "\\deleted": "T",
}
"""The letters of https://cr.yp.to/proto/maildir.html; "passed" is what IMAP calls $Forwarded (RFC 5788)."""

_ID = 32
_LATEST = 9_999_999_999


class MaildirExporter:
    """`<account>/<folder>/…/cur/<seconds>.<id>.mailark:2,<flags>`, and `index-maildir.csv` with all places and flags.

    A message is written once, at its first place, with `every_place` at each. INTERNALDATE is in the name and the
    file's time. Keywords other than $Forwarded have no letter that all programs share; they are in the index.
    """

    def __init__(self, *, every_place: bool = False) -> None:
        self._every_place = every_place

    def export(self, messages: Iterable[Outgoing], target: Path) -> Report:
        """As `Exporter.export`; a message that a mail program has moved from new/ to cur/, or has given other flags
        since, counts as there.
        """
        export = _Export(target, self._every_place)
        try:
            for message in messages:
                export.add(message)
        finally:
            export.save_index()
        return Report(export.written, export.skipped, tuple(export.failed), tuple(export.paths))


class _Export:
    """One export into one folder."""

    def __init__(self, target: Path, every_place: bool) -> None:
        self._target, self._every_place = target, every_place
        self._directory = Directory(INDEX, reserved=PARTS)
        self._index = Index.load(target / INDEX)
        self._known: dict[PurePosixPath, dict[str, PurePosixPath]] = {}
        self.written = self.skipped = 0
        self.failed: list[Problem] = []
        self.paths: dict[Path, None] = {}

    def add(self, message: Outgoing) -> None:
        """Write a message, or see that it is there."""
        rows: list[tuple[Place | None, PurePosixPath]] = []
        new = False
        try:
            for place in message.places or (None,):
                if rows and not self._every_place:
                    rows.append((place, rows[0][1]))
                    continue
                path, wrote = self._write(message, place)
                rows.append((place, path))
                new |= wrote
        except OSError as error:
            self.failed.append(problem(message, files.reason(error)))
            return
        self.written, self.skipped = self.written + new, self.skipped + (not new)
        self._index.add(message, rows)
        self.paths |= dict.fromkeys(Path(path) for _, path in rows)

    def save_index(self) -> None:
        """Write the index."""
        try:
            self._index.save(self._target / INDEX)
        except OSError as error:
            self.failed.append(Problem(INDEX, files.reason(error)))

    def _write(self, message: Outgoing, place: Place | None) -> tuple[PurePosixPath, bool]:
        """The message's file in the folder of the place, and whether it was written now."""
        folder = self._directory.path(place.account, place.folder) if place else PurePosixPath("_")
        moment = (place.date if place else None) or message.date
        seconds = int(moment.timestamp()) if moment else 0
        unique = f"{min(max(seconds, 0), _LATEST):010d}.{message.id[:_ID]}.mailark"
        known = self._folder(folder)
        if unique in known and files.holds(self._target / known[unique], message.raw):
            return known[unique], False
        path = folder / "cur" / f"{unique}:2,{letters(place.flags if place else ())}"
        files.write(self._target / path, message.raw, moment, self._target / folder / "tmp" / unique)
        known[unique] = path
        return path, True

    def _folder(self, folder: PurePosixPath) -> dict[str, PurePosixPath]:
        """The files of a Maildir by their names without flags; it is made when it is missing."""
        if folder not in self._known:
            for part in PARTS:
                (self._target / folder / part).mkdir(parents=True, exist_ok=True)
            found: dict[str, PurePosixPath] = {}
            for part in ("new", "cur"):
                with suppress(FileNotFoundError):
                    names = sorted(path.name for path in (self._target / folder / part).iterdir())
                    found |= {name.partition(":")[0]: folder / part / name for name in names}
            self._known[folder] = found
        return self._known[folder]


def letters(flags: Iterable[str]) -> str:
    """The flags as letters, in the order of their codes; keywords have none."""
    return "".join(sorted({_FLAGS[flag.lower()] for flag in flags if flag.lower() in _FLAGS}))
