"""What a night with many commits writes: into a bucket on SeaweedFS and into a Drive, side by side.

Everything is a hundred times smaller than it is: packs, and the bytes that pay for a write.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.backup import Options, allowance, backup, filling
from archiver.check import check
from archiver.monitor import Silent
from archiver.stores.drive import DriveStore
from archiver.stores.s3 import S3Store
from archiver.vault import pack
from archiver.vault.commit import furnish
from tests.kit import archive_in, new_archive
from tests.servers.drive import DriveServer
from tests.servers.scripted import ScriptedServer
from tests.servers.seaweed import SeaweedFS
from tests.stores.on_drive import FAST

SCALE = 100
WRITES = ("create", "begin", "folder", "update", "delete")
"""Of Drive: whatever changes something. The body of an upload that was begun goes into its session."""


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    sizes = [(filling, "PACK_SIZE"), (allowance, "WRITE_SIZE"), (pack, "TEXT_FRAME"), (pack, "SEGMENT_FRAME")]
    for module, name in sizes:
        monkeypatch.setattr(module, name, getattr(module, name) // SCALE)
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def drive() -> Iterator[DriveServer]:
    with DriveServer() as server:
        yield server


def contract(rng: random.Random, size: int) -> bytes:
    """A message with an attachment that does not compress, so that catalog lines pay for little."""
    head = b"Subject: %d\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head % rng.getrandbits(60) + base64.encodebytes(rng.randbytes(size)).replace(b"\n", b"\r\n")


@pytest.mark.slow
@pytest.mark.parametrize("messages", [1, 60, 1200])
def test_a_night_of_any_size(
    mail: ScriptedServer, seaweed: SeaweedFS, drive: DriveServer, tmp_path: Path, messages: int
) -> None:
    bucket, rng = seaweed.bucket(), random.Random(messages)
    s3 = S3Store.create(seaweed.url(bucket), new_archive().archive)
    on_drive = DriveStore.create(drive.url(tmp_path / "keep"), new_archive().archive, FAST)
    assert not furnish([s3, on_drive], new_archive().objects)
    before = seaweed.requests(bucket)
    drive.requests.clear()
    held = sum(stat.size for stat in s3.list())
    for _ in range(messages):
        mail.mailbox.append("INBOX", contract(rng, 12_000))
    with archive_in(tmp_path, [s3, on_drive], [mail.settings(name="a")]) as archive:
        assert backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code == 0
        commits = archive.journal.head()[0]
    sent = sum(stat.size for stat in s3.list()) - held
    asked = seaweed.requests(bucket) - before
    allowed = 4 + sent / allowance.WRITE_SIZE
    of_s3 = sum(asked[one] for one in ("PUT", "POST", "DELETE"))
    for kind, writes in (("S3", of_s3), ("Drive", drive.count(*WRITES))):
        size = f"{sent * SCALE / 2**20:,.0f} MiB / {SCALE}"
        print(f"{kind}: {size}, {commits} commits, {writes} writes, {allowed:.1f} allowed")
        assert writes <= allowed
    assert drive.count("folder") == 0
    assert messages < 1200 or commits > 1
    before = seaweed.requests(bucket)
    drive.requests.clear()
    with archive_in(tmp_path, [s3, on_drive], [mail.settings(name="a")]) as archive:
        assert backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code == 0
    asked = seaweed.requests(bucket) - before
    assert (sum(asked[one] for one in ("PUT", "POST", "DELETE")), drive.count(*WRITES)) == (0, 0), "nothing was new"
    machine = new_archive().machine
    verdict = check([s3, on_drive], machine.root, Silent(), keyring=machine.keyring, read_data=True)
    assert (verdict.all_faults, verdict.messages) == ([], messages)
