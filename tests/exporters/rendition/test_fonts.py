"""The fonts: Chinese in Chinese faces, digits no emoji, and one line that tells what to install."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import ImageChops

from archiver.errors import ConfigError
from exporters.rendition import engine, engine_fonts, fonts
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Tier
from exporters.rendition.language import language
from tests.exporters.rendition.mails import KINDS, html_mail, outgoing, text_mail


def faces(raw: bytes) -> set[str]:
    """The PostScript-like names of the fonts of a rendition, without their prefix."""
    with pikepdf.open(io.BytesIO(attempt(outgoing(raw), Tier.HTML).pdf)) as pdf:
        kinds = [
            thing
            for thing in pdf.objects
            if isinstance(thing, pikepdf.Dictionary) and thing.get("/Subtype") == "/Type0"
        ]
        return {str(font.BaseFont).partition("+")[2] for font in kinds}


@pytest.mark.parametrize(
    ("kind", "face"),
    [("contract", "SC"), ("outlook", "SC"), ("gb18030", "SC"), ("big5", "TC"), ("japanese", "JP"), ("korean", "KR")],
)
def test_han_is_set_in_the_faces_of_its_language(kind: str, face: str) -> None:
    han = {name for name in faces(KINDS[kind]()) if "CJK" in name}
    assert han
    assert {name.split("CJK-")[1][:2] for name in han} == {face}


@pytest.mark.parametrize("family", ["MS PGothic", "Meiryo", "Malgun Gothic", "Nobody Has This", "Arial", "Wingdings 9"])
def test_no_family_a_sender_names_brings_japanese_faces_into_chinese(family: str) -> None:
    raw = html_mail(f"<p lang=ja style=\"font-family:'{family}'\">骨与复 径 收到货款，请确认。</p>", "货款确认")
    assert not {name for name in faces(raw) if "JP" in name or "KR" in name}


def test_families_of_windows_keep_their_kind() -> None:
    for family, face in (
        ("宋体", "Serif-CJK-SC"),
        ("微软雅黑", "Sans-CJK-SC"),
        ("Times New Roman", "Serif"),
        ("Consolas", "Mono"),
    ):
        assert any(
            face in name for name in faces(html_mail(f"<p style=\"font-family:'{family}'\">合同 abc</p>", "x"))
        ), family


def test_digits_are_no_emoji() -> None:
    assert not {name for name in faces(text_mail("1 2 3 # * © ™ 10:30\n")) if "Emoji" in name}
    assert {name for name in faces(text_mail("🎉\n")) if "Emoji" in name}


def test_what_is_covered() -> None:
    assert all(map(fonts.covered, "aé中们們あ한ا😀☑①\u200d\ufe0f\u3000\u202f\U0001f1e8"))
    assert not any(map(fonts.covered, "\ue000\U00020001\U0002ebf0\U000f0000\ud800\u0378"))


def test_every_character_said_to_be_covered_is_shown() -> None:
    """A sample of all planes through Pango: no .notdef, which a rendition may not hold."""
    sample = [
        chr(code) for code in (*range(0xA1, 0x3000, 37), *range(0x3000, 0x20000, 211)) if fonts.covered(chr(code))
    ]
    with pikepdf.open(io.BytesIO(attempt(outgoing(text_mail("\n".join(sample))), Tier.HTML).pdf)) as pdf:
        encodings = [
            str(thing.Encoding)
            for thing in pdf.objects
            if isinstance(thing, pikepdf.Dictionary) and "/Encoding" in thing
        ]
    assert set(encodings) == {"/Identity-H"}  # WeasyPrint writes another where a glyph is missing
    print(f"{len(sample)} characters, {len(encodings)} fonts")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without fonts."""
    empty = tmp_path / "fonts.conf"
    empty.write_text(f"<fontconfig><dir>{tmp_path}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    monkeypatch.setattr(fonts, "CONFIGURATION", empty)
    fonts.inventory.cache_clear()
    yield
    monkeypatch.undo()
    fonts.inventory.cache_clear()
    fonts.inventory()


@pytest.mark.usefixtures("bare")
def test_missing_fonts_are_told_with_the_command_that_installs_them() -> None:
    with pytest.raises(ConfigError, match="fonts for PDF are missing: Noto Sans, ") as raised:
        fonts.require()
    assert raised.value.hint == "install them: apt-get install fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"


@pytest.mark.parametrize("kind", ["contract", "big5", "japanese", "korean"])
def test_bare_cff_shows_the_same_in_a_fraction_of_the_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = outgoing(KINDS[kind]())
    small = attempt(message, Tier.HTML).pdf
    vendor = engine_fonts.vendor.Font
    monkeypatch.setattr(vendor, "subset", vendor.whole_subset)
    large = attempt(message, Tier.HTML).pdf
    pages = [pypdfium2.PdfDocument(pdf)[0] for pdf in (small, large)]
    assert pages[0].get_textpage().get_text_bounded() == pages[1].get_textpage().get_text_bounded()
    pictures = [page.render(scale=2).to_pil().convert("L") for page in pages]
    print(f"{kind}: {len(small):,} bytes for {len(large):,}")
    assert ImageChops.difference(*pictures).getextrema()[1] < 48  # of 255: hints apart, the same outlines
    assert len(small) * 4 < len(large)


def test_the_language_of_a_page() -> None:
    for text, raw, tag in (
        ("Dear Sirs", b"", "en"),
        ("采购合同请盖章", b"", "zh-CN"),
        ("採購合約請蓋章", b"", "zh-TW"),
        ("你好", b"Content-Type: text/plain; charset=big5", "zh-TW"),
        ("你好", b"Content-Type: text/plain; charset=gb2312", "zh-CN"),
        ("見積書の送付", b"", "ja"),
        ("会議資料", b"Subject: =?iso-2022-jp?B?x?=", "ja"),
        ("张经理：采购合同", b"charset=iso-2022-jp", "zh-CN"),
        ("这份合同里有一个の字，请确认", b"", "zh-CN"),
        ("会議資料の送付", b"", "ja"),
        ("안녕하세요 契約", b"", "ko"),
        ("السادة الكرام", b"", "ar"),
        ("שלום רב", b"", "he"),
        ("", b"", "en"),
    ):
        assert language(text, raw) == tag, text


def test_the_engine_needs_no_more_than_our_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the user's that points fontconfig elsewhere changes nothing."""
    monkeypatch.setenv("FONTCONFIG_FILE", "/nowhere")
    fonts.use()
    assert engine.lay_out("<p>合同", {}).startswith(b"%PDF-1.7")
