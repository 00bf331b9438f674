"""The fork server and what its children do: one worker is one process that renders a message at a time.

python -m exporters.rendition.workers_server DESCRIPTOR MODULE:FUNCTION

The server imports what is slow once, then forks a worker whenever it is asked to. Requests on its socket, one at a
time: any word with a descriptor (unix(7), SCM_RIGHTS) forks a worker that talks through it, the answer is the frame
{"pid"}; a number kills and reaps the worker of that pid, the answer is {"status"} as waitpid(2) gives it. When its
socket ends it kills its workers and ends.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from archiver.errors import MailarkError
from exporters.interface import Outgoing
from exporters.rendition import cache, workers_cage, workers_wire
from exporters.rendition.interface import Rendition, Tier

STACK = 256 * 1024 * 1024
"""Bytes of stack of the thread that renders."""
RECURSION = 20_000
"""Nested Python calls: HTML is nested, and so is the code that lays it out."""

Job = Callable[[Outgoing, Tier, bool], Rendition]
"""Renders a message (message, tier, bare: show nothing of it), raising whatever it likes."""


def main() -> None:
    """The server's life."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        job = _load(sys.argv[2])
    except MailarkError as error:
        workers_wire.send(control, {"error": str(error), "hint": error.hint, "class": type(error).__name__})
        return
    except Exception as error:
        workers_wire.send(control, {"error": f"the renderer does not start: {type(error).__name__}"})
        return
    workers_wire.send(control, {"ready": True})
    gc.collect()
    gc.freeze()  # what all workers share is never looked through, and so never copied
    _Server(control, job).serve()


def _load(name: str) -> Job:
    """The job of this name; its module's `prepare`, if there is one, has been called."""
    module_name, _, function = name.partition(":")
    module = importlib.import_module(module_name)
    getattr(module, "prepare", lambda: None)()
    job: Job = getattr(module, function)
    return job


class _Server:
    """Forks and reaps."""

    def __init__(self, control: socket.socket, job: Job) -> None:
        self._control, self._job = control, job
        self._pids: set[int] = set()

    def serve(self) -> None:
        """Answer requests until the other side ends."""
        try:
            while True:
                data, descriptors, _flags, _from = socket.recv_fds(self._control, 64, 1)
                if not data:
                    return
                answer = self._fork(descriptors[0]) if descriptors else {"status": self._end(int(data))}
                workers_wire.send(self._control, answer)
        finally:
            for pid in list(self._pids):
                self._end(pid)

    def _fork(self, descriptor: int) -> dict[str, Any]:
        try:
            pid = os.fork()
        except OSError as error:
            os.close(descriptor)
            return {"error": error.strerror or "no process can be made"}
        if pid == 0:
            self._control.close()
            _Worker(socket.socket(fileno=descriptor), self._job).live()
        os.close(descriptor)
        self._pids.add(pid)
        return {"pid": pid}

    def _end(self, pid: int) -> int:
        """Nothing but this reaps, so the number is still the worker's, be it alive or dead."""
        if pid not in self._pids:
            return 0
        self._pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]


class _Worker:
    """Renders what comes through its socket, in a thread with a deep stack."""

    def __init__(self, channel: socket.socket, job: Job) -> None:
        self._channel, self._job = channel, job

    def live(self) -> None:
        """The worker's life; never returns."""
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            workers_cage.close()
            sys.setrecursionlimit(RECURSION)
            threading.stack_size(STACK)
            thread = threading.Thread(target=self._work)
            thread.start()
            thread.join()
        finally:
            os._exit(0)

    def _work(self) -> None:
        with suppress(EOFError, OSError):
            while self._answer():
                pass

    def _answer(self) -> bool:
        """Do one job; whether the worker is fit for another."""
        head, raw = workers_wire.receive(self._channel)
        failed: dict[str, Any]
        try:
            signal.setitimer(signal.ITIMER_PROF, head["cpu"])  # its signal ends the process: a job cannot hold it off
            message = workers_wire.message_from(head, raw)
            packed = cache.pack(self._job(message, Tier(head["tier"]), head["bare"]))
        except MemoryError:
            failed = {"memory": True}
        except RecursionError:
            failed = {"refused": "RecursionError"}
        except Exception as error:
            failed = {"refused": type(error).__name__}
        else:
            signal.setitimer(signal.ITIMER_PROF, 0)
            workers_wire.send(self._channel, {}, packed)
            return True
        signal.setitimer(signal.ITIMER_PROF, 0)
        workers_wire.send(self._channel, failed)
        return "memory" not in failed


if __name__ == "__main__":
    main()
