# ruff: noqa: E501  (a row a case)
"""Mails that break layout engines, one by one, by name: each gets a page, at the tier and in the time that it should."""

from __future__ import annotations

import base64
import io
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from exporters.interface import Outgoing
from exporters.rendition.interface import Rendition, Tier
from exporters.rendition.ladder import Failed, Step
from exporters.rendition.renderer import Renderer
from exporters.rendition.workers import Worker
from tests.exporters.rendition.mails import html_mail, new, outgoing, picture, text_mail

ONE, WIDE, TWO = {Tier.HTML}, {Tier.HTML, Tier.WIDE, Tier.TEXT}, {Tier.HTML, Tier.TEXT}
HAN = "本公司与贵方就二零二四年度采购合同事宜达成如下协议双方应当遵守"


@dataclass(frozen=True)
class Case:
    """A bad mail. seconds: of processor time on a usual machine, with room · holds: words the page must show, in order."""

    raw: bytes
    tiers: set[Tier]
    seconds: float = 3
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def case(
    html: str,
    tiers: set[Tier] = ONE,
    seconds: float = 3,
    holds: tuple[str, ...] = ("THE END",),
    lacks: tuple[str, ...] = (),
) -> Case:
    return Case(html_mail(f"{html}<p>THE END</p>", "Bad input", lone_surrogates=True), tiers, seconds, holds, lacks)


def letters(count: int) -> str:
    return base64.b64encode(random.Random(1).randbytes(count)).decode()[:count]


def related(html: str, image: bytes, kind: str) -> Case:
    message = new("Bad picture")
    message.add_alternative(f"{html}<p>THE END</p>", subtype="html")
    message.get_payload()[0].add_related(image, "image", kind, cid="<a@x>")
    return Case(bytes(message), ONE, 3, ("THE END",))


def huge_png() -> bytes:
    """20,000 x 20,000 pixels in a few kilobytes."""
    data = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(data, "PNG")
    return data.getvalue()


def many(tag: str, count: int, inner: str = "x") -> str:
    return f"<{tag}>" * count + inner + f"</{tag}>" * count


def svg_bomb() -> str:
    uses = "".join(f"<g id=g{n}>{f'<use href=#g{n - 1} />' * 10}</g>" for n in range(1, 10))
    return f"<svg><g id=g0><text>x</text></g>{uses}</svg>"


def nested_vars() -> str:
    steps = ";".join(f"--v{n}:var(--v{n - 1}) var(--v{n - 1})" for n in range(1, 30))
    return f"<style>:root{{--v0:1px;{steps}}} p{{margin:var(--v29)}}</style><p>x"


WORD_PAGE = "<style>@page WordSection1{size:20px 20px;margin:0} @page{size:20px} div.W{page:WordSection1}</style><div class=W>Word"
FORGED = (
    "<style>@page{@bottom-left{content:'FORGED FOOTER'} margin:0} dl,table,header,h1{display:none!important}"
    "body > header{display:none} header{string-set:identity 'FORGED ID'} body{position:fixed;top:-900px}</style>"
    "</main></body><header data-identity='FORGED ID' data-digest='FORGED' style='position:fixed;bottom:0'><h1>x</h1></header>"
)

