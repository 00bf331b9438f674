"""CSS of mails: which rules and declarations stay, and as what."""

from __future__ import annotations

import pytest

from exporters.rendition.css import PAIRS, RULES, holds, inline, sheet
from exporters.rendition.sanitise import sanitise
from exporters.rendition.selectors import parse_prelude

ALL = {"p", "td", "a", "div", "h1", "span", ".a", ".b", "#c", "*", "b", "i"}


def rules(text: str) -> str:
    return sheet([text]).css(ALL)


def style(text: str) -> str:
    return ";".join(inline(text))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("p", ".mailark-body p"),
        ("td.a", ".mailark-body td.m-a"),
        ("#c > a", ".mailark-body #m-c>a"),
        ("p+p", ".mailark-body p+p"),
        ("*", ".mailark-body *"),
        ("body", ".mailark-body"),
        ("html", ".mailark-body"),
        ("html body p", ".mailark-body p"),
        ("body.a p", ".mailark-body.m-a p"),
        ("html p", ".mailark-body p"),
        ("a:link", ".mailark-body a[href]"),
        ("a:hover", ""),
        ("p::before", ""),
        ("p:nth-child(2)", ""),
        (":root", ""),
        ("p ~ p", ""),
        (".a body", ""),
        ("> p", ""),
        ("p >", ""),
        ("p > > a", ""),
        ("[class=a]", '.mailark-body [class="m-a"]'),
        ("a[href*='x']", '.mailark-body a[href*="x"]'),
        ("[style*=x]", ""),
        ("[href='</style>']", ""),
        ("a b i p td h1 div", ""),
        ("p, a:hover, .b", ".mailark-body p|.mailark-body .m-b"),
        ("p\\:x", ""),
        (".\\31 0", ".mailark-body .m-10"),
    ],
)
def test_selectors(given: str, kept: str) -> None:
    assert "|".join(selector.css for selector in parse_prelude(given)) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("color:red", "color:red"),
        ("COLOR : RGBA(1,2,3,.5)", "color:rgba(1,2,3,0.5)"),
        ("color:#12", ""),
        ("color:var(--x)", ""),
        ("width:calc(1px + 2px)", ""),
        ("background:url(x) #eee no-repeat", "background-color:#eee"),
        ("background:url(data:image/png;base64,AA;BB) center", ""),
        ("background:linear-gradient(to right, #036, red)", "background-color:#036"),
        ("background:#fff linear-gradient(#036, red)", "background-color:#fff"),
        ("background-image:url(x)", ""),
        ("position:absolute", ""),
        ("transform:rotate(3deg)", ""),
        ("columns:3", ""),
        ("content:'x'", ""),
        ("string-set:subject 'x'", ""),
        ("page-break-before:always", ""),
        ("unicode-bidi:bidi-override", ""),
        ("font-size:1e9px", ""),
        ("font-size:14px", "font-size:14px"),
        ("font-size:500%", "font-size:300%"),
        ("font:1e9px x", ""),
        (
            "font:italic bold 14px/1.5 'Microsoft YaHei', 宋体, sans-serif",
            "font:italic bold 14px/1.5 'Microsoft YaHei', 宋体, sans-serif",
        ),
        ("font-family:'微软雅黑',宋体,\"a;b{}</style>\",x y", "font-family:'微软雅黑',宋体,x y"),
        ("line-height:1000", ""),
        ("margin:-5px", ""),
        ("margin:0 -2px", "margin:0 -2px"),
        ("margin:0 auto", "margin:0 auto"),
        ("margin-left:-9999px", ""),
        ("margin-top:100000px", "margin-top:200px"),
        ("padding:1e99in", "padding:200px"),
        ("text-indent:-18pt", "text-indent:-18pt"),
        ("text-indent:-9999px", ""),
        ("width:99999999px", "width:2000px"),
        ("width:250%", "width:100%"),
        ("width:50vw", ""),
        ("height:100000px", ""),
        ("display:flex", "display:block"),
        ("display:inline-flex", "display:inline-block"),
        ("display:grid", "display:block"),
        ("display:none", "display:none"),
        ("display:run-in", ""),
        ("white-space:nowrap", "white-space:normal"),
        ("white-space:pre", "white-space:pre-wrap"),
        ("float:footnote", ""),
        ("float:left !important", "float:left !important"),
        ("list-style:url(x)", ""),
        ("border:1px solid rgb(0,0,0)", "border:1px solid rgb(0,0,0)"),
        ("border:solid windowtext 1.0pt", "border:solid #000 1pt"),
        ("background:Window;color:WindowText", "background-color:#fff;color:#000"),
        ("border-left:500px solid red", "border-left:50px solid red"),
        ("mso-line-height-rule:exactly;color:red", "color:red"),
        ("color:red;;;width:5px", "color:red;width:5px"),
        ("color:expression(alert(1))", ""),
        ("behavior:url(#default#VML)", ""),
        ("-webkit-text-size-adjust:none", ""),
        ("col\\6fr:red", ""),
        ("color:r\\65 d", "color:red"),
        ("/* x */color:/* y */red", "color:red"),
        ("overflow:hidden;max-height:0", "display:none !important"),
        ("overflow:hidden", ""),
        ("opacity:0", "visibility:hidden"),
        ("opacity:.5", ""),
    ],
)
def test_declarations(given: str, kept: str) -> None:
    assert style(given) == kept


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("print", True),
        (" all", True),
        ("only screen", True),
        ("screen, projection", True),
        ("screen and (max-width: 600px)", False),
        ("only screen and (min-width:480px)", True),
        ("(min-width: 30em) and (max-width: 40em)", False),
        ("(prefers-color-scheme: dark)", False),
        ("not print", False),
        ("speech", False),
        ("", False),
    ],
)
def test_media(query: str, answer: bool) -> None:
    assert holds(query) is answer


