"""Signs messages for the tests: DKIM by dkimpy where that can, Ed25519 and ARC here, as their RFCs say."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from archiver.authenticity.checker import Checker
from archiver.authenticity.lookup import Answer
from archiver.model import Verdict

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DOMAIN, SELECTOR = b"trading.example", b"s1"
NAME = "s1._domainkey.trading.example"
MAIL = (
    b"From: Li Wei <li@trading.example>\r\nTo: buyer@client.example\r\nSubject: Sales contract\r\n 2024-118\r\n"
    b"Date: Tue, 06 Aug 2024 10:00:00 +0800\r\nMessage-ID: <1@trading.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nDear Sir,  \r\n\r\nplease find\tthe contract  below.\r\n\r\n\r\n"
)


@dataclass(frozen=True)
class Pair:
    """A private key in dkimpy's form, and the TXT record of the public one."""

    private: rsa.RSAPrivateKey
    pem: bytes
    record: bytes


@cache
def pair(bits: int = 2048) -> Pair:
    private = rsa.generate_private_key(65537, bits)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Pair(private, pem, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public))


def signed(
    mail: bytes = MAIL, forms: str = "relaxed/relaxed", *, length: bool = False, key: Pair | None = None
) -> bytes:
    """The message with a DKIM-Signature that dkimpy made."""
    header, body = forms.encode().split(b"/")
    pem = (key or pair()).pem
    return bytes(dkim.sign(mail, SELECTOR, DOMAIN, pem, canonicalize=(header, body), length=length)) + mail


def signed_by_hand(mail: bytes = MAIL, *, key: Pair | ed25519.Ed25519PrivateKey | None = None, **tags: str) -> bytes:
    """The message with a DKIM-Signature in relaxed form whose tags are replaced, or left out when empty."""
    head, _, body = mail.partition(b"\r\n\r\n")
    digest = hashlib.sha256(_relaxed_body(body)).digest()
    values = {
        "v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed", "d": DOMAIN.decode(), "s": SELECTOR.decode(),
        "h": "from:to:subject:date", "bh": base64.b64encode(digest).decode(),
    }  # fmt: skip
    field = b"DKIM-Signature: " + _tags({**values, **tags}) + b"; b="
    names = dict(one.split("=", 1) for one in field.decode().partition(":")[2].strip().split("; "))["h"]
    covered = b"".join(_relaxed(_field(head, name)) + b"\r\n" for name in names.split(":") if _field(head, name))
    return field + _sign(key or pair(), covered + _relaxed(field)) + b"\r\n" + mail


def sealed(mail: bytes, domains: Sequence[str], *, cv: dict[int, str] | None = None) -> bytes:
    """The message with one ARC set a domain, as RFC 8617 section 5.1 makes them."""
    sets: list[bytes] = []
    for number, domain in enumerate(domains, 1):
        head, _, body = mail.partition(b"\r\n\r\n")
        results = f"ARC-Authentication-Results: i={number}; mx.{domain}; dkim=pass header.d=trading.example".encode()
        bh = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
        where = {"d": domain, "s": "arc"}
        common = {"i": str(number), "a": "rsa-sha256", **where}
        message = b"ARC-Message-Signature: " + _tags(
            {**common, "c": "relaxed/relaxed", "h": "from:to:subject:date", "bh": bh}
        )
        covered = b"".join(_relaxed(_field(head, name)) + b"\r\n" for name in ("from", "to", "subject", "date"))
        message += b"; b=" + _sign(pair(), covered + _relaxed(message + b"; b="))
        claim = (cv or {}).get(number, "none" if number == 1 else "pass")
        seal = b"ARC-Seal: " + _tags({"i": str(number), "cv": claim, "a": "rsa-sha256", **where}) + b"; b="
        sets += [results, message]
        chain = b"".join(_relaxed(one) + b"\r\n" for one in sets)
        seal += _sign(pair(), chain + _relaxed(seal))
        sets.append(seal)
        mail = b"".join(one + b"\r\n" for one in (seal, message, results)) + mail
    return mail


def arc_name(domain: str) -> str:
    return f"arc._domainkey.{domain}"


class Known:
    """A finder that knows some keys and no others."""

    def __init__(self, records: dict[str, bytes]) -> None:
        self.records = records

    def ask(self, name: str) -> Future[Answer]:
        future: Future[Answer] = Future()
        known = self.records.get(name)
        future.set_result(Answer(known) if known is not None else Answer(b"", "permerror", "no key in DNS (NXDOMAIN)"))
        return future

    def close(self) -> None:
        """Nothing is open."""


def verdicts(mail: bytes, records: dict[str, bytes] | None = None) -> tuple[Verdict, ...]:
    """What is found of a message, its keys being `records` (the usual one when None)."""
    checker = Checker(Known({NAME: pair().record} if records is None else records), lambda: NOW)
    found = checker.examine(mail)
    return checker.verdicts([found])[0] if found is not None else ()


def results(mail: bytes, records: dict[str, bytes] | None = None) -> list[str]:
    return [verdict.result for verdict in verdicts(mail, records)]


def _tags(values: dict[str, str]) -> bytes:
    return "; ".join(f"{name}={value}" for name, value in values.items() if value).encode()


def _sign(key: Pair | ed25519.Ed25519PrivateKey, data: bytes) -> bytes:
    if isinstance(key, Pair):
        return base64.b64encode(key.private.sign(data, PKCS1v15(), SHA256()))
    return base64.b64encode(key.sign(hashlib.sha256(data).digest()))


def _field(head: bytes, name: str) -> bytes:
    found = re.findall(rb"(?ims)^" + name.encode() + rb":.*?(?=\r\n[^ \t]|\Z)", head)
    return found[-1] if found else b""


def _relaxed(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return name.lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


def _relaxed_body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip() for line in body.split(b"\r\n")]
    return b"\r\n".join(lines).rstrip() + b"\r\n" if any(lines) else b""
