"""The stand-alone reader and the commands of docs/format.md, on archives as the product makes them."""

from __future__ import annotations

import hashlib
import os
import pty
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver.catalog import lines
from archiver.model import MessageEntry, PlaceEntry
from archiver.vault import age, keys, merkle, zstd
from archiver.vault.keys import Machine
from archiver.vault.manifest import FIRST_PREV, Manifest, ObjectRef, sign
from archiver.vault.pack import PackWriter
from archiver.vault.segments import split
from tests.vault.test_segments import encoded

ROOT = Path(__file__).resolve().parents[2]
READER, FORMAT = ROOT / "examples" / "reader.py", ROOT / "docs" / "format.md"
WHEN = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
ERA = "mail-2026"


def attachment(seed: int) -> bytes:
    return random.Random(seed).randbytes(20_000 + seed)


def mail(number: int, attachments: Sequence[int] = (), eol: bytes = b"\r\n", line: int = 76) -> bytes:
    head = b"Subject: message %d" % number + eol * 2 + b"Hello" + eol
    return head + b"".join(b"--b" + eol * 2 + encoded(attachment(n), line, eol) + eol for n in attachments) + b"--b--"


BATCHES = (
    (mail(1), mail(2, [1]), mail(3, [1, 2]), b""),
    (mail(4, [1, 3]), mail(5, [2], b"\n", 64), mail(6, [3, 3, 1], b"\n"), mail(7)),
)
MESSAGES = {hashlib.sha256(raw).hexdigest(): raw for batch in BATCHES for raw in batch}


@dataclass(frozen=True)
class Archive:
    """A store's folder, with two commits whose second pack leans on segments of the first."""

    store: Path
    passphrase: str
    machine: Machine


def build(folder: Path, *, classic: bool) -> Archive:
    passphrase = keys.new_passphrase()
    made = keys.create(passphrase, classic=classic, generated=True, first_year=2026, years=2, log_n=10)
    archive = Archive(folder / "store", passphrase, made.machine)
    objects = made.objects | {"FORMAT.txt": FORMAT.read_bytes(), "reader.py": READER.read_bytes()}
    segments: dict[str, str] = {}
    prev = FIRST_PREV
    for seq, batch in enumerate(BATCHES, 1):
        stored = commit(made.machine, folder, batch, segments)
        refs = tuple(ObjectRef(hashlib.sha256(data).hexdigest(), len(data), name) for name, data in stored.items())
        ids = [hashlib.sha256(raw).hexdigest() for raw in batch]
        root = merkle.root(merkle.leaves(made.machine.leaf_salt_key, ids))
        manifest = Manifest(made.machine.archive, made.machine.writer, seq, prev, WHEN, len(ids), root, refs)
        signed = sign(manifest, made.machine.signing_key)
        prev = hashlib.sha256(signed).hexdigest()
        objects |= stored | {manifest.name: signed}
    for name, data in objects.items():
        (archive.store / name).parent.mkdir(parents=True, exist_ok=True)
        (archive.store / name).write_bytes(data)
    return archive


def commit(machine: Machine, folder: Path, batch: Sequence[bytes], known: dict[str, str]) -> dict[str, bytes]:
    """The objects of one commit, by name; `known` (segment -> pack) learns this pack's segments."""
    writer = PackWriter(folder / "open.pack", machine.recipient(ERA), era=ERA)
    key = machine.segment_key(ERA)
    fresh: set[str] = set()
    for raw in batch:
        message = hashlib.sha256(raw).hexdigest()
        parts = split(raw, lambda data: hashlib.sha256(key + data).hexdigest())
        if parts is None:
            writer.add(f"m/{message}.eml", raw)
            continue
        for name in set(parts.segments) - fresh - set(known):
            writer.add(f"b/{name}", parts.segments[name])
            fresh.add(name)
        writer.add(f"m/{message}.skel", parts.skeleton)
        writer.add(f"m/{message}.json", parts.recipe.located(known).to_json())
    ids = [hashlib.sha256(raw).hexdigest() for raw in batch]
    places = [PlaceEntry(id_, "a", "INBOX", 1, uid, (), WHEN, WHEN) for uid, id_ in enumerate(ids, 1)]
    writer.add("c/places.jsonl", lines.dump(places))
    sealed = writer.finish()
    known.update(dict.fromkeys(fresh, sealed.name))
    entries = [
        MessageEntry(id_, len(raw), sealed.name, subject="主题\x1b[2J") for id_, raw in zip(ids, batch, strict=True)
    ]
    frames = zstd.compress(lines.dump(entries)) + zstd.compress(lines.dump(places))
    catalog = age.encrypt(frames, [machine.recipient(ERA)])
    name = f"catalog/{ERA}/{hashlib.sha256(catalog).hexdigest()}.age"
    return {sealed.name: sealed.path.read_bytes(), name: catalog}


