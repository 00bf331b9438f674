"""Who may write: the archive's root key vouches for each writer's key, in plain text anyone can check.

age tells nothing of who made a file, so a store's owner could add keys of his own. The root signing key (Ed25519,
RFC 8032) is derived from the recovery identity and signs every era key and every writer. Its fingerprint is on the
recovery sheet and names the archive: archive id = the first 32 hex digits. Without our code:

    openssl pkey -pubin -in keys/root.pem -outform DER | sha256sum
    sed '/^signature/,$d' WRITER.pub >note; sed -n 's/^signature //p' WRITER.pub | base64 -d >sig
    openssl pkeyutl -verify -pubin -inkey keys/root.pem -rawin -in note -sigfile sig
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from archiver.errors import IntegrityError

ROOT = "keys/root.pem"
WRITERS = "keys/writers/"
_WRITER_NAME = re.compile(r"keys/writers/([0-9a-f]{16})\.pub")
_MAX_OBJECT = 4096


def derive(secret: bytes, *labels: str) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 (RFC 5869) with the purpose and what it is bound to as info."""
    return HKDF(SHA256(), 32, None, "\n".join(("mailark 1", *labels)).encode("ascii")).derive(secret)


def root_key(recovery_secret: bytes) -> Ed25519PrivateKey:
    """The archive's root signing key, from the secret bytes of the recovery identity."""
    return Ed25519PrivateKey.from_private_bytes(derive(recovery_secret, "root signing key"))


def write_pem(public: Ed25519PublicKey) -> bytes:
    """SubjectPublicKeyInfo as PEM (RFC 8410), which openssl reads."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_pem(data: bytes) -> Ed25519PublicKey:
    """The key of a PEM file in the exact form `write_pem` gives, else IntegrityError."""
    try:
        public = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey) or write_pem(public) != data:
        raise IntegrityError("a public key file is damaged")
    return public


def fingerprint(public: Ed25519PublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo in DER, 64 hex digits."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def archive_id(root: Ed25519PublicKey) -> str:
    """32 hex digits (128 bits) that no other root key has."""
    return fingerprint(root)[:32]


def read_root(data: bytes, expected: str) -> Ed25519PublicKey:
    """The root key in `keys/root.pem`; IntegrityError unless its fingerprint is `expected`, that of the sheet."""
    public = read_pem(data)
    if not hmac.compare_digest(fingerprint(public), "".join(expected.split()).lower()):
        raise IntegrityError("keys/root.pem is not the root key of this archive", "compare with the recovery sheet")
    return public


def statement(title: str, *lines: tuple[str, str]) -> bytes:
    """What gets signed: a title that keeps kinds apart, then `key value` lines."""
    return "".join(f"{key} {value}\n" for key, value in (("mailark", title + " 1"), *lines)).encode("ascii")


def sign(key: Ed25519PrivateKey, note: bytes) -> str:
    """The signature over `note` as base64 (88 characters)."""
    return base64.b64encode(key.sign(note)).decode("ascii")


def verify(root: Ed25519PublicKey, note: bytes, signature: str) -> None:
    """IntegrityError unless `signature` is the canonical base64 of the root's signature over `note`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode("ascii") != signature:
            raise InvalidSignature
        root.verify(raw, note)
    except (ValueError, InvalidSignature):
        raise IntegrityError("a signature of the archive's root key is not valid") from None


def enrolment(root: Ed25519PrivateKey, writer: str, public: Ed25519PublicKey) -> tuple[str, bytes]:
    """Name and bytes of the object by which the root makes `writer` (16 hex digits) a writer of the archive."""
    note = _writer_note(archive_id(root.public_key()), writer, public)
    return f"{WRITERS}{writer}.pub", note + f"signature {sign(root, note)}\n".encode("ascii")


def verify_writers(
    get: Callable[[str], bytes],
    names: Iterable[str],
    root: Ed25519PublicKey,
    rejected: Callable[[str, str], None] | None = None,
) -> dict[str, Ed25519PublicKey]:
    """The writers the root has enrolled and their keys, among the object `names` of a store; no passphrase needed.

    A forged or damaged enrolment raises IntegrityError; with `rejected` it is told (name, reason) there and left out,
    so that a recovery goes on. Errors of `get` pass through.
    """
    writers = {}
    for name in sorted(name for name in names if name.startswith(WRITERS)):
        try:
            writer, public = _read_writer(name, get(name), root)
            writers[writer] = public
        except IntegrityError as error:
            if rejected is None:
                raise
            rejected(name, str(error))
    return writers


def _read_writer(name: str, data: bytes, root: Ed25519PublicKey) -> tuple[str, Ed25519PublicKey]:
    found = _WRITER_NAME.fullmatch(name)
    begin, end = data.find(b"-----BEGIN"), data.find(b"signature ")
    if found is None or len(data) > _MAX_OBJECT or not 0 <= begin < end:
        raise IntegrityError(f"{name} is not an enrolment of a writer")
    public = read_pem(data[begin:end])
    note = _writer_note(archive_id(root), found[1], public)
    if data[:end] != note or data[-1:] != b"\n":
        raise IntegrityError(f"{name} is not an enrolment of this writer in this archive")
    verify(root, note, data[end + len(b"signature ") : -1].decode("ascii", "replace"))
    return found[1], public


def _writer_note(archive: str, writer: str, public: Ed25519PublicKey) -> bytes:
    return statement("writer", ("archive", archive), ("writer", writer)) + write_pem(public)
