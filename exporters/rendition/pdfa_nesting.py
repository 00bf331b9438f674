"""Graphics states nested as deep as PDF/A allows: 28 (ISO 19005-3 section 6.1.13), one of them left for an overlay.

The layout engine opens some for each box inside a box. It writes every operator on a line of its own and text in
hexadecimal, so that a line "q" or "Q" is that operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pikepdf
from pikepdf import Name

from archiver.errors import MailarkError
from exporters.rendition.structure_content import survey

MAX_DEPTH = 27

_OPERATOR = re.compile(rb"^[qQ]$", re.MULTILINE)


def flatten(document: pikepdf.Pdf) -> None:
    """Save and restore less often where that changes nothing. MailarkError when it is nested too deep all the same."""
    for page in document.pages:
        page.contents_coalesce()
    pages = [_flattened(page.obj.Contents) for page in document.pages if Name.Contents in page.obj]
    forms = [_flattened(form) for form in _forms(document)]
    if max(pages, default=0) + sum(forms) > MAX_DEPTH and survey(document).depth > MAX_DEPTH:
        raise MailarkError("the pages nest graphics states deeper than PDF/A allows")


def shallower(content: bytes) -> bytes:
    """The content stream without the saves whose restore is followed by another: what the inner one restores, the
    outer one restores anew before anything is drawn.
    """
    lines = content.split(b"\n")
    saves: list[int] = []
    dropped: set[int] = set()
    for at, line in enumerate(lines):
        if line == b"q":
            saves.append(at)
        elif line == b"Q":
            if not saves:
                return content
            begin = saves.pop()
            if lines[at + 1 : at + 2] == [b"Q"]:
                dropped |= {begin, at}
    return content if saves else b"\n".join(line for at, line in enumerate(lines) if at not in dropped)


def _forms(document: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    for thing in document.objects:
        if isinstance(thing, pikepdf.Stream) and thing.get(Name.Subtype) == Name.Form:
            yield thing


def _flattened(stream: pikepdf.Object) -> int:
    """The stream's depth, after it was made shallower if it was too deep."""
    content = stream.read_bytes()
    if _depth(content) <= MAX_DEPTH:
        return _depth(content)
    content = shallower(content)
    stream.write(content)
    return _depth(content)


def _depth(content: bytes) -> int:
    depth = deepest = 0
    for operator in _OPERATOR.findall(content):
        depth += 1 if operator == b"q" else -1
        deepest = max(deepest, depth)
    return deepest
