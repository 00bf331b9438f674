"""HTML to text: what a reader sees, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.mime.html import _without_named, _without_tags, declared_charset, html_to_text
from tests.messages import samples


def test_blocks_break_lines_and_inline_elements_do_not() -> None:
    html = "<div>采购<b>合</b>同</div><p>one<br>two</p><ul><li>a<li>b</ul>text"
    assert html_to_text(html) == "采购合同\n\none\ntwo\n\na\nb\ntext"


def test_table_cells_are_apart() -> None:
    assert html_to_text("<table><tr><td>PI</td><td>118</td></tr><tr><td>x</td></tr></table>") == "PI \t118\n\nx"


@pytest.mark.parametrize(
    "hidden",
    [
        "<style>p{color:red}</style>",
        "<STYLE type='text/css'>a > b { }</STYLE >",
        "<script>if (a < b) document.write('</div>')</script>",
        "<title>Untitled</title>",
        "<template><p>no</p></template>",
        "<!-- secret <p>x</p> -->",
        "<!--[if gte mso 9]><xml><w:View>Normal</w:View></xml><![endif]-->",
        '<div style="display:none">pre<div>header</div>no</div>',
        '<SPAN STYLE="DISPLAY: NONE">no</SPAN>',
        "<p hidden>no</p>",
        '<td style="visibility: hidden">no</td>',
    ],
)
def test_what_a_reader_does_not_see_is_left_out(hidden: str) -> None:
    assert html_to_text(f"<p>seen</p>{hidden}<p>also</p>").split() == ["seen", "also"]


@pytest.mark.parametrize(
    "html", ['<p style="overflow: hidden">seen</p>', '<input type="hidden">seen', "display:none seen", "<b hidden>seen"]
)
def test_what_only_looks_hidden_stays(html: str) -> None:
    assert "seen" in html_to_text(html)


@pytest.mark.parametrize("start", ["<!-- ", "<style>", "<script>", "<title>"])
def test_a_region_never_closed_loses_no_text(start: str) -> None:
    assert "contract" in html_to_text(f"<p>a</p>{start}<p>contract</p>")


def test_entities() -> None:
    html = "&lt;b&gt; &amp;amp; caf&eacute; &#x5408;&#21516; &nbsp;x&copy &#0;&#99999999999; &#xD800;"
    assert html_to_text(html) == "<b> &amp; café 合同  x© \ufffd\ufffd \ufffd"


def test_comparisons_in_text_are_no_tags() -> None:
    assert html_to_text("a < b and c > d") == "a < b and c > d"


def test_preformatted_lines_stay() -> None:
    assert html_to_text("<p>x\ny</p><pre>one\ntwo</pre>three\nfour") == "x y\n\none\ntwo\nthree four"


def test_declared_charset() -> None:
    assert declared_charset(b'<meta http-equiv="Content-Type" content="text/html; charset=GB2312">') == "GB2312"
    assert declared_charset(b"<meta charset='big5'>") == "big5"
    assert declared_charset(b"<p>charset=none</p>") == ""


@given(st.lists(st.sampled_from(["<", "</", ">", "/", "!", "b", "p", "BR", "td", "Pre", " ", "\n", "x=y", "&", "中"])))
def test_tags_in_one_pass_say_the_same(pieces: list[str]) -> None:
    html = " ".join("".join(pieces).split())
    assert _without_named(html) in (None, _without_tags(html))


def test_plain_tags_are_taken_in_one_pass() -> None:
    html = "<p class=a>one <b>two</b></p ><TD>3</td><o:p/><Br />4 > 3"
    assert _without_named(html) == "\none two\n3 \t\n4 > 3"


HOSTILE_HTML = samples.HOSTILE_HTML | {
    "closed at the end": "<a " * 100_000 + ">",
    "closing tags with words": "</p x>" * 100_000,
    "closing tags with blanks": "</p \t " * 100_000 + "x>",
    "names without end": ("<" + "a" * 5_000 + ">") * 60,
}


@pytest.mark.parametrize("name", HOSTILE_HTML)
def test_hostile_html_takes_linear_time(name: str) -> None:
    html = HOSTILE_HTML[name]
    started = time.process_time()
    html_to_text(html)
    assert time.process_time() - started < 4


@given(st.text(alphabet="<>/!-abpdivstyle \"'=:;&#x0none\n中", max_size=300))
def test_any_text_goes_through(html: str) -> None:
    assert "<style" not in html_to_text(html + "<style>x</style>")[-7:]
