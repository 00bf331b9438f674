"""Jobs for workers that do what a hostile mail may make a renderer do; the subject tells which, and at which tiers."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from archiver.errors import ConfigError
from exporters.interface import Outgoing
from exporters.rendition.interface import Notes, Rendition, Tier

JOB = "tests.exporters.rendition.jobs:obey"
_HELD: list[bytes] = []
_DONE: list[str] = []


def obey(message: Outgoing, tier: Tier, bare: bool) -> Rendition:
    """ "hang 1 2" hangs at tiers 1 and 2; any other tier is a page that tells the tier and the message's size."""
    word, *tiers = ("", "") if bare else message.subject.split() or [""]
    if tier in tiers and word in DEEDS:
        DEEDS[word](message)
    _DONE.append(message.id)
    return Rendition(
        f"%PDF-{tier} {len(message.raw)} {os.getpid()}".encode(), 1, tier, word == "clip" and tier in tiers, Notes()
    )


def broken(_message: Outgoing, _tier: Tier, _bare: bool) -> Rendition:
    """A renderer that can do nothing at all."""
    raise ValueError("secret words of the message")


def say(message: Outgoing, tier: Tier, _bare: bool) -> Rendition:
    """What the worker finds when it tries what it may not do, as the text of the page."""
    tried = {
        "socket": lambda: socket.socket(),
        "write": lambda: Path("/tmp/a-worker-wrote-this").write_text("x"),
        "append": lambda: os.open(message.subject, os.O_WRONLY | os.O_APPEND),
        "remove": lambda: Path(message.subject).unlink(),
        "rename": lambda: Path(message.subject).rename("/tmp/a-worker-moved-this"),
        "mkdir": lambda: Path("/tmp/a-worker-made-this").mkdir(),
        "program": lambda: subprocess.run(["true"], check=True),
        "fork": lambda: os.fork(),
        "kill": lambda: os.kill(os.getppid(), 9),
    }
    found = [f"{name}: {_outcome(deed)}" for name, deed in tried.items()]
    found += [f"read: {Path(__file__).stat().st_size == len(Path(__file__).read_bytes())}"]
    found += [f"environment: {' '.join(sorted(os.environ))}"]
    return Rendition(b"%PDF-" + "\n".join(found).encode(), 1, tier, False, Notes())


def _outcome(deed: Callable[[], object]) -> str:
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"


def _hang(_message: Outgoing) -> None:
    while True:
        pass


def _sleep(_message: Outgoing) -> None:
    time.sleep(3600)


def _hold_on(_message: Outgoing) -> None:
    while True:
        try:
            sum(range(10**8))
        except BaseException:
            continue


def _allocate(_message: Outgoing) -> None:
    _HELD.append(bytes(4 * 1024**3))


def _crash(_message: Outgoing) -> None:
    ctypes.string_at(0)


def _tired(message: Outgoing) -> None:
    if _DONE:
        _crash(message)


def _leave(_message: Outgoing) -> None:
    os._exit(3)


def _raise(_message: Outgoing) -> None:
    raise ValueError("secret words of the message")


def _exit(_message: Outgoing) -> None:
    sys.exit("secret words")


def _recurse(_message: Outgoing) -> None:
    def deeper(level: int) -> int:
        return deeper(level + 1) + 1

    deeper(0)


def _missing(_message: Outgoing) -> None:
    raise ConfigError("fonts are missing")


DEEDS: dict[str, Callable[[Outgoing], None]] = {
    "hang": _hang,
    "hold": _hold_on,
    "sleep": _sleep,
    "allocate": _allocate,
    "crash": _crash,
    "tired": _tired,
    "leave": _leave,
    "raise": _raise,
    "exit": _exit,
    "recurse": _recurse,
    "missing": _missing,
}
