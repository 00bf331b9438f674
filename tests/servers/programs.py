"""Programs that tests start: where they are found, which ports are free, and when a server answers."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from pathlib import Path
from subprocess import Popen

HOST = "127.0.0.1"


def program(name: str) -> str | None:
    """A program on the path, or beside Python as the wheels put it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [entry.getsockname()[1] for entry in sockets]
    for entry in sockets:
        entry.close()
    return ports


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
