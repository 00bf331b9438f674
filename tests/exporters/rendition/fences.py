"""What a sanitised body may hold, read anew with the standard library's parser and lists of its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from exporters.rendition.interface import Sanitised

TAGS = frozenset(
    re.findall(
        r"\S+",
        "a abbr acronym address article aside b bdi big blockquote br caption center cite code col "
        "colgroup dd del dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i "
        "img ins kbd li main mark nav ol p pre q rp rt ruby s samp section small span strike strong sub "
        "sup table tbody td tfoot th thead time tr tt u ul var wbr",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        "class id style dir lang align valign hidden href src alt width height border cellpadding cellspacing bgcolor "
        "color face size colspan rowspan span start value type clear",
    )
)
VOID = {"br", "col", "hr", "img", "wbr"}
LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
FORBIDDEN = re.compile(
    r"@|\burl\(|\bvar\(|calc\(|expression|javascript\s*:|behaviou?r|(?<![-a-z])position|(?<!-)transform:|column|content:|string-set|running"
    r"|:\s*-(?!\d)|<|\\[^'\"]{0,2}$",
    re.IGNORECASE,
)


class Reader(HTMLParser):
    """Gathers what is wrong with a body, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.open: list[str] = []
        self.depth = self.elements = self.breaks = 0
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += tag != "wbr"
        self.breaks += tag == "br"
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        if tag not in VOID:
            self.open.append(tag)
            self.depth = max(self.depth, len(self.open))

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name not in ATTRIBUTES:
            self.wrong.append(f"{tag} {name}")
        if name == "href" and not LINK.match(value):
            self.wrong.append(f"href {value}")
        if name == "src":
            self.sources.append(value)
        if name == "style" and FORBIDDEN.search(value):
            self.wrong.append(f"style {value}")
        if name in ("class", "id") and not all(word.startswith(("m-", "mailark-")) for word in value.split()):
            self.wrong.append(f"{name} {value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append("declaration")


def read(result: Sanitised) -> Reader:
    """The body, read; asserts that nothing in it or in its style is forbidden."""
    reader = Reader()
    reader.feed(result.body)
    reader.close()
    reader.wrong += [f"open {tag}" for tag in reader.open]
    reader.wrong += [f"source {source}" for source in reader.sources if source not in result.images]
    reader.wrong += [f"rule {rule}" for rule in rules(result.style) if not _scoped(rule)]
    assert reader.wrong == []
    return reader


def text(result: Sanitised) -> str:
    """The text of the body."""
    return "".join(read(result).text)


def rules(style: str) -> list[str]:
    """The rules of a style sheet without blocks in blocks."""
    return [rule.strip() for rule in style.replace("\n", "").split("}") if rule.strip()]


def _scoped(rule: str) -> bool:
    prelude, brace, body = rule.partition("{")
    names = prelude.split(",") if "[" not in prelude else [prelude]
    return bool(brace) and not FORBIDDEN.search(body) and all(name.startswith(".mailark-") for name in names)
