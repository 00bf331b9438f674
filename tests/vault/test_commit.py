"""What the commit protocol does with stores that are down, damaged, new or wiped."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from archiver.errors import ConfigError, IntegrityError, QuotaError, StoreError
from archiver.monitor import Silent
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.memory import MemoryStore
from archiver.vault.commit import Commit, Staged, furnish
from tests.vault.commit_model import Disk, object_of, seal
from tests.vault.commits import chain, everything, journal_with, on_put, push


@pytest.fixture
def commit() -> Commit:
    return seal(Disk(), 1)


def test_one_store_down_stops_only_itself_and_catches_up_in_order(commit: Commit) -> None:
    first, second = commit, seal(Disk(), 2)
    journal = journal_with(first)
    down = True
    written: list[str] = []

    def plan(operation: str, name: str) -> Fault | None:
        if operation == "put_if_absent":
            written.append(name)
        return Fault(When.BEFORE, QuotaError("the disk is full")) if down else None

    bad = FaultyStore(MemoryStore("bad"), plan)
    stores: list[Store] = [MemoryStore("one"), bad, MemoryStore("two")]
    monitor = Silent()
    outcome = push(stores, 2, journal, monitor)
    assert outcome.settled == (1,)
    assert [(s.url, s.holds, s.lacks) for s in outcome.stores] == [
        ("memory:one", (1,), ()),
        ("memory:bad", (), (1,)),
        ("memory:two", (1,), ()),
    ]
    assert isinstance(outcome.stores[1].error, QuotaError)
    assert monitor.problems[0].subject == "memory:bad"
    assert journal.disk.released == frozenset()

    journal.record(second)
    down = False
    written.clear()
    outcome = push(stores, 2, journal, monitor)
    assert written == [*(o.name for o in first.objects), first.name, *(o.name for o in second.objects), second.name]
    assert outcome.settled == (1, 2)
    assert outcome.unsettled == ()
    assert journal.disk.released == {1, 2}
    assert journal.disk.cursor == 2


def test_below_the_quorum_nothing_settles(commit: Commit) -> None:
    journal = journal_with(commit)
    x, y = (FaultyStore(MemoryStore(name), lambda operation, name: Fault(When.AFTER)) for name in "xy")
    outcome = push([MemoryStore("one"), x, y], 2, journal, Silent())
    assert outcome.settled == ()
    assert outcome.unsettled == (1,)
    assert journal.disk.cursor == 0


def test_a_different_manifest_is_a_hard_stop() -> None:
    """The same writer went on elsewhere; nothing of this push settles, and what is there stays."""
    [commit], [other] = chain(1), chain(1)
    journal = journal_with(commit)
    cloned = MemoryStore("cloned", {other.name: other.manifest})
    with pytest.raises(IntegrityError, match="another manifest"):
        push([MemoryStore("one"), cloned, MemoryStore("two")], 3, journal, Silent())
    assert cloned.objects == {other.name: other.manifest}
    assert journal.disk.cursor == 0


def test_half_an_object_and_half_a_manifest_are_replaced() -> None:
    """A store that is not atomic leaves halves behind: the next push puts the whole in their place."""
    [commit] = chain(1)
    journal, inner = journal_with(commit), MemoryStore("bad")
    push([on_put(inner, Fault(When.HALF))], 1, journal, Silent())
    assert len(inner.objects[commit.objects[0].name]) == commit.objects[0].size // 2
    push([on_put(inner, Fault(When.LATE), Fault(When.LATE), Fault(When.HALF))], 1, journal, Silent())
    assert len(inner.objects[commit.name]) == len(commit.manifest) // 2
    assert push([inner], 1, journal, Silent()).settled == (1,)
    assert inner.objects == everything([commit])


def test_a_store_that_spoils_what_it_keeps_never_gets_the_manifest(commit: Commit) -> None:
    spoiled = MemoryStore("bad")
    journal = journal_with(commit)
    push([on_put(spoiled, Fault(When.WRONG), Fault(When.AFTER)), MemoryStore("one")], 1, journal, Silent())
    outcome = push([on_put(spoiled, *[Fault(When.WRONG)] * 9), MemoryStore("one")], 1, journal, Silent())
    assert outcome.stores[0].lacks == (1,)
    assert "faulty again" in str(outcome.stores[0].error)
    assert commit.name not in spoiled.objects
    assert push([spoiled, MemoryStore("one")], 1, journal, Silent()).stores[0].lacks == ()


def test_wrong_bytes_are_kept_while_nobody_has_better_ones(tmp_path: Path) -> None:
    """One wrong bit is better than nothing: the object is deleted only when its replacement is at hand."""
    staged = Staged("packs/mail-2026/x.age", 4, hashlib.sha256(b"good").hexdigest(), path=tmp_path / "gone")
    commit = Commit(1, "manifests/w/0000000001", b"seq 1", (staged,))
    store = MemoryStore("one", {staged.name: b"goof"})
    outcome = push([store], 1, journal_with(commit), Silent())
    assert isinstance(outcome.stores[0].error, StoreError)
    assert "mailark repair" in outcome.stores[0].error.hint
    assert store.objects == {staged.name: b"goof"}


def test_objects_no_longer_in_the_spool_come_from_another_store(tmp_path: Path) -> None:
    body = random.Random(5).randbytes(20_000_000)
    kept = object_of(body)
    for damage in ("gone", "damaged"):
        path = tmp_path / damage
        if damage == "damaged":
            path.write_bytes(body[:-1] + b"?")
        commit = Commit(1, "manifests/w/0000000001", b"seq 1", (replace(kept, data=None, path=path),))
        whole = MemoryStore("whole", {kept.name: body, commit.name: commit.manifest})
        spoiled = MemoryStore("spoiled", {kept.name: body[:-1] + b"?"})
        empty = LocalStore.create(tmp_path / f"store-{damage}", "a")
        outcome = push([spoiled, whole, empty], 1, journal_with(commit), Silent())
        assert [s.lacks for s in outcome.stores] == [(1,), (), ()]
        assert empty.get(kept.name) == body


def test_a_new_store_gets_everything_that_came_before_from_the_others() -> None:
    """Commits 1 to 5 are long released; two stores hold them, one of them has some damaged."""
    commits = chain(6)
    before = everything(commits[:5])
    damaged = {name: data[:-1] + b"?" if "2" in name else data for name, data in before.items()}
    journal = journal_with(commits[5])
    new, part = MemoryStore("new"), MemoryStore("part", everything(commits[:3]))
    written: list[str] = []
    watched = FaultyStore(new, lambda op, name: written.append(name) if op == "put_if_absent" else None)
    stores: list[Store] = [MemoryStore("damaged", damaged), watched, part, MemoryStore("whole", dict(before))]
    outcome = push(stores, 4, journal, Silent())
    assert outcome.settled == (6,)
    assert new.objects == part.objects == everything(commits)
    assert written == [name for commit in commits for name in (commit.objects[0].name, commit.name)]


def test_a_store_is_not_counted_while_what_came_before_cannot_be_had() -> None:
    commits = chain(3)
    gap = everything(commits[:2])
    del gap[commits[0].objects[0].name]
    new = MemoryStore("new")
    outcome = push([MemoryStore("gap", gap), new], 1, journal_with(commits[2]), Silent())
    assert [store.lacks for store in outcome.stores] == [(), (3,)]
    assert new.objects == {}
    outcome = push([MemoryStore("one"), MemoryStore("two")], 1, journal_with(commits[2]), Silent())
    assert outcome.unsettled == (3,)
    assert "mailark check" in (outcome.stores[0].error or StoreError("")).hint


def test_a_wiped_store_is_filled_from_spool_and_store_alike() -> None:
    """Commit 1 is released, 2 still spooled for the store that was down, 3 is new; the confirmed store was wiped."""
    commits = chain(3)
    journal = journal_with(commits[1], commits[2])
    journal.confirm(2, "memory:wiped")
    wiped, down = MemoryStore("wiped"), MemoryStore("down", everything(commits[:1]))
    assert push([wiped, down], 2, journal, Silent()).settled == (2, 3)
    assert wiped.objects == down.objects == everything(commits)


def test_nobody_has_the_bytes_any_more(tmp_path: Path) -> None:
    staged = Staged("packs/mail-2026/x.age", 1, "0" * 64, path=tmp_path / "gone")
    commit = Commit(1, "manifests/w/0000000001", b"seq 1", (staged,))
    outcome = push([MemoryStore("one"), MemoryStore("two")], 1, journal_with(commit), Silent())
    assert outcome.unsettled == (1,)
    assert all("neither" in str(s.error) for s in outcome.stores)


def test_the_stores_work_side_by_side(commit: Commit) -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(operation: str, name: str) -> Fault | None:
        if operation == "put_if_absent" and name == commit.name:
            together.wait()
        return None

    stores = [FaultyStore(MemoryStore(name), meet) for name in "abc"]
    assert push(stores, 3, journal_with(commit), Silent()).settled == (1,)


def test_more_copies_than_different_stores_is_a_mistake_of_the_configuration(commit: Commit) -> None:
    same = [MemoryStore("one"), MemoryStore("one")]
    for stores, copies in [(same, 2), ([], 1), (same, 0)]:
        with pytest.raises(ConfigError):
            push(stores, copies, journal_with(commit), Silent())


def test_nothing_to_do_touches_no_store() -> None:
    def refuse(operation: str, name: str) -> Fault | None:
        raise AssertionError(operation)

    outcome = push([FaultyStore(MemoryStore("one"), refuse)], 1, journal_with(), Silent())
    assert outcome.settled == outcome.unsettled == ()


def test_furnish_puts_what_is_missing_and_refuses_what_differs() -> None:
    whole, part = MemoryStore("whole", {"FORMAT.txt": b"1", "keys/recovery.age": b"2"}), MemoryStore("part")
    down = FaultyStore(MemoryStore("down"), lambda operation, name: Fault(When.BEFORE))
    failed = furnish([whole, down, part], {"FORMAT.txt": b"1", "keys/recovery.age": b"2"})
    assert list(failed) == ["memory:down"]
    assert whole.objects == part.objects == {"FORMAT.txt": b"1", "keys/recovery.age": b"2"}
    with pytest.raises(IntegrityError):
        furnish([whole], {"FORMAT.txt": b"other"})
