"""The manifest of one commit: plain text, chained by hash, signed by its writer (Ed25519, RFC 8032).

    mailark manifest 1
    archive <32 hex digits>
    writer <16 hex digits>
    seq <number, from 1>
    prev <SHA-256 of the manifest before, zeros for the first>
    time <RFC 3339, UTC, whole seconds>
    messages <number>
    root <Merkle root over the salted messages>
    note <kind> <text>                        any number
    optional <kind> <text>                    any number
    object <SHA-256> <bytes> <name>           any number, sorted by name
    (an empty line)
    signature <base64>

There is one spelling for each manifest, and only that is read. The signature is over everything before the empty line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archiver.errors import IntegrityError

FIRST_PREV = "0" * 64
MAX_BYTES = 64 * 1024 * 1024
MAX_LINES = 500_000

_HEAD = re.compile(
    rb"mailark manifest 1\narchive ([0-9a-f]{32})\nwriter ([0-9a-f]{16})\nseq ([1-9][0-9]{0,9})\nprev ([0-9a-f]{64})\n"
    rb"time ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n"
    rb"messages (0|[1-9][0-9]{0,11})\nroot ([0-9a-f]{64})\n"
)
_NOTE = re.compile(r"(note|optional) ([a-z][a-z0-9-]{0,31}) ([!-~](?:[ -~]{0,998}[!-~])?)", re.ASCII)
_OBJECT = re.compile(r"object ([0-9a-f]{64}) (0|[1-9][0-9]{0,14}) ([A-Za-z0-9._/-]{1,255})", re.ASCII)
_NAMED = re.compile(r"(?:.*/)?([0-9a-f]{64})\.[a-z]+")


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """An object of a commit. sha256: of its bytes as stored · size: bytes · name: in every store."""

    sha256: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """A statement of a later kind. A reader that does not know the kind of a note that is not `optional` must stop."""

    kind: str
    text: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """One commit of one writer. prev: SHA-256 of the manifest before · root: of the tree over `messages` leaves."""

    archive: str
    writer: str
    seq: int
    prev: str
    time: datetime
    messages: int
    root: str
    objects: tuple[ObjectRef, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", self.time.astimezone(UTC).replace(microsecond=0))
        object.__setattr__(self, "objects", tuple(sorted(self.objects, key=lambda ref: ref.name)))

    @property
    def name(self) -> str:
        """The object's name in every store."""
        return f"manifests/{self.writer}/{self.seq:010d}"

    def body(self) -> bytes:
        """What is signed. IntegrityError when the manifest cannot be written in its one form."""
        lines = [
            "mailark manifest 1",
            f"archive {self.archive}",
            f"writer {self.writer}",
            f"seq {self.seq}",
            f"prev {self.prev}",
            f"time {self.time.replace(tzinfo=None).isoformat()}Z",
            f"messages {self.messages}",
            f"root {self.root}",
            *(f"{'optional' if note.optional else 'note'} {note.kind} {note.text}" for note in self.notes),
            *(f"object {ref.sha256} {ref.size} {ref.name}" for ref in self.objects),
        ]
        body = ("\n".join(lines) + "\n").encode("ascii", "replace")
        if _parse_body(body) != self:
            raise IntegrityError("this cannot be written as a manifest")
        return body


def sign(manifest: Manifest, key: Ed25519PrivateKey) -> bytes:
    """The whole file. IntegrityError when the manifest breaks a rule of the format."""
    body = manifest.body()
    return body + b"\nsignature " + base64.b64encode(key.sign(body)) + b"\n"


def parse(data: bytes, kinds: Collection[str] = ()) -> Manifest:
    """Read a manifest without checking who signed it. IntegrityError for anything that `sign` would not write.

    `kinds` are the kinds of note the caller acts upon; another one that is not optional is an IntegrityError.
    """
    body, _ = _cut(data)
    manifest = _parse_body(body)
    for note in manifest.notes:
        if not note.optional and note.kind not in kinds:
            raise IntegrityError(f"{manifest.name} has a note of kind {note.kind}", "a newer mailark is needed")
    return manifest


