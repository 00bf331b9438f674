"""Checks of several depths, under a budget, oldest reading first; what they cost, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archiver.check import Verdict, check
from archiver.errors import ConfigError, StoreError
from archiver.monitor import Silent
from archiver.proofs import StateProofs
from archiver.repair import repair
from archiver.state import State
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.memory import MemoryStore
from archiver.vault.copying import CHUNK
from archiver.vault.keys import NewArchive
from archiver.vault.plan import Expense, Level
from tests.small_archive import SmallArchive, build, new_keys
from tests.test_check import flip, held

START = datetime(2026, 11, 1, 3, tzinfo=UTC)


class Telling(MemoryStore):
    """A store whose provider tells checksums, of all but the names in `silent`; `asked` counts."""

    silent: frozenset[str] = frozenset()
    asked = 0

    def checksum(self, name: str) -> str | None:
        import hashlib

        self.asked += 1
        return None if name in self.silent else hashlib.sha256(self.objects[name]).hexdigest()


class Nights:
    """A clock that each check moves on by a day."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def made() -> NewArchive:
    return new_keys()


@pytest.fixture
def archive(tmp_path: Path, made: NewArchive) -> SmallArchive:
    return build(tmp_path, [MemoryStore("a"), Telling("b")], made, commits=4, each=8)


@pytest.fixture
def nights() -> Nights:
    return Nights()


@pytest.fixture
def proofs(tmp_path: Path, nights: Nights) -> Iterator[StateProofs]:
    state = State.open(tmp_path / "state.db", bytes(32))
    yield StateProofs(state, nights)
    state.close()


def checked(archive: SmallArchive, **options: object) -> Verdict:
    return check(archive.stores, archive.made.machine.root, Silent(), **options)  # type: ignore[arg-type]


def total(archive: SmallArchive) -> int:
    return sum(map(len, archive.objects.values()))


def reads_of_packs(archive: SmallArchive) -> tuple[list[str], SmallArchive]:
    """The names of packs read from the first store, as they are read."""
    names: list[str] = []

    def note(operation: str, name: str) -> Fault | None:
        if operation == "get" and name.startswith(("packs/", "catalog/")):
            names.append(name)
        return None

    watched = FaultyStore(archive.stores[0], note)
    return names, SmallArchive(archive.made, [watched, archive.stores[1]], archive.folder, objects=archive.objects)


def test_names_reads_no_pack_and_sees_what_is_missing_or_has_another_size(archive: SmallArchive) -> None:
    names, watched = reads_of_packs(archive)
    assert checked(watched, level=Level.NAMES).exit_code == 0
    assert names == []
    packs = [name for name in archive.objects if name.startswith("packs/")]
    held(archive, 0)[packs[0]] += b"?"
    del held(archive, 0)[packs[1]]
    held(archive, 0)[packs[2]] = flip(archive.objects[packs[2]], 999)
    verdict = checked(watched, level=Level.NAMES)
    assert {fault.name for fault in verdict.all_faults} == set(packs[:2])
    assert names == []


def test_an_object_that_a_store_lists_late_is_not_called_missing(archive: SmallArchive) -> None:
    class Late(MemoryStore):
        def list(self, prefix: str = ""):  # type: ignore[no-untyped-def]
            return (stat for stat in super().list(prefix) if not stat.name.startswith("packs/"))

    late = Late("late", dict(archive.objects))
    assert check([*archive.stores, late], archive.made.machine.root, Silent(), level=Level.NAMES).all_faults == []


def test_the_providers_checksums_name_wrong_bytes_without_reading(archive: SmallArchive) -> None:
    store = archive.stores[1]
    assert isinstance(store, Telling)
    packs = [name for name in archive.objects if name.startswith("packs/")]
    store.silent = frozenset(packs[:1])
    for name in packs[:2]:
        store.objects[name] = flip(store.objects[name], 999)
    verdict = checked(archive, level=Level.PROVIDER)
    assert [(fault.store, fault.name) for fault in verdict.all_faults] == [("memory:b", packs[1])], "one is not told"
    assert [store.told for store in verdict.stores] == [0, len(archive.objects) - 1]
    assert store.asked == len(archive.objects)
    assert verdict.stores[1].read == 0


