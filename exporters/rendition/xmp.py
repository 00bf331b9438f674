"""The metadata of a rendition: an XMP packet (ISO 16684-1), and the document information dictionary that says the same.

Every property of our own namespace is described by an extension schema in the packet, as ISO 19005-3 section
6.6.2.3 asks. Both are written as bytes here and nowhere else: `pikepdf` would rewrite the namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape

NAMESPACE = "urn:mailark:rendition:1#"
CREATOR = "Mailark"

_LIMIT = 2_000
_PROPERTIES = {
    "messageId": ("Text", "external", "Message-ID header of the message, without angle brackets"),
    "sha256": ("Text", "internal", "SHA-256 of the message's exact bytes, hexadecimal"),
    "sent": ("Date", "external", "Date header of the message"),
    "from": ("Text", "external", "From header of the message"),
    "subject": ("Text", "external", "Subject header of the message"),
    "tier": ("Text", "internal", "How much of the message's look is kept: 1, 1b, 2 (text alone) or 3 (header alone)"),
    "renderer": ("Text", "internal", "What made the pages, with versions"),
    "original": ("Text", "internal", "Whether the message itself is embedded, or named by its hash alone"),
    "messages": ("Integer", "internal", "Number of messages in the document"),
}
_NEITHER_XML_NOR_VISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]+"
)
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>U</pdfaid:conformance>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" \
xmlns:xmp="http://ns.adobe.com/xap/1.0/">
{standard}
</rdf:Description>
{own}</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_SCHEMA = """<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>Mailark rendition of a message</pdfaSchema:schema>
<pdfaSchema:namespaceURI>{namespace}</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>mailark</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq>
{properties}
</rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:mailark="{namespace}">
{values}
</rdf:Description>
"""
_PROPERTY = (
    '<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{}</pdfaProperty:name>'
    "<pdfaProperty:valueType>{}</pdfaProperty:valueType><pdfaProperty:category>{}</pdfaProperty:category>"
    "<pdfaProperty:description>{}</pdfaProperty:description></rdf:li>"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document says of itself. `created` is never the time of now, so that the same input gives the same bytes.

    own: properties of our namespace, by the names that the schema describes; dates as `xmp_date` writes them.
    """

    title: str
    producer: str
    author: str = ""
    created: datetime | None = None
    own: Mapping[str, str] = field(default_factory=dict)


def packet(facts: Facts) -> bytes:
    """The XMP packet, UTF-8. KeyError for an own property that no schema describes."""
    return _PACKET.format(standard="\n".join(_standard(facts)), own=_own(facts.own)).encode()


def information(facts: Facts) -> dict[str, str]:
    """The document information dictionary (ISO 32000-1 section 14.3.3) that agrees with the packet."""
    found = {
        "/Title": legal(facts.title),
        "/Author": legal(facts.author),
        "/Creator": CREATOR,
        "/Producer": legal(facts.producer),
    }
    if facts.created is not None:
        found["/CreationDate"] = found["/ModDate"] = pdf_date(facts.created)
    return {name: value for name, value in found.items() if value}


def legal(text: str) -> str:
    """The text as XML and a reader's title bar can hold it: one line, no control or direction signs, at most 2,000
    characters.
    """
    return _NEITHER_XML_NOR_VISIBLE.sub(" ", text[:_LIMIT]).strip()


def xmp_date(moment: datetime) -> str:
    """As ISO 8601 in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def pdf_date(moment: datetime) -> str:
    """As a PDF date string (ISO 32000-1 section 7.9.4) in UTC."""
    return f"{moment.astimezone(UTC):D:%Y%m%d%H%M%SZ}"


def _standard(facts: Facts) -> list[str]:
    """The properties of the namespaces that every reader knows."""
    title, author = _text(facts.title), _text(facts.author)
    lines = [f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>'] if title else []
    lines += [f"<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>"] if author else []
    lines += [f"<pdf:Producer>{_text(facts.producer)}</pdf:Producer>", f"<xmp:CreatorTool>{CREATOR}</xmp:CreatorTool>"]
    if facts.created is not None:
        date = xmp_date(facts.created)
        lines += [f"<xmp:CreateDate>{date}</xmp:CreateDate>", f"<xmp:ModifyDate>{date}</xmp:ModifyDate>"]
    return lines


def _own(own: Mapping[str, str]) -> str:
    """Our properties with the schema that describes exactly them."""
    if not own:
        return ""
    properties = "\n".join(_PROPERTY.format(name, *_PROPERTIES[name]) for name in own)
    values = "\n".join(f"<mailark:{name}>{_text(value)}</mailark:{name}>" for name, value in own.items())
    return _SCHEMA.format(namespace=NAMESPACE, properties=properties, values=values)


def _text(text: str) -> str:
    return escape(legal(text))
