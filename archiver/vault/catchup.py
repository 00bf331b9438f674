"""What a store lacks before a commit: it is new, was wiped, or missed nights whose spool copies are gone.

No keys are needed and no other store is trusted: a manifest names the SHA-256 of the one before and of its objects, so
the writer's own commit vouches for everything before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archiver.errors import MailarkError, StoreError
from archiver.stores.interface import Store
from archiver.vault import manifest


@dataclass(frozen=True, slots=True)
class Staged:
    """A sealed object that waits: as `data`, as the spool file `path`, or (neither) only in stores. `sha256` in hex."""

    name: str
    size: int
    sha256: str
    path: Path | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A recorded commit. `name` is the manifest's object name, `manifest` its signed bytes."""

    seq: int
    name: str
    manifest: bytes
    objects: tuple[Staged, ...]


def missing_before(commit: Commit, known: Mapping[int, Commit], store: Store, others: Sequence[Store]) -> list[Commit]:
    """The commits before this one that the store lacks, oldest first: from `known` (by number), else from `others`.

    As a store gets its commits in order, the first predecessor that it holds ends the search. StoreError when no other
    store has one of them undamaged.
    """
    missing: list[Commit] = []
    data, folder = commit.manifest, commit.name.rpartition("/")[0]
    for seq in range(commit.seq - 1, 0, -1):
        name = f"{folder}/{seq:010d}"
        found = store.stat(name)
        if found is not None and found.size:  # a torn file is none
            break
        earlier = known.get(seq) or _from_others(seq, name, manifest.parse(data).prev, others)
        data = earlier.manifest
        missing.append(earlier)
    return missing[::-1]


def _from_others(seq: int, name: str, sha256: str, others: Sequence[Store]) -> Commit:
    for other in others:
        try:
            data = other.get(name)
        except MailarkError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            refs = manifest.parse(data).objects
            return Commit(seq, name, data, tuple(Staged(ref.name, ref.size, ref.sha256) for ref in refs))
    raise StoreError(f"no other store has {name} undamaged", "Run `mailark check`.")
