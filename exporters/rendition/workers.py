"""Processes that render: they may crash, hang or eat all memory, and cost one attempt.

A time limit is processor time, so that a busy machine does not change what a message looks like; the wall clock ends
only what does not work at all.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from archiver import errors
from archiver.errors import MailarkError
from exporters.interface import Outgoing
from exporters.rendition import cache, workers_wire
from exporters.rendition.interface import Rendition
from exporters.rendition.ladder import Failed, Step, Why

JOBS = 200
"""Jobs after which a worker is replaced."""
WALL = 15.0
"""Seconds of the wall clock a job may take for each second of processor time it may take."""
START = 120.0
"""Seconds the server may take to start, or to answer."""

ENDING = 5.0
"""Seconds the server has to end by itself."""

_KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SET = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class ForkServer:
    """Starts workers. A context manager; thread-safe; restarted when it dies.

    job: "module:function" of a `workers_server.Job`. Only what a renderer needs of the environment is handed on: no
    passphrase, no credentials.
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_raised: object) -> None:
        with self._lock:
            self._closed = True
            self._stop(kindly=True)

    def fork(self) -> tuple[int, socket.socket]:
        """A new worker's pid and the socket to it.

        Raises ConfigError when an extra or a library is missing, MailarkError when no process can be made.
        """
        with self._lock:
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    answer = self._forked(theirs)
            except BaseException:
                ours.close()
                raise
            return int(answer["pid"]), ours

    def end(self, pid: int) -> int:
        """Kill a worker, unless it is dead already; its status as waitpid(2) gives it, 0 when nobody knows."""
        with self._lock, suppress(OSError, EOFError):
            if self._control is not None:
                self._control.sendall(str(pid).encode("ascii"))
                return int(workers_wire.receive(self._control, START)[0]["status"])
        return 0

    def _forked(self, theirs: socket.socket) -> dict[str, Any]:
        for _ in range(2):
            control = self._started()
            try:
                socket.send_fds(control, [b"fork"], [theirs.fileno()])
                answer = workers_wire.receive(control, START)[0]
            except (OSError, EOFError):
                self._stop()  # killed from outside; its workers have died with it
                continue
            if "pid" in answer:
                return answer
            raise MailarkError(f"no process for rendering can be started: {answer['error']}", "free some memory")
        raise MailarkError("the process that starts the renderers ends again and again", "run with fewer --workers")

    def _started(self) -> socket.socket:
        if self._closed:
            raise MailarkError("the renderer is closed")
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "exporters.rendition.workers_server", str(theirs.fileno()), self._job],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries quote the message in their warnings
                env=environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C is for this process, which then ends the server
            )
        self._greet(ours)
        return ours

    def _greet(self, control: socket.socket) -> None:
        try:
            hello = workers_wire.receive(control, START)[0]
        except (OSError, EOFError) as error:
            self._stop()
            raise MailarkError("the process that starts the renderers does not start") from error
        if "ready" not in hello:
            self._stop()
            kind = getattr(errors, hello.get("class", ""), MailarkError)
            raise kind(hello["error"], hello.get("hint", ""))

    def _stop(self, *, kindly: bool = False) -> None:
        """End the server; `kindly`: it is given the time to end its workers, which else end with their sockets."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING if kindly else 0)
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


class Worker:
    """One place at which messages are rendered, one at a time, by a process that is replaced when it must be."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._pid, self._jobs = 0, 0
        self._channel: socket.socket | None = None

    def run(self, step: Step, message: Outgoing) -> Rendition | Failed:
        """Try one step. A crash or a lack of memory counts when a process that did nothing before has it too."""
        result = self._once(step, message)
        if isinstance(result, Failed) and result.why in (Why.DIED, Why.MEMORY):
            self.close()
            result = self._once(step, message)
        return result

    def close(self) -> int:
        """End the process; its status."""
        if self._channel is None:
            return 0
        self._channel.close()
        self._channel = None
        return self._server.end(self._pid)

    def _once(self, step: Step, message: Outgoing) -> Rendition | Failed:
        channel = self._ready()
        self._jobs += 1
        job = {"tier": step.tier, "cpu": step.cpu, "bare": step.bare, **workers_wire.message_head(message)}
        try:
            channel.settimeout(step.cpu * WALL)
            workers_wire.send(channel, job, message.raw)
            head, body = workers_wire.receive(channel, step.cpu * WALL)
        except TimeoutError:
            self.close()
            return Failed(Why.TIME, "wall clock")
        except (EOFError, OSError, ValueError):
            return _failure(self.close())
        if "memory" in head:
            self.close()
            return Failed(Why.MEMORY)
        if "refused" in head:
            return Failed(Why.REFUSED, str(head["refused"])[:80])
        return cache.unpack(body) or Failed(Why.REFUSED, "nonsense")

    def _ready(self) -> socket.socket:
        if self._jobs >= JOBS:
            self.close()
        if self._channel is None:
            self._pid, self._channel = self._server.fork()
            self._jobs = 0
        return self._channel


def _failure(status: int) -> Failed:
    """What a dead worker's status says."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGPROF:
        return Failed(Why.TIME, "processor time")
    return Failed(Why.DIED, signal.Signals(number).name if number in set(signal.Signals) else "ended")


def environment() -> dict[str, str]:
    """What a process that reads hostile content is given of the environment."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | _SET | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
