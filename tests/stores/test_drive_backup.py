"""A real backup into Google Drive: how much it writes in a night, and recovery from it and from a downloaded copy."""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.backup.allowance import WRITE_SIZE
from archiver.check import check
from archiver.config import ArchiveSettings, Settings
from archiver.monitor import Silent
from archiver.opening import open_archive
from archiver.recover import recover
from archiver.stores.drive import DriveStore
from archiver.stores.drive_auth import credentials
from archiver.stores.drive_calls import Calls, Limits
from archiver.stores.drive_tree import Tree
from archiver.stores.drive_url import parse
from archiver.stores.interface import Store
from archiver.stores.local import LocalStore
from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import Rclone
from archiver.vault.commit import furnish
from tests.kit import PASSPHRASE, archive_in, memory_stores, new_archive
from tests.servers.drive import Cut, DriveServer, Refuse
from tests.servers.scripted import ScriptedServer
from tests.small_archive import message

FAST = Limits(timeout=60.0, tries=6, wait=0.002, longest_wait=0.02)
WRITES = ("create", "begin", "folder", "update", "delete")
"""Whatever changes something; the body of an upload that was begun goes into its session ("send")."""


@pytest.fixture
def mail() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def large_message(number: int, size: int) -> bytes:
    attachment = base64.encodebytes(random.Random(number).randbytes(size)).replace(b"\n", b"\r\n")
    return f"From: a@example.com\r\nSubject: 合同 {number}\r\n\r\n".encode() + attachment


def stores_with(drive: DriveServer, tmp_path: Path) -> tuple[DriveStore, list[Store]]:
    """The Drive, which holds the keys already, and one store in memory."""
    store = DriveStore.create(drive.url(tmp_path / "keep"), new_archive().archive, FAST)
    assert not furnish([store], new_archive().objects)
    return store, [store, *memory_stores(1)]


def night(tmp_path: Path, stores: list[Store], mail: ScriptedServer) -> int:
    with archive_in(tmp_path, stores, [mail.settings(name="a")]) as archive:
        report = backup(archive, Options(), Silent(), indexer=archive.catalog)
    return report.exit_code


def size_of(drive: DriveServer) -> int:
    return sum(map(len, drive.files.tree().values()))


@pytest.mark.slow
def test_writes_a_night(drive: DriveServer, mail: ScriptedServer, tmp_path: Path) -> None:
    """At most 4 + bytes/32 MiB, folders included: `init` has made them."""
    _, stores = stores_with(drive, tmp_path)
    sizes = {"first": [7_500_000] * 12, "usual": [40_000] * 25, "one message": [3_000], "empty": []}
    number = 0
    for name, bodies in sizes.items():
        drive.requests.clear()
        before = size_of(drive)
        for size in bodies:
            mail.mailbox.append("INBOX", large_message(number := number + 1, size))
        assert night(tmp_path, stores, mail) == 0
        grown = size_of(drive) - before
        writes, allowed = drive.count(*WRITES), 4 + grown / WRITE_SIZE if bodies else 0
        told = f"{writes} writes, {allowed:.1f} allowed; {drive.count('send')} bodies sent in sessions"
        print(f"{name} night: {grown / 2**20:.1f} MiB, {told}; {len(drive.requests)} requests in all")
        assert writes <= allowed
        assert drive.count("folder") == 0
    assert drive.files.tree().keys() == {path for path in drive.files.tree() if len(drive.files.at(path)) == 1}


def downloaded(drive: DriveServer, folder: Path) -> Path:
    """The store's folder as a browser gives it: every file that the API lists and gives, below its folders' names."""
    store = parse(drive.url(folder / "keep"))
    calls = Calls(store, credentials(store), FAST)
    tree = Tree(calls, str)
    tree.open(create=False)
    for path, file in tree.walk(""):
        (folder / "down" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "down" / path).write_bytes(calls.call(calls.files.get_media(fileId=file.id), path))
    return folder / "down"


