"""The objects of an archive into a bucket by the S3 store, as a backup puts them; the other side is `rclone copy`.

python -m tests.benchmarks.upload URL FOLDER        put every file below FOLDER, under its relative path
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import partial
from pathlib import Path

from archiver.stores.abilities import parallel
from archiver.stores.s3 import S3Store
from archiver.threads import side_by_side
from tests.benchmarks.measure import Cost, run
from tests.servers.programs import program
from tests.servers.s3_server import KEY, SECRET
from tests.servers.seaweed import SeaweedFS

SIZE = 1_000_000_000
PACK = 40 * 1024 * 1024
ROUNDS = 2
RCLONE = {"as it comes": (), "8 transfers, no check of the bucket": ("--transfers", "8", "--s3-no-check-bucket")}
"""Ways to run rclone copy; the fastest counts."""


def make(folder: Path, size: int = SIZE) -> int:
    """Write packs, of random bytes as ciphertext is, until they have `size` bytes; the bytes they have."""
    total = 0
    while total < size:
        data = os.urandom(min(PACK, size - total))
        name = hashlib.sha256(data).hexdigest()
        path = folder / "packs" / "mail-2026" / name[:2] / f"{name}.age"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        total += len(data)
    return total


def compare(folder: Path, server: SeaweedFS) -> dict[str, Cost]:
    """The least of some rounds for each way, turn by turn; every one into a bucket of its own."""
    costs: dict[str, Cost] = {}
    for _ in range(ROUNDS):
        for name, options in RCLONE.items():
            _keep(costs, f"rclone copy, {name}", _rclone(folder, server, options))
        _keep(costs, "Mailark", _mailark(folder, server))
    return costs


def _keep(costs: dict[str, Cost], name: str, cost: Cost) -> None:
    print(f"upload: {name}: {cost.wall:.1f} s", file=sys.stderr, flush=True)
    costs[name] = min(costs.get(name, cost), cost, key=lambda one: one.wall)


def _rclone(folder: Path, server: SeaweedFS, options: tuple[str, ...]) -> Cost:
    keys = {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "ENDPOINT": server.endpoint, "PROVIDER": "Other"}
    env = {f"RCLONE_S3_{name}": value for name, value in keys.items()} | {"RCLONE_CONFIG": ""}
    command = [str(program("rclone")), "copy", *options, str(folder), f":s3:{server.bucket()}/archive"]
    return run(command, folder.with_name("log"), env=env, server=server.pid)


def _mailark(folder: Path, server: SeaweedFS) -> Cost:
    url = server.url(server.bucket())
    S3Store.create(url, "0" * 32)
    command = [sys.executable, "-m", "tests.benchmarks.upload", url, str(folder)]
    return run(command, folder.with_name("log"), server=server.pid)


def main() -> None:
    """The command line shown above."""
    store, folder = S3Store.open(sys.argv[1]), Path(sys.argv[2])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    puts = [partial(store.put_if_absent, path.relative_to(folder).as_posix(), path) for path in files]
    side_by_side(puts, parallel(store), "put")


if __name__ == "__main__":
    main()
