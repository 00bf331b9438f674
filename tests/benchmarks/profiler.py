"""Where the time of a `mailark backup` goes: samples of its busy threads (py-spy), summed by room and by function."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.ours import Mailark

RATE = 100  # samples a second
FUNCTIONS = 30
_FRAME = re.compile(r"(?P<function>\S+) \((?P<file>[^:()]+)(?::\d+)?\)$")


def backup(mailark: Mailark) -> str:
    """Profile the first backup of a fresh archive; the text names seconds of busy threads."""
    mailark.prepare()
    samples = mailark.dir / "samples"
    spy = _spy(mailark.dir.parent / "py-spy")
    options = ["record", "--format", "raw", "--rate", str(RATE), "--threads", "--output", str(samples), "--"]
    command = [str(part) for part in mailark.command("backup")]
    subprocess.run([str(spy), *options, sys.executable, *command], check=True, timeout=3600)
    return summary(samples.read_text().splitlines())


def _spy(folder: Path) -> Path:
    """py-spy in a virtual environment of its own: it is needed here alone."""
    if not (folder / "bin" / "py-spy").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "py-spy>=0.4"], check=True, timeout=600)
    return folder / "bin" / "py-spy"


def summary(samples: Iterable[str]) -> str:
    """Sum `frame;frame;… count` lines by the innermost frame that is ours, and by the innermost of all."""
    rooms: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    leaves: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    for line in samples:
        stack, _space, count = line.rpartition(" ")
        frames = stack.split(";")
        room, function = _own(frames)
        for counter, key in ((rooms, room), (ours, function), (leaves, frames[-1]), (threads, frames[0])):
            counter[key] += int(count)
    parts = (
        ("by room", rooms),
        ("by function of ours", ours),
        ("by innermost function", leaves),
        ("by thread", threads),
    )
    return "\n\n".join(_listed(title, counter) for title, counter in parts)


def _own(frames: list[str]) -> tuple[str, str]:
    for frame in reversed(frames):
        found = _FRAME.match(frame)
        if found and (at := found["file"].find("archiver/")) >= 0:
            path = found["file"][at:].split("/")
            return path[1].removesuffix(".py"), f"{'/'.join(path[1:])} {found['function']}"
    return "(start and libraries)", frames[-1]


def _listed(title: str, counter: Counter[str]) -> str:
    total = sum(counter.values())
    rows = [f"{title}: {total / RATE:.1f} s"]
    rows += [f"  {count / RATE:7.2f} s  {count / total:6.1%}  {key}" for key, count in counter.most_common(FUNCTIONS)]
    return "\n".join(rows)
