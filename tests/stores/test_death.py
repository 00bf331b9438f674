"""A store whose server is killed in the middle of a run, stays away for a night, and comes back."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import archiver.backup.allowance as allowance
import archiver.backup.filling as filling
from archiver.backup import Options, RunReport, backup
from archiver.check import check
from archiver.monitor import Silent
from archiver.opening import open_stores
from archiver.setup import documents
from archiver.stores.faulty import Fault, FaultyStore
from archiver.stores.interface import Store
from archiver.stores.s3 import S3Store
from archiver.stores.table import create_store
from archiver.vault.commit import furnish
from tests.kit import archive_in, new_archive
from tests.servers.programs import HOST, listens, program
from tests.servers.rclone_s3 import RcloneS3, missing
from tests.servers.s3_server import KEY, SECRET
from tests.servers.scripted import ScriptedServer
from tests.small_archive import message


class Mortal(RcloneS3):
    """The server, to be killed with SIGKILL and started again over what it has written."""

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def revive(self) -> None:
        options = ["--auth-key", f"{KEY},{SECRET}", "--addr", f"{HOST}:{self.port}", "--config", ""]
        command = [str(program("rclone")), "serve", "s3", *options, str(self._folder / "data")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        assert listens(self._process, self.port, 60)


@pytest.fixture
def server() -> Iterator[Mortal]:
    if reason := missing():
        pytest.skip(reason)
    server = Mortal()
    yield server
    server.stop()


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A mailbox; packs and commits are small, so that a night has many."""
    monkeypatch.setattr(filling, "PACK_SIZE", 256 * 1024)
    monkeypatch.setattr(allowance, "WRITE_SIZE", 128 * 1024)
    with ScriptedServer() as server:
        yield server


def night(tmp_path: Path, stores: Sequence[Store], mail: ScriptedServer, rng: random.Random) -> RunReport:
    for _ in range(200):
        mail.mailbox.append(
            "INBOX" if rng.random() < 0.5 else "合同", message(rng) + rng.randbytes(6000).hex().encode()
        )
    with archive_in(tmp_path, stores, [mail.settings(name="a")], copies=2) as archive:
        return backup(archive, Options(), Silent(), indexer=archive.catalog)


def manifests(store: Store) -> int:
    return sum(1 for _ in store.list("manifests/"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_in_mid_run_and_back(tmp_path: Path, server: Mortal, mail: ScriptedServer, seed: int) -> None:
    began, rng = time.monotonic(), random.Random(seed)
    urls = [(tmp_path / "a").as_uri(), server.url(server.bucket()), (tmp_path / "b").as_uri()]
    made = [create_store(url, new_archive().archive) for url in urls]
    assert not furnish(made, {**documents(), **new_archive().objects})
    puts = {"left": rng.randrange(2, 9)}

    def kill_in_the_middle(operation: str, name: str) -> Fault | None:
        puts["left"] -= operation == "put_if_absent"
        if puts["left"] == 0:
            threading.Timer(rng.uniform(0, 0.01), server.kill).start()
        return None

    first, _, third = open_stores(urls)
    dying = FaultyStore(S3Store.open(urls[1], attempts=1), kill_in_the_middle)
    report = night(tmp_path, [first, dying, third], mail, rng)
    assert (report.exit_code, report.settled) == (8, True)
    assert [folder.archived for account in report.accounts for folder in account.folders if not folder.complete] == []
    assert [store.lacks > 0 for store in report.stores] == [False, True, False]
    reached = manifests(first)
    assert reached == manifests(third) >= 3, "the others have every commit of the night"

    report = night(tmp_path, [first, dying, third], mail, rng)
    assert (report.exit_code, report.settled) == (8, True)
    lacking = report.stores[1].lacks
    assert lacking > 3

    server.revive()
    stores = open_stores(urls)
    held = manifests(stores[1])
    # A commit whose answer died with the server is there and not known to be.
    assert lacking - 1 <= manifests(first) - held <= lacking
    report = night(tmp_path, stores, mail, rng)
    assert report.exit_code == 0
    names = [[stat.name for stat in store.list()] for store in stores]
    assert names[0] == names[1] == names[2]
    verdict = check(stores, new_archive().machine.root, Silent())
    assert (verdict.exit_code, verdict.all_faults, verdict.unnamed) == (0, [], [])
    print(
        f"killed after {held} commits, {lacking} lacking after two nights, {verdict.commits} commits everywhere after "
        f"the third; {len(names[0])} objects sound in each of 3 stores; {time.monotonic() - began:.1f} s"
    )
