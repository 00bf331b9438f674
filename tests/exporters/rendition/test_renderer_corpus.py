"""Real mails through the whole of it: every one becomes a PDF/A-3u that holds it, the same whoever renders it."""

from __future__ import annotations

import hashlib
import io
import random
from collections import Counter
from pathlib import Path

import pikepdf
import pytest

from archiver.mime import parse
from exporters.interface import Outgoing
from exporters.rendition.interface import Tier
from exporters.rendition.renderer import Renderer
from exporters.rendition.structure import check

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
COUNT = 60


def mails() -> list[Outgoing]:
    paths = [path for path in sorted(CORPUS.rglob("*.eml")) if path.is_file()]
    messages = []
    for path in random.Random("renditions").sample(paths, COUNT):
        raw = path.read_bytes()
        parsed = parse(raw)
        messages.append(Outgoing(hashlib.sha256(raw).hexdigest(), raw, (), parsed.subject, parsed.date))
    return messages


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus of real mails beside the repository")
def test_real_mails() -> None:
    messages = mails()
    with Renderer(2) as renderer:
        done = list(renderer.render(messages))
    tiers: Counter[str] = Counter()
    for message, rendition in done:
        tiers[rendition.tier] += 1
        assert check(rendition.pdf) == [], message.id
        with pikepdf.open(io.BytesIO(rendition.pdf)) as document:
            (name,) = document.attachments
            assert document.attachments[name].get_file().read_bytes() == message.raw
            assert len(document.pages) == rendition.pages
        assert not (rendition.clipped and rendition.tier in (Tier.HTML, Tier.WIDE))
    print(f"{len(done)} real mails, tiers {dict(sorted(tiers.items()))}")
    assert tiers[Tier.HTML] >= 0.95 * COUNT
    assert tiers[Tier.HTML] + tiers[Tier.WIDE] >= 0.99 * COUNT

    with Renderer(1) as renderer:  # in another order, by other processes
        again = {message.id: rendition for message, rendition in renderer.render(reversed(messages[: COUNT // 3]))}
    assert {message.id: rendition for message, rendition in done[: COUNT // 3]} == again
