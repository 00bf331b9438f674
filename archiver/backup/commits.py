"""Makes commits of what lies sealed in the spool, records them, and pushes them to the stores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from archiver.backup.allowance import Allowance
from archiver.backup.feed import BatchLines, CatalogFeed
from archiver.backup.staging import stage_lines
from archiver.batches import PackRecord
from archiver.errors import MailarkError
from archiver.journal import Pending
from archiver.known_holds import KnownHolds
from archiver.monitor import Monitor
from archiver.opening import Archive
from archiver.stores.interface import Store
from archiver.vault import merkle, zstd
from archiver.vault.commit import Commit, Outcome, Staged
from archiver.vault.copying import file_is
from archiver.vault.delivery import Delivery
from archiver.vault.guard import hold_new
from archiver.vault.inventory import foundation
from archiver.vault.manifest import FIRST_PREV, Manifest, ObjectRef, sign
from archiver.vault.vault import MAX_LINES


class Committer:
    """Commits are made in one thread beside the walk, one at a time, and brought to the stores by a thread a store."""

    def __init__(
        self,
        archive: Archive,
        stores: Sequence[Store],
        feed: CatalogFeed,
        monitor: Monitor,
        now: Callable[[], datetime],
    ) -> None:
        """`stores` are the archive's, as they may be used for sending (see `archiver.backup.pacing`)."""
        self._archive, self._feed, self._now = archive, feed, now
        hold_new(archive.stores, KnownHolds(archive.state, archive.machine.root).in_store, monitor)
        self._delivery = Delivery(stores, archive.settings.archive.copies, archive.journal, monitor)
        self._pool = ThreadPoolExecutor(1, "commit")
        self._running: Future[None] | None = None
        self._allowance = Allowance()
        self._sealed = archive.catalog.sealed().get(archive.machine.writer, 0)
        self.outcome: Outcome | None = None

    def resume(self) -> None:
        """Finish what an earlier run left: sweep the spool, bring the catalog up to date, push what was recorded."""
        self._sweep()
        try:
            for document in self._missing_lines():
                self._feed.add(BatchLines([document]))
        except MailarkError as error:
            self._feed.problem = f"the catalog could not be brought up to date: {error}"
        self._deliver()
        self._delivery.wait_for_quorum()  # the walk then sees cursors that are as new as can be
        self._note()
        self._hasten()

    def batch(self, lines: BatchLines) -> None:
        """A batch became durable: send its pack, index it, and commit when what has come together pays for a commit."""
        self._hasten()
        self._feed.add(lines)
        if self._running is not None and not self._running.done():
            return
        if self._allowance.allows(self._archive.journal.waiting()):
            self._raise_earlier()
            self._running = self._pool.submit(self._commit, self._archive.journal.pending())

    def finish(self) -> None:
        """Commit what is left, and wait for the stores. Raises what went wrong in a commit during the run."""
        self._pool.shutdown(wait=True)
        self._raise_earlier()
        pending = self._archive.journal.pending()
        if pending:
            self._commit(pending)
        else:
            self._deliver()
        self._delivery.wait(self._archive.settings.archive.straggler_wait)
        self._note()
        self._archive.journal.move_idle_cursors()

    def close(self) -> None:
        """Nothing is sent or recorded any more; a store that hangs does not matter."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._delivery.end()

    def _raise_earlier(self) -> None:
        if self._running is not None:
            self._running.result()

    def _commit(self, pending: Pending) -> None:
        archive = self._archive
        objects = _staged(pending.packs)
        for era, numbers in groupby(sorted(pending.lines), key=itemgetter(0)):
            frames = (archive.journal.frame(number) for _, number in numbers)
            objects += stage_lines(archive.work.spool, era, archive.machine.recipient(era), frames)
        self._allowance.spend(objects)
        if archive.journal.head()[0] == 0:
            objects += self._foundation()
        commit, sha256 = self._sign(objects, pending)
        archive.journal.record(commit, sha256, pending, self._now())
        self._deliver()

    def _foundation(self) -> list[Staged]:
        """Key files and documents: a chain's first manifest names them, so that they are healed like packs."""
        refs = foundation(self._archive.stores, self._archive.machine.root)
        return [Staged(ref.name, ref.size, ref.sha256) for ref in refs]

    def _sign(self, objects: Sequence[Staged], pending: Pending) -> tuple[Commit, str]:
        machine = self._archive.machine
        seq, prev = self._archive.journal.head()
        manifest = Manifest(
            archive=machine.archive,
            writer=machine.writer,
            seq=seq + 1,
            prev=prev or FIRST_PREV,
            time=self._now(),
            messages=len(pending.messages),
            root=merkle.root(merkle.leaves(machine.leaf_salt_key, pending.messages)),
            objects=tuple(ObjectRef(o.sha256, o.size, o.name) for o in objects),
        )
        signed = sign(manifest, machine.signing_key)
        return Commit(seq + 1, manifest.name, signed, tuple(objects)), hashlib.sha256(signed).hexdigest()

    def _hasten(self) -> None:
        """Sealed packs are on their way before their commit is made, so that a slow line is never idle."""
        self._delivery.hasten(_staged(self._archive.journal.sealed()))

    def _deliver(self) -> None:
        self._delivery.refresh()
        self._note()

    def _note(self) -> None:
        """What the stores hold now; the catalog's lines of commits that enough of them hold become durable."""
        self.outcome = self._delivery.outcome()
        for seq in range(self._sealed + 1, self._archive.journal.settled() + 1):
            self._sealed = seq
            self._feed.seal(seq)

    def _missing_lines(self) -> Iterator[bytes]:
        """Lines that a killed run had no time to index: of commits from the spool or a store, then uncommitted ones."""
        archive, writer = self._archive, self._archive.machine.writer
        if self._sealed < archive.journal.head()[0]:
            staged = {commit.seq: commit for commit in archive.journal.unfinished()}
            for commit in (staged[seq] for seq in sorted(staged) if seq > self._sealed):
                yield from self._staged_lines(commit)
            for manifest in archive.vault.manifests({writer: self._sealed}):
                if manifest.writer == writer and manifest.seq not in staged:
                    yield from archive.vault.lines(manifest)
        for _, number in archive.journal.pending().lines:
            yield zstd.decompress(archive.journal.frame(number), limit=MAX_LINES)

    def _staged_lines(self, commit: Commit) -> Iterator[bytes]:
        vault = self._archive.vault
        for staged in commit.objects:
            if staged.name.startswith("catalog/"):
                if staged.path is not None and file_is(staged.path, staged):
                    sealed = staged.path.read_bytes()
                else:
                    sealed = vault.object(staged.name, staged.sha256)
                yield from vault.unseal_lines(staged.name, sealed)

    def _sweep(self) -> None:
        """Files of the spool that no record speaks of are what a killed run was writing."""
        kept = self._archive.journal.files()
        for path in self._archive.work.spool.iterdir():
            if path not in kept and path.is_file():
                path.unlink()


def _staged(packs: Iterable[PackRecord]) -> list[Staged]:
    return [Staged(pack.name, pack.size, pack.sha256, pack.path) for pack in packs]
