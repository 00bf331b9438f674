"""A process at the end of two pipes, written and read without ever waiting for one of them alone."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO

from archiver.understanding import ANSWER

_CAPACITY = 1024 * 1024
_READ = 64 * 1024
_GATHER = 64
_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Pipes:
    """Starts the process, of which only that one may know that has no secrets; OSError when none can be made.

    limit: bytes an answer may have. Not thread-safe.
    """

    def __init__(self, command: Sequence[str], limit: int) -> None:
        self._limit = limit
        self._unsent: deque[memoryview] = deque()
        self._received = bytearray()
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may quote the message
            env=_environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the run, which ends at the next message
        )
        self._input, self._output = _opened(self._process.stdin), _opened(self._process.stdout)

    def send(self, pieces: Iterable[bytes]) -> None:
        """Write what is possible at once, the rest by `exchange`."""
        self._unsent.extend(memoryview(piece) for piece in pieces if piece)
        self._write()

    def exchange(self) -> tuple[list[bytes], bool]:
        """Write and read what is possible at once: (answers, whether more may come); an empty answer is none."""
        self._write()
        alive = self._read()
        answers: list[bytes] = []
        start, received = 0, self._received
        while len(received) >= start + ANSWER.size:
            (size,) = ANSWER.unpack_from(received, start)
            end = start + ANSWER.size + size
            if size > self._limit:
                return [*answers, b""], alive
            if len(received) < end:
                break
            answers.append(bytes(received[start + ANSWER.size : end]))
            start = end
        del received[:start]
        return answers, alive

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to exchange; whether there is."""
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        if self._unsent:
            poll.register(self._input, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def end(self) -> int:
        """End the process, unless it has ended; its status (subprocess.Popen.returncode)."""
        self._process.kill()  # has no effect on the status of one that was ending
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return self._process.wait()

    def _write(self) -> None:
        try:
            while self._unsent:
                size = os.writev(self._input, list(islice(self._unsent, _GATHER)))
                while size:
                    piece = self._unsent.popleft()
                    if size < len(piece):
                        self._unsent.appendleft(piece[size:])
                    size -= min(size, len(piece))
        except BlockingIOError:
            return
        except BrokenPipeError:  # it has ended; what it answered before is still to be read
            self._unsent.clear()

    def _read(self) -> bool:
        """Read what is there; False at the end."""
        try:
            while len(data := os.read(self._output, _READ)) == _READ:
                self._received += data
        except BlockingIOError:
            return True
        self._received += data
        return bool(data)


def _opened(stream: IO[bytes] | None) -> int:
    """The descriptor of our end of a pipe, made larger where that is possible."""
    descriptor = stream.fileno() if stream is not None else -1
    os.set_blocking(descriptor, False)
    with suppress(OSError, AttributeError):  # Linux alone; a pipe of the usual size does as well
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
    return descriptor


def _environment() -> dict[str, str]:
    """What a process that reads hostile mail needs of the environment: no passphrase, no credentials."""
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"PYTHONPATH": paths, "PYTHONUTF8": "1"}
