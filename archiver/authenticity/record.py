"""Public keys as domains publish them (RFC 6376 section 3.6.1, RFC 8463), and what they say of a signature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from archiver.authenticity.fields import Flawed, decoded, tags

LEAST_BITS, MOST_BITS = 1024, 8192
"""Sizes of RSA keys that are taken: smaller ones must not be (RFC 8301 section 3.2), larger ones only cost time."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. testing: the domain asks not to trust its signatures yet · strict: i= must be d= itself."""

    public: RSAPublicKey | Ed25519PublicKey
    testing: bool
    strict: bool

    @property
    def type(self) -> str:
        return "rsa" if isinstance(self.public, RSAPublicKey) else "ed25519"

    def verifies(self, value: bytes, digest: bytes) -> bool:
        """Whether `value` is this key's signature over what has this SHA-256."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(value, digest, PKCS1v15(), Prehashed(SHA256()))
            else:
                self.public.verify(value, digest)
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=1024)
def read(text: bytes) -> Key:
    """The key of a TXT record. Flawed when it is withdrawn, broken, too small, or not for mail."""
    try:
        found = tags(text)
    except ValueError:
        raise Flawed("permerror", "the key in DNS is not a list of tags") from None
    if found.get(b"v", b"DKIM1") != b"DKIM1" or b"p" not in found:
        raise Flawed("permerror", "what DNS answers is no DKIM key")
    if not found[b"p"]:
        raise Flawed("permerror", "the key in DNS was withdrawn by its owner (p= is empty)")
    if not {b"*", b"email"} & set(_list(found.get(b"s", b"*"))):
        raise Flawed("permerror", "the key in DNS is not for mail")
    if b"sha256" not in _list(found.get(b"h", b"sha256")):
        raise Flawed("permerror", "the key in DNS is not for SHA-256")
    flags = _list(found.get(b"t", b""))
    return Key(_public(found.get(b"k", b"rsa"), found[b"p"]), b"y" in flags, b"s" in flags)


def _public(kind: bytes, value: bytes) -> RSAPublicKey | Ed25519PublicKey:
    """SubjectPublicKeyInfo or RSAPublicKey in DER for RSA, the 32 bytes themselves for Ed25519 (RFC 8463 section 4)."""
    if kind not in (b"rsa", b"ed25519"):
        raise Flawed("permerror", "the key in DNS is of an unknown type")
    try:
        data = decoded(value)
        public = Ed25519PublicKey.from_public_bytes(data) if kind == b"ed25519" else load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise Flawed("permerror", "the key in DNS cannot be read") from None
    if isinstance(public, Ed25519PublicKey) and kind == b"ed25519":
        return public
    if not isinstance(public, RSAPublicKey):
        raise Flawed("permerror", "the key in DNS cannot be read")
    if not LEAST_BITS <= public.key_size <= MOST_BITS:
        small = f"has {public.key_size} bits, and fewer than {LEAST_BITS} prove nothing (RFC 8301)"
        raise Flawed("policy", f"the key in DNS {small if public.key_size < LEAST_BITS else 'is too large'}")
    return public


def _list(value: bytes) -> list[bytes]:
    return [item.strip(b" \t") for item in value.split(b":")]
