"""Real commits, a journal that has them, and their push to stores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archiver.monitor import Silent
from archiver.stores.faulty import Fault, FaultyStore
from archiver.stores.interface import Store
from archiver.vault.commit import Commit, Outcome
from archiver.vault.manifest import FIRST_PREV, Manifest, ObjectRef, sign
from tests.vault.commit_model import Clock, Disk, ModelJournal, Threads, object_of


def push(stores: Sequence[Store], copies: int, journal: ModelJournal, monitor: Silent) -> Outcome:
    """A run's delivery of what is recorded."""
    return Threads(stores, copies, journal, monitor).run()


def journal_with(*commits: Commit) -> ModelJournal:
    return ModelJournal(Disk(commits={commit.seq: commit for commit in commits}), Clock())


def on_put(inner: Store, *faults: Fault) -> FaultyStore:
    """The store with these faults at its next puts, one each."""
    coming = iter(faults)
    return FaultyStore(inner, lambda operation, name: next(coming, None) if operation == "put_if_absent" else None)


def chain(length: int) -> list[Commit]:
    """Commits with real, signed and chained manifests, one object each."""
    key, prev, commits = Ed25519PrivateKey.generate(), FIRST_PREV, []
    for seq in range(1, length + 1):
        staged = object_of(b"object of commit %d" % seq)
        ref = ObjectRef(staged.sha256, staged.size, staged.name)
        manifest = Manifest("a" * 32, "b" * 16, seq, prev, datetime(2026, 1, 1, tzinfo=UTC), 0, "0" * 64, (ref,))
        data = sign(manifest, key)
        prev = hashlib.sha256(data).hexdigest()
        commits.append(Commit(seq, manifest.name, data, (staged,)))
    return commits


def everything(commits: list[Commit]) -> dict[str, bytes]:
    return {c.name: c.manifest for c in commits} | {o.name: o.data or b"" for c in commits for o in c.objects}
