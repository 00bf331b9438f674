"""Images of a mail: decoded and written anew, or a box in their place."""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from exporters.rendition.images import PIXELS, WIDTH, Picture, recode
from exporters.rendition.interface import Sanitised
from exporters.rendition.pictures import COUNT
from exporters.rendition.sanitise import sanitise
from tests.exporters.rendition.fences import read, text


def picture(
    kind: str, size: tuple[int, int] = (60, 40), mode: str = "RGB", colour: object = None, **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour or 0).save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says it is huge, of a few kilobytes."""

    def block(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width // 8 + 1) * 1000)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", head) + block(b"IDAT", rows) + block(b"IEND", b"")


def opened(found: Picture | None) -> Image.Image:
    assert found is not None
    return Image.open(io.BytesIO(found.data))


def shown(html: str, **parts: bytes) -> Sanitised:
    result = sanitise(html, parts)
    read(result)
    return result


@pytest.mark.parametrize(
    ("kind", "becomes"), [("PNG", "PNG"), ("GIF", "PNG"), ("BMP", "PNG"), ("WEBP", "PNG"), ("JPEG", "JPEG")]
)
def test_kinds(kind: str, becomes: str) -> None:
    found = recode(picture(kind))
    assert opened(found).format == becomes
    assert found is not None
    assert (found.width, found.height) == (60, 40)


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PDF", "PPM"])
def test_kinds_no_mail_reader_shows(kind: str) -> None:
    assert recode(picture(kind)) is None


def test_cmyk_becomes_rgb() -> None:
    assert opened(recode(picture("JPEG", mode="CMYK"))).mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "colour", "becomes"),
    [
        ("RGBA", (1, 2, 3, 100), "RGBA"),
        ("RGBA", (1, 2, 3, 255), "RGB"),
        ("L", 7, "L"),
        ("1", 1, "L"),
        ("P", 3, "RGB"),
        ("LA", (1, 9), "RGBA"),
    ],
)
def test_modes(mode: str, colour: object, becomes: str) -> None:
    assert opened(recode(picture("PNG", mode=mode, colour=colour))).mode == becomes


def test_a_sideways_photograph_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = recode(picture("JPEG", exif=exif))
    assert opened(found).size == (40, 60)
    assert found is not None
    assert (found.width, found.height) == (40, 60)
    assert not opened(found).getexif()


def test_nothing_of_the_file_but_its_pixels_is_kept() -> None:
    data = picture("JPEG", comment=b"the secret", icc_profile=b"the secret" * 20) + b"the secret"
    found = recode(data)
    assert found is not None
    assert b"the secret" not in found.data


def test_an_animation_shows_its_first_frame() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert opened(recode(out.getvalue())).convert("RGB").getpixel((4, 4)) == (255, 0, 0)


def test_a_wide_image_shrinks_and_remembers_its_size() -> None:
    found = recode(picture("JPEG", (5000, 1000)))
    assert opened(found).size == (WIDTH, WIDTH // 5)
    assert found is not None
    assert (found.width, found.height) == (5000, 1000)


def test_a_huge_photograph_is_decoded_at_a_part_of_its_size() -> None:
    found = recode(picture("JPEG", (9000, 6000), "L"))
    assert found is not None
    assert found.cost <= PIXELS
    assert opened(found).size == (WIDTH, 1066)


@pytest.mark.parametrize("data", [huge_png(20_000, 20_000), huge_png(6_000, 6_000)], ids=["400 MP", "36 MP"])
def test_a_decompression_bomb_costs_nothing(data: bytes) -> None:
    begun = time.process_time()
    assert recode(data) is None
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_truncated_image_is_none(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as WeasyPrint leaves it
    data = picture(kind, (300, 300), colour=(9, 8, 7))
    assert recode(data[: len(data) * 6 // 10]) is None


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.tuples(st.integers(0, 400), st.binary(max_size=8)).map(lambda cut: _damaged(*cut))
    )
)
def test_any_bytes(data: bytes) -> None:
    found = recode(data)
    assert found is None or opened(found).size[0] <= WIDTH


def _damaged(place: int, patch: bytes) -> bytes:
    data = picture("PNG", (50, 50), colour=(1, 2, 3))
    return data[:place] + patch + data[place + len(patch) :]


def test_an_image_of_the_message_is_shown_once_however_often() -> None:
    result = shown("<img src=cid:a><img src='CID:a' width=30 alt='the logo'>", a=picture("PNG"))
    assert list(result.images) == ["cid:mailark-1"]
    assert 'src="cid:mailark-1" alt="" style="width:60px;max-width:100%"' in result.body
    assert 'src="cid:mailark-1" alt="the logo" style="width:30px;max-width:100%"' in result.body


@pytest.mark.parametrize("source", ["cid:A@x", "cid:a%40x", "cid:<a@x>", " cid:a@x\n"])
def test_names_are_matched_as_mail_programs_write_them(source: str) -> None:
    assert sanitise(f'<img src="{source}">', {"a@x": picture("PNG")}).images


@pytest.mark.parametrize("source", ["http://example.com/a.png", "image001.png"])
def test_images_are_found_by_their_content_location(source: str) -> None:
    result = sanitise(f"<img src='{source}'>", {source: picture("PNG")})
    assert result.images
    assert result.notes.remote_images == 0


def test_an_image_in_the_html_itself_is_written_anew() -> None:
    data = base64.b64encode(picture("GIF")).decode()
    result = shown(f"<img src='data:image/gif;base64,{data}'><img src='data:image/gif;base64,{data[:-9]}!'>")
    assert opened(Picture(result.images["cid:mailark-1"], 0, 0, 0)).format == "PNG"
    assert result.notes.missing_images == 1


def test_images_in_the_html_do_not_count_as_its_text() -> None:
    data = base64.b64encode(picture("PNG") + bytes(4_000_000)).decode()
    result = shown(f"<img src='data:image/png;base64,{data}'>the end")
    assert result.notes.truncated == 0
    assert text(result) == "the end"
    assert len(result.images) == 1


def test_a_remote_image_is_a_labelled_box_and_never_an_address() -> None:
    result = shown("<img src='https://example.com/x.png' alt='Our <offer>' width=200 height=100>")
    assert text(result) == "[remote image: Our <offer>]"
    assert "example.com" not in result.body + result.style
    assert "width:200px;min-height:100px" in result.body
    assert result.notes.remote_images == 1


@pytest.mark.parametrize(
    "source",
    [
        "cid:none",
        "cid:bad",
        "file:///etc/passwd",
        "x.png",
        "data:image/svg+xml;utf8,<svg>",
        "javascript:x",
        "\\\\host\\x",
    ],
)
def test_a_missing_or_broken_image_is_a_labelled_box(source: str) -> None:
    result = shown(f'<img src="{source}" alt="Plan" width=200 height=100>', bad=b"\xff\xd8 no image")
    assert text(result) == "[missing image: Plan]"
    assert result.notes.missing_images == 1
    assert not result.images


@pytest.mark.parametrize(
    "attributes",
    [
        "width=1 height=1",
        "width=0 height=0",
        "style='width:1px;height:1px'",
        "style='display:none'",
        "width=3 height='2px'",
    ],
)
def test_tracking_pixels_are_dropped_and_counted(attributes: str) -> None:
    result = shown(f"<p>x<img src='http://t.example/?id=7' {attributes} alt=''></p>")
    assert result.notes.tracking_pixels == 1
    assert result.notes.remote_images == 0
    assert "<p>x</p>" in result.body


def test_spacers_keep_their_place_without_a_label() -> None:
    assert (
        text(
            shown("<img src=http://x/a.gif width=1 height=30><img src=http://x/spacer.gif><img src=http://x/a width=9>")
        )
        == ""
    )


def test_a_height_that_keeps_the_proportions_gives_way_to_the_width() -> None:
    assert "height" not in shown("<img src=cid:a width=600 height=400>", a=picture("PNG")).body
    assert "height:50px" in shown("<img src=cid:a width=600 height=50>", a=picture("PNG")).body
    assert "width:100%" in shown("<img src=cid:a width='100%'>", a=picture("PNG")).body
    assert "width:50%" in shown("<img src=cid:a width=9 style='width:50%'>", a=picture("PNG")).body


def test_there_are_only_so_many_images() -> None:
    parts = {f"i{number}": picture("PNG", (1 + number, 9)) for number in range(COUNT + 5)}
    result = sanitise("".join(f"<img src=cid:{name} width=99 height=99>" for name in parts), parts)
    assert len(result.images) == COUNT
    assert result.notes.missing_images == 5


def test_there_are_only_so_many_pixels() -> None:
    one = picture("PNG", (5000, 4900), "1")
    parts = {f"i{number}": one + bytes([number]) for number in range(8)}
    result = sanitise("".join(f"<img src=cid:{name} width=99 height=99>" for name in parts), parts)
    assert len(result.images) == 6
    assert result.notes.missing_images == 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_taller_than_a_page_is_cut_into_strips(kind: str) -> None:
    result = shown("<img src=cid:a alt='the offer'><img src=cid:a width=20>", a=picture(kind, (600, 3000)))
    heights = [Image.open(io.BytesIO(data)).size[1] for data in list(result.images.values())[:-1]]
    assert sum(heights) == 3000
    assert max(heights) == 375
    assert result.body.count('alt="the offer"') == 1
    assert result.body.count("display:block") == len(heights) == 8
    assert result.body.count("width:20px") == 1


def test_a_photo_taken_upright_is_one_page_tall_at_most() -> None:
    result = shown("<img src=cid:a>", a=picture("JPEG", (900, 1600)))
    assert len(result.images) == 1
    assert "width:495px" in result.body
    assert "max-width:495px" in shown("<img src=cid:a width='100%'>", a=picture("JPEG", (900, 1600))).body
    assert "495px" not in shown("<img src=cid:a width=300>", a=picture("JPEG", (900, 1600))).body


def test_an_image_of_one_column_becomes_fifty_strips_at_most() -> None:
    assert len(shown("<img src=cid:a>", a=picture("PNG", (1, 60_000))).images) == 50
