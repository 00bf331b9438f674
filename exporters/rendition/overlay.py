"""A number in the lower right corner of each page, put there after rendering so that renditions can be kept and used
again.

`overlay_font.ttf` is printable ASCII of Noto Sans Mono 2.006 without hinting (SIL Open Font License 1.1; copyright and
licence stand in its name table); the glyph of a character is its code less 31.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from archiver.errors import ConfigError, IntegrityError
from exporters.rendition.pdfa import save

_FONT = Path(__file__).with_name("overlay_font.ttf")
_NAME = "/NotoSansMono-Overlay"
_KEY = "/Overlay"
_FIRST_GLYPH = 31
_ADVANCE = 600
_SIZE = 9
_RIGHT, _BOTTOM = 51.0, 22.7
"""Points from the edges: the right margin of the template, and 8 mm, below its footer."""
_LIMIT = 60


def stamp(pdf: bytes, labels: Sequence[str]) -> bytes:
    """The rendition with a label on each page, still PDF/A-3u; the same input gives the same bytes.

    labels: one a page, printable ASCII, at most 60 characters. ConfigError when they are not, IntegrityError when the
    PDF cannot be read or has another number of pages.
    """
    if not all(label.isascii() and label.isprintable() and 0 < len(label) <= _LIMIT for label in labels):
        raise ConfigError(
            "a page number may hold letters, digits and signs of ASCII alone", f"at most {_LIMIT} of them"
        )
    target = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            if len(document.pages) != len(labels):
                raise IntegrityError(f"a rendition has {len(document.pages)} pages, not {len(labels)}")
            font = _font(document)
            for page, label in zip(document.pages, labels, strict=True):
                _stamp(page, label, font)
            save(document, target)
    except pikepdf.PdfError as error:
        raise IntegrityError("a rendition cannot be read") from error
    return target.getvalue()


def _stamp(page: pikepdf.Page, label: str, font: pikepdf.Object) -> None:
    """Draw it after all else, in the page's own coordinates: what the page did to the graphics state is undone."""
    left, bottom, right, _ = (float(edge) for edge in page.cropbox)
    start = max(left, right - _RIGHT - len(label) * _SIZE * _ADVANCE / 1000)
    glyphs = b"".join((ord(sign) - _FIRST_GLYPH).to_bytes(2, "big") for sign in label).hex()
    if Name.Font not in page.resources:
        page.resources.Font = Dictionary()
    page.resources.Font[_KEY] = font
    page.contents_add(b"q\n", prepend=True)
    page.contents_add(
        f"\nQ\nq 0 g BT {_KEY} {_SIZE} Tf 1 0 0 1 {start:.2f} {bottom + _BOTTOM:.2f} Tm <{glyphs}> Tj ET Q".encode()
    )


def _font(document: pikepdf.Pdf) -> pikepdf.Object:
    program = document.make_stream(_FONT.read_bytes())
    program.Length1 = len(_FONT.read_bytes())
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(_NAME),
        FontFile2=program,
        Flags=5,
        FontBBox=Array([-616, -389, 1800, 1229]),
        ItalicAngle=0,
        Ascent=1069,
        Descent=-293,
        CapHeight=714,
        StemV=80,
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(_NAME),
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
        CIDToGIDMap=Name.Identity,
        DW=_ADVANCE,
        FontDescriptor=document.make_indirect(descriptor),
    )
    font = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=Name(_NAME),
        Encoding=Name("/Identity-H"),
        DescendantFonts=Array([document.make_indirect(descendant)]),
        ToUnicode=document.make_stream(_characters()),
    )
    return document.make_indirect(font)


@cache
def _characters() -> bytes:
    """The map from glyphs to Unicode: a CMap (ISO 32000-1 section 9.10.3)."""
    return (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        b"/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        b"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
        b"95 beginbfchar\n"
        + b"".join(b"<%04x> <%04x>\n" % (code - _FIRST_GLYPH, code) for code in range(0x20, 0x7F))
        + b"endbfchar\nendcmap CMapName currentdict /CMap defineresource pop end end"
    )
