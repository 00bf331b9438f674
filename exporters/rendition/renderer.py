"""Messages in, renditions out, in the same order: workers side by side, with a bounded look-ahead, and a cache."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec

from archiver.errors import ConfigError
from exporters.interface import Outgoing
from exporters.rendition import cache as kept
from exporters.rendition.cache import Cache
from exporters.rendition.interface import Rendition
from exporters.rendition.ladder import BARE, HTML, climb
from exporters.rendition.workers import ForkServer, Worker

JOB = "exporters.rendition.renderer_job:render"
AHEAD = 12
"""Messages begun for each worker before the oldest of them is done: one that takes long does not stop the others."""
HELD = 96 * 1024 * 1024
"""Bytes of messages and renditions held at a time, beyond which no further message is begun."""
LARGEST = 256 * 1024 * 1024
"""Bytes of a message beyond which no worker reads it: its rendition shows its id alone."""

_HEAD = 256 * 1024
_TOO_LARGE_TO_EMBED = 32 * 1024 * 1024
_EXTRA = ("weasyprint", "pikepdf", "nh3", "tinycss2", "fontTools", "PIL")


def require() -> None:
    """Raise ConfigError, with the command that installs it, when the extra for PDF is not installed."""
    if any(find_spec(package) is None for package in _EXTRA):
        raise ConfigError("making PDF needs an extra", "pip install 'mailark[pdf]'")


@dataclass(slots=True)
class _Pending:
    """A message on its way. key: under which its rendition is kept, "" when it came from the cache."""

    message: Outgoing
    key: str
    future: Future[Rendition]

    @property
    def size(self) -> int:
        """Bytes held for it, as far as they are known."""
        done = self.future.done() and not self.future.cancelled() and self.future.exception() is None
        return len(self.message.raw) + (len(self.future.result().pdf) if done else 0)


class Renderer:
    """A context manager; inside it `render` may be called as often as wanted, one call at a time.

    workers: processes side by side, started when the first message needs one · cache: asked and filled by the caller's
    thread only · job: "module:function" of a `workers_server.Job` · fingerprint: what renditions in the cache depend
    on; made from our code, the libraries and the fonts when not given.
    """

    def __init__(
        self,
        workers: int = 2,
        cache: Cache | None = None,
        *,
        job: str = JOB,
        fingerprint: Callable[[], str] | None = None,
    ) -> None:
        self._count, self._cache = max(1, workers), cache
        self._fingerprint = fingerprint or _fingerprint
        self._server = ForkServer(job)
        self._workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(self._count, "render")

    def __enter__(self) -> Renderer:
        for _ in range(self._count):
            self._workers.put(Worker(self._server))
        return self

    def __exit__(self, *_raised: object) -> None:
        self._server.__exit__(None, None, None)  # whoever waits for a worker sees it end
        self._threads.shutdown(wait=True, cancel_futures=True)
        with suppress(queue.Empty):
            while True:
                self._workers.get_nowait().close()

    @property
    def identity(self) -> str:
        """The beginning of the fingerprint of what makes the pages: the same one makes the same bytes."""
        return self._fingerprint()[:16]

    def render(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Rendition]]:
        """Each message with its rendition, in the order given. Every message gets one, whatever is in it.

        Raises ConfigError when an extra, a library or fonts are missing, MailarkError when this machine can start no
        worker or make no page at all; and what `messages` itself raises.
        """
        pending: deque[_Pending] = deque()
        try:
            for message in messages:
                pending.append(self._begin(message))
                while len(pending) >= AHEAD * self._count or sum(each.size for each in pending) >= HELD:
                    yield self._done(pending.popleft())
            while pending:
                yield self._done(pending.popleft())
        finally:
            for each in pending:
                each.future.cancel()

    def _begin(self, message: Outgoing) -> _Pending:
        key = kept.key(message, self._fingerprint()) if self._cache is not None else ""
        known = self._cache.get(key) if self._cache is not None else None
        rendition = kept.unpack(known) if known is not None else None
        if rendition is None:
            return _Pending(message, key, self._threads.submit(self._made, message))
        future: Future[Rendition] = Future()
        future.set_result(rendition)
        return _Pending(message, "", future)

    def _done(self, pending: _Pending) -> tuple[Outgoing, Rendition]:
        rendition = pending.future.result()
        if self._cache is not None and pending.key:
            self._cache.put(pending.key, kept.pack(rendition))
        return pending.message, rendition

    def _made(self, message: Outgoing) -> Rendition:
        worker = self._workers.get()
        try:
            if len(message.raw) > LARGEST:
                return climb(_beginning(message), worker.run, BARE)
            return climb(message, worker.run, HTML)
        finally:
            self._workers.put(worker)


def _beginning(message: Outgoing) -> Outgoing:
    """A message that no worker reads, as one of which the beginning is known, and that it cannot be embedded."""
    return replace(message, raw=bytes(message.raw[:_HEAD]) + bytes(_TOO_LARGE_TO_EMBED))


def _fingerprint() -> str:
    from exporters.rendition.renderer_identity import fingerprint

    return fingerprint()
