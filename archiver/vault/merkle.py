"""A Merkle tree over the messages of a commit (RFC 6962 section 2.1), its leaves meaningless to who lacks the salt.

One message can be proved to belong to a signed commit by a few hashes, without showing any other message.
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archiver.errors import IntegrityError
from archiver.model import MessageId


@dataclass(frozen=True, slots=True)
class Proof:
    """That leaf `index` (from 0) of `count` leaves belongs to a root: the hashes beside its way up, lowest first."""

    index: int
    count: int
    path: tuple[bytes, ...]


def leaves(key: bytes, messages: Iterable[MessageId]) -> list[bytes]:
    """The salted leaves of messages."""
    return [leaf(key, message) for message in messages]


def leaf(key: bytes, message: MessageId) -> bytes:
    """The salted leaf of one message: HMAC-SHA256(key, SHA-256 of the message)."""
    return hmac.digest(key, bytes.fromhex(message), "sha256")


def root(leaves: Iterable[bytes]) -> str:
    """The root, 64 hex digits; that of no leaves is the SHA-256 of nothing.

    The tree stands on the sorted distinct leaves: their order tells nothing, and who has the key can make it again.
    """
    distinct = sorted(set(leaves))
    return _levels(distinct)[-1][0].hex() if distinct else hashlib.sha256(b"").hexdigest()


def prove(leaves: Iterable[bytes], leaf: bytes) -> Proof:
    """The proof that `leaf`, which is one of `leaves`, belongs to their root."""
    distinct = sorted(set(leaves))
    index = bisect.bisect_left(distinct, leaf)
    if index == len(distinct) or distinct[index] != leaf:
        raise IntegrityError("the message is not one of the commit")
    path, position = [], index
    for level in _levels(distinct)[:-1]:
        beside = position ^ 1
        if beside < len(level):  # the last node of an odd level has none and moves up as it is
            path.append(level[beside])
        position //= 2
    return Proof(index, len(distinct), tuple(path))


def verify(leaf: bytes, proof: Proof, root: str) -> None:
    """IntegrityError unless the proof leads from the leaf to the root."""
    if not 0 <= proof.index < proof.count:
        raise IntegrityError("a proof of inclusion is malformed")
    node, position, last, path = _leaf(leaf), proof.index, proof.count - 1, list(proof.path)
    while last:
        if position & 1 or position < last:
            if not path:
                raise IntegrityError("a proof of inclusion is too short")
            beside = path.pop(0)
            node = _node(beside, node) if position & 1 else _node(node, beside)
        position, last = position // 2, last // 2
    if path or not hmac.compare_digest(node.hex(), root):
        raise IntegrityError("a message is not proved to belong to the commit")


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels from the leaf hashes up to the root; the same tree as RFC 6962's recursive definition."""
    levels = [[_leaf(leaf) for leaf in leaves]]
    while len(level := levels[-1]) > 1:
        above = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        levels.append(above + level[len(above) * 2 :])
    return levels


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
