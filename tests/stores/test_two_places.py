"""Packs under their names or straight in the folder of their era, mixed, in each kind of store that has folders."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import ObjectMissingError
from archiver.stores import layout
from archiver.stores.drive import DriveStore
from archiver.stores.interface import Stat, Store
from archiver.stores.local import LocalStore
from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import Rclone
from tests.servers.drive import DriveServer
from tests.servers.drive_files import FOLDER
from tests.stores.on_drive import FAST

segments = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,8}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
pack_names = st.builds(lambda era, digest: f"packs/{era}/{digest[:2]}/{digest}.age", segments, digests)
names = pack_names | st.lists(segments, min_size=1, max_size=4).map("/".join)


@given(names)
def test_each_place_tells_one_name(name: str) -> None:
    for place in layout.places(name):
        assert layout.name_at(place) == name
        assert place.startswith(layout.leads_to(name)), "whoever looks for it there finds it"
    assert layout.places(name)[0] == name
    assert layout.places(name)[-1] == layout.flat(name)


@given(pack_names, st.data())
def test_a_prefix_leads_to_both_places(name: str, data: st.DataObject) -> None:
    prefix = name[: data.draw(st.integers(0, len(name)))]
    assert all(place.startswith(layout.leads_to(prefix)) for place in layout.places(name))


class Place(Protocol):
    """A store, and the way past it to the files of its folder."""

    def opened(self) -> Store: ...
    def lay(self, place: str, data: bytes) -> None: ...
    def lies(self) -> set[str]: ...


class OnDisk:
    def __init__(self, folder: Path, opened: Callable[[], Store]) -> None:
        self.folder, self.opened = folder, opened

    def lay(self, place: str, data: bytes) -> None:
        (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / place).write_bytes(data)

    def lies(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.age")}


class InDrive:
    def __init__(self, server: DriveServer, opened: Callable[[], Store]) -> None:
        self.server, self.opened = server, opened

    def lay(self, place: str, data: bytes) -> None:
        *folders, name = f"Mail archive/{place}".split("/")
        files, above, path = self.server.files, self.server.files.top, ""
        for folder in folders:
            path = f"{path}/{folder}".lstrip("/")
            found = files.at(path) or [files.create({"name": folder, "parents": [above], "mimeType": FOLDER}, b"")]
            above = found[0].id
        files.create({"name": name, "parents": [above]}, data)

    def lies(self) -> set[str]:
        return {path.removeprefix("Mail archive/") for path in self.server.files.tree() if path.endswith(".age")}


@pytest.fixture(params=["local", "drive", "rclone"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    drive: DriveServer,
    url: str,
) -> Iterator[Place]:
    if request.param == "local":
        LocalStore.create(tmp_path / "store", "a")
        yield OnDisk(tmp_path / "store", lambda: LocalStore.open(tmp_path / "store"))
    elif request.param == "drive":
        DriveStore.create(url, "a", FAST)
        yield InDrive(drive, lambda: DriveStore.open(url, FAST))
    else:
        process: Rclone = request.getfixturevalue("rclone")
        where, folder = request.getfixturevalue("remote")("store")
        RcloneStore.create(where, "a", process)
        yield OnDisk(folder, lambda: RcloneStore.open(where, process))


def named(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"packs/mail-2026/{digest[:2]}/{digest}.age"


def test_both_places_stand_for_the_name(place: Place) -> None:
    rng = random.Random(1)
    packs = {named(data): data for data in (rng.randbytes(rng.randrange(40)) for _ in range(24))}
    for number, (name, data) in enumerate(packs.items()):
        for where in layout.places(name)[number % 2 : 1 + number % 2]:
            place.lay(where, data)
    before = place.lies()
    assert before & packs.keys() and before - packs.keys()
    store = place.opened()
    assert list(store.list()) == [Stat(name, len(packs[name])) for name in sorted(packs)]
    for name, data in packs.items():
        assert store.get(name) == data
        assert store.get(name, 3, 5) == data[3:8]
        assert store.stat(name) == Stat(name, len(data))
        assert not store.put_if_absent(name, b"other bytes")
        for prefix in (name[:-70], name[:-60], name):
            assert name in {stat.name for stat in store.list(prefix)}
            assert all(stat.name.startswith(prefix) for stat in store.list(prefix))
    assert place.lies() == before, "nothing is written twice"
    for name, data in packs.items():
        store.delete(name)
        assert store.stat(name) is None
        with pytest.raises(ObjectMissingError):
            store.get(name)
        assert store.put_if_absent(name, data)
    assert list(place.opened().list()) == [Stat(name, len(packs[name])) for name in sorted(packs)]


def test_a_pack_at_both_places_is_one_object(place: Place) -> None:
    name = named(b"twice")
    for where in layout.places(name):
        place.lay(where, b"twice")
    store = place.opened()
    assert list(store.list("packs/")) == [Stat(name, 5)]
    assert store.get(name) == b"twice"
    store.delete(name)
    assert place.lies() == set()
    assert store.stat(name) is None


def test_new_packs_lie_in_drive_in_the_folder_of_their_era(drive: DriveServer, url: str) -> None:
    store = DriveStore.create(url, "a", FAST)
    for kind, name in {
        "era": "keys/era/mail-2026.1.age",
        "other generation": "keys/era/mail-2026.2.age",
        "writer": "keys/writers/00112233445566aa.pub",
    }.items():
        assert store.put_if_absent(name, kind.encode())
    for folder in ("packs/mail-2026", "catalog/mail-2026", "manifests/00112233445566aa"):
        assert len(drive.files.at(f"Mail archive/{folder}")) == 1
    drive.requests.clear()
    contents = [bytes([number]) * number for number in range(40)]
    for data in contents:
        assert store.put_if_absent(named(data), data)
    store.put_if_absent(f"catalog/mail-2026/{'0' * 64}.age", b"lines")
    store.put_if_absent("manifests/00112233445566aa/0000000001", b"manifest")
    assert drive.count("folder") == 0
    assert drive.count("create") == 42
    digests = {hashlib.sha256(data).hexdigest() for data in contents}
    assert {place for place in drive.files.tree() if "/packs/" in place} == {
        f"Mail archive/packs/mail-2026/{digest}.age" for digest in digests
    }


def test_many_packs_in_one_folder_are_not_listed_for_each_that_is_missing(drive: DriveServer, url: str) -> None:
    """25 pages; before, each new one and each missing one would have read them all."""
    store = DriveStore.create(url, "a", FAST)
    store.put_if_absent("keys/era/mail-2026.1.age", b"")
    parent = drive.files.at("Mail archive/packs/mail-2026")[0].id
    for number in range(25_000):
        name = named(number.to_bytes(4))
        drive.files.create({"name": name.rpartition("/")[2], "parents": [parent]}, b"x")
    fresh = DriveStore.open(url, FAST)
    drive.requests.clear()
    for number in range(25_000, 25_020):
        name = named(number.to_bytes(4))
        assert fresh.stat(name) is None
        assert fresh.put_if_absent(name, b"y")
        assert fresh.get(name) == b"y"
    assert drive.count("list") < 2 * 26
    print(f"20 packs looked for and put among 25,000: {drive.count('list')} pages listed")
