"""Smaller fonts for Chinese: what WeasyPrint 70.0 embeds of a font whose glyphs have numbers of their own.

WeasyPrint keeps glyph numbers when it cuts a font down, so each Han face brings an index of 65,535 glyphs: 90 KB and
30 ms each, several a message. In CID-keyed CFF fonts (Adobe Technical Note 5176 section 18) the glyphs bear the old
numbers as CIDs, which a PDF goes by when it embeds the bare CFF (ISO 32000-1 table 126, /CIDFontType0C): nothing has to
be kept. A contract in Chinese: 60 KB for 440 KB. Installed once, by the engine; tests compare the pictures.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from fontTools.cffLib import CFFFontSet
from weasyprint.pdf import fonts as vendor  # type: ignore[import-untyped]
from weasyprint.text.ffi import ffi, harfbuzz, harfbuzz_subset  # type: ignore[import-untyped]

from exporters.rendition.engine_slant import slanted

_OPENTYPE, _BARE = "/OpenType", "/CIDFontType0C"
_UNUSED = (b"BASE", b"GDEF", b"GPOS", b"GSUB", b"VORG", b"cmap", b"name", b"vhea", b"vmtx")
_FLAGS = (
    harfbuzz_subset.HB_SUBSET_FLAGS_DESUBROUTINIZE
    | harfbuzz_subset.HB_SUBSET_FLAGS_NO_HINTING
    | harfbuzz_subset.HB_SUBSET_FLAGS_NO_LAYOUT_CLOSURE
)
_MAJOR_1 = b"\x01\x00"
"""What a CFF begins with: version 1.0."""


def install() -> None:
    """Let WeasyPrint embed CID-keyed fonts as bare CFF from now on, in this process."""
    font = vendor.Font
    if font.subset is not _subset:
        font.whole_subset, font.subset = font.subset, _subset
        font.type = property(_type)


def finish(_document: Any, pdf: Any) -> None:
    """Name the bare programs what they are; to be given to WeasyPrint as the finisher of a document."""
    for thing in pdf.objects:
        extra = getattr(thing, "extra", None)
        if extra and extra.get("Subtype") == _OPENTYPE and thing.stream[0].startswith(_MAJOR_1):
            extra["Subtype"] = _BARE


def _type(font: Any) -> str:
    return "otf" if font.file_content[:4] == b"OTTO" or font.file_content.startswith(_MAJOR_1) else "ttf"


def _subset(font: Any, glyphs: dict[int, str], hinting: bool) -> None:
    """In place of `Font.subset`: the glyphs with these numbers, `font.missing` apart."""
    program = _cut(font, glyphs) if glyphs and "CFF " in font.tables else b""
    if program:
        font.file_content = slanted(program) if font.style else program  # a face that has no italics of its own
    else:
        font.whole_subset(glyphs, hinting)


def _cut(font: Any, glyphs: dict[int, str]) -> bytes:
    """The CFF of these glyphs alone; empty when the font is not CID-keyed."""
    order = ffi.gc(harfbuzz_subset.hb_subset_input_create_or_fail(), harfbuzz_subset.hb_subset_input_destroy)
    wanted = harfbuzz_subset.hb_subset_input_glyph_set(order)
    harfbuzz.hb_set_add_sorted_array(wanted, ffi.new(f"hb_codepoint_t[{len(glyphs)}]", sorted(glyphs)), len(glyphs))
    dropped = harfbuzz_subset.hb_subset_input_set(order, harfbuzz_subset.HB_SUBSET_SETS_DROP_TABLE_TAG)
    tags = sorted(harfbuzz.hb_tag_from_string(name, -1) for name in _UNUSED)
    harfbuzz.hb_set_add_sorted_array(dropped, ffi.new(f"hb_codepoint_t[{len(tags)}]", tags), len(tags))
    harfbuzz_subset.hb_subset_input_set_flags(order, _FLAGS)
    face = harfbuzz_subset.hb_subset_or_fail(font.hb_face, order)
    if face == ffi.NULL:
        return b""
    face = ffi.gc(face, harfbuzz.hb_face_destroy)
    program = _table(face, b"CFF ")
    return program if _keyed(program) else b""


def _table(face: Any, name: bytes) -> bytes:
    blob = harfbuzz.hb_face_reference_table(face, harfbuzz.hb_tag_from_string(name, -1))
    length = ffi.new("unsigned int *")
    data = harfbuzz.hb_blob_get_data(blob, length)
    content = b"" if data == ffi.NULL else bytes(ffi.unpack(data, int(length[0])))
    harfbuzz.hb_blob_destroy(blob)
    return content


def _keyed(program: bytes) -> bool:
    fonts = CFFFontSet()
    fonts.decompile(BytesIO(program), None)
    return hasattr(fonts[0], "ROS")
