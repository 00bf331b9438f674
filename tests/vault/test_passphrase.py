"""Passphrases: what is made, what is typed, what is refused."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import AuthError, ConfigError
from archiver.vault import keys, passphrase

LOG_N = 4


def _full_width(text: str) -> str:
    """As a Chinese input method may type it."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def test_a_generated_passphrase_opens_however_it_is_typed() -> None:
    made = keys.new_passphrase()
    new = keys.create(made, classic=False, generated=True, first_year=2026, years=1, log_n=LOG_N)
    typed = made.upper().replace("-", " ").replace("0", "O").replace("1", "l")
    for variant in (made, made.upper(), made.replace("-", ""), typed, f"  {made}\n", _full_width(made)):
        assert keys.unlock(new.objects.__getitem__, new.objects, variant).archive == new.archive
    mistyped = made[:-1] + ("a" if made[-1] != "a" else "b")
    with pytest.raises(AuthError) as caught:
        keys.unlock(new.objects.__getitem__, new.objects, mistyped)
    assert "typing error" in caught.value.hint


@pytest.mark.parametrize("weak", ["", "short", "          x", "ｐｗ", "甲乙丙丁戊己庚辛壬癸子"])
def test_weak_passphrases_are_refused(weak: str) -> None:
    with pytest.raises(ConfigError):
        keys.create(weak, classic=True, generated=False, first_year=2026, log_n=LOG_N)


def test_a_mistyped_generated_passphrase_makes_no_archive() -> None:
    made = keys.new_passphrase()
    wrong = made[:-1] + ("a" if made[-1] != "a" else "b")
    for generated in (True, False):
        with pytest.raises(ConfigError):
            keys.create(wrong, classic=True, generated=generated, first_year=2026, log_n=LOG_N)


def test_passphrases_are_random_and_have_check_symbols() -> None:
    made = {keys.new_passphrase() for _ in range(1000)}
    assert len(made) == 1000
    for one in made:
        assert re.fullmatch("([0-9a-hjkmnp-tv-z]{5}-){5}[0-9a-hjkmnp-tv-z]{5}", one)
        assert passphrase.is_generated(one)
        assert passphrase.normalise(one) == one


def test_single_typing_errors_and_swapped_neighbours_are_noticed() -> None:
    right = "7k3fm-9xq2a-vw8dt-05hnc-r6jys-z615e"
    assert passphrase.is_generated(right)
    symbols = right.replace("-", "")
    wrong = {
        symbols[:at] + other + symbols[at + 1 :]
        for at in range(len(symbols))
        for other in "0123456789abcdefghjkmnpqrstvwxyz"
    }
    wrong |= {symbols[:at] + symbols[at + 1] + symbols[at] + symbols[at + 2 :] for at in range(len(symbols) - 1)}
    wrong.discard(symbols)
    assert len(wrong) >= 30 * 31
    for one in wrong:
        assert passphrase.looks_mistyped(one), one


@given(st.text(max_size=40))
def test_normalising_is_stable_and_never_fails(text: str) -> None:
    once = passphrase.normalise(text)
    assert passphrase.normalise(once) == once
    assert passphrase.normalise(unicodedata.normalize("NFD", text)) == once
