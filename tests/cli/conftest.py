from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sandbox import Sandbox, company
from tests.servers import rclone_s3 as rclone_server
from tests.servers.dovecot import Dovecot
from tests.servers.s3_faults import S3Proxy


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot) -> Path:
    """A folder with an archive that `init` has just made: stores, work folder, passphrase, recovery sheet."""
    home = tmp_path_factory.mktemp("template")
    sandbox = Sandbox(home, dovecot, {}, home)
    sandbox.write_config()
    done = sandbox.run("init", "--generate-passphrase")
    assert done.code == 0, done
    sandbox.config.unlink()
    return home


@pytest.fixture
def sandbox(tmp_path: Path, dovecot: Dovecot, template: Path) -> Sandbox:
    """A company that has no archive yet."""
    return company(tmp_path, dovecot, template)


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[rclone_server.RcloneS3, S3Proxy]]:
    """A server of buckets, and the proxy before it."""
    if reason := rclone_server.missing():
        pytest.skip(reason)
    with rclone_server.RcloneS3() as server, S3Proxy(server.port) as proxy:
        yield server, proxy
