"""Real, hostile messages from public repositories: no exception, no mojibake, fast."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest

from archiver.mime import parse

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
LABELLED = re.compile(rb"(?:=\?|charset=\"?)(?:gb2312|gbk|gb18030|big5)", re.IGNORECASE)
# What Chinese turns into when it is read in a wrong charset.
MOJIBAKE = ("ÃÃ", "Â»", "锟斤拷", "ä¸", "ï¿½", "µÄ", "ÖÐ", "ÄúµÄ")


@pytest.fixture(scope="module")
def corpus() -> dict[str, bytes]:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus of real messages at {CORPUS}")
    return {str(path.relative_to(CORPUS)): path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))}


def test_every_message_is_parsed(corpus: dict[str, bytes]) -> None:
    defects: Counter[str] = Counter()
    seconds: list[float] = []
    for name, raw in corpus.items():
        started = time.perf_counter()
        parsed = parse(raw)
        seconds.append(time.perf_counter() - started)
        defects.update(parsed.defects)
        assert not any(defect.startswith("not parsed") for defect in parsed.defects), name
        assert all(len(found.data()) == found.size for found in parsed.attachments), name
    seconds.sort()
    mean, median, slow = sum(seconds) / len(seconds), seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
    print(f"\n{len(corpus)} messages, {sum(map(len, corpus.values())) / 1e6:.1f} MB")
    print(f"mean {mean * 1e6:.0f} µs, median {median * 1e6:.0f} µs, 99 % below {slow * 1e6:.0f} µs")
    for defect, count in defects.most_common():
        print(f"{count:5} {defect}")
    assert median < 1e-3


def test_chinese_messages_are_readable(corpus: dict[str, bytes]) -> None:
    checked = 0
    for name, raw in corpus.items():
        if not LABELLED.search(raw):
            continue
        parsed = parse(raw)
        text = parsed.subject + parsed.text
        chinese = sum("\u4e00" <= character <= "\u9fff" for character in text)
        assert not any(sign in text for sign in MOJIBAKE), name
        assert text.count("\ufffd") * 50 <= chinese + 50, name
        checked += chinese > 3
    print(f"{checked} messages with Chinese text")
    assert checked > 20
