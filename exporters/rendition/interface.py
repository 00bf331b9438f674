"""The values that pass between the steps of a rendition: sanitised, laid out, finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Tier(StrEnum):
    """How much of a message's look a rendition keeps, the best first."""

    HTML = "1"
    """The sanitised HTML, or the plain text of a message that has no other, on A4."""
    WIDE = "1b"
    """The sanitised HTML on a wider page, scaled back to A4, because text was cut off."""
    TEXT = "2"
    """The text alone, in lines that fit, with a notice."""
    HEADER = "3"
    """Header block, notice and list of attachments."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a rendition does not show as it was. Counts, never content."""

    remote_images: int = 0
    """Images on a server; they are never fetched."""
    tracking_pixels: int = 0
    missing_images: int = 0
    """Images whose part is not in the message, or that no decoder reads."""
    substituted: int = 0
    """Characters that no font has, and control signs, shown as a code."""
    truncated: int = 0
    """Characters of the body beyond what is laid out."""
    simplified: tuple[str, ...] = ()
    """What had to be taken out or flattened, as short fixed words: "nesting", "css", "rows", …"""


@dataclass(frozen=True, slots=True)
class Sanitised:
    """A body that is safe to lay out: no script, no address to fetch from but `images`.

    body: HTML that stands inside one box · style: CSS rules for that box alone · images: URL used in `body` -> PNG or
    JPEG.
    """

    body: str
    style: str = ""
    images: Mapping[str, bytes] = field(default_factory=dict)
    notes: Notes = Notes()


@dataclass(frozen=True, slots=True)
class Rendition:
    """One message as PDF/A-3u, with the original embedded.

    pages: number of them · clipped: some text lies outside a page; tier 1 is never handed out so.
    """

    pdf: bytes
    pages: int
    tier: Tier
    clipped: bool
    notes: Notes
