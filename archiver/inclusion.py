"""Proofs that messages were archived: each one's way to a manifest that is signed, without any secret of the archive.

docs/format.md, "Proof that a message was archived", says what they are; `verify_proofs.py` there checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.catalog import lines
from archiver.errors import IntegrityError, MailarkError
from archiver.model import MessageEntry, MessageId, Problem
from archiver.vault import manifest as manifests
from archiver.vault import merkle, signing
from archiver.vault.keys import KeyRing
from archiver.vault.manifest import Manifest
from archiver.vault.vault import Vault

VERIFIER = "verify_proofs.py"
INSTRUCTIONS = (
    "python3 data/EVIDENCE/verify_proofs.py FINGERPRINT",
    "",
    "   FINGERPRINT is that of the archive's root key, from its recovery sheet; have it told to you another way than",
    "   by this volume. Needs Python and openssl 3. It checks that each file in data/NATIVES is, byte for byte, a",
    "   message for which a manifest vouches that was signed when it was archived (data/EVIDENCE/manifests).",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message's leaf is: about 700 bytes for each message, all hashes of the path in one piece."""

    manifest: int
    index: int
    count: int
    blinding: bytes
    path: bytes


class Inclusion:
    """The proofs of some messages, and the signed files they lead to.

    files: by name, with "/" between levels: root.pem, writers/<writer>.pub, manifests/<writer>/<seq>, and the program
    that checks them · problems: messages that cannot be proved, by name.
    """

    def __init__(self, vault: Vault, keyring: KeyRing, messages: Iterable[tuple[MessageId, str]]) -> None:
        """`messages`: their ids, and the packs they lie in. IntegrityError, StoreError when no store can tell."""
        self.files: dict[str, bytes] = {}
        self.problems: list[Problem] = []
        self._vault, self._keyring = vault, keyring
        self._places: dict[MessageId, _Place] = {}
        self._manifests: list[Manifest] = []
        wanted: dict[str, set[MessageId]] = {}
        for message, pack in messages:
            wanted.setdefault(pack, set()).add(message)
        self._prove(wanted)
        for left in sorted(set().union(*wanted.values()) - set(self._places)):
            self.problems.append(Problem(f"message {left}", "no signed manifest can be shown to vouch for it"))
        if self._manifests:
            self._sign()

    def proof(self, message: MessageId) -> Mapping[str, Any] | None:
        """The proof as the format has it, to be written as JSON; None if there is none."""
        place = self._places.get(message)
        if place is None:
            return None
        manifest = self._manifests[place.manifest]
        return {
            "message": message,
            "writer": manifest.writer,
            "seq": manifest.seq,
            "blinding": place.blinding.hex(),
            "index": place.index,
            "count": place.count,
            "path": [place.path[at : at + 32].hex() for at in range(0, len(place.path), 32)],
        }

    def _prove(self, wanted: Mapping[str, set[MessageId]]) -> None:
        """One manifest after another, so that the leaves of one alone are in memory."""
        for manifest in self._vault.manifests():
            packs = {ref.name for ref in manifest.objects} & set(wanted)
            if packs:
                try:
                    self._prove_commit(manifest, set().union(*(wanted[pack] for pack in packs)))
                except MailarkError as error:
                    self.problems.append(Problem(manifest.name, str(error)))

    def _prove_commit(self, manifest: Manifest, wanted: set[MessageId]) -> None:
        messages = self._messages(manifest)
        key = self._keyring.leaf_salt_key(manifest.writer)
        tree = merkle.Tree(merkle.leaves(key, messages))
        if tree.root != manifest.root:
            raise IntegrityError("its catalog lines do not lead to its root", "run `mailark check --read-data`")
        number, found = len(self._manifests), sorted(wanted & messages - set(self._places))
        for message in found:
            blinding = merkle.blinding(key, message)
            proof = tree.prove(merkle.leaf(blinding, message))
            self._places[message] = _Place(number, proof.index, proof.count, blinding, b"".join(proof.path))
        if found:
            self._manifests.append(manifest)

    def _messages(self, manifest: Manifest) -> set[MessageId]:
        """The messages of a commit: those that its catalog lines say to lie in its packs."""
        packs = {ref.name for ref in manifest.objects if ref.name.startswith("packs/")}
        found: set[MessageId] = set()
        for document in self._vault.lines(manifest):
            entries = (entry for entry in lines.load(document) if isinstance(entry, MessageEntry))
            found.update(entry.id for entry in entries if entry.pack in packs)
        return found

    def _sign(self) -> None:
        """The files that vouch for the proofs, each checked before it is handed out."""
        root = self._vault.checked(signing.ROOT, self._keyring.check_root)
        self.files["root.pem"] = root
        public = signing.read_pem(root)
        keys = {writer: self._writer(writer, public) for writer in sorted({one.writer for one in self._manifests})}
        for manifest in self._manifests:
            self.files[manifest.name] = self._vault.checked(manifest.name, _same(manifest, keys[manifest.writer]))
        self.files[VERIFIER] = (files("archiver.vault") / "documents" / VERIFIER).read_bytes()

    def _writer(self, writer: str, root: Ed25519PublicKey) -> Ed25519PublicKey:
        name = f"{signing.WRITERS}{writer}.pub"
        found: dict[str, Ed25519PublicKey] = {}

        def check(data: bytes) -> None:
            found.update(signing.verify_writers(lambda _: data, [name], root))

        self.files[f"writers/{writer}.pub"] = self._vault.checked(name, check)
        return found[writer]


def _same(manifest: Manifest, key: Ed25519PublicKey) -> Any:
    """A check that bytes are this manifest, signed by its writer."""

    def check(data: bytes) -> None:
        kinds = {note.kind for note in manifest.notes}
        if manifests.verify(data, key, kinds) != manifest:
            raise IntegrityError(f"{manifest.name} is not the one that was read before")

    return check
