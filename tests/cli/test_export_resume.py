"""export --format bundle to another place, cut while it was carried: the same command goes on, as a user types it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.places import Later, in_bucket, left
from tests.cli.sandbox import PROGRAM, Sandbox
from tests.servers import rclone_s3 as rclone_server
from tests.servers.s3_faults import Hang, S3Proxy

ORDER = ("export", "from:anna", "--format", "bundle", "--case", "CASE-7", "--volume-size", "600B", "--no-pdf")


@pytest.fixture
def backed_up(sandbox: Sandbox) -> Sandbox:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    return sandbox


def verified(there: dict[str, bytes], folder: Path) -> int:
    """Every list of every volume holds; how many volumes there are."""
    for name, data in there.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for volume in folder.iterdir():
        for name in ("tagmanifest-sha256.txt", "manifest-sha256.txt", "seal-sha256.txt"):
            check = ["sha256sum", "--strict", "--quiet", "-c", name]
            subprocess.run(check, cwd=volume, check=True, capture_output=True)
    return len(list(folder.iterdir()))


@pytest.mark.slow
def test_refused_then_killed_then_finished(
    backed_up: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy], tmp_path: Path
) -> None:
    """Signed once: what was carried before the cut and what was carried after it belong together."""
    server, proxy = bucket
    url = server.url(server.bucket(), port=proxy.port)
    command = (*ORDER, "--to", url)
    proxy.faults[:] = [Later(method="PUT", status=403, code="AccessDenied", times=99)]
    done = backed_up.run(*command, seconds=300)
    assert done.code == 8, done.err
    (folder,) = left(backed_up)
    assert f"kept, unencrypted, for 7 days in {folder}" in done.err
    assert folder.stat().st_mode & 0o777 == 0o700
    assert backed_up.run("search", "合同").code == 0
    assert left(backed_up) == [folder], "another command leaves it"

    hang = Hang(method="PUT", path="CASE-7_VOL002")
    proxy.faults[:] = [hang]
    proxy.requests.clear()
    program = subprocess.Popen([PROGRAM, *command], cwd=backed_up.home, env=backed_up.environment)
    deadline = time.monotonic() + 120
    while not any(method == "PUT" and "CASE-7_VOL002" in path for method, path, *_ in proxy.requests):
        assert program.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    program.kill()
    program.wait(timeout=10)
    hang.release()
    proxy.faults.clear()
    before = in_bucket(server, url)

    proxy.requests.clear()
    done = backed_up.run(*command, "--json", seconds=300)
    assert done.code == 0, done.err
    assert f"going on with what an earlier try left in {folder}" in done.err
    there = in_bucket(server, url)
    assert (done.json["sent"], done.json["there"]) == (len(there) - len(before), len(before))
    assert {name: there[name] for name in before} == before
    assert proxy.count("PUT") <= len(there) - len(before) + 1  # and one to see whether the service keeps conditions
    assert verified(there, tmp_path / "fetched") > 1
    assert (done.json["written"], done.json["skipped"]) == (0, 6)
    assert left(backed_up) == []


@pytest.mark.slow
def test_a_run_in_between_does_not_stop_it(
    backed_up: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy], tmp_path: Path
) -> None:
    """The nightly job archives something else: what was finished before is what is handed over."""
    server, proxy = bucket
    url = server.url(server.bucket(), port=proxy.port)
    proxy.faults[:] = [Later(method="PUT", status=403, code="AccessDenied", times=99)]
    assert backed_up.run(*ORDER, "--to", url, seconds=300).code == 8
    proxy.faults.clear()
    raw = b"From: Bo <bo@example.com>\r\nSubject: Something else\r\n\r\nno\r\n"
    backed_up.server.append(backed_up.users["sales"], "INBOX", raw)
    assert backed_up.run("backup").code == 0
    done = backed_up.run(*ORDER, "--to", url, seconds=300)
    assert done.code == 0, done.err
    assert "which has changed since" in done.last
    assert verified(in_bucket(server, url), tmp_path / "fetched") > 1
