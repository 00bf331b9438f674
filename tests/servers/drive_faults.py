"""Ways in which the Drive server misbehaves; each strikes `times` requests of one kind of operation, then is used up.

Operations: create (multipart), folder, begin and send (upload sessions), generateIds, list, get, download, update,
delete.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any


class Fault:
    """operation: which kind of request · skip: how many of them go well before · times: how many are struck."""

    def __init__(self, operation: str, *, times: int = 1, skip: int = 0) -> None:
        self.operation = operation
        self.times = times
        self.skip = skip
        self.struck = 0

    def strikes(self, operation: str) -> bool:
        """Whether it strikes this request; counts."""
        if operation != self.operation or self.struck >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True


class Refuse(Fault):
    """Answer with an error; after: having done what was asked."""

    def __init__(
        self, operation: str, status: int, reason: str = "", *, after: bool = False, retry_after: int = 0, **how: int
    ) -> None:
        super().__init__(operation, **how)
        self.status = status
        self.reason = reason
        self.after = after
        self.headers = {"retry-after": str(retry_after)} if retry_after else {}


class Cut(Fault):
    """Break the connection; after: having done what was asked; at: when so many bytes of an upload arrived."""

    def __init__(self, operation: str, *, after: bool = False, at: int = 0, **how: int) -> None:
        super().__init__(operation, **how)
        self.after = after
        self.at = at


class Hang(Fault):
    """Answer nothing until `release`."""

    def __init__(self, operation: str, **how: int) -> None:
        super().__init__(operation, **how)
        self._released = threading.Event()

    def wait(self) -> None:
        self._released.wait(30)

    def release(self) -> None:
        self._released.set()


class Wrong(Fault):
    """Change the JSON of the answer."""

    def __init__(self, operation: str, change: Callable[[dict[str, Any]], object], **how: int) -> None:
        super().__init__(operation, **how)
        self._change = change

    def spoil(self, answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = answer
        found = json.loads(body)
        self._change(found)
        return status, headers, json.dumps(found).encode()
