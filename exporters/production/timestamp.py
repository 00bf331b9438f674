"""RFC 3161 time-stamps: proof by a third party that some bytes existed at a time."""

from __future__ import annotations

import hashlib
import secrets
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, ClassVar

from asn1crypto import algos, cms, core, tsp  # type: ignore[import-untyped]
from pyhanko.sign.general import CMSExtractionError, extract_certificate_info, extract_signer_info
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from archiver.errors import ConfigError, ConnectError, IntegrityError, ProtocolError

TIMEOUT = 30.0
"""Seconds a time-stamping authority may take."""

_SIZE_LIMIT = 1024 * 1024
_NONCE_BITS = 64
_GRANTED = ("granted", "granted_with_mods")
_HINT = "try again later, or export without a time-stamp"


class _Response(core.Sequence):  # type: ignore[misc]
    """TimeStampResp as RFC 3161 has it: a refusal holds no token, which asn1crypto's own class insists on."""

    _fields: ClassVar = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]


def timestamp(data: bytes, url: str, timeout: float = TIMEOUT) -> bytes:
    """A time-stamp over exactly these bytes (SHA-256): the TimeStampResp in DER, with the authority's certificate.

    Only the hash is sent. Hash, nonce and signature of the answer are checked; whether its signer is to be trusted is
    for the verifier: `openssl ts -verify -data FILE -in STAMP -CAfile AUTHORITY`. timeout: seconds for the whole call.

    ConfigError for an address that is not http(s), ConnectError when the authority cannot be reached or is too slow,
    ProtocolError when it refuses or its answer cannot be used, IntegrityError when the answer is for something else or
    its signature is wrong.
    """
    digest, nonce = hashlib.sha256(data).digest(), secrets.randbits(_NONCE_BITS)
    answer = _post(url, _request(digest, nonce), timeout)
    try:
        _check(answer, digest, nonce)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProtocolError("the time-stamping authority's answer cannot be understood", _HINT) from error
    return answer


def _request(digest: bytes, nonce: int) -> bytes:
    """RFC 3161 section 2.4.1."""
    imprint = tsp.MessageImprint(
        {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": digest}
    )
    request = {"version": "v1", "message_imprint": imprint, "nonce": core.Integer(nonce), "cert_req": True}
    return bytes(tsp.TimeStampReq(request).dump())


def _post(url: str, body: bytes, timeout: float) -> bytes:
    """RFC 3161 section 3.4."""
    if not url.lower().startswith(("http://", "https://")):
        raise ConfigError("the address of a time-stamping authority begins with http:// or https://")
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    end = time.monotonic() + timeout
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the scheme is http or https
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return _whole(answer, end)
    except urllib.error.HTTPError as error:
        error.close()
        raise ProtocolError(f"the time-stamping authority answers HTTP {error.code}", _HINT) from None
    except (OSError, HTTPException) as error:
        reason = type(getattr(error, "reason", error)).__name__
        raise ConnectError(f"the time-stamping authority cannot be reached: {reason}", _HINT) from error
    except ValueError as error:
        raise ConfigError("the address of the time-stamping authority is no address") from error


def _whole(answer: Any, end: float) -> bytes:
    found = b""
    while chunk := answer.read1(65_536):
        found += chunk
        if len(found) > _SIZE_LIMIT:
            raise ProtocolError("the time-stamping authority's answer is too large")
        if time.monotonic() > end:
            raise TimeoutError
    return found


def _check(answer: bytes, digest: bytes, nonce: int) -> None:
    """RFC 3161 section 2.4.2."""
    response = _Response.load(answer, strict=True)
    status = response["status"]["status"].native
    if status not in _GRANTED:
        raise ProtocolError(f"the time-stamping authority refused: {str(status)[:40]}", _HINT)
    token = response["time_stamp_token"]
    if token["content_type"].native != "signed_data":
        raise ProtocolError("the time-stamping authority's answer holds no time-stamp")
    signed: cms.SignedData = token["content"]
    info = signed["encap_content_info"]["content"].parsed
    imprint = info["message_imprint"]
    if (imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native) != ("sha256", digest):
        raise IntegrityError("the time-stamp is for other bytes")
    if info["nonce"].native != nonce:
        raise IntegrityError("the time-stamp answers another question")
    _check_signature(signed)


def _check_signature(signed: cms.SignedData) -> None:
    """That the certificate it names signed the token, which openssl's verification will look at again."""
    signer = extract_signer_info(signed)
    name = signer["digest_algorithm"]["algorithm"].native
    content = bytes(signed["encap_content_info"]["content"])
    certificate = extract_certificate_info(signed).signer_cert
    try:
        intact, valid = validate_sig_integrity(signer, certificate, "tst_info", hashlib.new(name, content).digest())
    except (SignatureValidationError, CMSExtractionError) as error:
        raise IntegrityError("the time-stamp's signature cannot be checked") from error
    if not (intact and valid):
        raise IntegrityError("the time-stamp's signature is wrong")
