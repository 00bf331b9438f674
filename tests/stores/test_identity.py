"""Which URLs name one store, and what of a URL may change without the store being forgotten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from archiver.errors import ConfigError
from archiver.journal import CommitJournal
from archiver.opening import open_stores
from archiver.proofs import StateProofs
from archiver.state import State
from archiver.stores.drive import DriveStore
from archiver.stores.drive_url import parse
from archiver.stores.table import identity, place
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Level
from tests.servers.drive import DriveServer

SAME = [
    (
        "s3://mail/archive",
        "s3://mail/archive/",
        "s3://mail/archive?region=eu-central-1&storage_class=GLACIER_IR&retention=10y&lock=compliance",
        "s3://mail/archive?profile=nightly&sse=AES256&addressing=path",
        "s3://mail/archive?endpoint=https://s3.eu-central-1.amazonaws.com",
        "s3://mail/archive?endpoint=https://s3.dualstack.eu-west-1.amazonaws.com/",
        "S3://mail/archive",
    ),
    (
        "s3://mail/archive?region=cn-north-1",
        "s3://mail/archive?region=cn-northwest-1&profile=x",
        "s3://mail/archive?endpoint=https://s3.cn-north-1.amazonaws.com.cn",
    ),
    (
        "s3://mail/a?endpoint=https://S3.example.com",
        "s3://mail/a?endpoint=https://s3.example.com:443/&region=auto",
        "s3://mail/a?endpoint=http://s3.example.com",
        "s3://mail/a?endpoint=http://s3.example.com:80",
    ),
    ("s3://mail/a?endpoint=https://s3.example.com:9000", "s3://mail/a?endpoint=http://s3.example.com:9000"),
    ("s3://mail/a?endpoint=https://s3.example.com/one",),
    ("s3://mail/a?endpoint=http://[::1]:9000", "s3://mail/a?endpoint=http://[::1]:9000/"),
    ("s3://mail",),
    ("s3://mail/archive/2",),
    ("drive://Mail%20archive", "drive://Mail%20archive?client=/c.json&writes_per_second=5&login=keyring"),
    ("drive://Mail%20archive?keep=/other",),
    ("drive://Mail?shared_drive=0AbCd", "drive://Mail?shared_drive=0AbCd&keep=/a&service_account=/k.json"),
    ("drive://Mail?shared_drive=0AbCe",),
    ("drive://id:1AbCd", "drive://id:1AbCd?keep=/other"),
    ("rclone://box:a/b", "rclone://box:a/b/", "rclone://box:a//b", "rclone://box:./a/b"),
    ("rclone://box:/a/b",),
    ("rclone://other:a/b",),
    ("file:///srv/mail", "file:///srv/mail/", "file:///srv/./mail"),
    ("memory:a",),
    ("s3://NOT A BUCKET",),
    ("gopher://x",),
]


def test_one_identity_for_each_place() -> None:
    found = [{identity(url) for url in urls} for urls in SAME]
    assert [len(names) for names in found] == [1] * len(SAME)
    assert len(set.union(*found)) == len(SAME)


@pytest.mark.parametrize("urls", SAME)
def test_an_identity_is_its_own(urls: tuple[str, ...]) -> None:
    for url in urls:
        assert identity(identity(url)) == identity(url)


def test_folders_are_compared_as_the_system_does(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "link").symlink_to(disk)
    other = tmp_path / "other"
    other.mkdir()
    assert place(disk.as_uri()) == place((tmp_path / "link").as_uri()) != place(other.as_uri())
    assert place((tmp_path / "new").as_uri()) != place((tmp_path / "newer").as_uri())
    if os.geteuid() == 0 and not subprocess.run(["mount", "--bind", disk, other], capture_output=True).returncode:
        try:
            assert place(disk.as_uri()) == place(other.as_uri()), "one disk at two places"
        finally:
            subprocess.run(["umount", other], check=True)


def test_a_folder_of_drive_by_name_and_by_id_is_one_place(tmp_path: Path) -> None:
    with DriveServer() as drive:
        url = drive.url(tmp_path / "keep")
        top = DriveStore.create(url, "archive-1").whereabouts().split()[-1]
        by_id = url.replace("Mail%20archive", f"id:{top}")
        assert by_id != url
        parse(by_id).token.write_bytes(parse(url).token.read_bytes())  # the same login
        parse(by_id).token.chmod(0o600)
        assert identity(by_id) != identity(url), "nobody can know before asking"
        with pytest.raises(ConfigError, match="are one place"):
            open_stores([url, by_id])
        assert len(open_stores([by_id])) == 1


OLD = "s3://mail/archive?region=eu-central-1"
NEW = "s3://mail/archive?region=eu-central-1&storage_class=GLACIER_IR"
REF = ObjectRef("a" * 64, 5, "packs/x")


def test_a_state_that_knows_stores_by_their_urls_keeps_its_records(tmp_path: Path) -> None:
    """As versions before wrote it: the URL as it stood in the configuration."""
    state = State.open(tmp_path / "state.db", bytes(32))
    CommitJournal(state)
    StateProofs(state)
    with state.transaction() as db:
        db.execute("INSERT INTO commits(seq, name, sha256, manifest, time) VALUES(1, 'm', 'x', x'00', '2026')")
        db.executemany("INSERT INTO confirmation VALUES(1, ?)", [(OLD,), ("file:///srv/mailark",)])
        db.execute("INSERT INTO proof VALUES(?, 'packs/x', ?, '2026-01-01')", (OLD, "a" * 64))
        db.execute("INSERT INTO checked VALUES(?, '2026', 'full', 0, 1.0, NULL)", (OLD,))
    state.close()
    for _ in range(2):
        state = State.open(tmp_path / "state.db", bytes(32))
        journal, proofs = CommitJournal(state), StateProofs(state)
        assert journal.lacking([NEW, "file:///srv/mailark", "s3://mail/other"]) == {
            NEW: [],
            "file:///srv/mailark": [],
            "s3://mail/other": [(1, "2026")],
        }
        assert list(proofs.known(NEW)) == ["packs/x"]
        checked = proofs.last(NEW)
        assert checked is not None
        assert checked.read == "2026-01-01"
        state.close()


def test_an_option_that_changes_renames_nothing(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state.db", bytes(32))
    journal, proofs = CommitJournal(state), StateProofs(state)
    journal.confirm(1, OLD)
    journal.confirm(1, NEW)
    assert journal.confirmations(1) == {"s3://mail/archive"}
    proofs.keep(OLD, [REF])
    proofs.note(OLD, Level.FULL, 0, 1.0, None)
    proofs.note_locks(OLD, "locked", 1, 0)
    assert list(proofs.known(NEW)) == ["packs/x"]
    assert proofs.last(NEW) is not None
    assert proofs.locked(NEW) is not None
    proofs.drop(NEW, "packs/x")
    assert proofs.known(OLD) == {}
    state.close()
