"""How far the walk over an account has come, as its threads see it: what to stop for, and what to report."""

from __future__ import annotations

import threading

from archiver.backup.report import FolderReport
from archiver.errors import MailarkError
from archiver.monitor import Monitor


class Progress:
    """Shared by the threads of one walk. `lock` guards the counters of its tasks too.

    cancel: set when the whole run is to end · stop: set when this walk is
    """

    def __init__(self, monitor: Monitor, cancel: threading.Event) -> None:
        self.monitor, self._cancel = monitor, cancel
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.reports: dict[str, FolderReport] = {}
        self.error: MailarkError | None = None

    def stopped(self) -> bool:
        """Whether to end at the next message."""
        return self.stop.is_set() or self._cancel.is_set()

    def fail(self, error: MailarkError) -> None:
        """The walk cannot go on; the first reason is the one that is reported."""
        with self.lock:
            self.error = self.error or error
        self.stop.set()

    def report(self, report: FolderReport) -> None:
        """A folder's report, instead of the one it had."""
        with self.lock:
            self.reports[report.folder] = report
