"""Progress and problems, told to whoever watches: a terminal, a log, a test."""

from __future__ import annotations

from typing import Protocol

from archiver.model import Problem


class Monitor(Protocol):
    """Four methods, called from any thread; implementations must be thread-safe and must not raise."""

    def begin(self, task: str, messages: int, size: int) -> None:
        """A task (an account's folder, a store's check) starts; `messages` and `size` (bytes) are what is expected."""

    def advance(self, task: str, messages: int, size: int) -> None:
        """`messages` more and `size` more bytes of the task are done."""

    def end(self, task: str, summary: str) -> None:
        """The task is over; `summary` is one line."""

    def problem(self, problem: Problem) -> None:
        """Something failed by name; the run goes on."""


class Silent:
    """Keeps the problems and shows nothing."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def begin(self, task: str, messages: int, size: int) -> None:
        """Shows nothing."""

    def advance(self, task: str, messages: int, size: int) -> None:
        """Shows nothing."""

    def end(self, task: str, summary: str) -> None:
        """Shows nothing."""

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)
