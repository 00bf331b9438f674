"""A PDF written object by object: what others lend it is as it was, and little of it is held."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String

from archiver.errors import IntegrityError
from exporters.rendition.merge import Part, merge
from exporters.rendition.merge_file import Lender, MergedFile
from tests.exporters.rendition.laid_out import qpdf_problems

ROOT = Path(__file__).resolve().parents[3]


def lent(source: pikepdf.Pdf, *, times: int = 1) -> bytes:
    """The pages of a document in a file of their own, so many times."""
    kept = io.BytesIO()
    source.save(kept, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    target = io.BytesIO()
    file = MergedFile(target)
    tree = file.reserve()
    pages: list[int] = []
    for _ in range(times):
        with pikepdf.open(kept) as again:
            pages += Lender(again, file).pages(tree)
    kids = b" ".join(b"%d 0 R" % page for page in pages)
    file.add(b"<< /Type /Pages /Count %d /Kids [ %s ] >>" % (len(pages), kids), tree)
    file.close(file.add(b"<< /Type /Catalog /Pages %d 0 R >>" % tree), file.add(b"<< >>"), "x")
    return target.getvalue()


def document(pages: int = 1) -> pikepdf.Pdf:
    made = pikepdf.new()
    for number in range(pages):
        made.add_blank_page()
        made.pages[-1].Contents = made.make_stream(b"q %d 0 0 1 0 0 cm Q" % number)
    return made


HARD = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"12 0 R", b"(12 0 R", b"\\) 3 0 R (", b"<< /A 1 0 R >>", b"\xfe\xff1 0 R", b"\\", b"endobj"]),
)


@given(st.lists(st.tuples(HARD, st.text("AB# /()<>[]%0 R", min_size=1, max_size=9)), max_size=8))
def test_nothing_in_a_string_or_a_name_is_taken_for_a_reference(pairs: list[tuple[bytes, str]]) -> None:
    with document() as made:
        shared = made.make_indirect(Dictionary(Told=String("shared")))
        values = [Array([String(data), Name(f"/{name}"), shared, 3, True, 0.5]) for data, name in pairs]
        made.pages[0].obj[Name.Odd] = Array(values)
        pdf = lent(made)
    with pikepdf.open(io.BytesIO(pdf)) as found:
        odd = found.pages[0].obj[Name.Odd].as_list()
        assert [bytes(value[0]) for value in odd] == [data for data, _ in pairs]
        assert [str(value[1]) for value in odd] == [f"/{name}" for _, name in pairs]
        assert all(str(value[2].Told) == "shared" for value in odd)
        assert len({value[2].objgen for value in odd}) <= 1


def test_pages_keep_what_they_inherit_and_lead_to_each_other(tmp_path: Path) -> None:
    with document(3) as made:
        for page in made.pages:
            del page.obj[Name.MediaBox]
        made.Root.Pages.MediaBox = Array([0, 0, 99, 77])
        made.Root.Pages.Rotate = 90
        link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Dest=Array([made.pages[2].obj, Name.Fit]))
        made.pages[0].Annots = Array([made.make_indirect(link)])
        contents = [page.Contents.read_bytes() for page in made.pages]
        pdf = lent(made, times=2)
    assert qpdf_problems(pdf, tmp_path) == ""
    with pikepdf.open(io.BytesIO(pdf)) as found:
        assert [page.Contents.read_bytes() for page in found.pages] == contents * 2
        assert {tuple(page.mediabox.as_list()) for page in found.pages} == {(0, 0, 99, 77)}
        assert {page.obj[Name.Rotate] for page in found.pages} == {90}
        for first in (0, 3):
            assert found.pages[first].Annots[0].Dest[0].objgen == found.pages[first + 2].objgen


def test_what_is_no_rendition_ends_the_merge() -> None:
    with document() as made:
        kept = io.BytesIO()
        made.save(kept)
    with pytest.raises(IntegrityError, match="no rendition"):
        merge([Part(kept.getvalue(), "x")])


MEMORY = """
import resource, sys
from pathlib import Path
from exporters.rendition.interface import Tier
from exporters.rendition.merge import Part, merge_to
from exporters.rendition.pdfa import finish
from tests.exporters.rendition.laid_out import RENDERER, message, rich_pages
pdf = finish(rich_pages(), message(b"Subject: x\\r\\n\\r\\n"), Tier.HTML, RENDERER)
for count in (50, int(sys.argv[2])):
    merge_to(Path(sys.argv[1], str(count)), (Part(pdf, "title %d" % n) for n in range(count)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_messages(tmp_path: Path) -> None:
    """What is held of a message is its title and some numbers; it was 0.2 MB."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path), "650"]
    few, many = map(int, subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split())
    print(f"{few:,} KB for 50 messages, {many:,} KB for 650")
    assert many - few < 12_000
