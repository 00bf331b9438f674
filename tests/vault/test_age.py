"""The age file format: round trips, ranges, damage, memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import AuthError, IntegrityError
from archiver.vault import age, header
from tests.vault.age_kinds import HYBRID, KINDS, SEALED, X25519, kinds, noise, payload_start, reader, refused


@kinds
@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 300_000, 1 << 21])
def test_round_trip(kind: str, size: int) -> None:
    identity, recipient = KINDS[kind]
    data = noise(size)
    sealed = age.encrypt(data, [recipient])
    assert age.decrypt(sealed, [identity]) == data
    chunks = max(1, -(-size // age.CHUNK))
    assert len(sealed) == payload_start(sealed) + size + 16 * chunks


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.sampled_from([0, 1, 7, 65535, 65536, 65537, 131072, 200_001]), max_size=6),
    ranges=st.lists(st.tuples(st.integers(0, 700_000), st.integers(0, 300_000)), max_size=4),
    edges=st.lists(st.tuples(st.integers(0, 9), st.integers(-2, 2), st.integers(0, 65_540)), max_size=4),
)
def test_pieces_in_ranges_out(
    pieces: list[int], ranges: list[tuple[int, int]], edges: list[tuple[int, int, int]]
) -> None:
    """Whatever the sizes of the writes and of the reads, the same bytes come back, in any order of reads."""
    out = BytesIO()
    writer = age.Writer(out, [X25519.recipient()])
    data = b"".join(noise(size, seed) for seed, size in enumerate(pieces))
    position = 0
    for size in pieces:
        writer.write(memoryview(data)[position : position + size])
        position += size
    writer.close()
    opened = reader(out.getvalue())
    for start, size in ranges + [(max(0, age.CHUNK * chunk + off), size) for chunk, off, size in edges]:
        assert opened.read(start, size) == data[start : start + size]
    assert opened.size == len(data)
    assert opened.read(0, opened.size) == data


def test_writes_take_any_buffer() -> None:
    out = BytesIO()
    writer = age.Writer(out, [X25519.recipient()])
    for piece in (b"a", bytearray(b"b"), memoryview(b"xcx")[1:2], memoryview(b"dd").cast("H")):
        writer.write(piece)
    writer.close()
    assert age.decrypt(out.getvalue(), [X25519]) == b"abcdd"


def test_the_file_key_opens_without_an_identity() -> None:
    out = BytesIO()
    writer = age.Writer(out, [HYBRID.recipient()])
    writer.write(b"mail")
    writer.close()
    data = out.getvalue()

    def source(start: int, size: int) -> bytes:
        return data[start : start + size]

    assert age.Reader(source, len(data), [], file_key=writer.file_key).read(0, 9) == b"mail"
    with pytest.raises(IntegrityError):
        age.Reader(source, len(data), [], file_key=bytes(16))
    with pytest.raises(AuthError):
        age.Reader(source, len(data), [])


@kinds
def test_another_identity_is_an_auth_error(kind: str) -> None:
    sealed = age.encrypt(b"mail", [KINDS[kind][1]])
    for stranger in (age.X25519Identity.generate(), age.HybridIdentity.generate(), age.ScryptIdentity("wrong")):
        with pytest.raises(AuthError):
            age.decrypt(sealed, [stranger])


@kinds
@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537])
def test_one_bit_flipped_in_every_byte(kind: str, size: int) -> None:
    """Every byte of small files; of large ones every byte of the header, nonce and tags, and samples of the rest."""
    identity, recipient = KINDS[kind]
    sealed = age.encrypt(noise(size), [recipient])
    body = payload_start(sealed)
    tail = range(max(body, len(sealed) - 40), len(sealed))
    middle = range(body, len(sealed), 1 if size < 2 else 2003)
    places = sorted({*range(body), *middle, *tail})
    for at in places:
        damaged = bytearray(sealed)
        damaged[at] ^= 1 << at % 8
        assert refused(bytes(damaged), identity), f"byte {at} of {len(sealed)}"
    print(f"{kind}, {size} bytes: {len(places)} bits flipped, 0 accepted")


@kinds
@pytest.mark.parametrize("size", [0, 100])
def test_truncated_at_every_length(kind: str, size: int) -> None:
    identity, recipient = KINDS[kind]
    sealed = age.encrypt(noise(size), [recipient])
    began = time.process_time()
    assert all(refused(sealed[:length], identity) for length in range(len(sealed)))
    assert time.process_time() - began < 20
    print(f"{kind}, {size} bytes: cut at {len(sealed)} lengths, 0 accepted")


@kinds
def test_appended_bytes(kind: str) -> None:
    identity, recipient = KINDS[kind]
    for size in (0, 1, 65535, 65536, 65537):
        sealed = age.encrypt(noise(size), [recipient])
        for more in (b"\0", b"\n", bytes(15), bytes(16), bytes(17), sealed, bytes(SEALED), bytes(SEALED + 16)):
            assert refused(sealed + more, identity)
            assert refused(more + sealed, identity)


def test_chunks_swapped_dropped_doubled_or_cut_at_a_border() -> None:
    sealed = age.encrypt(noise(4 * age.CHUNK), [X25519.recipient()])
    start = payload_start(sealed)
    chunks = [sealed[at : at + SEALED] for at in range(start, len(sealed), SEALED)]
    assert len(chunks) == 4
    orders = [
        [1, 0, 2, 3],
        [0, 1, 3, 2],
        [3, 1, 2, 0],
        [0, 1, 2],
        [1, 2, 3],
        [0, 2, 3],
        [0, 1, 2, 2, 3],
        [0, 0],
        [0],
        [],
    ]
    for order in orders:
        altered = sealed[:start] + b"".join(chunks[number] for number in order)
        assert refused(altered, X25519), order
        if len(order) != 4 or order[-1] != 3:
            with pytest.raises(IntegrityError):  # already when only the size is asked for
                assert reader(altered).size
            with pytest.raises(IntegrityError):  # or what lies beyond the end
                reader(altered).read(10 * age.CHUNK, 1)
    assert not refused(sealed[:start] + b"".join(chunks), X25519)


def test_an_empty_last_chunk_is_refused_unless_all_is_empty() -> None:
    sealed = age.encrypt(noise(age.CHUNK), [X25519.recipient()])
    with pytest.raises(IntegrityError):
        reader(sealed + bytes(16))
    assert age.decrypt(age.encrypt(b"", [X25519.recipient()]), [X25519]) == b""


def test_a_chunk_of_another_file_is_refused() -> None:
    first, second = (age.encrypt(noise(3 * age.CHUNK), [X25519.recipient()]) for _ in range(2))
    start = payload_start(first)
    assert refused(
        first[: start + SEALED] + second[start + SEALED : start + 2 * SEALED] + first[start + 2 * SEALED :], X25519
    )
    assert refused(first[: header.end(first)] + second[header.end(second) :], X25519)


def test_a_source_that_gives_less_than_asked_is_noticed() -> None:
    sealed = age.encrypt(noise(200_000), [X25519.recipient()])

    def short(limit: int) -> Callable[[int, int], bytes]:
        return lambda start, size: sealed[start : min(start + size, limit)]

    for limit in (0, 10, 300, 70_000, len(sealed) - 1):
        with pytest.raises(IntegrityError):
            age.Reader(short(limit), len(sealed), [X25519]).read(0, 200_000)


def test_a_range_touches_only_its_chunks() -> None:
    sealed = age.encrypt(noise(4 << 20), [HYBRID.recipient()])
    asked: list[tuple[int, int]] = []

    def source(start: int, size: int) -> bytes:
        asked.append((start, size))
        return sealed[start : start + size]

    opened = age.Reader(source, len(sealed), [HYBRID])
    assert [size for _, size in asked] == [4096]
    asked.clear()
    opened.read(3 * age.CHUNK - 5, 10)
    assert [size for _, size in asked] == [2 * SEALED]
    asked.clear()
    assert opened.size == 4 << 20
    opened.read(opened.size - 100, 100)
    opened.read(opened.size - age.CHUNK - 1, 10_000_000)
    assert [size for _, size in asked] == [SEALED, SEALED]
    print(f"a message in a pack costs {2 * SEALED / 1024:.0f} KiB")


class _Nowhere(BytesIO):
    def write(self, data: object) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]


def test_memory_is_bounded() -> None:
    data = bytes(64 << 20)
    tracemalloc.start()
    try:
        writer = age.Writer(_Nowhere(), [HYBRID.recipient()])
        writer.write(data)
        for _ in range(64):
            writer.write(memoryview(data)[: 1 << 20])
        writer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"peak of a 128 MiB file: {peak / (1 << 20):.1f} MiB")
    assert peak < 4 << 20
