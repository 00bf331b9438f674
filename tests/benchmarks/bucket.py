"""The same mail into a bucket of a real S3 server: mbsync and restic on one side, one `mailark backup` on the other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import Cost, run
from tests.benchmarks.ours import Mailark
from tests.benchmarks.peers import Peers
from tests.benchmarks.server import BenchServer
from tests.servers.programs import HOST
from tests.servers.seaweed import SeaweedFS

RESTIC = {
    "as it comes": (),
    "packs of 64 MiB, 8 connections": ("--pack-size", "64", "-o", "s3.connections=8"),
    "packs of 64 MiB, 8 connections, not compressed": (
        *("--pack-size", "64", "-o", "s3.connections=8"),
        *("--compression", "off"),
    ),
}
"""Ways to run restic; the fastest counts. Most of the mail is base64, on which compressing gains a quarter."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job into a bucket of its own: what its tools cost, the requests by kind, and the bytes that lie there.

    In `requests` GET counts HEAD too.
    """

    name: str
    tools: dict[str, Cost]
    requests: dict[str, int]
    stored: int

    @property
    def whole(self) -> Cost:
        """The tools one after the other."""
        first, *others = self.tools.values()
        return sum(others, first)

    @property
    def writes(self) -> int:
        """Requests that write or delete, those included that the server refused."""
        return sum(self.requests.get(kind, 0) for kind in ("PUT", "POST", "DELETE"))


class Fetched:
    """The mail as a Maildir that mbsync has fetched, for restic to back up as often as is wanted."""

    def __init__(self, folder: Path, server: BenchServer, user: str, bucket_server: SeaweedFS) -> None:
        peers = Peers(folder, server, user)
        self._folder, self._server = folder, bucket_server
        self.cost = peers.fetch()

    def restic(self, name: str, port: int = 0) -> Job:
        """One backup into a new repository; making it (its key derivation) is not measured."""
        bucket, log, cache = self._server.bucket(), self._folder / "log", self._folder / "cache"
        where = f"s3:http://{HOST}:{port or self._server.port}/{bucket}"
        env = {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": where}
        shutil.rmtree(cache, ignore_errors=True)
        restic = ("restic", "--cache-dir", cache, "--quiet")
        run([*restic, "init"], log, env=env)
        before = self._server.requests(bucket)
        command: list[str | Path] = [*restic, "backup", *RESTIC[name], self._folder / "mail"]
        cost = run(command, log, env=env, server=self._server.pid)
        requests = dict(self._server.requests(bucket) - before)
        return Job(name, {"restic": cost}, requests, _stored(self._server, bucket))


def mailark(folder: Path, server: BenchServer, users: Sequence[str], bucket_server: SeaweedFS, port: int = 0) -> Job:
    """One `mailark backup` of everything into one store, the bucket; making the archive is not measured."""
    bucket = bucket_server.bucket()
    archive = Mailark(folder, server, users, stores=[bucket_server.url(bucket, port=port)])
    archive.prepare()
    before, held = bucket_server.requests(bucket), _stored(bucket_server, bucket)
    cost = archive.once()
    requests = dict(bucket_server.requests(bucket) - before)
    return Job("Mailark", cost, requests, _stored(bucket_server, bucket) - held)


def _stored(server: SeaweedFS, bucket: str) -> int:
    """Bytes of all objects in the bucket."""
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))
