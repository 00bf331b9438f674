"""Bech32 as age writes its keys: BIP 173, without its limit of 90 characters (C2SP age.md, "Conventions")."""

from __future__ import annotations

from collections.abc import Iterable

from archiver.errors import ConfigError

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_MAX_TEXT = 4096


def encode(prefix: str, data: bytes) -> str:
    """Lower-case text of `data` under the human-readable `prefix`."""
    prefix = prefix.lower()
    values = _regroup(data, 8, 5, pad=True)
    check = _checksum([*_expand(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> shift & 31 for shift in range(25, -1, -5)]
    return prefix + "1" + "".join(_ALPHABET[value] for value in values)


def decode(text: str) -> tuple[str, bytes]:
    """The prefix (lower case) and the bytes of `text`; ConfigError unless `encode` writes the same, in one case."""
    lower = text.lower()
    if len(text) > _MAX_TEXT or not text.isascii() or text not in (lower, text.upper()):
        raise ConfigError("a key is not valid Bech32 text")
    prefix, separator, tail = lower.rpartition("1")
    values = [_VALUES.get(letter, -1) for letter in tail]
    if not prefix or not separator or len(values) < 6 or -1 in values:
        raise ConfigError("a key is not valid Bech32 text")
    if _checksum([*_expand(prefix), *values]) != 1:
        raise ConfigError("a key has a wrong checksum", "one character was mistyped or lost: copy the key again")
    data = bytes(_regroup(values[:-6], 5, 8, pad=False))
    if encode(prefix, data) != lower:
        raise ConfigError("a key is not valid Bech32 text")
    return prefix, data


def _expand(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _checksum(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check


def _regroup(values: Iterable[int], width: int, new: int, *, pad: bool) -> list[int]:
    """Cuts a row of `width`-bit numbers into `new`-bit ones; bits that fill no number are dropped unless `pad`."""
    held, bits, result = 0, 0, []
    for value in values:
        held, bits = held << width | value, bits + width
        while bits >= new:
            bits -= new
            result.append(held >> bits)
            held &= (1 << bits) - 1
    if pad and bits:
        result.append(held << new - bits)
    return result
