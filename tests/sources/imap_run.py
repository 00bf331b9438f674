"""One pass over an account, as a run makes it: list, plan, fetch, remember. For tests against any server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from archiver import walk
from archiver.model import Fetched, Folder, FolderStatus, Refused
from archiver.sources.imap import ImapSource
from archiver.sources.interface import GONE, Known
from archiver.sources.limits import Limits


@dataclass
class Waits:
    """Stands in for time.sleep and keeps the seconds asked for."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def quick(spool: Path | None = None, **changes: int) -> Limits:
    """Limits of a test: no real waiting, small batches."""
    return replace(Limits(spool=spool, sleep=Waits(), batch_messages=10), **changes)  # type: ignore[arg-type]


@dataclass
class Memory:
    """What a writer would remember of one folder: the cursor, live flags, and every body it ever stored."""

    status: FolderStatus | None = None
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    epochs: int = 0

    def known(self) -> Known | None:
        return Known(self.status, dict(self.flags)) if self.status else None


def find(source: ImapSource, name: str = "INBOX") -> Folder:
    """The account's folder of this name."""
    return next(folder for folder in source.folders() if folder.name == name)


def run(source: ImapSource, memory: Memory, folder: Folder | None = None) -> walk.Plan:
    """One pass over one folder. The cursor moves last, as the flags and bodies would be durable by then."""
    folder = folder or find(source)
    known = memory.known()
    found = source.listing(folder, known)
    plan = walk.plan(known, found)
    if plan.verify and known:
        plan = walk.plan(known, source.listing(folder, walk.unsure(known)))
    if plan.new_epoch:
        memory.flags, memory.bodies, memory.epochs = {}, {}, memory.epochs + 1
    memory.refused = {}
    seen: set[int] = set()
    for item in source.fetch(folder, plan.fetch):
        assert item.uid not in seen, "a message came twice"
        seen.add(item.uid)
        _take(memory, item)
    assert seen == {row.uid for row in plan.fetch}, "a message neither came nor was refused"
    for row in plan.reflag:
        memory.flags[row.uid] = row.flags
    for uid in plan.gone:
        del memory.flags[uid], memory.bodies[uid]
    memory.status = plan.status
    return plan


def _take(memory: Memory, item: Fetched | Refused) -> None:
    if isinstance(item, Refused):
        if item.reason != GONE:
            memory.refused[item.uid] = item.reason
        return
    memory.flags[item.uid] = item.flags
    memory.bodies[item.uid] = bytes(item.body)
    memory.archived.add(hashlib.sha256(item.body).hexdigest())
