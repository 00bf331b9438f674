"""The advance widths of a TrueType or OpenType font program, read from its tables (ISO/IEC 14496-22)."""

from __future__ import annotations

import struct

from archiver.errors import IntegrityError

_HEAD_UNITS, _HHEA_METRICS, _MAXP_GLYPHS = 18, 34, 4


def advance_widths(program: bytes) -> list[float]:
    """The width of each glyph by its number, in thousandths of an em. IntegrityError when the tables are not whole."""
    try:
        tables = _tables(program)
        units = _number(program, tables[b"head"] + _HEAD_UNITS)
        measured = _number(program, tables[b"hhea"] + _HHEA_METRICS)
        glyphs = _number(program, tables[b"maxp"] + _MAXP_GLYPHS)
        widths = struct.unpack_from(">" + "Hxx" * measured, program, tables[b"hmtx"])
        scaled = [width * 1000 / units for width in widths]
        return scaled[:glyphs] + scaled[-1:] * (glyphs - measured)
    except (struct.error, KeyError, ZeroDivisionError) as error:
        raise IntegrityError("the program of a font is not whole") from error


def _tables(program: bytes) -> dict[bytes, int]:
    """The offset of each table by its tag."""
    count = _number(program, 4)
    entries = (struct.unpack_from(">4s4xI4x", program, 12 + 16 * at) for at in range(count))
    return dict(entries)


def _number(program: bytes, at: int) -> int:
    return int.from_bytes(struct.unpack_from(">2s", program, at)[0], "big")
