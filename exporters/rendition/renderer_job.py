"""What a worker does with a message: lay out one tier, then finish it as PDF/A-3u with the original embedded."""

from __future__ import annotations

from dataclasses import replace

from exporters.interface import Outgoing
from exporters.rendition import fonts
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Notes, Rendition, Tier
from exporters.rendition.pdfa import finish, finish_document
from exporters.rendition.renderer_identity import name

BARE = Notes(simplified=("everything",))


def prepare() -> None:
    """What all workers share: made once, before they are forked. Raises ConfigError when fonts are missing."""
    fonts.require()
    name()


def render(message: Outgoing, tier: Tier, bare: bool) -> Rendition:
    """One attempt at one tier; raises whatever goes wrong. A clipped page that has a better tier is not finished."""
    if bare:
        return _bare(message, tier)
    made = attempt(message, tier)
    if made.clipped and tier in (Tier.HTML, Tier.WIDE):
        return Rendition(b"%PDF-", made.pages, tier, made.clipped, made.notes)
    return Rendition(finish(made.pdf, message, tier, name()), made.pages, tier, made.clipped, made.notes)


def _bare(message: Outgoing, tier: Tier) -> Rendition:
    """A page that shows nothing of a message but its id: nothing in the message can make this fail."""
    made = attempt(Outgoing(message.id, b"", (), "", None), tier)
    try:
        pdf = finish(made.pdf, replace(message, subject="", date=None, verdicts=()), tier, name())
    except Exception:  # then not even its bytes can be embedded
        pdf = finish_document(made.pdf, f"Message {message.id}", name())
    return Rendition(pdf, made.pages, tier, made.clipped, BARE)
