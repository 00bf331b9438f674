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
from tests.servers.seaweed import SeaweedFS

RESTIC = {
    "as it comes": (),
    "packs of 64 MiB, 8 connections": ("--pack-size", "64", "-o", "s3.connections=8"),
    "packs of 64 MiB, not compressed": ("--pack-size", "64", "-o", "s3.connections=8", "--compression", "off"),
}
"""Ways to run restic; the fastest counts. Mail is half base64, which it can hardly compress."""

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """One job into a bucket of its own: what its tools cost, the requests by kind, and the bytes that lie there."""

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
        """Requests that write or delete."""
        return sum(self.requests.get(kind, 0) for kind in ("PUT", "POST", "DELETE"))


class Fetched:
    """The mail as a Maildir that mbsync has fetched, for restic to back up as often as is needed."""

    def __init__(self, folder: Path, server: BenchServer, user: str, bucket_server: SeaweedFS) -> None:
        self._peers, self._mail, self._log = Peers(folder, server, user), folder / "mail", folder / "log"
        self._server = bucket_server
        self.cost = self._peers.fetch()
        self._cache = folder / "cache"

    def restic(self, name: str, options: Sequence[str]) -> Job:
        """One backup into a new repository; making it (its key derivation) is not measured."""
        bucket = self._server.bucket()
        env = {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": f"s3:{self._server.endpoint}/{bucket}"}
        shutil.rmtree(self._cache, ignore_errors=True)
        restic = ("restic", "--cache-dir", self._cache, "--quiet")
        run([*restic, "init"], self._log, env=env)
        before = self._server.requests(bucket)
        cost = run([*restic, "backup", *options, self._mail], self._log, env=env, server=self._server.pid)
        requests = self._server.requests(bucket) - before
        return Job(name, {"restic": cost}, requests, stored(self._server, bucket))


def mailark(folder: Path, server: BenchServer, users: Sequence[str], bucket_server: SeaweedFS) -> Job:
    """One `mailark backup` of everything into one store, the bucket; making the archive is not measured."""
    bucket = bucket_server.bucket()
    archive = Mailark(folder, server, users, stores=[bucket_server.url(bucket)])
    archive.prepare()
    before = bucket_server.requests(bucket)
    held = stored(bucket_server, bucket)
    cost = archive.once()
    requests = bucket_server.requests(bucket) - before
    return Job("Mailark", cost, requests, stored(bucket_server, bucket) - held)


def stored(server: SeaweedFS, bucket: str) -> int:
    """Bytes of all objects in the bucket."""
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))
