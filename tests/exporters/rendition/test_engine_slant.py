"""Han that is to stand in italics leans, and is the same text of the same width."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
import pypdfium2
from fontTools.cffLib import CFFFontSet
from fontTools.pens.recordingPen import DecomposingRecordingPen

from exporters.rendition import engine

TEXT = "斜体，直骨刃户 12"
FACE = "font-family:SimSun"
ROMAN = f'<html lang="zh-CN"><p style="{FACE}">{TEXT}</p></html>'
ITALIC = f'<html lang="zh-CN"><p style="{FACE}"><i>{TEXT}</i></p></html>'


def program(pdf: bytes) -> Any:
    """The glyphs of the only serif face of a page."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        found = [
            thing.FontFile3.read_bytes()
            for thing in document.objects
            if isinstance(thing, pikepdf.Dictionary) and "/FontFile3" in thing and "Serif" in str(thing.FontName)
        ]
    fonts = CFFFontSet()
    fonts.decompile(io.BytesIO(found[0]), None)
    return fonts[0].CharStrings


def outline(glyphs: Any, name: str) -> tuple[list[tuple[float, float]], float]:
    """The points of a glyph, and its width."""
    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)
    return [point for _, points in pen.value for point in points], glyphs[name].width


def test_every_point_leans_and_the_width_stays() -> None:
    upright, leaning = program(engine.lay_out(ROMAN, {})), program(engine.lay_out(ITALIC, {}))
    names = [name for name in upright.keys() if name != ".notdef"]  # noqa: SIM118
    assert set(names) == set(leaning.keys()) - {".notdef"}
    assert len(names) >= 9
    for name in names:
        (before, width), (after, same) = outline(upright, name), outline(leaning, name)
        assert same == width
        assert all(abs(x + y / 4 - lx) <= 1 and y == ly for (x, y), (lx, ly) in zip(before, after, strict=True))


def test_the_text_can_still_be_read_out() -> None:
    text = pypdfium2.PdfDocument(engine.lay_out(ITALIC, {}))[0].get_textpage().get_text_bounded()
    assert TEXT in text


def test_the_same_page_is_the_same_bytes() -> None:
    assert engine.lay_out(ITALIC, {}) == engine.lay_out(ITALIC, {})


def test_letters_with_italics_of_their_own_keep_them() -> None:
    with pikepdf.open(io.BytesIO(engine.lay_out("<p style='font-family:Arial'><i>italic</i></p>", {}))) as document:
        names = {str(thing.FontName) for thing in document.objects if "/FontName" in getattr(thing, "keys", set)()}
    assert any(name.endswith("Noto-Sans-Italic") for name in names)
