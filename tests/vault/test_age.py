"""The age file format: round trips, ranges, damage, limits."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import AuthError, ConfigError, IntegrityError, MailarkError
from archiver.vault import age, bech32, header

LOG_N = 4
SEALED = age.CHUNK + 16
X25519 = age.X25519Identity.generate()
HYBRID = age.HybridIdentity.generate()
PASSPHRASE = age.ScryptIdentity("correct horse")
KINDS: dict[str, tuple[age.Identity, age.Recipient]] = {
    "x25519": (X25519, X25519.recipient()),
    "hybrid": (HYBRID, HYBRID.recipient()),
    "scrypt": (PASSPHRASE, age.ScryptRecipient("correct horse", LOG_N)),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def reader(data: bytes, identity: age.Identity = X25519, **options: int) -> age.Reader:
    return age.Reader(lambda start, size: data[start : start + size], len(data), [identity], **options)


def refused(data: bytes, identity: age.Identity) -> bool:
    """Whether `data` opens neither as a whole nor by its first bytes."""
    try:
        age.decrypt(data, [identity])
    except (AuthError, IntegrityError):
        return True
    return False


def payload_start(data: bytes) -> int:
    return header.end(data) + 16


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


def _wrapped(*stanzas: header.Stanza, file_key: bytes = bytes(16)) -> bytes:
    """An empty file with hand-made stanzas under a correct MAC."""
    signed = header.write(stanzas)
    mac = header.b64encode(age._mac(file_key, signed)).encode()
    nonce = bytes(16)
    payload = age._payload_cipher(file_key, nonce).encrypt(age._chunk_nonce(0, last=True), b"", None)
    return signed + b" " + mac + b"\n" + nonce + payload


def test_rules_for_stanzas() -> None:
    key = bytes(16)
    mine, other = X25519.recipient().wrap(key), age.X25519Identity.generate().recipient().wrap(key)
    scrypt = age.ScryptRecipient("correct horse", LOG_N).wrap(key)
    assert age.decrypt(_wrapped(mine), [X25519]) == b""
    assert age.decrypt(_wrapped(other, mine), [X25519], max_stanzas=2) == b""
    bad = [
        _wrapped(other, mine),  # more than one in a pack
        _wrapped(),
        _wrapped(header.Stanza("X25519", (), mine.body)),
        _wrapped(header.Stanza("X25519", (*mine.args, "x"), mine.body)),
        _wrapped(header.Stanza("X25519", mine.args, mine.body + b"x")),
        _wrapped(header.Stanza("X25519", mine.args, mine.body[:-1])),
        _wrapped(header.Stanza("X25519", (mine.args[0] + "=",), mine.body)),
        _wrapped(header.Stanza("X25519", (mine.args[0][:-2],), mine.body)),
        _wrapped(header.Stanza("X25519", (header.b64encode(bytes(32)),), mine.body)),
        _wrapped(mine).replace(b" X25519 ", b"  X25519 "),
        _wrapped(mine).replace(b"-> X25519", b"->X25519"),
        _wrapped(mine).replace(b"\n", b"\r\n", 3),
    ]
    for data in bad:
        with pytest.raises(IntegrityError):
            age.decrypt(data, [X25519])
    for stanzas in ((scrypt, mine), (mine, scrypt), (scrypt, scrypt)):
        for identity in (X25519, PASSPHRASE):
            with pytest.raises(IntegrityError, match="only recipient"):
                age.decrypt(_wrapped(*stanzas), [identity], max_stanzas=2)


def test_lines_are_bounded() -> None:
    mine = X25519.recipient().wrap(bytes(16))
    for length, fits in ((4000, True), (5000, False)):
        data = _wrapped(header.Stanza("other", ("a" * length,), b""), mine)
        if fits:
            assert age.decrypt(data, [X25519], max_stanzas=2) == b""
        else:
            with pytest.raises(IntegrityError, match="overlong"):
                age.decrypt(data, [X25519], max_stanzas=2)


@pytest.mark.parametrize("log_n", ["0", "04", "+4", "21", "64", "999999999999", "0x4", "-4", "4 ", "٤"])
def test_work_factors_beyond_reason_cost_nothing(log_n: str) -> None:
    stanza = age.ScryptRecipient("correct horse", LOG_N).wrap(bytes(16))
    began = time.process_time()
    data = _wrapped(stanza).replace(b" 4\n", f" {log_n}\n".encode())
    with pytest.raises(IntegrityError):
        age.decrypt(data, [PASSPHRASE])
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"age-encryption.org/v1",
        b"age-encryption.org/v1\n",
        b"age-encryption.org/v1\n---",
        b"age-encryption.org/v1\n--- ",
        b"age-encryption.org/v2\n-> X25519 a\n\n--- " + b"a" * 43 + b"\n",
        b"age-encryption.org/v1\n" + b"-> a\n\n" * 2_000_000,
        b"age-encryption.org/v1\n-> " + b"a" * 20_000_000,
        b"age-encryption.org/v1\n-> a\n" + b"A" * 20_000_000,
        b"age-encryption.org/v1\n-> a\n" + (b"A" * 64 + b"\n") * 300_000,
        b"\n" * 10_000_000,
        b"-----BEGIN AGE ENCRYPTED FILE-----\n" * 1000,
    ],
    ids=lambda data: repr(data[:40]) + str(len(data)),
)
def test_endless_headers_end_soon(data: bytes) -> None:
    asked: list[int] = []

    def source(start: int, size: int) -> bytes:
        asked.append(size)
        return data[start : start + size]

    began = time.process_time()
    with pytest.raises(IntegrityError):
        age.Reader(source, len(data), [X25519])
    assert time.process_time() - began < 1
    assert len(asked) <= 2
    assert sum(asked) <= header.MAX_HEADER + 4096


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_refused_in_order(data: bytes, versioned: bool) -> None:
    with pytest.raises(MailarkError):
        age.decrypt(b"age-encryption.org/v1\n" + data if versioned else data, [X25519, HYBRID, PASSPHRASE])


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


def test_who_may_share_a_file() -> None:
    passphrase = age.ScryptRecipient("correct horse", LOG_N)
    for together in (
        [],
        [X25519.recipient(), HYBRID.recipient()],
        [passphrase, passphrase],
        [passphrase, X25519.recipient()],
    ):
        with pytest.raises(ConfigError):
            age.encrypt(b"", together)
    other = age.HybridIdentity.generate()
    both = age.encrypt(b"mail", [HYBRID.recipient(), other.recipient()])
    assert [age.decrypt(both, [who], max_stanzas=2) for who in (HYBRID, other)] == [b"mail", b"mail"]


def test_key_texts_of_the_specification() -> None:
    """The examples in C2SP age.md."""
    classic = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    assert str(age.parse_identity(classic)) == classic
    assert (
        str(age.parse_identity(classic).recipient()) == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    )
    hybrid = age.parse_identity("AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR")
    recipient = str(hybrid.recipient())
    assert recipient.startswith(
        "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6caq5aap"
    )
    assert recipient.endswith("fnegrm9efhxpfqdkmhh6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k")
    assert str(age.parse_recipient(recipient)) == recipient


@pytest.mark.parametrize(
    "text", [str(X25519), str(X25519.recipient()), str(HYBRID)], ids=["identity", "recipient", "hybrid identity"]
)
def test_mistyped_keys_are_refused(text: str) -> None:
    parse = age.parse_identity if text.startswith("AGE") else age.parse_recipient
    assert str(parse(text)) == text
    wrong = {text[:at] + letter + text[at + 1 :] for at in range(len(text)) for letter in "aA1qQ é"} - {text}
    for other in {*wrong, text.swapcase(), text[:-1], text + "q", text + "\n", "", "age1", text.replace("1", "11", 1)}:
        with pytest.raises(ConfigError):
            parse(other)


def test_keys_of_the_wrong_kind_or_size_are_refused() -> None:
    for text in (
        bech32.encode("age", bytes(31)),
        bech32.encode("age1pq", bytes(1215)),
        bech32.encode("ssh", bytes(32)),
    ):
        with pytest.raises(ConfigError):
            age.parse_recipient(text)
        with pytest.raises(ConfigError):
            age.parse_identity(text.upper())
    with pytest.raises(ConfigError):  # coefficients beyond the modulus (FIPS 203 section 7.2)
        age.parse_recipient(bech32.encode("age1pq", b"\xff" * 1216))


def test_other_spellings_of_the_same_bech32_are_refused() -> None:
    right = bech32.encode("age", bytes(32))
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    values = [letters.index(letter) for letter in right.removeprefix("age1")[:-6]]
    values[-1] |= 1  # a bit that belongs to no byte
    check = bech32._checksum([*bech32._expand("age"), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> shift & 31 for shift in range(25, -1, -5)]
    for text in ("age1" + "".join(letters[value] for value in values), right.capitalize(), right + "\u0130"):
        with pytest.raises(ConfigError):
            bech32.decode(text)


@given(st.binary(max_size=200), st.text("abcdefghijk-", min_size=1, max_size=20))
def test_bech32_round_trip(data: bytes, prefix: str) -> None:
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)
    assert bech32.decode(bech32.encode(prefix, data).upper()) == (prefix, data)


def test_no_secret_in_a_repr() -> None:
    shown = repr([X25519, HYBRID, PASSPHRASE, X25519.recipient()])
    assert "correct horse" not in shown
    assert str(X25519)[20:] not in shown
