"""The bundle on the real press, signed and time-stamped, checked by what its own VERIFY.txt tells a stranger to run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pikepdf
import pytest

from archiver.errors import ConnectError
from exporters.bundle import BundleExporter, BundleReport, Press
from exporters.interface import Outgoing
from exporters.production.lists import read_lists
from exporters.production.order import Order, Search
from exporters.production.seal import Seal
from exporters.production.signing import seal
from exporters.production.signing_identity import Identity, make_identity
from exporters.rendition.engine import lay_out
from exporters.rendition.overlay import stamp
from exporters.rendition.pdfa import finish_document
from exporters.rendition.renderer import Renderer
from exporters.rendition.renderer_identity import name
from exporters.rendition.structure import check
from tests.exporters.production.kit import START, attached, mail, outgoing, part, pdf, place, read_dat
from tests.servers import tsa as authorities
from tests.servers.tsa import Tsa

SECRET = b"the secret price list " * 20
CHINESE = "甲方:深圳市华信贸易有限公司。采购合同编号 2024-88,价格见附件。"


def messages() -> list[Outgoing]:
    inner = mail("inner", "inner text", [part("deep.txt", b"deep")])
    html = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Second <b>part</b>\r\n"
    return [
        outgoing(mail("采购合同", CHINESE, [part("prices.txt", SECRET)]), place("sales"), place("buying", day=1)),
        outgoing(mail("Invoice", "x " * 3000, [part("a.pdf", pdf(1), "application/pdf"), attached(inner)])),
        outgoing(mail("Privileged advice", "do not tell", [part("advice.txt", b"hush")])),
        outgoing(mail("HTML", "first", [html])),
    ]


MESSAGES = messages()
LISTS = read_lists(
    f"sha256,reason,basis\n{MESSAGES[2].id},advice,attorney-client\n".encode(), b"attachment,reason\nprices.txt,price\n"
)
ORDER = Order("CASE-1", matter="采购合同 2024-88", operator="Li Na", lists=LISTS)


def pages(html: str, title: str) -> bytes:
    return finish_document(lay_out(html, {}), title, name())


def made(target: Path, sealed: Seal) -> BundleReport:
    with Renderer(1) as renderer:
        press = Press(pages, stamp, renderer, name())
        search = Search("采购合同", MESSAGES, {"id": "a1"}, START)
        return BundleExporter(ORDER, search, press, seal=sealed).export(MESSAGES, target)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with authorities.tsa(tmp_path_factory.mktemp("tsa")) as authority:
        yield authority


@pytest.fixture(scope="module")
def identity() -> Identity:
    return make_identity("Example Trading")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tsa: Tsa, identity: Identity) -> Path:
    target = tmp_path_factory.mktemp("bundle")
    report = made(target, seal(identity, tsa.url, tsa.authority))
    assert report.equation == "5 hits = 3 exported + 1 withheld + 0 failed + 1 duplicates"
    return target / "CASE-1_VOL001"


def told_commands(root: Path) -> list[str]:
    """What VERIFY.txt has a stranger run on Linux."""
    lines = (root / "VERIFY.txt").read_text("utf-8").splitlines()
    return [line for line in lines if re.match(r"(sha256sum|python3?|openssl|pdfsig) ", line)]


def code(command: str, root: Path) -> int:
    """The exit code of a command as it stands, at a shell that has the Python with bagit first."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", command], cwd=root, env=environment, capture_output=True).returncode


def outcome(root: Path) -> dict[str, int]:
    """The exit code of each command."""
    return {line: code(line, root) for line in told_commands(root)}


