"""Packs: what goes in comes out, by ranges, as a whole and with stock tools."""

from __future__ import annotations

import hashlib
import io
import mmap
import random
import shutil
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from archiver.vault import age, pack, zstd
from archiver.vault.pack import PackReader, PackWriter
from tests.vault.packs import IDENTITY, Ranges, made_up, message, opened, plaintext, write


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
