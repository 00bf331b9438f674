"""Two monitors: bars on a terminal, one line a folder elsewhere. Both write to standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any, TextIO

from archiver.cli.output import number, one_line, plural, size
from archiver.model import Problem
from archiver.monitor import Monitor


def watcher(stream: TextIO | None = None) -> Monitor:
    """Bars when `stream` (standard error) is a terminal, else lines."""
    stream = stream or sys.stderr
    return Bars(stream) if stream.isatty() else Lines(stream)


class Lines:
    """One line when a task is over, one a problem."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def begin(self, task: str, messages: int, size: int) -> None:
        """Nothing is said before there is something to say."""

    def advance(self, task: str, messages: int, size: int) -> None:
        """Nothing: a log is not a terminal."""

    def end(self, task: str, summary: str) -> None:
        self._say(f"{one_line(task)}: {one_line(summary)}")

    def problem(self, problem: Problem) -> None:
        self._say(told(problem))

    def _say(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)


class Bars:
    """A bar for each running task: name, n/N, messages/s, MB/s, time left; a line when it is over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._bars: dict[str, tuple[Any, _Rate]] = {}

    def begin(self, task: str, messages: int, size: int) -> None:
        from tqdm import tqdm

        form = "{desc}  {n_fmt}/{total_fmt} {bar:20} {postfix} {remaining} left"
        with self._lock, contextlib.suppress(OSError, ValueError):
            bar = tqdm(total=messages, desc=one_line(task), file=self._stream, leave=False, bar_format=form, unit="")
            self._bars[task] = bar, _Rate()

    def advance(self, task: str, messages: int, size: int) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if task in self._bars:
                bar, rate = self._bars[task]
                rate.add(messages, size)
                bar.set_postfix_str(str(rate), refresh=False)
                bar.update(messages)

    def end(self, task: str, summary: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if task in self._bars:
                self._bars.pop(task)[0].close()
            self._say(f"{one_line(task)}: {one_line(summary)}")

    def problem(self, problem: Problem) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._say(told(problem))

    def _say(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=self._stream)


class _Rate:
    """Messages and bytes since the task began."""

    def __init__(self) -> None:
        self._start, self._messages, self._bytes = time.monotonic(), 0, 0

    def add(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._start, 0.001)
        return f"{number(round(self._messages / seconds))} messages/s {size(self._bytes / seconds)}/s"


def told(problem: Problem) -> str:
    """A problem on one line."""
    return f"problem: {one_line(problem.subject)}: {one_line(problem.reason)}"


def told_all(problems: list[Problem]) -> str:
    """How many problems there were, in words."""
    return plural(len(problems), "problem")
