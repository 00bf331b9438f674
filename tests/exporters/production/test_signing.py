"""Signatures that openssl, pdfsig and pyHanko verify, with signers of all kinds."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from archiver.errors import AuthError, ConfigError, IntegrityError
from exporters.production.signing import seal, sign, sign_pdf
from exporters.production.signing_identity import Identity, make_identity, open_identity
from exporters.rendition.structure import check
from tests.exporters.rendition.laid_out import qpdf_problems, rich_rendition

DATA = b"line one\r\nline two\n\x00\xff" * 100
NOW = datetime.now(UTC)


def certified(
    name: str, key: object, issuer: str, issuer_key: object, *, ca: bool, days: int = 30, begin: datetime = NOW
) -> x509.Certificate:
    usage = x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - timedelta(days=1))
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256())  # type: ignore[arg-type]


def company(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Identity:
    """A signer two steps below its root."""
    root_key, middle_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    root = certified("Root", root_key, "Root", root_key, ca=True)
    middle = certified("Middle", middle_key, "Root", root_key, ca=True)
    return Identity(key, certified("Records office", key, "Middle", middle_key, ca=False), (middle, root))


def own() -> Identity:
    """A self-signed certificate."""
    key = rsa.generate_private_key(65537, 2048)
    return Identity(key, certified("Alone", key, "Alone", key, ca=False))


SIGNERS = {
    "made": make_identity("Müller 贸易 GmbH"),
    "rsa": company(rsa.generate_private_key(65537, 3072)),
    "p256": company(ec.generate_private_key(ec.SECP256R1())),
    "p384": company(ec.generate_private_key(ec.SECP384R1())),
    "alone": own(),
}


def p12(signer: Identity, passphrase: bytes) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"x", signer.key, signer.certificate, signer.chain, encryption)


def verified(data: bytes, signature: bytes, authority: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    for name, content in (("data", data), ("data.p7s", signature), ("ca.pem", authority)):
        (folder / name).write_bytes(content)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "data.p7s", "-content", "data"]
    return subprocess.run([*command, "-CAfile", "ca.pem"], cwd=folder, capture_output=True, timeout=30, check=False)


@pytest.mark.parametrize("name", SIGNERS)
def test_openssl_verifies_a_detached_signature(name: str, tmp_path: Path) -> None:
    signer = SIGNERS[name]
    signature = sign(DATA, signer)
    done = verified(DATA, signature, signer.authority, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == DATA
    assert DATA[:16] not in signature
    assert verified(DATA + b" ", signature, signer.authority, tmp_path).returncode != 0
    assert verified(DATA.replace(b"\r\n", b"\n"), signature, signer.authority, tmp_path).returncode != 0
    assert verified(DATA, signature, make_identity("Another").authority, tmp_path).returncode != 0


def test_what_a_signature_says(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(sign(DATA, SIGNERS["rsa"]))
    command = ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", "x"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "signingTime" in shown
    assert "algorithm: sha256 " in shown
    assert "eContent: <ABSENT>" in shown
    assert shown.count("serialNumber:") >= 3


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signed_pdf_is_verified_and_stays_pdf_a(name: str, tmp_path: Path) -> None:
    signer = SIGNERS[name]
    pdf = sign_pdf(rich_rendition(), signer, "Export")
    assert pdf.startswith(rich_rendition())
    assert check(pdf) == []
    assert qpdf_problems(pdf, tmp_path) == ""
    (embedded,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    roots = list(load_certs_from_pemder_data(signer.authority))[-1:]
    status = validate_pdf_signature(embedded, ValidationContext(trust_roots=roots, allow_fetching=False))
    assert status.intact
    assert status.valid
    assert status.trusted
    assert status.coverage.name == "ENTIRE_FILE"
    (tmp_path / "signed.pdf").write_bytes(pdf)
    shown = subprocess.run(
        ["pdfsig", "-nocert", str(tmp_path / "signed.pdf")], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    assert "Signature is Valid" in shown
    assert "Total document signed" in shown
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert list(document.attachments)


def test_a_change_to_a_signed_pdf_is_noticed(tmp_path: Path) -> None:
    pdf = bytearray(sign_pdf(rich_rendition(), SIGNERS["made"]))
    pdf[len(rich_rendition()) // 2] ^= 1
    (tmp_path / "signed.pdf").write_bytes(pdf)
    shown = subprocess.run(
        ["pdfsig", "-nocert", str(tmp_path / "signed.pdf")], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    assert "Signature is Valid" not in shown


def test_what_is_no_pdf_is_not_signed() -> None:
    with pytest.raises(IntegrityError):
        sign_pdf(b"no PDF", SIGNERS["made"])


def test_a_seal_carries_all_that_a_verifier_needs(tmp_path: Path) -> None:
    signer = SIGNERS["made"]
    made = seal(signer)
    assert made.timestamp is None
    assert made.signer == "OU=Mailark export signer,CN=Müller 贸易 GmbH"
    assert made.fingerprint == signer.certificate.fingerprint(hashes.SHA256()).hex()
    assert verified(DATA, made.sign(DATA), made.authority, tmp_path).returncode == 0
    assert check(made.sign_pdf(rich_rendition())) == []
    assert seal(signer, "http://127.0.0.1:9/").timestamp is not None


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("passphrase", ["", "pass phrase ä"])
def test_a_signer_is_read_from_pkcs12(name: str, passphrase: str, tmp_path: Path) -> None:
    signer = SIGNERS[name]
    found = open_identity(p12(signer, passphrase.encode()), passphrase)
    assert (found.certificate, found.chain) == (signer.certificate, signer.chain)
    assert verified(DATA, sign(DATA, found), signer.authority, tmp_path).returncode == 0


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signer_is_kept_as_pem(name: str) -> None:
    signer = SIGNERS[name]
    found = open_identity(signer.pem())
    assert (found.certificate, found.chain, found.pem()) == (signer.certificate, signer.chain, signer.pem())
    assert found.authority_fingerprint == signer.authority_fingerprint


@pytest.mark.parametrize("wrong", ["", "wrong"])
def test_a_wrong_passphrase(wrong: str) -> None:
    signer = SIGNERS["rsa"]
    with pytest.raises(AuthError):
        open_identity(p12(signer, b"right"), wrong)
    encrypted = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    with pytest.raises(AuthError):
        open_identity(encrypted + signer.authority, wrong)


def unusable() -> dict[str, bytes]:
    made = SIGNERS["rsa"]
    short, other = rsa.generate_private_key(65537, 1024), ed25519.Ed25519PrivateKey.generate()
    key = ec.generate_private_key(ec.SECP256R1())
    old = certified("Old", key, "Old", key, ca=False, begin=NOW - timedelta(days=90))
    certificate = made.certificate.public_bytes(Encoding.PEM)

    def pem(key: object) -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]

    return {
        "empty": b"",
        "garbage": b"\x30\x82\x01\x00garbage",
        "PEM of nothing": b"-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n",
        "no key": certificate,
        "no certificate": pem(made.key),
        "certificate of another key": pem(key) + certificate,
        "short key": pem(short) + certified("S", short, "S", key, ca=False).public_bytes(Encoding.PEM),
        "Ed25519": pem(other) + certified("E", other, "E", key, ca=False).public_bytes(Encoding.PEM),
        "expired": pem(key) + old.public_bytes(Encoding.PEM),
        "no chain": pem(made.key) + certificate,
        "half a chain": pem(made.key) + certificate + made.chain[0].public_bytes(Encoding.PEM),
        "PKCS#12 without a chain": p12(Identity(made.key, made.certificate), b""),
    }


UNUSABLE = unusable()


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_is_no_signer(case: str) -> None:
    with pytest.raises(ConfigError):
        open_identity(UNUSABLE[case])


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 65])
def test_a_signer_needs_a_name(name: str) -> None:
    with pytest.raises(ConfigError):
        make_identity(name)


def test_a_made_signer_can_sign_and_nothing_else() -> None:
    certificate, authority = SIGNERS["made"].certificate, SIGNERS["made"].chain[0]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert timedelta(days=3650) < certificate.not_valid_after_utc - NOW < timedelta(days=3660)
