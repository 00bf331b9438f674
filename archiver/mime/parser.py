"""A raw message to what the archive wants to know of it. Tolerant of everything; the raw bytes stay the truth."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from archiver.mime import fields
from archiver.mime.addresses import parse_addresses
from archiver.mime.attachments import Attachment, attachment_of, is_body
from archiver.mime.charsets import Decoder
from archiver.mime.headers import Block, decode_words, normalise_line_ends
from archiver.mime.text import body_html, body_shown, body_text
from archiver.mime.tree import Part, Tree
from archiver.model import Address

_SUBJECT_LIMIT = 10_000
_LABEL = re.compile(r"=\?([^?\s]{1,40})\?[bBqQ]\?")
_EMBEDDED_HEAD = 16 * 1024
_SHOWN = 10  # addresses of each kind that are told of an embedded message
_WHOLE = 64 * 1024 * 1024
_SAMPLED_PARTS = 4
_SAMPLED_BYTES = 4 * 1024


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was understood of a message.

    date: the Date header, aware; when it is missing or bad, None, and `received` tells the newest Received header's
    moment.
    message_id, references (References, then In-Reply-To): without angle brackets. text: plain text, at most 1 MiB of
    characters, LF.
    defects: what was wrong with the message, each kind once, in fixed words that hold nothing of its content.
    """

    subject: str = ""
    from_: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    date: datetime | None = None
    received: datetime | None = None
    message_id: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    defects: tuple[str, ...] = ()
    _bodies: tuple[Part, ...] = field(default=(), repr=False, compare=False)

    @property
    def html(self) -> str:
        """The HTML of the body as the sender wrote it, decoded anew on every call; "" when there is none. Hostile:
        clean it before use.
        """
        parts = list(self._bodies)
        return body_html(parts, _decoder({}, parts))

    @property
    def whole_text(self) -> str:
        """`text` without its limit, as far as 64 MiB go."""
        if "text cut" not in self.defects:
            return self.text
        parts = list(self._bodies)
        return body_text(parts, _decoder({}, parts), _WHOLE)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """("html" | "text", content) of the body as a mail program shows it, part by part, of alternatives the HTML;
        decoded anew on every call. The HTML is hostile: clean it before use. Before the parts of an embedded message
        stands ("message", its From, To, Cc, Date and Subject in lines).
        """
        parts = list(self._bodies)
        shown: list[tuple[str, str]] = []
        inside: Part | None = None
        for kind, content, embedder in body_shown(parts, _decoder({}, parts)):
            if embedder is not None and embedder is not inside:
                shown.append(("message", _told(embedder)))
            shown.append((kind, content))
            inside = embedder
        return shown


def parse(raw: bytes, *, truncated: bool = False) -> Parsed:
    """What can be understood of a message; never raises, in time and memory linear in its size.

    `truncated`: `raw` is only the beginning of a huge message; noted as a defect.
    """
    try:
        return _parse(raw, truncated)
    except Exception as error:  # the last net: whatever was not foreseen must not stop an archive
        return Parsed(defects=(f"not parsed: {type(error).__name__}",))


def _told(embedded: Part) -> str:
    """Who wrote an embedded message to whom, and when."""
    parsed = parse(embedded.content(_EMBEDDED_HEAD)[0])
    people = (("From", parsed.from_), ("To", parsed.to), ("Cc", parsed.cc))
    lines = [f"{name}: {', '.join(map(_person, found[:_SHOWN]))}" for name, found in people if found]
    if parsed.date:
        lines.append(f"Date: {parsed.date:%Y-%m-%d %H:%M:%S %z}")
    return "\n".join([*lines, f"Subject: {parsed.subject}"])


def _person(address: Address) -> str:
    return f"{address.name} <{address.addr}>" if address.name and address.addr else address.name or address.addr


def _parse(raw: bytes, truncated: bool) -> Parsed:
    raw, changed = normalise_line_ends(raw)
    tree = Tree(raw)
    head = tree.head
    bodies = [part for part in tree.leaves if is_body(part)]
    decoder = _decoder(head.fields, bodies)
    if truncated:
        decoder.defects["only the beginning was parsed"] = None
    if changed:
        decoder.defects["lone CR as line end"] = None
    date, received = _dates(head, decoder)
    attachments = tuple([attachment_of(part, decoder) for part in tree.leaves if not is_body(part)])
    text = body_text(bodies, decoder)
    return Parsed(
        subject=decode_words(head.first("subject")[:_SUBJECT_LIMIT], decoder).strip(),
        from_=_addresses(head, "from", decoder),
        to=_addresses(head, "to", decoder),
        cc=_addresses(head, "cc", decoder),
        bcc=_addresses(head, "bcc", decoder),
        reply_to=_addresses(head, "reply-to", decoder),
        date=date,
        received=received,
        message_id=fields.parse_id(head.first("message-id")),
        references=fields.parse_ids((*head.fields.get("references", ()), *head.fields.get("in-reply-to", ()))),
        text=text,
        attachments=attachments,
        defects=(*tree.defects, *decoder.defects),
        _bodies=tuple(bodies),
    )


def _addresses(head: Block, name: str, decoder: Decoder) -> tuple[Address, ...]:
    values = head.fields.get(name)
    return parse_addresses(", ".join(values), decoder) if values else ()


def _dates(head: Block, decoder: Decoder) -> tuple[datetime | None, datetime | None]:
    value = head.first("date")
    date = fields.parse_date(value)
    if date is not None:
        return date, None
    decoder.defects["bad Date" if value else "no Date"] = None
    stamps = (fields.parse_date(value.rpartition(";")[2]) for value in head.fields.get("received", ()))
    return None, next((stamp for stamp in stamps if stamp is not None), None)


def _decoder(headers: dict[str, list[str]], bodies: list[Part]) -> Decoder:
    return Decoder(lambda: b"".join(_samples(headers, bodies)), lambda: _labels(headers, bodies))


def _labels(headers: dict[str, list[str]], bodies: Iterable[Part]) -> Iterable[str]:
    """The charset labels of the text parts and of the encoded words."""
    yield from (part.parameters.get("charset", "") for part in bodies)
    for name in ("subject", "from", "to"):
        for value in headers.get(name, ()):
            yield from _LABEL.findall(value[:1000])


def _samples(headers: dict[str, list[str]], bodies: Iterable[Part]) -> Iterable[bytes]:
    """Bytes in an unnamed charset, from the raw headers and the first text parts."""
    for values in headers.values():
        for value in values:
            if not value.isascii():
                yield _foreign(value[:1000].encode("latin-1")) + b"\n"
    for part in list(bodies)[:_SAMPLED_PARTS]:
        yield _foreign(part.content(_SAMPLED_BYTES)[0]) + b"\n"


def _foreign(data: bytes) -> bytes:
    """The bytes, unless they are UTF-8: that is never in need of detection."""
    try:
        codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return data
    return b""
