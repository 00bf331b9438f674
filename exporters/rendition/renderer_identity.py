"""Which renderer made a page: its name for people, and a fingerprint of everything the pages depend on."""

from __future__ import annotations

import ctypes
import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import archiver.mime
from exporters.rendition import fonts

_ROOMS = (Path(__file__).parent, Path(archiver.mime.__file__).parent)
_SOURCES = (".py", ".css", ".conf", ".icc", ".xml")
_PACKAGES = (
    "weasyprint", "pydyf", "tinyhtml5", "tinycss2", "cssselect2", "pyphen", "fonttools", "pillow", "nh3", "pikepdf",
)  # fmt: skip
_PANGO = ("libpango-1.0.so.0", "libpango-1.0.dylib", "libpango-1.0-0.dll")


@cache
def name() -> str:
    """Who made a page, as its metadata say: the same for the same fingerprint."""
    return f"Mailark {version('mailark')}, WeasyPrint {version('weasyprint')}, renderer {fingerprint()[:16]}"


@cache
def fingerprint() -> str:
    """SHA-256, in hex, over our own code, the versions of the libraries, and the fonts. Some 30 ms.

    Raises ConfigError when fontconfig is missing.
    """
    seen = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in room.iterdir() if path.suffix in _SOURCES):
        seen.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            seen.update(f"{package} {version(package)}\n".encode())
    seen.update(f"pango {_pango()}\n".encode())
    seen.update(f"fontconfig {fonts.version()} {fonts.fingerprint()}\n".encode())
    return seen.hexdigest()


def _pango() -> int:
    """Version of Pango, which breaks the lines, as 10000 * major + 100 * minor + micro; 0 when there is none."""
    for name in _PANGO:
        with suppress(OSError):
            return int(ctypes.CDLL(name).pango_version())
    return 0
