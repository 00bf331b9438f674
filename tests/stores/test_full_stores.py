"""A store that is full: the run ends with 6 and says what to do; 8 is for stores that cannot be reached."""

from __future__ import annotations

import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.backup.report import RunReport
from archiver.cli.verdict import complaints
from archiver.errors import QuotaError, StoreError
from archiver.monitor import Silent
from archiver.stores.drive import DriveStore
from archiver.stores.drive_calls import Limits
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.memory import MemoryStore
from archiver.vault.commit import furnish
from tests.kit import archive_in, new_archive
from tests.servers.drive import DriveServer, Refuse
from tests.servers.scripted import ScriptedServer
from tests.small_archive import message

FAST = Limits(timeout=60.0, tries=6, wait=0.002, longest_wait=0.02)


@pytest.fixture
def mail() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        rng = random.Random(1)
        for _ in range(10):
            server.mailbox.append("INBOX", message(rng))
        yield server


def furnished(*stores: Store) -> list[Store]:
    assert not furnish(stores, new_archive().objects)
    return list(stores)


def night(folder: Path, stores: list[Store], mail: ScriptedServer, copies: int = 2) -> RunReport:
    with archive_in(folder, stores, [mail.settings(name="a")], copies) as archive:
        return backup(archive, Options(), Silent(), indexer=archive.catalog)


def broken(store: Store, error: Exception) -> FaultyStore:
    """Every put fails."""
    return FaultyStore(store, lambda op, _: Fault(When.BEFORE, error) if op == "put_if_absent" else None)


@pytest.mark.parametrize(
    "reason", ["storageQuotaExceeded", "teamDriveFileLimitExceeded", "dailyLimitExceeded", "userRateLimitExceeded"]
)
def test_a_full_drive_is_6_with_one_line_what_to_do(
    drive: DriveServer, mail: ScriptedServer, tmp_path: Path, reason: str
) -> None:
    stores = furnished(
        DriveStore.create(drive.url(tmp_path / "keep"), new_archive().archive, FAST), MemoryStore("other")
    )
    drive.faults += [Refuse(operation, 403, reason, times=999) for operation in ("create", "begin", "folder")]
    report = night(tmp_path, stores, mail)
    assert (report.exit_code, report.settled) == (6, False)
    (line,) = complaints(report)
    assert reason in line
    assert stores[0].url in line
    assert "(try: " in line
    assert [(s["full"], bool(s["hint"])) for s in report.as_json()["stores"]] == [(True, True), (False, False)]
    drive.faults.clear()
    assert night(tmp_path, stores, mail).exit_code == 0
    print(line)


@pytest.mark.parametrize(
    ("errors", "copies", "code"),
    [
        ([None, None], 2, 0),
        ([None, QuotaError("full")], 2, 6),
        ([None, QuotaError("full")], 1, 6),
        ([QuotaError("full"), QuotaError("full")], 2, 6),
        ([None, StoreError("away")], 2, 8),
        ([None, StoreError("away")], 1, 8),
        ([QuotaError("full"), StoreError("away")], 1, 8),
        ([None, QuotaError("full"), StoreError("away")], 2, 8),
    ],
)
def test_a_store_that_is_away_counts_before_one_that_is_full(
    mail: ScriptedServer, tmp_path: Path, errors: list[Exception | None], copies: int, code: int
) -> None:
    stores = furnished(*(MemoryStore(str(at)) for at in range(len(errors))))
    failing = [broken(store, error) if error else store for store, error in zip(stores, errors, strict=True)]
    report = night(tmp_path, failing, mail, copies)
    assert report.exit_code == code
    assert len(list(complaints(report))) == sum(error is not None for error in errors)
    assert night(tmp_path, stores, mail, copies).exit_code == 0


def test_a_limit_of_file_sizes_is_a_quota(tmp_path: Path) -> None:
    """RLIMIT_FSIZE answers as a file system does that bears no larger file."""
    store = LocalStore.create(tmp_path / "store", "a")
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(QuotaError, match="too large"):
            store.put_if_absent("packs/large", bytes(200_000))
        assert store.put_if_absent("packs/small", bytes(50_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [stat.name for stat in store.list()] == ["packs/small"]
    assert store.put_if_absent("packs/large", bytes(200_000))
