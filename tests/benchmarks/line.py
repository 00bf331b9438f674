"""A line of so many bytes a second upwards between this machine and a server on it: what an office has to its provider.

python -m tests.benchmarks.line PORT TARGET RATE        until its standard input ends
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.programs import HOST, free_ports, listens

PIECE = 64 * 1024


class Throttle:
    """Lets bytes through at the rate, all connections together."""

    def __init__(self, rate: float) -> None:
        self._rate, self._lock, self._free = rate, threading.Lock(), time.monotonic()

    def take(self, size: int) -> None:
        """Wait until the bytes are through."""
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / self._rate
            until = self._free
        time.sleep(max(0.0, until - time.monotonic()))


@contextmanager
def line(target: int, rate: float) -> Iterator[int]:
    """The port of a line to the target port on this machine; a process of its own, which costs the others nothing."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.benchmarks.line", str(port), str(target), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            if not listens(process, port, 20):
                raise RuntimeError("the line does not start")
            yield port
        finally:
            process.kill()


def _pass_on(source: socket.socket, sink: socket.socket, throttle: Throttle | None) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            if throttle is not None:
                throttle.take(len(data))
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _serve(port: int, target: int, rate: float) -> None:
    throttle = Throttle(rate)
    with socket.create_server((HOST, port), backlog=64) as listener:
        while True:
            near, _ = listener.accept()
            far = socket.create_connection((HOST, target))
            for source, sink, limit in ((near, far, throttle), (far, near, None)):
                threading.Thread(target=_pass_on, args=(source, sink, limit), daemon=True).start()


if __name__ == "__main__":
    threading.Thread(target=_serve, args=(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])), daemon=True).start()
    sys.stdin.read()
