"""Healing stores from one another, without keys."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from archiver.check import check
from archiver.errors import IntegrityError, QuotaError, StoreError
from archiver.monitor import Silent
from archiver.repair import repair
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.memory import MemoryStore
from archiver.vault.inventory import find_root
from archiver.vault.keys import NewArchive
from archiver.vault.plan import Level
from tests.small_archive import SmallArchive, build, new_keys
from tests.test_check import DAMAGES, flip, held


@pytest.fixture(scope="module")
def made() -> NewArchive:
    return new_keys()


@pytest.fixture
def archive(tmp_path: Path, made: NewArchive) -> SmallArchive:
    return build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made)


def damage(objects: dict[str, bytes], names: list[str], rng: random.Random) -> None:
    for number, name in enumerate(names):
        damaged = DAMAGES[number % len(DAMAGES)](objects[name], rng)
        if damaged is None:
            del objects[name]
        else:
            objects[name] = damaged


def test_200_damages_over_one_store_are_healed_from_the_other(tmp_path: Path, made: NewArchive) -> None:
    """All at once and keyless: manifests, key files, packs, catalog lines."""
    archive = build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made, commits=60, each=6)
    rng = random.Random(11)
    names = rng.sample(sorted(archive.objects), 200)
    damage(held(archive, 0), names, rng)
    verdict = check(archive.stores, made.machine.root, Silent())
    assert sorted(fault.name for fault in verdict.all_faults) == sorted(names)
    assert {fault.store for fault in verdict.all_faults} == {"memory:a"}

    report = repair(archive.stores, find_root(archive.stores), Silent())
    assert sorted(fault.name for fault in report.healed) == sorted(names)
    assert report.size == sum(len(archive.objects[name]) for name in names)
    assert (report.lost, report.failed, report.exit_code) == ([], {}, 0)
    assert held(archive, 0) == held(archive, 1) == archive.objects
    assert check(archive.stores, made.machine.root, Silent()).exit_code == 0
    kinds = sorted({name.split("/")[0] for name in names})
    print(f"200 damages among {len(archive.objects)} objects ({', '.join(kinds)}): 200 named, 200 healed")


@pytest.mark.slow
def test_1000_flips_and_deletions_over_one_store_are_named_and_healed_without_the_passphrase(
    tmp_path: Path, made: NewArchive
) -> None:
    """As files in folders: a flipped bit in each of 500 objects, 500 more deleted; and once more with names alone."""
    began = time.monotonic()
    folders = [tmp_path / name for name in "ab"]
    archive = build(tmp_path / "spool", [MemoryStore(name) for name in "ab"], made, commits=255, each=2)
    stores: list[Store] = [LocalStore.create(folder, made.archive) for folder in folders]
    for folder in folders:  # as `put_if_absent` leaves them, without waiting for the disk 2,000 times
        for name, data in archive.objects.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    rng = random.Random(1000)
    names = rng.sample(sorted(archive.objects), 1000)
    for name in names[:500]:
        (folders[1] / name).write_bytes(flip(archive.objects[name], rng.randrange(len(archive.objects[name]) * 8)))
    for name in names[500:]:
        (folders[1] / name).unlink()
    root = find_root(stores)
    found = check(stores, root, Silent(), level=Level.NAMES).all_faults
    assert sorted(fault.name for fault in found) == sorted(names[500:])
    assert check(stores, root, Silent(), only={stores[0].url}).all_faults == []
    verdict = check(stores, root, Silent())
    assert sorted(fault.name for fault in verdict.all_faults) == sorted(names)
    assert {fault.store for fault in verdict.all_faults} == {stores[1].url}
    report = repair(stores, root, Silent())
    assert (len(report.healed), report.lost, report.failed, report.exit_code) == (1000, [], {}, 0)
    assert check(stores, root, Silent()).exit_code == 0
    assert subprocess.run(["diff", "-r", *map(str, folders)]).returncode == 0
    kinds = Counter(name.split("/")[0] for name in names)
    print(
        f"500 flips, 500 deletions among {len(archive.objects)} objects ({dict(kinds)}): "
        f"{len(verdict.all_faults)} named, {len(report.healed)} healed, {time.monotonic() - began:.1f} s"
    )


def test_a_wiped_store_comes_back_identical(tmp_path: Path, made: NewArchive) -> None:
    stores = [LocalStore.create(tmp_path / name, made.archive) for name in "ab"]
    build(tmp_path / "spool", stores, made)
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(StoreError, match="is not a store"):
        LocalStore.open(tmp_path / "b")
    again: list[Store] = [stores[0], LocalStore.create(tmp_path / "b", made.archive)]
    report = repair(again, made.machine.root, Silent())
    assert report.exit_code == 0
    done = subprocess.run(["diff", "-r", str(tmp_path / "a"), str(tmp_path / "b")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_damaged_files_of_a_folder_are_healed(tmp_path: Path, made: NewArchive) -> None:
    stores = [LocalStore.create(tmp_path / name, made.archive) for name in "ab"]
    build(tmp_path / "spool", stores, made)
    rng = random.Random(4)
    files = sorted(path for path in (tmp_path / "b").rglob("*") if path.is_file())
    for number, path in enumerate(files):
        damaged = DAMAGES[number % len(DAMAGES)](path.read_bytes(), rng)
        path.unlink() if damaged is None else path.write_bytes(damaged)
    again: list[Store] = [stores[0], LocalStore.create(tmp_path / "b", made.archive)]
    assert len(repair(again, made.machine.root, Silent()).healed) == len(files) - 1  # the marker is the store's own
    assert subprocess.run(["diff", "-r", str(tmp_path / "a"), str(tmp_path / "b")]).returncode == 0


def test_stores_heal_one_another_both_ways(archive: SmallArchive) -> None:
    names = sorted(archive.objects)
    damage(held(archive, 0), names[::2], random.Random(1))
    damage(held(archive, 1), names[1::2], random.Random(2))
    report = repair(archive.stores, archive.made.machine.root, Silent())
    assert len(report.healed) == len(names)
    assert held(archive, 0) == held(archive, 1) == archive.objects


def test_what_is_bad_everywhere_is_named_and_left_as_it_is(archive: SmallArchive) -> None:
    packs = [name for name in archive.objects if name.startswith("packs/")]
    manifest = f"manifests/{archive.made.machine.writer}/0000000002"
    for number in (0, 1):
        held(archive, number)[packs[0]] = flip(archive.objects[packs[0]], 800 + number)
        held(archive, number)[manifest] = archive.objects[manifest][:-5]
    del held(archive, 0)[packs[1]]
    before = [dict(held(archive, number)) for number in (0, 1)]
    monitor = Silent()
    report = repair(archive.stores, archive.made.machine.root, monitor)
    assert report.exit_code == 7
    assert {fault.name for fault in report.lost} == {packs[0], manifest}
    assert {problem.subject for problem in monitor.problems} >= {packs[0], manifest}
    assert [fault.name for fault in report.healed] == [packs[1]]
    before[0][packs[1]] = archive.objects[packs[1]]
    assert [held(archive, 0), held(archive, 1)] == before


def test_a_dry_run_changes_nothing_and_says_what_it_would(archive: SmallArchive) -> None:
    names = sorted(archive.objects)[:10]
    damage(held(archive, 0), names, random.Random(1))
    before = dict(held(archive, 0))
    report = repair(archive.stores, archive.made.machine.root, Silent(), dry_run=True)
    assert sorted(fault.name for fault in report.healed) == names
    assert (report.exit_code, report.size) == (7, 0)
    assert held(archive, 0) == before
    repair(archive.stores, archive.made.machine.root, Silent())
    assert repair(archive.stores, archive.made.machine.root, Silent(), dry_run=True).exit_code == 0


def test_a_copy_that_lies_is_never_spread(archive: SmallArchive) -> None:
    """A store that answers wrong bytes to whoever copies: the next store's are taken, or nothing."""
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    del held(archive, 0)[pack]
    reads = {"count": 0}

    def spoil_after_the_audit(operation: str, name: str) -> Fault | None:
        reads["count"] += (operation, name) == ("get", pack)
        return Fault(When.WRONG) if (operation, name) == ("get", pack) and reads["count"] > 1 else None

    liar = FaultyStore(archive.stores[1], spoil_after_the_audit)
    report = repair([archive.stores[0], liar], archive.made.machine.root, Silent())
    assert [fault.name for fault in report.lost] == [pack]
    assert pack not in held(archive, 0)


