"""Each room alone, in one thread, on messages of the corpus: processor time, MB/s of raw mail, µs a message.

python -m tests.benchmarks.rooms [--messages 2000]
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archiver.catalog.lines import dump, load
from archiver.catalog.sqlite import SqliteCatalog
from archiver.catalog.tokens import indexed
from archiver.entries import entry_of
from archiver.mime import parse
from archiver.model import MessageEntry, PlaceEntry
from archiver.vault.pack import PackWriter
from archiver.vault.recipients import HybridIdentity
from archiver.vault.segments import Split, join, split
from tests.benchmarks import corpus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PACK = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """The messages every room works on, and what one room hands to the next."""

    raws: list[bytes]
    splits: list[Split | None]
    entries: list[MessageEntry]


def segment_name(data: bytes) -> str:
    """Named as the archive names segments: HMAC-SHA256."""
    return hmac.digest(b"bench", data, "sha256").hex()


def prepare(folder: Path) -> Load:
    """Every distinct message below the folder, with CRLF line ends as they come over the wire."""
    files = sorted(folder.rglob("*,S=*"))
    raws = list(dict.fromkeys(path.read_bytes().replace(b"\n", b"\r\n") for path in files))
    entries = [entry_of(hashlib.sha256(raw).hexdigest(), raw) for raw in raws]
    return Load(raws, [split(raw, segment_name) for raw in raws], entries)


def rooms(load_: Load, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """The measured pieces of work, each over all messages."""
    text = [entry.text for entry in load_.entries]
    lines = dump(load_.entries)
    yield "SHA-256 of the message", lambda: [hashlib.sha256(raw).hexdigest() for raw in load_.raws]
    yield "mime.parse", lambda: [parse(raw) for raw in load_.raws]
    yield "segments.split", lambda: [split(raw, segment_name) for raw in load_.raws]
    yield "segments.join", lambda: [_join(found) for found in load_.splits if found]
    yield "pack: zstd, tar, age, compare", lambda: _pack(load_, folder)
    yield "catalog lines: dump", lambda: dump(load_.entries)
    yield "catalog lines: load", lambda: list(load(lines))
    yield "tokens.indexed", lambda: [indexed(one) for one in text]
    yield "catalog: add and seal", lambda: _catalog(load_, folder)


def _join(found: Split) -> bytes:
    return join(found.skeleton, found.recipe, found.segments.__getitem__)


def _pack(load_: Load, folder: Path) -> None:
    recipient = HybridIdentity.generate().recipient()
    seen: set[str] = set()
    writer, number = PackWriter(folder / "0", recipient, era="mail-2026"), 0
    for entry, raw, found in zip(load_.entries, load_.raws, load_.splits, strict=True):
        if found is None:
            writer.add(f"m/{entry.id}.eml", raw)
        else:
            writer.add(f"m/{entry.id}.skel", found.skeleton)
            for name, data in found.segments.items():
                if name not in seen:
                    seen.add(name)
                    writer.add(f"b/{name}", data)
        if writer.size >= PACK:
            writer.finish()
            number += 1
            writer = PackWriter(folder / str(number), recipient, era="mail-2026")
    writer.finish()


def _catalog(load_: Load, folder: Path) -> None:
    with SqliteCatalog.open(folder / "catalog.db", bytes(32)) as catalog:
        for uid, entry in enumerate(load_.entries, 1):
            catalog.add([entry, PlaceEntry(entry.id, "bench", "INBOX", 1, uid, ("\\Seen",), NOW, NOW)])
        catalog.seal("bench", 1)


def main() -> None:
    """The command line shown above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    made = options.folder / f"corpus-{options.messages}"
    corpus.cached(made, options.messages)
    work = prepare(made)
    size, count = sum(map(len, work.raws)), len(work.raws)
    text = sum(len(entry.text) for entry in work.entries)
    print(f"{count} distinct messages, {size / 1e6:.0f} MB, {text / 1e6:.1f} million characters of text")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        for name, do in rooms(work, Path(scratch)):
            cpu = time.process_time()
            do()
            cpu = time.process_time() - cpu
            print(f"{name:<32} {cpu:7.2f} s CPU  {size / cpu / 1e6:8.0f} MB/s  {cpu / count * 1e6:8.0f} µs a message")


if __name__ == "__main__":
    main()
