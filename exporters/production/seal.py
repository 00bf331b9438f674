"""Who vouches for a bundle, and since when it exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SIGNATURE = "tagmanifest-sha256.txt.p7s"
TIMESTAMP = "tagmanifest-sha256.txt.tsr"
SEAL_LIST = "seal-sha256.txt"
"""Hashes of signature and time-stamp: both hold bytes that no verifier looks at (copies of certificates, versions)."""
SIGNER_CA = "signer-ca.pem"
TSA_CA = "tsa-ca.pem"


@dataclass(frozen=True, slots=True)
class Seal:
    """A signer and, if wanted, a time-stamping authority.

    sign: detached CMS in DER (RFC 5652) over a file. sign_pdf: the PDF with a signature in it (PAdES). authority: the
    certificates in PEM that a signature is verified against. signer: the certificate's subject; fingerprint: SHA-256 of
    the certificate, hex. timestamp: a TimeStampResp in DER (RFC 3161) over a file, None for no time-stamp. tsa: its
    address; tsa_authority: certificates in PEM for it, b"" where the verifier's own trust store must do.
    """

    sign: Callable[[bytes], bytes]
    sign_pdf: Callable[[bytes], bytes]
    authority: bytes
    signer: str
    fingerprint: str
    timestamp: Callable[[bytes], bytes] | None = None
    tsa: str = ""
    tsa_authority: bytes = b""


def told(seal: Seal | None) -> tuple[str, str]:
    """What reports say of signature and time-stamp."""
    if seal is None:
        return "not signed", "not timestamped"
    signature = f"signed by {seal.signer}, certificate SHA-256 {_spelt(seal.fingerprint)}"
    return signature, f"RFC 3161 time-stamp by {seal.tsa}" if seal.timestamp else "not timestamped"


def _spelt(fingerprint: str) -> str:
    """As `openssl x509 -fingerprint` prints it: whoever compares them by telephone reads one form."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()
