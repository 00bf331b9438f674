"""Checking an archive: whatever is damaged is named, with the keys and without."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.check import Verdict, check
from archiver.errors import AuthError, StoreError
from archiver.monitor import Silent
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.local import MARKER, LocalStore
from archiver.stores.memory import MemoryStore
from archiver.stores.unavailable import UnavailableStore
from archiver.vault.keys import NewArchive, unlock
from tests.small_archive import PASSPHRASE, SmallArchive, build, new_keys

Damage = Callable[[bytes, random.Random], bytes | None]

DAMAGES: list[Damage] = [
    lambda data, rng: flip(data, rng.randrange(len(data) * 8)),
    lambda data, rng: data[: rng.randrange(len(data))],
    lambda data, rng: data + rng.randbytes(rng.randrange(1, 100)),
    lambda data, rng: rng.randbytes(len(data)),
    lambda data, rng: None,
]
"""A flipped bit, a truncation, appended bytes, other bytes of the same length, a deletion."""


def flip(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


@pytest.fixture(scope="module")
def made() -> NewArchive:
    return new_keys()


@pytest.fixture
def archive(tmp_path: Path, made: NewArchive) -> SmallArchive:
    return build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made)


def held(archive: SmallArchive, number: int) -> dict[str, bytes]:
    store = archive.stores[number]
    assert isinstance(store, MemoryStore)
    return store.objects


def keyless(archive: SmallArchive, **options: object) -> Verdict:
    return check(archive.stores, archive.made.machine.root, Silent(), **options)  # type: ignore[arg-type]


def with_keys(archive: SmallArchive) -> Verdict:
    machine = archive.made.machine
    return keyless(archive, keyring=machine.keyring, read_data=True)


def test_a_sound_archive_is_sound(archive: SmallArchive) -> None:
    verdict = keyless(archive)
    assert verdict.all_faults == []
    assert verdict.exit_code == 0
    assert verdict.commits == 3
    assert verdict.messages is None
    assert verdict.unnamed == []
    for store in verdict.stores:
        assert store.sound == len(archive.objects)
        assert store.size == sum(map(len, archive.objects.values()))


def test_every_message_is_read_with_the_keys(archive: SmallArchive) -> None:
    verdict = with_keys(archive)
    assert verdict.all_faults == []
    assert verdict.messages == len(archive.messages) == 60


def test_the_keys_of_the_recovery_sheet_are_enough(archive: SmallArchive) -> None:
    store = archive.stores[1]
    ring = unlock(store.get, [found.name for found in store.list("keys/")], PASSPHRASE)
    assert keyless(archive, keyring=ring, read_data=True).messages == 60


def test_reading_messages_needs_keys(archive: SmallArchive) -> None:
    with pytest.raises(AuthError):
        keyless(archive, read_data=True)


def test_200_damages_at_random_are_each_named(tmp_path: Path, made: NewArchive) -> None:
    """One damage at a time, keyless: exactly the damaged object of the damaged store is named."""
    archive = build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made, commits=20, each=6)
    rng = random.Random(3)
    for number in range(200):
        which = rng.randrange(2)
        name = rng.choice(sorted(archive.objects))
        damaged = DAMAGES[number % len(DAMAGES)](archive.objects[name], rng)
        if damaged is None:
            del held(archive, which)[name]
        else:
            held(archive, which)[name] = damaged
        verdict = keyless(archive)
        assert [(fault.store, fault.name) for fault in verdict.all_faults] == [(archive.stores[which].url, name)]
        assert verdict.exit_code == 7
        held(archive, which)[name] = archive.objects[name]
    assert keyless(archive).exit_code == 0
    print(f"200 damages over {len(archive.objects)} objects in two stores: 200 named, 0 false")


def test_strays_are_listed_and_are_no_error(archive: SmallArchive) -> None:
    archive.stores[0].put_if_absent("packs/mail-2026/ab/" + "ab" * 32 + ".age", b"of a push under way")
    verdict = keyless(archive)
    assert verdict.unnamed == [("memory:a", "packs/mail-2026/ab/" + "ab" * 32 + ".age")]
    assert verdict.exit_code == 0


def test_the_same_damage_in_both_stores(archive: SmallArchive) -> None:
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    manifest = f"manifests/{archive.made.machine.writer}/0000000002"
    for number in (0, 1):
        held(archive, number)[pack] = flip(archive.objects[pack], 4000)
        del held(archive, number)[manifest]
    verdict = with_keys(archive)
    assert {fault.name for fault in verdict.faults} >= {pack, manifest}
    assert [fault.name for store in verdict.stores for fault in store.faults] == [pack, pack]
    assert "no store has it" in next(fault.reason for fault in verdict.faults if fault.name == manifest)


def test_a_message_is_read_from_the_store_that_has_it_whole(archive: SmallArchive) -> None:
    packs = [name for name in archive.objects if name.startswith("packs/")]
    held(archive, 0)[packs[0]] = flip(archive.objects[packs[0]], 9000)
    held(archive, 1)[packs[1]] = flip(archive.objects[packs[1]], 9000)
    verdict = with_keys(archive)
    assert verdict.messages == 60
    assert verdict.faults == []
    assert len(verdict.all_faults) == 2


def test_newest_commits_lost_everywhere_are_noticed_by_who_remembers(archive: SmallArchive) -> None:
    writer = archive.made.machine.writer
    for number in (0, 1):
        del held(archive, number)[f"manifests/{writer}/0000000003"]
    assert keyless(archive).all_faults == []
    verdict = keyless(archive, heads={writer: 3})
    assert [(fault.store, fault.name) for fault in verdict.faults] == [("", f"manifests/{writer}/0000000003")]


def test_a_forked_chain_is_told(tmp_path: Path, archive: SmallArchive, made: NewArchive) -> None:
    """A cloned machine went on in a store that the other one could not reach."""
    clone = SmallArchive(made, [archive.stores[1]], tmp_path, 2, {}, {}, archive.seq, archive.prev)
    archive.stores = archive.stores[:1]
    mine = archive.commit(4)
    clone.commit(4)
    verdict = check([*archive.stores, *clone.stores], made.machine.root, Silent())
    assert [fault.reason for fault in verdict.faults if fault.name == mine.name] == [
        "there are two different ones, both signed: the chain is forked"
    ]


def test_forged_writers_and_manifests_are_told(archive: SmallArchive) -> None:
    other = new_keys()
    enrolment = f"keys/writers/{other.machine.writer}.pub"
    forged = f"manifests/{other.machine.writer}/0000000001"
    store = archive.stores[0]
    store.put_if_absent(enrolment, other.objects[enrolment])
    store.put_if_absent(forged, b"anything")
    store.put_if_absent("manifests/readme", b"anything")
    verdict = keyless(archive)
    assert sorted(fault.name for fault in verdict.faults) == sorted([enrolment, forged, "manifests/readme"])


def test_a_forged_manifest_far_ahead_does_not_hold_the_check_up(archive: SmallArchive) -> None:
    """Only a signed manifest proves that those before it are missing; a store's owner can write any name."""
    far = f"manifests/{archive.made.machine.writer}/9999999999"
    archive.stores[0].put_if_absent(far, archive.objects[f"manifests/{archive.made.machine.writer}/0000000003"])
    assert [fault.name for fault in keyless(archive).faults] == [far]


