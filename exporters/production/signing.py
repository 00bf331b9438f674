"""Signatures that standard tools verify: over a file (CMS, RFC 5652) and inside a PDF (PAdES)."""

from __future__ import annotations

import io
from collections.abc import Callable

from asn1crypto.keys import PrivateKeyInfo  # type: ignore[import-untyped]
from asn1crypto.x509 import Certificate  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from archiver.errors import IntegrityError
from exporters.production.seal import Seal
from exporters.production.signing_identity import Identity
from exporters.production.timestamp import TIMEOUT, timestamp

_FIELD = "Signature"
_SIGNATURE_ROOM = 4096
"""Bytes for all of a signature but its certificates: a key of RSA 16384 needs 2,048 of them."""
_DETACHED = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]


def sign(data: bytes, signer: Identity) -> bytes:
    """A detached signature over exactly these bytes: CMS in DER with SHA-256, the time of signing and the certificates.

    Verified by `openssl cms -verify -binary -inform DER -in SIGNATURE -content FILE -CAfile AUTHORITY`.
    """
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(signer.certificate, signer.key, hashes.SHA256())
    for certificate in signer.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(serialization.Encoding.DER, _DETACHED)


def sign_pdf(pdf: bytes, signer: Identity, reason: str = "") -> bytes:
    """The PDF with an invisible signature over all of it (PAdES baseline B, ETSI EN 319 142-1), appended, so that
    PDF/A-3u stays PDF/A-3u. The same PDF and signer give the same size. IntegrityError when the PDF cannot be read.

    Verified by `pdfsig` and `pyhanko sign validate`.
    """
    store = SimpleCertificateStore.from_certs(map(_asn1, signer.chain))  # type: ignore[no-untyped-call]
    held = signers.SimpleSigner(signing_cert=_asn1(signer.certificate), signing_key=_key(signer), cert_registry=store)
    metadata = signers.PdfSignatureMetadata(
        field_name=_FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES, reason=reason or None
    )
    try:
        writer = _Writer(io.BytesIO(pdf))
        signed = signers.PdfSigner(metadata, held).sign_pdf(writer, bytes_reserved=_reserved(signer))
    except PdfError as error:
        raise IntegrityError("the PDF to be signed cannot be read") from error
    return bytes(signed.getbuffer())


def seal(signer: Identity, tsa: str = "", tsa_authority: bytes = b"", timeout: float = TIMEOUT) -> Seal:
    """What vouches for a bundle. tsa: the address of a time-stamping authority, "" for none; tsa_authority: its
    certificates in PEM, b"" where the verifier's own trust store must do.
    """
    stamp: Callable[[bytes], bytes] | None = (lambda data: timestamp(data, tsa, timeout)) if tsa else None
    return Seal(
        sign=lambda data: sign(data, signer),
        sign_pdf=lambda pdf: sign_pdf(pdf, signer),
        authority=signer.authority,
        signer=signer.subject,
        fingerprint=signer.fingerprint,
        timestamp=stamp,
        tsa=tsa,
        tsa_authority=tsa_authority,
    )


def _reserved(signer: Identity) -> int:
    """Hexadecimal digits kept free for a signature with all its certificates. A signature on an elliptic curve varies
    in length, and what its length decided would vary with it.
    """
    certificates = (signer.certificate, *signer.chain)
    return 2 * (_SIGNATURE_ROOM + sum(len(held.public_bytes(serialization.Encoding.DER)) for held in certificates))


class _Writer(IncrementalPdfFileWriter):
    """Leaves the metadata as they are: written anew, the XMP packet would lose its schema, and PDF/A with it."""

    def _update_meta(self) -> None:
        """Nothing."""


def _asn1(certificate: x509.Certificate) -> Certificate:
    return Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _key(signer: Identity) -> PrivateKeyInfo:
    return PrivateKeyInfo.load(
        signer.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
