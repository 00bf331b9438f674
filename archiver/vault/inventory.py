"""What every store of an archive should hold, from all stores together and without keys.

The root key vouches for the writers, each writer's signed and chained manifests vouch for the objects. Of a manifest
the first copy that is signed and fits is the truth, whichever store has it. What no manifest names (a key file made
since, a document) is taken from the copies themselves: they must agree, or most of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import IntegrityError, MailarkError
from archiver.stores.interface import Store
from archiver.vault import signing
from archiver.vault.manifest import FIRST_PREV, Manifest, ObjectRef, verify

STORES_AT_ONCE = 8
MAX_SMALL = 64 << 20
"""Bytes of an object that is read whole here: a manifest, a key file, a document."""

DOCUMENTS = ("FORMAT.txt", "reader.py")
"""What lies at the top of a store; whatever else lies there is somebody else's."""

_MANIFEST = re.compile(r"manifests/([0-9a-f]{16})/([0-9]{10})")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong with an object, in one store (its URL), or in all of them (`store` is "")."""

    name: str
    store: str
    reason: str


@dataclass(slots=True)
class Inventory:
    """objects: what each store should hold, by name · manifests: verified, each writer's in order · faults: what no
    single store is to blame for · unnamed: (store, name) of what nothing speaks of, which is no error (a push under
    way, a newer version's object) · failed: stores that could not be listed, by URL · listed: the size of every object
    in each store that could, by URL and name."""

    objects: dict[str, ObjectRef] = field(default_factory=dict)
    manifests: list[Manifest] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unnamed: list[tuple[str, str]] = field(default_factory=list)
    failed: dict[str, MailarkError] = field(default_factory=dict)
    listed: dict[str, dict[str, int]] = field(default_factory=dict)

    def expect(self, name: str, data: bytes) -> None:
        """Every store should hold this object."""
        self._expect(ObjectRef(hashlib.sha256(data).hexdigest(), len(data), name))

    def expect_all(self, manifest: Manifest) -> None:
        """Every store should hold what this verified manifest names."""
        self.manifests.append(manifest)
        for ref in manifest.objects:
            self._expect(ref)

    def _expect(self, ref: ObjectRef) -> None:
        known = self.objects.setdefault(ref.name, ref)
        if known != ref:
            self.faults.append(Fault(ref.name, "", "two manifests name it with different hashes"))


def find_root(stores: Sequence[Store], fingerprint: str = "") -> Ed25519PublicKey:
    """The archive's root key from the stores; IntegrityError unless it is the `fingerprint`'s, or all stores agree."""
    found: dict[str, Ed25519PublicKey] = {}
    failure: MailarkError = IntegrityError("no store has an undamaged keys/root.pem", "Give a store that has.")
    for store in stores:
        try:
            key = signing.read_pem(store.get(signing.ROOT, 0, 4096))
            found[signing.fingerprint(key)] = key
        except MailarkError as error:
            failure = error
    wanted = "".join(fingerprint.split()).lower()
    right = [key for mark, key in found.items() if wanted in ("", mark)]
    if len(right) > 1 or (found and not right):
        raise IntegrityError("the stores are not of one archive", "Compare with the fingerprint on the recovery sheet.")
    if not right:
        raise failure
    return right[0]


def take(stores: Sequence[Store], root: Ed25519PublicKey, heads: Mapping[str, int] | None = None) -> Inventory:
    """The inventory over all stores that answer. `heads`: the last commit each writer is known to have made, by id,
    so that it is noticed when every store has lost the newest ones."""
    inventory = Inventory()
    _list_all(stores, inventory)
    names = inventory.listed
    answering = [store for store in stores if store.url in names]
    copies = _Copies(answering, names)
    inventory.expect(signing.ROOT, signing.write_pem(root))
    writers = _writers(copies, root, inventory)
    _report_unknown_writers(copies, writers, inventory)
    for writer in sorted(writers):
        _Chain(writer, writers[writer], signing.archive_id(root), copies, inventory).take((heads or {}).get(writer, 0))
    _take_unsigned(copies, inventory)
    known = set(inventory.objects) | {fault.name for fault in inventory.faults}
    inventory.unnamed = [(store.url, name) for store in answering for name in sorted(names[store.url].keys() - known)]
    return inventory


def foundation(stores: Sequence[Store], root: Ed25519PublicKey) -> list[ObjectRef]:
    """The key files and documents in the stores: a writer's first manifest names them, so that they can be checked."""
    objects = take(stores, root).objects
    return [ref for name, ref in sorted(objects.items()) if name.startswith("keys/") or name in DOCUMENTS]


def _list_all(stores: Sequence[Store], inventory: Inventory) -> None:
    """Note what each store lists, or why it cannot."""

    def listed(store: Store) -> dict[str, int] | MailarkError:
        try:
            return {stat.name: stat.size for stat in store.list()}
        except MailarkError as error:
            return error

    with ThreadPoolExecutor(STORES_AT_ONCE, "list") as pool:
        for store, answer in zip(stores, pool.map(listed, stores), strict=True):
            if isinstance(answer, MailarkError):
                inventory.failed[store.url] = answer
            else:
                inventory.listed[store.url] = answer


@dataclass(frozen=True, slots=True)
class _Copies:
    """Small objects in every store that lists them."""

    stores: Sequence[Store]
    names: Mapping[str, Mapping[str, int]]

    def under(self, prefix: str) -> list[str]:
        return sorted({name for names in self.names.values() for name in names if name.startswith(prefix)})

    def of(self, name: str) -> Iterator[bytes]:
        """The copies that can be read, store by store; they may be damaged."""
        for store in self.stores:
            if name in self.names[store.url]:
                try:
                    data = store.get(name, 0, MAX_SMALL + 1)
                except MailarkError:
                    continue  # the audit of this store names it
                if len(data) <= MAX_SMALL:
                    yield data


def _writers(copies: _Copies, root: Ed25519PublicKey, inventory: Inventory) -> dict[str, Ed25519PublicKey]:
    """The enrolled writers: of each enrolment the copy that the root key has signed."""
    writers: dict[str, Ed25519PublicKey] = {}
    for name in copies.under(signing.WRITERS):
        reason = "unreadable"
        for data in copies.of(name):
            try:
                writers.update(signing.verify_writers(_always(data), [name], root))
            except IntegrityError as error:
                reason = str(error)
            else:
                inventory.expect(name, data)
                break
        else:
            inventory.faults.append(Fault(name, "", f"no store has a copy that the root key has signed: {reason}"))
    return writers


def _always(data: bytes) -> Callable[[str], bytes]:
    return lambda name: data


def _report_unknown_writers(copies: _Copies, known: Iterable[str], inventory: Inventory) -> None:
    for name in copies.under("manifests/"):
        found = _MANIFEST.fullmatch(name)
        if found is None or found[1] not in known:
            inventory.faults.append(Fault(name, "", "a manifest of a writer whom nothing vouches for"))


@dataclass(slots=True)
class _Chain:
    """Follows one writer's manifests. `_next` is the number expected next, `_prev` the SHA-256 of the one before it, ""
    when that one is not known (then the link cannot be checked)."""

    writer: str
    key: Ed25519PublicKey
    archive: str
    copies: _Copies
    inventory: Inventory
    _next: int = 1
    _prev: str = FIRST_PREV
    _judged: set[int] = field(default_factory=set)

    def take(self, head: int) -> None:
        """Every manifest that any store has, in order. Only a signed one proves that those before it must be there."""
        names = self.copies.under(f"manifests/{self.writer}/")
        for seq in sorted(int(found[2]) for name in names if (found := _MANIFEST.fullmatch(name))):
            valid, reason = self._valid(self._name(seq), seq)
            if valid:
                self._miss_until(seq)
                self._take(valid, seq)
            else:
                self._fault(seq, f"no store has it undamaged: {reason}")
        self._miss_until(head + 1)

    def _take(self, valid: dict[bytes, Manifest], seq: int) -> None:
        for manifest in valid.values():
            self.inventory.expect_all(manifest)
        data, manifest = next(iter(valid.items()))
        self._next = seq + 1
        if len(valid) > 1:
            self._fault(seq, "there are two different ones, both signed: the chain is forked")
            self._prev = ""
            return
        if self._prev and manifest.prev != self._prev:
            self._fault(seq, "it does not follow the manifest before: the chain was altered")
        self.inventory.expect(self._name(seq), data)
        self._prev = hashlib.sha256(data).hexdigest()

    def _miss_until(self, seq: int) -> None:
        for missing in range(self._next, seq):
            self._prev = ""
            if missing not in self._judged:
                self._fault(missing, "no store has it")

    def _valid(self, name: str, seq: int) -> tuple[dict[bytes, Manifest], str]:
        """The different copies that are signed and in their place; why the last of the others is not."""
        valid: dict[bytes, Manifest] = {}
        reason = "it cannot be read"
        for data in self.copies.of(name):
            if data in valid:
                continue
            try:
                manifest = verify(data, self.key)
            except IntegrityError as error:
                reason = str(error)
                continue
            if (manifest.archive, manifest.writer, manifest.seq) == (self.archive, self.writer, seq):
                valid[data] = manifest
            else:
                reason = "it is another manifest"
        return valid, reason

    def _fault(self, seq: int, reason: str) -> None:
        self._judged.add(seq)
        self.inventory.faults.append(Fault(self._name(seq), "", reason))

    def _name(self, seq: int) -> str:
        return f"manifests/{self.writer}/{seq:010d}"


def _take_unsigned(copies: _Copies, inventory: Inventory) -> None:
    """Key files and documents that no manifest names: what all copies, or most, have in common."""
    documents = [name for name in DOCUMENTS if any(name in names for names in copies.names.values())]
    judged = set(inventory.objects) | {fault.name for fault in inventory.faults}
    for name in [*copies.under("keys/"), *documents]:
        if name in judged:
            continue
        counted = Counter(copies.of(name)).most_common(2)
        if not counted:
            inventory.faults.append(Fault(name, "", "no store can read it"))
        elif len(counted) > 1 and counted[0][1] == counted[1][1]:
            inventory.faults.append(Fault(name, "", "it differs between stores, and nothing says which is right"))
        else:
            inventory.expect(name, counted[0][0])
