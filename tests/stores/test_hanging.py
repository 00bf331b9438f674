"""A server that takes the connection and never answers: no run, and no opening of the stores, waits for ever."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.errors import StoreError
from archiver.monitor import Silent
from archiver.opening import open_stores
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.stores.s3 import S3Store
from archiver.stores.unavailable import UnavailableStore
from archiver.vault import delivery
from archiver.vault.commit import furnish
from tests.kit import archive_in, new_archive
from tests.servers.s3_faults import Hang, S3Proxy
from tests.servers.scripted import ScriptedServer
from tests.servers.seaweed import SeaweedFS
from tests.small_archive import message


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("what", [("PUT", "packs/"), ("HEAD", "manifests/"), ("PUT", "manifests/")])
def test_a_run_ends_though_a_store_hangs_before_the_quorum(
    seaweed: SeaweedFS,
    proxy: S3Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: tuple[str, str],
    copies: int,
) -> None:
    monkeypatch.setattr(delivery, "HANGS", 1.0)
    url = seaweed.url(seaweed.bucket(), port=proxy.port)
    stores: list[Store] = [MemoryStore("a"), S3Store.create(url, new_archive().archive)]
    assert not furnish(stores, new_archive().objects)
    rng, hang = random.Random(1), Hang(*what, times=99)
    with ScriptedServer() as mail:
        for _ in range(5):
            mail.mailbox.append("INBOX", message(rng))
        proxy.faults.append(hang)
        began = time.monotonic()
        with archive_in(tmp_path, stores, [mail.settings(name="a")], copies) as archive:
            report = backup(archive, Options(), Silent(), indexer=archive.catalog)
        took = time.monotonic() - began
        assert (report.exit_code, report.settled) == (8, copies == 1)
        assert "hangs" in report.stores[1].reason
        assert took < 100, "a client would wait for five minutes"
        proxy.faults.clear()
        hang.release()
        monkeypatch.undo()
        with archive_in(tmp_path, [stores[0], S3Store.open(url)], [mail.settings(name="a")], copies) as archive:
            assert backup(archive, Options(), Silent(), indexer=archive.catalog).exit_code == 0
    print(f"hanging at {what[0]} {what[1]}, {copies} copies wanted: the run ended with 8 after {took:.1f} s")


def test_a_store_that_does_not_open_in_time_is_there_and_fails(
    seaweed: SeaweedFS, proxy: S3Proxy, tmp_path: Path
) -> None:
    url = seaweed.url(seaweed.bucket(), port=proxy.port)
    S3Store.create(url, "archive")
    hang = Hang("GET", times=99)
    proxy.faults.append(hang)
    began = time.monotonic()
    (store,) = open_stores([url], patience=0.5)
    assert time.monotonic() - began < 50
    assert isinstance(store, UnavailableStore)
    with pytest.raises(StoreError, match="did not answer within"):
        store.stat("x")
    hang.release()
