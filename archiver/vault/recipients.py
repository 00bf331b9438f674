"""Who can open an age file: X25519, the post-quantum hybrid MLKEM768-X25519, and scrypt passphrases.

A recipient wraps the file key in a stanza, an identity takes it out again (C2SP age.md, "Native recipient types").
A stanza that breaks the specification is an IntegrityError; one that simply is for somebody else gives None.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from archiver.errors import ConfigError, IntegrityError, QuotaError
from archiver.vault import bech32
from archiver.vault.header import Stanza, b64decode, b64encode

FILE_KEY = 16
"""Bytes of a file key."""
CHOSEN_LOG_N = 18
"""Stretching of a passphrase that a person made up: 256 MB and about a second a try, as the age command does."""
MAX_LOG_N = 20
"""Stretching accepted when reading: 1 GB of memory. More would let a store stop a reader by one forged file."""
_NONCE = bytes(12)
_BODY = FILE_KEY + 16
_ENCAPSULATED = 1120
_MLKEM_PUBLIC = 1184
_X25519_LABEL = b"age-encryption.org/v1/X25519"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_HYBRID_LABEL = b"age-encryption.org/mlkem768x25519"
_LOG_N = re.compile(r"[1-9][0-9]?")


class Recipient(Protocol):
    """Somebody a file can be encrypted to; `str()` gives age's text form where there is one."""

    @property
    def label(self) -> str:
        """Recipients of different labels must not share a file: the weakest would decide."""

    def wrap(self, file_key: bytes) -> Stanza:
        """`file_key` (16 bytes) for this recipient alone; fresh randomness in every call."""


class Identity(Protocol):
    """The secret side of a recipient; `str()` gives age's text form where there is one."""

    def recipient(self) -> Recipient:
        """The public side."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key (16 bytes), None when no stanza is for this identity, IntegrityError when one is malformed."""


class X25519Recipient:
    """`age1…`: the public half of an elliptic-curve key."""

    label = "classic"

    def __init__(self, public: bytes) -> None:
        self._public = public

    def __str__(self) -> str:
        return bech32.encode("age", self._public)

    def wrap(self, file_key: bytes) -> Stanza:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        key = _x25519_key(ephemeral, self._public, share + self._public)
        return Stanza("X25519", (b64encode(share),), ChaCha20Poly1305(key).encrypt(_NONCE, file_key, None))