def test_under_a_budget_everything_is_read_in_turn_oldest_first(
    archive: SmallArchive, proofs: StateProofs, nights: Nights
) -> None:
    budget = total(archive) // 5
    shares, seen = [], set[str]()
    for night in range(20):
        nights.now = START + timedelta(days=night)
        before = proofs.known("memory:a")
        verdict = checked(archive, budget=budget, proofs=proofs)
        assert all(store.read_size <= budget for store in verdict.stores)
        after = proofs.known("memory:a")
        read = {name for name, proof in after.items() if proof.time == nights.now.isoformat()}
        unread = set(archive.objects) - set(after)
        assert not (unread and read & set(before)), "nothing is read again before everything was read once"
        assert all(before[name].time <= min(proof.time for proof in after.values()) for name in read & set(before))
        seen |= read
        shares.append(verdict.proven["memory:a"].share)
        if seen == set(archive.objects):
            break
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 5 <= night + 1 <= 9  # two nights in a row read more than a fifth
    oldest = min(proof.time for proof in after.values())  # the last night may already have had time for the first one's
    assert oldest <= (START + timedelta(days=1)).isoformat()
    assert verdict.proven["memory:a"].oldest == oldest
    last = proofs.last("memory:a")
    assert last is not None
    assert (last.share, last.faults, last.read, last.oldest) == (1.0, 0, nights.now.isoformat(), oldest)
    print(f"{len(archive.objects)} objects under a fifth of their bytes a night: all read in {night + 1} nights")
    nights.now += timedelta(days=1)
    checked(archive, budget=budget, proofs=proofs)
    times = {proof.time for proof in proofs.known("memory:a").values()}
    assert oldest not in times, "what was read longest ago comes first in the second round"


