"""However large a night is, it writes at most 4 objects to a store and one for each 32 MiB it sends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.backup.allowance import WRITE_SIZE, Allowance
from archiver.backup.filling import PACK_SIZE
from archiver.journal import Waiting
from archiver.vault.catchup import Staged
from archiver.vault.pack import SEGMENT_FRAME, TEXT_FRAME

SMALLEST = PACK_SIZE - TEXT_FRAME - SEGMENT_FRAME
"""Bytes of a full pack at least: frames that wait are counted as if they did not compress."""

QUESTION = 1
"""The write with which an S3 service is asked whether it obeys conditions."""

PACKS = st.lists(
    st.tuples(st.integers(SMALLEST, 2 * PACK_SIZE), st.integers(1, PACK_SIZE // 2), st.booleans()), max_size=400
)


def staged(sizes: list[int]) -> list[Staged]:
    return [Staged(str(number), size, "") for number, size in enumerate(sizes)]


def night(packs: list[tuple[int, int, bool]], last: int) -> tuple[int, int, int]:
    """Writes, bytes and commits; the third of each tuple: whether the thread that makes commits is free then."""
    allowance, writes, size, commits = Allowance(), QUESTION, 0, 0
    waiting: list[int] = []
    lines = 0
    for pack, more, free in packs:
        waiting.append(pack)
        lines += more
        if free and allowance.allows(Waiting(len(waiting), 1, sum(waiting) + lines)):
            objects = staged([*waiting, lines])
            allowance.spend(objects)
            writes, size, commits = writes + len(objects) + 1, size + sum(waiting) + lines, commits + 1
            waiting, lines = [], 0
    writes += len(waiting) + 3
    return writes, size + sum(waiting) + lines + last, commits + 1


@settings(max_examples=500)
@given(PACKS, st.integers(1, PACK_SIZE))
def test_four_and_one_for_each_32_mib(packs: list[tuple[int, int, bool]], last: int) -> None:
    writes, size, _ = night(packs, last)
    assert writes <= 4 + size / WRITE_SIZE


def test_commits_stay_frequent() -> None:
    """What a killed run leaves in the spool, and what a second machine waits for, does not grow with the night."""
    for gigabytes in (1, 10, 100, 1000):
        count = gigabytes * 1024**3 // PACK_SIZE
        writes, size, commits = night([(PACK_SIZE, PACK_SIZE // 40, True)] * count, 1)
        print(
            f"{gigabytes} GiB: {count} packs, {commits} commits, {writes} writes, {4 + size / WRITE_SIZE:.1f} allowed"
        )
        assert count / commits <= 9
        assert writes <= 4 + size / WRITE_SIZE


def test_nothing_is_paid_before_it_is_there() -> None:
    assert not Allowance().allows(Waiting(0, 1, 0))
    assert not Allowance().allows(Waiting(1, 1, PACK_SIZE))
    assert Allowance().allows(Waiting(8, 1, 8 * PACK_SIZE))
