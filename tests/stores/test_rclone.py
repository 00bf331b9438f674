"""Stores behind rclone: the promises of every store on a real remote, and what is rclone's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.errors import ConfigError, ObjectMissingError, QuotaError, StoreError
from archiver.stores.marker import MARKER
from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import PART, Rclone, Refused
from archiver.stores.table import open_store
from tests.contracts.store import PACK, StoreContract

Remote = Callable[[str], tuple[str, Path]]
ROOT = Path(__file__).resolve().parents[2]


class TestRcloneStore(StoreContract):
    @pytest.fixture
    def store(self, rclone: Rclone, remote: Remote) -> RcloneStore:
        return RcloneStore.create(remote("档案 store")[0], "archive", rclone)


def test_create_is_repeatable_and_another_archives_place_is_refused(rclone: Rclone, remote: Remote) -> None:
    url, folder = remote("store")
    assert RcloneStore.create(url, "archive-1", rclone).archive() == "archive-1"
    assert RcloneStore.create(url, "archive-1", rclone).url == RcloneStore.open(url, rclone).url == url
    with pytest.raises(StoreError, match="another archive"):
        RcloneStore.create(url, "archive-2", rclone)
    (folder / MARKER).write_bytes(b"{")
    with pytest.raises(StoreError, match="damaged"):
        RcloneStore.open(url, rclone)
    assert RcloneStore.create(url, "archive-1", rclone).archive() == "archive-1"


def test_a_folder_that_is_no_store_is_not_filled(rclone: Rclone, remote: Remote) -> None:
    url, folder = remote("store")
    with pytest.raises(StoreError, match="is not a store"):
        RcloneStore.open(url, rclone)
    store = RcloneStore.create(url, "archive", rclone)
    assert list(store.list()) == []
    with pytest.raises(StoreError, match="own"):
        store.delete(MARKER)
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="is not a store") as caught:
        store.stat(PACK)
    assert not isinstance(caught.value, ObjectMissingError)


def test_what_a_dead_upload_left_is_not_listed(rclone: Rclone, remote: Remote) -> None:
    url, folder = remote("store")
    store = RcloneStore.create(url, "archive", rclone)
    store.put_if_absent("packs/one", b"1")
    (folder / "packs" / f"two.abcd{PART}").write_bytes(b"half")
    assert [stat.name for stat in store.list()] == ["packs/one"]


def test_an_upload_that_did_not_arrive_whole_is_told_and_removed(
    rclone: Rclone, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remote that says yes and keeps half: the size gives it away, or the bytes where it knows no hash."""
    url, folder = remote("store")
    store = RcloneStore.create(url, "archive", rclone)
    call = rclone.call

    def lies(spoil: Callable[[bytes], bytes], hashes: list[str]) -> None:
        def answer(command: str, timeout: float, **parameters: object) -> dict[str, object]:
            done = call(command, timeout, **parameters)
            if command == "operations/copyfile":
                (folder / PACK).write_bytes(spoil((folder / PACK).read_bytes()))
            return {**done, "Hashes": hashes} if command == "operations/fsinfo" else done

        monkeypatch.setattr(rclone, "call", answer)
        store._remote._hashes = None

    for spoil, hashes in [(lambda data: data[:50], ["md5"]), (lambda data: b"?" + data[1:], [])]:
        lies(spoil, hashes)
        with pytest.raises(StoreError, match="other bytes"):
            store.put_if_absent(PACK, b"x" * 100)
        assert not (folder / PACK).exists()
    lies(lambda data: data, [])
    assert store.put_if_absent(PACK, b"x" * 100)


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (
            500,
            "googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded",
            QuotaError,
        ),
        (500, "write /x: no space left on device", QuotaError),
        (500, "insufficientStorage: quota", QuotaError),
        (500, "activityLimitReached: too many requests: throttled (429)", QuotaError),
        (404, "directory not found", ObjectMissingError),
        (404, f"packs/mail-2026/42/{'429' * 21}a.age: not found", ObjectMissingError),
        (500, "couldn't connect SSH: dial tcp: i/o timeout", StoreError),
        (500, 'didn\'t find section in config file ("nobody")', StoreError),
    ],
)
def test_what_rclone_says_is_translated(
    rclone: Rclone, remote: Remote, monkeypatch: pytest.MonkeyPatch, status: int, text: str, error: type[Exception]
) -> None:
    store = RcloneStore.create(remote("store")[0], "archive", rclone)

    def refuse(command: str, timeout: float, **parameters: object) -> dict[str, object]:
        raise Refused(status, text + " https://host/x?token=hush")

    monkeypatch.setattr(rclone, "call", refuse)
    with pytest.raises(error) as caught:
        list(store.list()) if error is not ObjectMissingError else store._remote.put(PACK, b"x")
    assert type(caught.value) is error
    assert "hush" not in str(caught.value)


def test_a_remote_that_is_not_configured_is_told(rclone: Rclone) -> None:
    with pytest.raises(StoreError, match="config file") as caught:
        RcloneStore.open("rclone://nobody:folder", rclone)
    assert "rclone config" in caught.value.hint


@pytest.mark.parametrize("url", ["rclone://", "rclone://folder", "rclone://:local:/x", "rclone://:sftp,pass=hush:x"])
def test_what_is_no_configured_remote_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "hush" not in f"{caught.value}{caught.value.hint}"


def test_without_rclone_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigError, match="rclone") as caught:
        RcloneStore.open("rclone://box:x", Rclone())
    assert "rclone.org/install" in caught.value.hint


def test_a_process_that_died_is_started_again_and_stop_leaves_nothing(remote: Remote) -> None:
    own = Rclone()
    store = RcloneStore.create(remote("store")[0], "archive", own)
    assert own._process is not None and own._folder is not None
    first, folder = own._process, own._folder
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    names = {child: Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    (running,) = [int(child) for child, name in names.items() if name == "rclone"]
    os.kill(running, signal.SIGKILL)
    first.wait(timeout=10)
    assert store.put_if_absent(PACK, b"x")
    assert own._process is not first
    last = own._folder
    own.stop()
    assert not last.exists()
    assert not folder.exists()


KILLED = """
import os, sys
from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import RCLONE
RcloneStore.create(sys.argv[1], "archive")
pid = RCLONE._process.pid
print(*[c for c in open(f"/proc/{pid}/task/{pid}/children").read().split()], flush=True)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_rclone_ends_with_the_program_however_that_ends(rclone: Rclone, remote: Remote, end: str) -> None:
    del rclone  # its configuration is in the environment
    done = subprocess.run(
        [sys.executable, "-c", KILLED, remote("store")[0], end], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    children = [int(pid) for pid in done.stdout.split()]
    assert len(children) == 2, done.stderr  # rclone, and the shell that watches our end of the pipe
    limit = time.monotonic() + 10
    while any(_alive(pid) for pid in children) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in children)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
