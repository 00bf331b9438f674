"""Verdicts on the signatures of a message. Hashes are taken when it arrives; its keys come from DNS meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from datetime import UTC, datetime

from archiver.authenticity import canonical, chain, record, signature
from archiver.authenticity.fields import HEAD_LIMIT, Field, Flawed, head_of, split
from archiver.authenticity.lookup import Answer, Finder
from archiver.authenticity.signature import Signature
from archiver.model import Body, Verdict

MOST_SIGNATURES = 8
"""DKIM signatures of a message that are verified, the topmost first."""

MOST_BYTES = 256 * 1024 * 1024
"""Messages that are larger are not hashed again for their signatures."""

WAIT = 3.0
"""Seconds that the answers for a batch of messages are waited for beyond the time the batch took itself."""

WAIT_IN_ALL = 10.0
"""Seconds of such waiting in a run."""

_NO_FIELD = Field(b"", b":")
_FROM = "does not cover every From field (RFC 6376 section 8.15)"
_BARE = "the header has bare CRs (RFC 5322 section 2.3): what is one field to the signer is several to a reader"
_MARKS = (b"dkim-signature", b"arc-")


@dataclass(slots=True)
class _Claim:
    """What is kept of a signature until its key has come: little, as a batch may have many.

    digest: SHA-256 of what it covers · subdomain: i= is below d= · body: what is wrong with the body, "" if it fits ·
    note: of a signature that fits · doubt: why it must not be relied on even if it fits.
    """

    title: str
    domain: str
    selector: str
    key_type: str
    value: bytes
    expires: int | None
    subdomain: bool
    digest: bytes
    answer: Future[Answer]
    body: str = ""
    note: str = ""
    doubt: str = ""


@dataclass(slots=True)
class Examination:
    """The signatures of one message; `claims` are joined to one verdict where they are a chain."""

    verdicts: list[Verdict | _Claim] = field(default_factory=list)
    chain: list[_Claim] = field(default_factory=list)


class Checker:
    """Examines messages from any number of threads. Nothing it meets in a message makes it raise."""

    def __init__(self, finder: Finder, now: Callable[[], datetime]) -> None:
        self._finder, self._now = finder, now
        self._lock, self._waited = threading.Lock(), 0.0
        self._checked, self._unchecked = 0, Counter[str]()

    def examine(self, body: Body) -> Examination | None:
        """Take what must be known of the message while its bytes are at hand; None if it is not signed."""
        try:
            return self._examine(body)
        except Exception as error:  # a defect must cost a verdict, not the message
            return Examination([Verdict("dkim", "not checked", reason=f"unexpected {type(error).__name__}")])

    def _examine(self, body: Body) -> Examination | None:
        head, start = head_of(body)
        lower = (head or body[:HEAD_LIMIT]).lower()
        if not any(mark in lower for mark in _MARKS):
            return None
        if not head:
            return Examination([Verdict("dkim", "not checked", reason="the header is larger than 1 MiB")])
        fields = split(head)
        signed = [one for one in fields if one.name == b"dkim-signature"]
        if not signed and not any(one.name in chain.NAMES for one in fields):
            return None
        reader = _Reader(body, start, fields, self._finder)
        found = Examination([reader.dkim(one) for one in signed[:MOST_SIGNATURES]])
        if len(signed) > MOST_SIGNATURES:
            found.verdicts.append(
                Verdict("dkim", "not checked", reason=f"only the first {MOST_SIGNATURES} signatures are checked")
            )
        reader.arc(found)
        return found

    def verdicts(self, examinations: Sequence[Examination]) -> list[tuple[Verdict, ...]]:
        """The verdicts on the messages of a batch, waiting for answers that are not there yet, but never for long."""
        started = time.monotonic()
        patience = min(WAIT, max(0.0, WAIT_IN_ALL - self._waited))
        found = [tuple(self._settled(one, started + patience)) for one in examinations]
        with self._lock:
            self._waited += time.monotonic() - started
            for verdict in (one for verdicts in found for one in verdicts):
                if verdict.result == "not checked":
                    self._unchecked[verdict.reason] += 1
                else:
                    self._checked += 1
        return found

    def shortfall(self) -> str:
        """One line when signatures were not checked, with the most frequent reason; "" when all were."""
        if not self._unchecked:
            return ""
        unchecked = self._unchecked.total()
        reason = self._unchecked.most_common(1)[0][0]
        return f"{unchecked} of {unchecked + self._checked} signatures were not checked: {reason}"

    def close(self) -> None:
        """Ask DNS for nothing more."""
        self._finder.close()

    def _settled(self, examination: Examination, until: float) -> list[Verdict]:
        found = [one if isinstance(one, Verdict) else self._verdict("dkim", one, until) for one in examination.verdicts]
        if examination.chain:
            found.append(self._chained(examination.chain, until))
        return found

    def _chained(self, claims: Sequence[_Claim], until: float) -> Verdict:
        """Of a chain the first link that does not hold decides; the newest seal tells who vouches, and by which key."""
        each = [self._verdict("arc", claim, until) for claim in claims]
        newest = each[1]
        for verdict, claim in zip(each, claims, strict=True):
            if verdict.result != "pass":
                reason = f"{claim.title}: {verdict.reason}"
                return Verdict("arc", verdict.result, newest.domain, newest.selector, reason, newest.key)
        return Verdict(
            "arc", "pass", newest.domain, newest.selector, "; ".join(v.reason for v in each if v.reason), newest.key
        )

    def _verdict(self, method: str, claim: _Claim, until: float) -> Verdict:
        answer = _answer(claim.answer, until)
        result, reason = answer.result, answer.reason
        if claim.body:
            result, reason = "fail", claim.body
        elif not result:
            result, reason = self._judged(claim, answer.record)
        return Verdict(method, result, claim.domain, claim.selector, reason, answer.record.decode("latin-1"))

    def _judged(self, claim: _Claim, text: bytes) -> tuple[str, str]:
        """Result and reason, the key being known (RFC 6376 sections 6.1.2 and 6.1.3)."""
        try:
            key = record.read(text)
        except Flawed as error:
            return error.result, str(error)
        if key.type != claim.key_type:
            return "permerror", "the key in DNS is of another type than the signature"
        if key.strict and claim.subdomain:
            return "permerror", "the key in DNS is not for subdomains (t=s)"
        if not key.verifies(claim.value, claim.digest):
            return "fail", "the signature does not fit the header fields, or the key in DNS is another one by now"
        if claim.expires is not None and claim.expires < self._now().timestamp():
            return "policy", f"the signature fits, but expired on {_day(claim.expires)} (x=)"
        if claim.doubt:
            return "policy", f"the signature fits, but {claim.doubt}"
        return "pass", "; ".join(filter(None, (claim.note, "the domain is testing (t=y)" if key.testing else "")))


class _Reader:
    """Reads the signatures of one message; a body is hashed once for each form in which it is signed."""

    def __init__(self, body: Body, start: int, fields: Sequence[Field], finder: Finder) -> None:
        self._body, self._start, self._fields, self._finder = body, start, fields, finder
        self._bare = _has_bare(fields)
        self._hashes: dict[tuple[bool, int | None], tuple[bytes, int]] = {}

    def dkim(self, field: Field) -> Verdict | _Claim:
        """One DKIM-Signature: a claim to be judged when its key is there, or the verdict if that is not needed."""
        try:
            made = signature.read("dkim", field)
            return self._claim("DKIM-Signature", made, signature.header_hash(made, field, self._fields))
        except Flawed as error:
            return Verdict("dkim", error.result, *signature.signer(field), str(error))

    def arc(self, found: Examination) -> None:
        """The chain, if the message has one."""
        newest = _NO_FIELD
        try:
            sets = chain.sets(self._fields)
            if sets:
                newest = sets[-1].seal
                found.chain = [self._claim(*one) for one in chain.signatures(sets, self._fields)]
        except Flawed as error:
            found.chain = []
            found.verdicts.append(Verdict("arc", error.result, *signature.signer(newest), str(error)))

    def _claim(self, title: str, made: Signature, digest: bytes) -> _Claim:
        subdomain = made.identity not in ("", made.domain)
        who, answer = (made.domain, made.selector, made.key_type), self._finder.ask(made.key_name)
        claim = _Claim(title, *who, made.value, made.expires, subdomain, digest, answer)
        if made.signed:
            left = signature.unsigned(made, self._fields)
            claim.doubt = _BARE if self._bare else _FROM if "From" in left else ""
            claim.body, part = self._compare(made)
            claim.note = "; ".join(filter(None, (part, f"does not cover {', '.join(left)}" if left else "")))
        return claim

    def _compare(self, made: Signature) -> tuple[str, str]:
        """What is wrong with the body, and what is to be noted of it."""
        if len(self._body) > MOST_BYTES:
            raise Flawed("not checked", f"the message is larger than {MOST_BYTES // 1024**2} MiB")
        key = (made.relaxed[1], made.length)
        if key not in self._hashes:
            self._hashes[key] = canonical.body_hash(
                self._body, self._start, relaxed=made.relaxed[1], algorithm="sha256", length=made.length
            )
        digest, size = self._hashes[key]
        if digest != made.body_hash or (made.length or 0) > size:
            return "the body is not the one that was signed", ""
        part = made.length is not None and made.length < size
        return "", f"covers only the first {made.length} of {size} bytes of the body" if part else ""


def _has_bare(fields: Sequence[Field]) -> bool:
    """Whether a field has a CR that ends no line."""
    text = b"\r\n".join([one.raw for one in fields])
    return text.count(b"\r") != text.count(b"\r\n")


def _answer(future: Future[Answer], until: float) -> Answer:
    try:
        return future.result(max(0.0, until - time.monotonic()))
    except (Late, CancelledError):
        return Answer(b"", "not checked", "DNS was too slow")


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return "a day long past"
