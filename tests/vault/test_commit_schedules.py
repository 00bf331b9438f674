"""The commit protocol: every schedule of up to three faults, mutants that must be caught, and real threads."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest

from archiver.errors import StoreError
from archiver.stores.faulty import Fault, When
from archiver.stores.interface import Store
from archiver.vault.commit import Commit, Staged
from tests.vault.commit_model import (
    AllAtOnce,
    BrokenError,
    CrashError,
    Disk,
    Explorer,
    InTurn,
    ModelJournal,
    OneAfterAnother,
    ParallelThreads,
    Pushes,
    SentAhead,
    Threads,
    check_always,
    check_in_the_end,
    record_tonight,
    run_night,
    seal,
    seal_tonight,
)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "faults"), [(OneAfterAnother, 2), (AllAtOnce, 2), (InTurn, 3)])
def test_no_schedule_of_few_faults_breaks_the_protocol(order: type[OneAfterAnother], faults: int) -> None:
    began = time.monotonic()
    explorer = Explorer(order)
    counts = [explorer.explore(most) for most in range(faults + 1)]
    print(
        f"{order.__name__}: {counts} schedules of at most 0, 1 ... faults, {explorer.runs} runs, "
        f"{time.monotonic() - began:.1f} s, 0 violations"
    )
    assert counts[-1] >= {2: 8_000, 3: 600_000}[faults]


@pytest.mark.slow
def test_no_schedule_breaks_it_when_packs_are_sent_ahead_of_their_commit() -> None:
    explorer = Explorer(SentAhead, seal_tonight)
    counts = [explorer.explore(most) for most in range(3)]
    print(f"sent ahead: {counts} schedules of at most 0, 1, 2 faults, {explorer.runs} runs, 0 violations")
    assert counts[-1] >= 8_000


class TakenForBrought(SentAhead):
    """Mutant: takes a pack that is sent ahead for there, though it failed."""

    def put_object(self, store: Store, staged: Staged) -> None:
        try:
            super().put_object(store, staged)
        finally:
            self.ahead.brought(store.url, staged.name)


def test_a_pack_that_was_not_brought_is_missed() -> None:
    with pytest.raises(BrokenError):
        Explorer(TakenForBrought, seal_tonight).explore(1)


class ManifestFirst(OneAfterAnother):
    """Mutant: shows the manifest before its objects are there."""

    def put_commit(self, store: Store, commit: Commit) -> Iterator[None]:
        self.put_manifest(store, commit)
        yield
        for staged in commit.objects:
            self.put_object(store, staged)
            yield


class ManifestAmong(OneAfterAnother):
    """Mutant: sends the manifest side by side with the objects, and it overtakes the last one."""

    def put_commit(self, store: Store, commit: Commit) -> Iterator[None]:
        for staged in commit.objects[:-1]:
            self.put_object(store, staged)
            yield
        self.put_manifest(store, commit)
        yield
        self.put_object(store, commit.objects[-1])


class FailureForgotten(AllAtOnce):
    """Mutant: sends the manifest though one of the objects under way has failed."""

    def put_objects(self, store: Store, objects: Sequence[Staged]) -> Iterator[None]:
        with suppress(StoreError):
            yield from super().put_objects(store, objects)


class CursorEarly(OneAfterAnother):
    """Mutant: takes one store less for enough."""

    def close(self, commit: Commit) -> None:
        self.copies -= 1
        super().close(commit)
        self.copies += 1


class ConfirmEarly(OneAfterAnother):
    """Mutant: takes a commit for held before its manifest is there."""

    def put_commit(self, store: Store, commit: Commit) -> Iterator[None]:
        self.journal.confirm(commit.seq, store.url)
        self.close(commit)
        yield from super().put_commit(store, commit)


class Unordered(OneAfterAnother):
    """Mutant: sends the newest commit first, and does not look what comes before it."""

    def waiting(self, store: Store) -> list[Commit]:
        return super().waiting(store)[::-1]

    def deliver(self, store: Store, commit: Commit) -> Iterator[None]:
        yield from self.put_commit(store, commit)


def seal_again(disk: Disk, night: int, journal: ModelJournal) -> None:
    """Mutant: after a crash, seals anew what was recorded and not settled."""
    for seq in sorted(disk.commits):
        if seq > disk.cursor:
            journal.record(seal(disk, seq))
    record_tonight(disk, night, journal)


@pytest.mark.parametrize(
    "mutant", [ManifestFirst, ManifestAmong, FailureForgotten, CursorEarly, ConfirmEarly, Unordered]
)
def test_a_mutant_of_the_push_is_caught(mutant: type[OneAfterAnother]) -> None:
    with pytest.raises(BrokenError) as caught:
        Explorer(mutant).explore(2 if mutant is Unordered else 1)
    print(f"{mutant.__name__}: {caught.value}")


def test_sealing_again_is_caught() -> None:
    with pytest.raises(BrokenError) as caught:
        Explorer(OneAfterAnother, seal_again).explore(1)
    print(f"seal again: {caught.value}")


@pytest.mark.slow
@pytest.mark.parametrize("threads", [Threads, ParallelThreads])
def test_random_faults_in_real_threads(threads: Pushes) -> None:
    """The threads of the product itself: any number of faults in any night, then two nights without."""
    faults = 0
    for seed in range(400):
        rng = random.Random(seed)
        disk = Disk()
        for night in (1, 2, 3):
            for _ in range(3):
                plan = tuple(
                    (number, Fault(rng.choice([When.BEFORE, When.AFTER]), rng.choice([None, CrashError()])))
                    for number in range(1, 40)
                    if rng.random() < 0.1
                )
                faults += len(plan)
                run_night(disk, night, plan, threads)
                check_always(disk)
        run_night(disk, 3, (), threads)
        run_night(disk, 3, (), threads)
        check_in_the_end(disk, 3)
    print(f"{threads.__name__}: 400 histories, {faults} faults planned")
