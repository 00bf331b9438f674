"""export --format bundle, signed and time-stamped: a stranger checks it by what VERIFY.txt says, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from exporters.production.signing_identity import make_identity
from tests.cli.sandbox import Done, Sandbox, company
from tests.servers import tsa as authorities
from tests.servers.dovecot import Dovecot
from tests.servers.tsa import Tsa

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("openssl", "pdfsig", "sha256sum")),
    reason="openssl, sha256sum or pdfsig is not installed",
)
ORDER = ("export", "from:anna", "--format", "bundle", "--case", "CASE-9", "--to", "out")
TOOLS = r"(sha256sum|python3?|openssl|pdfsig) "


@dataclass
class World:
    """A company whose mail is archived, and an authority whose certificate lies in a file."""

    sandbox: Sandbox
    tsa: Tsa
    fingerprint: str

    @property
    def stamping(self) -> tuple[str, ...]:
        return ("--tsa", self.tsa.url, "--tsa-ca", str(self.sandbox.home / "tsa.pem"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, template: Path) -> Iterator[World]:
    sandbox = company(tmp_path_factory.mktemp("company"), dovecot, template)
    sandbox.init()
    assert sandbox.run("backup").code == 0
    fingerprint = sandbox.run("reindex", "--json").json["fingerprint"]
    with authorities.tsa(tmp_path_factory.mktemp("tsa")) as tsa:
        (sandbox.home / "tsa.pem").write_bytes(tsa.authority)
        yield World(sandbox, tsa, fingerprint)


@pytest.fixture(scope="module")
def made(world: World) -> Done:
    return world.sandbox.run(*ORDER, *world.stamping)


@pytest.fixture
def volume(world: World, made: Done, tmp_path: Path) -> Path:
    """The volume, copied to where a stranger put it."""
    assert made.code == 0, made
    return Path(shutil.copytree(world.sandbox.home / "out/CASE-9_VOL001", tmp_path / "CASE-9_VOL001"))


def commands(volume: Path, fingerprint: str) -> list[str]:
    """What VERIFY.txt has typed at a shell. FINGERPRINT is the one word that it leaves to the reader."""
    lines = (volume / "VERIFY.txt").read_text("utf-8").splitlines()
    found = [line.replace("FINGERPRINT", fingerprint) for line in lines if re.match(TOOLS, line)]
    assert len(found) == 9, found
    return found


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command at the shell of somebody who has Python with bagit."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_every_command_of_verify_txt_as_it_stands(world: World, made: Done, volume: Path) -> None:
    done = [typed(command, volume) for command in commands(volume, world.fingerprint)]
    assert [(run.args[-1], run.returncode, run.stderr) for run in done if run.returncode] == []
    said = {run.args[-1].split(" -")[0]: run.stdout + run.stderr for run in done}
    assert "Verification: OK" in said["openssl ts"]
    assert "is valid" in said["python"]
    fingerprint = said["openssl x509"].rpartition("=")[2].strip()
    assert fingerprint in made.last, "the export tells whose signature it is"
    assert made.last.endswith(f"RFC 3161 time-stamp by {world.tsa.url}"), made.last
    assert "Signature is Valid" in said["pdfsig data/REPORT/export-report.pdf"]
    natives = sorted(path.name for path in (volume / "data/NATIVES").iterdir())
    proofs = next(run.stdout for run in done if "verify_proofs.py" in run.args[-1])
    assert [name for name in natives if f"proved  {name}" not in proofs] == [] and len(natives) == 6


@pytest.mark.slow
def test_one_changed_byte_of_what_vouches_is_found(world: World, volume: Path) -> None:
    """In each file of the evidence, the bag's own files, signature, time-stamp, certificates, load files, report."""
    quick = [command for command in commands(volume, world.fingerprint) if not re.search("bagit|pdfsig|x509", command)]
    chance, tried = Random(9), 0
    beside = [path for path in volume.iterdir() if path.is_file()]
    below = [path for name in ("EVIDENCE", "DATA", "REPORT") for path in (volume / "data" / name).rglob("*")]
    for path in sorted(path for path in (*beside, *below) if path.is_file()):
        whole = path.read_bytes()
        for at in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(2))}:
            flip = 1 if path.name == "seal-sha256.txt" else 1 << chance.randrange(8)  # a hash may be in capitals
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            assert any(typed(command, volume).returncode for command in quick), (path.name, at)
            tried += 1
        path.write_bytes(whole)
    assert all(typed(command, volume).returncode == 0 for command in quick), "all is as it was"
    print(f"{tried} changed bytes, all found")
    assert tried > 70


