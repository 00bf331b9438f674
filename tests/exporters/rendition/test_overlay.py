"""Numbers on the pages of a finished rendition."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Name

from archiver.errors import ConfigError, IntegrityError
from exporters.rendition.merge import Part, merge
from exporters.rendition.overlay import stamp
from exporters.rendition.structure import check
from exporters.rendition.structure_text import text_of
from tests.exporters.rendition.laid_out import qpdf_problems, rendition, rich_rendition

LABELS = ["ACME-0000017", "ACME-0000018"]
ALL = "".join(map(chr, range(0x20, 0x7F)))


def boxes(pdf: bytes, number: int) -> list[tuple[str, float, float]]:
    """The characters of a page with their left and lower edges, in points."""
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[number].get_textpage()
        return [(text.get_text_range(at, 1), *text.get_charbox(at)[:2]) for at in range(text.count_chars())]


def test_each_page_bears_its_number_and_stays_clean(tmp_path: Path) -> None:
    pdf = stamp(rich_rendition(), LABELS)
    assert check(pdf) == []
    assert qpdf_problems(pdf, tmp_path) == ""
    for shown, before, label in zip(
        text_of(pdf).split("\f"), text_of(rich_rendition()).split("\f"), LABELS, strict=True
    ):
        assert label in shown
        assert before.split()[0] in shown


def test_the_number_stands_in_the_lower_right_corner() -> None:
    found = boxes(stamp(rich_rendition(), LABELS), 1)
    digits = [(left, bottom) for sign, left, bottom in found[-len(LABELS[1]) :]]
    assert [sign for sign, _, _ in found[-len(LABELS[1]) :]] == list(LABELS[1])
    assert all(430 < left < 545 and 15 < bottom < 30 for left, bottom in digits)


def test_the_message_and_the_metadata_stay() -> None:
    with (
        pikepdf.open(io.BytesIO(rich_rendition())) as before,
        pikepdf.open(io.BytesIO(stamp(rich_rendition(), LABELS))) as after,
    ):
        assert after.Root.AF[0].EF.F.read_bytes() == before.Root.AF[0].EF.F.read_bytes()
        assert after.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()
        assert bytes(after.trailer.ID[0]) == bytes(before.trailer.ID[0])
        assert bytes(after.trailer.ID[1]) != bytes(before.trailer.ID[1])


def test_the_same_labels_give_the_same_bytes_and_others_do_not() -> None:
    assert stamp(rendition(), ["A-1"]) == stamp(rendition(), ["A-1"])
    assert stamp(rendition(), ["A-1"]) != stamp(rendition(), ["A-2"])


def test_what_a_page_left_behind_does_not_move_the_number() -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(rendition())) as document:
        document.pages[0].contents_add(b"0.1 0 0 0.1 300 300 cm 1 0 0 rg 3 Tr 20 Tc")
        document.save(target, fix_metadata_version=False)
    assert boxes(stamp(target.getvalue(), ["A-1"]), 0)[-3:] == boxes(stamp(rendition(), ["A-1"]), 0)[-3:]


def test_a_page_that_is_cut_bears_it_inside() -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(rendition())) as document:
        document.pages[0].obj[Name.CropBox] = Array([100, 200, 400, 500])
        document.save(target, fix_metadata_version=False)
    assert all(
        left > 250 and 210 < bottom < 240 for _, left, bottom in boxes(stamp(target.getvalue(), ["A-1"]), 0)[-3:]
    )


@given(st.text(st.sampled_from(ALL), min_size=1, max_size=60).filter(lambda text: text == text.strip()))
@settings(max_examples=30, deadline=None)
def test_any_printable_ascii_is_shown(label: str) -> None:
    pdf = stamp(rendition(), [label])
    assert check(pdf) == []
    assert label.replace(" ", "") in text_of(pdf).replace(" ", "")


@pytest.mark.parametrize("label", ["", "合同", "a\nb", "x" * 61, "é"])
def test_other_labels_are_refused(label: str) -> None:
    with pytest.raises(ConfigError):
        stamp(rendition(), [label])


def test_a_label_too_many_and_what_is_no_pdf() -> None:
    with pytest.raises(IntegrityError, match="1 pages, not 2"):
        stamp(rendition(), ["A-1", "A-2"])
    with pytest.raises(IntegrityError):
        stamp(b"no PDF", [])


def test_stamped_renditions_can_be_merged() -> None:
    pdf = merge([Part(stamp(rich_rendition(), LABELS), "one"), Part(stamp(rendition(raw=b"other"), ["A-1"]), "two")])
    assert check(pdf) == []
    assert all(label in text_of(pdf) for label in (*LABELS, "A-1"))
