"""Understands messages as `archiver.understanding` does, except that some of them do something to its process."""

from __future__ import annotations

import os
import signal

from archiver.model import MessageId
from archiver.understanding import line_of, main


def understand(message: MessageId, size: int, part: bytes) -> bytes:
    """A message that says so kills, aborts, spins, stops, exhausts the memory, or has the process talk nonsense."""
    if b"do: kill" in part:
        os.kill(os.getpid(), signal.SIGKILL)
    elif b"do: abort" in part:
        os.abort()
    elif b"do: spin" in part:
        while True:
            pass
    elif b"do: stop" in part:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif b"do: eat" in part:
        return b"x" * 2**40
    elif b"do: lie" in part:
        return line_of("0" * 64, size, part)
    elif b"do: stammer" in part:
        return 2 * line_of(message, size, part)
    return line_of(message, size, part)


if __name__ == "__main__":
    main(understand)
