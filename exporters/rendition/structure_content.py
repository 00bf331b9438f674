"""What the content streams of a PDF do: which codes they show in which font, how deep they nest graphics states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pikepdf
from pikepdf import Array, Dictionary, Name

_SHOWING = {"Tj", "TJ", "'", '"'}
_CMYK_OPERATORS = {"k", "K"}
_MAX_FORMS = 40


@dataclass(slots=True)
class Survey:
    """What was found. shown: strings shown, by the number of the font object · balanced: each save has its restore."""

    shown: dict[int, set[bytes]] = field(default_factory=dict)
    depth: int = 0
    balanced: bool = True
    cmyk: bool = False
    interpolated: bool = False


def survey(document: pikepdf.Pdf) -> Survey:
    """Read each page, and the forms, patterns and glyphs that its resources hold. ValueError when forms nest without
    end.
    """
    reader = _Reader()
    for page in document.pages:
        resources = page.obj.get(Name.Resources, Dictionary())
        reader.found.depth = max(reader.found.depth, reader.read(page, resources))
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found = Survey()
        self._depths: dict[int, int] = {}
        self._nesting = 0

    def read(self, stream: pikepdf.Page | pikepdf.Object, resources: pikepdf.Object) -> int:
        """The depth of the stream with the forms it draws."""
        font: pikepdf.Object | None = None
        saved: list[pikepdf.Object | None] = []
        depth = self._parts(resources)
        for instruction in pikepdf.parse_content_stream(stream):
            operator, operands = str(instruction.operator), instruction.operands
            if operator == "q":
                saved.append(font)
            elif operator == "Q":
                font = self._restored(saved)
            elif operator == "Tf":
                font = resources.get(Name.Font, Dictionary()).get(str(operands[0]))
            elif operator in _SHOWING and font is not None:
                self.found.shown.setdefault(font.objgen[0], set()).update(_strings(operands))
            elif operator == "Do":
                depth = max(depth, len(saved) + self._drawn(resources, str(operands[0])))
            elif operator == "INLINE IMAGE":
                self._inline(operands[0].obj)
            self.found.cmyk |= operator in _CMYK_OPERATORS
            depth = max(depth, len(saved))
        self.found.balanced &= not saved
        return depth

    def _restored(self, saved: list[pikepdf.Object | None]) -> pikepdf.Object | None:
        if saved:
            return saved.pop()
        self.found.balanced = False
        return None

    def _drawn(self, resources: pikepdf.Object, name: str) -> int:
        drawn = resources.get(Name.XObject, Dictionary()).get(name)
        is_form = drawn is not None and drawn.get(Name.Subtype) == Name.Form
        return self._depth(drawn, resources) if is_form and drawn is not None else 0

    def _parts(self, resources: pikepdf.Object) -> int:
        """Read what is drawn without Do: patterns, soft masks, glyphs that are drawings."""
        return max((self._depth(part, resources) for part in _indirectly_drawn(resources)), default=0)

    def _depth(self, stream: pikepdf.Object, resources: pikepdf.Object) -> int:
        number = stream.objgen[0]
        if number not in self._depths:
            self._nesting += 1
            if self._nesting > _MAX_FORMS:
                raise ValueError("forms are nested too deep")
            self._depths[number] = self.read(stream, stream.get(Name.Resources, resources))
            self._nesting -= 1
        return self._depths[number]

    def _inline(self, image: pikepdf.Object) -> None:
        self.found.interpolated |= bool(image.get(Name.I) or image.get(Name.Interpolate))
        self.found.cmyk |= any(image.get(key) in (Name.CMYK, Name.DeviceCMYK) for key in (Name.CS, Name.ColorSpace))


def _strings(operands: Iterable[object]) -> Iterator[bytes]:
    for operand in operands:
        if isinstance(operand, pikepdf.String):
            yield bytes(operand)
        elif isinstance(operand, Array):
            yield from (bytes(part) for part in operand.as_list() if isinstance(part, pikepdf.String))


def _indirectly_drawn(resources: pikepdf.Object) -> Iterator[pikepdf.Object]:
    for pattern in resources.get(Name.Pattern, Dictionary()).values():
        if isinstance(pattern, pikepdf.Stream):
            yield pattern
    for state in resources.get(Name.ExtGState, Dictionary()).values():
        mask = state.get(Name.SMask)
        if isinstance(mask, Dictionary) and Name.G in mask:
            yield mask.G
    for font in resources.get(Name.Font, Dictionary()).values():
        yield from font.get(Name.CharProcs, Dictionary()).values()
