"""Runs a command and tells its wall time, its processor time and the memory of its whole process tree. Linux only."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
SAMPLE_EVERY = 0.25  # seconds; a look costs milliseconds of the processors that are measured
SHARES_EVERY = 4
"""Samples of which one looks at the shares of memory as well, which costs the kernel a walk over all pages."""

LONGEST = 3600  # seconds
_VMHWM = re.compile(r"VmHWM:\s+(\d+) kB")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cost:
    """`wall` and `cpu` (user + system) in seconds, of a command with its children.

    memory: bytes, the sum of the most that each process has held (VmHWM), though not at the same time, with what they
    share counted for each · pss: bytes held at the worst moment, what processes share counted once (Pss), sampled
    server_cpu: what the servers spent meanwhile, in seconds
    """

    wall: float
    cpu: float
    memory: int
    server_cpu: float = 0.0
    pss: int = 0

    def __add__(self, other: Cost) -> Cost:
        """One after the other: times add up, the larger memory counts."""
        memory, pss = max(self.memory, other.memory), max(self.pss, other.pss)
        return Cost(self.wall + other.wall, self.cpu + other.cpu, memory, self.server_cpu + other.server_cpu, pss)


class CommandError(RuntimeError):
    """A measured command failed; the text holds the end of what it said."""


def run(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, server: int = 0, good: int = 0
) -> Cost:
    """Run to the end; `server` is the process whose tree is watched beside it, `good` the exit code that is wanted."""
    before = tree_cpu(server) if server else 0.0
    with log.open("ab") as out:
        begin = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        sampler = _Sampler(process.pid)
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    memory, pss = sampler.stop()
    if process.returncode != good:
        tail = log.read_text(errors="replace")[-1500:]
        raise CommandError(f"{command[0]} ended with {process.returncode}, not {good}:\n{tail}")
    spent = tree_cpu(server) - before if server else 0.0
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory, spent, pss)


class _Sampler:
    """Looks at the memory of a session's processes until told to stop."""

    def __init__(self, session: int) -> None:
        self._session, self._over = session, threading.Event()
        self._peak = self._shares = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[int, int]:
        """The largest sums seen: of VmHWM, of Pss."""
        self._over.set()
        self._thread.join()
        return self._peak, self._shares

    def _watch(self) -> None:
        deadline, samples = time.monotonic() + LONGEST, 0
        while not self._over.wait(SAMPLE_EVERY) and time.monotonic() < deadline:
            pids = _children_of(self._session)
            self._peak = max(self._peak, sum(_kilobytes(pid, "status", _VMHWM) for pid in pids))
            if samples % SHARES_EVERY == 0:
                self._shares = max(self._shares, sum(_kilobytes(pid, "smaps_rollup", _PSS) for pid in pids))
            samples += 1


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; the first is the state (proc(5) numbers it 3)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _children_of(root: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def _kilobytes(pid: int, file: str, line: re.Pattern[str]) -> int:
    """Bytes that a line of a file of proc(5) states; 0 when the process has ended.

    VmHWM is the most a process has held, so that a peak between two looks is not missed.
    """
    with suppress(OSError):
        found = line.search(Path(f"/proc/{pid}/{file}").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def tree_cpu(root: int) -> float:
    """Seconds of processor time of a process, its living descendants and those it has already waited for."""
    ticks = 0
    for pid in _children_of(root):
        fields = _stat(pid)
        ticks += sum(map(int, fields[11:15])) if fields else 0
    return ticks / TICK


def bytes_of(*paths: Path) -> int:
    """Bytes in files, and in all files below folders."""
    total = 0
    for path in paths:
        files = path.rglob("*") if path.is_dir() else [path]
        total += sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())
    return total
