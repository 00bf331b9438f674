#!/usr/bin/env python3
"""Checks that messages were in the archive they are said to come from. Needs Python 3.9 and openssl 3, nothing else.

    python3 verify_proofs.py FINGERPRINT [FILE or FOLDER ...]

FINGERPRINT: SHA-256 of the archive's root key, 64 hexadecimal digits, from the archive's recovery sheet: it must have
reached you some other way than together with these files. Without files, those of ../NATIVES are checked.

Beside this program lie proofs.jsonl, root.pem, writers/ and manifests/. For each message it is checked that
    its SHA-256 is the one in its proof; this and the proof's blinding make the leaf of a Merkle tree (RFC 6962);
    leaf and path lead to the root in a manifest; that manifest is signed by its writer, the writer's key by the
    archive's root key; and the root key has the fingerprint you typed. Signatures are Ed25519 (RFC 8032).
A proof tells nothing of any other message. It ends with 0 when every message is proved, else with 1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HEX = "[0-9a-f]{64}"
MANIFEST = re.compile(
    rf"mailark manifest 1\narchive ([0-9a-f]{{32}})\nwriter ([0-9a-f]{{16}})\nseq ([1-9][0-9]*)\nprev {HEX}\n"
    rf"time ([0-9TZ:-]+)\nmessages ([0-9]+)\nroot ({HEX})\n",
)
PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]+)\n-----END PUBLIC KEY-----\n")


class RefusedError(Exception):
    """Something is not what it must be."""


def need(condition: bool, reason: str) -> None:
    if not condition:
        raise RefusedError(reason)


def signed(data: bytes, separator: bytes, key: bytes, what: str) -> bytes:
    """The text before the separator and the base64 of its signature, if `key` (PEM) made that."""
    text, found, signature = data.rpartition(separator + b"signature ")
    try:
        raw = base64.b64decode(signature)
    except ValueError:
        raw = b""
    need(bool(found) and base64.b64encode(raw) + b"\n" == signature, f"{what} has no signature in its proper form")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", key), ("note", text), ("sig", raw)):
            (Path(folder) / name).write_bytes(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "note", "-sigfile"]
        done = subprocess.run([*command, "sig"], cwd=folder, capture_output=True, timeout=60)
    need(done.returncode == 0, f"the signature of {what} is wrong")
    return text


def public_key(pem: bytes, what: str) -> bytes:
    """The key of a PEM file that holds nothing else, in DER."""
    found = PEM.fullmatch(pem)
    text = found[1] if found else b""
    der = base64.b64decode(text)
    need(found is not None and base64.b64encode(der) == text, f"{what} is not a public key in its proper form")
    return der


def leaf_of(message: str, blinding: str) -> bytes:
    return hmac.new(bytes.fromhex(blinding), bytes.fromhex(message), "sha256").digest()


def root_of(leaf: bytes, index: int, count: int, path: list[str]) -> str:
    """The root to which leaf and path lead (RFC 6962 section 2.1)."""
    node, last = hashlib.sha256(b"\0" + leaf).digest(), count - 1
    beside = [bytes.fromhex(one) for one in path]
    while last:
        if index % 2 or index < last:  # the last node of an odd level moves up as it is
            need(bool(beside), "the path is too short")
            other = beside.pop(0)
            node = hashlib.sha256(b"\1" + (other + node if index % 2 else node + other)).digest()
        index, last = index // 2, last // 2
    need(not beside, "the path is too long")
    return node.hex()


class Archive:
    """The signed files of the archive, each checked once."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.manifests: dict[str, tuple[str, int, str]] = {}
        self.writers: dict[str, bytes] = {}
        self.root = (folder / "root.pem").read_bytes()
        found = hashlib.sha256(public_key(self.root, "root.pem")).hexdigest()
        need(found == fingerprint, f"root.pem has the fingerprint {found}, not the one you typed")
        self.id = found[:32]

    def writer(self, writer: str) -> bytes:
        """The key of a writer, in PEM: the root key has signed it for this archive."""
        if writer not in self.writers:
            name = f"writers/{writer}.pub"
            note = signed((self.folder / name).read_bytes(), b"", self.root, name)
            head = f"mailark writer 1\narchive {self.id}\nwriter {writer}\n".encode()
            need(note.startswith(head), f"{name} is of another archive or writer")
            public_key(note[len(head) :], name)
            self.writers[writer] = note[len(head) :]
        return self.writers[writer]

    def manifest(self, writer: str, seq: int) -> tuple[str, int, str]:
        """(time, number of messages, root) of a manifest that the writer has signed."""
        name = f"manifests/{writer}/{seq:010d}"
        if name not in self.manifests:
            data = (self.folder / name).read_bytes()
            text = signed(data, b"\n", self.writer(writer), name).decode("ascii")
            head = MANIFEST.match(text)
            found = head.groups() if head else ()
            need(found[:3] == (self.id, writer, str(seq)), f"{name} is not the manifest of this number")
            self.manifests[name] = found[3], int(found[4]), found[5]
        return self.manifests[name]

    def check(self, proof: dict[str, Any]) -> str:
        """What the proof of a message proves."""
        fields = {"blinding": HEX, "message": HEX, "writer": "[0-9a-f]{16}"}
        for name, form in fields.items():
            need(re.fullmatch(form, str(proof.get(name))) is not None, f"the proof's {name} is malformed")
        index, count, seq = numbers = [proof.get(name, -1) for name in ("index", "count", "seq")]
        path = proof.get("path", "")
        need(all(type(number) is int and number >= 0 for number in numbers), "the proof has a number that is none")
        need(type(path) is list and all(re.fullmatch(HEX, str(one)) for one in path), "the proof's path is malformed")
        time, messages, root = self.manifest(proof["writer"], seq)
        need(0 <= index < count == messages, "the proof is for a tree of another size")
        found = root_of(leaf_of(proof["message"], proof["blinding"]), index, count, path)
        need(found == root, "the message is not in the manifest's tree")
        return f"archived by {proof['writer']} in commit {seq}, signed {time}"


def proofs_in(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    *lines, last = (folder / "proofs.jsonl").read_bytes().decode("utf-8").split("\n")
    for line in lines:
        proof = json.loads(line)
        need(json.dumps(proof, sort_keys=True) == line, "proofs.jsonl is not in its proper form")
        found[proof.get("message")] = proof
    need(not last, "proofs.jsonl was cut off")
    return found


def main(arguments: list[str], folder: Path) -> int:
    fingerprint = "".join("".join(arguments[:1]).split()).lower()
    if not re.fullmatch(HEX, fingerprint):
        sys.exit(__doc__)
    given = [Path(name) for name in arguments[1:]] or [folder.parent / "NATIVES"]
    files = [path for one in given for path in (sorted(one.rglob("*")) if one.is_dir() else [one]) if not path.is_dir()]
    wrong = 0
    try:
        archive, proofs = Archive(folder, fingerprint), proofs_in(folder)
    except (RefusedError, OSError, ValueError) as error:
        sys.exit(f"FAILED  {error}")
    for path in files:
        try:
            message = hashlib.sha256(path.read_bytes()).hexdigest()
            need(message in proofs, f"there is no proof for its SHA-256, {message}")
            print(f"proved  {path.name}: {archive.check(proofs[message])}")
        except (RefusedError, OSError, ValueError, subprocess.SubprocessError) as error:
            wrong += 1
            print(f"FAILED  {path.name}: {error}")
    print(f"{len(files) - wrong} of {len(files)} files are proved to be messages of archive {archive.id}")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))
