"""The part "stores" of the bench: into a bucket on SeaweedFS, against restic, and against `rclone copy` of packs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import bucket, upload
from tests.benchmarks.bucket import Fetched, Job
from tests.benchmarks.line import line
from tests.benchmarks.measure import Cost
from tests.benchmarks.server import BenchServer
from tests.benchmarks.table import MB, Line
from tests.servers.seaweed import SeaweedFS, missing

BACKUP_AIM, UPLOAD_AIM, MEMORY_AIM = 0.5, 1.3, 300
WRITE_SIZE = 32 * 1024 * 1024
RATE = 12_500_000
"""Bytes a second of the line: 100 Mbit/s upwards."""

__all__ = ["Stores", "lines", "measure", "missing"]


@dataclass(frozen=True, slots=True)
class Stores:
    """mbsync: fetching for restic · restic: every way it was run · over_line: the way that sends least, and ours, over
    a line of `RATE` · upload: each way to put 1 GB of packs."""

    mbsync: Cost
    restic: list[Job]
    mailark: Job
    over_line: tuple[Job, Job]
    upload: dict[str, Cost]

    @property
    def best(self) -> Job:
        """The fastest way to run restic."""
        return min(self.restic, key=lambda job: job.whole.wall)


def measure(folder: Path, bench: BenchServer, users: Sequence[str]) -> Stores:
    """Everything, one after the other; the folder is ours alone."""
    with SeaweedFS() as server:
        fetched = Fetched(folder / "fetched", bench, users[0], server)
        restic = [_told(fetched.restic(name)) for name in bucket.RESTIC]
        ours = _told(bucket.mailark(folder / "mailark-s3", bench, users, server))
        with line(server.port, RATE) as port:
            over = (
                _told(fetched.restic(_smallest(restic), port)),
                _told(bucket.mailark(folder / "mailark-s3", bench, users, server, port)),
            )
    files = folder / "objects" / "files"
    shutil.rmtree(files.parent, ignore_errors=True)
    upload.make(files)
    with SeaweedFS() as server:
        uploads = upload.compare(files, server)
    shutil.rmtree(files.parent)
    return Stores(fetched.cost, restic, ours, over, uploads)


def _smallest(jobs: Sequence[Job]) -> str:
    """Over a line the bytes decide."""
    return min(jobs, key=lambda job: job.stored).name


def _told(job: Job) -> Job:
    print(f"into the bucket: {job.name}: {job.whole.wall:.1f} s, {job.writes} writes", file=sys.stderr, flush=True)
    return job


def lines(found: Stores) -> Iterator[Line]:
    """The table's lines with the aims; the left column is the other side's fastest way."""
    theirs, ours = found.best.whole, found.mailark.whole
    both = found.mbsync + theirs
    yield Line("into S3: wall; mbsync, restic", "s", both.wall, ours.wall, BACKUP_AIM)
    yield Line("into S3: wall; restic alone, on files fetched before", "s", theirs.wall, ours.wall, BACKUP_AIM)
    slow, mine = found.over_line[0].whole.wall, found.over_line[1].whole.wall
    speed = f"over {RATE * 8 / MB:.0f} Mbit/s: wall"
    yield Line(f"{speed}; mbsync, restic", "s", found.mbsync.wall + slow, mine, BACKUP_AIM)
    yield Line(f"{speed}; restic alone, on files fetched before", "s", slow, mine, BACKUP_AIM)
    yield Line("into S3: CPU; mbsync, restic", "s", both.cpu, ours.cpu)
    yield Line("into S3: memory at its peak (Pss)", "MB", both.pss / MB, ours.pss / MB, MEMORY_AIM, absolute=True)
    yield Line("into S3: memory, each process's own peak", "MB", both.memory / MB, ours.memory / MB)
    yield Line("into S3: bytes stored", "MB", found.best.stored / MB, found.mailark.stored / MB)
    yield from _writes(found)
    walls = {name: cost.wall for name, cost in found.upload.items()}
    own = walls.pop("Mailark")
    yield Line("upload of 1 GB: wall; rclone copy", "s", min(walls.values()), own, UPLOAD_AIM)


def _writes(found: Stores) -> Iterator[Line]:
    allowed = 4 + found.mailark.stored / WRITE_SIZE
    theirs, ours = found.best, found.mailark
    yield Line("into S3: writes", "", theirs.writes, ours.writes, allowed, absolute=True)
    yield Line("into S3: all requests", "", sum(theirs.requests.values()), sum(ours.requests.values()))
