"""Keys of age as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import ConfigError
from archiver.vault import age, bech32
from tests.vault.age_kinds import HYBRID, PASSPHRASE, X25519


def test_key_texts_of_the_specification() -> None:
    """The examples in C2SP age.md."""
    classic = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    assert str(age.parse_identity(classic)) == classic
    assert (
        str(age.parse_identity(classic).recipient()) == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    )
    hybrid = age.parse_identity("AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR")
    recipient = str(hybrid.recipient())
    assert recipient.startswith(
        "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6caq5aap"
    )
    assert recipient.endswith("fnegrm9efhxpfqdkmhh6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k")
    assert str(age.parse_recipient(recipient)) == recipient


@pytest.mark.parametrize(
    "text", [str(X25519), str(X25519.recipient()), str(HYBRID)], ids=["identity", "recipient", "hybrid identity"]
)
def test_mistyped_keys_are_refused(text: str) -> None:
    parse = age.parse_identity if text.startswith("AGE") else age.parse_recipient
    assert str(parse(text)) == text
    wrong = {text[:at] + letter + text[at + 1 :] for at in range(len(text)) for letter in "aA1qQ é"} - {text}
    for other in {*wrong, text.swapcase(), text[:-1], text + "q", text + "\n", "", "age1", text.replace("1", "11", 1)}:
        with pytest.raises(ConfigError):
            parse(other)


def test_keys_of_the_wrong_kind_or_size_are_refused() -> None:
    for text in (
        bech32.encode("age", bytes(31)),
        bech32.encode("age1pq", bytes(1215)),
        bech32.encode("ssh", bytes(32)),
    ):
        with pytest.raises(ConfigError):
            age.parse_recipient(text)
        with pytest.raises(ConfigError):
            age.parse_identity(text.upper())
    with pytest.raises(ConfigError):  # coefficients beyond the modulus (FIPS 203 section 7.2)
        age.parse_recipient(bech32.encode("age1pq", b"\xff" * 1216))


def test_other_spellings_of_the_same_bech32_are_refused() -> None:
    right = bech32.encode("age", bytes(32))
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    values = [letters.index(letter) for letter in right.removeprefix("age1")[:-6]]
    values[-1] |= 1  # a bit that belongs to no byte
    check = bech32._checksum([*bech32._expand("age"), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> shift & 31 for shift in range(25, -1, -5)]
    for text in ("age1" + "".join(letters[value] for value in values), right.capitalize(), right + "\u0130"):
        with pytest.raises(ConfigError):
            bech32.decode(text)


@given(st.binary(max_size=200), st.text("abcdefghijk-", min_size=1, max_size=20))
def test_bech32_round_trip(data: bytes, prefix: str) -> None:
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)
    assert bech32.decode(bech32.encode(prefix, data).upper()) == (prefix, data)


def test_no_secret_in_a_repr() -> None:
    shown = repr([X25519, HYBRID, PASSPHRASE, X25519.recipient()])
    assert "correct horse" not in shown
    assert str(X25519)[20:] not in shown
