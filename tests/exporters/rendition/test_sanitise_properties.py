"""What holds for any mail: random ones made of what hurts, and the real ones of the shared corpus."""

from __future__ import annotations

import time
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
import tinyhtml5
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.mime import parse
from exporters.rendition.css import inline
from exporters.rendition.interface import Sanitised
from exporters.rendition.sanitise import sanitise
from tests.exporters.rendition.fences import FORBIDDEN, read

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"

TAGS = (
    "a b i p div span table tr td th tbody caption col ul li dl dd h1 h2 blockquote font center pre br img hr style "
    "script svg math template body html head form input select option button nobr o:p title xmp wbr iframe frameset "
    "object ruby rt sup marquee plaintext textarea noscript link meta base"
)
tag = st.sampled_from(TAGS.split(" "))
value = st.sampled_from(
    [
        "",
        "x",
        "1",
        "-1",
        "99999999",
        "100%",
        "javascript:alert(1)",
        "http://x/y",
        "//x",
        "cid:a",
        "data:image/png;base64,AA",
        "color:red",
        "position:fixed",
        "background:url(x)",
        "width:calc(1px)",
        "float:left",
        "display:none",
        "a\\62 c:d",
        "font-family:'x;}</style><script>'",
        'font:12px/1 "a',
        "Wingdings",
        "red",
        "#fff",
        "zh-CN",
        "}",
        "<",
        '"',
        "'",
        "`",
    ]
)
attribute = st.builds(
    "{}{}".format,
    st.sampled_from(
        [
            "style",
            "class",
            "id",
            "href",
            "src",
            "width",
            "height",
            "bgcolor",
            "align",
            "onclick",
            "lang",
            "face",
            "color",
            "colspan",
            "hidden",
        ]
    ),
    st.one_of(
        st.just(""), st.builds("={}".format, value), st.builds('="{}"'.format, value), st.builds("='{}'".format, value)
    ),
)
css = st.sampled_from(
    [
        "p{color:red}",
        "}",
        "{",
        "@media print{",
        "@import 'x';",
        "/*",
        "*/",
        "<!--",
        ".a>b,#c{float:left}",
        "\\",
        '"',
        "'",
        "body{display:none}",
        "@page{size:1px}",
        "a:hover{",
        "[href^='x']{top:0}",
        ":root{--a:url(x)}",
        "*{font:9e9px x}",
    ]
)
piece = st.one_of(
    st.builds(lambda name, attributes: f"<{name} {' '.join(attributes)}>", tag, st.lists(attribute, max_size=3)),
    st.builds("</{}>".format, tag),
    st.builds(lambda rules: f"<style>{''.join(rules)}</style>", st.lists(css, max_size=5)),
    st.sampled_from(
        ["<!--", "-->", "<!--[if mso]>", "<![endif]-->", "<", ">", "&", "&lt;script&gt;", "&#x202e;", "<!", "<?", "</"]
    ),
    st.text(max_size=12),
    st.text(st.sampled_from("\u0301\u200d👩🇩x中\xa0 \n"), max_size=90),
)
mails = st.lists(piece, max_size=40).map("".join)


@settings(max_examples=400, deadline=None)
@given(mails)
def test_nothing_forbidden_comes_through(html: str) -> None:
    reader = read(sanitise(html, {"a": b"no image"}, covered=lambda sign: sign != "中"))
    assert not any(sign in "".join(reader.text) for sign in "\u202e\x01\ud800")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_at_all(html: str) -> None:
    read(sanitise(html, {}))


@settings(max_examples=300, deadline=None)
@given(mails)
def test_nothing_escapes_its_box_in_the_parser_of_the_layout(html: str) -> None:
    body = sanitise(html, {}).body
    page = tinyhtml5.parse(f"<main>{body}</main><footer>x</footer>", namespace_html_elements=False)
    inside = page.find("body")
    assert isinstance(inside, Element)
    assert [child.tag for child in inside] == ["main", "footer"]
    assert [child.get("class", "").split()[0] for child in inside[0]] == ["mailark-body"]
    assert len(inside[1]) == 0
    assert inside[1].text == "x"


@settings(max_examples=200, deadline=None)
@given(mails)
def test_a_second_time_takes_away_nothing_more(html: str) -> None:
    once = sanitise(html, {})
    twice = sanitise(once.body, {})
    assert not set(twice.notes.simplified) - {"breaks"}
    assert _words(twice) == _words(once) or once.images or "image" in once.body


def _words(result: Sanitised) -> list[str]:
    return "".join(read(result).text).replace("\u2060", "").split()  # the sanitiser's own joiner, which is not seen


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(st.one_of(css, value, st.sampled_from([";", ":", "!important"]))).map("".join)
    )
)
def test_any_style_attribute(style: str) -> None:
    assert not any(FORBIDDEN.search(part) for part in inline(style))


@pytest.mark.slow
def test_the_html_mails_of_the_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    shown = characters = 0
    seconds = slowest = 0.0
    for path in sorted(CORPUS.rglob("*")):
        html = _html(path)
        if not html:
            continue
        begun = time.process_time()
        result = sanitise(html, {})
        took = time.process_time() - begun
        seconds, slowest, shown, characters = seconds + took, max(slowest, took), shown + 1, characters + len(html)
        read(result)
        assert took < 2, path.name
    print(f"{shown} mails, {characters / 1e6:.1f} M characters, {seconds:.2f} s, slowest {slowest:.3f} s")
    assert shown > 600
    assert seconds < 30


def _html(path: Path) -> str:
    if path.suffix == ".html":
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    return parse(path.read_bytes()).html if path.suffix in (".eml", ".txt") else ""
