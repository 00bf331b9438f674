"""Brings messages back into a mailbox, with flags, dates and folders; a second run appends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archiver.catalog.interface import Hit
from archiver.errors import IntegrityError, MailarkError, ObjectMissingError, ProtocolError, StoreError
from archiver.labels import folders_of, parted
from archiver.model import Place, Problem
from archiver.monitor import Monitor
from archiver.sources.interface import Target
from archiver.vault.vault import Vault


@dataclass(slots=True)
class RestoreReport:
    """What happened to each copy of a message, by number; `failed` by name."""

    appended: int = 0
    already_there: int = 0
    size: int = 0
    failed: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 only if every message is in the target now."""
        if any(problem.details.get("code") == "7" for problem in self.failed):
            return 7
        return 3 if self.failed else 0


@dataclass(frozen=True, slots=True)
class Copy:
    """One message to be put into one folder of the target."""

    hit: Hit
    folder: str
    flags: tuple[str, ...]
    date: datetime | None


def copies(hits: Sequence[Hit], folder: str | None) -> list[Copy]:
    """Where each message goes: the places it has now, else the last it had; once, into `folder`, when that is given.

    A place with labels stands for a folder for each; one whose labels name no folder stands for itself.

    Copies of one pack stand together, so that each pack is opened once.
    """
    found = [copy for hit in hits for copy in _copies_of(hit, folder)]
    return sorted(found, key=lambda copy: (copy.hit.pack, copy.folder, copy.date.isoformat() if copy.date else ""))


def restore(
    vault: Vault, wanted: Sequence[Copy], target: Target | None, monitor: Monitor, task: str = "restore"
) -> RestoreReport:
    """Append what the target does not hold yet. Without a target (a dry run) only count.

    Raises AuthError, ConnectError, QuotaError of the target; what fails for one message is in the report.
    """
    report = RestoreReport()
    monitor.begin(task, len(wanted), sum(copy.hit.size for copy in wanted))
    for copy in wanted:
        try:
            raw = vault.read(copy.hit.id, copy.hit.pack)
            _put(raw, copy, target, report)
        except (IntegrityError, StoreError, ObjectMissingError, ProtocolError) as error:
            report.failed.append(_problem(copy, error))
            monitor.problem(report.failed[-1])
        monitor.advance(task, 1, copy.hit.size)
    monitor.end(task, f"{report.appended} appended, {report.already_there} already there, {len(report.failed)} failed")
    return report


def _put(raw: bytes, copy: Copy, target: Target | None, report: RestoreReport) -> None:
    if target is not None and target.holds(copy.folder, raw):
        report.already_there += 1
        return
    if target is not None:
        target.append(copy.folder, raw, copy.flags, copy.date)
    report.appended += 1
    report.size += len(raw)


def _copies_of(hit: Hit, folder: str | None) -> list[Copy]:
    live = [place for place in hit.places if place.last_seen is None]
    chosen = live or [_last(hit.places)] if hit.places else []
    if folder is not None:
        first = chosen[0] if chosen else None
        return [Copy(hit, folder, parted(first.flags)[0] if first else (), first.date if first else hit.date)]
    if not chosen:
        return [Copy(hit, "INBOX", (), hit.date)]
    by_folder = {name: place for place in reversed(chosen) for name in _folders_of(place)}
    return [Copy(hit, name, parted(place.flags)[0], place.date) for name, place in by_folder.items()]


def _folders_of(place: Place) -> tuple[str, ...]:
    return folders_of(parted(place.flags)[1]) or (place.folder,)


def _last(places: Sequence[Place]) -> Place:
    return max(places, key=lambda place: place.last_seen or place.first_seen)


def _problem(copy: Copy, error: MailarkError) -> Problem:
    details = {"code": str(error.exit_code), "message": copy.hit.id}
    return Problem(f"message {copy.hit.id[:12]} -> {copy.folder}", str(error), folder=copy.folder, details=details)
