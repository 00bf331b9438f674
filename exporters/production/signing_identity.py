"""Who signs: a private key with its certificate, made here or brought by the company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from archiver.errors import AuthError, ConfigError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_LIFE = timedelta(days=3652)
_CLOCKS_DIFFER = timedelta(hours=1)
_NAME_LIMIT = 64
_RSA_BITS = 2048
_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_PEM = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Identity:
    """A signer. chain: the certificates above its own, up to the self-signed one that a verifier must trust; empty
    when its own is self-signed.
    """

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def authority(self) -> bytes:
        """The certificates to verify against, in PEM."""
        return b"".join(map(_pem, self.chain or (self.certificate,)))

    @property
    def subject(self) -> str:
        """The certificate's subject as RFC 4514 writes it."""
        return self.certificate.subject.rfc4514_string()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def authority_fingerprint(self) -> str:
        """SHA-256 of the self-signed certificate, hexadecimal: what is told to a verifier by another way."""
        return (self.chain or (self.certificate,))[-1].fingerprint(hashes.SHA256()).hex()

    def pem(self) -> bytes:
        """Key and certificates, for `open_identity`. The key is in clear: to be kept encrypted."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return b"".join([key, *map(_pem, (self.certificate, *self.chain))])


def make_identity(name: str) -> Identity:
    """A signer for who has none: a P-256 key and a certificate for ten years, issued by an authority whose key is
    forgotten at once, so that nothing else is ever signed by it. ConfigError for an empty name or one over 64 signs.
    """
    if not name.strip() or not name.isprintable() or len(name) > _NAME_LIMIT:
        raise ConfigError("a signer needs a name of at most 64 characters")
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name, subject = _name(name, "Mailark export authority"), _name(name, "Mailark export signer")
    authority = (
        _issued(authority_name, authority_key, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(issues=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _issued(subject, key, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, _DOCUMENT_SIGNING]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Identity(key, certificate, (authority,))


def open_identity(data: bytes, passphrase: str = "") -> Identity:
    """The signer in a PKCS#12 file (.p12, .pfx) or in PEM (the key, then its certificate, then those above it).

    AuthError for a wrong passphrase. ConfigError when there is no usable key and certificate in it, when they do not
    belong together, have expired, or lead to no self-signed certificate.
    """
    try:
        key, certificates = _from_pem(data, passphrase) if _PEM in data else _from_pkcs12(data, passphrase)
    except UnsupportedAlgorithm as error:
        raise ConfigError("the signer's file uses an algorithm that is not supported") from error
    if not isinstance(key, PrivateKey) or (isinstance(key, rsa.RSAPrivateKey) and key.key_size < _RSA_BITS):
        raise ConfigError("the signer's key is neither RSA of 2048 bits or more nor on an elliptic curve")
    own = [certificate for certificate in certificates if certificate.public_key() == key.public_key()]
    if not own:
        raise ConfigError("the signer's file holds no certificate for its key")
    if not own[0].not_valid_before_utc <= datetime.now(UTC) < own[0].not_valid_after_utc:
        raise ConfigError("the signer's certificate is not valid now", "renew it, or leave it out to have one made")
    return Identity(key, own[0], _chain(own[0], certificates))


def _from_pem(data: bytes, passphrase: str) -> tuple[object, list[x509.Certificate]]:
    try:
        certificates = x509.load_pem_x509_certificates(data)
        return serialization.load_pem_private_key(data, passphrase.encode() or None), certificates
    except TypeError as error:
        raise AuthError("the signer's key is encrypted, and no passphrase was given, or the other way round") from error
    except ValueError as error:
        if passphrase and b"ENCRYPTED" in data:
            raise AuthError("the passphrase does not open the signer's key") from error
        raise ConfigError("the signer's file is no PEM with a key and a certificate") from error


def _from_pkcs12(data: bytes, passphrase: str) -> tuple[object, list[x509.Certificate]]:
    try:
        found = pkcs12.load_pkcs12(data, passphrase.encode())
    except ValueError as error:
        if "password" in str(error).lower() or "mac" in str(error).lower():
            raise AuthError("the passphrase does not open the signer's PKCS#12 file") from error
        raise ConfigError("the signer's file is neither PKCS#12 nor PEM") from error
    entries = ([found.cert] if found.cert else []) + list(found.additional_certs)
    return found.key, [entry.certificate for entry in entries]


def _chain(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers from the certificate's own up to the self-signed one."""
    chain: list[x509.Certificate] = []
    at = certificate
    while not _issued_by(at, at):
        above = next((other for other in others if _issued_by(at, other)), None)
        if above is None or above in chain:
            raise ConfigError(
                "the signer's file does not hold the certificates above its own, up to a self-signed one",
                "export it with the whole chain",
            )
        chain.append(above)
        at = above
    return tuple(chain)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _issued(subject: x509.Name, key: PrivateKey, issuer: x509.Name, issuer_key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=not issues,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str, role: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role)]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
