"""A Merkle tree over the messages of a commit (RFC 6962 section 2.1), its leaves meaningless to who lacks their keys.

One message can be proved to belong to a signed commit by the key of its own leaf and a few hashes. They tell nothing of
any other message: the key of each leaf is another one, and nobody derives it without the writer's salt key.
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
    """The leaves of messages under a writer's salt key."""
    return [leaf(blinding(key, message), message) for message in messages]


def blinding(key: bytes, message: MessageId) -> bytes:
    """The key of one message's leaf: HMAC-SHA256(salt key, SHA-256 of the message). A proof shows this one alone."""
    return hmac.digest(key, bytes.fromhex(message), "sha256")


def leaf(blinding: bytes, message: MessageId) -> bytes:
    """The leaf of one message: HMAC-SHA256(blinding, SHA-256 of the message)."""
    return hmac.digest(blinding, bytes.fromhex(message), "sha256")


def root(leaves: Iterable[bytes]) -> str:
    """The root, 64 hex digits; that of no leaves is the SHA-256 of nothing."""
    return Tree(leaves).root


def prove(leaves: Iterable[bytes], leaf: bytes) -> Proof:
    """As `Tree.prove`, for one proof alone."""
    return Tree(leaves).prove(leaf)


class Tree:
    """The tree over the sorted distinct leaves: their order tells nothing, and who has the keys can make it again."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._leaves = sorted(set(leaves))
        self._levels = _levels(self._leaves)

    @property
    def root(self) -> str:
        """64 hex digits; that of no leaves is the SHA-256 of nothing."""
        return self._levels[-1][0].hex() if self._leaves else hashlib.sha256(b"").hexdigest()

    def prove(self, leaf: bytes) -> Proof:
        """The proof that `leaf` belongs to the root; IntegrityError if it does not."""
        index = bisect.bisect_left(self._leaves, leaf)
        if index == len(self._leaves) or self._leaves[index] != leaf:
            raise IntegrityError("the message is not one of the commit")
        path, position = [], index
        for level in self._levels[:-1]:
            beside = position ^ 1
            if beside < len(level):  # the last node of an odd level has none and moves up as it is
                path.append(level[beside])
            position //= 2
        return Proof(index, len(self._leaves), tuple(path))


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
