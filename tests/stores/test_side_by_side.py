"""One backup into a folder, a locked bucket, one without conditions, an rclone remote and a Drive, side by side."""

from __future__ import annotations

import base64
import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.config import ArchiveSettings, Settings
from archiver.monitor import Silent
from archiver.opening import open_stores
from archiver.recover import recover
from archiver.setup import documents
from archiver.stores.rclone_process import RCLONE, Rclone
from archiver.stores.table import create_store
from archiver.vault.commit import furnish
from archiver.vault.vault import Vault
from tests.kit import PASSPHRASE, archive_in, new_archive
from tests.servers.drive import DriveServer
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.s3_faults import Answer, S3Proxy
from tests.servers.scripted import ScriptedServer
from tests.servers.seaweed import SeaweedFS
from tests.small_archive import message

PACK_SIZE = 32 << 20
NIGHTS = {"first": [7_500_000] * 5, "usual": [40_000] * 25, "empty": []}


@dataclass
class Places:
    """URLs of the five stores, and the proxies before the two S3 servers."""

    urls: list[str]
    seaweed: S3Proxy
    rclone_s3: S3Proxy


@pytest.fixture
def places(
    seaweed: SeaweedFS, rclone_s3: RcloneS3, rclone: Rclone, remote: Callable[[str], tuple[str, Path]], tmp_path: Path
) -> Iterator[Places]:
    """Five stores that hold the keys already."""
    del rclone  # its configuration is in the environment, where the shared process finds it
    with S3Proxy(seaweed.port) as first, S3Proxy(rclone_s3.port) as second, DriveServer() as drive:
        urls = [
            (tmp_path / "local").as_uri(),
            seaweed.url(seaweed.bucket(locked=True), "&retention=10y&storage_class=STANDARD_IA", first.port),
            rclone_s3.url(rclone_s3.bucket(), port=second.port),
            remote("archive")[0],
            drive.url(tmp_path / "login"),
        ]
        stores = [create_store(url, new_archive().archive) for url in urls]
        assert not furnish(stores, {**documents(), **new_archive().objects})
        yield Places(urls, first, second)
    RCLONE.stop()


@pytest.fixture
def mail() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def large_message(number: int, size: int) -> bytes:
    attachment = base64.encodebytes(random.Random(number).randbytes(size)).replace(b"\n", b"\r\n")
    return f"From: a@example.com\r\nSubject: 合同 {number}\r\n\r\n".encode() + attachment


def night(tmp_path: Path, places: Places, mail: ScriptedServer) -> int:
    """Stores are opened anew, as in each run."""
    with archive_in(tmp_path, open_stores(places.urls), [mail.settings(name="a")]) as archive:
        return backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code


def size_of(places: Places) -> int:
    return sum(stat.size for stat in open_stores(places.urls)[0].list())


def recovered(url: str, work: Path) -> int:
    """How many messages a new machine gets back from one store."""
    settings = Settings(work / "mailark.toml", ArchiveSettings((url,), 1, work, None), ())
    report = recover(settings, PASSPHRASE, Silent())
    assert (report.exit_code, report.problems) == (0, [])
    return report.messages


def restored(url: str, messages: list[tuple[str, str]]) -> list[str]:
    """The hashes of all messages as this store alone gives them; damage raises."""
    machine = new_archive().machine
    vault = Vault(open_stores([url]), machine.root, machine.keyring)
    return sorted(hashlib.sha256(vault.read(id_, pack)).hexdigest() for id_, pack in messages)


@pytest.mark.slow
def test_every_store_alone_recovers_everything_and_writes_are_few(
    places: Places, mail: ScriptedServer, tmp_path: Path
) -> None:
    rng, sent = random.Random(4), set()
    for name, sizes in NIGHTS.items():
        before = size_of(places)
        for proxy in (places.seaweed, places.rclone_s3):
            proxy.requests.clear()
        for raw in [large_message(number, size) for number, size in enumerate(sizes)] + [message(rng) for _ in sizes]:
            mail.mailbox.append("INBOX", raw)
            sent.add(hashlib.sha256(raw).hexdigest())
        assert night(tmp_path, places, mail) == 0
        grown = size_of(places) - before
        for kind, proxy in (("SeaweedFS", places.seaweed), ("rclone serve s3", places.rclone_s3)):
            writes, requests = proxy.count("PUT") + proxy.count("POST"), len(proxy.requests)
            print(f"{name} night, {kind}: {grown / 2**20:.1f} MiB, {writes} writes, {requests} requests")
            assert writes <= (4 + math.ceil(grown / PACK_SIZE) if sizes else 0)
    expected = sorted(sent)
    names = [[stat.name for stat in store.list()] for store in open_stores(places.urls)]
    assert all(found == names[0] for found in names)
    with archive_in(tmp_path, open_stores(places.urls)) as archive:
        messages = list(archive.catalog.messages())
    for at, url in enumerate(places.urls):
        assert recovered(url, tmp_path / f"machine{at}") == len(expected)
        assert restored(url, messages) == expected, url
    print(f"{len(expected)} messages, {len(names[0])} objects a store, byte for byte from each of {len(names)} stores")


def test_a_store_that_fails_a_night_is_brought_up_to_date_in_the_next(
    places: Places, mail: ScriptedServer, tmp_path: Path
) -> None:
    rng = random.Random(6)
    for dead in (True, False):
        places.rclone_s3.faults[:] = [Answer(path="packs/", status=403, code="AccessDenied", times=99)] if dead else []
        for _ in range(20):
            mail.mailbox.append("INBOX", message(rng))
        assert night(tmp_path, places, mail) == (8 if dead else 0)
        held = [sum(stat.name.startswith("manifests/") for stat in s.list()) for s in open_stores(places.urls)]
        assert held == ([1, 1, 0, 1, 1] if dead else [2] * 5)
    assert recovered(places.urls[2], tmp_path / "machine") == 40
