"""A small real archive in as many stores as wanted: packs, segments shared across packs, catalog lines, manifests."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from archiver.catalog import lines
from archiver.model import MessageEntry
from archiver.stores.interface import Store
from archiver.vault import age, keys, merkle, zstd
from archiver.vault.commit import furnish
from archiver.vault.inventory import foundation
from archiver.vault.manifest import FIRST_PREV, Manifest, ObjectRef, sign
from archiver.vault.pack import PackWriter, SealedPack
from archiver.vault.segments import split

PASSPHRASE = "correct horse battery"
ERA = "mail-2026"
WHEN = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class SmallArchive:
    """`objects` is what every store holds, `messages` what the packs hold, by name."""

    made: keys.NewArchive
    stores: Sequence[Store]
    folder: Path
    seed: int = 1
    objects: dict[str, bytes] = field(default_factory=dict)
    messages: dict[str, bytes] = field(default_factory=dict)
    seq: int = 0
    prev: str = FIRST_PREV
    _homes: dict[str, str] = field(default_factory=dict)

    def found(self) -> None:
        """Key files and documents."""
        self.objects = {"FORMAT.txt": b"how to read this\n", **self.made.objects}
        assert furnish(self.stores, self.objects) == {}

    def commit(self, count: int, *, lose_line: bool = False, wrong_root: bool = False) -> Manifest:
        """One commit of `count` new messages in two packs, the second of which uses segments of the first."""
        packs = [self._pack(count // 2), self._pack(count - count // 2)]
        ids = [name[2:66] for pack in packs for name, _ in pack.members if name[0] == "m" and not name.endswith("skel")]
        refs = [self._put(pack.name, pack.path.read_bytes()) for pack in packs]
        entries = [
            MessageEntry(name[2:66], 1, pack.name)
            for pack in packs
            for name, _ in pack.members
            if name[0] == "m" and not name.endswith("skel")
        ]
        sealed = age.encrypt(zstd.compress(lines.dump(entries[lose_line:])), [self.made.machine.recipient(ERA)])
        refs.append(self._put(f"catalog/{ERA}/{hashlib.sha256(sealed).hexdigest()}.age", sealed))
        if not self.seq:
            refs += foundation(self.stores, self.made.machine.root)
        salt = b"?" * 32 if wrong_root else self.made.machine.leaf_salt_key
        return self._sign(refs, ids, merkle.root(merkle.leaves(salt, ids)))

    def _sign(self, refs: Sequence[ObjectRef], ids: Sequence[str], root: str) -> Manifest:
        self.seq += 1
        machine = self.made.machine
        manifest = Manifest(machine.archive, machine.writer, self.seq, self.prev, WHEN, len(ids), root, tuple(refs))
        data = sign(manifest, machine.signing_key)
        self.prev = hashlib.sha256(data).hexdigest()
        self._put(manifest.name, data)
        return manifest

    def _put(self, name: str, data: bytes) -> ObjectRef:
        self.objects[name] = data
        for store in self.stores:
            store.put_if_absent(name, data)
        return ObjectRef(hashlib.sha256(data).hexdigest(), len(data), name)

    def _pack(self, count: int) -> SealedPack:
        machine = self.made.machine
        writer = PackWriter(self.folder / f"open-{len(self.messages)}", machine.recipient(ERA), era=ERA)
        here: list[str] = []
        for _ in range(count):
            raw = message(random.Random(self.seed * 1000 + len(self.messages)))
            name = hashlib.sha256(raw).hexdigest()
            self.messages[name] = raw
            taken = split(raw, lambda data: hashlib.sha256(b"key" + data).hexdigest())
            if taken is None:
                writer.add(f"m/{name}.eml", raw)
                continue
            for segment, data in taken.segments.items():
                if segment not in self._homes and segment not in here:
                    writer.add(f"b/{segment}", data)
                    here.append(segment)
            writer.add(f"m/{name}.skel", taken.skeleton)
            writer.add(f"m/{name}.json", taken.recipe.located(self._homes).to_json())
        pack = writer.finish()
        self._homes.update(dict.fromkeys(here, pack.name))
        return pack


def message(rng: random.Random) -> bytes:
    """A message with text, and two times in three with one of twenty attachments."""
    text = f"From: a@example.com\r\nSubject: {rng.random()}\r\n\r\n{rng.randbytes(300).hex()}\r\n".encode()
    if rng.random() < 1 / 3:
        return text
    attachment = random.Random(rng.randrange(20)).randbytes(9000)
    return text + base64.encodebytes(attachment).replace(b"\n", b"\r\n")


def build(
    folder: Path, stores: Sequence[Store], made: keys.NewArchive, commits: int = 3, each: int = 20
) -> SmallArchive:
    """An archive of `commits` commits with `each` messages in stores that are empty. `folder` is for the spool."""
    folder.mkdir(exist_ok=True)
    archive = SmallArchive(made, stores, folder)
    archive.found()
    for _ in range(commits):
        archive.commit(each)
    return archive


def new_keys(first_year: int = 2026) -> keys.NewArchive:
    """Keys of a new archive, with a passphrase that is cheap to open."""
    return keys.create(PASSPHRASE, classic=True, generated=False, first_year=first_year, years=2, log_n=4)
