"""Pages look as they looked when somebody looked at them. Made anew, after a look, by
`python -m tests.exporters.rendition.make_pictures`.
"""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from email.policy import SMTP
from functools import cache

import pytest
from PIL import Image, ImageFilter

from archiver.errors import ConfigError
from exporters.rendition import fonts
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Tier
from tests.exporters.rendition.golden_mails import golden_mails
from tests.exporters.rendition.likeness import FOLDER, FONTS, TOLERANCE, distance, faces, pictures
from tests.exporters.rendition.mails import outgoing

MAILS = golden_mails()


@pytest.fixture(autouse=True, scope="module")
def _same_fonts() -> None:
    """Another edition of a font is another picture; that is no fault of ours, and no reason to say nothing."""
    try:
        fonts.require()
    except ConfigError as error:
        pytest.skip(f"{error}; {fonts.INSTALL}")
    kept, found = FONTS.read_text("ascii").split("\n"), set(faces())
    missing = [line.split()[0] for line in kept if line and line not in found]
    if missing:
        pytest.skip(f"not the fonts of the kept pictures: {', '.join(missing)}; {fonts.INSTALL}")


@cache
def made(name: str) -> bytes:
    return attempt(outgoing(MAILS[name]), Tier.HTML).pdf


def kept(name: str) -> list[Image.Image]:
    return [Image.open(file).convert("L") for file in sorted(FOLDER.glob(f"{name}-?.png"))]


def apart(name: str, pages: list[Image.Image]) -> float:
    return max(distance(one, other) for one, other in zip(kept(name), pages, strict=False))


def changed(name: str, old: str, new: str, times: int = -1) -> bytes:
    """A mail with something else in its HTML; its hash and so its footer differ as well."""
    message = message_from_bytes(MAILS[name], policy=SMTP)
    part = next(part for part in message.walk() if part.get_content_type() == "text/html")
    html = part.get_content()
    assert old in html
    charset = part.get_content_charset("utf-8")
    part.set_content(html.replace(old, new, times).encode(charset), "text", "html", cte="base64")
    part.set_param("charset", charset)
    return bytes(message)


@pytest.mark.parametrize("name", MAILS)
def test_a_page_looks_as_it_did(name: str) -> None:
    pages = pictures(made(name))
    assert len(pages) == len(kept(name)) > 0
    measured = apart(name, pages)
    assert measured < TOLERANCE, f"{measured:.1f}: look at both, then make the pictures anew if that is meant"


@pytest.mark.parametrize("name", MAILS)
def test_what_a_new_version_of_a_library_may_do_is_tolerated(name: str) -> None:
    """Letters a little beside their place, or a little bolder."""
    bolder = [page.point(lambda value: max(0, round(255 - (255 - value) * 1.1))) for page in pictures(made(name))]
    softer = [page.filter(ImageFilter.GaussianBlur(0.4)) for page in pictures(made(name))]
    measured = [apart(name, pages) for pages in (pictures(made(name), magnified=1.002), bolder, softer)]
    print(f"{name}: {', '.join(f'{value:.1f}' for value in measured)}")
    assert max(measured) < TOLERANCE


MUTANTS: dict[str, Callable[[], bytes]] = {
    "a table without its lines": lambda: changed("invoice", "border=1", "border=0"),
    "lines in windowtext": lambda: changed("excel", "border:.5pt solid windowtext;", ""),
    "an image is missing": lambda: changed("images", "<img src='cid:two@x' width=200>", ""),
    "an image of another size": lambda: changed("images", "width=200", "width=190"),
    "another face": lambda: changed("contract", "微软雅黑", "宋体"),
    "a paragraph is missing": lambda: changed("contract", "三、违约责任：逾期交货的", "<!--", 1),
    "a few words are missing": lambda: changed("contract", "三月二十日前", ""),
    "a shifted column": lambda: changed("invoice", "<th>Qty</th>", "<th width=110>Qty</th>"),
    "amounts to the left": lambda: changed("contract", "<td align=right>", "<td>"),
    "no colour behind": lambda: changed("newsletter", "bgcolor='#1c3d5a'", ""),
    "from the left": lambda: changed("arabic", 'dir="rtl"', ""),
    "no indent of quotations": lambda: changed("thread", "padding-left:1ex", ""),
    "no bars beside quotations": lambda: changed("thread", "border-left:1px solid #ccc;", ""),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_a_reader_would_miss_is_found(mutant: str, request: pytest.FixtureRequest) -> None:
    raw = MUTANTS[mutant]()
    name = next(name for name in MAILS if _alike(raw, MAILS[name]))
    measured = apart(name, _body_only(name, pictures(attempt(outgoing(raw), Tier.HTML).pdf)))
    print(f"{request.node.name}: {measured:.1f}")
    assert measured > TOLERANCE


def _alike(one: bytes, other: bytes) -> bool:
    return message_from_bytes(one)["Subject"] == message_from_bytes(other)["Subject"]


def _body_only(name: str, pages: list[Image.Image]) -> list[Image.Image]:
    """The pages with header block and footer of the kept ones: a changed mail has another hash; that must not count."""
    same = kept(name)
    for page, old in zip(pages, same, strict=False):
        bottom = round(page.height * 0.92)
        page.paste(old.crop((0, bottom, page.width, page.height)), (0, bottom))
    top = round(pages[0].height * 0.22)
    pages[0].paste(same[0].crop((0, 0, same[0].width, top)), (0, 0))
    return pages
