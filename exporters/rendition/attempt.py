"""One attempt at showing a message as pages, at one tier. What comes next when it fails is not decided here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archiver.mime import Parsed, parse
from archiver.mime.contents import versions
from archiver.model import HUGE
from exporters.interface import Outgoing
from exporters.rendition import engine, fonts
from exporters.rendition.clipped import Reach, reach
from exporters.rendition.interface import Notes, Sanitised, Tier
from exporters.rendition.invitation import Meeting, meetings
from exporters.rendition.language import language
from exporters.rendition.page import Body, document, note_lines
from exporters.rendition.runs import breakable
from exporters.rendition.sanitise import sanitise
from exporters.rendition.text_body import text_body
from exporters.rendition.wording import Wording

PAGES = 400
"""Pages beyond which a body is shown as text."""
_WIDEST = 3.0
"""Times A4: at a third of its size, text of ten points can just be read with a glass, and enlarged on a screen."""
_MARGIN = 18 / 25.4 * 96  # pixels, of template.css
_ROOM = 1.02  # for the borders and paddings to the right of the last letter
_NO_LIMIT = 10_000  # the text is bounded before it is laid out
_TOLD = (
    "white-space:pre-wrap;margin:8px 0;padding:6px 10px;background:#eef1f5;border-left:3px solid #8294ab;font-size:12px"
)
_RULE = "\u2500" * 2
_IMAGE_BYTES = 64 * 1024 * 1024
_UNLISTED = ("nested deeper than", "more than", "embedded messages too large")
"""How the defects begin by which parts of a message are not looked into, and attachments are missing in the list."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt. pdf: PDF/A-3u without the original; empty when HTML is clipped."""

    pdf: bytes
    pages: int
    clipped: bool
    notes: Notes


@dataclass(frozen=True, slots=True)
class _Read:
    """A message as it is shown. partly: it is huge, only its beginning was read."""

    message: Outgoing
    parsed: Parsed
    language: str
    partly: bool
    meetings: Sequence[Meeting]

    def html(self, body: Body, notes: Notes, tier: Tier) -> str:
        """The whole document."""
        lines = note_lines(notes, tier, self.language)
        if self.message.copy_of:
            lines.insert(0, Wording(self.language).sentence("copy", self.message.copy_of))
        if self.differs(tier):
            lines.append(Wording(self.language).sentence("versions"))
        if self.unlisted:
            lines.append(Wording(self.language).sentence("unlisted", ", ".join(self.unlisted)))
        if self.partly:
            lines.append(Wording(self.language).sentence("partly"))
        return document(self.message, self.parsed, self.language, body, lines, self.meetings)

    @property
    def unlisted(self) -> list[str]:
        """Why attachments are missing in the list."""
        return [defect for defect in self.parsed.defects if defect.startswith(_UNLISTED)]

    def differs(self, tier: Tier) -> bool:
        """Whether the body has another version, which says what is not shown."""
        if tier is Tier.HEADER:  # it shows no body, and must not need to look at one
            return False
        found = versions(self.parsed)
        return found.unwritten if tier is Tier.TEXT else found.unsaid


def attempt(message: Outgoing, tier: Tier) -> Attempt:
    """The pages of a message at one tier; the same message gives the same bytes.

    Raises MailarkError when it cannot be laid out so (too many pages, or WeasyPrint failed), RecursionError and
    MemoryError as they come. It takes as long as it takes: who calls it must be able to end it.
    """
    read = _read(message)
    made = _attempt(read, tier)
    notes = replace(made.notes, simplified=(*made.notes.simplified, *read.unlisted))
    return replace(made, notes=notes)


def _attempt(read: _Read, tier: Tier) -> Attempt:
    if tier is Tier.HEADER:
        return _plain(read, Body("", kind="text"), Notes(), tier)
    if tier is Tier.TEXT:
        return _text(read, tier, read.parsed.whole_text)
    shown = read.parsed.shown
    kinds = {kind for kind, _ in shown}
    if "html" in kinds:
        return _html(read, sanitise(_one(shown), _images(read.parsed), fonts.covered), tier)
    return _text(read, tier, _lines(shown) if "message" in kinds else read.parsed.whole_text)


def _read(message: Outgoing) -> _Read:
    partly = len(message.raw) > HUGE
    raw = bytes(message.raw[:HUGE])
    parsed = parse(raw, truncated=partly)
    invited = meetings(parsed.attachments)
    told = "\n".join(f"{meeting.subject} {meeting.where}" for meeting in invited)
    return _Read(message, parsed, language(f"{parsed.subject}\n{told}\n{parsed.text[:50_000]}", raw), partly, invited)


def _one(shown: list[tuple[str, str]]) -> str:
    """The parts of a body as one HTML text; plain ones keep their lines, embedded messages tell whose they are."""
    pieces: list[str] = []
    begun = True
    for kind, content in shown:
        if not begun:
            pieces.append("<hr>")
        begun = kind == "message"
        style = _TOLD if begun else "white-space: pre-wrap"
        pieces.append(content if kind == "html" else f'<div style="{style}">{breakable(content)}</div>')
    return "".join(pieces)


def _lines(shown: list[tuple[str, str]]) -> str:
    """The parts of a body as text, embedded messages between rules."""
    return "\n\n".join(f"{_RULE}\n{content}" if kind == "message" else content for kind, content in shown)


def _images(parsed: Parsed) -> dict[str, bytes]:
    """The images that HTML can name, by Content-ID; the first of a name."""
    images: dict[str, bytes] = {}
    left = _IMAGE_BYTES
    for attachment in parsed.attachments:
        if attachment.content_id and attachment.content_id not in images and attachment.size <= left:
            left -= attachment.size
            images[attachment.content_id] = attachment.data()
    return images


def _text(read: _Read, tier: Tier, text: str) -> Attempt:
    body, substituted, cut = text_body(text)
    if not text.strip():
        body = Body(f"<p>{Wording(read.language).label('no_text')}</p>", kind="text")
    return _plain(read, body, Notes(substituted=substituted, truncated=cut), tier)


def _plain(read: _Read, body: Body, notes: Notes, tier: Tier) -> Attempt:
    limit = PAGES if tier is Tier.HTML else _NO_LIMIT
    layout = engine.compose(read.html(body, notes, tier), {}, limit)
    clipped = reach(layout.pages).outside > 0
    return Attempt(layout.write(), len(layout.pages), clipped, notes)


def _html(read: _Read, sanitised: Sanitised, tier: Tier) -> Attempt:
    body = Body(sanitised.body, sanitised.style)
    layout, found = _laid(read, body, sanitised, tier, 1)
    width = 1.0
    if tier is Tier.WIDE:
        width = min(max((found.right - _MARGIN) / (engine.A4_WIDTH - 2 * _MARGIN) * _ROOM, 1.0), _WIDEST)
        layout, found = _laid(read, body, sanitised, tier, width)
    clipped = found.outside > 0
    return Attempt(b"" if clipped else layout.write(1 / width), len(layout.pages), clipped, sanitised.notes)


def _laid(read: _Read, body: Body, sanitised: Sanitised, tier: Tier, width: float) -> tuple[engine.Layout, Reach]:
    body = replace(body, style=f"{body.style}{engine.wide(width)}")
    layout = engine.compose(read.html(body, sanitised.notes, tier), sanitised.images, PAGES)
    return layout, reach(layout.pages)