def test_a_full_store_fails_alone(archive: SmallArchive) -> None:
    full = FaultyStore(
        MemoryStore("full"),
        lambda operation, name: Fault(When.BEFORE, QuotaError("full")) if operation == "put_if_absent" else None,
    )
    damage(held(archive, 0), sorted(archive.objects)[:10], random.Random(1))
    report = repair([full, *archive.stores], archive.made.machine.root, Silent())
    assert list(report.failed) == ["memory:full"]
    assert report.exit_code == 8
    assert held(archive, 0) == archive.objects


def test_a_disk_that_spoils_what_is_written_is_told(archive: SmallArchive) -> None:
    bad = FaultyStore(
        MemoryStore("bad"), lambda operation, name: Fault(When.WRONG) if operation == "put_if_absent" else None
    )
    report = repair([bad, archive.stores[0]], archive.made.machine.root, Silent())
    assert "faulty again" in str(report.failed["memory:bad"])


@pytest.mark.parametrize("stop", range(1, 18, 2))
def test_an_interrupted_repair_leaves_no_manifest_without_its_objects(archive: SmallArchive, stop: int) -> None:
    writes = {"left": stop}

    def plan(operation: str, name: str) -> Fault | None:
        writes["left"] -= operation == "put_if_absent"
        return Fault(When.BEFORE, KeyboardInterrupt()) if writes["left"] < 0 else None

    empty = MemoryStore("empty")
    with pytest.raises(KeyboardInterrupt):
        repair([FaultyStore(empty, plan), archive.stores[0]], archive.made.machine.root, Silent())
    assert len(empty.objects) == stop
    if any(name.startswith("manifests/") for name in empty.objects):
        assert {name for name in archive.objects if not name.startswith("manifests/")} <= set(empty.objects)
    assert repair([empty, archive.stores[0]], archive.made.machine.root, Silent()).exit_code == 0
    assert empty.objects == archive.objects


