"""Mail HTML -> HTML and CSS that is safe to lay out and looks as its reader saw it.

Two fences, each enough on its own: the tags are read one by one and written anew with what is allowed (tokens, tree,
elements, css), and the result goes through nh3's parser with the same lists, which also mends the nesting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape

import nh3

from exporters.rendition import css, elements, pictures
from exporters.rendition.direction import settle
from exporters.rendition.interface import Notes, Sanitised
from exporters.rendition.runs import Runs, Signs
from exporters.rendition.selectors import BOX
from exporters.rendition.tokens import Token, tokens
from exporters.rendition.tree import FLOATS, LISTS, QUOTES, Open, Tree

BODY = 3_500_000
"""Characters of HTML, without its embedded images; what is beyond is cut and counted."""
_FLAT = "mailark-flat"
_DEEP = "mailark-deep"
_BARS = 20
"""Quotations inside one another that still have a bar of their own."""
_LINK = "mailark-link"  # one that leads nowhere we follow still looks like one
_STYLE = (
    f".{BOX}{{overflow-wrap:break-word}}"
    f".{_LINK}{{color:#00e;text-decoration:underline}}"
    f".{BOX} hr{{border:solid #a0a0a0;border-width:1px 0 0}}"
    f".{BOX} pre{{white-space:pre-wrap}}.{BOX} table{{max-width:100%}}"
    f".{BOX} .{_FLAT}{{margin:0!important;padding:0!important;border:0!important}}"
    f".{BOX} .{_DEEP}{{margin:0!important;padding:0 0 0 3px!important;border:0 solid #ccc!important;"
    "border-left-width:1px!important}"
    f"{pictures.STYLE}"
)
_UNFLOAT = "float:none !important", "display:block !important"
_NOWRAP = re.compile(r"white-space\s*:\s*nowrap", re.IGNORECASE)
_LISTED = frozenset(["ul", "ol", "dl", "dd"])
_QUOTE = frozenset(["blockquote"])
_SYMBOLS = re.compile(r"(?:font(?:-family)?:|\A)[^;]*\b(?:wingdings|symbol)\b", re.IGNORECASE)
# The signs of Wingdings and Symbol that mail programs write, by the letters they lie on.
_WINGDINGS = str.maketrans("JKLàßüûØ§lnqv¨þ·", "☺😐☹→←✓✗➢▪●■❑❖◻☑•")
_JOINER = "\u2060"
"""Behind a no-break space at the end of a text: without it WeasyPrint 70.0 breaks the line after its first word, for
Pango lets that space hang over the edge. It is not seen and not in the text of the PDF."""
_NOT_OF_THE_BOX = ("display", "float", "visibility", "height", "min-height", "width", "min-width")
_FENCE = nh3.Cleaner(
    tags=set(elements.KEPT),
    clean_content_tags=set(),
    attributes={name: set(allowed) for name, allowed in elements.ALLOWED.items()},
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    link_rel=None,
)


def sanitise(html: str, parts: Mapping[str, bytes], covered: Callable[[str], bool] | None = None) -> Sanitised:
    """The body of a message, ready to be laid out. Never raises; time and memory are linear in the input and bounded.

    parts: Content-ID without its brackets, or Content-Location, -> bytes of the image. covered: whether a font has a
    character; what none has is shown as its code. The body of the result is one `div` of class `BOX` that every
    selector of its style is tied to; classes and ids of the mail begin with "m-", those of ours with "mailark-".
    """
    html, pulled = pictures.pull_data(html)
    truncated = max(len(html) - BODY, 0)
    return _Body(html[:BODY], parts, pulled, Signs(covered)).sanitised(truncated)


class _Body:
    """One body on its way through."""

    def __init__(self, html: str, parts: Mapping[str, bytes], pulled: Mapping[str, str], signs: Signs) -> None:
        self._html = html
        self._signs = signs
        self._runs = Runs()
        self._out: list[str] = []
        self._tree = Tree(self._out)
        self._pictures = pictures.Pictures(parts, pulled, signs.clean)
        self._used: set[str] = {"tbody", "tr"}
        self._box: dict[str, str] = {}
        self._floating: frozenset[str] = frozenset()
        self._aligning: frozenset[str] = frozenset()
        self._pairs = css.PAIRS

    def sanitised(self, truncated: int) -> Sanitised:
        """The result; call once."""
        found = list(tokens(self._html))
        settle(found)
        sheet = css.sheet(token.text for token in found if token.kind == "style" and _applies(token))
        self._floating, self._aligning = sheet.floating(), sheet.aligning()
        if sheet.capped:
            self._tree.simplified.add("css")
        for token in found:
            self._take(token)
        self._tree.close()
        body = _FENCE.clean("".join(self._out))
        style = f"{_STYLE}\n{sheet.css(self._used)}"
        notes = Notes(
            remote_images=self._pictures.remote,
            tracking_pixels=self._pictures.tracking,
            missing_images=self._pictures.missing,
            substituted=self._signs.substituted,
            truncated=truncated,
            simplified=tuple(sorted(self._tree.simplified)),
        )
        return Sanitised(f"<div{self._box_attributes()}>{body}</div>", style, self._pictures.images, notes)

    def _take(self, token: Token) -> None:
        if token.kind == "text":
            self._out.append(self._text(token.text))
        elif token.kind == "start":
            self._start(elements.RENAMED.get(token.name, token.name), token.attributes)
        elif token.kind == "end":
            self._end(elements.RENAMED.get(token.name, token.name))
        elif token.kind == "dropped" and token.name in elements.SEEN:
            self._tree.simplified.add("objects")
        elif token.kind == "rest":
            self._tree.flatten("div")
            self._out.append(self._text(token.text))

    def _text(self, text: str) -> str:
        if not text.strip(" \t\r\n"):
            self._runs.stop()
            return text
        if self._tree.symbols:
            text = text.translate(_WINGDINGS)
        self._tree.text += len(text)
        text = self._signs.clean(text)
        joined = text.endswith("\xa0") and not text.isspace()
        return self._runs.feed(text) + (_JOINER if joined else "")

    def _start(self, name: str, given: dict[str, str]) -> None:
        if name not in elements.INLINE:
            self._runs.stop()
        if name == "body":
            self._take_body(given)
        elif name == "br":
            self._out.append(self._tree.break_line())
        elif name == "input":
            self._out.append(self._text(_field(given)))
        elif name in elements.KEPT and self._tree.takes(name):
            self._used.add(name)
            self._element(name, given)

    def _end(self, name: str) -> None:
        if name not in elements.INLINE:
            self._runs.stop()
        if name == "br":
            self._out.append(self._tree.break_line())
        elif name in elements.KEPT and name not in elements.VOID:
            self._tree.end(name)

    def _element(self, name: str, given: dict[str, str]) -> None:
        """Write the start tag of an element that is kept."""
        kept = elements.attributes(name, given)
        style = self._style(given)
        floats, aligned = self._look(name, kept, given, style)
        if flat := self._flat(name):
            kept["class"] = f"{kept.get('class', '')} {flat}".strip()
        if name == "img":
            self._tree.elements += 1
            self._out.append(self._pictures.shown(given, style, _written(kept)))
            return
        if name == "a" and given.get("href") and "href" not in kept:
            kept["class"] = f"{kept.get('class', '')} {_LINK}".strip()
        if style:
            kept["style"] = ";".join(style)
        written = f"<{name}{_written(kept)}>"
        if name in elements.VOID:
            self._tree.elements += 1
            self._out.append(written)
        else:
            symbols = bool(_SYMBOLS.search(kept.get("style", "")) or _SYMBOLS.match(kept.get("face", "")))
            nowrap = name in ("td", "th") and ("nowrap" in given or bool(_NOWRAP.search(given.get("style", ""))))
            self._tree.push(written, Open(name, floats, symbols, aligned, nowrap))

    def _style(self, given: Mapping[str, str]) -> list[str]:
        """What may stay of the style attribute."""
        style = given.get("style", "")
        self._pairs -= style.count(";") + 1 if style else 0
        if self._pairs < 0:
            self._tree.simplified.add("css")
            return []
        return list(css.inline(style)) if style else []

    def _look(self, name: str, kept: dict[str, str], given: Mapping[str, str], style: list[str]) -> tuple[bool, str]:
        """Whether the width of an element depends on its content, and what says how its text is aligned."""
        names = [name, "*", *("." + word for word in given.get("class", "").split()[:20])]
        if "id" in given:
            names.append("#" + given["id"])
        self._used.update(names)
        styled = css.aligning(style) or not self._aligning.isdisjoint(names)
        if name == "table":
            aligned = "style"
            if not styled and self._tree.aligned() == "attribute":  # browsers: `align` ends at a table, CSS does not
                style.append("text-align:start")
        else:
            aligned = "style" if styled else "attribute" if "align" in kept or name == "center" else ""
        floats = css.floating(style) or (name == "table" and kept.get("align") in ("left", "right"))
        floats = floats or not self._floating.isdisjoint(names)
        if floats and self._tree.floats() >= FLOATS:
            self._tree.simplified.add("floats")
            style.extend(_UNFLOAT)
            kept.pop("align", None)
            floats = False
        return floats, aligned

    def _flat(self, name: str) -> str:
        """The class of an element that is indented no further; of a quotation whose bar is only drawn closer."""
        if name == "blockquote":
            level = self._tree.nested(_QUOTE)
            return "" if level < QUOTES else _DEEP if level < _BARS else _FLAT
        return _FLAT if name in _LISTED and self._tree.nested(_LISTED) >= LISTS else ""

    def _take_body(self, given: Mapping[str, str]) -> None:
        """The first body element gives its look to our box."""
        if self._box:
            return
        style = [part for part in self._style(given) if not part.startswith(_NOT_OF_THE_BOX)]
        for name, attribute in (("background-color", "bgcolor"), ("color", "text")):
            if found := elements.colour(given.get(attribute, "")):
                style.insert(0, f"{name}:{found}")
        kept = elements.attributes("div", given)
        self._look("body", kept, given, [])
        self._box = {**kept, "class": f"{BOX} {kept.get('class', '')}".strip(), "style": ";".join(style)}

    def _box_attributes(self) -> str:
        return _written(self._box or {"class": BOX})


def _field(given: Mapping[str, str]) -> str:
    """A field of a form as text."""
    kind, checked = given.get("type", "text").lower(), "checked" in given
    if kind in ("checkbox", "radio"):
        return ("☑" if checked else "☐") if kind == "checkbox" else "◉" if checked else "○"
    value = given.get("value", "")[:200] if kind not in ("hidden", "password", "image", "file") else ""
    return f"[{value}]" if value else ""


def _applies(style: Token) -> bool:
    media = style.attributes.get("media", "")
    return not media or css.holds(media)


def _written(attributes: Mapping[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
