"""The recipe of a message that was taken apart: where each segment goes back, and what the whole must hash to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archiver.errors import IntegrityError

MAX_SEGMENTS = 65_536
MAX_MESSAGE = 2**31
MAX_JSON = 32 * 1024 * 1024
MIN_LINE, MAX_LINE = 40, 996
"""Characters a base64 line may have: RFC 5322 section 2.1.1 allows 998, and only multiples of 4 are taken out."""

EOLS = (b"\r\n", b"\n")
HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
PACK = re.compile(r"packs/[a-z]{1,32}-[0-9]{4}/[0-9a-f]{2}/[0-9a-f]{64}\.age", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment in a message.

    at: offset in the skeleton before which its text goes · name: of the segment, 64 hex digits
    size: its decoded bytes · line: base64 characters a line · eol: what stands between two lines
    pack: the object that holds it, "" for the pack that holds the recipe
    """

    at: int
    name: str
    size: int
    line: int
    eol: bytes
    pack: str = ""

    @property
    def encoded(self) -> int:
        """Bytes of the base64 text, the line ends between its lines included (the last line has none)."""
        characters = (self.size + 2) // 3 * 4
        return characters + (-(-characters // self.line) - 1) * len(self.eol)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How skeleton and segments become the message again. `sha256` and `size` (bytes) are of the whole message."""

    sha256: str
    size: int
    parts: tuple[Part, ...]

    def located(self, packs: Mapping[str, str]) -> Recipe:
        """The same recipe, naming for each segment in `packs` the earlier pack (an object name) that holds it."""
        return replace(self, parts=tuple(replace(part, pack=packs.get(part.name, "")) for part in self.parts))

    def packs(self) -> dict[str, str]:
        """Segment name -> the pack that holds it, "" for the pack that holds the recipe."""
        return {part.name: part.pack for part in self.parts}

    def to_json(self) -> bytes:
        """The one way to write this recipe: compact JSON, ASCII, keys in this order, `pack` left out when empty."""
        segments = [
            {"at": part.at, "name": part.name, "size": part.size, "line": part.line, "eol": part.eol.decode("ascii")}
            | ({"pack": part.pack} if part.pack else {})
            for part in self.parts
        ]
        value = {"recipe": 1, "sha256": self.sha256, "size": self.size, "segments": segments}
        return json.dumps(value, separators=(",", ":")).encode("ascii")

    @staticmethod
    def parse(data: bytes) -> Recipe:
        """Read what `to_json` wrote; anything else, to the byte, raises IntegrityError."""
        try:
            recipe = _read(data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise IntegrityError("a recipe is damaged") from error
        if recipe.to_json() != data:
            raise IntegrityError("a recipe is not in its canonical form")
        return recipe


def _read(data: bytes) -> Recipe:
    if len(data) > MAX_JSON:
        raise ValueError("too long")
    value: dict[str, Any] = json.loads(data)
    if value["recipe"] != 1 or not 0 < len(value["segments"]) <= MAX_SEGMENTS:
        raise ValueError("unknown version or number of segments")
    parts = tuple(_part(segment) for segment in value["segments"])
    recipe = Recipe(_hex(value["sha256"]), _whole(value["size"], MAX_MESSAGE), parts)
    offsets = [part.at for part in parts]
    if offsets != sorted(offsets) or sum(part.encoded for part in parts) + offsets[-1] > recipe.size:
        raise ValueError("segments out of order or longer than the message")
    return recipe


def _part(value: dict[str, Any]) -> Part:
    line, eol, pack = _whole(value["line"], MAX_LINE), value["eol"].encode("ascii"), value.get("pack", "")
    if line < MIN_LINE or line % 4 or eol not in EOLS or (pack and not PACK.fullmatch(pack)):
        raise ValueError("line length, line end or pack")
    at, size = _whole(value["at"], MAX_MESSAGE), _whole(value["size"], MAX_MESSAGE)
    return Part(at, _hex(value["name"]), size, line, eol, pack)


def _whole(value: object, limit: int) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise ValueError("not a number within its limits")
    return value


def _hex(value: str) -> str:
    if not HEX64.fullmatch(value):
        raise ValueError("not 64 hex digits")
    return value