@pytest.fixture(scope="module", params=["classic", "post-quantum"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return build(tmp_path_factory.mktemp(request.param), classic=request.param == "classic")


@pytest.fixture
def copy(archive: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(archive.store, tmp_path / "store")
    return Archive(tmp_path / "store", archive.passphrase, archive.machine)


def read(archive: Archive, *arguments: str | Path, passphrase: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the reader that lies in the archive, in a Python that cannot see this project."""
    command = [sys.executable, "-I", str(archive.store / "reader.py"), *map(str, arguments)]
    text = (passphrase or archive.passphrase) + "\n"
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def extracted(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "m").glob("*.eml")}


def packs(archive: Archive) -> list[Path]:
    return sorted(archive.store.glob("packs/*/*/*.age"))


def test_every_message_is_extracted(archive: Archive, tmp_path: Path) -> None:
    done = read(archive, "extract", archive.store, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{len(MESSAGES)} messages\n")
    assert extracted(tmp_path) == MESSAGES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "m"]
    assert not list(tmp_path.glob("b/*")) and len(list(tmp_path.glob("m/*"))) == len(MESSAGES)
    assert sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("c/*")) == len(MESSAGES)


def as_in_drive(archive: Archive) -> None:
    """Packs straight in the folder of their era: what a person downloads from Google Drive."""
    for pack in packs(archive):
        pack.rename(pack.parents[1] / pack.name)


def test_a_folder_downloaded_from_drive_is_read_as_it_is(copy: Archive, tmp_path: Path) -> None:
    as_in_drive(copy)
    assert not packs(copy)
    done = read(copy, "extract", copy.store, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, f"{len(MESSAGES)} messages\n")
    assert extracted(tmp_path / "out") == MESSAGES


def test_every_message_is_listed_and_nothing_reaches_the_terminal_as_a_command(archive: Archive) -> None:
    done = read(archive, "list", archive.store)
    assert done.returncode == 0 and done.stderr == ""
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {row[0]: int(row[1]) for row in rows} == {name: len(raw) for name, raw in MESSAGES.items()}
    assert {row[3] for row in rows} == {"主题 [2J"}


def test_the_passphrase_may_be_typed_as_it_is_read_and_not_another_one(archive: Archive, tmp_path: Path) -> None:
    typed = archive.passphrase.upper().replace("-", " ").replace("0", "O")
    assert read(archive, "list", archive.store, passphrase=typed).returncode == 0
    done = read(archive, "extract", archive.store, tmp_path, passphrase=keys.new_passphrase())
    assert done.returncode != 0 and "passphrase is wrong" in done.stderr and "Traceback" not in done.stderr


def test_usage() -> None:
    done = subprocess.run([sys.executable, READER], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "reader.py extract STORE FOLDER" in done.stderr


def damage(path: Path, at: int = -200) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_damaged_pack_is_told_and_the_others_are_read(copy: Archive, tmp_path: Path) -> None:
    damage(packs(copy)[0])
    done = read(copy, "extract", copy.store, tmp_path / "out")
    assert done.returncode == 1 and packs(copy)[0].stem in done.stderr and "Traceback" not in done.stderr
    found = extracted(tmp_path / "out")
    assert found and found.items() < MESSAGES.items()


def test_a_missing_pack_is_told(copy: Archive, tmp_path: Path) -> None:
    packs(copy)[1].unlink()
    done = read(copy, "extract", copy.store, tmp_path / "out")
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr
    assert extracted(tmp_path / "out").items() < MESSAGES.items()


@pytest.mark.parametrize("what", ["manifests/*/*1", "manifests/*/*2", "keys/writers/*", "keys/era/*-2026*"])
def test_a_forged_signature_is_told_and_what_it_vouched_for_left_out(copy: Archive, tmp_path: Path, what: str) -> None:
    for path in copy.store.glob(what):
        damage(path, -20)
    done = read(copy, "extract", copy.store, tmp_path / "out")
    assert done.returncode == 1 and "damaged" in done.stderr and "Traceback" not in done.stderr
    assert extracted(tmp_path / "out").items() < MESSAGES.items()


def test_what_no_manifest_names_is_read_only_when_asked_for(copy: Archive, tmp_path: Path) -> None:
    shutil.rmtree(copy.store / "manifests")
    done = read(copy, "extract", copy.store, tmp_path / "out")
    assert done.returncode == 1 and "named by no manifest" in done.stderr and extracted(tmp_path / "out") == {}
    done = read(copy, "extract", copy.store, tmp_path / "all", "--unattested")
    assert done.returncode == 0 and extracted(tmp_path / "all") == MESSAGES


# -- the commands in the specification, run as they stand there


def blocks(heading: str) -> list[str]:
    """The shell blocks of the section of format.md with this heading."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", FORMAT.read_text("utf-8"), re.S | re.M)
    assert section is not None, f"format.md has no section {heading}"
    return re.findall(r"^```sh\n(.*?)^```", section[1], re.S | re.M)


def in_terminal(script: str, folder: Path, typed: str) -> str:
    """Runs a script in a terminal of its own, since age asks for a passphrase nowhere else; returns what it printed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvp("bash", ["bash", "-euo", "pipefail", "-c", script])
    seen, unanswered = b"", b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux: EIO once the child has closed its side
            break
        seen, unanswered = seen + data, unanswered + data
        if b"passphrase" in unanswered:
            os.write(terminal, typed.encode() + b"\n")
            unanswered = b""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    text = seen.decode("utf-8", "replace")
    assert status == 0, text
    return text


def shell(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def work(tmp_path: Path) -> Archive:
    missing = [tool for tool in ("age", "zstd", "tar", "openssl", "bash") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {missing}")
    return build(tmp_path, classic=True)


def test_the_auditors_commands(work: Archive) -> None:
    audit = "".join(blocks("What an auditor runs"))
    out = shell(audit, work.store)
    objects = len(packs(work)) + len(list(work.store.glob("catalog/*/*")))
    assert len(re.findall(r"^\S+: OK$", out, re.M)) == objects == 4
    assert out.count("Signature Verified Successfully") == 1 + 2 and "BROKEN" not in out
    print(out)


@pytest.mark.parametrize("what", ["packs/*/*/*", "manifests/*/*1", "manifests/*/*2", "keys/writers/*"])
def test_the_auditors_commands_notice_damage(work: Archive, what: str) -> None:
    for path in work.store.glob(what):
        damage(path, -120)
    with pytest.raises(AssertionError):
        shell("".join(blocks("What an auditor runs")), work.store)


def test_the_auditors_commands_notice_a_gap_in_the_chain(work: Archive) -> None:
    next(work.store.glob("manifests/*/*1")).unlink()
    with pytest.raises(AssertionError, match="BROKEN"):
        shell("".join(blocks("What an auditor runs")), work.store)


@pytest.mark.parametrize("downloaded", [False, True], ids=["a store", "downloaded from Drive"])
def test_recovery_with_stock_tools(work: Archive, tmp_path: Path, downloaded: bool) -> None:
    if downloaded:
        as_in_drive(work)
    steps = blocks("A store") + blocks("Recovery with stock tools")
    out = in_terminal("".join(steps), work.store, work.passphrase)
    assert "BROKEN" not in out, out
    restored = {path.stem: path.read_bytes() for path in (work.store.parent / "out" / "m").glob("*.eml")}
    assert restored == MESSAGES
    assert len(packs(work)) == 2
    listed = (work.store.parent / "out" / "catalog.jsonl").read_bytes()
    assert {entry.id for entry in lines.load(listed) if isinstance(entry, MessageEntry)} == set(MESSAGES)


def test_the_store_holds_the_specification_and_the_reader_that_are_here() -> None:
    documents = ROOT / "archiver" / "vault" / "documents"
    assert (documents / "FORMAT.txt").read_bytes() == FORMAT.read_bytes()
    assert (documents / "reader.py").read_bytes() == READER.read_bytes()
