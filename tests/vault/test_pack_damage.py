"""Packs that are damaged, and those that a holder of the public key made up: none is accepted."""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archiver.errors import AuthError, IntegrityError
from archiver.vault import age, index, pack, tar, zstd
from archiver.vault.pack import PackReader
from tests.vault.packs import Ranges, made_up, message, opened, read_all, sealed, write


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
