"""Many renditions in one document."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Name

from archiver.errors import IntegrityError
from exporters.rendition import engine, merge_contents, merge_file
from exporters.rendition.interface import Tier
from exporters.rendition.merge import Part, merge, merge_to
from exporters.rendition.merge_contents import Entry, first_pages
from exporters.rendition.pdfa import finish
from exporters.rendition.structure import check
from exporters.rendition.structure_text import text_of
from tests.exporters.rendition.laid_out import RENDERER, message, pages, qpdf_problems, rich_pages

BEGIN = datetime(2024, 3, 4, 9, 30, tzinfo=UTC)


def original(number: int) -> bytes:
    return b"Subject: number %d\r\n\r\nbody\r\n" % number


def parts(count: int) -> Iterator[Part]:
    """Every third has two pages and all kinds of fonts; the titles are of all kinds."""
    for number in range(count):
        made = rich_pages() if number % 3 == 0 else pages(f"<p>page of message {number % 5}</p>")
        pdf = finish(made, message(original(number)), Tier.HTML, RENDERER)
        date = BEGIN + timedelta(days=number) if number % 4 else None
        yield Part(pdf, ("合同 & <Vertrag> 😀", "\u202e\x00\n", "x" * 400, "שלום")[number % 4], date)


def lay_out(html: str) -> bytes:
    return engine.lay_out(html, {})


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf))


def test_a_merged_document_is_as_clean_as_its_parts(tmp_path: Path) -> None:
    pdf = merge(parts(7), lay_out, "Matter 12 & more", RENDERER)
    assert check(pdf) == []
    assert qpdf_problems(pdf, tmp_path) == ""
    with opened(pdf) as document:
        assert str(document.docinfo[Name.Title]) == "Matter 12 & more"
        assert b"<mailark:messages>7</mailark:messages>" in document.Root.Metadata.read_bytes()
        assert len(document.Root.OutputIntents) == 1


def test_every_original_is_embedded_once() -> None:
    some = list(parts(4))
    with opened(merge([*some, some[1], some[0]])) as document:
        tree = document.Root.Names.EmbeddedFiles.Names.as_list()
        names = [str(name) for name in tree[0::2]]
        held = {file.EF.F.read_bytes() for file in tree[1::2]}
        assert len(document.Root.AF) == 4
    assert names == sorted(f"{hashlib.sha256(original(number)).hexdigest()[:16]}.eml" for number in range(4))
    assert held == {original(number) for number in range(4)}


def test_bookmarks_and_links_lead_to_the_first_page_of_each_message() -> None:
    pdf = merge(parts(8), lay_out)
    with opened(pdf) as document:
        numbers = {page.obj.objgen: number for number, page in enumerate(document.pages)}
        links = list(document.pages[0].obj.Annots.as_list())
        linked = [numbers[link.Dest[0].objgen] for link in links]
        with document.open_outline() as outline:
            marks = [(item.title, numbers[item.destination[0].objgen]) for item in outline.root]
        assert document.pages[0].label == "i"
        assert document.pages[1].label == "1"
    begins = [1, 3, 4, 5, 7, 8, 9, 11]
    assert [number for _, number in marks] == begins
    assert sorted(set(linked)) == begins
    assert linked.count(1) == 2
    assert marks[0][0] == "合同 & <Vertrag> 😀"
    assert marks[3][0] == "2024-03-07 שלום"
    shown = text_of(pdf).split("\f")
    assert len(shown) == 12
    assert "2024-03-05 09:30" in shown[0]
    assert "合同 & <Vertrag>" in shown[0]
    for at, number in enumerate(begins):
        assert ("Quote" in shown[number]) == (at % 3 == 0)


def test_without_a_table_of_contents() -> None:
    pdf = merge(parts(3))
    assert check(pdf) == []
    with opened(pdf) as document:
        assert len(document.pages) == 4
        assert Name.PageLabels not in document.Root
        with document.open_outline() as outline:
            assert len(outline.root) == 3


def test_pieces_change_nothing_a_reader_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = merge(parts(7), lay_out)
    monkeypatch.setattr(merge_file, "_TOGETHER", 7)
    monkeypatch.setattr(merge_contents, "_ROWS", 3)
    pieces = merge(parts(7), lay_out)
    assert check(pieces) == []
    with opened(whole) as one, opened(pieces) as other:
        assert len(other.pages) == len(one.pages) + 2
        assert [page.label for page in other.pages][:4] == ["i", "ii", "iii", "1"]
        assert list(one.attachments) == list(other.attachments)
    assert text_of(whole).split("\f")[1:] == text_of(pieces).split("\f")[3:]


def test_the_same_parts_give_the_same_bytes() -> None:
    one = merge(parts(4), lay_out)
    assert one == merge(parts(4), lay_out)
    assert one != merge(parts(4), lay_out, "Another title")


def test_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "all.pdf"
    merge_to(target, parts(3), lay_out)
    assert target.read_bytes() == merge(parts(3), lay_out)
    assert [file.name for file in tmp_path.iterdir()] == ["all.pdf"]
    with pytest.raises(FileExistsError):
        merge_to(target, parts(3))


def test_nothing_to_merge_and_what_is_no_pdf() -> None:
    with pytest.raises(IntegrityError):
        merge([])
    with pytest.raises(IntegrityError):
        merge([Part(b"no PDF", "x")])


def test_where_the_messages_begin() -> None:
    entries = [Entry("", None, count) for count in (1, 3, 2)]
    assert first_pages(entries) == [0, 1, 4]
    assert first_pages(entries[:1]) == [0]


@pytest.mark.parametrize("room", [8, 40, 400])
def test_a_full_disk_is_an_error_and_no_crash(tmp_path: Path, room: int) -> None:
    """room: KiB of a disk that is full in the middle of the file, or of what ends it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this test mounts a file system of its own, which is not allowed here")
    try:
        with pytest.raises(OSError, match="No space left") as raised:
            merge_to(disk / "messages.pdf", parts(4 * room), lay_out)
        assert raised.value.errno == errno.ENOSPC
    finally:
        subprocess.run(["umount", str(disk)], check=True)