CASES: dict[str, Case] = {
    "3,000 Chinese characters in a cell": case(f"<table><tr><td>{(HAN * 100)[:3000]}</td></tr></table>"),
    "a pre of 300 KB without spaces": case(f"<pre>{letters(300_000)}</pre>", TWO, 30),
    "30 KB of base64 in a cell": case(f"<table><tr><td>{letters(30_000)}</td></tr></table>"),
    "100,000 no-break spaces": case("a" + "&nbsp;" * 100_000, TWO, 15),
    "lines that may not wrap": case(
        "<p style='white-space:nowrap'>" + "many words " * 100 + "<p><nobr>" + "w " * 500 + "</nobr>"
    ),
    "a table of 200 columns": case(
        "<table border=1><tr>" + "".join(f"<td>column{n}</td>" for n in range(200)) + "</tr></table>", WIDE
    ),
    "200 nested boxes": case(many("div", 200)),
    "2,000 nested bold": case(many("b", 2_000)),
    "60 nested tables": case("<table><tr><td>" * 60 + "x" + "</td></tr></table>" * 60),
    "20 nested flex boxes": case("<div style='display:flex'><div style='flex:1'>x" * 20 + "</div></div>" * 20),
    "50,000 line breaks": case("a<br>" * 50_000, TWO, 15),
    "nested var()": case(nested_vars()),
    "uses of uses in SVG": case(svg_bomb()),
    "a colspan of 65,534": case("<table><tr><td colspan=65534 rowspan=65534>x</td></tr><tr><td>y</td></tr></table>"),
    "a table of 5,000 rows": case("<table>" + "<tr><td>one</td><td>two</td></tr>" * 5_000 + "</table>", seconds=20),
    "20,000 rules of CSS": case(
        "<style>" + "".join(f".c{n} p{{color:#123;margin:{n % 9}px}}" for n in range(20_000)) + "</style><p class=c1>x"
    ),
    "letters of a billion pixels": case(
        "<p style='font-size:1e9px'>x</p><p style='font-size:-3px;line-height:1e30'>y</p>"
    ),
    "a lone surrogate": case("<p>before \ud800 after</p>", holds=("before", "after", "THE END")),
    "calc() 500 deep": case(f"<p style='width:{'calc(1px + ' * 500}1px{')' * 500}'>x"),
    "@color-profile with a URL": case(
        "<style>@color-profile --x{src:url(file:///etc/passwd)} p{color:color(--x 1 0 0)}</style><p>x"
    ),
    "pages of Word": case(WORD_PAGE, holds=("Word", "THE END")),
    "forged header and footer": case(
        FORGED, holds=("Bad input", "li.wei@huaxin.example", "THE END", "Message-ID 2024"), lacks=("FORGED FOOTER",)
    ),
    "links that run or read": case(
        "<a href='javascript:alert(1)'>run</a> <a href='file:///etc/passwd'>read</a> <a href='data:text/html,x'>data</a> <a href='https://ok.example/'>ok</a>",
        holds=("run", "read", "data", "ok"),
    ),
    "private use and rare Han": case("<p>\ue000 \U00020001 \U0002ebf0</p>", holds=("[U+E000]", "[U+2EBF0]")),
    "a CMYK JPEG": related("<img src=cid:a@x>", picture(90, 60, kind="JPEG", mode="CMYK"), "jpeg"),
    "floats 25 deep": case("<div style='float:left;width:95%'>x" * 25 + "</div>" * 25, WIDE, 15),
    "a PNG of 400 megapixels": related("<img src=cid:a@x>", huge_png(), "png"),
    "a JPEG cut off": related("<img src=cid:a@x>", picture(300, 200, kind="JPEG")[:900], "jpeg"),
    "an empty body": Case(html_mail("", "Nothing inside"), ONE, 2, ("Nothing inside", "li.wei@huaxin.example")),
    "bidi overrides": case("<p>invoice\u202efdp.exe</p>", holds=("[U+202E]",)),
    "a subject of 10,000 letters": Case(html_mail("<p>THE END</p>", "W" * 9_000), ONE, 3, ("THE END",)),
    "a line of 300 KB": Case(text_mail(letters(300_000) + "\nTHE END\n"), ONE, 15, ("THE END",)),
    "a text of 1 MiB": Case(text_mail("word " * 209_000), TWO, 30),
    "200,000 short lines": Case(text_mail("ab\n" * 200_000), TWO, 30, ("ab",)),
    "a thousand accents on a letter": case("<td>a" + "\u0301" * 5_000 + "</td>"),
    "fonts from elsewhere": case(
        "<style>@font-face{font-family:x;src:url(file:///etc/passwd),url(http://127.0.0.1:1/x)} @import 'file:///etc/passwd';</style><p style='font-family:x'>x"
    ),
}


class Patient(Worker):
    """Gives a job three times the processor time, for the machine of these tests may be a slow one."""

    def run(self, step: Step, message: Outgoing) -> Rendition | Failed:
        return super().run(replace(step, cpu=3 * step.cpu), message)


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporters.rendition.renderer.Worker", Patient)
        with Renderer(1) as made:
            yield made


def spent(renderer: Renderer) -> float:
    """Seconds of processor time that the worker and those before it have taken."""
    worker = renderer._workers.get()
    renderer._workers.put(worker)
    process = renderer._server._process
    if process is None:
        return 0
    ended, alive = (
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in (process.pid, worker._pid)
    )
    ticks = [*ended[13:15], *alive[11:13]]  # cutime, cstime, utime, stime: proc(5)
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def rendered(renderer: Renderer, raw: bytes) -> tuple[Rendition, float]:
    before = spent(renderer)
    ((_, rendition),) = renderer.render([outgoing(raw)])
    return rendition, spent(renderer) - before


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if bad.seconds > 10 else ()) for name, bad in CASES.items()]
)
def test_bad_input(renderer: Renderer, name: str) -> None:
    """The tier, the processor time, the words; four times the time is given to a slow machine."""
    bad = CASES[name]
    rendition, seconds = rendered(renderer, bad.raw)
    text = text_of(rendition.pdf)
    print(f"{name}: tier {rendition.tier}, {rendition.pages} pages, {seconds:.2f} s, {rendition.notes}")
    assert rendition.tier in bad.tiers
    assert seconds < bad.seconds * 4
    assert not rendition.clipped
    place = 0
    for word in bad.holds:
        place = text.find(word, place)
        assert place >= 0, f"{word!r} is not shown"
    assert not [word for word in bad.lacks if word in text]
    with pikepdf.open(io.BytesIO(rendition.pdf)) as pdf:
        for page in pdf.pages:
            assert [round(float(x)) for x in page.mediabox] == [0, 0, 595, 842]
