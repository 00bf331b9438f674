"""Pages as small pictures, and how far two of them are apart to a reader's eye."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops, ImageFilter

from exporters.rendition import fonts

FOLDER = Path(__file__).with_name("pictures")
FONTS = FOLDER / "fonts.txt"
DOTS = 50
"""Dots an inch."""
PAGES = 2
"""Pages kept of one mail."""
TOLERANCE = 24.0
"""Of 255. Measured: pages magnified by 0.2 %, which is a dot at their end, or with ink 10 % darker, are up to 21 apart;
the same text in another face is 27, without bars beside quotations 27, with a word less 45, without the lines of a
table 67 to 86, with a paragraph less 81, without an image 155.
"""
_BLUR = ImageFilter.BoxBlur(2)
_WORST = 0.002  # of the dots: those that differ most; their mean is what counts
_FACES = (
    "NotoSans-",
    "NotoSerif-",
    "NotoSansMono-",
    "NotoSansCJK-",
    "NotoSerifCJK-",
    "NotoColorEmoji",
    "NotoSansSymbols",
)
_SCRIPTS = ("NotoSansArabic-", "NotoSansHebrew-")


def pictures(pdf: bytes, magnified: float = 1) -> list[Image.Image]:
    """The first pages in grey."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [document[number] for number in range(min(len(document), PAGES))]
    return [page.render(scale=DOTS / 72 * magnified, grayscale=True).to_pil().convert("L") for page in pages]


def distance(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are apart, 0 to 255: slightly blurred, and each dot compared with the nearest of the other's
    nine dots around it, so that what lies a dot beside its place is where it was.
    """
    other = other.crop((0, 0, *one.size))
    one, other = one.filter(_BLUR), other.filter(_BLUR)
    counts = ImageChops.lighter(_beyond(one, other), _beyond(other, one)).histogram()
    worst = left = int(one.width * one.height * _WORST)
    total = 0
    for value in range(255, -1, -1):
        taken = min(counts[value], left)
        total, left = total + value * taken, left - taken
    return total / worst


def _beyond(one: Image.Image, other: Image.Image) -> Image.Image:
    """How far each dot of one is darker or lighter than all dots around it in the other."""
    darkest, lightest = other.filter(ImageFilter.MinFilter(3)), other.filter(ImageFilter.MaxFilter(3))
    return ImageChops.lighter(ImageChops.subtract(one, lightest), ImageChops.subtract(darkest, one))


def faces() -> list[str]:
    """The font files the pictures are made with, each with its size in bytes, as lines."""
    found = fonts.inventory().files
    return [f"{name} {size}" for name, size in found if name.startswith((*_FACES, *_SCRIPTS)) and _used(name)]


def _used(name: str) -> bool:
    return any(part in name for part in ("-Regular", "-Bold.", "-Italic", "CJK-Bold", "Emoji", "Symbols"))