@pytest.mark.slow
def test_a_stranger_verifies_it_by_what_it_says(root: Path, identity: Identity) -> None:
    found = outcome(root)
    assert found == dict.fromkeys(found, 0) and len(found) == 8
    signer = subprocess.run(
        ["openssl", "x509", "-in", root.parent / "signer.pem", "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    fingerprint = signer.stdout.rpartition("=")[2].strip()
    assert fingerprint.replace(":", "").lower() == identity.fingerprint
    info = (root / "bag-info.txt").read_text("utf-8")
    assert fingerprint in info and "RFC 3161 time-stamp" in info
    pdfsig = subprocess.run(["pdfsig", root / "data/REPORT/export-report.pdf"], capture_output=True, text=True)
    assert "Signature is Valid" in pdfsig.stdout and "Total document signed" in pdfsig.stdout


@pytest.mark.slow
def test_one_changed_byte_anywhere_is_found(root: Path, tmp_path: Path) -> None:
    """Any byte of any file, signature and time-stamp included: by the hashes, or by the command for the file."""
    copy = tmp_path / root.name
    shutil.copytree(root, copy)
    chance, tried = Random(4), 0
    quick = [line for line in told_commands(copy) if not re.search("bagit|pdfsig|x509", line)]
    for path in [path for path in sorted(copy.rglob("*")) if path.is_file() and path.stat().st_size]:
        whole = path.read_bytes()
        alone = path.suffix in (".p7s", ".tsr")
        for at in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(12 if alone else 2))}:
            flip = 1 if path.name == "seal-sha256.txt" else 1 << chance.randrange(8)  # a hash may be in capitals
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            assert any(code(line, copy) for line in quick), (path.name, at)
            tried += 1
        path.write_bytes(whole)
    print(f"{tried} changed bytes, all found")
    assert tried > 60


@pytest.mark.slow
def test_two_runs_differ_in_signature_and_time_stamp_alone(
    root: Path, tsa: Tsa, identity: Identity, tmp_path: Path
) -> None:
    made(tmp_path / "again", seal(identity, tsa.url, tsa.authority))
    differing = differences(contents(root), contents(tmp_path / "again" / root.name))
    assert differing == {
        "data/REPORT/export-report.pdf",
        "manifest-sha256.txt",
        "seal-sha256.txt",
        "tagmanifest-sha256.txt",
        "tagmanifest-sha256.txt.p7s",
        "tagmanifest-sha256.txt.tsr",
    }
    changed = set((root / "manifest-sha256.txt").read_text().splitlines()) ^ set(
        (tmp_path / "again" / root.name / "manifest-sha256.txt").read_text().splitlines()
    )
    assert {line.split("  ")[1] for line in changed} == {"data/REPORT/export-report.pdf"}


@pytest.mark.slow
def test_two_unsigned_runs_are_the_same(tmp_path: Path) -> None:
    """The report too, which two signed runs cannot show; messages are not rendered, for those two did."""
    press = Press(pages, stamp, None, "none")
    for folder in ("a", "b"):
        search = Search("采购合同", MESSAGES, {"id": "a1"}, START)
        BundleExporter(replace(ORDER, pdf=False), search, press).export(MESSAGES, tmp_path / folder)
    assert "CASE-1_VOL001/data/REPORT/export-report.pdf" in contents(tmp_path / "a")
    assert differences(contents(tmp_path / "a"), contents(tmp_path / "b")) == set()


@pytest.mark.slow
def test_every_pdf_is_pdf_a_with_its_numbers_and_the_bytes_of_the_message(root: Path) -> None:
    data = root / "data"
    ours = [record for record in read_dat((data / "DATA/VOL001.dat").read_bytes()) if record["PDFPATH"]]
    assert len(ours) == 6
    for record in ours:
        path = data / record["PDFPATH"].replace("\\", "/")
        assert check(path.read_bytes()) == [], path.name
        text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True).stdout
        assert path.stem in text
    for native in (data / "NATIVES").iterdir():
        with pikepdf.open(data / f"PDF/{native.stem}.pdf") as document:
            (embedded,) = document.attachments.values()
            assert embedded.get_file().read_bytes() == native.read_bytes()


@pytest.mark.slow
def test_nothing_of_what_is_withheld_or_redacted_is_in_any_pdf(root: Path) -> None:
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.name == "withheld.csv":
            continue
        content = path.read_bytes()
        if path.suffix == ".pdf":
            with pikepdf.open(path) as document:
                for item in document.attachments.values():
                    inner = item.get_file().read_bytes()
                    assert [found for found in _attachments(inner) if SECRET[:40] in found] == []
            content += subprocess.run(["pdftotext", path, "-"], capture_output=True).stdout
        for secret in (SECRET[:40], b"Privileged advice", b"do not tell", b"advice.txt", b"hush"):
            assert secret not in content, (path.name, secret)


def _attachments(raw: bytes) -> list[bytes]:
    from archiver.mime import parse

    return [raw, *(found.data() for found in parse(raw).attachments)]


def test_an_authority_that_is_not_there(identity: Identity, tmp_path: Path) -> None:
    with pytest.raises(ConnectError):
        seal(identity, "http://127.0.0.1:9/").timestamp(b"x")  # type: ignore[misc]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> set[str]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
