"""The Merkle tree: the same as RFC 6962's recursive definition, and no proof that proves anything else."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import IntegrityError
from archiver.vault import merkle
from archiver.vault.merkle import Proof

KEY = b"k" * 32


def messages(count: int) -> list[str]:
    return [hashlib.sha256(b"message %d" % number).hexdigest() for number in range(count)]


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


@pytest.mark.parametrize("count", [*range(35), 100, 1023, 1024, 1025])
def test_the_root_is_that_of_the_rfc(count: int) -> None:
    leaves = merkle.leaves(KEY, messages(count))
    assert merkle.root(leaves) == defined(sorted(leaves)).hex()


def test_the_vectors_of_certificate_transparency() -> None:
    """Roots over the first leaves of the reference implementation's test data, which are in ascending order."""
    assert merkle.root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root([b""]) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root([b"", b"\x00"]) == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert merkle.root([b"", b"\x00", b"\x10"]) == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"


def test_order_and_repetition_of_messages_change_nothing_and_the_salt_everything() -> None:
    leaves = merkle.leaves(KEY, messages(20))
    assert merkle.root(leaves) == merkle.root(leaves[::-1] + leaves[:5])
    assert merkle.root(leaves) != merkle.root(merkle.leaves(b"l" * 32, messages(20)))


@given(st.integers(1, 70), st.data())
@settings(max_examples=200, deadline=None)
def test_every_message_is_proved_and_no_other(count: int, data: st.DataObject) -> None:
    leaves = merkle.leaves(KEY, messages(count))
    root = merkle.root(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    proof = merkle.prove(leaves, leaf)
    merkle.verify(leaf, proof, root)
    assert len(proof.path) <= 7
    for other in merkle.leaves(KEY, messages(count + 1)):
        if other != leaf:
            with pytest.raises(IntegrityError):
                merkle.verify(other, proof, root)


@given(st.integers(1, 40), st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_proof_proves_nothing(count: int, data: st.DataObject) -> None:
    leaves = merkle.leaves(KEY, messages(count))
    leaf, root = data.draw(st.sampled_from(leaves)), merkle.root(leaves)
    good = merkle.prove(leaves, leaf)
    path = good.path
    bad = [
        replace(good, path=(*path, bytes(32))),
        replace(good, path=(bytes(32), *path)),
        replace(good, index=-1),
        replace(good, index=good.count),
        replace(good, count=0),
        *(replace(good, path=path[:at] + path[at + 1 :]) for at in range(len(path))),
        *(replace(good, path=(*path[:at], bytes(32), *path[at + 1 :])) for at in range(len(path))),
        *(replace(good, index=index) for index in range(good.count) if index != good.index),
    ]
    for proof in bad:
        with pytest.raises(IntegrityError):
            merkle.verify(leaf, proof, root)
    with pytest.raises(IntegrityError):
        merkle.verify(leaf, good, "0" * 64)


def test_an_inner_node_cannot_pass_for_a_message() -> None:
    leaves = sorted(merkle.leaves(KEY, messages(4)))
    left, right = (hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves[:2])
    beside = merkle.prove(leaves, leaves[0]).path[1]
    with pytest.raises(IntegrityError):
        merkle.verify(left + right, Proof(0, 2, (beside,)), merkle.root(leaves))


def test_no_proof_for_a_message_of_another_commit() -> None:
    with pytest.raises(IntegrityError, match="not one of the commit"):
        merkle.prove(merkle.leaves(KEY, messages(5)), merkle.leaves(KEY, ["0" * 64])[0])


def test_a_leaf_is_as_the_format_says() -> None:
    """The second HMAC hides what the first would show: the key of one leaf says nothing of another's."""
    message = messages(1)[0]
    digest = bytes.fromhex(message)
    blinding = hmac.new(KEY, digest, "sha256").digest()
    assert merkle.blinding(KEY, message) == blinding
    assert merkle.leaves(KEY, [message]) == [hmac.new(blinding, digest, "sha256").digest()]
    first, second = messages(2)
    shown = merkle.blinding(KEY, first)
    guessed = merkle.leaf(shown, second)  # all that who got the first proof can compute of a guess
    assert guessed not in merkle.leaves(KEY, [first, second])


@given(st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_one_tree_gives_all_proofs(count: int) -> None:
    leaves = merkle.leaves(KEY, messages(count))
    tree = merkle.Tree(leaves)
    for leaf in leaves[:: max(1, count // 9)]:
        assert tree.prove(leaf) == merkle.prove(leaves, leaf)
        merkle.verify(leaf, tree.prove(leaf), tree.root)
