"""The query language: its tree, its tolerance, its errors, and that it never fails in any other way."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.catalog.query import (
    LENGTH_LIMIT,
    And,
    Attached,
    Dates,
    Header,
    Identified,
    Judged,
    Node,
    Not,
    Or,
    Placed,
    Size,
    Words,
    parse,
)
from archiver.catalog.terms import RESULTS
from archiver.errors import ConfigError

MEANINGS: list[tuple[str, Node]] = [
    ("", And(())),
    ("　 \n", And(())),
    ("合同", Words("", "合同")),
    ("sales contract", And((Words("", "sales"), Words("", "contract")))),
    ('"sales contract"', Words("", "sales contract")),
    ("“sales contract”", Words("", "sales contract")),
    ('"say \\"yes\\" \\\\ no"', Words("", 'say "yes" \\ no')),
    ("ship*", Words("", "ship", start=True)),
    ('"bill of lad"*', Words("", "bill of lad", start=True)),
    ("from:li.wei@example.com", Words("from", "li.wei@example.com")),
    ("FROM:Li", Words("from", "Li")),
    ('subject:"sales contract"', Words("subject", "sales contract")),
    ("subject：“采购合同”", Words("subject", "采购合同")),
    ("file:pdf", Words("filename", "pdf")),
    ('folder:"INBOX/合同"', Placed("folder", "INBOX/合同")),
    ("folder:归档/*", Placed("folder", "归档/*")),
    ("account:li@example.com", Placed("account", "li@example.com")),
    ("flag:Seen", Placed("flag", "Seen")),
    ("label:合同/2024", Placed("label", "合同/2024")),
    (r"flag:\Seen", Placed("flag", r"\Seen")),
    ("has:attachment", Attached()),
    ("dkim:Pass", Judged("dkim", "pass")),
    ("arc:not-checked", Judged("arc", "not checked")),
    ("larger:5M", Size(True, 5 * 1024 * 1024)),
    ("smaller:200kb", Size(False, 200 * 1024)),
    ("larger：１０", Size(True, 10)),
    ("date:2024", Dates(date(2024, 1, 1), date(2024, 12, 31))),
    ("date:2024-02", Dates(date(2024, 2, 1), date(2024, 2, 29))),
    ("date:2024-08-15", Dates(date(2024, 8, 15), date(2024, 8, 15))),
    ("date:2024年8月15日", Dates(date(2024, 8, 15), date(2024, 8, 15))),
    ("date:2024/8", Dates(date(2024, 8, 1), date(2024, 8, 31))),
    ("date:2024-01..2024-06", Dates(date(2024, 1, 1), date(2024, 6, 30))),
    ("date:2024-01..", Dates(date(2024, 1, 1), None)),
    ("date:..2024", Dates(None, date(2024, 12, 31))),
    ("after:2024-03", Dates(date(2024, 3, 1), None)),
    ("before:2024-03", Dates(None, date(2024, 2, 29))),
    ("message-id:<a.b@c>", Header("a.b@c")),
    ("id:3F9c", Identified("3f9c")),
    ("a b OR c", Or((And((Words("", "a"), Words("", "b"))), Words("", "c")))),
    ("a AND (b OR c)", And((Words("", "a"), Or((Words("", "b"), Words("", "c")))))),
    ("（a OR b）c", And((Or((Words("", "a"), Words("", "b"))), Words("", "c")))),
    ("(a b) c", And((Words("", "a"), Words("", "b"), Words("", "c")))),
    ("-a", Not(Words("", "a"))),
    ("NOT a b", And((Not(Words("", "a")), Words("", "b")))),
    ("-(a b)", Not(And((Words("", "a"), Words("", "b"))))),
    ("-from:li", Not(Words("from", "li"))),
    ("合同，发票", And((Words("", "合同"), Words("", "发票")))),
    ("PI-2024-0815", Words("", "PI-2024-0815")),
    ("10:30", Words("", "10:30")),
    ("https://example.com/a?b=1", Words("", "https://example.com/a?b=1")),
    ("and or not", And((Words("", "and"), Words("", "or"), Words("", "not")))),
    ('"OR"', Words("", "OR")),
]


@pytest.mark.parametrize(("text", "tree"), MEANINGS, ids=[text or "empty" for text, _ in MEANINGS])
def test_meaning(text: str, tree: Node) -> None:
    assert parse(text) == tree
    assert parse(str(tree)) == tree


MISTAKES = [
    ('subject:"sales', "not closed", 8),
    ("“合同", "not closed", 0),
    ("(a OR b", "parenthesis is not closed", 0),
    ("a) b", "never opened", 1),
    ("()", "word is missing", 1),
    ("a OR", "word is missing", 4),
    ("OR a", "word is missing", 0),
    ("a AND OR b", "word is missing", 6),
    ("NOT", "word is missing", 3),
    ("form:li", "unknown field form", 0),
    ("x from:", "value is missing", 7),
    ("from: li", "value is missing", 5),
    ("a ---", "no letter or digit", 4),
    ('folder:""', "needs a value", 7),
    ("date:2024-13", "no such day", 5),
    ("date:2023-02-29", "no such day", 5),
    ("date:yesterday", "not a date", 5),
    ("date:..", "at least one end", 5),
    ("date:2024..2023", "backwards", 5),
    ("before:0001", "nothing lies before", 7),
    ("larger:many", "not a size", 7),
    ("has:stars", "has:attachment", 4),
    ("dkim:good", "dkim: knows only pass", 5),
    ("id:xyz", "not an id", 3),
    ("message-id:<>", "needs a value", 11),
]


@pytest.mark.parametrize(("text", "reason", "at"), MISTAKES, ids=[text for text, _, _ in MISTAKES])
def test_mistakes_are_shown_where_they_are(text: str, reason: str, at: int) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse(text)
    _, shown, caret = str(caught.value).split("\n")
    assert shown == f"  {text}"
    assert caret.index("^") - 2 == at


def test_the_caret_stands_below_wide_characters_too() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("采购合同 form:li " + "x" * 500)
    _, shown, caret = str(caught.value).split("\n")
    assert caret.index("^") == 2 + 8 + 1
    assert len(shown) < 100


@pytest.mark.parametrize("text", ["(" * 10_000, "-" * 10_000 + "a", "NOT " * 10_000 + "a", "(a " * 10_000])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_length_and_terms_are_bounded() -> None:
    with pytest.raises(ConfigError, match="longer"):
        parse("x" * (LENGTH_LIMIT + 1))
    with pytest.raises(ConfigError, match="more than"):
        parse("a " * 501)
    start = time.process_time()
    for text in ('"' * LENGTH_LIMIT, '"\\' * (LENGTH_LIMIT // 2), "a-" * (LENGTH_LIMIT // 2), ":" * LENGTH_LIMIT):
        with pytest.raises(ConfigError):
            parse(text + "\0(")
    assert time.process_time() - start < 5


PIECES = st.sampled_from(
    [" ", "(", ")", "（", "）", "-", '"', "“", "”", "\\", "*", ":", "：", "，", "AND", "OR", "NOT", "from", "date",
     "2024", "..", "larger", "5M", "合同", "a", "id", "folder", "\0", "\ud800", "has:attachment", "file:", "é", "%"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_nothing_but_a_config_error_is_ever_raised(text: str) -> None:
    try:
        tree = parse(text)
    except ConfigError as error:
        assert str(error)
    else:
        assert parse(str(tree)) == tree


VALUES = st.text(min_size=1, max_size=8)
SEARCHABLE = st.tuples(st.text(max_size=4), st.sampled_from("aé合7ß"), st.text(max_size=4)).map("".join)
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
TERMS = st.one_of(
    st.builds(
        Words, st.sampled_from(["", "from", "to", "cc", "subject", "filename", "text"]), SEARCHABLE, st.booleans()
    ),
    st.builds(Placed, st.sampled_from(["account", "folder", "flag", "label"]), VALUES),
    st.builds(Size, st.booleans(), st.integers(0, 10**15 - 1)),
    st.tuples(DAYS, DAYS).map(lambda ends: Dates(min(ends), max(ends))),
    st.builds(Dates, DAYS, st.none()),
    st.builds(Dates, st.none(), DAYS),
    st.just(Attached()),
    st.builds(Judged, st.sampled_from(["dkim", "arc"]), st.sampled_from(RESULTS)),
    st.text("abc@.<> ", min_size=1).filter(lambda t: t == t.strip().removeprefix("<").removesuffix(">")).map(Header),
    st.text("0123456789abcdef", min_size=1, max_size=64).map(Identified),
)


def _trees(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    few = st.lists(inner, min_size=2, max_size=4)
    return st.one_of(
        inner.map(Not),
        few.map(lambda items: [item for item in items if not isinstance(item, And)])
        .filter(lambda items: len(items) > 1)
        .map(lambda items: And(tuple(items))),
        few.map(lambda items: [item for item in items if not isinstance(item, Or)])
        .filter(lambda items: len(items) > 1)
        .map(lambda items: Or(tuple(items))),
    )


@given(st.recursive(TERMS, _trees, max_leaves=12))
def test_a_printed_tree_reads_the_same(tree: Node) -> None:
    assert parse(str(tree)) == tree