class X25519Identity:
    """`AGE-SECRET-KEY-1…`: 32 secret bytes."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    @classmethod
    def generate(cls) -> X25519Identity:
        return cls(os.urandom(32))

    def __str__(self) -> str:
        return bech32.encode("AGE-SECRET-KEY-", self.secret).upper()

    @cached_property
    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.secret)

    def recipient(self) -> X25519Recipient:
        return X25519Recipient(self._key.public_key().public_bytes_raw())

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        public = self._key.public_key().public_bytes_raw()
        for stanza in _checked(stanzas, "X25519", 1):
            share = _sized(stanza.args[0], 32)
            file_key = _open(_x25519_key(self._key, share, share + public), stanza.body)
            if file_key is not None:
                return file_key
        return None


class HybridRecipient:
    """`age1pq1…`: safe as long as either ML-KEM-768 or X25519 holds (HPKE with MLKEM768-X25519, "X-Wing").

    HPKE itself (RFC 9180, draft-ietf-hpke-pq) is the library's; the public key is ML-KEM's followed by X25519's.
    """

    label = "postquantum"

    def __init__(self, public: bytes) -> None:
        self._public = public

    def __str__(self) -> str:
        return bech32.encode("age1pq", self._public)

    @cached_property
    def _key(self) -> MLKEM768X25519PublicKey:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self._public[:_MLKEM_PUBLIC]),
            X25519PublicKey.from_public_bytes(self._public[_MLKEM_PUBLIC:]),
        )

    def wrap(self, file_key: bytes) -> Stanza:
        sealed = _suite().encrypt(file_key, self._key, _HYBRID_LABEL)
        return Stanza("mlkem768x25519", (b64encode(sealed[:_ENCAPSULATED]),), sealed[_ENCAPSULATED:])


class HybridIdentity:
    """`AGE-SECRET-KEY-PQ-1…`: 32 secret bytes that SHAKE256 expands into both keys, here at first use (~0.1 ms)."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    @classmethod
    def generate(cls) -> HybridIdentity:
        return cls(os.urandom(32))

    def __str__(self) -> str:
        return bech32.encode("AGE-SECRET-KEY-PQ-", self.secret).upper()

    @cached_property
    def _keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        seeds = hashlib.shake_256(self.secret).digest(64 + 32)
        return MLKEM768PrivateKey.from_seed_bytes(seeds[:64]), X25519PrivateKey.from_private_bytes(seeds[64:])

    def recipient(self) -> HybridRecipient:
        mlkem, x25519 = self._keys
        return HybridRecipient(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        for stanza in _checked(stanzas, "mlkem768x25519", 1):
            sealed = _sized(stanza.args[0], _ENCAPSULATED) + stanza.body
            try:
                return _suite().decrypt(sealed, MLKEM768X25519PrivateKey(*self._keys), _HYBRID_LABEL)
            except (
                InvalidTag
            ):  # the library says the same of a share of low order, which the specification wants told apart
                _exchange(self._keys[1], sealed[_ENCAPSULATED - 32 : _ENCAPSULATED])
        return None


class ScryptRecipient:
    """A passphrase. `log_n` is the base-two logarithm of the work factor: memory is 2**log_n KiB."""

    label = "passphrase"

    def __init__(self, passphrase: str, log_n: int = CHOSEN_LOG_N) -> None:
        self._passphrase = passphrase
        self._log_n = log_n

    def wrap(self, file_key: bytes) -> Stanza:
        salt = os.urandom(16)
        key = _scrypt_key(self._passphrase, salt, self._log_n)
        body = ChaCha20Poly1305(key).encrypt(_NONCE, file_key, None)
        return Stanza("scrypt", (b64encode(salt), str(self._log_n)), body)


class ScryptIdentity:
    """The same passphrase for reading; files that ask for more than `max_log_n` are refused before any work."""

    def __init__(self, passphrase: str, max_log_n: int = MAX_LOG_N) -> None:
        self._passphrase = passphrase
        self._max_log_n = max_log_n

    def recipient(self) -> ScryptRecipient:
        return ScryptRecipient(self._passphrase)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        for stanza in _checked(stanzas, "scrypt", 2):
            salt = _sized(stanza.args[0], 16)
            if not _LOG_N.fullmatch(stanza.args[1]) or int(stanza.args[1]) > self._max_log_n:
                raise IntegrityError("an encrypted file asks for an unreasonable work factor")
            return _open(_scrypt_key(self._passphrase, salt, int(stanza.args[1])), stanza.body)
        return None


def parse_recipient(text: str) -> Recipient:
    """`age1…` or `age1pq1…`; ConfigError when it is neither."""
    prefix, data = bech32.decode(text)
    if text == text.lower() and (prefix, len(data)) == ("age", 32):
        return X25519Recipient(data)
    if text == text.lower() and (prefix, len(data)) == ("age1pq", _MLKEM_PUBLIC + 32):
        try:
            MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_PUBLIC])
        except ValueError:
            raise ConfigError("a recipient holds no valid ML-KEM-768 key") from None
        return HybridRecipient(data)
    raise ConfigError("not an age recipient", "it begins with age1 or age1pq1")


def parse_identity(text: str) -> X25519Identity | HybridIdentity:
    """`AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`; ConfigError when it is neither."""
    prefix, data = bech32.decode(text)
    if text == text.upper() and (prefix, len(data)) == ("age-secret-key-", 32):
        return X25519Identity(data)
    if text == text.upper() and (prefix, len(data)) == ("age-secret-key-pq-", 32):
        return HybridIdentity(data)
    raise ConfigError("not an age identity", "it begins with AGE-SECRET-KEY-")


def _checked(stanzas: Sequence[Stanza], kind: str, args: int) -> list[Stanza]:
    """The stanzas of one kind, their form checked; the body's length is told to thwart partitioning oracles."""
    if len(stanzas) > 1 and any(stanza.type == "scrypt" for stanza in stanzas):
        raise IntegrityError("a passphrase must be the only recipient of an encrypted file")
    found = [stanza for stanza in stanzas if stanza.type == kind]
    if any(len(stanza.args) != args or len(stanza.body) != _BODY for stanza in found):
        raise IntegrityError(f"an encrypted file has a malformed {kind} stanza")
    return found


def _sized(text: str, size: int) -> bytes:
    data = b64decode(text)
    if len(data) != size:
        raise IntegrityError("an encrypted file has a stanza with an argument of a wrong size")
    return data


def _open(key: bytes, body: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, body, None)
    except InvalidTag:
        return None


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # the library refuses an all-zero result, as RFC 7748 section 6.1 and age ask
        raise IntegrityError("an encrypted file has a key share of low order") from None


def _x25519_key(private: X25519PrivateKey, public: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, _X25519_LABEL).derive(_exchange(private, public))


def _scrypt_key(passphrase: str, salt: bytes, log_n: int) -> bytes:
    try:
        kdf = Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << log_n, r=8, p=1)
        return kdf.derive(passphrase.encode("utf-8"))
    except MemoryError:
        raise QuotaError(f"not enough memory to stretch the passphrase ({1 << log_n} KiB needed)") from None
