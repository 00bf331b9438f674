"""Stores supplied side by side: a slow, a hanging and a dead one hold nobody back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from archiver.errors import IntegrityError, StoreError
from archiver.monitor import Silent
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Data, Store
from archiver.stores.memory import MemoryStore
from archiver.stores.paced import Bucket, PacedStore
from archiver.vault.commit import Commit
from archiver.vault.delivery import Delivery
from tests.vault.commit_model import Clock, Disk, ModelJournal, object_of, seal
from tests.vault.commits import chain


class Gate(MemoryStore):
    """A store whose puts wait until it is let go; `begun` counts them."""

    def __init__(self, name: str, parallel: int = 1) -> None:
        super().__init__(name)
        self.parallel = parallel
        self.open, self.begun = threading.Event(), threading.Semaphore(0)
        self.inside, self.most, self._counting = 0, 0, threading.Lock()
        self.order: list[str] = []

    def put_if_absent(self, name: str, data: Data) -> bool:
        with self._counting:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.begun.release()
        try:
            assert self.open.wait(20)
            self.order.append(name)
            return super().put_if_absent(name, data)
        finally:
            with self._counting:
                self.inside -= 1


def journal_of(commits: list[Commit]) -> ModelJournal:
    return ModelJournal(Disk(commits={commit.seq: commit for commit in commits}), Clock())


def test_a_slow_store_holds_back_neither_the_others_nor_the_cursors() -> None:
    slow, journal = Gate("slow"), journal_of([])
    delivery = Delivery([MemoryStore("a"), slow, MemoryStore("b")], 2, journal, Silent())
    for commit in chain(5):
        journal.record(commit)
        delivery.refresh()
        delivery.wait_for_quorum()
        assert journal.disk.cursor == commit.seq
    outcome = delivery.wait(0.05)
    assert (outcome.settled, outcome.unsettled) == ((1, 2, 3, 4, 5), ())
    assert outcome.stores[1].lacks == (1, 2, 3, 4, 5)
    assert "slow" in str(outcome.stores[1].error)
    slow.open.set()
    outcome = delivery.wait()
    assert [store.lacks for store in outcome.stores] == [(), (), ()]
    assert journal.disk.released == {1, 2, 3, 4, 5}
    delivery.end()


def test_a_store_that_hangs_changes_nothing_after_the_run() -> None:
    hanging, journal, monitor = Gate("hanging"), journal_of(chain(2)), Silent()
    delivery = Delivery([MemoryStore("a"), hanging], 1, journal, monitor)
    delivery.refresh()
    assert hanging.begun.acquire(timeout=20)
    delivery.wait(0)
    delivery.end()
    hanging.open.set()
    deadline = time.monotonic() + 10
    while any(t.name.startswith("push memory:hanging") for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(hanging.objects) == 1, "the object under way, and nothing after it"
    assert journal.confirmations(1) == {"memory:a"}
    assert monitor.problems == []


@pytest.mark.parametrize("copies", [1, 2])
def test_a_store_that_hangs_before_the_quorum_is_left_behind(copies: int) -> None:
    """Nobody settles the commits, and the run ends all the same; what wakes up afterwards is taken."""
    hanging, journal = Gate("hanging"), journal_of(chain(2))
    dead = FaultyStore(MemoryStore("dead"), lambda operation, name: Fault(When.BEFORE))
    delivery = Delivery([hanging, dead], copies, journal, Silent(), limit=0.3)
    delivery.refresh()
    began = time.monotonic()
    delivery.wait_for_quorum()
    outcome = delivery.wait(3600)
    assert 0.2 < time.monotonic() - began < 60
    assert outcome.unsettled == (1, 2)
    assert "hangs" in str(outcome.stores[0].error)
    assert outcome.stores[0].error is not None
    assert outcome.stores[0].error.hint
    hanging.open.set()
    deadline = time.monotonic() + 10
    while delivery.outcome().stores[0].lacks and time.monotonic() < deadline:
        time.sleep(0.01)
    assert delivery.outcome().stores[0].lacks == ()
    delivery.end()


def test_a_store_that_is_slow_and_moves_does_not_hang() -> None:
    slow = FaultyStore(MemoryStore("slow"), lambda operation, name: Fault(When.LATE, delay=0.2))
    delivery = Delivery([slow], 1, journal_of(chain(6)), Silent(), limit=2.0)
    delivery.refresh()
    began = time.monotonic()
    assert delivery.wait().unsettled == ()
    assert time.monotonic() - began > 2.0
    delivery.end()


def test_a_large_object_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archiver.vault.delivery.SLOWEST", 2)
    large = object_of(b"twenty bytes or so..")
    slow = FaultyStore(
        MemoryStore("slow"),
        lambda op, name: Fault(When.LATE, delay=1.5) if (op, name) == ("put_if_absent", large.name) else None,
    )
    commit = Commit(1, "manifests/w/0000000001", b"seq 1", (large,))
    delivery = Delivery([slow], 1, journal_of([commit]), Silent(), limit=1.0)
    delivery.refresh()
    began = time.monotonic()
    assert delivery.wait().unsettled == ()
    assert time.monotonic() - began > 1.5
    delivery.end()


def test_a_store_that_waits_for_the_line_does_not_hang() -> None:
    bucket, gate = Bucket(10), threading.Event()
    bucket._sleep = lambda seconds: gate.wait(2.0)  # type: ignore[assignment, return-value]
    bucket.take(1000)
    paced = PacedStore(MemoryStore("a"), bucket, lambda: None)
    delivery = Delivery([paced], 1, journal_of(chain(1)), Silent(), limit=1.0)
    delivery.refresh()
    assert delivery.wait().unsettled == ()
    assert not paced.paused
    delivery.end()


def test_the_next_run_brings_a_store_that_was_left_behind_up_to_date_oldest_first() -> None:
    commits = chain(3)
    journal, slow = journal_of(commits), Gate("slow")
    held: dict[str, bytes] = {}
    first = Delivery([MemoryStore("a", held), slow], 1, journal, Silent())
    first.refresh()
    first.wait(0)
    first.end()
    written: list[str] = []
    back = FaultyStore(MemoryStore("slow"), lambda op, name: written.append(name) if op == "put_if_absent" else None)
    second = Delivery([MemoryStore("a", held), back], 1, journal, Silent())
    second.refresh()
    assert second.wait().stores[1].lacks == ()
    second.end()
    assert written == [name for commit in commits for name in (commit.objects[0].name, commit.name)]
    slow.open.set()


def test_a_dead_store_is_tried_again_with_each_commit_and_stops_only_itself() -> None:
    down = True
    dead = FaultyStore(MemoryStore("dead"), lambda operation, name: Fault(When.BEFORE) if down else None)
    journal, commits = journal_of([]), chain(2)
    delivery = Delivery([MemoryStore("a"), dead], 1, journal, Silent())
    journal.record(commits[0])
    delivery.refresh()
    assert delivery.wait().stores[1].lacks == (1,)
    down = False
    journal.record(commits[1])
    delivery.refresh()
    outcome = delivery.wait()
    assert (outcome.stores[1].lacks, outcome.stores[1].error) == ((), None)
    delivery.end()


@pytest.mark.parametrize(("wish", "most"), [(1, 1), (3, 3), (8, 6)])
def test_objects_of_a_commit_go_side_by_side_where_the_store_gains(wish: int, most: int) -> None:
    store = Gate("wide", wish)
    objects = tuple(object_of(b"object %d" % number) for number in range(6))
    commit = Commit(1, "manifests/w/0000000001", b"seq 1", objects)
    delivery = Delivery([store], 1, journal_of([commit]), Silent())
    delivery.refresh()
    for _ in range(most):
        assert store.begun.acquire(timeout=20)
    assert not store.begun.acquire(timeout=0.05), "no more at once than the store wants, and no manifest before them"
    assert commit.name not in store.objects
    store.open.set()
    assert delivery.wait().settled == (1,)
    delivery.end()
    assert store.most == most
    assert list(store.objects)[-1] == commit.name


def test_after_a_failure_no_further_object_is_begun() -> None:
    puts: Counter[str] = Counter()

    def fail(operation: str, name: str) -> Fault | None:
        puts[name] += operation == "put_if_absent"
        return Fault(When.BEFORE) if operation == "put_if_absent" else None

    class Two(FaultyStore):
        parallel = 2

    commit = Commit(1, "manifests/w/0000000001", b"seq 1", tuple(object_of(b"%d" % n) for n in range(50)))
    delivery = Delivery([Two(MemoryStore("bad"), fail)], 1, journal_of([commit]), Silent())
    delivery.refresh()
    assert delivery.wait().unsettled == (1,)
    delivery.end()
    assert puts.total() <= 4


def test_a_fork_is_told_to_whoever_commits_next() -> None:
    [commit], [other] = chain(1), chain(1)
    stores: list[Store] = [MemoryStore("a"), MemoryStore("cloned", {other.name: other.manifest})]
    delivery = Delivery(stores, 1, journal_of([commit]), Silent())
    delivery.refresh()
    with pytest.raises(IntegrityError):
        delivery.wait()
    with pytest.raises(IntegrityError):
        delivery.refresh()
    delivery.end()


def test_what_is_sent_ahead_is_not_sent_again_and_its_failure_is_told_with_the_commit() -> None:
    good, monitor, broken = MemoryStore("a"), Silent(), threading.Event()
    broken.set()
    puts: list[str] = []

    def strike(operation: str, name: str) -> Fault | None:
        if operation == "put_if_absent":
            puts.append(name)
        return Fault(When.BEFORE) if broken.is_set() else None

    journal, (commit,) = journal_of([]), chain(1)
    delivery = Delivery([good, FaultyStore(MemoryStore("b"), strike)], 1, journal, monitor)
    delivery.hasten(commit.objects)
    delivery.wait()
    assert {staged.name for staged in commit.objects} == {stat.name for stat in good.list()}
    assert puts
    assert (monitor.problems, delivery.errors) == ([], {})
    broken.clear()
    delivery.hasten(commit.objects)
    delivery.wait()
    puts.clear()
    journal.record(commit)
    delivery.refresh()
    outcome = delivery.wait()
    delivery.end()
    assert [store.holds for store in outcome.stores] == [(1,), (1,)]
    assert puts == [commit.name]


def test_a_commit_does_not_wait_for_all_that_is_sent_ahead() -> None:
    gate, journal, commits = Gate("slow"), journal_of([]), chain(4)
    delivery = Delivery([gate], 1, journal, Silent())
    delivery.hasten(staged for commit in commits for staged in commit.objects)
    assert gate.begun.acquire(timeout=20)
    journal.record(commits[0])
    delivery.refresh()
    gate.open.set()
    delivery.wait()
    names = [stat for stat in gate.order if stat.startswith("manifests/")]
    delivery.end()
    assert names == [commits[0].name]
    assert gate.order.index(commits[0].name) <= len(commits[0].objects) + 1


def test_a_closed_journal_refuses_everything(tmp_path: Path) -> None:
    delivery = Delivery([MemoryStore("a")], 1, journal_of([seal(Disk(), 1)]), Silent())
    delivery.end()
    with pytest.raises(StoreError):
        delivery.refresh()


HANGING = """
import threading
from archiver.monitor import Silent
from archiver.stores.memory import MemoryStore
from archiver.vault.delivery import Delivery
from tests.vault.test_delivery import journal_of, seal, Disk

class Hanging(MemoryStore):
    parallel = 3
    def put_if_absent(self, name, data):
        threading.Event().wait()

delivery = Delivery([MemoryStore("a"), Hanging("b")], 1, journal_of([seal(Disk(), 1)]), Silent())
delivery.refresh()
print(delivery.wait(0.1).settled)
delivery.end()
"""


def test_the_program_ends_though_a_store_hangs_for_ever() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=120, cwd=root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(1,)\n", "")
