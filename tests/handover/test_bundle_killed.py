"""kill -9 at random moments of a signed bundle on its way to another place, plain and sealed: it is gone on with, what
was carried is not carried again, and in the end there is what one run would have given.
"""

from __future__ import annotations

import filecmp
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from archiver.cli.destination import Destination, handed_to
from archiver.cli.forms.bundle import BUNDLE
from archiver.stores.interface import Stat
from archiver.stores.shelf import Put
from archiver.vault import age
from exporters.production import bag
from exporters.production.order import Order
from exporters.production.seal import SEAL_LIST, Seal
from tests.exporters.production.kit import Production, many

ROOT = Path(__file__).resolve().parents[2]
COUNT = 24
PROGRAM = "import sys; from tests.handover.test_bundle_killed import export; print(flush=True); export(*sys.argv[1:])"
SIGNED = ("export-report.pdf", "manifest-sha256.txt", "tagmanifest-sha256.txt", ".p7s", "seal-sha256.txt")


class SlowShelf:
    """A place at the end of a slow line, without a disk of its own to wait for; it notes what is written."""

    parallel = 2

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"slow://{folder}"

    def put_if_absent(self, name: str, file: Path) -> Put:
        """As every shelf."""
        time.sleep(0.004)
        path = self._folder / name
        if path.exists():
            return Put.SAME if filecmp.cmp(path, file, shallow=False) else Put.OTHER
        path.parent.mkdir(parents=True, exist_ok=True)
        part = self._folder.parent / f"{os.getpid()}-{threading.get_ident()}.part"
        shutil.copyfile(file, part)
        with (self._folder.parent / "written.txt").open("a") as notes:
            part.rename(path)
            notes.write(f"{name}\n")
        return Put.NEW

    def stat(self, name: str) -> Stat | None:
        """As every shelf."""
        path = self._folder / name
        return Stat(name, path.stat().st_size) if path.is_file() else None


def export(work: str, out: str, recipient: str = "") -> None:
    """The whole way of `mailark export --format bundle --to PLACE`, without an archive."""
    recipients = [age.parse_recipient(recipient)] if recipient else []
    place = Destination(SlowShelf(Path(out)), recipients)
    folders = SimpleNamespace(handover=Path(work), receipts=Path(work).with_name("receipts"))
    archive = cast(Any, SimpleNamespace(work=folders))
    messages = many(COUNT)
    with handed_to(place, archive, BUNDLE, ["bundle", "from:anna"]) as handover:
        if handover is None:
            return
        handover.prepare()
        made = Production(handover.folder, messages, Order("CASE-1", volume_size=15_000), seal=random_seal())
        assert made.run(handover.watched(slowly(messages))).failed == ()
        assert handover.finish(()).failed == []


def slowly(messages: Sequence[Any]) -> Any:
    for message in messages:
        time.sleep(0.005)
        yield message


def random_seal() -> Seal:
    """Signs like all do: never twice the same."""
    return Seal(
        lambda _: os.urandom(64), lambda pdf: pdf + b"\n%" + os.urandom(8).hex().encode(), b"ca", "Someone", "ab" * 32
    )


def started(work: Path, out: Path, recipient: str) -> subprocess.Popen[bytes]:
    """The export in a process of its own, from when on there is something to cut."""
    arguments = [sys.executable, "-c", PROGRAM, work, out, *([recipient] if recipient else [])]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
    return process


def killed_until_done(work: Path, out: Path, recipient: str, chance: random.Random, takes: float) -> int:
    """Run it, kill it at a random moment, again and again until it ends by itself; how often it was killed. The moments
    lie over the whole run, which takes so many seconds on this machine, and come later the oftener it was killed.
    """
    kills = 0
    while True:
        process = started(work, out, recipient)
        latest = 0.3 if kills < 2 else 0.3 * (1 + kills)  # two kills at least: a third of the run is left for the last
        try:
            process.wait(chance.uniform(0.02, latest) * takes)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            assert process.returncode == 0
            return kills


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unsealed(folder: Path, key: age.X25519Identity, target: Path) -> Path:
    for path in folder.glob("*.age"):
        with tarfile.open(fileobj=io.BytesIO(age.decrypt(path.read_bytes(), [key]))) as tar:
            tar.extractall(target, filter="data")
    return target


def lasting(folder: Path) -> dict[str, bytes]:
    """All but what a signature, or the hash of one, is in."""
    return {name: data for name, data in contents(folder).items() if not name.endswith(SIGNED)}


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_killed_at_random_moments(tmp_path: Path, sealed: bool) -> None:
    key = age.X25519Identity.generate()
    recipient = str(key.recipient()) if sealed else ""
    whole, out = tmp_path / "whole" / "out", tmp_path / "killed" / "out"
    for folder in (whole, out):
        folder.mkdir(parents=True)
    process, begin = started(tmp_path / "whole" / "work", whole, recipient), time.monotonic()
    assert process.wait(120) == 0
    takes, chance = time.monotonic() - begin, random.Random(len(recipient))
    kills = killed_until_done(tmp_path / "killed" / "work", out, recipient, chance, takes)
    written = (out.parent / "written.txt").read_text().splitlines()
    assert len(written) == len(set(written)) and set(written) <= set(contents(out)), "nothing is carried twice"
    if sealed:
        assert sorted(contents(out)) == sorted(contents(whole)), "names do not tell that it was cut"
        whole, out = unsealed(whole, key, tmp_path / "a"), unsealed(out, key, tmp_path / "b")
    assert lasting(out) == lasting(whole)
    volumes = sorted(out.iterdir())
    assert len(volumes) > 2
    for volume in volumes:
        assert list(bag.problems(volume, SEAL_LIST)) == [], "one signature, over what lies there"
    assert [path.name for path in (tmp_path / "killed" / "work").iterdir()] == ["lock"], "and nothing plain is left"
    print(f"killed {kills} times; {len(written)} files noted, each carried once")
    assert kills
