"""Places to break at in long runs, and signs that are shown as codes."""

from __future__ import annotations

import re
import time
import unicodedata
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.rendition.runs import BREAK, MARKERS, RUN, TENTH, Runs, Signs, breakable, chunk

WORDY = st.text(st.sampled_from("ab中\u0301\u200d👩🏽🇩🇪 \n\xa0<&का्षि각ᄀ\u1161"), max_size=300)


@given(st.one_of(WORDY, st.text(max_size=200)))
def test_nothing_is_added_or_lost(text: str) -> None:
    assert "".join(chunk(text)) == text
    assert unescape(breakable(text).replace(BREAK, "")) == unescape(
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )


@given(WORDY)
def test_never_inside_a_cluster(text: str) -> None:
    for piece in chunk(text)[1:]:
        assert unicodedata.category(piece[0])[0] != "M"
        assert piece[0] not in "\u200d🏽\u1161"
    for before in chunk(text)[:-1]:
        assert before[-1] not in "\u200d\u094d"


@pytest.mark.parametrize("sign", ["x", "中", "\xa0", "/", "ⓧ"])
def test_a_run_is_broken_every_forty_characters(sign: str) -> None:
    assert [len(piece) for piece in chunk(sign * 100)] == [RUN, RUN, 20]
    assert chunk(sign * RUN) == [sign * RUN]


@pytest.mark.parametrize(
    ("cluster", "length"),
    [
        ("e\u0301", 2),
        ("👩\u200d👩\u200d👧", 5),
        ("🇩🇪", 2),
        ("👍🏽", 2),
        ("\u1100\u1161\u11a8", 3),
        ("क्षि", 4),
        ("❤\ufe0f", 2),
        ("1\ufe0f\u20e3", 3),
    ],
)
def test_clusters_stay_whole(cluster: str, length: int) -> None:
    assert len(cluster) == length
    pieces = chunk(cluster * 100)
    assert len(pieces) > 2
    assert all(piece == cluster * (len(piece) // length) for piece in pieces)


def test_a_cluster_of_thousands_is_broken_all_the_same() -> None:
    assert max(map(len, chunk("a" + "\u0301" * 10_000))) < 300


def test_spaces_break_already() -> None:
    for space in " \t\n\u3000\u2003\u200b":
        assert BREAK not in breakable((("x" * 30) + space) * 5)


@given(st.lists(WORDY, max_size=6))
def test_pieces_of_a_text_are_broken_as_the_whole(pieces: list[str]) -> None:
    runs = Runs()
    fed = "".join(runs.feed(piece) for piece in pieces)
    assert fed.replace(BREAK, "") == breakable("".join(pieces)).replace(BREAK, "")
    assert all(len(unescape(part)) < RUN + 30 for line in fed.split(BREAK) for part in line.split())


def test_a_run_goes_on_in_the_next_piece_until_it_is_stopped() -> None:
    runs = Runs()
    assert runs.feed("x" * 30) == "x" * 30
    assert runs.feed("y" * 30) == "y" * 10 + BREAK + "y" * 20
    runs.stop()
    assert runs.feed("z" * 40) == "z" * 40


def test_many_small_pieces_are_broken_too() -> None:
    runs = Runs()
    assert "".join(runs.feed("x") for _ in range(200)).count(BREAK) == 4


def test_a_megabyte_takes_linear_time() -> None:
    for text in ("x" * 10**6, "中" * 10**6, "👩\u200d" * 500_000, "🇩🇪" * 500_000, "\u0301" * 10**6, "x " * 500_000):
        begun = time.process_time()
        breakable(text)
        assert time.process_time() - begun < 8


@pytest.mark.parametrize(
    ("text", "shown", "count"),
    [
        ("plain\ttext\n", "plain\ttext\n", 0),
        ("\x07", "[U+0007]", 1),
        ("\x9b", "[U+009B]", 1),
        ("\x01\x01", "[U+0001][U+0001]", 2),
        ("\x01" * 4, "[U+0001×4]", 4),
        ("\u202egpj.exe\u2066", "[U+202E]gpj.exe[U+2066]", 2),
        ("\U000e0041", "[U+E0041]", 1),
        ("\ud800x", "\ufffdx", 0),
        ("a\x0bb\x0cc", "a b c", 0),
        ("\ufeffa\u2060\u034f", "a", 0),
        ("\uf0b7 item", "• item", 0),
        ("\u200e\u200f\u00ad\u200b", "\u200e\u200f\u00ad\u200b", 0),
    ],
)
def test_signs(text: str, shown: str, count: int) -> None:
    signs = Signs()
    assert signs.clean(text) == shown
    assert signs.substituted == count


def test_signs_no_font_covers() -> None:
    signs = Signs(covered=lambda sign: sign in "中")
    assert signs.clean("中 \ue000 𠀀 ~x\xa0") == "中 [U+E000] [U+20000] ~x\xa0"
    assert signs.substituted == 2


def test_a_text_of_nothing_but_control_signs_does_not_grow_without_end() -> None:
    signs = Signs()
    shown = signs.clean("\x01\x02" * 100_000)
    assert len(shown) < 200_000 + 9 * MARKERS
    assert signs.substituted == 200_000


@given(st.text())
def test_any_text_is_clean_after_once(text: str) -> None:
    once = Signs().clean(text)
    assert Signs().clean(once) == once
    once.encode("utf-8")


def test_tags_make_flags_and_nothing_else() -> None:
    wales = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
    signs = Signs()
    assert signs.clean(f"a{wales}b") == f"a{wales}b"
    assert signs.substituted == 0
    assert signs.clean(f"{wales}\U000e0068\U000e0069") == f"{wales}[U+E0068][U+E0069]"
    assert "[U+E0067]" in signs.clean("\U0001f3f4\U000e0067\U000e0062x")


def test_long_runs_keep_their_text_short_ones_to_the_letter() -> None:
    url = "https://huaxin.example/" + "a1" * 180
    assert "\u200b" not in breakable(f"see {url}")
    assert breakable(url).replace("<wbr>", "") == url
    long = breakable("中" * 8_000)
    assert long.replace("<wbr>", "").replace("\u200b", "") == "中" * 8_000
    assert max(map(len, re.split("<wbr>|\u200b", long))) == RUN
    assert max(map(len, long.split("<wbr>"))) <= RUN * TENTH + TENTH
    assert long.count("<wbr>") < long.count("\u200b") / 5
