"""Passphrases: made here so that they can be typed, recognised, and opened again however they are typed.

A generated one is 26 random symbols (130 bits) and four check symbols in six groups of five. Symbols are Crockford's
base32: no I, L, O or U; case, width, spaces and hyphens do not matter, and O, I, L are read as the digits they look
like.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata

from archiver.errors import ConfigError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LOOK_ALIKE = str.maketrans("oil", "011", " -\t\r\n\u2010\u2011\u2013\u2212\u3000")
_RANDOM, _CHECK, _GROUP = 26, 4, 5
SHORTEST = 12
"""Characters a chosen passphrase must have at least."""


def new_passphrase() -> str:
    """A passphrase of 130 random bits in its one written form, such as `k3m9x-…` (35 characters)."""
    symbols = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return _written(symbols + _check(symbols))


def is_generated(passphrase: str) -> bool:
    """Whether its check symbols prove that `new_passphrase` made it (one in a million others of this shape passes)."""
    symbols = _symbols(passphrase)
    return symbols is not None and symbols[_RANDOM:] == _check(symbols[:_RANDOM])


def looks_mistyped(passphrase: str) -> bool:
    """Whether it has the shape of a generated one, but its check symbols disagree."""
    return _symbols(passphrase) is not None and not is_generated(passphrase)


def normalise(passphrase: str) -> str:
    """The form that is used as key: the written one if generated, else Unicode NFC without space around it."""
    symbols = _symbols(passphrase)
    if symbols is not None and is_generated(passphrase):
        return _written(symbols)
    return unicodedata.normalize("NFC", passphrase).strip()


def check_strength(passphrase: str) -> None:
    """ConfigError when a passphrase is empty, short or mistyped, before an archive is made with it."""
    if looks_mistyped(passphrase):
        raise ConfigError("the passphrase has a typing error", "compare it with the recovery sheet, letter by letter")
    if len(normalise(passphrase)) < SHORTEST:
        raise ConfigError(
            f"the passphrase is too short: {SHORTEST} characters at least", "let mailark make one: it is safer"
        )


def _symbols(passphrase: str) -> str | None:
    symbols = unicodedata.normalize("NFKC", passphrase).lower().translate(_LOOK_ALIKE)
    fits = len(symbols) == _RANDOM + _CHECK and set(symbols) <= set(_ALPHABET)
    return symbols if fits else None


def _check(symbols: str) -> str:
    digest = hashlib.sha256(b"mailark passphrase 1\n" + symbols.encode("ascii")).digest()
    return "".join(_ALPHABET[byte % 32] for byte in digest[:_CHECK])


def _written(symbols: str) -> str:
    return "-".join(symbols[start : start + _GROUP] for start in range(0, len(symbols), _GROUP))
