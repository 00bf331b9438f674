"""What stands for an image in the body: the image of the message, a labelled box, or nothing for a tracking pixel."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from html import escape
from itertools import zip_longest
from urllib.parse import unquote

from exporters.rendition.elements import length
from exporters.rendition.images import Picture, recode, strips

TOTAL = 150_000_000
"""Pixels decoded for one message."""
COUNT = 300
"""Different images of one message."""
LABEL = "mailark-image"
"""Class of the box that stands for an image."""
STYLE = (
    f".{LABEL}{{display:inline-block;box-sizing:border-box;max-width:100%;border:1px dotted #999;color:#666;"
    "font:normal 8pt/1.2 sans-serif;letter-spacing:normal;text-transform:none;text-indent:0;padding:1px 3px}"
)
_URL = "cid:mailark-{}"
_DATA = re.compile(r"data:image/[a-z0-9.+-]{1,30}(?:;[a-z0-9=-]{1,40}){0,4};base64,([a-z0-9+/=\s%_-]*+)", re.IGNORECASE)
_DATA_KEY = "mailark-data-"
_PIXEL = 3  # an image no larger is a tracking pixel, one no larger across or down a spacer
_LABELLED = (60, 18)  # pixels of a box into which a label goes
_SPACER = re.compile(r"(?:spacer|blank|clear|pixel|shim|trans|1x1|dot)[^/]{0,40}\Z", re.IGNORECASE)
_TALL = 240  # pixels of a box that is only a place
_ALT = 200
_PAGE = (640, 880)  # pixels of the text of an A4 page, less a little
_SHRUNK = 1.7  # pages: what is no taller becomes one page tall, as a photo taken upright; the rest is cut into strips
_STRIP = 400  # pixels down of a strip of an image that is taller than a page, when it is as wide as one
_PIXELS = re.compile(r"(?:width|height):([0-9.]+)px(?: !important)?\Z")


def pull_data(html: str) -> tuple[str, dict[str, str]]:
    """`html` with each `data:` image replaced by a short key, and what the keys stand for, in base64.

    Before the body is cut to its greatest length: embedded images are most of a message that has them.
    """
    pulled: dict[str, str] = {}

    def replace(found: re.Match[str]) -> str:
        if len(pulled) >= COUNT:
            return "cid:"
        key = f"{_DATA_KEY}{len(pulled)}"
        pulled[key] = found[1]
        return f"cid:{key}"

    return (_DATA.sub(replace, html) if "data:" in html or "DATA:" in html else html), pulled


class Pictures:
    """The images of one message. `parts`: Content-ID without its brackets, or Content-Location, -> bytes."""

    def __init__(self, parts: Mapping[str, bytes], pulled: Mapping[str, str], label: Callable[[str], str]) -> None:
        self._parts = parts
        self._pulled = pulled
        self._folded: dict[str, str] | None = None
        self._label = label
        self._left = TOTAL
        self._found: dict[str, Picture | None] = {}
        self._urls: dict[tuple[str, bool], list[str]] = {}
        self.images: dict[str, bytes] = {}
        self.remote = self.tracking = self.missing = 0

    def shown(self, given: Mapping[str, str], style: list[str], attributes: str) -> str:
        """The HTML for an `<img>` with the attributes `given`. style: the declarations that may stay; attributes:
        its other attributes, written."""
        source = re.sub(r"[\t\n\r]", "", given.get("src", "")).strip()
        width, height = _sizes(given, style)
        key = self._key(source)
        picture = self._picture(key) if key else None
        if picture:
            parts, tall = _layout(picture, given, style, width, height)
            written = f'{attributes} style="{escape(";".join(parts))}">'
            labels = [escape(self._alt(given))]  # of strips, the first has it
            urls = self._url(key, picture, tall)
            return "".join(
                f'<img src="{url}" alt="{label}"{written}' for url, label in zip_longest(urls, labels, fillvalue="")
            )
        remote = bool(re.match(r"(?:https?:)?//", source, re.IGNORECASE))
        if "display:none" in style or (width, height) == (0, 0) or _tiny(width, height):
            self.tracking += remote
            return ""
        if not source and not given.get("alt"):
            return ""
        self.remote += remote
        self.missing += not remote
        alt = self._alt(given)
        if not alt and _SPACER.search(source):
            width, height = width or 0, height or 0
        return _box("remote image" if remote else "missing image", alt, width, height)

    def _alt(self, given: Mapping[str, str]) -> str:
        return self._label(" ".join(given.get("alt", "").split())[:_ALT])

    def _picture(self, key: str) -> Picture | None:
        """The image named `key`, decoded once."""
        if key not in self._found and len(self._found) < COUNT:
            self._found[key] = recode(self._bytes(key), self._left)
            self._left -= getattr(self._found[key], "cost", 0)
        return self._found.get(key)

    def _url(self, key: str, picture: Picture, tall: bool) -> list[str]:
        """The addresses of the image, or of its strips, in our body."""
        if (key, tall) not in self._urls:
            pieces = strips(picture, picture.width * _STRIP // _PAGE[0]) if tall else [picture.data]
            urls = [_URL.format(len(self.images) + number) for number in range(1, len(pieces) + 1)]
            self.images.update(zip(urls, pieces, strict=True))
            self._urls[key, tall] = urls
        return self._urls[key, tall]

    def _key(self, source: str) -> str:
        """The name in `parts` or among the pulled images that `source` means, or ""."""
        names = [source]
        if source[:4].lower() == "cid:":
            names = [source[4:], unquote(source[4:])]
        for name in [names[0], names[-1], names[-1].strip("<> ")]:
            if name and (name in self._parts or name in self._pulled):
                return name
        if self._folded is None:
            self._folded = {name.strip("<> ").lower(): name for name in self._parts}
        return self._folded.get(names[-1].strip("<> ").lower(), "")

    def _bytes(self, key: str) -> bytes:
        if key in self._parts:
            return self._parts[key]
        text = self._pulled[key]
        text = re.sub(r"[\s=]", "", unquote(text) if "%" in text else text).translate({0x2D: "+", 0x5F: "/"})
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return b""


def _sizes(given: Mapping[str, str], style: list[str]) -> tuple[int | None, int | None]:
    """Width and height in pixels as far as they are said; those of the style attribute win."""
    sizes = []
    for name in ("width", "height"):
        value = length(given.get(name, ""), 2000)
        for part in style:
            found = _PIXELS.match(part) if part.startswith(name) else None
            value = length(found[1], 2000) or value if found else value
        sizes.append(int(value) if value.isdigit() else None)
    return sizes[0], sizes[1]


def _tiny(width: int | None, height: int | None) -> bool:
    return width is not None and height is not None and max(width, height) <= _PIXEL


def _layout(
    picture: Picture, given: Mapping[str, str], style: list[str], width: int | None, height: int | None
) -> tuple[list[str], bool]:
    """The style of an image, and whether it is taller than a page, so that it must be cut into strips.

    What is wider than the page shrinks, so a height that keeps the proportions is left out.
    """
    said = given.get("width", "")
    parts = [part for part in style if not _PIXELS.match(part)]
    if "height:auto" in parts:
        height = None
    if not any(part.startswith("width:") for part in parts):
        if width is None and height is None and "%" not in said:
            width = picture.width
        across = f"{width}px" if width is not None else length(said, 100)
        parts += [f"width:{across}"] if across else []
    free = height is None or _proportional(picture, width, height)
    if not free:
        parts.append(f"height:{min(height or 0, _PAGE[1])}px")
    pages = min(width or _PAGE[0], _PAGE[0]) * picture.height / (_PAGE[1] * picture.width) if free else 0
    tall = pages > _SHRUNK
    return [*parts, *_bounds(picture, parts, pages), *(["display:block"] if tall else [])], tall


def _bounds(picture: Picture, parts: list[str], pages: float) -> list[str]:
    """What keeps an image within its line and, if it is not to be cut, within a page."""
    if not 1 < pages <= _SHRUNK:
        return ["max-width:100%"]
    widest = f"{_PAGE[1] * picture.width // picture.height}px"
    relative = any(part.startswith("width:") and "%" in part for part in parts)
    return [f"max-width:{widest}"] if relative else [f"width:{widest}", "max-width:100%"]


def _proportional(picture: Picture, width: int | None, height: int) -> bool:
    if width is None:
        return False
    return abs(width * picture.height - height * picture.width) <= 0.06 * width * picture.height


def _box(kind: str, alt: str, width: int | None, height: int | None) -> str:
    """A box of about the image's size with a label; what is too small for one and has no text stays an empty place."""
    label = escape(f"[{kind}: {alt}]" if alt else f"[{kind}]", quote=False)
    sized = [size for size in (width, height) if size is not None]
    if len(sized) == 2 and sized[0] >= _LABELLED[0] and sized[1] >= _LABELLED[1]:
        size = f"width:{sized[0]}px;min-height:{min(sized[1], _TALL)}px"
        return f'<span class="{LABEL}" style="{size}">{label}</span>'
    if alt and not (sized and min(sized) <= _PIXEL):
        return f'<span class="{LABEL}">[{escape(alt, quote=False)}]</span>'
    if not sized:
        return f'<span class="{LABEL}">{label}</span>'
    size = f"width:{width or 0}px;height:{min(height or 0, _TALL)}px;max-width:100%"
    return f'<span style="display:inline-block;{size}"></span>'
