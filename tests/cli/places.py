"""Exports and the places they go to: what lies there, and what is left behind."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from archiver.stores.s3_place import parse_place
from tests.cli.sandbox import Sandbox
from tests.servers import rclone_s3 as rclone_server
from tests.servers.s3_faults import Answer, Request

QUERY = ("export", "from:anna", "--format")
MESSAGES = 6


@dataclass
class Later(Answer):
    """Strikes from the eleventh request on."""

    passed: int = 0

    def wants(self, request: Request) -> bool:
        self.passed += request.method == self.method
        return self.passed > 10 and super().wants(request)


def in_bucket(server: rclone_server.RcloneS3, url: str) -> dict[str, bytes]:
    place, client = parse_place(url), server.client()
    listed = client.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix).get("Contents", ())
    keys = [entry["Key"] for entry in listed]
    return {k.removeprefix(place.prefix): client.get_object(Bucket=place.bucket, Key=k)["Body"].read() for k in keys}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unsealed(sealed: Path, key: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    line = 'age -d -i "$1" "$2" | tar -x -C "$3"'
    command = ["bash", "-eo", "pipefail", "-c", line, "sh", key, sealed, folder]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return contents(folder)


def plain(sandbox: Sandbox, form: str, *options: str) -> dict[str, bytes]:
    """The same export into a folder."""
    assert sandbox.run(*QUERY, form, "--to", "plain", *options).code == 0
    return contents(sandbox.home / "plain")


def left(sandbox: Sandbox) -> list[Path]:
    """Folders in which exports wait, and nothing should."""
    return [path for path in (sandbox.home / "work" / "handover").iterdir() if path.is_dir()]
