"""Sets of UIDs as IMAP writes them (RFC 3501 section 9, sequence-set)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

Range = tuple[int, int]
"""First and last UID, both in the range."""

_RANGE = re.compile(rb"(\d+)(?::(\d+))?")


def ranges(uids: Collection[int]) -> list[Range]:
    """Ascending runs of neighbours; some servers refuse descending sets."""
    ordered = sorted(uids)
    if not ordered:
        return []
    breaks = [(low, high) for low, high in pairwise(ordered) if high - low > 1]
    starts = [ordered[0], *(high for _, high in breaks)]
    ends = [*(low for low, _ in breaks), ordered[-1]]
    return list(zip(starts, ends, strict=True))


def compact(uids: Collection[int], limit: int) -> Iterator[tuple[bytes, list[int]]]:
    """Sets in ascending ranges, each at most `limit` bytes long, with the UIDs each holds."""
    parts: list[bytes] = []
    held: list[int] = []
    length = 0
    for first, last in ranges(uids):
        part = b"%d" % first if first == last else b"%d:%d" % (first, last)
        if parts and length + len(part) + 1 > limit:
            yield b",".join(parts), held
            parts, held, length = [], [], 0
        parts.append(part)
        held.extend(range(first, last + 1))
        length += len(part) + 1
    if parts:
        yield b",".join(parts), held


def parse(text: bytes) -> list[Range]:
    """The ranges of a set; what is no number is passed over, a range written backwards is turned."""
    found = [(int(first), int(last or first)) for first, last in _RANGE.findall(text)]
    return [(min(pair), max(pair)) for pair in found]


def within(found: Sequence[Range], candidates: Collection[int]) -> frozenset[int]:
    """The candidates that lie in a range. Ranges are never expanded: servers send 1:4294967295."""
    if not found or not candidates:
        return frozenset()
    merged = _merged(found)
    taken: list[int] = []
    position = 0
    for uid in sorted(candidates):
        while position < len(merged) and merged[position][1] < uid:
            position += 1
        if position == len(merged):
            break
        if merged[position][0] <= uid:
            taken.append(uid)
    return frozenset(taken)


def count(found: Sequence[Range]) -> int:
    """How many UIDs the ranges hold."""
    return sum(last - first + 1 for first, last in _merged(found))


def _merged(found: Sequence[Range]) -> list[Range]:
    merged: list[Range] = []
    for first, last in sorted(found):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