def verify(data: bytes, key: Ed25519PublicKey, kinds: Collection[str] = ()) -> Manifest:
    """As `parse`, and IntegrityError unless the manifest is signed with `key`."""
    body, signature = _cut(data)
    try:
        key.verify(signature, body)
    except InvalidSignature:
        raise IntegrityError("a manifest's signature is wrong") from None
    return parse(data, kinds)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain stands: the number and the SHA-256 of its last manifest."""

    seq: int = 0
    sha256: str = FIRST_PREV


def verify_chain(
    manifests: Iterable[bytes],
    writer: str,
    key: Ed25519PublicKey,
    *,
    archive: str,
    after: Link = Link(),
    kinds: Collection[str] = (),
) -> Iterator[Manifest]:
    """The manifests of one writer in order, each once it is verified to follow the one before.

    IntegrityError, naming the manifest, at the first that is not signed by the writer, is of another writer or
    archive, leaves a gap, stands where another one stood (a fork), or does not name its predecessor.
    """
    for data in manifests:
        name = f"manifests/{writer}/{after.seq + 1:010d}"
        try:
            manifest = verify(data, key, kinds)
            _check_link(manifest, archive, writer, after)
        except IntegrityError as error:
            raise IntegrityError(f"{name}: {error}", error.hint) from error
        after = Link(manifest.seq, hashlib.sha256(data).hexdigest())
        yield manifest


def _check_link(manifest: Manifest, archive: str, writer: str, after: Link) -> None:
    if manifest.archive != archive or manifest.writer != writer:
        raise IntegrityError("belongs to another archive or writer")
    if manifest.seq > after.seq + 1:
        raise IntegrityError(f"is missing, {manifest.seq} comes next")
    if manifest.seq <= after.seq:
        raise IntegrityError(f"{manifest.seq} comes again: the chain is forked", "a writer was cloned or rolled back")
    if manifest.prev != after.sha256:
        raise IntegrityError("does not follow the manifest before: the chain is forked or was altered")


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """The signed body and the signature."""
    if len(data) > MAX_BYTES:
        raise IntegrityError("a manifest is longer than it may be")
    body, separator, last = data.rpartition(b"\n\nsignature ")
    try:
        signature = base64.b64decode(last.removesuffix(b"\n"), validate=True)
    except binascii.Error:
        signature = b""
    if not separator or len(signature) != 64 or base64.b64encode(signature) + b"\n" != last:
        raise IntegrityError("a manifest has no signature, or one that is not in its canonical form")
    return body + b"\n", signature


def _parse_body(body: bytes) -> Manifest:
    head = _HEAD.match(body)
    if head is None or not body.endswith(b"\n") or body.count(b"\n") > MAX_LINES:
        raise IntegrityError("not a manifest of this version, or damaged")
    archive, writer, seq, prev, time, messages, root = (group.decode("ascii") for group in head.groups())
    lines = body[head.end() :].decode("ascii", "replace").split("\n")[:-1]
    notes = tuple(_note(line) for line in lines if not line.startswith("object "))
    objects = tuple(_object(line) for line in lines[len(notes) :])
    names = [ref.name for ref in objects]
    if names != sorted(set(names)):
        raise IntegrityError("a manifest's objects are not in order")
    if (seq == "1") != (prev == FIRST_PREV):
        raise IntegrityError("a manifest's predecessor does not go with its number")
    return Manifest(archive, writer, int(seq), prev, _time(time), int(messages), root, objects, notes)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise IntegrityError("a manifest's time is none") from None


def _note(line: str) -> Note:
    found = _NOTE.fullmatch(line)
    if found is None:
        raise IntegrityError("a manifest has a line of an unknown kind")
    return Note(found[2], found[3], found[1] == "optional")


def _object(line: str) -> ObjectRef:
    found = _OBJECT.fullmatch(line)
    if found is None:
        raise IntegrityError("a manifest has an object line that is damaged or not in its place")
    sha256, size, name = found.groups()
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise IntegrityError("a manifest names an object that cannot be")
    named = _NAMED.fullmatch(name)
    if named and named[1] != sha256:
        raise IntegrityError("a manifest names an object by another hash than its own")
    return ObjectRef(sha256, int(size), name)
