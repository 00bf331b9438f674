"""Checks the archive in every store: every object's hash, chains and signatures; with the keys, every message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.catalog import lines
from archiver.errors import AuthError, MailarkError
from archiver.model import MessageEntry, MessageId, Problem
from archiver.monitor import Monitor
from archiver.stores.interface import Store
from archiver.vault import merkle
from archiver.vault.audit import Audit, SoundStore, audit
from archiver.vault.inventory import Fault, Inventory, take
from archiver.vault.keys import KeyRing
from archiver.vault.manifest import Manifest, ObjectRef
from archiver.vault.vault import Vault

_READING = "messages"


@dataclass(slots=True)
class Verdict:
    """What a check found. stores: each with its own faults · faults: what no single store is to blame for · unnamed:
    (store, name) of what no manifest speaks of, which is no error · messages: how many were decrypted and have the
    hash they are named by, None when that was not asked for."""

    stores: list[Audit]
    faults: list[Fault]
    unnamed: list[tuple[str, str]]
    commits: int
    messages: int | None = None

    @property
    def all_faults(self) -> list[Fault]:
        """Everything that is wrong, sorted by object."""
        return sorted([*self.faults, *(fault for store in self.stores for fault in store.faults)])

    @property
    def exit_code(self) -> int:
        """7 when anything is damaged or missing, 8 when a store could not be read, otherwise 0."""
        if self.all_faults:
            return 7
        return 8 if any(store.error for store in self.stores) else 0


def check(
    stores: Sequence[Store],
    root: Ed25519PublicKey,
    monitor: Monitor,
    *,
    keyring: KeyRing | None = None,
    read_data: bool = False,
    heads: Mapping[str, int] | None = None,
) -> Verdict:
    """Read every object of every store and compare its hash with what the verified manifests say; no keys are needed.

    read_data: decrypt as well, put every message together and compare its hash; needs `keyring`, else AuthError ·
    heads: the last commit that each writer is known to have made. Memory is bounded by the largest message, and by some
    300 bytes an object.
    """
    if read_data and keyring is None:
        raise AuthError("messages can only be read with the archive's keys", "Check on a machine that can read.")
    inventory = take(stores, root, heads)
    for fault in inventory.faults:
        monitor.problem(Problem(fault.name, fault.reason))
    verdict = Verdict(
        audit(stores, inventory, monitor), inventory.faults, inventory.unnamed, commits=len(inventory.manifests)
    )
    if read_data and keyring is not None:
        sound = SoundStore(stores, verdict.stores)
        reading = _Reading(Vault([sound], root, keyring), keyring, monitor)
        reading.all_of(inventory)
        verdict.messages = reading.messages
        verdict.faults.extend(reading.faults)
    return verdict


@dataclass(slots=True)
class _Reading:
    """Reads every message from stores whose copies are sound."""

    vault: Vault
    keyring: KeyRing
    monitor: Monitor
    messages: int = 0
    faults: list[Fault] = field(default_factory=list)

    def all_of(self, inventory: Inventory) -> None:
        packs = {ref.name: ref.size for ref in inventory.objects.values() if ref.name.startswith("packs/")}
        self.monitor.begin(_READING, sum(manifest.messages for manifest in inventory.manifests), sum(packs.values()))
        for manifest in inventory.manifests:
            self._commit(manifest)
        self.monitor.end(_READING, f"{self.messages} messages read")

    def _commit(self, manifest: Manifest) -> None:
        found = {ref.name: self._pack(ref) for ref in manifest.objects if ref.name.startswith("packs/")}
        messages = [message for pack in found.values() for message in pack]
        if len(set(messages)) != manifest.messages:
            self._fault(manifest.name, f"{len(set(messages))} messages instead of {manifest.messages}")
        leaves = merkle.leaves(self.keyring.leaf_salt_key(manifest.writer), messages)
        if merkle.root(leaves) != manifest.root:
            self._fault(manifest.name, "the root of its messages differs")
        self._lines(manifest, {name: set(pack) for name, pack in found.items()})

    def _pack(self, ref: ObjectRef) -> list[MessageId]:
        """Read one pack from its start to its end, then each of its messages as a reader would."""
        try:
            pack = self.vault.pack(ref.name)
            messages = [name[2:66] for name in pack.names() if name.startswith("m/") and not name.endswith(".skel")]
            for _ in pack.hashes():
                pass
        except MailarkError as error:
            self._fault(ref.name, str(error))
            return []
        for message in messages:
            try:
                self.vault.read(message, ref.name)
                self.messages += 1
            except MailarkError as error:
                self._fault(ref.name, f"message {message}: {error}")
            self.monitor.advance(_READING, 1, 0)
        self.monitor.advance(_READING, 0, ref.size)
        return messages

    def _lines(self, manifest: Manifest, packs: Mapping[str, set[MessageId]]) -> None:
        """The catalog lines can be read, and speak of exactly the messages in the packs of their commit."""
        told: dict[str, set[MessageId]] = {name: set() for name in packs}
        try:
            for document in self.vault.lines(manifest):
                for entry in lines.load(document):
                    if isinstance(entry, MessageEntry) and entry.pack in told:
                        told[entry.pack].add(entry.id)
        except MailarkError as error:
            self._fault(manifest.name, f"its catalog lines: {error}")
            return
        for name, messages in packs.items():
            if different := messages ^ told[name]:
                self._fault(name, f"{len(different)} messages are in the pack or in the catalog lines only")

    def _fault(self, name: str, reason: str) -> None:
        self.faults.append(Fault(name, "", reason))
        self.monitor.problem(Problem(name, reason))
