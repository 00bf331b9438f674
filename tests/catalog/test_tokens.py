"""Tokens: what is found inside what, on every script and form, and how fast text is cut."""

from __future__ import annotations

import random
import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.catalog.tokens import RUN_LIMIT, TEXT_LIMIT, indexed, phrase
from tests.catalog.naive import holds, runs


def tokens(text: str) -> list[str]:
    """What FTS5's ascii tokenizer makes of a text (https://sqlite.org/fts5.html section 4.3.2)."""
    return re.findall("[0-9a-z\x80-\U0010ffff]+", text.lower() if text.isascii() else re.sub("[A-Z]", _lower, text))


def _lower(found: re.Match[str]) -> str:
    return found[0].lower()


def found(text: str, part: str) -> bool:
    """Whether FTS5 would find the phrase of `part` in the index of `text`."""
    made = phrase(part)
    if made is None:
        return False
    have, want = tokens(indexed(text)), tokens(made[0])
    whole = len(want) - made[1]
    return any(
        have[at : at + whole] == want[:whole] and (not made[1] or have[at + whole].startswith(want[-1]))
        for at in range(len(have) - len(want) + 1)
    )


CASES = [
    ("采购合同", "合同", True),
    ("采购合同", "采购合同", True),
    ("采购合同", "购合", True),
    ("采购合同", "同", True),
    ("采购合同", "采", True),
    ("采购合同", "合购", False),
    ("采购合同", "采合", False),
    ("采购合同", "合同书", False),
    ("采购 合同", "采购合同", False),
    ("采购\n合同", "采购合同", True),
    ("采购\r\n合同", "采购合同", True),
    ("采购\n\n合同", "采购合同", False),
    ("采购，购合同", "采购合同", False),
    ("合同PI-2024-0815号", "PI-2024-0815", True),
    ("合同PI-2024-0815号", "0815", True),
    ("合同PI-2024-0815号", "合同PI-2024-0815", True),
    ("合同PI-2024-0815号", "PI-2024-0815号", True),
    ("合同PI-2024-0815号", "PI-2024-081", False),
    ("采购合同PI", "合同pi", True),
    ("ＰＩ－２０２４－０８１５", "pi-2024-0815", True),
    ("PI-2024-0815", "ＰＩ－２０２４", True),
    ("<Li.Wei@Example.com>", "li.wei@example.com", True),
    ("<Li.Wei@Example.com>", "example.com", True),
    ("<Li.Wei@Example.com>", "wei", True),
    ("Straße", "STRASSE", True),
    ("Müller", "muller", True),
    ("Mu\u0308ller", "müller", True),
    ("résumé", "RESUME", True),
    ("Договор Ёлка", "договор елка", True),
    ("ｶﾞｲﾄﾞ", "ガイド", True),
    ("ガイド", "イト", False),
    ("が", "か\u3099", True),
    ("계약서", "계약", True),
    ("\u1100\u1161", "가", True),
    ("สัญญาซื้อขาย", "ซื้อ", True),
    ("①㎏ﬁx", "1kgfix", True),
    ("ﬁx", "fix", True),
    ("con\0tract", "tract", True),
    ("𠮷野家", "𠮷野", True),
    ("don't", "don't", True),
    ("合同。", "合同。", True),
]


@pytest.mark.parametrize(("text", "part", "inside"), CASES)
def test_what_is_found(text: str, part: str, inside: bool) -> None:
    assert found(text, part) is inside


def test_nothing_to_search_for() -> None:
    assert [phrase(text) for text in ("", "---", "。", "\0", " ", "\ud800")] == [None] * 6


def test_every_compatibility_form_is_found_as_what_it_stands_for() -> None:
    """Over all of Unicode, so that no form is missing from the pattern that picks them out."""
    wrong = []
    for code in (*range(0xD800), *range(0xE000, sys.maxunicode + 1)):
        char = chr(code)
        plain = unicodedata.normalize("NFKC", char)
        if plain != char and runs(char) and tokens(indexed(char)) != tokens(indexed(plain)):
            wrong.append(f"U+{code:04X}")
    assert wrong == []


ALPHABET = "ab1é ß-.\n合同采购ガｶﾞ가ａ１，🙂АйÅ"
TEXTS = st.text(ALPHABET, max_size=20)


@given(TEXTS, st.text(ALPHABET, min_size=1, max_size=5))
def test_found_exactly_where_it_is(text: str, part: str) -> None:
    if runs(part):
        assert found(text, part) is holds(text, part)
    else:
        assert phrase(part) is None


@given(TEXTS, st.data())
def test_every_part_of_an_unspaced_run_is_found(text: str, data: st.DataObject) -> None:
    unspaced = [run.text for run in runs(text) if run.unspaced]
    if unspaced:
        run = data.draw(st.sampled_from(unspaced))
        start = data.draw(st.integers(0, len(run) - 1))
        assert found(text, run[start : data.draw(st.integers(start + 1, len(run)))])


@given(st.text(max_size=200))
def test_any_text_can_be_indexed(text: str) -> None:
    made = indexed(text)
    made.encode("utf-8")
    assert "\0" not in made


def test_opaque_text_does_not_fill_the_index() -> None:
    rng = random.Random(1)
    block = "\r\n".join("".join(rng.choices("ABCDabcd0123+/", k=76)) for _ in range(1000))
    assert tokens(indexed(f"before\r\n{block}\r\nafter")) == ["before", tokens(indexed(block[-76:]))[0], "after"] or (
        len(tokens(indexed(f"before\r\n{block}\r\nafter"))) < 20
    )
    link = "https://click.example.com/ls/click?upn=" + "".join(rng.choices("abcdef0123456789", k=400))
    assert sum(map(len, tokens(indexed(link)))) < 100
    assert found(link, "click.example.com")


def test_long_runs_are_cut_the_same_on_both_sides() -> None:
    digest = "0123456789abcdef" * 8
    assert found(f"hash {digest} end", digest)
    assert max(map(len, tokens(indexed(digest)))) == RUN_LIMIT


def test_rows_of_a_table_without_spaces_stay_whole() -> None:
    row = "PI-2024-0815,Li Wei;USD;12500.00|FOB|Shanghai|Hamburg|2024-08-15|ETD|2024-09-01|MAERSK|MSKU1234567|40HQ|paid"
    for part in ("MSKU1234567", "40HQ", "12500.00", "PI-2024-0815", "paid"):
        assert found(row, part)


def test_only_so_much_of_a_text_is_indexed() -> None:
    assert len(indexed("合" * (TEXT_LIMIT + 10))) < 3 * TEXT_LIMIT + 10
    assert found("x" + " y" * (TEXT_LIMIT // 2) + " z", "z") is False


def test_speed() -> None:
    """Printed for the record; the bounds are far below what an idle machine does, and rule out loops in Python."""
    rng = random.Random(2)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(3000)]
    chinese = ["".join(chr(rng.randint(0x4E00, 0x5A00)) for _ in range(rng.randint(1, 4))) for _ in range(3000)]
    english_text = [" ".join(rng.choices(words, k=800)) for _ in range(300)]
    chinese_text = ["".join(rng.choices([*chinese, "，", "。\n", " PI-2024-0815 "], k=800)) for _ in range(300)]
    for name, texts, least in (("English", english_text, 10), ("Chinese", chinese_text, 3)):
        size = sum(len(text.encode()) for text in texts) / 1e6
        start = time.process_time()
        for text in texts:
            indexed(text)
        speed = size / (time.process_time() - start)
        print(f"tokens, {name}: {speed:.0f} MB/s")
        assert speed > least
