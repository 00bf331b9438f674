"""The parts of a message that are not its text: named, measured, and decoded when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from archiver.mime.charsets import Decoder
from archiver.mime.fields import parameter, parse_id
from archiver.mime.tree import Part

_NAME_LIMIT = 500
_BODIES = frozenset(
    [
        "text/plain",
        "text/html",
        "text/enriched",
        "text/richtext",
        "text/rfc822-headers",
        "text/x-amp-html",
        "message/delivery-status",
        "message/disposition-notification",
    ]
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message. `name` is as the sender wrote it (no safe path!), `size` counts decoded bytes.

    Signed, encrypted and TNEF parts (smime.p7m, winmail.dat) stand here unopened. An embedded message stands here
    beside what is in it.
    """

    name: str
    type: str
    size: int
    inline: bool
    content_id: str
    _part: Part = field(repr=False, compare=False)

    def data(self) -> bytes:
        """The decoded content; decodes anew on every call."""
        return self._part.content()[0]


def is_body(part: Part) -> bool:
    """Whether the part is text to be read in the message rather than a file."""
    if part.type not in _BODIES or part.disposition == "attachment":
        return False
    return part.root or not _has_name(part)


def _has_name(part: Part) -> bool:
    return any(k.partition("*")[0] == "filename" for k in part.disposition_parameters) or any(
        k.partition("*")[0] == "name" for k in part.parameters
    )


def attachment_of(part: Part, decoder: Decoder) -> Attachment:
    """The attachment a part is."""
    name = parameter(part.disposition_parameters, "filename", decoder) or parameter(part.parameters, "name", decoder)
    content_id = parse_id(part.content_id) if part.content_id else ""
    inline = part.disposition == "inline" or bool(content_id and part.related and part.disposition != "attachment")
    return Attachment(name[:_NAME_LIMIT], part.type, _size(part, decoder), inline, content_id, part)


def _size(part: Part, decoder: Decoder) -> int:
    """Decoded bytes. Base64 is decoded for it, at > 2 GB/s: lengths computed from the encoded form are wrong where it
    is damaged.
    """
    if not part.encoding:
        return part.end - part.start
    data, clean = part.content()
    if not clean:
        decoder.defects[f"{part.encoding} damaged"] = None
    return len(data)
