"""Real servers for the stores, started once a test process and stopped at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archiver.stores.drive import DriveStore
from archiver.stores.rclone_process import Rclone
from tests.servers import rclone_s3 as rclone_server
from tests.servers import seaweed as seaweed_server
from tests.servers.drive import DriveServer
from tests.servers.s3_faults import S3Proxy
from tests.servers.scripted import ScriptedServer
from tests.stores.held import Company
from tests.stores.on_drive import FAST


@pytest.fixture(scope="session")
def seaweed() -> Iterator[seaweed_server.SeaweedFS]:
    """A running SeaweedFS; take a fresh bucket with `seaweed.bucket()`."""
    if reason := seaweed_server.missing():
        pytest.skip(reason)
    with seaweed_server.SeaweedFS() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_s3() -> Iterator[rclone_server.RcloneS3]:
    """A running `rclone serve s3`."""
    if reason := rclone_server.missing():
        pytest.skip(reason)
    with rclone_server.RcloneS3() as server:
        yield server


@pytest.fixture(scope="session")
def _rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rclone, Path]]:
    """One `rclone rcd` with a configuration of its own: the remote "box" is a folder."""
    if reason := rclone_server.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "box").mkdir()
    (folder / "rclone.conf").write_text(f"[box]\ntype = alias\nremote = {folder / 'box'}\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("RCLONE_CONFIG", str(folder / "rclone.conf"))
    process = Rclone()
    yield process, folder / "box"
    process.stop()
    patch.undo()


@pytest.fixture
def rclone(_rclone: tuple[Rclone, Path]) -> Rclone:
    """The running process."""
    return _rclone[0]


@pytest.fixture
def remote(_rclone: tuple[Rclone, Path], tmp_path: Path) -> Callable[[str], tuple[str, Path]]:
    """Gives the URL of a new folder of the remote, and where it lies on the disk."""
    number = tmp_path.name

    def make(name: str) -> tuple[str, Path]:
        return f"rclone://box:{number}/{name}", _rclone[1] / number / name

    return make


@pytest.fixture
def drive() -> Iterator[DriveServer]:
    """A Drive of its own."""
    with DriveServer() as server:
        yield server


@pytest.fixture
def url(drive: DriveServer, tmp_path: Path) -> str:
    """Of a store in that Drive, with a login."""
    return drive.url(tmp_path / "keep")


@pytest.fixture
def store(drive: DriveServer, url: str) -> DriveStore:
    """The store there, just made; other kinds of stores have a fixture of their own."""
    store = DriveStore.create(url, "archive-1", FAST)
    drive.requests.clear()
    return store


@pytest.fixture
def proxy(seaweed: seaweed_server.SeaweedFS) -> Iterator[S3Proxy]:
    with S3Proxy(seaweed.port) as proxy:
        yield proxy


@pytest.fixture
def company(seaweed: seaweed_server.SeaweedFS, proxy: S3Proxy, tmp_path: Path) -> Iterator[Company]:
    with ScriptedServer() as mail:
        company = Company(tmp_path, seaweed.url(seaweed.bucket(locked=True), port=proxy.port), mail)
        company.night()
        yield company
