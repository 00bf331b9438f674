"""Messages as PDF: the original inside each, an index that tells the tiers, merged files, attachments beside."""

from __future__ import annotations

import csv
import hashlib
import io
import mmap
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pikepdf
import pytest

from archiver.model import Verdict
from exporters.interface import Outgoing
from exporters.pdf import INDEX, MERGED, PdfExporter
from exporters.pdf_attachments import write_attachments
from exporters.pdf_merge import MergedPdfExporter
from exporters.rendition.renderer import Renderer
from tests.contracts.exporter import ARRIVED, BODIES, ExporterContract, hostile_messages, outgoing, place


class Memory(dict[str, bytes]):
    """A cache that keeps everything, and counts what was new."""

    made = 0

    def put(self, key: str, value: bytes) -> None:
        self[key] = value
        self.made += 1


CACHE = Memory()


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(2, CACHE) as renderer:
        yield renderer


def originals(path: Path) -> list[bytes]:
    """The messages embedded in a PDF."""
    with pikepdf.open(path) as document:
        return [bytes(document.attachments[name].get_file().read_bytes()) for name in document.attachments]


def rows(target: Path) -> list[dict[str, str]]:
    with (target / INDEX).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def contract(attached: list[tuple[str, bytes]], *, html: str = "<p>请查收。</p>", subject: str = "合同") -> Outgoing:
    message = EmailMessage()
    message["Subject"], message["From"], message["Message-ID"] = subject, "li@example.cn", "<1@example.cn>"
    message.set_content(html, subtype="html")
    for name, content in attached:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return outgoing(message.as_bytes())


class TestPdf(ExporterContract):
    @pytest.fixture
    def exporter(self, renderer: Renderer) -> PdfExporter:
        return PdfExporter(renderer)

    def read_back(self, target: Path) -> Iterator[bytes]:
        return (raw for path in target.rglob("*.pdf") if path.is_file() for raw in originals(path))

    largest_file = 200_000  # a small PDF has some 20 kB

    def big(self) -> Outgoing:
        """As the contract's, of bytes that do not compress."""
        return contract([("picture.bin", hashlib.shake_256(b"noise").digest(300_000))])

    def test_a_mapped_file_is_exported(self, exporter: PdfExporter, tmp_path: Path) -> None:
        """As the contract's, with pages that take a second."""
        raw = BODIES[0] + b"From the first line\n" * 3_000
        spool = tmp_path / "spool"
        spool.write_bytes(raw)
        with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            message = Outgoing(hashlib.sha256(raw).hexdigest(), mapped, (place(),), "mapped", None)
            assert exporter.export([message], tmp_path / "out").written == 1
            assert exporter.export([message], tmp_path / "out").skipped == 1
        assert list(self.read_back(tmp_path / "out")) == [raw]


def test_names_times_and_the_index(renderer: Renderer, tmp_path: Path) -> None:
    message = outgoing(BODIES[0], place(folder="客户/2024"), place(folder="Archive", uid=7))
    report = PdfExporter(renderer).export([message], tmp_path)
    (file,) = report.files
    assert file == Path(f"li@example.cn/客户/2024/2024-03-04 {message.subject} {message.id[:8]}.pdf")
    assert (tmp_path / file).stat().st_mtime == ARRIVED.timestamp()
    assert (report.written, report.tiers, report.remote_images, report.clipped) == (1, {"1": 1}, 0, 0)
    first, second = rows(tmp_path)
    assert (first["folder"], second["folder"]) == ("客户/2024", "Archive")
    assert (first["tier"], first["page"], first["pages"], first["clipped"]) == ("1", "1", "1", "no")
    assert first["sha256"] == hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
    assert first["renderer"] == renderer.identity


def test_what_the_pages_do_not_show_is_told(renderer: Renderer, tmp_path: Path) -> None:
    html = "<p>Hi</p><img src='https://shop.example/a.png' width=300 height=200><img src='cid:gone' width=90 height=90>"
    report = PdfExporter(renderer).export([contract([], html=html), outgoing(BODIES[0])], tmp_path)
    assert (report.remote_images, report.tiers) == (1, {"1": 2})
    found = next(row for row in rows(tmp_path) if row["remote images"] == "1")
    assert "1 images missing" in found["notes"]


def test_a_second_export_renders_nothing_even_without_a_cache(renderer: Renderer, tmp_path: Path) -> None:
    messages = [outgoing(raw) for raw in BODIES[:3]]
    first = PdfExporter(renderer).export(messages, tmp_path)
    with Renderer(1, job="no.such.module:x") as unable:
        again = PdfExporter(unable).export(messages, tmp_path)
    assert (again.written, again.skipped, again.failed) == (0, 3, ())
    assert (again.tiers, again.files) == (first.tiers, first.files)


def test_a_file_that_was_changed_is_left_alone_and_made_again_beside(renderer: Renderer, tmp_path: Path) -> None:
    message = outgoing(BODIES[0])
    (file,) = PdfExporter(renderer).export([message], tmp_path).files
    (tmp_path / file).write_bytes(b"changed by someone")
    report = PdfExporter(renderer).export([message], tmp_path)
    assert report.written == 1
    assert report.files[0].name.endswith(f"{message.id[:16]}.pdf")
    assert (tmp_path / file).read_bytes() == b"changed by someone"
    assert PdfExporter(renderer).export([message], tmp_path).skipped == 1


