"""Objects known by size and SHA-256: hashed by ranges, copied from the first store whose bytes are right. No keys."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from archiver.errors import MailarkError, ObjectMissingError, QuotaError, StoreError
from archiver.stores.interface import Data, Store

CHUNK = 8 << 20
"""Bytes read from a store at once; what a copy or a check holds in memory."""


class Ref(Protocol):
    """How an object is named where it is promised: `size` in bytes, `sha256` of the stored bytes, in hex."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


def size_fault_of(store: Store, ref: Ref) -> str:
    """What can be seen to be wrong without reading: it is missing, or its size differs; "" otherwise."""
    found = store.stat(ref.name)
    if found is None:
        return "missing"
    return "" if found.size == ref.size else f"{found.size} bytes instead of {ref.size}"


def fault_of(store: Store, ref: Ref, sink: Callable[[bytes], object] = len) -> str:
    """What is wrong with the store's copy: "" when its bytes are right. `sink` gets the bytes as they are read.

    Raises what the store raises when it cannot answer.
    """
    if fault := size_fault_of(store, ref):
        return fault
    digest, read = hashlib.sha256(), 0
    while read < ref.size:
        try:
            piece = store.get(ref.name, read, CHUNK)
        except ObjectMissingError:
            return "missing"
        if not piece:
            return f"ends after {read} of {ref.size} bytes"
        digest.update(piece)
        sink(piece)
        read += len(piece)
    return "" if digest.hexdigest() == ref.sha256 else "wrong bytes (its SHA-256 differs)"


def file_is(path: Path, ref: Ref) -> bool:
    """Whether the file holds exactly the object."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == ref.sha256
    except OSError:
        return False


def copy_object(ref: Ref, sources: Sequence[Store], put: Callable[[Path], object]) -> str:
    """Give `put` a file with the right bytes, from the first source that has them: its URL, or "" if none has.

    Raises what `put` raises, and QuotaError when the temporary folder cannot hold the object.
    """
    for source in sources:
        with tempfile.NamedTemporaryFile(prefix="mailark-copy-") as scratch:
            try:
                fault = fault_of(source, ref, scratch.write)
                scratch.flush()
            except MailarkError:
                continue
            except OSError as error:
                hint = "Free space there, or set TMPDIR."
                raise QuotaError(f"{tempfile.gettempdir()}: {error.strerror}", hint) from error
            if not fault:
                put(Path(scratch.name))
                return source.url
    return ""


def replace(store: Store, ref: Ref, data: Data) -> None:
    """Put the right bytes in the place of whatever is there, and read them back; StoreError when that fails."""
    if store.stat(ref.name) is not None:
        store.delete(ref.name)
    store.put_if_absent(ref.name, data)
    if reason := fault_of(store, ref):
        raise StoreError(
            f"{store.url}: {ref.name} was written again and is faulty again: {reason}", "Replace the disk."
        )
