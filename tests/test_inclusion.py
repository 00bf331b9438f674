"""Proofs of inclusion: made from an archive, checked by a program that knows nothing of it, good for nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from archiver.catalog import lines
from archiver.errors import IntegrityError
from archiver.inclusion import VERIFIER, Inclusion
from archiver.model import MessageEntry
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.vault import keys, merkle
from archiver.vault.vault import Vault
from examples import verify_proofs
from tests.kit import PASSPHRASE
from tests.small_archive import SmallArchive, build

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@dataclass
class World:
    """A small archive, and the evidence for some of its messages in a folder, as an export lays it."""

    small: SmallArchive
    vault: Vault
    packs: dict[str, str]
    folder: Path

    @property
    def keyring(self) -> keys.KeyRing:
        found = self.small.made.machine.keyring
        assert found is not None
        return found

    @property
    def fingerprint(self) -> str:
        return self.small.made.fingerprint

    def inclusion(self, messages: list[str]) -> Inclusion:
        return Inclusion(self.vault, self.keyring, [(message, self.packs[message]) for message in messages])

    def commit_of(self, message: str) -> int:
        proof = self.inclusion([message]).proof(message)
        assert proof is not None
        return int(proof["seq"])

    def lay(self, messages: list[str]) -> list[Path]:
        """Evidence and natives; the files of the natives."""
        found = self.inclusion(messages)
        assert found.problems == []
        evidence, natives = self.folder / "EVIDENCE", self.folder / "NATIVES"
        natives.mkdir(parents=True)
        for name, data in found.files.items():
            (evidence / name).parent.mkdir(parents=True, exist_ok=True)
            (evidence / name).write_bytes(data)
        proofs = [json.dumps(dict(found.proof(message) or {}), sort_keys=True) for message in messages]
        (evidence / "proofs.jsonl").write_text("".join(f"{proof}\n" for proof in proofs), "utf-8")
        for number, message in enumerate(messages, 1):
            (natives / f"MAIL{number:06}.eml").write_bytes(self.small.messages[message])
        return sorted(natives.iterdir())

    def verdict(self, *arguments: str | Path) -> tuple[int, str]:
        """The program as a stranger runs it: no code of the archive, no environment."""
        program = self.folder / "EVIDENCE" / VERIFIER
        done = subprocess.run(
            [sys.executable, "-I", program, *(arguments or (self.fingerprint,))],
            capture_output=True, text=True, timeout=120, cwd="/",
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = keys.create(PASSPHRASE, classic=True, generated=False, first_year=2026, years=1, log_n=2)
    stores: list[Store] = [MemoryStore("a")]
    small = build(tmp_path / "spool", stores, made, commits=3, each=7)
    small.commit(1)
    vault = Vault(stores, made.machine.root, made.machine.keyring)
    documents = chain.from_iterable(vault.lines(manifest) for manifest in vault.manifests())
    entries = chain.from_iterable(map(lines.load, documents))
    packs = {entry.id: entry.pack for entry in entries if isinstance(entry, MessageEntry)}
    yield World(small, vault, packs, tmp_path / "bundle")


def test_every_message_is_proved_by_openssl_alone(world: World) -> None:
    natives = world.lay(sorted(world.small.messages))
    code, told = world.verdict()
    assert code == 0, told
    assert told.count("proved  ") == len(natives) == 22
    assert told.splitlines()[-1] == f"22 of 22 files are proved to be messages of archive {world.small.made.archive}"
    assert "in commit 3, signed 2026-05-01T00:00:00Z" in told
    spaced = " ".join(world.fingerprint[at : at + 4] for at in range(0, 64, 4)).upper()
    assert world.verdict(spaced, natives[0])[0] == 0, "as it stands on the recovery sheet"


def test_only_the_manifests_that_are_needed_are_shown(world: World) -> None:
    last = world.small.seq
    alone = next(message for message in world.small.messages if world.commit_of(message) == last)
    world.lay([alone])
    shown = sorted(str(path.relative_to(world.folder)) for path in world.folder.rglob("*") if path.is_file())
    writer = world.small.made.machine.writer
    assert shown == [
        f"EVIDENCE/manifests/{writer}/{last:010d}", "EVIDENCE/proofs.jsonl", "EVIDENCE/root.pem",
        f"EVIDENCE/{VERIFIER}", f"EVIDENCE/writers/{writer}.pub", "NATIVES/MAIL000001.eml",
    ]  # fmt: skip
    assert world.verdict()[0] == 0


def _altered(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "step"), [("NATIVES/*", 1), ("EVIDENCE/proofs.jsonl", 3), ("EVIDENCE/root.pem", 1),
                                            ("EVIDENCE/manifests/*/*", 11), ("EVIDENCE/writers/*", 11)])  # fmt: skip
def test_every_altered_byte_is_found(world: World, what: str, step: int, capsys: pytest.CaptureFixture[str]) -> None:
    world.lay([sorted(world.small.messages)[0]])
    (path,) = world.folder.glob(what)
    data, evidence = path.read_bytes(), world.folder / "EVIDENCE"
    assert verify_proofs.main([world.fingerprint], evidence) == 0
    places = [*range(0, len(data), step), len(data) - 1]
    for at in places:
        path.write_bytes(_altered(data, at))
        assert _caught(world.fingerprint, evidence), f"byte {at} of {what}: {data[at : at + 1]!r}"
    for other in (b"", data[:-1], data + b"\n", data + b"x", b"\n" + data, data.replace(b"\n", b"\r\n")):
        if other != data:
            path.write_bytes(other)
            assert _caught(world.fingerprint, evidence), other[-40:]
    capsys.readouterr()
    print(f"{what}: {len(places)} bytes altered, one at a time, all found")


def _caught(fingerprint: str, evidence: Path) -> bool:
    try:
        return verify_proofs.main([fingerprint], evidence) != 0
    except SystemExit as ended:
        return ended.code not in (0, None)


def test_another_fingerprint_is_refused(world: World) -> None:
    world.lay(sorted(world.small.messages)[:1])
    code, told = world.verdict("0" * 64)
    assert code != 0
    assert f"root.pem has the fingerprint {world.fingerprint}, not the one you typed" in told
    assert world.verdict("short")[0] != 0


def test_a_message_of_another_archive_is_not_proved(world: World, tmp_path: Path) -> None:
    (native,) = world.lay(sorted(world.small.messages)[:1])
    native.with_name("other.eml").write_bytes(b"Subject: never archived\r\n\r\n")
    code, told = world.verdict()
    assert code == 1
    assert "FAILED  other.eml: there is no proof for its SHA-256" in told
    assert "proved  MAIL000001.eml" in told


def test_a_proof_of_one_message_does_not_serve_for_another(world: World) -> None:
    """A forger who has a proof, and everything that lies beside it, changes what he likes but the signed files."""
    first, second = sorted(world.small.messages)[:2]
    world.lay([first])
    path = world.folder / "EVIDENCE" / "proofs.jsonl"
    proof = json.loads(path.read_text("utf-8"))
    (world.folder / "NATIVES" / "MAIL000001.eml").write_bytes(world.small.messages[second])
    for change in ({}, {"blinding": proof["message"]}, {"index": proof["index"] ^ 1}, {"path": proof["path"][1:]},
                   {"count": 1, "index": 0, "path": []}, {"seq": 1}, {"seq": "1"}, {"writer": "../x"}):  # fmt: skip
        path.write_text(json.dumps({**proof, "message": second, **change}, sort_keys=True) + "\n", "utf-8")
        assert world.verdict()[0] != 0, change


def test_proofs_tell_nothing_of_other_messages(world: World) -> None:
    """Whoever has every proof but one, and guesses that one message whole, finds his guess nowhere in what he has."""
    messages = sorted(world.small.messages)
    guessed = next(message for message in messages if world.commit_of(message) == 1)
    found = world.inclusion([message for message in messages if message != guessed])
    proofs = [found.proof(message) for message in messages if message != guessed]
    shown = {value for proof in proofs if proof for value in (proof["blinding"], *proof["path"])}
    everything = "".join([json.dumps(proofs), *(data.decode() for data in found.files.values())])
    assert guessed not in everything
    digest = bytes.fromhex(guessed)
    for key in shown:
        leaf = hmac.new(bytes.fromhex(key), digest, "sha256").digest()
        inner = hmac.new(leaf, digest, "sha256").digest()
        for candidate in (leaf, inner):
            assert candidate.hex() not in everything
            assert hashlib.sha256(b"\x00" + candidate).hexdigest() not in everything
    own = merkle.leaves(world.keyring.leaf_salt_key(world.small.made.machine.writer), [guessed])[0]
    assert hashlib.sha256(b"\x00" + own).hexdigest() in everything, "the leaf is there; only the salt key tells whose"


def test_what_cannot_be_proved_is_named(world: World) -> None:
    known = sorted(world.small.messages)[0]
    asked = [(known, world.packs[known]), ("ab" * 32, world.packs[known]), ("cd" * 32, "packs/mail-2026/none.age")]
    found = Inclusion(world.vault, world.keyring, asked)
    assert found.proof(known) is not None
    assert found.proof("ab" * 32) is None
    assert [problem.subject for problem in found.problems] == [f"message {'ab' * 32}", f"message {'cd' * 32}"]
    nothing = Inclusion(world.vault, world.keyring, [])
    assert (nothing.files, nothing.problems) == ({}, [])


def test_a_commit_whose_root_is_wrong_proves_nothing(world: World) -> None:
    before = set(world.small.messages)
    manifest = world.small.commit(2, wrong_root=True)
    new = sorted(set(world.small.messages) - before)
    pack = next(ref.name for ref in manifest.objects if ref.name.startswith("packs/"))
    found = Inclusion(world.vault, world.keyring, [(message, pack) for message in new])
    assert found.files == {}
    assert found.problems[0].subject == manifest.name
    assert "do not lead to its root" in found.problems[0].reason


def test_a_forged_enrolment_is_not_handed_out(world: World) -> None:
    name = f"keys/writers/{world.small.made.machine.writer}.pub"
    store = world.small.stores[0]
    data = store.get(name)
    store.delete(name)
    store.put_if_absent(name, data.replace(b"A", b"B", 1))
    with pytest.raises(IntegrityError):
        world.inclusion(sorted(world.small.messages)[:1])
