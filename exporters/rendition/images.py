"""The images of a message, decoded and written anew: only what a decoder understood reaches the layout engine."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageFile, ImageOps

PIXELS = 25_000_000
"""Pixels of an image that is decoded; a larger JPEG is decoded at a half, a quarter or an eighth."""
WIDTH = 1600
"""Pixels across that are kept: over 200 an inch across the text of an A4 page."""
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "MPO")  # what mail readers show; no SVG, WMF, TIFF, PDF
_QUALITY = 85
_STRIPS = 50
_ORIENTATION = 0x0112  # EXIF 2.3, table 4
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as PNG or JPEG. width, height: pixels of the original, as it is shown (turned by its EXIF mark).
    cost: pixels that were decoded."""

    data: bytes
    width: int
    height: int
    cost: int


def recode(data: bytes, most: int = PIXELS) -> Picture | None:
    """The first frame of an image, in RGB or grey, at most `most` pixels decoded; None when it cannot be read whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ImageFile.LOAD_TRUNCATED_IMAGES = False  # WeasyPrint sets it for the whole process when it is imported
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return _recoded(image, min(most, PIXELS))
    except Exception:  # a decoder fed with damaged data raises nearly anything; the answer is always the same
        return None


def strips(picture: Picture, height: int) -> list[bytes]:
    """An image cut across into images of `height` pixels of the original, at most 50: no page holds it as a whole."""
    with Image.open(io.BytesIO(picture.data)) as image:
        rows = max(height * image.height // picture.height, -(-image.height // _STRIPS), 1)
        boxes = [(0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)]
        return [_written(image.crop(box), image.format == "JPEG") for box in boxes]


def _recoded(image: Image.Image, most: int) -> Picture | None:
    width, height = image.size
    jpeg = image.format in ("JPEG", "MPO")
    if jpeg:
        shrink = next((part for part in (1, 2, 4, 8) if width * height <= most * part**2), 1)
        image.draft(None, (width // shrink, height // shrink))  # the decoder shrinks while it reads
    cost = image.width * image.height
    if cost > most or not cost:
        return None
    if image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS:
        width, height = height, width
    shown = _plain(ImageOps.exif_transpose(image))
    if shown.width > WIDTH:
        shown = shown.resize((WIDTH, max(shown.height * WIDTH // shown.width, 1)), Image.Resampling.LANCZOS)
    return Picture(_written(shown, jpeg), width, height, cost)


def _written(image: Image.Image, jpeg: bool) -> bytes:
    out = io.BytesIO()
    if jpeg:
        image.save(out, "JPEG", quality=_QUALITY)
    else:
        image.save(out, "PNG")
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """RGB or grey, with an alpha channel only where something is transparent; without profile, text or other marks."""
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        if clear.getchannel("A").getextrema() != (255, 255):
            return _bare(clear)
    grey = image.mode in ("1", "L", "LA", "I;16", "I")
    return _bare(image.convert("L" if grey and not image.mode.startswith("I") else "RGB"))


def _bare(image: Image.Image) -> Image.Image:
    image.info = {}
    return image
