"""Holds as manifests tell them: what they cover, and that they stand until they are lifted, in whatever order read."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import ConfigError
from archiver.vault import merkle
from archiver.vault.holds import ALL, covered, end_note, era_of, hold_note, holds_of, is_era, standing
from archiver.vault.manifest import FIRST_PREV, Manifest, Note, parse, sign
from tests.small_archive import new_keys

WHEN = datetime(2026, 5, 1, tzinfo=UTC)


def manifest_of(notes: list[Note], seq: int = 1, writer: str = "0123456789abcdef") -> Manifest:
    prev = FIRST_PREV if seq == 1 else "1" * 64
    return Manifest("0" * 32, writer, seq, prev, WHEN, 0, merkle.root([]), (), tuple(notes))


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=100).filter(lambda t: t.strip() and t.isprintable())


@given(NAMES, st.sampled_from([ALL, "mail-2026", "mail-2031"]))
def test_what_is_written_is_read_back(name: str, era: str) -> None:
    """Through a signed manifest, whatever language the case has its name in."""
    machine = KEYS.machine
    data = sign(manifest_of([hold_note(name, era)]), machine.signing_key)
    (hold,) = holds_of([parse(data)])
    assert (hold.name, hold.era, hold.set_by, hold.since, hold.ended) == (
        name.strip(),
        era,
        "0123456789abcdef/0000000001",
        WHEN,
        None,
    )
    ended = manifest_of([end_note(hold)], 2)
    assert standing([parse(data), parse(sign(ended, machine.signing_key))]) == []


KEYS = new_keys()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "\x1b[31m"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        hold_note(name, ALL)


@pytest.mark.parametrize("era", ["", "2026", "mail", "mail-26", "all ", "../mail-2026"])
def test_eras_that_are_none_are_refused(era: str) -> None:
    assert not is_era(era)
    with pytest.raises(ConfigError):
        hold_note("case", era)


@given(st.integers(0, 2**32))
def test_a_hold_stands_until_its_own_end_whatever_the_order(seed: int) -> None:
    """Two writers set and lift at random; lines of one name are told apart by the manifest that set them."""
    rng = random.Random(seed)
    manifests: list[Manifest] = []
    expected: set[tuple[str, str]] = set()
    for seq in range(1, 20):
        writer = rng.choice(["a" * 16, "b" * 16])
        there = standing(manifests)
        if there and rng.random() < 0.5:
            gone = rng.choice(there)
            manifests.append(manifest_of([end_note(gone)], seq, writer))
            expected.discard((gone.set_by, gone.era))
        else:
            notes = [
                hold_note(rng.choice(["one", "two"]), era) for era in rng.sample([ALL, "mail-2026"], rng.randint(1, 2))
            ]
            manifests.append(manifest_of(notes, seq, writer))
            expected |= {(f"{writer}/{seq:010d}", note.text.split(" ")[0]) for note in notes}
    rng.shuffle(manifests)
    assert {(hold.set_by, hold.era) for hold in standing(manifests)} == expected


def test_an_end_of_another_hold_lifts_nothing() -> None:
    first, second = manifest_of([hold_note("case", ALL)]), manifest_of([hold_note("case", ALL)], 2)
    (hold, _) = holds_of([first, second])
    assert len(standing([first, second, manifest_of([end_note(hold)], 3)])) == 1
    assert len(standing([first, manifest_of([Note("hold-end", "nonsense", optional=True)], 3)])) == 1


def test_a_line_that_is_not_understood_holds_everything() -> None:
    (hold,) = standing([manifest_of([Note("hold", "in a way of a later version", optional=True)])])
    assert hold.covers("packs/mail-2026/ab/x.age")


def test_what_is_covered() -> None:
    holds = standing([manifest_of([hold_note("case", "mail-2026")])])
    for name in ("packs/mail-2026/ab/x.age", "catalog/mail-2026/x.age", "keys/era/mail-2026.1.age", "keys/root.pem"):
        assert covered(holds, name), name
    assert covered(holds, "manifests/w/1"), "what belongs to no era is needed to read it"
    for name in ("packs/mail-2027/ab/x.age", "keys/era/mail-20261.1.age", "catalog/mail-2025/x.age"):
        assert covered(holds, name) == (era_of(name) is None), name
    assert not covered([], "packs/mail-2026/ab/x.age")
