"""Reads the archive back: manifests, catalog lines and messages, from whichever store gives the right bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import AuthError, IntegrityError, MailarkError, ObjectMissingError, StoreError
from archiver.model import MessageId
from archiver.stores.interface import Store
from archiver.vault import age, signing, zstd
from archiver.vault.keys import KeyRing, verify_writers
from archiver.vault.manifest import Manifest, verify_chain
from archiver.vault.pack import PackReader
from archiver.vault.recipe import Recipe
from archiver.vault.recipients import Identity
from archiver.vault.segments import join

OPEN_PACKS = 48
"""Packs whose index stays in memory."""

MAX_LINES = 1024 * 1024 * 1024
"""Bytes of catalog lines that one frame may unfold to."""

T = TypeVar("T")


class Vault:
    """Thread-safe. Every read falls back from store to store, in their order, on failure and on damage."""

    def __init__(self, stores: Sequence[Store], root: Ed25519PublicKey, keyring: KeyRing | None) -> None:
        self._stores = stores
        self._root = root
        self._archive = signing.archive_id(root)
        self._keyring = keyring
        self._packs: OrderedDict[tuple[int, str], PackReader] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, message: MessageId, pack: str) -> bytes:
        """The exact bytes of a message that lies in this pack.

        Raises IntegrityError when no store has it undamaged, StoreError when none answers, AuthError without keys.
        """
        return self._from_any(lambda number: self._read(number, message, pack))

    def _read(self, number: int, message: MessageId, pack: str) -> bytes:
        reader = self._pack(number, pack)
        if f"m/{message}.eml" in reader.names():
            raw = reader.read(f"m/{message}.eml")
            if hashlib.sha256(raw).hexdigest() != message:
                raise IntegrityError(f"{pack}: message {message[:12]} does not have the hash it is named by")
            return raw
        recipe = Recipe.parse(reader.read(f"m/{message}.json"))
        if recipe.sha256 != message:
            raise IntegrityError(f"{pack}: the recipe of message {message[:12]} is another message's")
        homes = {part.name: part.pack or pack for part in recipe.parts}
        skeleton = reader.read(f"m/{message}.skel")
        return join(skeleton, recipe, lambda name: self._pack(number, homes[name]).read(f"b/{name}"))

    def manifests(self, after: Mapping[str, int] | None = None) -> Iterator[Manifest]:
        """The manifests of every enrolled writer, in the order of its chain, verified; only those with seq > `after`.

        Raises IntegrityError for a broken chain or a bad signature, StoreError when no store answers.
        """
        for writer, key in sorted(self._from_any(self._writers).items()):
            start = (after or {}).get(writer, 0)
            chain = [self._from_any(_getter(self._stores, name)) for name in self._manifest_names(writer)]
            yield from (m for m in verify_chain(chain, writer, key, archive=self._archive) if m.seq > start)

    def checked(self, name: str, check: Callable[[bytes], object]) -> bytes:
        """The bytes of an object, from the first store whose copy `check` does not refuse with an IntegrityError."""

        def fetch(number: int) -> bytes:
            data = self._stores[number].get(name)
            check(data)
            return data

        return self._from_any(fetch)

    def lines(self, manifest: Manifest) -> Iterator[bytes]:
        """The catalog lines of a commit as JSONL documents."""
        for ref in manifest.objects:
            if ref.name.startswith("catalog/"):
                yield from self.unseal_lines(ref.name, self.object(ref.name, ref.sha256))

    def unseal_lines(self, name: str, sealed: bytes) -> Iterator[bytes]:
        """The JSONL documents, one a batch, in the bytes of the catalog object `name`."""
        return zstd.frames(age.decrypt(sealed, self._identities(name)), limit=MAX_LINES)

    def object(self, name: str, sha256: str) -> bytes:
        """A whole object with the right SHA-256, from the first store that has it."""

        def fetch(number: int) -> bytes:
            data = self._stores[number].get(name)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise IntegrityError(f"{self._stores[number].url}: {name} is damaged", "run `mailark repair`")
            return data

        return self._from_any(fetch)

    def pack(self, name: str) -> PackReader:
        """The pack, opened in the first store that answers; for reading all of it."""
        return self._from_any(lambda number: self._pack(number, name))

    # -- one store at a time

    def _from_any(self, read: Callable[[int], T]) -> T:
        """The first answer; the worst failure when there is none: damage before absence."""
        failures: list[MailarkError] = []
        for number in range(len(self._stores)):
            try:
                return read(number)
            except (StoreError, IntegrityError) as error:
                failures.append(error)
        raise min(failures, key=lambda error: not isinstance(error, IntegrityError))

    def _pack(self, number: int, name: str) -> PackReader:
        key = (number, name)
        with self._lock:
            if key in self._packs:
                self._packs.move_to_end(key)
                return self._packs[key]
        store = self._stores[number]
        found = store.stat(name)
        if found is None:
            raise ObjectMissingError(f"{store.url} does not hold {name}", "run `mailark repair`")
        reader = PackReader(lambda start, size: store.get(name, start, size), found.size, self._identities(name))
        with self._lock:
            self._packs[key] = reader
            while len(self._packs) > OPEN_PACKS:
                self._packs.popitem(last=False)
        return reader

    def _identities(self, name: str) -> tuple[Identity, ...]:
        """The keys of the era that an object's name tells."""
        if self._keyring is None:
            raise AuthError("this machine only writes: it holds no key to read with", "read on a machine that has one")
        return self._keyring.identities(name.split("/")[1])

    def _writers(self, number: int) -> dict[str, Ed25519PublicKey]:
        store = self._stores[number]
        return verify_writers(store.get, [found.name for found in store.list(signing.WRITERS)], self._root)

    def _manifest_names(self, writer: str) -> list[str]:
        """Names over all stores that answer: a store that missed nights has a shorter chain, not another one."""
        names: set[str] = set()
        for number in range(len(self._stores)):
            with suppress(StoreError):
                names.update(found.name for found in self._stores[number].list(f"manifests/{writer}/"))
        return sorted(names)


def _getter(stores: Sequence[Store], name: str) -> Callable[[int], bytes]:
    return lambda number: stores[number].get(name)
