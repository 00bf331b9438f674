"""Plain text as a body: which lines are prose, which draw a table, from which side they are read."""

from __future__ import annotations

import itertools

import pypdfium2
import pytest

from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Tier
from exporters.rendition.text_body import text_body
from tests.exporters.rendition.mails import outgoing, text_mail

TABLE = "| 10 | M8 bolt    |  20,000 |\n| 20 | 不锈钢垫圈 |   5,000 |\n| 30 | 垫圈 大    |     300 |\n"


def html(text: str) -> str:
    body, _, _ = text_body(text)
    return body.html.replace("\u200b", "")


def places(text: str, sought: str) -> list[tuple[float, float]]:
    """Left and bottom, in points, of a word wherever it stands on the first page."""
    page = pypdfium2.PdfDocument(attempt(outgoing(text_mail(text)), Tier.HTML).pdf)[0].get_textpage()
    search, found = page.search(sought), []
    while (hit := search.get_next()) is not None:
        left, bottom, _, _ = page.get_charbox(hit[0], loose=True)
        found.append((left, bottom))
    return found


def test_only_paragraphs_with_columns_are_set_in_letters_of_one_width() -> None:
    shown = html("Dear Anna,\n\nsee below.\n\nBolt   20   1.00\nNut    30   2.00\nTotal       3.00\n\nKind regards\n")
    assert shown.startswith("<div>Dear Anna,\n\nsee below.\n\n</div><div class=")
    assert '<div class="aligned" style="font-size:8.8pt">Bolt   20   1.00\nNut    30   2.00\nTotal' in shown
    assert shown.endswith("<div>Kind regards\n\n</div>")


def test_a_gap_or_two_make_no_table() -> None:
    assert "aligned" not in html("Tel.     +49 40 5550\nFax      +49 40 5551\n\nOne more line\n")


def test_columns_of_a_table_with_han_stand_below_one_another() -> None:
    """Every bar of a row as far from the left as in the row above: two letters are as wide as one Han."""
    bars = sorted(places(TABLE, "|"), key=lambda place: (-place[1], place[0]))
    assert len(bars) == 12
    rows = [[round(left, 1) for left, _ in bars[start : start + 4]] for start in (0, 4, 8)]
    assert rows[0] == rows[1] == rows[2]


def test_a_wide_table_is_set_smaller() -> None:
    row = f"{'x' * 60}    {'y' * 60}\n"
    shown = html(row * 3)
    assert "font-size:6.5pt" in shown
    assert len({bottom for _, bottom in places(row * 3, "yyyyyyyy")}) == 3


@pytest.mark.parametrize("text", ["first\n\n> second\n", "> first\n\nsecond\n", "first\n\nsecond\n"])
def test_an_empty_line_stays_between_two_kinds_of_lines(text: str) -> None:
    (_, above), (_, below) = places(text, "first") + places(text, "second")
    (_, one), (_, two) = places("first\nsecond\n", "first") + places("first\nsecond\n", "second")
    assert above - below == pytest.approx(2 * (one - two), abs=0.2)


def test_empty_lines_between_boxes_stay() -> None:
    """Forty lines of which every second is empty come in several boxes; each line stands two lines below the last."""
    found = [bottom for _, bottom in places("word\n\n" * 20, "word")]
    steps = {round(above - below, 1) for above, below in itertools.pairwise(found)}
    assert len(found) == 20
    assert len(steps) == 1


def test_each_line_goes_by_its_own_first_letter() -> None:
    shown = html("42 שלום רב\n\nEnglish, too\n> ציטוט\n")
    assert "<div dir=rtl>42 שלום רב\n\n</div>" in shown
    assert "<div dir=ltr>English, too</div>" in shown
    assert '<div class="quoted" dir=rtl>&gt; ציטוט</div>' in shown


def test_text_without_such_letters_has_no_direction() -> None:
    assert "dir=" not in html("Hello 你好\n")
