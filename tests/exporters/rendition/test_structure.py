"""The structural checker: a good rendition passes, and each rule catches the change that breaks it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String

from archiver.errors import IntegrityError
from exporters.rendition.structure import check
from exporters.rendition.structure_program import advance_widths
from exporters.rendition.structure_text import text_of
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


BREAKS: dict[str, tuple[Change, str]] = {
    "no output intent": (without("/OutputIntents"), "output intent"),
    "CMYK output intent": (profile_of_paper, "output intent"),
    "no metadata": (without("/Metadata"), "no XMP metadata"),
    "metadata are no XML": (replaced(b"</x:xmpmeta>", b"</x>"), "no XML"),
    "metadata with entities": (replaced(b"<x:xmpmeta", b"<!DOCTYPE x><x:xmpmeta"), "document type"),
    "part": (replaced(b"part>3<", b"part>2<"), "do not say PDF/A-3u"),
    "conformance": (replaced(b"conformance>U<", b"conformance>B<"), "do not say PDF/A-3u"),
    "property not described": (replaced(b"name>tier<", b"name>tear<"), "property tier is not described"),
    "description without a type": (replaced(b"valueType>Date<", b"valueType><"), "property sent is not described"),
    "description of no category": (
        replaced(
            b"Date</pdfaProperty:valueType><pdfaProperty:category>external<",
            b"Date</pdfaProperty:valueType><pdfaProperty:category>x<",
        ),
        "property sent is not described",
    ),
    "property of a foreign namespace": (
        replaced(b"<mailark:tier>", b"<q:a xmlns:q='urn:q'>1</q:a><mailark:tier>"),
        "property a is not described",
    ),
    "other title": (other_title, "do not agree with Title"),
    "other date": (replaced(b"ModifyDate>2024", b"ModifyDate>2025"), "do not agree with ModDate"),
    "unknown information": (unknown_information, "do not agree with Trapped"),
    "font not embedded": (no_font_program, "not embedded"),
    "font not whole": (broken_font_program, "not whole"),
    "font of another kind": (other_kind, "another kind"),
    "no map to Unicode": (no_unicode, "no map to Unicode"),
    "mapped to nothing": (no_character(b""), "stands for no character"),
    "mapped to U+0000": (no_character(b"00410000"), "stands for no character"),
    "mapped to U+FEFF": (no_character(b"feff"), "stands for no character"),
    "simple font": (simple_font, "not glyph numbers"),
    "codes are no glyphs": (other_glyphs, "not glyph numbers"),
    "width": (other_width, "wide, not"),
    ".notdef": (shows(0), "glyph 0 is missing and shown"),
    ".notdef in a form": (shows_in_a_form, "glyph 0 is missing and shown"),
    "glyph beyond the font": (shows_beyond, "glyph 65535 is missing and shown"),
    "glyph without Unicode": (shows_unmapped, "stands for no character"),
    "interpolated image": (interpolated, "interpolated"),
    "interpolated inline image": (
        content(after=b"BI /W 1 /H 1 /BPC 8 /CS /G /I true ID \0 EI "),
        "interpolated",
    ),
    "CMYK image": (cmyk_image, "DeviceCMYK"),
    "CMYK palette": (cmyk_base, "DeviceCMYK"),
    "CMYK fill": (content(after=b"0 0 0 1 k "), "DeviceCMYK"),
    "CMYK stroke": (content(after=b"0 0 0 1 K "), "DeviceCMYK"),
    "CMYK inline image": (content(after=b"BI /W 1 /H 1 /BPC 8 /CS /CMYK ID \0\0\0\0 EI "), "DeviceCMYK"),
    "29 graphics states": (content(after=b"q " * 29 + b"Q " * 29), "nested 29 deep"),
    "29 with a form": (deep_form, "nested 29 deep"),
    "endless form": (endless_form, "cannot be read"),
    "save without restore": (content(after=b"q "), "not restored"),
    "restore without save": (content(after=b"Q "), "not restored"),
    "annotation without flags": (unflagged_annotation, "not printed"),
    "annotation not printed": (hidden_annotation(0), "not printed"),
    "annotation hidden": (hidden_annotation(4 | 2), "not printed"),
    "annotation not viewed": (hidden_annotation(4 | 32), "not printed"),
    "script": (link(S=Name.JavaScript, JS=String("1")), "action JavaScript"),
    "script at opening": (open_action, "action JavaScript"),
    "script by name": (named_script, "JavaScript"),
    "launch": (link(S=Name.Launch, F=String("cmd.exe")), "action Launch"),
    "other file": (link(S=Name.GoToR, F=String("x.pdf"), D=Array([0, Name.Fit])), "action GoToR"),
    "form sent": (link(S=Name.SubmitForm, F=String("https://example.com")), "action SubmitForm"),
    "next action": (
        link(S=Name.URI, URI=String("https://example.com"), Next=Dictionary(S=Name.Launch)),
        "action Launch",
    ),
    "script link": (link(S=Name.URI, URI=String("javascript:1")), "leads to something else"),
    "file link": (link(S=Name.URI, URI=String("file:///etc/passwd")), "leads to something else"),
    "page action": (page_action, "without being asked"),
    "file not associated": (file_not_associated, "are not the same"),
    "file without a name": (file_without_a_name, "are not the same"),
    "file hung elsewhere": (file_hung_elsewhere, "has no name"),
    "no associated files": (without("/AF"), "are not the same"),
    "names unsorted": (files_unsorted, "not sorted"),
    "file changed": (file_changed, "not the checksum"),
    "file longer": (file_longer, "not the size"),
    "no relationship": (file_without("/AFRelationship"), "no relationship"),
    "no Unicode name": (file_without("/UF"), "no name"),
    "no type": (file_without_type, "no type"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_each_rule_catches_what_breaks_it(case: str) -> None:
    change, expected = BREAKS[case]
    problems = check(changed(change))
    assert len(problems) == 1, problems
    assert expected in problems[0]


def test_a_good_rendition_passes_and_passes_when_saved_again() -> None:
    assert check(rich_rendition()) == []
    assert check(changed(lambda document: None)) == []
    assert check(changed(content(before=b"q ", after=b"Q " + b"q " * 28 + b"Q " * 28))) == []


def test_a_file_without_identifier() -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(rich_rendition())) as document:
        document.save(target, object_stream_mode=pikepdf.ObjectStreamMode.disable, fix_metadata_version=False)
    assert check(target.getvalue()) == []
    assert check(target.getvalue().replace(b"/ID [", b"/IX [")) == ["the trailer has no file identifier"]


@pytest.mark.parametrize("password", ["", "x"])
def test_an_encrypted_file(password: str) -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(rich_rendition())) as document:
        document.save(target, encryption=pikepdf.Encryption(owner="o", user=password))
    assert check(target.getvalue()) in (
        ["the file is encrypted"],
        ["the file cannot be read: PasswordError"],
    )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_never_raises(data: st.DataObject) -> None:
    pdf = bytearray(rich_rendition())
    for _ in range(data.draw(st.integers(1, 30))):
        pdf[data.draw(st.integers(0, len(pdf) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(pdf)))
    for damaged in (bytes(pdf), bytes(pdf[:cut])):
        assert all(isinstance(problem, str) for problem in check(damaged))


def test_widths_of_a_program_that_ends_early() -> None:
    with pikepdf.open(io.BytesIO(rich_rendition())) as document:
        program = first_font(document).DescendantFonts[0].FontDescriptor.FontFile2.read_bytes()
    assert len(advance_widths(program)) > 10
    for end in range(0, 400, 7):
        with pytest.raises(IntegrityError):
            advance_widths(program[:end])


def test_text_of_what_is_no_pdf() -> None:
    with pytest.raises(IntegrityError):
        text_of(b"no PDF")
