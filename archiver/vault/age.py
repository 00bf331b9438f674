"""The age v1 file format: encrypt and decrypt, streaming out and seekable in (C2SP age.md, age-encryption.org/v1).

A file is a header with the wrapped file key, a 16-byte nonce, and the payload in chunks of 64 KiB, each sealed with
ChaCha20-Poly1305 under its number and a mark on the last one, so that no chunk can be altered, moved, dropped or added.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from archiver.errors import AuthError, ConfigError, IntegrityError
from archiver.vault import header
from archiver.vault.recipients import (
    FILE_KEY,
    HybridIdentity,
    HybridRecipient,
    Identity,
    Recipient,
    ScryptIdentity,
    ScryptRecipient,
    X25519Identity,
    X25519Recipient,
    parse_identity,
    parse_recipient,
)

__all__ = [
    "CHUNK",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "Reader",
    "Recipient",
    "ScryptIdentity",
    "ScryptRecipient",
    "Writer",
    "X25519Identity",
    "X25519Recipient",
    "decrypt",
    "encrypt",
    "parse_identity",
    "parse_recipient",
]

CHUNK = 64 * 1024
"""Plaintext bytes of a chunk."""
_TAG = 16
_NONCE = 16
_SEALED = CHUNK + _TAG
_WRITTEN = 16
"""Chunks written at once: 1 MiB, so that neither system calls nor memory dominate."""
_FETCHED = 64
"""Chunks fetched at once: 4 MiB, since a store may charge for each request."""
_READ_AHEAD = 4096
"""First read of a file: holds the header of one recipient of any kind."""


class Writer:
    """Encrypts what is written to it into `out`, in bounded memory (about 2 MiB). `close` must end it.

    `out` must write all it is given (a buffered file, BytesIO); its errors pass through. `out` is not closed.
    `file_key` (16 bytes) lets the one who made the file read it back without an identity.
    """

    def __init__(self, out: BinaryIO, recipients: Sequence[Recipient]) -> None:
        self.file_key = os.urandom(FILE_KEY)
        self._out = out
        self._held = bytearray()
        self._count = 0
        nonce = os.urandom(_NONCE)
        self._aead = _payload_cipher(self.file_key, nonce)
        out.write(_sealed_header(self.file_key, recipients) + nonce)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes `data`; a chunk is sealed once it is certain that another one follows."""
        view = memoryview(data).cast("B")
        room = CHUNK - len(self._held)
        self._held += view[:room]
        if len(view) <= room:
            return
        self._emit([memoryview(self._held)])
        position = room
        while len(view) - position > CHUNK:
            full = min(_WRITTEN, (len(view) - position - 1) // CHUNK)
            self._emit([view[position + CHUNK * i : position + CHUNK * (i + 1)] for i in range(full)])
            position += CHUNK * full
        self._held = bytearray(view[position:])

    def close(self) -> None:
        """Seals the last chunk."""
        self._out.write(self._aead.encrypt(_chunk_nonce(self._count, last=True), self._held, None))

    def _emit(self, chunks: list[memoryview]) -> None:
        sealed = [
            self._aead.encrypt(_chunk_nonce(number, last=False), chunk, None)
            for number, chunk in enumerate(chunks, self._count)
        ]
        self._count += len(chunks)
        self._out.write(b"".join(sealed))


class Reader:
    """Any part of an age file's plaintext, read by ranges: `read(start, size)` gives ciphertext, `size` is its bytes.

    The header is read and authenticated at once. AuthError: no identity fits. IntegrityError: anything is not as it
    was written, or there are more than `max_stanzas` recipients (a pack has exactly one). With `file_key` (from the
    Writer) no identity is needed. Errors of `read` pass through.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        size: int,
        identities: Sequence[Identity],
        *,
        file_key: bytes | None = None,
        max_stanzas: int = 1,
    ) -> None:
        self._source = read
        start = self._fetch(0, min(size, _READ_AHEAD))
        if not header.end(start) and size > _READ_AHEAD:
            start = self._fetch(0, min(size, header.MAX_HEADER))
        parsed = header.parse(start, max_stanzas)
        file_key = _file_key(parsed, identities) if file_key is None else file_key
        if not hmac.compare_digest(_mac(file_key, parsed.signed), parsed.mac):
            raise IntegrityError("the header of an encrypted file was altered")
        self._first = parsed.size + _NONCE
        self._chunks, self._claimed = _layout(size - self._first)
        nonce = start[parsed.size : self._first]
        self._aead = _payload_cipher(file_key, nonce if len(nonce) == _NONCE else self._fetch(parsed.size, _NONCE))
        self._tail: bytes | None = None

    @property
    def size(self) -> int:
        """Plaintext bytes; the first call reads the last chunk, which alone proves that nothing was cut off."""
        self._last()
        return self._claimed

    def read(self, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start` (both >= 0); fewer only at the end of the plaintext."""
        stop = min(start + size, self._claimed)
        if start >= stop:
            self._last()
            return b""
        first, end = start // CHUNK, (stop - 1) // CHUNK + 1
        parts = [part for at in range(first, end, _FETCHED) for part in self._open(at, min(at + _FETCHED, end))]
        parts[-1] = parts[-1][: stop - (end - 1) * CHUNK]
        parts[0] = parts[0][start - first * CHUNK :]
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def _open(self, first: int, stop: int) -> list[bytes]:
        """The plaintext of the chunks first … stop - 1; the last one of the file is kept, since indexes live there."""
        inner = min(stop, self._chunks - 1)
        parts = self._unseal(first, inner) if first < inner else []
        return parts if inner == stop else [*parts, self._last()]

    def _last(self) -> bytes:
        if self._tail is None:
            (self._tail,) = self._unseal(self._chunks - 1, self._chunks)
        return self._tail

    def _unseal(self, first: int, stop: int) -> list[bytes]:
        begin, end = first * _SEALED, min(stop * _SEALED, self._claimed + self._chunks * _TAG)
        sealed = memoryview(self._fetch(self._first + begin, end - begin))
        return [self._chunk(number, sealed[number * _SEALED - begin :][:_SEALED]) for number in range(first, stop)]

    def _chunk(self, number: int, sealed: memoryview) -> bytes:
        try:
            return self._aead.decrypt(_chunk_nonce(number, last=number == self._chunks - 1), sealed, None)
        except InvalidTag:
            raise IntegrityError(f"an encrypted file was altered or cut off (chunk {number})") from None

    def _fetch(self, start: int, size: int) -> bytes:
        data = self._source(start, size)
        if len(data) != size:
            raise IntegrityError("an encrypted file is shorter than it must be")
        return data


def encrypt(data: bytes, recipients: Sequence[Recipient]) -> bytes:
    """An age file of `data`, for small things that fit in memory."""
    out = BytesIO()
    writer = Writer(out, recipients)
    writer.write(data)
    writer.close()
    return out.getvalue()


def decrypt(data: bytes, identities: Sequence[Identity], *, max_stanzas: int = 1) -> bytes:
    """The plaintext of a whole age file; errors as `Reader`."""
    reader = Reader(lambda start, size: data[start : start + size], len(data), identities, max_stanzas=max_stanzas)
    return reader.read(0, reader.size)


def _sealed_header(file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    labels = {recipient.label for recipient in recipients}
    if len(labels) != 1 or (len(recipients) > 1 and ScryptRecipient.label in labels):
        raise ConfigError(
            "these recipients cannot share a file",
            "give one or more of the same kind (all age1… or all age1pq1…), or a single passphrase",
        )
    signed = header.write([recipient.wrap(file_key) for recipient in recipients])
    return signed + b" " + header.b64encode(_mac(file_key, signed)).encode("ascii") + b"\n"


def _file_key(parsed: header.Header, identities: Sequence[Identity]) -> bytes:
    for identity in identities:
        file_key = identity.unwrap(parsed.stanzas)
        if file_key is not None:
            return file_key
    raise AuthError("no key or passphrase at hand opens this file")


def _layout(size: int) -> tuple[int, int]:
    """How many chunks `size` bytes of payload are, and how many plaintext bytes they hold."""
    chunks = max(1, -(-size // _SEALED))
    last = size - (chunks - 1) * _SEALED
    if last < _TAG or (last == _TAG and chunks > 1):  # the last chunk is empty only if all is empty
        raise IntegrityError("an encrypted file was cut off")
    return chunks, size - chunks * _TAG


def _chunk_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _mac(file_key: bytes, signed: bytes) -> bytes:
    return hmac.digest(HKDF(SHA256(), 32, b"", b"header").derive(file_key), signed, hashlib.sha256)


def _payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, nonce, b"payload").derive(file_key))
