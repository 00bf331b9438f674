"""Whether an XMP packet says PDF/A-3u, describes what it uses, and agrees with the information dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_ID = "{http://www.aiim.org/pdfa/ns/id/}"
_EXTENSION = "{http://www.aiim.org/pdfa/ns/extension/}"
_SCHEMA = "{http://www.aiim.org/pdfa/ns/schema#}"
_PROPERTY = "{http://www.aiim.org/pdfa/ns/property#}"
_DC, _PDF, _XMP = (
    "{http://purl.org/dc/elements/1.1/}",
    "{http://ns.adobe.com/pdf/1.3/}",
    "{http://ns.adobe.com/xap/1.0/}",
)
_KNOWN = (_ID, _EXTENSION, _DC, _PDF, _XMP)
_SAME = {
    "/Title": f"{_DC}title",
    "/Author": f"{_DC}creator",
    "/Creator": f"{_XMP}CreatorTool",
    "/Producer": f"{_PDF}Producer",
    "/CreationDate": f"{_XMP}CreateDate",
    "/ModDate": f"{_XMP}ModifyDate",
}
_NOT_A_DIGIT = re.compile(r"\D")


def metadata_problems(packet: bytes, information: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the packet. `information`: the information dictionary's entries, "/Title" and so on."""
    if b"<!DOCTYPE" in packet:
        yield "the XMP metadata declare a document type"
        return
    try:
        root = ElementTree.fromstring(packet)  # noqa: S314 - without a document type there are no entities to expand
    except ElementTree.ParseError:
        yield "the XMP metadata are no XML"
        return
    values = _values(root)
    if (values.get(f"{_ID}part"), values.get(f"{_ID}conformance")) != ("3", "U"):
        yield "the XMP metadata do not say PDF/A-3u"
    yield from _undescribed(root, values)
    for name, value in information.items():
        if name not in _SAME or _plain(name, value) != _plain(name, values.get(_SAME[name], "")):
            yield f"the XMP metadata do not agree with {name[1:]}"


def _values(root: ElementTree.Element) -> dict[str, str]:
    """The properties with the text in them, written as elements or as attributes."""
    found: dict[str, str] = {}
    for description in root.findall(f"{_RDF}RDF/{_RDF}Description"):
        found |= {name: text for name, text in description.attrib.items() if not name.startswith(_RDF)}
        found |= {element.tag: "".join(element.itertext()).strip() for element in description}
    return found


def _undescribed(root: ElementTree.Element, values: Mapping[str, str]) -> Iterator[str]:
    """ISO 19005-3 section 6.6.2.3: a property of another namespace is described by an extension schema."""
    described: set[str] = set()
    for schema in root.iter(f"{_RDF}li"):
        namespace = schema.findtext(f"{_SCHEMA}namespaceURI")
        for entry in schema.iterfind(f"{_SCHEMA}property/{_RDF}Seq/{_RDF}li") if namespace else ():
            name, kind, category, description = (
                entry.findtext(_PROPERTY + part, "") for part in ("name", "valueType", "category", "description")
            )
            if kind and description and category in ("internal", "external"):
                described.add(f"{{{namespace}}}{name}")
    for name in values:
        if not name.startswith(_KNOWN) and name not in described:
            yield f"the XMP property {name.partition('}')[2]} is not described"


def _plain(name: str, value: str) -> str:
    return _NOT_A_DIGIT.sub("", value) if name.endswith("Date") else " ".join(value.split())