def test_at_rules_go_with_their_contents() -> None:
    text = (
        "@charset 'x'; @import url(http://x); @namespace x; @page WordSection1 {size:20px; @top-left{content:'x'}}"
        "@font-face{font-family:x;src:url(x)} @color-profile x{src:url(file:///x)} @media print{p{color:red}}"
        "@media screen and (max-width:9px){td{color:red}} @supports (a:b){a{color:red}} @list l0 {mso-list-id:1}"
        ".a{color:blue}"
    )
    assert rules(text) == ".mailark-body p{color:red}\n.mailark-body .m-a{color:blue}"


def test_words_comments_around_a_sheet() -> None:
    assert rules("<!--\n/* Font Definitions */ p, .a {margin:0cm;font-size:10.5pt}\n-->") == (
        ".mailark-body p,.mailark-body .m-a{margin:0cm;font-size:10.5pt}"
    )


def test_braces_in_strings_and_comments_do_not_count() -> None:
    assert rules("p{font-family:'}';color:red} /* } { */ a{color:blue}") == (
        ".mailark-body p{color:red}\n.mailark-body a{color:blue}"
    )


def test_what_is_cut_off_still_counts() -> None:
    assert rules("p{color:red") == ".mailark-body p{color:red}"
    assert rules("@media print{p{color:red") == ".mailark-body p{color:red}"
    assert rules("}}p{color:red}") == ".mailark-body p{color:red}"
    assert rules("p{color:red}}a{color:blue}") == ".mailark-body p{color:red}\n.mailark-body a{color:blue}"


def test_rules_for_nothing_that_is_there_are_left_out() -> None:
    assert sheet(["p{color:red} .x p,td{color:red}"]).css({"p"}) == ".mailark-body p{color:red}"


def test_too_many_rules_are_capped_and_noted() -> None:
    result = sanitise("<style>" + "p{color:red}" * 20_000 + "</style><p>x", {})
    assert result.notes.simplified == ("css",)
    assert result.style.count("color:red") == RULES


def test_too_many_declarations_are_capped_and_noted() -> None:
    html = "".join(f"<p style='margin:{number}px;{'color:red;' * 60}'>" for number in range(2_000))
    result = sanitise(html, {})
    assert result.notes.simplified == ("css",)
    assert result.body.count("margin") <= PAIRS / 60


def test_the_media_of_a_style_element_counts() -> None:
    html = (
        '<style media="screen and (max-width:600px)">p{color:red}</style><style media=screen>p{color:blue}</style><p>x'
    )
    assert "color:red" not in sanitise(html, {}).style
    assert ".mailark-body p{color:blue}" in sanitise(html, {}).style
