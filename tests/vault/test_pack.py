"""Packs: what goes in comes out, by ranges, as a whole and with stock tools; and no damage is accepted."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import mmap
import os
import random
import shutil
import stat
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archiver.errors import AuthError, IntegrityError, MailarkError, QuotaError, StoreError
from archiver.vault import age, index, pack, tar, zstd
from archiver.vault.pack import PackReader, PackWriter, SealedPack

IDENTITY = age.X25519Identity.generate()
Members = dict[str, bytes]


def message(data: bytes) -> str:
    return f"m/{hashlib.sha256(data).hexdigest()}.eml"


def made_up(seed: int, texts: int, segments: int = 0) -> Members:
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(2, 9)).hex() for _ in range(400)]
    members: Members = {}
    for _ in range(texts):
        data = " ".join(rng.choices(words, k=rng.randrange(20, 900))).encode()
        members[message(data)] = data
    for _ in range(segments):
        data = rng.randbytes(rng.randrange(4_000, 300_000))
        members[f"b/{hashlib.sha256(data).hexdigest()}"] = data
    return members


def write(folder: Path, members: Members, identity: age.Identity = IDENTITY) -> SealedPack:
    writer = PackWriter(folder / "open.pack", identity.recipient(), era="mail-2026")
    for name, data in members.items():
        writer.add(name, data)
    return writer.finish()


class Ranges:
    """An object in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sizes: list[int] = []

    def __call__(self, start: int, size: int) -> bytes:
        self.sizes.append(size)
        return self.data[start : start + size]


def opened(data: bytes, **options: int) -> PackReader:
    return PackReader(Ranges(data), len(data), [IDENTITY], **options)


def plaintext(data: bytes) -> bytes:
    return age.decrypt(data, [IDENTITY])


def sealed(plain: bytes) -> bytes:
    return age.encrypt(plain, [IDENTITY.recipient()])


def test_members_come_back_by_name_and_in_order(tmp_path: Path) -> None:
    members = made_up(1, 400, 12) | {
        "m/" + "a" * 64 + ".json": b"{}",
        "m/" + "a" * 64 + ".skel": b"",
        "c/places.jsonl": b"[]\n",
    }
    found = write(tmp_path, members)
    data = found.path.read_bytes()
    reader = opened(data)
    assert set(reader.names()) == set(members) and list(reader.names()) == [name for name, _ in found.members]
    assert {name: reader.read(name) for name in members} == members
    assert dict(reader.members()) == members
    assert [name for name, _ in reader.members()] == list(reader.names())
    assert dict(reader.hashes()) == {name: hashlib.sha256(data).digest() for name, data in members.items()}


def test_the_name_is_the_hash_of_the_object_and_the_spool_holds_nothing_else(tmp_path: Path) -> None:
    found = write(tmp_path, made_up(2, 30))
    data = found.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == found.sha256 and len(data) == found.size
    assert found.name == f"packs/mail-2026/{found.sha256[:2]}/{found.sha256}.age"
    assert list(tmp_path.iterdir()) == [found.path] and found.path.name == f"{found.sha256}.age"


def test_an_empty_pack_and_an_empty_member(tmp_path: Path) -> None:
    assert dict(opened(write(tmp_path, {}).path.read_bytes()).members()) == {}
    members = {message(b""): b""}
    reader = opened(write(tmp_path, members).path.read_bytes())
    assert dict(reader.members()) == members and reader.read(message(b"")) == b""


@pytest.mark.parametrize("identity", [age.X25519Identity.generate(), age.HybridIdentity.generate()])
def test_one_message_is_read_with_few_small_ranges(tmp_path: Path, identity: age.Identity) -> None:
    members = made_up(3, 900, 150)
    found = write(tmp_path, members, identity)
    ranges = Ranges(found.path.read_bytes())
    for name in [name for name in members if name.startswith("m/")][:900:90]:
        ranges.sizes.clear()
        assert PackReader(ranges, found.size, [identity]).read(name) == members[name]
        assert len(ranges.sizes) <= 4 and sum(ranges.sizes) <= 330_000, ranges.sizes
    print(f"{found.size} byte pack of {len(members)} members: {len(ranges.sizes)} ranges, {sum(ranges.sizes)} bytes")


