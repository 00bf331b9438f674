"""What a worker does with a message: lay out one tier, then finish it as PDF/A-3u with the original embedded."""

from __future__ import annotations

from dataclasses import replace

from exporters.interface import Outgoing
from exporters.rendition import fonts
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Notes, Rendition, Tier
from exporters.rendition.pdfa import finish
from exporters.rendition.renderer_identity import name

BARE = Notes(simplified=("everything",))


def prepare() -> None:
    """What all workers share: made once, before they are forked. Raises ConfigError when fonts are missing."""
    fonts.require()
    name()


def render(message: Outgoing, tier: Tier, bare: bool) -> Rendition:
    """One attempt at one tier; raises whatever goes wrong. A clipped page that has a better tier is not finished."""
    made = attempt(_hidden(message) if bare else message, tier)
    if made.clipped and tier in (Tier.HTML, Tier.WIDE):
        return Rendition(b"%PDF-", made.pages, tier, made.clipped, made.notes)
    pdf = finish(made.pdf, _untold(message) if bare else message, tier, name())
    return Rendition(pdf, made.pages, tier, made.clipped, BARE if bare else made.notes)


def _hidden(message: Outgoing) -> Outgoing:
    """Nothing of a message but its id."""
    return Outgoing(message.id, b"", (), "", None)


def _untold(message: Outgoing) -> Outgoing:
    """A message to be embedded without a word about it."""
    return replace(message, subject="", date=None, verdicts=())