def test_key_files_made_since_need_a_majority(archive: SmallArchive) -> None:
    """A manifest names the key files of its time; of a later one two stores must agree against the third."""
    third = MemoryStore("c", dict(archive.objects))
    stores = [*archive.stores, third]
    for store in stores:
        store.put_if_absent("keys/era/mail-2040.1.age", b"sealed")
    third.objects["keys/era/mail-2040.1.age"] = b"broken"
    undecided = repair([archive.stores[0], third], archive.made.machine.root, Silent())
    assert [fault.name for fault in undecided.lost] == ["keys/era/mail-2040.1.age"]
    assert "nothing says which is right" in undecided.lost[0].reason
    assert repair(stores, archive.made.machine.root, Silent()).exit_code == 0
    assert third.objects["keys/era/mail-2040.1.age"] == b"sealed"


def test_the_root_key_is_found_and_compared(archive: SmallArchive) -> None:
    other = MemoryStore("other", dict(new_keys().objects))
    fingerprint = archive.made.fingerprint
    root = find_root([MemoryStore("empty"), *archive.stores], fingerprint.upper())
    assert root.public_bytes_raw() == archive.made.machine.root.public_bytes_raw()
    assert find_root([other, *archive.stores], fingerprint).public_bytes_raw() == root.public_bytes_raw()
    mixed: list[tuple[list[Store], str]] = [([other, *archive.stores], ""), ([other], fingerprint)]
    for stores, wanted in mixed:
        with pytest.raises(IntegrityError, match="not of one archive"):
            find_root(stores, wanted)
    empty: list[Store] = [MemoryStore("empty")]
    with pytest.raises(StoreError):
        find_root(empty)
