"""Headers of age files: which stanzas may stand there, and how much of them is read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import ConfigError, IntegrityError, MailarkError
from archiver.vault import age, header
from tests.vault.age_kinds import HYBRID, LOG_N, PASSPHRASE, X25519


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
