"""What changed in a folder besides new bytes, told to the intake: epochs, flags, ended places, links, certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from archiver.backup.intake import Intake
from archiver.backup.linking import Link
from archiver.backup.task import Task
from archiver.batches import Batch
from archiver.model import CertificateEntry, FlagsEntry, FolderEntry, GoneEntry, Problem, Row
from archiver.state import FolderState

AT_ONCE = 5_000
"""Lines handed over together: a folder of a million messages may lose them all in one night."""

T = TypeVar("T")


class Changes:
    """Each piece may become durable by itself, in the order of the calls."""

    def __init__(self, intake: Intake, now: Callable[[], datetime]) -> None:
        self._intake, self._now = intake, now

    def opened(self, state: FolderState) -> None:
        """A folder's epoch began, unless that is known."""
        if not state.announced:
            entry = FolderEntry(state.account, state.name, state.epoch, state.uidvalidity, self._now())
            self._intake.note([entry], lambda batch: batch.opened.append(state.id))

    def reflagged(self, state: FolderState, rows: Sequence[Row]) -> None:
        """Places have other flags now."""
        now, where = self._now(), (state.account, state.name, state.epoch)
        for some in _pieces(rows):

            def record(batch: Batch, some: Sequence[Row] = some) -> None:
                batch.reflagged.extend((state.id, row.uid, row.flags) for row in some)

            self._intake.note([FlagsEntry(*where, row.uid, row.flags, now) for row in some], record)

    def gone(self, state: FolderState, uids: Sequence[int]) -> None:
        """Places are no longer on the server; what they held stays archived."""
        now, where = self._now(), (state.account, state.name, state.epoch)
        for some in _pieces(uids):

            def record(batch: Batch, some: Sequence[int] = some) -> None:
                batch.gone.extend((state.id, uid) for uid in some)

            self._intake.note([GoneEntry(*where, uid, now) for uid in some], record)

    def closed(self, state: FolderState, uids: Sequence[int]) -> None:
        """The epoch is over, and with it the places it still had. A run killed in between closes it again."""
        self.gone(state, uids)
        self._intake.note([], lambda batch: batch.closed.append(state.id))

    def swept(self, state: FolderState, sweep: int | None) -> None:
        """Where the comparison of a large folder's flags goes on, durable together with what this window brought."""
        if sweep is not None:
            self._intake.note([], lambda batch: batch.swept.append((state.id, sweep)))

    def linked(self, state: FolderState, links: Sequence[Link]) -> None:
        """Places of messages that are archived from an epoch that ended."""
        for some in _pieces(links):
            self._intake.link(state, some)

    def finished(self, task: Task, failed: tuple[Problem, ...]) -> None:
        """All of the folder's work is done or failed by name: certify it and let its cursor move."""
        state, certificate = task.state, None
        if task.dirty or task.new or task.linked or failed or not state.announced:
            names = tuple(f"{problem.uid}: {problem.reason}" for problem in failed)
            where = (state.account, state.name, state.epoch)
            certificate = CertificateEntry(*where, task.on_server, task.archived, names, self._now())
        self._intake.complete(state, task.status, certificate)


def _pieces(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + AT_ONCE] for start in range(0, len(things), AT_ONCE))
