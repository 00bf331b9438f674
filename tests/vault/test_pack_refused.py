"""What cannot be put into a pack, and disks that fail while one is written."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from archiver.errors import IntegrityError, MailarkError, QuotaError, StoreError
from archiver.vault.pack import PackWriter
from tests.vault.packs import IDENTITY, made_up, message, opened, write


@pytest.mark.parametrize(
    "name",
    [
        "../etc/passwd",
        "m/../x",
        "/m/" + "a" * 64,
        "m/" + "A" * 64 + ".eml",
        "m/" + "a" * 64 + ".eml\n",
        "b/x",
        "",
        "c/../x.jsonl",
    ],
)
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    with pytest.raises(IntegrityError):
        writer.add(name, b"x")
    writer.abort()
    assert not list(tmp_path.iterdir())


def test_a_message_that_does_not_hash_to_its_name_is_noticed_before_the_pack_has_one(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="differs from what was put in"):
        write(tmp_path, {message(b"one"): b"two"})
    assert not list(tmp_path.iterdir())


def test_a_name_is_taken_once_and_an_era_must_be_one(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    writer.add(message(b"x"), b"x")
    with pytest.raises(MailarkError, match="already"):
        writer.add(message(b"x"), b"x")
    writer.abort()
    with pytest.raises(MailarkError, match="era"):
        PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="../mail-2026")


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, QuotaError), (errno.EDQUOT, QuotaError), (errno.EIO, StoreError)]
)
@pytest.mark.parametrize("call", ["fsync", "pread"])
def test_a_disk_that_fails_leaves_no_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[MailarkError], call: str
) -> None:
    calls = []

    def fail(*args: object) -> None:
        calls.append(args)
        raise OSError(number, "made to fail")

    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    writer.add(message(b"x"), b"x")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(kind):
        writer.finish()
    assert len(calls) == 1, "a failed call is never tried again on the same file"
    assert not list(tmp_path.iterdir())


def test_a_really_full_disk(tmp_path: Path) -> None:
    """/dev/full answers every write with ENOSPC."""
    (tmp_path / "open.pack").symlink_to("/dev/full")
    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    with pytest.raises(QuotaError):
        for name, data in made_up(10, 0, 20).items():
            writer.add(name, data)
    writer.abort()
    assert not list(tmp_path.iterdir())


class FailingFile(io.FileIO):
    """A file whose write number `fails` (and all after it, when `sticky`) ends in an error; other writes are short."""

    def __init__(self, path: Path, fails: int, error: int, sticky: bool) -> None:
        super().__init__(path, "wb")
        self.fails, self.error, self.sticky, self.calls = fails, error, sticky, 0

    def write(self, data: bytes) -> int:
        self.calls += 1
        if self.calls == self.fails or (self.sticky and self.calls > self.fails):
            raise OSError(self.error, "made to fail")
        view = memoryview(data)
        return super().write(view[: max(1, len(view) * 2 // 3)])


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, QuotaError), (errno.EIO, StoreError)])
@pytest.mark.parametrize("sticky", [False, True])
def test_a_disk_that_fails_at_any_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[MailarkError], sticky: bool
) -> None:
    """Every write of a pack fails in turn; the others are cut short by the system, which must do no harm."""
    members = made_up(13, 30, 4)
    real = Path.open
    for fails in range(1, 200):

        def opens(path: Path, mode: str = "r", *args: int, fails: int = fails, **options: int) -> object:
            if mode != "wb":
                return real(path, mode, *args, **options)  # type: ignore[call-overload]
            return io.BufferedWriter(FailingFile(path, fails, number, sticky), 256 * 1024)

        monkeypatch.setattr(Path, "open", opens)
        writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
        try:
            for name, data in members.items():
                writer.add(name, data)
            found = writer.finish()
            break
        except kind:
            writer.abort()
        assert not list(tmp_path.iterdir())
    print(f"{fails - 1} writes failed in turn, none made a pack")
    assert fails > 10 and dict(opened(found.path.read_bytes()).members()) == members


def test_a_folder_that_cannot_be_synced_leaves_no_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "made to fail")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError):
        write(tmp_path, made_up(14, 3))
    assert not list(tmp_path.iterdir())


def test_what_the_disk_gives_back_otherwise_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pread

    def flipped(descriptor: int, size: int, start: int) -> bytes:
        data = bytearray(real(descriptor, size, start))
        if start <= 3000 < start + len(data):
            data[3000 - start] ^= 1
        return bytes(data)

    monkeypatch.setattr(os, "pread", flipped)
    with pytest.raises(IntegrityError):
        write(tmp_path, made_up(11, 40))
    assert not list(tmp_path.iterdir())
