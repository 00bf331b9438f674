"""The process that understands messages: raw bytes in, catalog lines out, and nothing else.

python -m archiver.understanding SECONDS

It is given no key, file or connection, has a limit of memory, and SECONDS of processor time for each message: it reads
what strangers wrote. It imports little, as it is started in every run that fetches something.

Standard input, one after the other: size of what follows (8 bytes, big-endian), size of the message (8 bytes), SHA-256
of the message (64 hexadecimal digits), then the part of it that is read. Standard output: an empty answer when it is
ready, then for each message, in their order, its line without pack and verdicts; before each answer its size (8 bytes).
It ends when its input does.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from archiver.catalog import lines
from archiver.entries import understood
from archiver.model import MessageId

MEMORY = 512 * 1024 * 1024
"""Bytes of address space; a message of 64 MiB takes half of it at most."""

REQUEST = struct.Struct(">QQ64s")
ANSWER = struct.Struct(">Q")

_LIMITS = (
    (resource.RLIMIT_AS, MEMORY),
    (resource.RLIMIT_CORE, 0),  # a dump would hold mail
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, 32),
)
_BUFFER = 256 * 1024
_PROBE = b"Subject: =?utf-8?q?probe?=\r\nContent-Type: text/html; charset=x\r\n\r\n<p>probe"

Understand = Callable[[MessageId, int, bytes], bytes]
"""(message, its size, the part of it that is read) -> its line."""


def line_of(message: MessageId, size: int, part: bytes) -> bytes:
    """The line of a message without pack and verdicts."""
    return lines.dump([understood(message, size, part)])


def main(understand: Understand = line_of) -> None:
    """The process's life."""
    for kind, limit in _LIMITS:
        with suppress(OSError, ValueError):  # where a limit cannot be set, or a lower one is
            resource.setrlimit(kind, (limit, limit))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process: nothing in a message can hold it off
    seconds = float(sys.argv[1])
    with open(0, "rb", _BUFFER) as requests, open(1, "wb", 0) as answers:
        try:
            if b'"not parsed' not in understand("0" * 64, len(_PROBE), _PROBE):
                gc.collect()
                gc.freeze()
                _serve(requests, answers, understand, seconds)
        except (EOFError, BrokenPipeError):
            return
        except BaseException:
            # Before the pipes are closed: who sees their end kills what may be left, and that must not be the status.
            os._exit(1)


def _serve(requests: BinaryIO, answers: BinaryIO, understand: Understand, seconds: float) -> None:
    _answer(answers, b"")
    while True:
        _answer(answers, _next(requests, understand, seconds))


def _next(requests: BinaryIO, understand: Understand, seconds: float) -> bytes:
    """The line of the next message; nothing is kept of one while the next is awaited."""
    length, size, message = REQUEST.unpack(_exactly(requests, REQUEST.size))
    part = _exactly(requests, length)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    line = understand(message.decode("ascii"), size, part)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return line


def _answer(answers: BinaryIO, line: bytes) -> None:
    """At once, so that what is without an answer when the process dies is what it died of."""
    left = memoryview(ANSWER.pack(len(line)) + line)
    while left:
        left = left[answers.write(left) :]


def _exactly(requests: BinaryIO, size: int) -> bytes:
    data = requests.read(size)
    if len(data) != size:
        raise EOFError
    return data


if __name__ == "__main__":
    main()
