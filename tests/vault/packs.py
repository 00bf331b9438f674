"""Packs for tests: made up, sealed to a key that is known, read from memory."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from archiver.vault import age
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


def read_all(data: bytes) -> Members:
    return dict(opened(data).members())
