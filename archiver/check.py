"""Checks the archive in every store: every object's hash, chains and signatures; with the keys, every message."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from archiver.vault.plan import Agree, Expense, Level, Plan, Proof, Proofs, cost_of_reading, plan
from archiver.vault.vault import Vault

_READING = "messages"


@dataclass(frozen=True, slots=True)
class Proven:
    """How much of what a store should hold was ever read whole, and when the oldest of those proofs was made (RFC 3339;
    None when some object was never read)."""

    objects: int
    size: int
    of_objects: int
    of_size: int
    oldest: str | None

    @property
    def share(self) -> float:
        """Of the bytes, from 0 to 1."""
        return self.size / self.of_size if self.of_size else 1.0


@dataclass(slots=True)
class Verdict:
    """What a check found. stores: each with its own faults · faults: what no single store is to blame for · unnamed:
    (store, name) of what no manifest speaks of, which is no error · proven: what was ever read, by store, where that is
    remembered · messages: how many were decrypted and have the hash they are named by, None when that was not asked
    for."""

    stores: list[Audit]
    faults: list[Fault]
    unnamed: list[tuple[str, str]]
    commits: int
    proven: dict[str, Proven] = field(default_factory=dict)
    messages: int | None = None

    @property
    def all_faults(self) -> list[Fault]:
        """Everything that is wrong, sorted by object."""
        return sorted([*self.faults, *(fault for store in self.stores for fault in store.faults)])

    @property
    def unlocked(self) -> list[Fault]:
        """What is not locked as its store promises, sorted by object. The bytes may be right."""
        return sorted(fault for store in self.stores for fault in store.unlocked)

    @property
    def exit_code(self) -> int:
        """7 when anything is damaged or missing, 8 when a store could not be read or does not lock as it promises,
        otherwise 0."""
        if self.all_faults:
            return 7
        return 8 if self.unlocked or any(store.error for store in self.stores) else 0


def check(
    stores: Sequence[Store],
    root: Ed25519PublicKey,
    monitor: Monitor,
    *,
    level: Level = Level.FULL,
    only: Collection[str] = (),
    budget: int | None = None,
    keyring: KeyRing | None = None,
    read_data: bool = False,
    heads: Mapping[str, int] | None = None,
    proofs: Proofs | None = None,
    agree: Agree = len,
) -> Verdict:
    """Compare what every store holds with what the verified manifests say, as deep as asked; no keys are needed.

    only: URLs of the stores to check (none means all); the others still help to tell what there should be · budget:
    bytes to read a store at most · read_data: decrypt as well, put every message together and compare its hash; needs
    `keyring`, else AuthError · heads: the last commit that each writer is known to have made · proofs: what was read
    before, and where to remember what is read now · agree: told the expenses before they are made. Memory is bounded by
    the largest message, and by some 300 bytes an object and store.
    """
    if read_data and keyring is None:
        raise AuthError("messages can only be read with the archive's keys", "Check on a machine that can read.")
    inventory = take(stores, root, heads)
    chosen = [store for store in stores if not only or store.url in only]
    plans = [plan(store, inventory, level, budget, proofs, locks=True) for store in chosen]
    agree(_expenses(plans, inventory, read_data))
    for fault in inventory.faults:
        monitor.problem(Problem(fault.name, fault.reason))
    verdict = Verdict(
        audit(plans, inventory, monitor, proofs), inventory.faults, inventory.unnamed, commits=len(inventory.manifests)
    )
    if proofs is not None:
        _remember(verdict, inventory, level, proofs)
    if read_data and keyring is not None:
        sound = SoundStore(chosen, verdict.stores)
        reading = _Reading(Vault([sound], root, keyring), keyring, monitor)
        reading.all_of(inventory)
        verdict.messages = reading.messages
        verdict.faults.extend(reading.faults)
    return verdict


def _expenses(plans: Sequence[Plan], inventory: Inventory, read_data: bool) -> list[Expense]:
    """Of the plans; messages are read from the first store, each pack once whole and once more by its messages."""
    expenses = [found.expense for found in plans]
    if read_data and expenses:
        packs = [ref for ref in inventory.objects.values() if ref.name.startswith(("packs/", "catalog/"))]
        messages = sum(manifest.messages for manifest in inventory.manifests)
        once = cost_of_reading(expenses[0].url, packs)
        expenses[0] = expenses[0].plus(Expense(once.url, 2 * once.requests + 2 * messages, 2 * once.egress))
    return expenses


def _remember(verdict: Verdict, inventory: Inventory, level: Level, proofs: Proofs) -> None:
    """Sum up what was ever read of each store, for the verdict and for `status`."""
    for store in verdict.stores:
        if store.error is None:
            if store.protection:
                proofs.note_locks(store.url, store.protection, store.locks, len(store.unlocked))
            found = verdict.proven[store.url] = _proven(inventory, proofs.known(store.url))
            proofs.note(store.url, level, len(store.faults), found.share, found.oldest)


def _proven(inventory: Inventory, known: Mapping[str, Proof]) -> Proven:
    refs = inventory.objects.values()
    times = {ref.name: known[ref.name].time for ref in refs if _is_proof(known.get(ref.name), ref)}
    return Proven(
        objects=len(times),
        size=sum(ref.size for ref in refs if ref.name in times),
        of_objects=len(refs),
        of_size=sum(ref.size for ref in refs),
        oldest=min(times.values(), default=None) if len(times) == len(refs) else None,
    )


def _is_proof(found: Proof | None, ref: ObjectRef) -> bool:
    return found is not None and found.sha256 == ref.sha256


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