def test_beside_eml_files_with_their_own_index(renderer: Renderer, tmp_path: Path) -> None:
    from exporters.eml import EmlExporter

    message = outgoing(BODIES[0])
    assert EmlExporter().export([message], tmp_path).failed == ()
    assert PdfExporter(renderer).export([message], tmp_path).failed == ()
    assert sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file()) == [".csv", ".csv", ".eml", ".pdf"]


def test_attachments_beside(renderer: Renderer, tmp_path: Path) -> None:
    message = contract([("合同.pdf", b"one"), ("合同.pdf", b"two"), ("合同.pdf", b"one"), ("", b"three")])
    exporter = PdfExporter(renderer, beside=True)
    (file,) = exporter.export([message, outgoing(BODIES[0])], tmp_path).files[:1]
    folder = (tmp_path / file).with_name(f"{file.stem} attachments")
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {"合同.pdf": b"one", "合同 (2).pdf": b"two", "attachment": b"three"}
    assert len(list(tmp_path.rglob("* attachments"))) == 1
    assert exporter.export([message, outgoing(BODIES[0])], tmp_path).skipped == 2
    (folder / "合同.pdf").unlink()
    assert exporter.export([message], tmp_path).written == 1


def test_no_name_of_an_attachment_leads_out_of_its_folder(tmp_path: Path) -> None:
    names = [
        "../../up",
        "/etc/passwd",
        "..",
        ".",
        "a/../../b",
        "C:\\x",
        "con",
        "a\x00b",
        "~",
        "x" * 3_000,
        "e\u0301.txt",
    ]
    boundary = [
        b"--b\r\nContent-Type: application/x; name*=utf-8''"
        + "".join(f"%{byte:02X}" for byte in name.encode()).encode()
        + b"\r\nContent-Disposition: attachment\r\n\r\n%d\r\n" % number
        for number, name in enumerate(names)
    ]
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(boundary) + b"--b--\r\n"
    folder = tmp_path / "deep" / "er" / "attachments"
    assert write_attachments(outgoing(raw), folder) == len(names)
    assert len(list(folder.iterdir())) == len(names)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == []


def test_merged(renderer: Renderer, tmp_path: Path) -> None:
    messages = [outgoing(raw, place(uid=uid)) for uid, raw in enumerate(BODIES)]
    exporter = MergedPdfExporter(renderer)
    report = exporter.export(iter(messages), tmp_path)
    assert (report.written, report.files, report.failed) == (len(BODIES), (Path(MERGED),), ())
    assert sum(report.tiers.values()) == len(BODIES)
    assert sorted(originals(tmp_path / MERGED)) == sorted(BODIES)
    index = rows(tmp_path)
    starts = [int(row["page"]) for row in index]
    assert starts == [1 + sum(int(row["pages"]) for row in index[:n]) for n in range(len(index))]
    with pikepdf.open(tmp_path / MERGED) as document:
        contents = len(document.pages) - sum(int(row["pages"]) for row in index)
        assert contents == 1
        with document.open_outline() as outline:
            assert [item.title[:10] for item in outline.root][:1] == ["2024-03-04"]
            assert len(outline.root) == len(BODIES)
    again = exporter.export(messages, tmp_path)
    assert (again.written, again.skipped) == (0, len(BODIES))
    assert exporter.export([], tmp_path / "empty").files == ()


def test_another_merged_file_is_left_alone(renderer: Renderer, tmp_path: Path) -> None:
    (tmp_path / MERGED).write_bytes(b"mine")
    report = MergedPdfExporter(renderer).export([outgoing(raw) for raw in BODIES], tmp_path)
    assert (report.written, len(report.failed)) == (0, len(BODIES))
    assert {problem.reason for problem in report.failed} == {"another messages.pdf is there"}
    assert [path.name for path in tmp_path.iterdir()] == [MERGED]
    assert (tmp_path / MERGED).read_bytes() == b"mine"


def test_merged_with_attachments_beside(renderer: Renderer, tmp_path: Path) -> None:
    message = contract([("合同.pdf", b"one")])
    report = MergedPdfExporter(renderer, beside=True).export([message], tmp_path)
    assert report.written == 1
    assert (tmp_path / "messages attachments" / message.id[:16] / "合同.pdf").read_bytes() == b"one"


def test_the_same_bytes_from_other_workers_in_another_order(tmp_path: Path) -> None:
    """No cache; fresh processes against processes that rendered other messages before."""
    messages = [outgoing(raw) for raw in BODIES] + hostile_messages()[:6]
    messages += [
        contract([("a.bin", b"x")], html=f"<h1>{n}</h1><p style='font-family:宋体'>甲方 {n}</p>") for n in range(4)
    ]
    with Renderer(2) as two:
        first = {message.id: made for message, made in two.render(messages)}
    with Renderer(1) as one:
        assert {message.id: made for message, made in one.render(reversed(messages))} == first


def test_a_verdict_makes_another_rendition(renderer: Renderer) -> None:
    message = outgoing(BODIES[0])
    signed = Outgoing(
        message.id, message.raw, (), message.subject, message.date, (Verdict("dkim", "pass", "example.cn", "s1"),)
    )
    before = CACHE.made
    pages = [made.pdf for _, made in renderer.render([message, signed, message])]
    assert pages[0] == pages[2] != pages[1]
    assert CACHE.made - before <= 3
    with pikepdf.open(io.BytesIO(pages[1])) as document:
        assert len(document.attachments) == 1
