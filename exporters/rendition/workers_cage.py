"""What a worker may not do, set before it sees its first message and for good: the last wall behind the sanitiser."""

from __future__ import annotations

import errno
import resource
import sys
from contextlib import suppress
from typing import Any

from exporters.rendition import workers_seccomp

MEMORY = 1536 * 1024 * 1024
"""Bytes of address space."""
OPEN_FILES = 256

_LIMITS = (
    (resource.RLIMIT_AS, MEMORY),
    (resource.RLIMIT_CORE, 0),  # a dump would hold mail
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, OPEN_FILES),
)
_STARTING = ("socket.__new__", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")


def close() -> None:
    """Put this process into the cage: limits (setrlimit(2)) and the kernel's filter. Where there is no filter, Python's
    audit events (PEP 578) refuse the same to Python code.
    """
    for kind, limit in _LIMITS:
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    if not workers_seccomp.install():
        sys.addaudithook(refuse)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: PermissionError for sockets, programs, and files opened for more than reading."""
    if event in _STARTING:
        raise PermissionError(errno.EPERM, "a worker may not do this")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & workers_seccomp.WRITING:
        raise PermissionError(errno.EPERM, "a worker writes no file")