def test_the_next_message_of_the_same_frame_costs_no_range(tmp_path: Path) -> None:
    members = made_up(4, 40)
    data = write(tmp_path, members).path.read_bytes()
    ranges = Ranges(data)
    reader = PackReader(ranges, len(data), [IDENTITY])
    before = len(ranges.sizes)
    assert all(reader.read(name) == data for name, data in members.items())
    assert len(ranges.sizes) <= before + 1


@pytest.mark.parametrize("extra", [-1025, -1024, -513, -512, -1, 0, 1, 511, 512, pack.MAX_FRAME - 512, pack.MAX_FRAME])
def test_members_around_the_limit_of_a_frame(tmp_path: Path, extra: int) -> None:
    big = bytes(random.Random(5).randbytes(1 << 20)) * 8
    big = (big * 2)[: pack.MAX_FRAME + extra]
    members = {message(b"before"): b"before", message(big): big, message(b"after"): b"after"}
    data = write(tmp_path, members).path.read_bytes()
    reader = opened(data)
    assert {name: reader.read(name) for name in members} == members == dict(reader.members())
    frames = list(zstd.frames(plaintext(data)[: reader._index.offsets[-1]], limit=1 << 30))
    assert max(map(len, frames)) <= pack.MAX_FRAME
    with tarfile.open(fileobj=io.BytesIO(b"".join(frames))) as archive:
        assert archive.getnames() == list(reader.names())


def test_a_huge_member_is_mapped_and_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    block = random.Random(6).randbytes(1 << 20)
    with path.open("wb") as file:
        for number in range(80):
            file.write(number.to_bytes(4, "big") + block[4:])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tracemalloc.start()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
        writer.add(f"m/{digest}.eml", view)
    found = writer.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"80 MiB member: peak {peak / 1e6:.0f} MB")
    assert peak < 40_000_000
    assert hashlib.sha256(opened(found.path.read_bytes()).read(f"m/{digest}.eml")).hexdigest() == digest


