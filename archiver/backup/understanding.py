"""Messages understood by a process of their own: a quarter of a run is parsing, and Python runs one thread at a time.

There is no thread and no queue between: whoever hands a message over, or wants a line, moves what can be moved in
either direction. So nothing can be stuck while both pipes are full.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from archiver.backup.understanding_pipe import Pipes
from archiver.catalog import lines
from archiver.entries import not_understood, read_part
from archiver.model import Body, MessageId
from archiver.understanding import REQUEST, line_of

IN_FLIGHT = 32 * 1024 * 1024
"""Bytes of messages without a line at which whoever hands over another one waits; one is always taken."""

PROCESSOR = 20.0
"""Seconds of processor time for one message; the worst that was found takes 1.3 s. Not of the clock: a busy machine
must not change what is understood."""

CLOCK = 300.0
"""Seconds in which nothing at all moves, after which the process is ended: it only ends what does not work."""

FAILURES = 10
"""Times in a row that the process may end without having given a line; after that messages are understood here."""

_UNANSWERED = 512 * 1024
"""Bytes of messages without a line before anybody looks for lines: each look gives the interpreter's lock away."""

_DIED, _SLOW = "its process died", "too much processor time"
_KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}
"""How a process ends that somebody else ended: the kernel for lack of memory, an operator."""


class Understood(Protocol):
    """The line of a message, which may not be there yet."""

    @property
    def line(self) -> bytes | None:
        """The line without pack and verdicts; None: not known yet."""

    def wait(self) -> bytes:
        """The line, once it is known."""


class Reader(Protocol):
    """What understands messages; called from any thread."""

    def submit(self, message: MessageId, body: Body) -> Understood:
        """Begin to understand a message."""


class Here:
    """A reader that understands messages where it is called; and what it gives for each."""

    def __init__(self, line: bytes = b"") -> None:
        self.line = line

    def submit(self, message: MessageId, body: Body) -> Here:
        """Understand the message, now."""
        return Here(line_of(message, len(body), read_part(body)))

    def wait(self) -> bytes:
        """The line."""
        return self.line


class _Job:
    """A message on its way. `part` is kept until its line has come, as the process may die."""

    __slots__ = ("_finish", "deaths", "line", "message", "part", "size")

    def __init__(self, finish: Callable[[_Job], None], message: MessageId, body: Body) -> None:
        self._finish, self.message, self.size, self.part = finish, message, len(body), read_part(body)
        self.line: bytes | None = None
        self.deaths = 0

    def wait(self) -> bytes:
        if self.line is None:
            self._finish(self)
        return self.line or b""

    def request(self) -> tuple[bytes, bytes]:
        """What the process is sent."""
        return REQUEST.pack(len(self.part), self.size, self.message.encode("ascii")), self.part


class ReaderProcess:
    """Understands messages in a process that is started by the first one, and again whenever it has ended.

    What a message does to it costs that message alone: of one that ended the process twice, or took too much processor
    time, the line says so as its defect. Who kills the process from outside changes no line. Nothing is lost, nothing
    raised: when the process ends again and again, messages are understood here.

    module: what is started · seconds: processor time a message may take · clock: seconds in which something must move.
    """

    def __init__(
        self, module: str = "archiver.understanding", seconds: float = PROCESSOR, clock: float = CLOCK
    ) -> None:
        self._command, self._clock = (sys.executable, "-m", module, str(seconds)), clock
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._held = 0
        self._pipes: Pipes | None = None
        self._ready, self._failures = False, 0

    def submit(self, message: MessageId, body: Body) -> Understood:
        """Hand a message over; waits while `IN_FLIGHT` bytes are without a line."""
        job = _Job(self._finish, message, body)
        with self._lock:
            self._jobs.append(job)
            self._held += len(job.part)
            if self._pipes is not None:
                self._pipes.send(job.request())
                if self._held <= _UNANSWERED:
                    return job
            self._move(lambda: self._held <= IN_FLIGHT or len(self._jobs) == 1)
        return job

    def close(self) -> None:
        """End the process. What has no line gets none."""
        with self._lock:
            self._jobs.clear()
            self._held = 0
            if self._pipes is not None:
                self._pipes.end()
                self._pipes = None

    def _finish(self, job: _Job) -> None:
        with self._lock:
            self._move(lambda: job.line is not None)

    # -- under the lock

    def _move(self, enough: Callable[[], bool]) -> None:
        """Exchange what can be without waiting; then wait and exchange until it is enough."""
        while True:
            pipes = self._pipes or self._started()
            if pipes is None:
                self._understand_here()
                return
            answers, alive = pipes.exchange()
            sound = all(map(self._take, answers))
            if not (sound and alive):
                self._bury(pipes, ours=not sound)
            if enough():
                return
            if pipes is self._pipes and not pipes.wait(self._clock):
                self._bury(pipes, ours=True)

    def _started(self) -> Pipes | None:
        """A new process, to which all is sent that has no line; None when that has failed too often."""
        while self._failures < FAILURES:
            try:
                self._pipes = Pipes(self._command, lines.LINE_LIMIT)
            except OSError:
                self._failures += 1
                continue
            self._ready = False
            for job in self._jobs:
                self._pipes.send(job.request())
            return self._pipes
        return None

    def _take(self, answer: bytes) -> bool:
        """Give the next message its line; False if this cannot be it."""
        if not self._ready:
            self._ready = True
            return not answer
        if not self._jobs or self._jobs[0].message.encode("ascii") not in answer[:100]:
            return False
        if answer.find(b"\n") != len(answer) - 1:
            return False
        self._settle(answer)
        self._failures = 0
        return True

    def _bury(self, pipes: Pipes, *, ours: bool) -> None:
        """The process has ended, or, by our decision, must. The fault is the message's that it had to answer next."""
        status, self._pipes = pipes.end(), None
        self._failures += 1
        if not (self._ready and self._jobs) or (status in _KILLED and not ours):
            return
        job, slow = self._jobs[0], status == -signal.SIGPROF
        job.deaths += 1
        if slow:
            self._failures = 0
        if slow or job.deaths > 1:  # one death may be an accident
            self._settle(lines.dump([not_understood(job.message, job.size, _SLOW if slow else _DIED)]))

    def _understand_here(self) -> None:
        while self._jobs:
            job = self._jobs[0]
            self._settle(line_of(job.message, job.size, job.part))

    def _settle(self, line: bytes) -> None:
        job = self._jobs.popleft()
        self._held -= len(job.part)
        job.line, job.part = line, b""
