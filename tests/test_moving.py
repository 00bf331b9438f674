"""Filling a new store from the others, and doing without one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from archiver.check import check
from archiver.errors import ConfigError, StoreError
from archiver.monitor import Silent
from archiver.moving import fill, short_without
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.vault.keys import NewArchive
from archiver.vault.plan import Expense, Level
from tests.small_archive import SmallArchive, build, new_keys
from tests.test_check import flip, held


@pytest.fixture(scope="module")
def made() -> NewArchive:
    return new_keys()


@pytest.fixture
def archive(tmp_path: Path, made: NewArchive) -> SmallArchive:
    return build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made, commits=4, each=8)


def filled(archive: SmallArchive, new: Store, others: Sequence[Store] = ()) -> tuple[int, int, int]:
    report = fill(new, others or archive.stores, archive.made.machine.root, Silent())
    return report.there, report.copied, len(report.lost)


class Wide(FaultyStore):
    parallel = 4


@pytest.mark.parametrize("kind", [FaultyStore, Wide])
def test_a_new_store_gets_everything_manifests_last(archive: SmallArchive, kind: type[FaultyStore]) -> None:
    written: list[str] = []
    new = MemoryStore("new")
    watched = kind(new, lambda op, name: written.append(name) if op == "put_if_absent" else None)
    assert filled(archive, watched) == (0, len(archive.objects), 0)
    assert new.objects == archive.objects
    manifests = [name for name in written if name.startswith("manifests/")]
    assert written[-len(manifests) :] == manifests == sorted(manifests)
    assert len(written) == len(archive.objects)


def test_the_right_copy_is_taken_whichever_store_has_it(archive: SmallArchive) -> None:
    names = sorted(archive.objects)
    for number, name in enumerate(names):
        held(archive, number % 2)[name] = flip(archive.objects[name], 5)
    new = MemoryStore("new")
    assert filled(archive, new) == (0, len(names), 0)
    assert new.objects == archive.objects


@pytest.mark.parametrize("cut", range(0, 20, 3))
def test_a_fill_that_is_cut_goes_on_where_it_was(archive: SmallArchive, cut: int) -> None:
    puts = {"left": cut}

    def plan(operation: str, name: str) -> Fault | None:
        puts["left"] -= operation == "put_if_absent"
        return Fault(When.BEFORE, KeyboardInterrupt()) if puts["left"] < 0 else None

    new = MemoryStore("new")
    with pytest.raises(KeyboardInterrupt):
        filled(archive, FaultyStore(new, plan))
    if any(name.startswith("manifests/") for name in new.objects):
        assert {name for name in archive.objects if not name.startswith("manifests/")} <= set(new.objects)
    assert filled(archive, new) == (cut, len(archive.objects) - cut, 0)
    assert new.objects == archive.objects


def test_half_an_object_of_a_store_that_is_not_atomic_is_replaced(archive: SmallArchive) -> None:
    name = next(name for name in archive.objects if name.startswith("packs/"))
    new = MemoryStore("new", {name: archive.objects[name][:100]})
    assert filled(archive, new) == (0, len(archive.objects), 0)
    assert new.objects == archive.objects


def test_what_is_damaged_in_every_store_is_named_and_the_rest_is_copied(archive: SmallArchive) -> None:
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    for number in (0, 1):
        held(archive, number)[pack] = flip(archive.objects[pack], 9)
    new, monitor = MemoryStore("new"), Silent()
    report = fill(new, archive.stores, archive.made.machine.root, monitor)
    assert ([fault.name for fault in report.lost], report.exit_code) == ([pack], 7)
    assert [problem.subject for problem in monitor.problems] == [pack]
    assert set(new.objects) == set(archive.objects) - {pack}


def test_a_store_that_cannot_be_read_is_no_source(archive: SmallArchive) -> None:
    down = FaultyStore(archive.stores[0], lambda operation, name: Fault(When.BEFORE))
    new = MemoryStore("new")
    assert filled(archive, new, [down, archive.stores[1]]) == (0, len(archive.objects), 0)
    with pytest.raises(StoreError):
        filled(archive, MemoryStore("another"), [down])


def test_the_new_stores_failure_ends_the_fill(archive: SmallArchive) -> None:
    full = FaultyStore(MemoryStore("full"), lambda op, name: Fault(When.BEFORE) if op == "put_if_absent" else None)
    with pytest.raises(StoreError):
        filled(archive, full)


def test_expenses_are_told_before_anything_is_copied(archive: SmallArchive) -> None:
    told: list[Expense] = []

    def refuse(expenses: Sequence[Expense]) -> None:
        told.extend(expenses)
        raise ConfigError("too dear")

    new = MemoryStore("new")
    with pytest.raises(ConfigError):
        fill(new, archive.stores, archive.made.machine.root, Silent(), refuse)
    assert new.objects == {}
    source, target = told
    assert (source.url, source.egress) == ("memory:a", sum(map(len, archive.objects.values())))
    assert target == Expense("memory:new", len(archive.objects), 0)


def test_a_store_is_only_done_without_where_the_others_hold_everything(archive: SmallArchive) -> None:
    root, third = archive.made.machine.root, MemoryStore("c", dict(archive.objects))
    stores = [*archive.stores, third]
    assert short_without("memory:a", stores, root, 2) == []
    assert short_without("memory:a", archive.stores, root, 2) == sorted(archive.objects)
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    newest = f"manifests/{archive.made.machine.writer}/0000000004"
    del third.objects[pack]
    third.objects[newest] += b"?"
    assert short_without("memory:a", stores, root, 2) == sorted([pack, newest])
    assert short_without("memory:c", stores, root, 2) == []
    down = FaultyStore(archive.stores[0], lambda operation, name: Fault(When.BEFORE))
    assert short_without("memory:a", [down, *stores[1:]], root, 1) == [], "a dead store can be taken out"


def test_a_filled_store_is_sound(archive: SmallArchive) -> None:
    new = MemoryStore("new")
    for name in random.Random(2).sample(sorted(archive.objects), 7):
        new.put_if_absent(name, archive.objects[name])
    assert filled(archive, new) == (7, len(archive.objects) - 7, 0)
    for level in Level:
        assert check([new], archive.made.machine.root, Silent(), level=level).exit_code == 0
