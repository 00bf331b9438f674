"""The store in a folder: the promises of every store, and markers, crashes, full disks, mounts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archiver.errors import QuotaError, StoreError
from archiver.stores.local import MARKER, LocalStore
from tests.contracts.store import PACK, StoreContract

ROOT = Path(__file__).resolve().parents[2]


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore.create(tmp_path / "档案 store", "a" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return LocalStore.create(tmp_path / "store", "archive-1").folder


def test_create_is_repeatable_and_deterministic(folder: Path, tmp_path: Path) -> None:
    marker = (folder / MARKER).read_bytes()
    assert LocalStore.create(folder, "archive-1").archive() == "archive-1"
    LocalStore.create(tmp_path / "second", "archive-1")
    assert (folder / MARKER).read_bytes() == marker == (tmp_path / "second" / MARKER).read_bytes()
    assert LocalStore.open(folder).url == folder.as_uri()


def test_another_archives_folder_is_refused(folder: Path) -> None:
    with pytest.raises(StoreError, match="another archive"):
        LocalStore.create(folder, "archive-2")


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"archive"'])
def test_a_damaged_marker_is_told_and_written_again_on_demand(folder: Path, damage: bytes) -> None:
    (folder / MARKER).write_bytes(damage)
    with pytest.raises(StoreError, match="damaged") as caught:
        LocalStore.open(folder)
    assert folder.as_uri() in caught.value.hint
    assert LocalStore.create(folder, "archive-1").archive() == "archive-1"
    assert LocalStore.open(folder).archive() == "archive-1"


def test_an_unmounted_disk_is_not_filled(folder: Path) -> None:
    """The mount point is an empty folder of the root disk: opening fails, and every call on an open store."""
    store = LocalStore.open(folder)
    store.put_if_absent(PACK, b"x")
    shutil.rmtree(folder)
    folder.mkdir()
    calls = [
        lambda: LocalStore.open(folder),
        lambda: store.put_if_absent("keys/recovery.age", b"x"),
        lambda: store.put_if_absent(PACK, b"x"),
        lambda: store.get(PACK),
        lambda: store.stat(PACK),
        lambda: list(store.list()),
        lambda: store.delete(PACK),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="is not a store") as caught:
            call()
        assert "mounted" in caught.value.hint
        assert caught.type is StoreError  # and not ObjectMissingError: nobody knows what the store holds
    assert list(folder.iterdir()) == []


def test_the_marker_is_neither_listed_nor_touched(folder: Path) -> None:
    store = LocalStore.open(folder)
    assert list(store.list()) == []
    for call in (lambda: store.delete(MARKER), lambda: store.put_if_absent(MARKER, b""), lambda: store.get(MARKER)):
        with pytest.raises(StoreError):
            call()
    assert LocalStore.open(folder).archive() == "archive-1"


def test_only_old_left_overs_of_crashes_are_swept(folder: Path) -> None:
    (folder / "packs").mkdir()
    old, new = folder / "packs" / ".tmp-dead", folder / "packs" / ".tmp-perhaps-alive"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    LocalStore.open(folder).put_if_absent("packs/one", b"1")
    assert not old.exists()
    assert new.exists()
    assert [stat.name for stat in LocalStore.open(folder).list()] == ["packs/one"]


def test_a_source_that_cannot_be_read_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    store = LocalStore.open(folder)
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, tmp_path / "gone")
    assert [p for p in folder.rglob("*") if p.is_file()] == [folder / MARKER]


def test_a_folder_removed_underneath_is_made_again(folder: Path) -> None:
    store = LocalStore.open(folder)
    store.put_if_absent(PACK, b"x")
    shutil.rmtree(folder / "packs")
    assert store.put_if_absent(PACK, b"x")


def _mount(kind: list[str], point: Path) -> None:
    point.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", *kind, str(point)], capture_output=True).returncode != 0:
        pytest.skip("this test mounts a file system of its own, which is not allowed here")


@pytest.fixture
def small_disk(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A disk of 1 MiB."""
    point = tmp_path / "disk"
    _mount(["-t", "tmpfs", "-o", "size=1m", "tmpfs"], point)
    yield point
    subprocess.run(["umount", str(point)], check=True)


def test_a_full_disk_is_a_quota_and_the_store_stays_usable(small_disk: Path, tmp_path: Path) -> None:
    store = LocalStore.create(small_disk / "store", "a")
    assert store.put_if_absent("small", b"x" * 100_000)
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"y" * 2_000_000)
    for attempt in range(10):
        for data in (spooled, spooled.read_bytes()):
            with pytest.raises(QuotaError):
                store.put_if_absent(f"big{attempt}", data)
    assert [stat.name for stat in store.list()] == ["small"]
    assert not list((small_disk / "store").glob(".tmp-*"))
    assert store.put_if_absent("second", b"z" * 500_000)


