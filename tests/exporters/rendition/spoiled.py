"""Changes to a good rendition, each of which breaks one rule of PDF/A-3u."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from exporters.rendition.structure_program import advance_widths
from tests.exporters.rendition.laid_out import rich_rendition

Change = Callable[[pikepdf.Pdf], None]


def changed(change: Change, pdf: bytes | None = None) -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf or rich_rendition())) as document:
        change(document)
        document.save(target, fix_metadata_version=False)
    return target.getvalue()


def replaced(old: bytes, new: bytes) -> Change:
    """The metadata with something else in them."""

    def change(document: pikepdf.Pdf) -> None:
        packet = document.Root.Metadata.read_bytes()
        assert old in packet
        document.Root.Metadata.write(packet.replace(old, new))

    return change


def first_font(document: pikepdf.Pdf) -> pikepdf.Object:
    return document.pages[0].Resources.Font[min(document.pages[0].Resources.Font.keys())]


def shown_code(document: pikepdf.Pdf, font: pikepdf.Object) -> int:
    return int(font.DescendantFonts[0].W[0])


def content(before: bytes = b"", after: bytes = b"") -> Change:
    def change(document: pikepdf.Pdf) -> None:
        page = document.pages[0]
        page.contents_add(before, prepend=True)
        page.contents_add(after)

    return change


def without(*path: str) -> Change:
    """A key of the root, or of something below it, removed."""

    def change(document: pikepdf.Pdf) -> None:
        holder = document.Root
        for name in path[:-1]:
            holder = holder[int(name) if name.isdigit() else name]
        del holder[path[-1]]

    return change


def specification(document: pikepdf.Pdf) -> pikepdf.Object:
    return document.Root.AF[0]


def no_font_program(document: pikepdf.Pdf) -> None:
    descriptor = first_font(document).DescendantFonts[0].FontDescriptor
    del descriptor[Name.FontFile2 if Name.FontFile2 in descriptor else Name.FontFile3]


def broken_font_program(document: pikepdf.Pdf) -> None:
    descriptor = first_font(document).DescendantFonts[0].FontDescriptor
    descriptor[Name.FontFile2 if Name.FontFile2 in descriptor else Name.FontFile3] = document.make_stream(b"\0" * 40)


def other_kind(document: pikepdf.Pdf) -> None:
    for font in document.pages[0].Resources.Font.values():
        program = font.DescendantFonts[0].FontDescriptor.get(Name.FontFile3)
        if program is not None:
            program.Subtype = Name.OpenType if program.Subtype != Name.OpenType else Name("/CIDFontType0C")


def no_unicode(document: pikepdf.Pdf) -> None:
    del first_font(document).ToUnicode


def no_character(sign: bytes) -> Change:
    def change(document: pikepdf.Pdf) -> None:
        font = first_font(document)
        code = b"<%04x> <" % shown_code(document, font)
        before, mark, after = font.ToUnicode.read_bytes().partition(code)
        assert mark
        font.ToUnicode = document.make_stream(before + mark + sign + after[after.index(b">") :])

    return change


def simple_font(document: pikepdf.Pdf) -> None:
    first_font(document).Subtype = Name.TrueType


def other_glyphs(document: pikepdf.Pdf) -> None:
    first_font(document).DescendantFonts[0].CIDToGIDMap = document.make_stream(bytes(20))


def other_width(document: pikepdf.Pdf) -> None:
    widths = first_font(document).DescendantFonts[0].W
    widths[1] = Array([int(widths[1][0]) + 2, *widths[1].as_list()[1:]])


def shows(code: int) -> Change:
    def change(document: pikepdf.Pdf) -> None:
        name = min(document.pages[0].Resources.Font.keys())
        document.pages[0].contents_add(b"BT %s 9 Tf <%04x> Tj ET" % (name.encode(), code))

    return change


def shows_beyond(document: pikepdf.Pdf) -> None:
    cmap = first_font(document).ToUnicode
    cmap.write(cmap.read_bytes().replace(b"endcmap", b"1 beginbfchar <ffff> <0041> endbfchar endcmap"))
    shows(0xFFFF)(document)


def shows_unmapped(document: pikepdf.Pdf) -> None:
    descendant = first_font(document).DescendantFonts[0]
    widths = advance_widths(descendant.FontDescriptor.FontFile2.read_bytes())
    unused = next(code for code in range(1, len(widths)) if code not in descendant.W.as_list())
    descendant.W = Array([unused, Array([round(widths[unused])]), *descendant.W.as_list()])
    shows(unused)(document)


def shows_in_a_form(document: pikepdf.Pdf) -> None:
    page = document.pages[0]
    name = min(page.Resources.Font.keys())
    form = document.make_stream(b"BT %s 9 Tf [(\0\0)] TJ ET" % name.encode())
    form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 9, 9])
    form.Resources = page.Resources
    page.Resources.XObject[Name.Added] = form
    page.contents_add(b"/Added Do")


def deep_form(document: pikepdf.Pdf) -> None:
    form = document.make_stream(b"q " * 20 + b"Q " * 20)
    form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 9, 9])
    document.pages[0].Resources.XObject[Name.Added] = form
    document.pages[0].contents_add(b"q " * 9 + b"/Added Do " + b"Q " * 9)


def endless_form(document: pikepdf.Pdf) -> None:
    form = document.make_stream(b"/Added Do")
    form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 9, 9])
    form.Resources = Dictionary(XObject=Dictionary(Added=form))
    document.pages[0].Resources.XObject[Name.Added] = form
    document.pages[0].contents_add(b"/Added Do")


def image(document: pikepdf.Pdf) -> pikepdf.Object:
    return next(
        thing
        for thing in document.objects
        if isinstance(thing, pikepdf.Stream) and thing.get(Name.Subtype) == Name.Image and Name.SMask in thing
    )


def interpolated(document: pikepdf.Pdf) -> None:
    image(document).Interpolate = True


def cmyk_image(document: pikepdf.Pdf) -> None:
    image(document).ColorSpace = Name.DeviceCMYK


def cmyk_base(document: pikepdf.Pdf) -> None:
    image(document).ColorSpace = Array([Name.Indexed, Name.DeviceCMYK, 0, String("abcd")])


def hidden_annotation(flags: int) -> Change:
    def change(document: pikepdf.Pdf) -> None:
        document.pages[0].Annots[0].F = flags

    return change


def unflagged_annotation(document: pikepdf.Pdf) -> None:
    del document.pages[0].Annots[0].F


def link(**action: object) -> Change:
    def change(document: pikepdf.Pdf) -> None:
        document.pages[0].Annots[0].A = Dictionary(**action)

    return change


def open_action(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def named_script(document: pikepdf.Pdf) -> None:
    document.Root.Names.JavaScript = Dictionary(Names=Array([]))


def page_action(document: pikepdf.Pdf) -> None:
    document.pages[0].AA = Dictionary(O=Dictionary(S=Name.Named, N=Name.NextPage))


def second_file(document: pikepdf.Pdf, name: str = "zzz.txt") -> pikepdf.Object:
    stream = document.make_stream(b"more", Type=Name.EmbeddedFile, Subtype=Name("/text/plain"))
    stream.Params = Dictionary(Size=4, CheckSum=String(hashlib.md5(b"more").digest()))
    return document.make_indirect(
        Dictionary(
            Type=Name.Filespec, F=String(name), UF=String(name), EF=Dictionary(F=stream), AFRelationship=Name.Data
        )
    )


def file_not_associated(document: pikepdf.Pdf) -> None:
    document.Root.Names.EmbeddedFiles.Names.extend([String("zzz.txt"), second_file(document)])


def file_without_a_name(document: pikepdf.Pdf) -> None:
    other = document.make_indirect(Dictionary(Type=Name.Filespec, F=String("x"), UF=String("x")))
    document.Root.AF.append(other)


def file_hung_elsewhere(document: pikepdf.Pdf) -> None:
    document.pages[0].AF = Array([second_file(document)])


def files_unsorted(document: pikepdf.Pdf) -> None:
    more = second_file(document, "!")
    document.Root.AF.append(more)
    document.Root.Names.EmbeddedFiles.Names.extend([String("!"), more])


def file_changed(document: pikepdf.Pdf) -> None:
    stream = specification(document).EF.F
    stream.write(stream.read_bytes().swapcase())


def file_longer(document: pikepdf.Pdf) -> None:
    specification(document).EF.F.Params.Size = 1


def file_without(name: str) -> Change:
    def change(document: pikepdf.Pdf) -> None:
        del specification(document)[name]

    return change


def file_without_type(document: pikepdf.Pdf) -> None:
    del specification(document).EF.F.Subtype


def profile_of_paper(document: pikepdf.Pdf) -> None:
    profile = document.Root.OutputIntents[0].DestOutputProfile
    profile.write(profile.read_bytes().replace(b"mntrRGB ", b"prtrCMYK"))


def other_title(document: pikepdf.Pdf) -> None:
    document.docinfo[Name.Title] = "Another"


def unknown_information(document: pikepdf.Pdf) -> None:
    document.docinfo[Name.Trapped] = Name.Unknown