def recovered(folder: Path, url: str) -> dict[str, bytes]:
    """What a new machine has of the store at the URL alone: every message by its hash."""
    settings = Settings(folder / "mailark.toml", ArchiveSettings((url,), 1, folder / "work", None), ())
    report = recover(settings, PASSPHRASE, Silent())
    assert (report.exit_code, report.problems) == (0, [])
    with open_archive(settings, PASSPHRASE) as archive:
        return {message: archive.vault.read(message, pack) for message, pack in archive.catalog.messages()}


def test_the_archive_comes_back_from_the_drive_and_from_a_downloaded_folder(
    drive: DriveServer,
    mail: ScriptedServer,
    rclone: Rclone,
    remote: Callable[[str], tuple[str, Path]],
    tmp_path: Path,
) -> None:
    """drive.file shows this client its own files only: whoever lost the login downloads the folder in a browser."""
    store, stores = stores_with(drive, tmp_path)
    rng = random.Random(5)
    messages = [message(rng) for _ in range(60)]
    for at in range(0, 60, 20):
        for raw in messages[at : at + 20]:
            mail.mailbox.append("INBOX", raw)
        assert night(tmp_path, stores, mail) == 0
    machine = new_archive().machine
    assert check([store], machine.root, Silent(), keyring=machine.keyring, read_data=True).all_faults == []
    folder = downloaded(drive, tmp_path)
    assert list(folder.glob("packs/*/*.age")) and not list(folder.glob("packs/*/*/"))
    url, place = remote("downloaded")
    shutil.copytree(folder, place)
    for number, where in enumerate([store.url, folder.as_uri(), url]):
        found = recovered(tmp_path / f"machine{number}", where)
        assert sorted(found.values()) == sorted(messages), where
        assert all(hashlib.sha256(raw).hexdigest() == name for name, raw in found.items())
    again: list[Store] = [LocalStore.open(folder), RcloneStore.open(url, rclone)]
    before = [len(list(one.list())) for one in again]
    with archive_in(tmp_path, [*stores, *again], [mail.settings(name="a")]) as archive:
        assert backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code == 0
    assert [len(list(one.list())) for one in again] == before, "what lies there is not written again"
    faults = check([store, *again], machine.root, Silent()).all_faults
    assert all(fault.name.startswith("keys/writers/") for fault in faults), "three machines enrolled in one store each"


@pytest.mark.parametrize("seed", range(6))
def test_a_week_of_trouble_ends_complete_and_without_doubles(
    drive: DriveServer, mail: ScriptedServer, tmp_path: Path, seed: int
) -> None:
    """Faults at random in every run, runs that fail included; the last one is left in peace."""
    store, stores = stores_with(drive, tmp_path)
    rng = random.Random(seed)
    codes: list[int] = []
    struck = 0
    for last in [False] * 5 + [True]:
        for _ in range(8):
            mail.mailbox.append("INBOX", message(rng))
        mail.mailbox.append("INBOX", large_message(rng.randrange(1 << 30), 5_500_000))
        drive.faults.clear()
        for _ in range(0 if last else 8):
            operation = rng.choice(["create", "begin", "send", "folder", "list", "get", "generateIds"])
            how = {"times": rng.choice([1, 2, 30]), "skip": rng.randrange(3)}
            drive.faults.append(
                rng.choice(
                    [
                        Cut(operation, after=rng.random() < 0.5, at=rng.randrange(6_000_000), **how),
                        Refuse(operation, 403, "userRateLimitExceeded", after=rng.random() < 0.5, **how),
                        Refuse(operation, 503, "", after=rng.random() < 0.5, **how),
                        Refuse(operation, 403, "storageQuotaExceeded", **how),
                    ]
                )
            )
        codes.append(night(tmp_path, stores, mail))
        struck += sum(fault.struck for fault in drive.faults)
    assert codes[-1] == 0
    assert set(codes) <= {0, 6, 8}
    doubles = [path for path in drive.files.tree() if len(drive.files.at(path)) > 1]
    assert doubles == []
    machine = new_archive().machine
    verdict = check([store, stores[1]], machine.root, Silent(), keyring=machine.keyring, read_data=True)
    assert (verdict.all_faults, verdict.messages) == ([], 6 * 9)
    assert struck > 0
    print(f"seed {seed}: exit codes {codes}, {struck} faults, no double, nothing lost")