def test_gaps_in_every_store_are_told_one_by_one(archive: SmallArchive) -> None:
    writer = archive.made.machine.writer
    for seq in (1, 2):
        for number in (0, 1):
            del held(archive, number)[f"manifests/{writer}/{seq:010d}"]
    held(archive, 0)[f"manifests/{writer}/0000000001"] = b"rubbish"
    verdict = keyless(archive)
    assert [(fault.name[-1], fault.reason.partition(":")[0]) for fault in verdict.faults] == [
        ("1", "no store has it undamaged"),
        ("2", "no store has it"),
    ]


def test_a_manifest_moved_to_another_number_is_told(archive: SmallArchive) -> None:
    writer = archive.made.machine.writer
    for number in (0, 1):
        held(archive, number)[f"manifests/{writer}/0000000002"] = archive.objects[f"manifests/{writer}/0000000001"]
    assert [fault.name for fault in keyless(archive).faults] == [f"manifests/{writer}/0000000002"]


def test_lying_commits_are_told_with_the_keys(tmp_path: Path, archive: SmallArchive) -> None:
    lost, wrong = archive.commit(6, lose_line=True), archive.commit(6, wrong_root=True)
    assert keyless(archive).exit_code == 0
    faults = with_keys(archive).faults
    assert len(faults) == 2
    assert faults[0].name in {ref.name for ref in lost.objects}
    assert "catalog" in faults[0].reason
    assert (faults[1].name, faults[1].reason) == (wrong.name, "the root of its messages differs")


def test_a_store_that_cannot_be_read_is_told_and_the_others_are_checked(tmp_path: Path, made: NewArchive) -> None:
    archive = build(tmp_path, [MemoryStore("a"), MemoryStore("b")], made, commits=5, each=4)
    gone = UnavailableStore("file:///gone", StoreError("file:///gone is not a store", "Is the disk mounted?"))
    broken = FaultyStore(
        MemoryStore("broken", dict(archive.objects)),
        lambda operation, name: Fault(When.BEFORE) if operation == "get" else None,
    )
    verdict = check([gone, *archive.stores, broken], archive.made.machine.root, Silent())
    assert [store.error is None for store in verdict.stores] == [False, True, True, False]
    assert verdict.stores[3].sound == 0
    assert len(verdict.stores[3].faults) == 20
    alone = check([gone, *archive.stores], archive.made.machine.root, Silent())
    assert alone.exit_code == 8


def test_progress_tells_every_object(archive: SmallArchive) -> None:
    class Counting(Silent):
        def __init__(self) -> None:
            super().__init__()
            self.expected: dict[str, tuple[int, int]] = {}
            self.done: dict[str, tuple[int, int]] = {}

        def begin(self, task: str, messages: int, size: int) -> None:
            self.expected[task] = (messages, size)

        def advance(self, task: str, messages: int, size: int) -> None:
            before = self.done.get(task, (0, 0))
            self.done[task] = (before[0] + messages, before[1] + size)

    monitor = Counting()
    machine = archive.made.machine
    check(archive.stores, machine.root, monitor, keyring=machine.keyring, read_data=True)
    assert monitor.done == monitor.expected
    assert set(monitor.done) == {"memory:a", "memory:b", "messages"}


def test_a_lost_marker_is_an_unreadable_store(tmp_path: Path, made: NewArchive) -> None:
    stores = [LocalStore.create(tmp_path / name, made.archive) for name in "ab"]
    archive = build(tmp_path / "spool", stores, made, commits=1, each=4)
    (tmp_path / "a" / MARKER).unlink()
    verdict = keyless(archive)
    assert verdict.exit_code == 8
    assert "mounted" in (verdict.stores[0].error or StoreError("")).hint
    assert verdict.all_faults == []
