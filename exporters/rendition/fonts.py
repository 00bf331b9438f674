"""The fonts of a rendition: an own fontconfig configuration that knows the Noto families alone, so that machines with
the same font packages draw the same pages, and Chinese text is never set in Japanese faces.

fontconfig is asked through ctypes (https://www.freedesktop.org/software/fontconfig/fontconfig-devel/), which needs
none of WeasyPrint's second of import.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from archiver.errors import ConfigError

CONFIGURATION = Path(__file__).with_name("fonts.conf")
INSTALL_PANGO = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
INSTALL = "apt-get install fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
NEEDED = (
    "Noto Sans",
    "Noto Serif",
    "Noto Sans Mono",
    "Noto Sans CJK SC",
    "Noto Serif CJK SC",
    "Noto Color Emoji",
)
"""Families without which a rendition would show boxes where a letter has words."""

_FONTCONFIG = ("libfontconfig.so.1", "libfontconfig.1.dylib", "libfontconfig-1.dll")
_HARFBUZZ = ("libharfbuzz.so.0", "libharfbuzz.0.dylib", "libharfbuzz-0.dll")
_UNSEEN = frozenset({"Cf", "Cc", "Zl", "Zp", "Zs"})
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class _FontSet(ctypes.Structure):
    """FcFontSet of fontconfig.h."""

    _fields_ = (("count", ctypes.c_int), ("room", ctypes.c_int), ("patterns", ctypes.POINTER(ctypes.c_void_p)))


@dataclass(frozen=True, slots=True)
class Inventory:
    """The fonts found. families: their names · characters: the FcCharSet of all together · files: (name, bytes)."""

    families: frozenset[str]
    characters: ctypes.c_void_p
    files: tuple[tuple[str, int], ...]


def use() -> None:
    """Make fontconfig and Pango of this process use our fonts alone. To be called before WeasyPrint is imported."""
    os.environ["FONTCONFIG_FILE"] = str(CONFIGURATION)
    # Pango asks this for the language of letters that the language of the page is not written in.
    os.environ["PANGO_LANGUAGE"] = "zh-cn:en"


def require() -> None:
    """Raise ConfigError, with the command that installs them, unless all `NEEDED` families are there."""
    missing = [family for family in NEEDED if family not in inventory().families]
    if missing:
        raise ConfigError(f"fonts for PDF are missing: {', '.join(missing)}", f"install them: {INSTALL}")


@lru_cache(maxsize=65_536)
def covered(char: str) -> bool:
    """Whether a page can show this character: some font has a glyph for it, or it needs none (spaces, joiners, signs
    of direction, variation selectors). Private use is never covered: its glyphs mean something else in each font.
    """
    code = ord(char)
    kind = unicodedata.category(char)
    if kind in ("Co", "Cs", "Cn"):
        return False
    if kind in _UNSEEN or any(code in selectors for selectors in _VARIATION_SELECTORS):
        return True
    return bool(_library().FcCharSetHasChar(inventory().characters, code))


def fingerprint() -> str:
    """SHA-256 over the names and sizes of all fonts a rendition may use, and over the configuration."""
    seen = hashlib.sha256(CONFIGURATION.read_bytes())
    for name, size in inventory().files:
        seen.update(f"{name} {size}\n".encode())
    return seen.hexdigest()


@cache
def inventory() -> Inventory:
    """What our configuration finds on this machine; read once a process, some 20 ms.

    Raises ConfigError when fontconfig itself is missing.
    """
    use()
    library = _library()
    fonts = library.FcConfigGetFonts(library.FcInitLoadConfigAndFonts(), 0)
    patterns = fonts.contents.patterns[: fonts.contents.count] if fonts else []
    characters = ctypes.c_void_p(library.FcCharSetCreate())
    families: set[str] = set()
    files: set[tuple[str, int]] = set()
    for pattern in map(ctypes.c_void_p, patterns):
        families.add(_text(library, pattern, b"family"))
        path = Path(_text(library, pattern, b"file"))
        files.add((path.name, path.stat().st_size))
        found = ctypes.c_void_p()
        if library.FcPatternGetCharSet(pattern, b"charset", 0, ctypes.byref(found)) == 0:
            library.FcCharSetMerge(characters, found, None)
    return Inventory(frozenset(families), characters, tuple(sorted(files)))


def version() -> int:
    """Version of fontconfig, as 10000 * major + 100 * minor + revision."""
    return int(_library().FcGetVersion())


def harfbuzz() -> str:
    """Version of HarfBuzz, which shapes the text and cuts the fonts."""
    library = _load(_HARFBUZZ)
    library.hb_version_string.restype = ctypes.c_char_p
    return os.fsdecode(library.hb_version_string())


def _text(library: ctypes.CDLL, pattern: ctypes.c_void_p, name: bytes) -> str:
    value = ctypes.c_char_p()
    library.FcPatternGetString(pattern, name, 0, ctypes.byref(value))
    return os.fsdecode(value.value or b"")


def _load(names: tuple[str, ...]) -> ctypes.CDLL:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ConfigError(f"{names[0]} is missing: no PDF can be made", f"install it: {INSTALL_PANGO}")


@cache
def _library() -> ctypes.CDLL:
    library = _load(_FONTCONFIG)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.FcInitLoadConfigAndFonts.restype = pointer
    library.FcConfigGetFonts.argtypes = (pointer, ctypes.c_int)
    library.FcConfigGetFonts.restype = ctypes.POINTER(_FontSet)
    library.FcCharSetCreate.restype = pointer
    library.FcCharSetMerge.argtypes = (pointer, pointer, pointer)
    library.FcCharSetHasChar.argtypes = (pointer, ctypes.c_uint32)
    library.FcPatternGetCharSet.argtypes = (pointer, text, ctypes.c_int, ctypes.POINTER(pointer))
    library.FcPatternGetString.argtypes = (pointer, text, ctypes.c_int, ctypes.POINTER(text))
    return library
