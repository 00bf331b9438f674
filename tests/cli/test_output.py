"""What is printed: aligned in Chinese, harmless for a terminal, JSON that says the same."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.cli import output
from archiver.cli.progress import Bars, Lines
from archiver.model import Problem

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("title\x1b]0;owned\x07 text", "title text"),
        ("link \x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "link here"),
        ("\x9b2Jclear", "clear"),
        ("\x90q sixel\x9cafter", "after"),
        ("\x1bPq sixel\x1b\\after", "after"),
        ("a\x08\x08b\x00c\x7f", "abc"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("kept\tas\nit is\r\n采购合同", "kept\tas\nit is\n采购合同"),
        ("overwritten\rline", "overwritten\nline"),
        ("\x1b(0line drawing", "line drawing"),
        ("\x1b[38;5;1", ""),
    ],
)
def test_escape_sequences_are_taken_out(hostile: str, harmless: str) -> None:
    assert output.clean(hostile) == harmless


@given(ANY_TEXT)
def test_no_control_survives(text: str) -> None:
    left = output.clean(text)
    assert not [char for char in left if (char < " " and char not in "\n\t") or "\x7f" <= char <= "\x9f"]
    left.encode("utf-8")
    assert output.clean(left) == left


@given(ANY_TEXT)
def test_json_reads_back_as_it_was_and_is_harmless(text: str) -> None:
    shown = output.as_json({"text": text})
    assert json.loads(shown) == {"text": text}
    assert output.clean(shown) == shown


def test_json_keeps_chinese_readable_and_times_exact() -> None:
    shown = output.as_json({"subject": "采购合同", "date": datetime(2024, 3, 1, 8, 30, tzinfo=UTC)})
    assert "采购合同" in shown
    assert json.loads(shown)["date"] == "2024-03-01T08:30:00+00:00"


@given(ANY_TEXT.map(output.one_line), st.integers(1, 30))
def test_fit_never_takes_more_columns(text: str, columns: int) -> None:
    assert output.width(output.fit(text, columns)) <= columns


def test_tables_are_aligned_in_columns_not_characters() -> None:
    lines = output.table(
        ("Subject", "Size"), [("采购合同", "7"), ("plain", "1,234"), ("cafe\u0301", "")], numbers=(1,)
    ).splitlines()
    assert lines == [
        "Subject    Size",
        "采购合同      7",
        "plain     1,234",
        "cafe\u0301",
    ]
    assert {output.width(line) for line in lines[:3]} == {15}


def test_a_very_long_name_widens_its_own_line_only_and_is_not_cut() -> None:
    long = "x" * 240
    lines = output.table(("Folder", "Messages"), [("INBOX", "8"), (long, "1")], numbers=(1,)).splitlines()
    assert max(map(len, lines[:2])) == output.WIDEST + len("  Messages")
    assert lines[2] == f"{long}         1"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_600, "100 kB"), (1_300_000_000, "1.3 GB"), (5e15, "5000.0 TB")],
)
def test_sizes(count: float, shown: str) -> None:
    assert output.size(count) == shown


def test_without_a_terminal_each_folder_and_each_problem_is_one_line() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.begin("sales/INBOX", 2, 100)
    lines.advance("sales/INBOX", 2, 100)
    lines.problem(Problem("sales/INBOX/7", "the server\ngave \x1b[1mnothing"))
    lines.end("sales/INBOX", "2 new")
    assert stream.getvalue() == "problem: sales/INBOX/7: the server gave nothing\nsales/INBOX: 2 new\n"


def test_on_a_terminal_a_bar_tells_count_rate_and_time_left() -> None:
    stream = io.StringIO()
    bars = Bars(stream)
    bars.begin("sales/INBOX", 200, 4_000_000)
    for _ in range(2):
        bars.advance("sales/INBOX", 50, 1_000_000)
    bars._bars["sales/INBOX"][0].refresh()
    shown = stream.getvalue()
    bars.end("sales/INBOX", "200 new")
    assert "sales/INBOX  100/200" in shown
    assert "messages/s" in shown
    assert "B/s" in shown
    assert "left" in shown
    assert stream.getvalue().endswith("sales/INBOX: 200 new\n")


def test_a_monitor_never_raises_when_nobody_listens_any_more() -> None:
    stream = io.StringIO()
    lines, bars = Lines(stream), Bars(stream)
    bars.begin("x", 1, 1)
    stream.close()
    for monitor in (lines, bars):
        monitor.advance("x", 1, 1)
        monitor.problem(Problem("x", "y"))
        monitor.end("x", "done")


def test_a_flood_of_problems_is_cut() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for number in range(200):
        lines.problem(Problem(f"file:///srv/%E5%BA%93 packs/{number}", "missing"))
    shown = stream.getvalue().splitlines()
    assert shown[0] == "problem: /srv/库 packs/0: missing"
    assert shown[-1] == "problem: there are more; --json lists them all"
    assert len(shown) == 51
