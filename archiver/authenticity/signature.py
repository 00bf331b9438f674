"""One signature in a header field: DKIM-Signature, ARC-Message-Signature or ARC-Seal, read and made ready to verify.

Which result a mistake gets: RFC 6376 section 6.1.1 calls all of them PERMFAIL; RFC 8601 section 2.7.1 tells syntax
("neutral") from what no key could mend ("permerror") and from what the receiver does not accept ("policy").
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archiver.authenticity import canonical
from archiver.authenticity.fields import Field, Flawed, decoded, domain, tags, without_value

ALGORITHMS = {b"rsa-sha256": "rsa", b"ed25519-sha256": "ed25519"}
"""a= -> type of key (RFC 8301 section 3.1, RFC 8463). rsa-sha1 must not be verified any more."""

VALUE_LIMIT = 1024
"""Bytes of a signature: as many as the largest key makes."""

NAME_LIMIT = 253 - len("._domainkey.")
"""Characters of selector and domain: a name in DNS has up to 253."""

SHOWN = (b"from", b"subject", b"date", b"to", b"cc", b"reply-to")
"""The fields by which a reader takes a message for what it is."""

_REQUIRED = {
    "dkim": (b"v", b"a", b"b", b"bh", b"d", b"h", b"s"),
    "message": (b"i", b"a", b"b", b"bh", b"d", b"h", b"s"),
    "seal": (b"i", b"a", b"b", b"cv", b"d", b"s"),
}
"""Tags of a DKIM-Signature (RFC 6376 section 3.5), ARC-Message-Signature and ARC-Seal (RFC 8617 section 4.1)."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature field that is as specified. `signed`: the header fields it covers, lower case, in its own order.

    expires: seconds since 1970, None: never · length: bytes of the canonical body it covers, None: all.
    """

    domain: str
    selector: str
    key_type: str
    value: bytes
    relaxed: tuple[bool, bool]
    signed: tuple[bytes, ...] = ()
    body_hash: bytes = b""
    length: int | None = None
    expires: int | None = None
    identity: str = ""

    @property
    def key_name(self) -> str:
        """Where in DNS its key is (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def signer(field: Field) -> tuple[str, str]:
    """The d= and s= a field names, "" where it does not, however wrong the rest of it is."""
    try:
        found = tags(field.value)
    except ValueError:
        return "", ""
    return _name(found.get(b"d", b"")), _name(found.get(b"s", b""))


def read(kind: str, field: Field) -> Signature:
    """The signature in a field; `kind`: "dkim", "message" or "seal" (the two of ARC). Flawed tells what is wrong."""
    try:
        found = tags(field.value)
    except ValueError:
        raise Flawed("neutral", "the signature is not a list of tags") from None
    missing = [name.decode() for name in _REQUIRED[kind] if name not in found]
    if missing:
        raise Flawed("neutral", f"the signature has no {missing[0]}=")
    _check_kind(kind, found)
    try:
        where, selector = domain(found[b"d"]), domain(found[b"s"])
        value, body = decoded(found[b"b"]), decoded(found.get(b"bh", b""))
        length, expires = _number(found, b"l"), _number(found, b"x")
    except ValueError as error:
        raise Flawed("neutral", f"a tag of the signature is {error}") from None
    if len(value) > VALUE_LIMIT or len(where) + len(selector) > NAME_LIMIT:
        raise Flawed("neutral", "a tag of the signature is too long")
    signed = () if kind == "seal" else _signed(kind, found[b"h"])
    relaxed = (True, True) if kind == "seal" else _forms(found.get(b"c", b"simple/simple"))
    identity = _identity(found.get(b"i", b""), where) if kind == "dkim" else ""
    key_type = ALGORITHMS[found[b"a"]]
    return Signature(where, selector, key_type, value, relaxed, signed, body, length, expires, identity)


def header_hash(signature: Signature, own: Field, fields: Sequence[Field]) -> bytes:
    """SHA-256 of the signed header fields, the last of a name first (RFC 6376 sections 3.7 and 5.4.2).

    own: the field of the signature itself · fields: those of the message.
    """
    of_name: dict[bytes, list[Field]] = {}
    for field in fields:
        of_name.setdefault(field.name, []).append(field)
    chosen = (of_name[name].pop() for name in signature.signed if of_name.get(name))
    return hash_of(signature, own, chosen)


def hash_of(signature: Signature, own: Field, fields: Iterable[Field]) -> bytes:
    """SHA-256 of `fields` and, without what its b= holds, of the signature's own field."""
    relaxed, hasher = signature.relaxed[0], hashlib.sha256()
    for field in fields:
        hasher.update(canonical.header(field, relaxed=relaxed) + b"\r\n")
    hasher.update(canonical.header(without_value(own, b"b"), relaxed=relaxed))
    return hasher.digest()


def unsigned(signature: Signature, fields: Iterable[Field]) -> list[str]:
    """Which of the fields that a reader is shown the signature leaves out, or leaves one out of several of: that one
    may be anybody's (RFC 6376 section 8.15).
    """
    found = Counter(field.name for field in fields)
    return [name.decode().title() for name in SHOWN if found[name] > signature.signed.count(name)]


def _check_kind(kind: str, found: dict[bytes, bytes]) -> None:
    if kind == "dkim" and found[b"v"] != b"1":
        raise Flawed("neutral", "the signature is of an unknown version")
    if kind == "seal" and b"h" in found:
        raise Flawed("neutral", "an ARC-Seal may not have h= (RFC 8617 section 4.1.3)")
    if found[b"a"] == b"rsa-sha1":
        raise Flawed("policy", "rsa-sha1 proves nothing any more (RFC 8301)")
    if found[b"a"] not in ALGORITHMS:
        raise Flawed("neutral", "the signature's algorithm is unknown")
    if b"q" in found and b"dns/txt" not in [way.strip() for way in found[b"q"].split(b":")]:
        raise Flawed("neutral", "the signature's key is not in DNS")


def _signed(kind: str, value: bytes) -> tuple[bytes, ...]:
    names = tuple(name.strip(b" \t\r\n").lower() for name in value.split(b":"))
    if b"from" not in names:
        raise Flawed("permerror", "the From field is not signed (RFC 6376 section 6.1.1)")
    if kind == "message" and b"arc-seal" in names:
        raise Flawed("neutral", "an ARC-Seal may not be signed (RFC 8617 section 4.1.2)")
    return names


def _forms(value: bytes) -> tuple[bool, bool]:
    """Whether header and body are in relaxed form; the body's is simple unless named (RFC 6376 section 3.5)."""
    header, _, body = value.partition(b"/")
    forms = {b"simple": False, b"relaxed": True, b"": False}
    if not header or header not in forms or body not in forms:
        raise Flawed("neutral", "the signature's canonical form is unknown")
    return forms[header], forms[body]


def _identity(value: bytes, where: str) -> str:
    """The domain of i=, which must lie within d=."""
    if not value:
        return where
    identity = value.rpartition(b"@")[2].decode("ascii", "replace").lower()
    if identity != where and not identity.endswith("." + where):
        raise Flawed("permerror", "i= is not within d= (RFC 6376 section 6.1.1)")
    return identity


def _number(found: dict[bytes, bytes], name: bytes) -> int | None:
    value = found.get(name)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 76:
        raise ValueError("not a number")
    return int(value)


def _name(value: bytes) -> str:
    try:
        return domain(value)
    except ValueError:
        return ""