def test_a_small_map_may_be_closed_after_the_call(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")
    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    with (tmp_path / "small").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        writer.add(message(b"small"), view)
    assert dict(opened(writer.finish().path.read_bytes()).members()) == {message(b"small"): b"small"}


def test_stock_tools_restore_a_pack(tmp_path: Path) -> None:
    missing = [tool for tool in ("age", "zstd", "tar") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {missing}")
    members = made_up(7, 200, 10) | {"m/" + "e" * 64 + ".skel": b"x"}
    found = write(tmp_path, members)
    (tmp_path / "key").write_text(f"{IDENTITY}\n")
    command = 'set -o pipefail; age -d -i key "$0" | zstd -d | tar -x --warning=all && zstd -t <(age -d -i key "$0")'
    done = subprocess.run(
        ["bash", "-c", command, found.path.name], cwd=tmp_path, capture_output=True, timeout=60, text=True, check=True
    )
    assert "tar:" not in done.stderr
    restored = {f"{path.relative_to(tmp_path)}": path for path in tmp_path.glob("[bm]/*")}
    assert {name: path.read_bytes() for name, path in restored.items()} == members
    assert {path.stat().st_mode & 0o7777 for path in restored.values()} == {0o644}
    assert {path.stat().st_mtime for path in restored.values()} == {0}


def test_equal_members_give_an_equal_plaintext(tmp_path: Path) -> None:
    one, two = (write(tmp_path, made_up(8, 100, 4)).path.read_bytes() for _ in range(2))
    assert one != two and plaintext(one) == plaintext(two)


def test_the_size_tells_when_a_pack_is_full(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path / "open.pack", IDENTITY.recipient(), era="mail-2026")
    for name, data in made_up(9, 0, 40).items():
        writer.add(name, data)
    estimate = writer.size
    assert abs(writer.finish().size - estimate) < 50_000


# -- what cannot be put in


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


# -- damage


def read_all(data: bytes) -> Members:
    return dict(opened(data).members())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    members = made_up(12, 3) | {"b/" + "c" * 64: random.Random(1).randbytes(600)}
    return write(tmp_path_factory.mktemp("small"), members).path.read_bytes()


def accepted(variants: Iterator[bytes], name: str) -> list[int]:
    """Numbers of the variants that the reader or the hash in the name let pass."""
    found = []
    for number, data in enumerate(variants):
        try:
            read_all(data)
        except (IntegrityError, AuthError):
            if hashlib.sha256(data).hexdigest() != name:
                continue
        found.append(number)
    print(f"{number + 1} variants, {len(found)} accepted")
    return found


def test_a_flipped_bit_in_any_byte_is_noticed(small: bytes) -> None:
    name = hashlib.sha256(small).hexdigest()
    flips = (small[:at] + bytes([small[at] ^ (1 << at % 8)]) + small[at + 1 :] for at in range(len(small)))
    assert accepted(flips, name) == []


def test_every_truncation_and_appended_bytes_are_noticed(small: bytes) -> None:
    name = hashlib.sha256(small).hexdigest()
    assert accepted((small[:size] for size in range(len(small))), name) == []
    assert accepted((small + bytes(size) for size in (1, 15, 16, 17, 512, 65_552, 70_000)), name) == []


def test_another_key_opens_nothing(small: bytes) -> None:
    with pytest.raises(AuthError):
        PackReader(Ranges(small), len(small), [age.X25519Identity.generate()])


# -- what a holder of the public key can seal


def rebuilt(
    tar_bytes: bytes, members: list[tuple[str, int]], frame: bytes | None = None, size: int | None = None
) -> bytes:
    """A well-sealed pack with this tar, its index made up by whoever knows the recipient."""
    frame = zstd.compress(tar_bytes) if frame is None else frame
    value = {"index": 1, "frames": [[len(frame), len(tar_bytes) if size is None else size]], "members": members}
    body = zstd.compress(json.dumps(value).encode())
    plain = (
        frame + index._SKIPPABLE.pack(index._MAGIC, len(body) + 16) + body + index._TRAILER.pack(len(body), index._MARK)
    )
    return sealed(plain)


NAME = "m/" + "d" * 64 + ".skel"
GOOD = tar.header(NAME, 5) + b"hello" + bytes(507) + tar.END


def other_header(name: str, **fields: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = 5, 0
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


def test_the_way_to_make_a_hostile_pack_makes_a_good_one() -> None:
    assert read_all(rebuilt(GOOD, [(NAME, 5)])) == {NAME: b"hello"}


HOSTILE: dict[str, Callable[[], bytes]] = {
    "path out of the folder": lambda: rebuilt(other_header("m/../../x") + GOOD[512:], [("m/../../x", 5)]),
    "absolute path": lambda: rebuilt(other_header("/etc/passwd") + GOOD[512:], [("/etc/passwd", 5)]),
    "path only in the tar": lambda: rebuilt(other_header("../x") + GOOD[512:], [(NAME, 5)]),
    "another name in the tar": lambda: rebuilt(tar.header("b/" + "e" * 64, 5) + GOOD[512:], [(NAME, 5)]),
    "symbolic link": lambda: rebuilt(other_header(NAME, type=tarfile.SYMTYPE) + GOOD[512:], [(NAME, 5)]),
    "set-uid": lambda: rebuilt(other_header(NAME, mode=0o4755) + GOOD[512:], [(NAME, 5)]),
    "bytes between members": lambda: rebuilt(GOOD[:600] + b"x" + GOOD[601:], [(NAME, 5)]),
    "no end of archive": lambda: rebuilt(GOOD[:-1024], [(NAME, 5)]),
    "half an end of archive": lambda: rebuilt(GOOD[:-512] + b"x" * 512, [(NAME, 5)]),
    "bytes after the end": lambda: rebuilt(GOOD + bytes(512), [(NAME, 5)]),
    "member not in the tar": lambda: rebuilt(tar.END, [(NAME, 5)]),
    "member not in the index": lambda: rebuilt(GOOD, []),
    "another size in the index": lambda: rebuilt(GOOD, [(NAME, 6)]),
    "the same member twice": lambda: rebuilt(GOOD[:1024] * 2 + tar.END, [(NAME, 5), (NAME, 5)]),
    "frame shorter than the index says": lambda: rebuilt(GOOD, [(NAME, 5)], zstd.compress(GOOD[:-512])),
    "bytes after the frame": lambda: rebuilt(GOOD, [(NAME, 5)], zstd.compress(GOOD) + b"x"),
    "a second frame": lambda: rebuilt(GOOD, [(NAME, 5)], zstd.compress(GOOD) + zstd.compress(b"")),
    "no frame": lambda: rebuilt(GOOD, [(NAME, 5)], b"not a frame"),
    "frame beyond the limit": lambda: rebuilt(bytes(pack.MAX_FRAME + 512), []),
    "negative size": lambda: rebuilt(GOOD, [(NAME, -5)]),
    "fraction of a byte": lambda: rebuilt(GOOD, [(NAME, 5.0)]),  # type: ignore[list-item]
    "not an index": lambda: sealed(zstd.compress(GOOD)),
    "nothing": lambda: sealed(b""),
    "index longer than the pack": lambda: sealed(bytes(8) + index._TRAILER.pack(2**40, index._MARK)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_well_sealed_hostile_pack_is_refused(kind: str) -> None:
    data = HOSTILE[kind]()
    with pytest.raises(IntegrityError):
        read_all(data)
    with pytest.raises(IntegrityError):
        reader = opened(data)
        for name in reader.names():
            reader.read(name)
        list(reader.members())


def test_bombs_cost_no_more_than_they_are_allowed() -> None:
    bomb = zstd.compress(bytes(1 << 28), level=19)
    assert len(bomb) < 30_000
    tracemalloc.start()
    with pytest.raises(IntegrityError):
        read_all(rebuilt(GOOD, [(NAME, 5)], bomb))
    with pytest.raises(IntegrityError):
        read_all(rebuilt(GOOD, [(NAME, 5)], bomb, 1 << 28))
    lying = bomb[:5] + (2048).to_bytes(len(bomb) and 4, "little") + bomb[9:]
    with pytest.raises(IntegrityError):
        zstd.decompress(lying, limit=1 << 20)
    with pytest.raises(IntegrityError):
        list(zstd.frames(zstd.compress(bytes(60)) * 2, limit=59))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_a_frame_that_is_cut_or_longer_is_no_frame() -> None:
    good = zstd.compress(b"some text " * 40)
    assert zstd.decompress(good, limit=400) == b"some text " * 40
    for bad in [*(good[:size] for size in range(len(good))), good + b"x", good + good]:
        with pytest.raises(IntegrityError):
            zstd.decompress(bad, limit=400)
    for bad in [good + good[:size] for size in range(1, len(good))]:
        with pytest.raises(IntegrityError):
            list(zstd.frames(bad, limit=800))
    assert list(zstd.frames(good + good, limit=800)) == [b"some text " * 40] * 2
    with pytest.raises(IntegrityError):
        zstd.decompress(good, limit=399)


def test_no_member_above_what_the_reader_allows(tmp_path: Path) -> None:
    data = write(tmp_path, {message(bytes(1001)): bytes(1001)}).path.read_bytes()
    assert opened(data, max_member=1001).read(message(bytes(1001))) == bytes(1001)
    for use in (lambda reader: reader.read(message(bytes(1001))), lambda reader: list(reader.members())):
        with pytest.raises(IntegrityError, match="1000 are allowed"):
            use(opened(data, max_member=1000))


def test_reading_a_member_that_is_not_there(small: bytes) -> None:
    with pytest.raises(IntegrityError, match="does not hold"):
        opened(small).read("b/" + "0" * 64)
