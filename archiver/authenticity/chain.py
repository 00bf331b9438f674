"""The Authenticated Received Chain: who handled a message, and what each of them found (RFC 8617)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archiver.authenticity import signature
from archiver.authenticity.fields import WHITE, Field, Flawed, tags
from archiver.authenticity.signature import Signature

RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
NAMES = (RESULTS, MESSAGE, SEAL)
MOST_SETS = 10
"""Sets that are verified; RFC 8617 section 4.2.1 allows 50, mail that is no trick has fewer than five."""


@dataclass(frozen=True, slots=True)
class Set:
    """What one handler added, in the order of `NAMES`."""

    results: Field
    message: Field
    seal: Field


def sets(fields: Sequence[Field]) -> list[Set]:
    """The sets of a message, oldest first; none: it has no chain. Flawed when the chain is not whole.

    A chain that its last handler found broken stays broken (RFC 8617 section 5.2, steps 2 and 3).
    """
    found: dict[tuple[int, bytes], Field] = {}
    for field in fields:
        if field.name in NAMES:
            key = (_instance(field), field.name)
            if key in found:
                raise Flawed("fail", f"ARC set {key[0]} has a field twice")
            found[key] = field
    last = max((instance for instance, _ in found), default=0)
    if set(found) != {(instance, name) for instance in range(1, last + 1) for name in NAMES}:
        raise Flawed("fail", "the ARC chain lacks a field")
    chain = [Set(*(found[instance, name] for name in NAMES)) for instance in range(1, last + 1)]
    _check_results([one.seal for one in chain])
    if last > MOST_SETS:
        raise Flawed("not checked", f"the ARC chain has more than {MOST_SETS} sets")
    return chain


def signatures(chain: Sequence[Set], fields: Sequence[Field]) -> Iterator[tuple[str, Signature, bytes]]:
    """What must verify, newest first: its name, the signature, and the SHA-256 of what it covers.

    That is the newest ARC-Message-Signature and every ARC-Seal (RFC 8617 section 5.2, steps 4 and 6).
    """
    own = chain[-1].message
    message = signature.read("message", own)
    yield "ARC-Message-Signature", message, signature.header_hash(message, own, fields)
    for number in range(len(chain), 0, -1):
        own = chain[number - 1].seal
        seal = signature.read("seal", own)
        yield f"ARC-Seal {number}", seal, signature.hash_of(seal, own, _sealed(chain[:number]))


def _sealed(chain: Sequence[Set]) -> Iterator[Field]:
    """What the newest seal of `chain` covers beside itself, in order (RFC 8617 section 5.1.1)."""
    for one in chain:
        yield one.results
        yield one.message
        if one is not chain[-1]:
            yield one.seal


def _instance(field: Field) -> int:
    """The i= of a field; in ARC-Authentication-Results it stands first (RFC 8617 section 4.1.1)."""
    text = field.value
    try:
        value = tags(text.partition(b";")[0] if field.name == RESULTS else text).get(b"i", b"")
    except ValueError:
        value = b""
    if not value.strip(WHITE).isdigit() or len(value) > 2 or not 1 <= int(value) <= 50:
        raise Flawed("fail", "an ARC field has no instance from 1 to 50")
    return int(value)


def _check_results(seals: Sequence[Field]) -> None:
    """cv= of the first seal is "none", of every other "pass"."""
    for number, seal in enumerate(seals, 1):
        found = tags(seal.value).get(b"cv", b"").lower()
        if found == b"fail":
            raise Flawed("fail", f"handler {number} of the ARC chain found it broken")
        if found != (b"none" if number == 1 else b"pass"):
            raise Flawed("fail", f"ARC-Seal {number} has an impossible cv=")