@pytest.mark.slow
def test_the_proofs_stand_by_themselves(world: World, volume: Path) -> None:
    """Whoever changes evidence or a native and makes all hashes anew is found by the proofs; other archives' too."""
    (check,) = (command for command in commands(volume, world.fingerprint) if "verify_proofs" in command)
    evidence = volume / "data/EVIDENCE"
    signed = [path for path in sorted(evidence.rglob("*")) if path.is_file() and path.suffix != ".py"]
    for path in (*signed, *sorted((volume / "data/NATIVES").iterdir())):
        whole = path.read_bytes()
        at = len(whole) // 2
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        done = typed(check, volume)
        assert done.returncode == 1, path
        assert path.suffix != ".eml" or f"FAILED  {path.name}" in done.stdout
        path.write_bytes(whole)
    assert typed(check, volume).returncode == 0
    assert typed(check.replace(world.fingerprint, "0" * 64), volume).returncode == 1
    assert {path.parent.name for path in signed} > {"EVIDENCE", "writers"} and len(signed) >= 4


@pytest.mark.slow
def test_an_authority_that_is_down_and_a_later_run_that_completes(world: World, tmp_path: Path) -> None:
    with authorities.tsa(tmp_path) as tsa:
        url = tsa.url
    words = (*ORDER[:-1], str(tmp_path / "out"), "--no-pdf", "--tsa", url, "--tsa-ca", str(tmp_path / "ca.pem"))
    down = world.sandbox.run(*words)
    assert (down.code, "time-stamping authority cannot be reached" in down.err) == (5, True), down
    with authorities.tsa(tmp_path, url) as tsa:
        tsa.fault = "busy"
        busy = world.sandbox.run(*words)
        assert (busy.code, "time-stamping authority answers HTTP 503" in busy.err) == (3, True), busy
        tsa.fault = ""
        done = world.sandbox.run(*words, "--json")
        assert (done.code, done.json["written"], done.json["skipped"]) == (0, 0, 6), done
        volume = tmp_path / "out/CASE-9_VOL001"
        assert [run for run in commands(volume, world.fingerprint) if typed(run, volume).returncode] == []
        assert tsa.asked == 2
        again = world.sandbox.run(*words)
    assert (again.code, tsa.asked) == (0, 2), "a bundle that is whole is not stamped again"


def test_an_address_that_cannot_be_an_authority_is_2_before_anything_is_done(world: World, tmp_path: Path) -> None:
    for address in ("ftp://example.com/tsr", "example.com", "http:///tsr", "https://user:secret@example.com/tsr"):
        done = world.sandbox.run(*ORDER[:-1], str(tmp_path / "out"), "--tsa", address)
        assert (done.code, "--tsa" in done.err, "secret" in done.err) == (2, True, False), done
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_signer_of_ones_own(world: World, tmp_path: Path) -> None:
    """By the two commands of the handbook; a wrong password is 4, and nothing is written."""
    (tmp_path / "password").write_text("right\n")
    (tmp_path / "wrong").write_text("no\n")
    for name in ("password", "wrong"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "signer.pem").write_bytes(make_identity("Records of Example Trading").pem())
    typed("openssl pkcs12 -export -in signer.pem -passout file:password -out signer.p12", tmp_path)
    words = (*ORDER[:-1], str(tmp_path / "out"), "--no-pdf", "--signer", str(tmp_path / "signer.p12"))
    wrong = world.sandbox.run(*words, "--signer-password-file", str(tmp_path / "wrong"))
    assert wrong.code == 4 and "PKCS#12" in wrong.err, wrong
    assert world.sandbox.run(*words).code == 4
    assert not (tmp_path / "out").exists()
    done = world.sandbox.run(*words, "--signer-password-file", str(tmp_path / "password"))
    assert done.code == 0, done
    subject = typed("openssl x509 -in signer.pem -noout -fingerprint -sha256", tmp_path).stdout
    assert subject.rpartition("=")[2].strip() in done.last
