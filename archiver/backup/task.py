"""One folder in the work of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archiver.backup.report import FolderReport
from archiver.model import Folder, FolderStatus, Problem, Row
from archiver.state import FolderState


@dataclass(slots=True)
class Task:
    """Counters of messages and bytes, changed under the walk's lock; `left`: units of fetching not yet done.

    listed: UIDs that this run found new, and so the server counted · vanished: UIDs not there any more when fetched ·
    removed: how many of `listed` the server has removed since.

    linked, saved: messages, and their bytes, that were known from an epoch that ended and were not fetched again.
    """

    folder: Folder
    state: FolderState
    status: FolderStatus
    archived: int
    gone: int
    dirty: bool
    listed: frozenset[int] = frozenset()
    vanished: set[int] = field(default_factory=set)
    left: int = 0
    new: int = 0
    removed: int = 0
    size: int = 0
    linked: int = 0
    saved: int = 0
    broken: bool = False
    failed: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.state.account}/{self.state.name}"

    @property
    def on_server(self) -> int:
        """Messages the server counted, without those it removed meanwhile."""
        return self.status.messages - self.removed

    def unaccounted(self) -> tuple[Problem, ...]:
        """What failed, and what the server counted and did not list."""
        missing = self.on_server - self.archived - len(self.failed)
        text = f"{missing} messages were counted by the server and not listed by it"
        return (*self.failed, *([Problem(self.name, text)] if missing > 0 else []))

    def report(self, failed: tuple[Problem, ...]) -> FolderReport:
        """The folder as the run's report tells it."""
        counts = (self.new, self.size, self.gone)
        name, linked = self.state.name, (self.linked, self.saved)
        return FolderReport(name, self.on_server, self.archived, failed, *counts, True, *linked)

    def summary(self, failed: int) -> str:
        """One line for whoever watches."""
        known = f", {self.linked} linked without a download ({self.saved} bytes)" if self.linked else ""
        return f"{self.on_server} on the server, {self.archived} archived, {failed} failed{known}"


Unit = tuple[Task, Sequence[Row]]
"""As much of a folder as one connection fetches at a time."""
