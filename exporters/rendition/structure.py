"""Whether a file has the structure of PDF/A-3u that a rendition promises: one function a rule.

Not a whole validator of ISO 19005-3: it checks what a layout engine or a message could get wrong.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator

import pikepdf
from pikepdf import Array, Dictionary, Name

from exporters.rendition.structure_content import Survey, survey
from exporters.rendition.structure_fonts import font_problems
from exporters.rendition.structure_xmp import metadata_problems

_MAX_DEPTH = 28
_PRINT, _HIDING = 4, 1 | 2 | 32 | 256
_LINKS = ("http:", "https:", "mailto:", "tel:")
_DAMAGE = (
    pikepdf.PdfError,
    pikepdf.PasswordError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)
_CMYK = (Name.DeviceCMYK, Name.CMYK)


def check(pdf: bytes) -> list[str]:
    """What is wrong with the file, one line each, [] when nothing is. Never raises for a damaged file."""
    try:
        with pikepdf.open(io.BytesIO(pdf), inherit_page_attributes=False) as document:
            if document.is_encrypted:
                return ["the file is encrypted"]
            return list(dict.fromkeys(_problems(document)))
    except _DAMAGE as error:
        return [f"the file cannot be read: {type(error).__name__}"]


def _problems(document: pikepdf.Pdf) -> Iterator[str]:
    for rule in _RULES:
        yield from rule(document)
    found = survey(document)
    yield from _content(found)
    yield from font_problems(document, found)


def _identifier(document: pikepdf.Pdf) -> Iterator[str]:
    """ISO 19005-3 section 6.1.3."""
    if len(document.trailer.get(Name.ID, Array())) != 2 or not all(bytes(half) for half in document.trailer.ID):
        yield "the trailer has no file identifier"


def _output_intent(document: pikepdf.Pdf) -> Iterator[str]:
    """ISO 19005-3 section 6.2.3: one colour profile for all; with it DeviceRGB and DeviceGray are defined."""
    intents = [intent for intent in document.Root.get(Name.OutputIntents, Array()) if intent.S == Name.GTS_PDFA1]
    profiles = {intent.DestOutputProfile.objgen: intent.DestOutputProfile for intent in intents}
    if len(profiles) != 1 or any(profile.read_bytes()[12:20] != b"mntrRGB " for profile in profiles.values()):
        yield "there is no single output intent with an RGB profile"


def _metadata(document: pikepdf.Pdf) -> Iterator[str]:
    if Name.Metadata not in document.Root:
        yield "there are no XMP metadata"
        return
    information = {str(name): str(value) for name, value in document.trailer.get(Name.Info, Dictionary()).items()}
    yield from metadata_problems(document.Root.Metadata.read_bytes(), information)


def _images_and_actions(document: pikepdf.Pdf) -> Iterator[str]:
    """ISO 19005-3 sections 6.2.8, 6.2.4.3 and 6.5: in any dictionary, wherever it hangs."""
    for thing in document.objects:
        for dictionary in _within(thing):
            if dictionary.get(Name.Interpolate):
                yield "an image is interpolated"
            if Name.AA in dictionary:
                yield "an action runs without being asked"
            if any(_is_cmyk(dictionary.get(key)) for key in (Name.ColorSpace, Name.CS)):
                yield "colours are DeviceCMYK"
            if Name.S in dictionary and Name.StructParent not in dictionary:
                yield from _action(dictionary)
    if Name.JavaScript in document.Root.get(Name.Names, Dictionary()):
        yield "there is JavaScript"


def _within(thing: object) -> Iterator[pikepdf.Object]:
    """The dictionary and the direct ones in it, streams' too."""
    waiting = [thing]
    while waiting:
        at = waiting.pop()
        if isinstance(at, (Dictionary, pikepdf.Stream)):
            yield at
            waiting += [value for _, value in at.items() if _is_direct(value)]
        elif isinstance(at, Array):
            waiting += [value for value in at.as_list() if _is_direct(value)]


def _is_direct(value: object) -> bool:
    return isinstance(value, (Dictionary, Array)) and not value.is_indirect


def _is_cmyk(space: object) -> bool:
    if isinstance(space, Array):
        return any(_is_cmyk(part) for part in space.as_list())
    return isinstance(space, Name) and space in _CMYK


def _action(action: pikepdf.Object) -> Iterator[str]:
    kind = str(action.S)
    if kind in ("/JavaScript", "/Launch", "/GoToR", "/GoToE", "/SubmitForm", "/ImportData", "/ResetForm", "/Rendition"):
        yield f"there is an action {kind[1:]}"
    elif kind == "/URI" and not str(action.get(Name.URI, "")).lower().startswith(_LINKS):
        yield "a link leads to something else than a page or an address"


def _annotations(document: pikepdf.Pdf) -> Iterator[str]:
    """ISO 19005-3 section 6.3.2: each is printed, none hidden."""
    for number, page in enumerate(document.pages, 1):
        for annotation in page.obj.get(Name.Annots, Array()).as_list():
            flags = int(annotation.get(Name.F, 0))
            if not flags & _PRINT or flags & _HIDING:
                yield f"page {number}: an annotation is not printed"


def _embedded_files(document: pikepdf.Pdf) -> Iterator[str]:
    """ISO 19005-3 section 6.8: each embedded file is associated, and the other way round; and each is what it says."""
    tree = document.Root.get(Name.Names, Dictionary()).get(Name.EmbeddedFiles, Dictionary()).get(Name.Names, Array())
    entries = list(tree.as_list())
    named = {specification.objgen for specification in entries[1::2]}
    if named != {specification.objgen for specification in document.Root.get(Name.AF, Array())}:
        yield "embedded files and associated files are not the same"
    if (names := [bytes(name) for name in entries[0::2]]) != sorted(set(names)):
        yield "the names of the embedded files are not sorted"
    for thing in document.objects:
        if isinstance(thing, Dictionary) and Name.EF in thing:
            if thing.objgen not in named:
                yield "an embedded file has no name"
            yield from _specification(thing)


def _specification(specification: pikepdf.Object) -> Iterator[str]:
    content = specification.EF.get(Name.F)
    if not {Name.F, Name.UF, Name.AFRelationship} <= {Name(key) for key in specification.keys()}:  # noqa: SIM118
        yield "an embedded file has no name or no relationship"
    if content is None or Name.Subtype not in content:
        yield "an embedded file has no type"
        return
    data, params = content.read_bytes(), content.get(Name.Params, Dictionary())
    if int(params.get(Name.Size, -1)) != len(data):
        yield "an embedded file has not the size it says"
    if bytes(params.get(Name.CheckSum, b"")) != hashlib.md5(data, usedforsecurity=False).digest():
        yield "an embedded file has not the checksum it says"


def _content(found: Survey) -> Iterator[str]:
    """ISO 19005-3 sections 6.1.13 and 6.2.4.3."""
    if found.depth > _MAX_DEPTH:
        yield f"graphics states are nested {found.depth} deep, more than {_MAX_DEPTH}"
    if not found.balanced:
        yield "graphics states are saved and not restored"
    if found.cmyk:
        yield "colours are DeviceCMYK"
    if found.interpolated:
        yield "an image is interpolated"


_RULES: tuple[Callable[[pikepdf.Pdf], Iterator[str]], ...] = (
    _identifier,
    _output_intent,
    _metadata,
    _images_and_actions,
    _annotations,
    _embedded_files,
)