def test_a_read_only_disk_is_a_store_error(small_disk: Path) -> None:
    store = LocalStore.create(small_disk / "store", "a")
    store.put_if_absent("one", b"1")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="Read-only"):
        store.put_if_absent("two", b"2")
    with pytest.raises(StoreError, match="Read-only"):
        store.delete("one")
    assert store.get("one") == b"1"


PUT = """
import sys
from pathlib import Path
from archiver.errors import MailarkError
from archiver.stores.local import LocalStore
try:
    print(LocalStore.open(Path(sys.argv[1])).put_if_absent("a/b/object", b"x" * 5000))
except MailarkError as error:
    print(type(error).__name__)
"""


def put_traced(folder: Path, *options: str) -> tuple[str, list[str]]:
    """One put in a process of its own under strace: what it printed, and its system calls that matter."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = folder.parent / "trace"
    command = ["strace", "-qq", "-o", str(trace), *options, sys.executable, "-c", PUT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    if "ptrace" in done.stderr:
        pytest.skip("ptrace is not allowed here")
    assert not done.stderr
    lines = trace.read_text().splitlines()
    return done.stdout.strip(), [line for line in lines if line.startswith("fsync") or str(folder) in line]


def test_the_order_of_system_calls(folder: Path) -> None:
    """The file is fsynced before it has its name, and the parent of everything new before the put returns."""
    printed, calls = put_traced(folder, "-e", "trace=fsync,link,linkat,mkdir")
    assert printed == "True"
    assert [call.split("(")[0][:4] for call in calls] == ["mkdi", "fsyn", "mkdi", "fsyn", "fsyn", "link", "fsyn"]


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_failing_fsync_is_never_tried_again_on_the_same_file(folder: Path, nth: int) -> None:
    """Folders (1, 2), the file (3), the folder with the new name (4): one fails, and the next put is whole."""
    printed, calls = put_traced(folder, "-e", "trace=fsync", "-e", f"inject=fsync:error=EIO:when={nth}")
    assert printed == "StoreError"
    assert len(calls) == nth
    assert not list(folder.rglob(".tmp-*"))
    assert (folder / "a/b/object").exists() == (nth == 4)
    assert put_traced(folder, "-e", "trace=fsync")[0] == ("False" if nth == 4 else "True")
    assert (folder / "a/b/object").read_bytes() == b"x" * 5000


@pytest.mark.parametrize(
    ("calls", "error", "expected"),
    [
        ("link,linkat", "EPERM", "True"),  # no hard links here: renamed instead
        ("link,linkat", "EIO", "StoreError"),
        ("link,linkat", "EDQUOT", "QuotaError"),
        ("mkdir", "ENOSPC", "QuotaError"),
        ("mkdir", "EACCES", "StoreError"),
        ("fsync", "ENOSPC", "QuotaError"),
        ("fsync", "EIO", "StoreError"),
    ],
)
def test_what_the_operating_system_refuses_is_told_and_leaves_nothing(
    folder: Path, calls: str, error: str, expected: str
) -> None:
    assert put_traced(folder, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}")[0] == expected
    left = [path for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    assert left == ([folder / "a/b/object"] if expected == "True" else [])


def test_without_hard_links_a_taken_name_is_still_kept(folder: Path) -> None:
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/object").write_bytes(b"first")
    options = ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"]
    assert put_traced(folder, *options)[0] == "False"
    assert (folder / "a/b/object").read_bytes() == b"first"


KILLED = """
import sys
from pathlib import Path
from archiver.stores.local import LocalStore
store = LocalStore.open(Path(sys.argv[1]))
for number in range(100000):
    store.put_if_absent(f"packs/{number % 3}/{number}", bytes([number % 251]) * 70000)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_every_object_is_whole_or_absent(tmp_path: Path) -> None:
    """kill -9, 25 times: what was acknowledged is there, and everything that is there is whole."""
    acknowledged = 0
    for attempt in range(25):
        folder = LocalStore.create(tmp_path / f"store{attempt}", "a").folder
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.002 * attempt)
        process.send_signal(signal.SIGKILL)
        last = 0
        for line in process.stdout:
            last = int(line) if line.endswith("\n") else last
        process.wait(timeout=30)
        store = LocalStore.open(folder)
        names = {stat.name: stat.size for stat in store.list()}
        assert set(names.values()) == {70000}
        assert all(f"packs/{number % 3}/{number}" in names for number in range(last + 1))
        assert len(names) <= last + 2
        for name in names:
            assert store.get(name) == bytes([int(name.rpartition("/")[2]) % 251]) * 70000
        acknowledged += last + 1
        shutil.rmtree(folder)
    print(f"25 kills, {acknowledged} acknowledged objects, none lost, none half")
