"""kill -9 at random moments of `backup`: each message is archived exactly once, and the archive stays sound."""

from __future__ import annotations

import base64
import hashlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from archiver.config import load
from archiver.errors import LockedError
from archiver.opening import Archive, open_archive
from archiver.setup import create_archive
from archiver.vault.keys import new_passphrase
from tests.servers.dovecot import Dovecot

KILLS = 200
_KNOWN = "SELECT message.id, pack.name FROM message JOIN pack ON pack.id = message.pack"
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_each_message_is_archived_exactly_once(dovecot: Dovecot, tmp_path: Path) -> None:
    user = dovecot.user("killed")
    config = _config(tmp_path, dovecot, user)
    sent = _message_maker(random.Random(7))
    expected = []
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.kill_runs", str(config), "11"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdin is not None and child.stdout is not None
    ends: Counter[str] = Counter()
    for run in range(3 * KILLS):
        if ends["killed"] == KILLS:
            break
        for _ in range(3 if run % 4 else 18):
            expected.append(next(sent))
            dovecot.append(user, "INBOX" if run % 3 else "合同", expected[-1])
        child.stdin.write("go\n")
        child.stdin.flush()
        end = child.stdout.readline().strip()
        ends[end] += 1
        if end == "killed" and ends[end] % 4 == 0:
            _assert_nothing_dangles(config)
    child.stdin.close()
    child.wait(30)
    print(f"runs that ended so: {dict(ends)}; {len(expected)} messages")
    assert ends["killed"] == KILLS, "the kills must fall into the runs"
    last = _cli(config, "backup")
    assert last.returncode == 0, last.stderr
    checked = _cli(config, "check", "--read-data")
    assert checked.returncode == 0, checked.stderr
    _assert_exactly_once(config, expected)


def _assert_nothing_dangles(config: Path) -> None:
    """Every message of the catalog is in a pack that the state knows, whatever was cut off."""
    with _opened(config) as archive:
        known = {(bytes(row[0]).hex(), row[1]) for row in archive.state.rows(_KNOWN)}
        assert set(archive.catalog.messages()) <= known
        assert archive.catalog.packs() <= {name for _, name in known}


def _assert_exactly_once(config: Path, expected: list[bytes]) -> None:
    wanted = Counter(hashlib.sha256(raw).hexdigest() for raw in expected)
    with _opened(config) as archive:
        stored: Counter[str] = Counter()
        for manifest in archive.vault.manifests():
            for ref in manifest.objects:
                if ref.name.startswith("packs/"):
                    names = archive.vault.pack(ref.name).names()
                    stored.update({name[2:66] for name in names if name.startswith("m/")})
        assert stored == Counter(wanted.keys()), "each message lies in exactly one pack"
        hits = archive.catalog.search("")
        assert {hit.id: len(hit.places) for hit in hits} == dict(wanted)
        for hit in hits:
            assert hashlib.sha256(archive.vault.read(hit.id, hit.pack)).hexdigest() == hit.id
        assert not list(archive.work.spool.iterdir())


@contextmanager
def _opened(config: Path) -> Iterator[Archive]:
    """The archive; a process that the killed run was just starting holds the lock for a moment longer."""
    settings = load(config)
    assert settings.archive.passphrase is not None
    passphrase, until = settings.archive.passphrase.reveal(), time.monotonic() + 10
    with ExitStack() as stack:
        while True:
            try:
                archive = stack.enter_context(open_archive(settings, passphrase))
                break
            except LockedError:
                assert time.monotonic() < until, "the lock outlives the run"
                time.sleep(0.1)
        yield archive


def _config(folder: Path, dovecot: Dovecot, user: str) -> Path:
    (folder / "password").write_text(dovecot.password)
    passphrase = new_passphrase()  # a chosen one is stretched for longer than a run lasts
    (folder / "passphrase").write_text(passphrase)
    for name in ("password", "passphrase"):
        (folder / name).chmod(0o600)
    config = folder / "mailark.toml"
    config.write_text(
        f"""
[archive]
stores = ["{folder}/a", "{folder}/b"]
copies = 2
work = "{folder}/work"
passphrase_file = "{folder}/passphrase"

[[account]]
name = "shop"
host = "127.0.0.1"
port = {dovecot.port}
security = "plain"
user = "{user}"
password_file = "{folder}/password"
"""
    )
    create_archive(load(config), passphrase, classic=False, generated=True)
    return config


def _message_maker(chance: random.Random) -> Iterator[bytes]:
    attachments = [chance.randbytes(30_000) for _ in range(4)]
    number = 0
    while True:
        number += 1
        head = f"From: a@example.com\r\nTo: b@example.com\r\nSubject: 合同 {number}\r\nMessage-ID: <{number}@x>\r\n"
        if chance.random() < 0.7:
            yield f"{head}\r\n{chance.randbytes(1500).hex()}\r\n".encode()
            continue
        body = "MIME-Version: 1.0\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        data = base64.encodebytes(chance.choice(attachments)).replace(b"\n", b"\r\n")
        yield (head + body).encode() + data


def _cli(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "archiver.cli.main", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
