"""Runs a command that insists on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path


def at_terminal(command: list[str], folder: Path, typed: str) -> None:
    """Runs `command` at a pseudo-terminal and types `typed` at each prompt for a passphrase."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    deadline, shown = time.monotonic() + 60, b""
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    shown += os.read(master, 4096)
                except OSError:  # the other side closed the terminal
                    break
                if shown.rstrip().endswith(b":"):
                    os.write(master, typed.encode() + b"\n")
                    shown = b""
        assert process.wait(timeout=10) == 0, shown
    finally:
        process.kill()
        os.close(master)