def test_damage_is_found_by_a_budget_and_named_every_night_until_it_is_healed(
    archive: SmallArchive, proofs: StateProofs, nights: Nights
) -> None:
    checked(archive, proofs=proofs)
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    held(archive, 0)[pack] = flip(archive.objects[pack], 7)
    found = []
    for _ in range(12):
        nights.now += timedelta(days=1)
        found.append([fault.name for fault in checked(archive, budget=total(archive) // 4, proofs=proofs).all_faults])
    first = found.index([pack])
    assert first < 7  # two nights in a row read more than a quarter
    assert found[first:] == [[pack]] * (12 - first)
    assert (proofs.last("memory:a") or pytest.fail()).faults == 1
    assert repair(archive.stores, archive.made.machine.root, Silent()).exit_code == 0
    nights.now += timedelta(days=1)
    assert checked(archive, budget=total(archive) // 4, proofs=proofs).all_faults == []
    assert pack in proofs.known("memory:a")


def test_without_records_a_budget_takes_objects_at_random(archive: SmallArchive) -> None:
    pack = next(name for name in archive.objects if name.startswith("packs/"))
    held(archive, 0)[pack] = flip(archive.objects[pack], 7)
    tries = [len(checked(archive, budget=total(archive) // 3).all_faults) for _ in range(40)]
    assert 0 < sum(tries) < 40
    (audit, *_) = checked(archive, budget=1).stores
    assert audit.read + len(audit.faults) == 1, "one object at least, be it sound or not"


def test_one_store_alone_is_checked_by_what_the_others_know(archive: SmallArchive) -> None:
    newest = f"manifests/{archive.made.machine.writer}/0000000004"
    for name in [newest, *[name for name in archive.objects if name.startswith("catalog/")]]:
        del held(archive, 0)[name]
    verdict = checked(archive, only={"memory:a"})
    assert [store.url for store in verdict.stores] == ["memory:a"]
    assert newest in {fault.name for fault in verdict.all_faults}
    assert checked(archive, only={"memory:b"}).all_faults == []


def test_a_store_that_cannot_be_read_keeps_what_was_known_of_it(archive: SmallArchive, proofs: StateProofs) -> None:
    checked(archive, proofs=proofs)
    down = FaultyStore(archive.stores[0], lambda operation, name: Fault(When.BEFORE))
    verdict = check([down, archive.stores[1]], archive.made.machine.root, Silent(), proofs=proofs)
    assert verdict.exit_code == 8
    assert list(verdict.proven) == ["memory:b"]
    assert len(proofs.known("memory:a")) == len(archive.objects)


def test_expenses_are_told_before_and_are_what_is_spent(archive: SmallArchive) -> None:
    """Counted by a store that counts: stats and gets of objects, and the bytes that left it."""
    big = "packs/mail-2026/ff/" + "ff" * 32 + ".age"
    spent = {"requests": 0, "egress": 0, "on": 0}

    class Counting(MemoryStore):
        def stat(self, name: str):  # type: ignore[no-untyped-def]
            spent["requests"] += spent["on"]
            return super().stat(name)

        def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
            data = super().get(name, start, size)
            spent["requests"] += spent["on"]
            spent["egress"] += spent["on"] * len(data)
            return data

    store = Counting("counted", dict(archive.objects))
    told: list[Expense] = []

    def agree(expenses: Sequence[Expense]) -> None:
        told.extend(expenses)
        spent["on"] = 1

    check([store], archive.made.machine.root, Silent(), agree=agree)
    assert told == [Expense("memory:counted", spent["requests"], spent["egress"])]
    assert told[0].egress == total(archive)
    assert big not in store.objects and max(map(len, archive.objects.values())) < CHUNK


def test_who_does_not_agree_spends_nothing(archive: SmallArchive) -> None:
    names, watched = reads_of_packs(archive)

    def refuse(expenses: Sequence[Expense]) -> None:
        raise ConfigError("too dear")

    with pytest.raises(ConfigError):
        checked(watched, agree=refuse)
    with pytest.raises(ConfigError):
        repair(watched.stores, archive.made.machine.root, Silent(), agree=refuse)
    assert names == []


def test_repair_by_names_reads_only_what_it_copies(archive: SmallArchive) -> None:
    packs = [name for name in archive.objects if name.startswith("packs/")]
    del held(archive, 0)[packs[0]]
    held(archive, 0)[packs[1]] += b"?"
    told: list[list[Expense]] = []
    names, watched = reads_of_packs(archive)
    report = repair(
        watched.stores,
        archive.made.machine.root,
        Silent(),
        level=Level.NAMES,
        agree=lambda expenses: told.append(list(expenses)),
    )
    assert sorted(fault.name for fault in report.healed) == sorted(packs[:2])
    assert held(archive, 0) == archive.objects
    assert set(names) == set(packs[:2]), "what was written is read back"
    assert [sum(e.egress for e in expenses) for expenses in told] == [0, 2 * report.size]


def test_a_repair_that_fails_to_agree_after_looking_heals_nothing(archive: SmallArchive) -> None:
    name = next(iter(archive.objects))
    del held(archive, 0)[name]

    def refuse_the_second(expenses: Sequence[Expense], seen: list[int] = []) -> None:  # noqa: B006
        seen.append(1)
        if len(seen) == 2:
            raise StoreError("no")

    with pytest.raises(StoreError):
        repair(archive.stores, archive.made.machine.root, Silent(), agree=refuse_the_second)
    assert name not in held(archive, 0)


def test_what_a_repair_reads_and_heals_is_proven(archive: SmallArchive, proofs: StateProofs, nights: Nights) -> None:
    root = archive.made.machine.root
    assert check(archive.stores, root, Silent(), proofs=proofs).exit_code == 0
    nights.now += timedelta(days=1)
    names = sorted(archive.objects)
    for name in names[:4]:
        held(archive, 0)[name] = flip(archive.objects[name], 9)
    report = repair(archive.stores, root, Silent(), proofs=proofs)
    assert (len(report.healed), report.exit_code) == (4, 0)
    later = nights.now.isoformat()
    for store in archive.stores:
        assert {name: proof.time for name, proof in proofs.known(store.url).items()} == dict.fromkeys(names, later)


def test_a_repair_proves_nothing_of_what_it_did_not_read_or_could_not_heal(
    archive: SmallArchive, proofs: StateProofs
) -> None:
    root = archive.made.machine.root
    lost = next(name for name in archive.objects if name.startswith("packs/"))
    for number in (0, 1):
        held(archive, number)[lost] = flip(archive.objects[lost], 9)
    assert repair(archive.stores, root, Silent(), proofs=proofs).exit_code == 7
    assert all(set(proofs.known(s.url)) == set(archive.objects) - {lost} for s in archive.stores)
    for number in (0, 1):
        held(archive, number)[lost] = archive.objects[lost]
    name = next(name for name in archive.objects if name.startswith("catalog/"))
    del held(archive, 0)[name]
    for store in archive.stores:
        for known in archive.objects:
            proofs.drop(store.url, known)
    assert len(repair(archive.stores, root, Silent(), level=Level.NAMES, proofs=proofs).healed) == 1
    assert [set(proofs.known(store.url)) for store in archive.stores] == [{name}, set()]
