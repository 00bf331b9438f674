"""One identity of each kind, and files sealed to it."""

from __future__ import annotations

import random

import pytest

from archiver.errors import AuthError, IntegrityError
from archiver.vault import age, header

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
