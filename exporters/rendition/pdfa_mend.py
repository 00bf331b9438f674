"""What the layout engine writes and PDF/A-3u does not allow, or a message must not decide."""

from __future__ import annotations

import re

import pikepdf
from pikepdf import Array, Dictionary, Name

from exporters.rendition.structure_program import advance_widths

_PRINT = 4
_URI_LIMIT = 32_767
_MAPPING = re.compile(rb"^(<[0-9a-f]{4}> )<((?:[0-9a-f]{4})*)>$", re.MULTILINE)
_NO_CHARACTER = re.compile(rb"^$|^(?:.{4})*?(?:0000|feff|fffe)")
_ZERO_WIDTH_SPACE = b"200b"
_OFTEN_EMPTY = (Name.Pattern, Name.Shading)


def mend(document: pikepdf.Pdf) -> None:
    """Mend the document in place: annotations, images, fonts, names, outlines."""
    for name in (Name.Names, Name.Outlines, Name.AF, Name.PageMode, Name.OpenAction):
        if name in document.Root:
            del document.Root[name]
    for page in document.pages:
        _keep_outward_links(page.obj)
    for thing in document.objects:
        if not isinstance(thing, (Dictionary, pikepdf.Stream)):
            continue
        if Name.Resources in thing:
            _drop_empty_resources(thing.Resources)
        if thing.get(Name.Interpolate):
            thing.Interpolate = False
        if thing.get(Name.Type) == Name.Font:
            _mend_font(document, thing)


def _keep_outward_links(page: pikepdf.Object) -> None:
    """Links out of the document stay, to be printed. Jumps within it would mix with those of other messages."""
    if Name.Annots not in page:
        return
    links = [link for link in page.Annots.as_list() if _is_outward(link)]
    for link in links:
        link.F = _PRINT
    if links:
        page.Annots = Array(links)
    else:
        del page[Name.Annots]


def _is_outward(annotation: pikepdf.Object) -> bool:
    action = annotation.get(Name.A, Dictionary())
    return action.get(Name.S) == Name.URI and len(bytes(action.URI)) <= _URI_LIMIT


def _drop_empty_resources(resources: pikepdf.Object) -> None:
    for name in _OFTEN_EMPTY:
        if name in resources and not resources[name].keys():
            del resources[name]


def _mend_font(document: pikepdf.Pdf, font: pikepdf.Object) -> None:
    if Name.ToUnicode in font:
        _map_every_glyph(document, font)
    if Name.DescendantFonts in font and "Color-Emoji" in str(font.get(Name.BaseFont)):
        _measure_again(font.DescendantFonts[0])


def _map_every_glyph(document: pikepdf.Pdf, font: pikepdf.Object) -> None:
    """A glyph that continues the one before it has no characters of its own; conformance U wants some for each, and
    neither U+0000, U+FEFF nor U+FFFE (ISO 19005-3 section 6.2.11.7.2).
    """
    old = font.ToUnicode.read_bytes()
    new = _MAPPING.sub(lambda found: found[1] + b"<" + _characters(found[2]) + b">", old)
    if new != old:
        font.ToUnicode = document.make_stream(new)


def _characters(utf16: bytes) -> bytes:
    return _ZERO_WIDTH_SPACE if _NO_CHARACTER.search(utf16) else utf16


def _measure_again(font: pikepdf.Object) -> None:
    """The widths of a font of colour bitmaps, as its program has them: the engine takes them from a scaled bitmap."""
    widths = advance_widths(font.FontDescriptor.FontFile2.read_bytes())
    runs = font.W.as_list()
    for at in range(0, len(runs), 2):
        first, count = int(runs[at]), len(runs[at + 1])
        known = [round(width) for width in widths[first : first + count]]
        font.W[at + 1] = Array([*known, *runs[at + 1].as_list()[len(known) :]])
