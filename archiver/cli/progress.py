"""Two monitors: bars on a terminal, one line a folder elsewhere. Both write to standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any, TextIO

from archiver.cli.output import number, one_line, size, store_name
from archiver.model import Problem
from archiver.monitor import Monitor


def watcher(*, hidden: tuple[str, ...] = ()) -> Monitor:
    """Bars when standard error is a terminal, else lines. Problems whose subject begins so are `hidden`."""
    return Bars(sys.stderr, hidden) if sys.stderr.isatty() else Lines(sys.stderr, hidden)


MOST_PROBLEMS = 50
"""Problems that are shown one by one: a lost store has as many as it had objects."""


class Lines:
    """One line when a task is over, one a problem (the first `MOST_PROBLEMS` of them)."""

    def __init__(self, stream: TextIO, hidden: tuple[str, ...] = ()) -> None:
        self._stream, self._hidden = stream, hidden
        self._lock, self._problems = threading.RLock(), 0

    def begin(self, task: str, messages: int, size: int) -> None:
        """Nothing is said before there is something to say."""

    def advance(self, task: str, messages: int, size: int) -> None:
        """Nothing: a log is not a terminal."""

    def end(self, task: str, summary: str) -> None:
        self._say(f"{_named(task)}: {one_line(summary)}")

    def problem(self, problem: Problem) -> None:
        if problem.subject.startswith(self._hidden):
            return
        with self._lock:
            self._problems += 1
            if self._problems <= MOST_PROBLEMS:
                self._say(f"problem: {_named(problem.subject)}: {one_line(problem.reason)}")
            elif self._problems == MOST_PROBLEMS + 1:
                self._say("problem: there are more; --json lists them all")

    def _say(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._write(line)

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bars(Lines):
    """A bar for each running task: name, n/N, messages/s, MB/s, time left; a line when it is over."""

    def __init__(self, stream: TextIO, hidden: tuple[str, ...] = ()) -> None:
        super().__init__(stream, hidden)
        self._bars: dict[str, tuple[Any, _Rate]] = {}

    def begin(self, task: str, messages: int, size: int) -> None:
        from tqdm import tqdm

        form = "{desc}  {n_fmt}/{total_fmt} {bar:20} {unit}, {remaining} left"
        with self._lock, contextlib.suppress(OSError, ValueError):
            bar = tqdm(
                total=messages, desc=_named(task), file=self._stream, leave=False, bar_format=form, unit="waiting"
            )
            self._bars[task] = bar, _Rate()

    def advance(self, task: str, messages: int, size: int) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if task in self._bars:
                bar, rate = self._bars[task]
                rate.add(messages, size)
                bar.unit = str(rate)
                bar.update(messages)

    def end(self, task: str, summary: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if task in self._bars:
                self._bars.pop(task)[0].close()
        super().end(task, summary)

    def _write(self, line: str) -> None:
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


def _named(task: str) -> str:
    """A task's name on one line; a store is called as people call it."""
    return one_line(store_name(task))
