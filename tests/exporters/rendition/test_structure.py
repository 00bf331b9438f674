"""The structural checker: a good rendition passes, and each rule catches the change that breaks it."""

from __future__ import annotations

import io

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String

from archiver.errors import IntegrityError
from exporters.rendition.structure import check
from exporters.rendition.structure_program import advance_widths
from exporters.rendition.structure_text import text_of
from tests.exporters.rendition import spoiled
from tests.exporters.rendition.laid_out import rich_rendition
from tests.exporters.rendition.spoiled import Change, changed, content, first_font

BREAKS: dict[str, tuple[Change, str]] = {
    "no output intent": (spoiled.without("/OutputIntents"), "output intent"),
    "CMYK output intent": (spoiled.profile_of_paper, "output intent"),
    "no metadata": (spoiled.without("/Metadata"), "no XMP metadata"),
    "metadata are no XML": (spoiled.replaced(b"</x:xmpmeta>", b"</x>"), "no XML"),
    "metadata with entities": (spoiled.replaced(b"<x:xmpmeta", b"<!DOCTYPE x><x:xmpmeta"), "document type"),
    "part": (spoiled.replaced(b"part>3<", b"part>2<"), "do not say PDF/A-3u"),
    "conformance": (spoiled.replaced(b"conformance>U<", b"conformance>B<"), "do not say PDF/A-3u"),
    "property not described": (spoiled.replaced(b"name>tier<", b"name>tear<"), "property tier is not described"),
    "description without a type": (
        spoiled.replaced(b"valueType>Date<", b"valueType><"),
        "property sent is not described",
    ),
    "description of no category": (
        spoiled.replaced(
            b"Date</pdfaProperty:valueType><pdfaProperty:category>external<",
            b"Date</pdfaProperty:valueType><pdfaProperty:category>x<",
        ),
        "property sent is not described",
    ),
    "property of a foreign namespace": (
        spoiled.replaced(b"<mailark:tier>", b"<q:a xmlns:q='urn:q'>1</q:a><mailark:tier>"),
        "property a is not described",
    ),
    "other title": (spoiled.other_title, "do not agree with Title"),
    "other date": (spoiled.replaced(b"ModifyDate>2024", b"ModifyDate>2025"), "do not agree with ModDate"),
    "unknown information": (spoiled.unknown_information, "do not agree with Trapped"),
    "font not embedded": (spoiled.no_font_program, "not embedded"),
    "font not whole": (spoiled.broken_font_program, "not whole"),
    "font of another kind": (spoiled.other_kind, "another kind"),
    "no map to Unicode": (spoiled.no_unicode, "no map to Unicode"),
    "mapped to nothing": (spoiled.no_character(b""), "stands for no character"),
    "mapped to U+0000": (spoiled.no_character(b"00410000"), "stands for no character"),
    "mapped to U+FEFF": (spoiled.no_character(b"feff"), "stands for no character"),
    "simple font": (spoiled.simple_font, "not glyph numbers"),
    "codes are no glyphs": (spoiled.other_glyphs, "not glyph numbers"),
    "width": (spoiled.other_width, "wide, not"),
    ".notdef": (spoiled.shows(0), "glyph 0 is missing and shown"),
    ".notdef in a form": (spoiled.shows_in_a_form, "glyph 0 is missing and shown"),
    "glyph beyond the font": (spoiled.shows_beyond, "glyph 65535 is missing and shown"),
    "glyph without Unicode": (spoiled.shows_unmapped, "stands for no character"),
    "interpolated image": (spoiled.interpolated, "interpolated"),
    "interpolated inline image": (
        content(after=b"BI /W 1 /H 1 /BPC 8 /CS /G /I true ID \0 EI "),
        "interpolated",
    ),
    "CMYK image": (spoiled.cmyk_image, "DeviceCMYK"),
    "CMYK palette": (spoiled.cmyk_base, "DeviceCMYK"),
    "CMYK fill": (content(after=b"0 0 0 1 k "), "DeviceCMYK"),
    "CMYK stroke": (content(after=b"0 0 0 1 K "), "DeviceCMYK"),
    "CMYK inline image": (content(after=b"BI /W 1 /H 1 /BPC 8 /CS /CMYK ID \0\0\0\0 EI "), "DeviceCMYK"),
    "29 graphics states": (content(after=b"q " * 29 + b"Q " * 29), "nested 29 deep"),
    "29 with a form": (spoiled.deep_form, "nested 29 deep"),
    "endless form": (spoiled.endless_form, "cannot be read"),
    "save without restore": (content(after=b"q "), "not restored"),
    "restore without save": (content(after=b"Q "), "not restored"),
    "annotation without flags": (spoiled.unflagged_annotation, "not printed"),
    "annotation not printed": (spoiled.hidden_annotation(0), "not printed"),
    "annotation hidden": (spoiled.hidden_annotation(4 | 2), "not printed"),
    "annotation not viewed": (spoiled.hidden_annotation(4 | 32), "not printed"),
    "script": (spoiled.link(S=Name.JavaScript, JS=String("1")), "action JavaScript"),
    "script at opening": (spoiled.open_action, "action JavaScript"),
    "script by name": (spoiled.named_script, "JavaScript"),
    "launch": (spoiled.link(S=Name.Launch, F=String("cmd.exe")), "action Launch"),
    "other file": (spoiled.link(S=Name.GoToR, F=String("x.pdf"), D=Array([0, Name.Fit])), "action GoToR"),
    "form sent": (spoiled.link(S=Name.SubmitForm, F=String("https://example.com")), "action SubmitForm"),
    "next action": (
        spoiled.link(S=Name.URI, URI=String("https://example.com"), Next=Dictionary(S=Name.Launch)),
        "action Launch",
    ),
    "script link": (spoiled.link(S=Name.URI, URI=String("javascript:1")), "leads to something else"),
    "file link": (spoiled.link(S=Name.URI, URI=String("file:///etc/passwd")), "leads to something else"),
    "page action": (spoiled.page_action, "without being asked"),
    "file not associated": (spoiled.file_not_associated, "are not the same"),
    "file without a name": (spoiled.file_without_a_name, "are not the same"),
    "file hung elsewhere": (spoiled.file_hung_elsewhere, "has no name"),
    "no associated files": (spoiled.without("/AF"), "are not the same"),
    "names unsorted": (spoiled.files_unsorted, "not sorted"),
    "file changed": (spoiled.file_changed, "not the checksum"),
    "file longer": (spoiled.file_longer, "not the size"),
    "no relationship": (spoiled.file_without("/AFRelationship"), "no relationship"),
    "no Unicode name": (spoiled.file_without("/UF"), "no name"),
    "no type": (spoiled.file_without_type, "no type"),
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
