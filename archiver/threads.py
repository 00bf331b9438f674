"""Work side by side in threads that never keep the program from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def side_by_side(tasks: Sequence[Callable[[], object]], at_once: int, name: str) -> None:
    """Run every task, `at_once` at a time; the first failure is raised once the tasks under way have ended.

    After a failure no further task is begun. The threads are daemons: a call that hangs ends with the program, which
    does not wait for it as it does for a ThreadPoolExecutor's.
    """
    coming, lock = iter(tasks), threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while True:
            with lock:
                task = None if failures else next(coming, None)
            if task is None:
                return
            try:
                task()
            except BaseException as error:
                with lock:
                    failures.append(error)

    threads = [threading.Thread(target=work, name=f"{name}-{n}", daemon=True) for n in range(min(at_once, len(tasks)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
