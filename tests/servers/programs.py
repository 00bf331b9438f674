"""Programs that tests start: where they are found, which ports are free, and when a server answers."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from subprocess import Popen

HOST = "127.0.0.1"
FIRST_PORT, SHARE = 20_000, 1_500


def program(name: str) -> str | None:
    """A program on the path, or beside Python as the wheels put it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))


def ports() -> Iterator[int]:
    """Ports to try, in random order: a share of their own for each of pytest-xdist's processes (worker gw0, gw1 …).

    All lie below 32768, where Linux begins to take ports for connections (ip_local_port_range).
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    first = FIRST_PORT + worker * SHARE
    yield from Random().sample(range(first, first + SHARE), SHARE)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in ports():
            with suppress(OSError):
                stack.enter_context(socket.create_server((HOST, port)))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError("no port is free")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


def listens(process: Popen[bytes], port: int, seconds: float) -> bool:
    """Whether the process listens on the port before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False
