"""Messages on their way from the server into the intake, in any of an account's threads; and the end of a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from archiver.backup.changes import Changes
from archiver.backup.intake import LARGE, Intake
from archiver.backup.progress import Progress
from archiver.backup.task import Task, Unit
from archiver.errors import MailarkError, ProtocolError
from archiver.model import Fetched, Problem, Refused, Row
from archiver.sources.interface import GONE, Source
from archiver.state import State
from archiver.walk import unsure
from archiver.worklist import Worklist


class Arrivals:
    """Fetches units of work. What is wrong with a message or a folder is in its task; what else fails ends the walk."""

    def __init__(self, state: State, intake: Intake, changes: Changes, progress: Progress) -> None:
        self._worklist = Worklist(state)
        self._state, self._intake, self._changes, self._progress = state, intake, changes, progress
        self._monitor, self._lock = progress.monitor, progress.lock
        self._large = threading.Lock()

    def fetch(self, source: Source, unit: Unit) -> None:
        """Fetch a unit; whoever does the last one of a folder concludes it."""
        task, rows = unit
        with self._blaming(task):
            self._fetch(source, task, rows)
        with self._lock:
            task.left -= 1
            over = task.left == 0 and not task.broken
        if over:
            self.conclude(source, task)

    def accept(self, task: Task, item: Fetched | Refused) -> None:
        """Archive a message, or refuse it, and count it."""
        if isinstance(item, Refused):
            self._refuse(task, item)
            return
        self._intake.take(task.state, item)
        with self._lock:
            task.archived += 1
            task.new += 1
            task.size += len(item.body)
        self._monitor.advance(task.name, 1, len(item.body))

    def conclude(self, source: Source, task: Task) -> None:
        """The last unit is done: prove what is said to be gone, certify the folder, report it."""
        with self._blaming(task):
            self._prove_gone(source, task)
        if task.broken:
            return
        failed = task.unaccounted()
        self._changes.finished(task, failed)
        self._progress.report(task.report(failed))
        self._monitor.end(task.name, task.summary(len(failed)))

    @contextmanager
    def _blaming(self, task: Task) -> Iterator[None]:
        """What is wrong with the folder is noted in its task; anything else breaks the task and ends the walk."""
        try:
            yield
        except ProtocolError as error:
            task.failed.append(Problem(task.name, str(error), task.state.account, task.state.name))
        except MailarkError as error:
            task.broken = True
            self._progress.fail(error)

    def _fetch(self, source: Source, task: Task, rows: Sequence[Row]) -> None:
        with self._large if rows[0].size >= LARGE else nullcontext():  # one of an account's connections at a time
            for item in source.fetch(task.folder, rows):
                self.accept(task, item)
                if self._progress.stopped():
                    task.broken = True
                    return

    def _refuse(self, task: Task, refused: Refused) -> None:
        """Quarantine by name; the folder goes on. What the server has removed since the listing is no failure."""
        state = task.state
        if refused.reason == GONE:
            with self._lock:
                task.vanished.add(refused.uid)
            return
        self._worklist.quarantine(state.id, refused.uid, refused.reason)
        problem = Problem(f"{task.name} UID {refused.uid}", refused.reason, state.account, state.name, refused.uid)
        with self._lock:
            task.failed.append(problem)
        self._monitor.problem(problem)

    def _prove_gone(self, source: Source, task: Task) -> None:
        """Some servers leave messages out of their answers: gone is only what a new listing does not have either."""
        if not task.vanished:
            return
        uids = source.listing(task.folder, unsure(self._state.known(task.state))).uids or frozenset()
        for uid in sorted(task.vanished & uids):
            self._refuse(task, Refused(uid, "the server lists it, and says that it is gone when asked for it"))
        removed = task.vanished - uids
        self._worklist.drop(task.state.id, removed)
        task.removed = len(removed & task.listed)
