"""The page around a message: header block, notes, meetings, the body between two rules, the list of attachments.

What stands in the message cannot alter it: the body is one box, and template.css reaches the page's own parts only by
child steps from `body`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from archiver.mime import Attachment, Parsed, parse
from archiver.model import Address, Verdict
from exporters.interface import Outgoing
from exporters.rendition import fonts
from exporters.rendition.interface import Notes, Tier
from exporters.rendition.invitation import Meeting
from exporters.rendition.invitation_block import invitation_block
from exporters.rendition.runs import Signs, breakable
from exporters.rendition.wording import Wording

ADDRESSES = 60
"""Addresses shown of each header; the rest is counted."""
ATTACHMENTS = 300
"""Attachments listed; the rest is counted."""
_SUBJECT, _FIELD, _NAME, _RUNNING = 1_000, 998, 300, 90
# Browsers draw the lines of <table border=1> in grey, WeasyPrint in black reliefs. Stands before the rules of the
# message and weighs nothing, so that any of them wins.
_LINED = 'body > main table[border]:not([border="0"], [rules], [frame], [bordercolor])'
_DEFAULTS = f":where({_LINED}, {_LINED} > * > tr > :is(td, th)) {{ border-style: solid; border-color: #999 }}"
_MESSAGES = ("message/rfc822", "message/global", "message/news")
_HEAD = 16 * 1024  # bytes of an attached message that are read to name it
_KIND = re.compile(r"[^/.+-]*[/.+-]*")  # where a type may be broken
_COUNTED = ("remote_images", "tracking_pixels", "missing_images", "substituted", "truncated")


@dataclass(frozen=True, slots=True)
class Body:
    """The middle of a page. html: safe, of the message · style: safe CSS for it · kind: "html" or "text"."""

    html: str
    style: str = ""
    kind: str = "html"


def document(
    message: Outgoing,
    parsed: Parsed,
    language: str,
    body: Body,
    notes: Sequence[str],
    meetings: Sequence[Meeting] = (),
) -> str:
    """A whole HTML document; `notes` are our own sentences about this rendition."""
    words = Wording(language)
    subject = parsed.subject[:_SUBJECT]
    date = f'<meta name="dcterms.created" content="{_w3c(parsed.date)}">' if parsed.date else ""
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{_attribute(subject)}</title>{date}'
        f"<style>{_DEFAULTS}{body.style}</style></head><body>{_header(message, parsed, words, notes)}"
        f"{invitation_block(meetings, words, _text, _address)}"
        f'<main class="{body.kind}">{body.html}</main>{_footer(parsed.attachments, words)}</body></html>'
    )


def note_lines(notes: Notes, tier: Tier, language: str) -> list[str]:
    """What a reader must know of a rendition, in sentences."""
    words = Wording(language)
    counts = {name: getattr(notes, name) for name in _COUNTED}
    lines = [] if tier is Tier.HTML else [words.sentence(tier)]
    lines += [words.sentence(name, f"{count:,}") for name, count in counts.items() if count]
    if notes.simplified:
        lines.append(words.sentence("simplified", ", ".join(notes.simplified)))
    return lines


def _header(message: Outgoing, parsed: Parsed, words: Wording, notes: Sequence[str]) -> str:
    subject = parsed.subject or words.label("no_subject")
    running = {
        "subject": subject[:_RUNNING],
        "identity": f"Message-ID {parsed.message_id[:_RUNNING] or words.label('none')}",
        "digest": message.id,
        "page": words.label("page"),
    }
    attributes = "".join(f' data-{name}="{_attribute(value)}"' for name, value in running.items())
    attributes += f' data-record="{"&#10;".join(words.each("copy_record" if message.copy_of else "record"))}"'
    rows = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in _rows(message, parsed, words))
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f"<header{attributes}><h1>{_text(subject[:_SUBJECT])}</h1><table><tbody>{rows}</tbody></table>"
        f"{f'<ul>{listed}</ul>' if listed else ''}</header>"
    )


def _rows(message: Outgoing, parsed: Parsed, words: Wording) -> Iterable[tuple[str, str]]:
    people = (("from", parsed.from_), ("to", parsed.to), ("cc", parsed.cc), ("bcc", parsed.bcc))
    for name, addresses in people:
        if addresses or name in ("from", "to"):
            yield words.label(name), _addresses(addresses, words)
    if parsed.reply_to and parsed.reply_to != parsed.from_:
        yield words.label("reply_to"), _addresses(parsed.reply_to, words)
    yield words.label("date"), _moment(parsed.date) if parsed.date else words.label("none")
    if parsed.date is None and parsed.received:
        yield words.label("received"), _moment(parsed.received)
    yield words.label("message_id"), _text(parsed.message_id[:_FIELD]) or words.label("none")
    yield words.label("sha256"), message.id
    if message.verdicts:
        yield words.label("signatures"), "<br>".join(map(_verdict, message.verdicts))


def _addresses(addresses: Sequence[Address], words: Wording) -> str:
    if not addresses:
        return words.label("none")
    shown = "; ".join(map(_address, addresses[:ADDRESSES]))
    rest = len(addresses) - ADDRESSES
    return shown if rest <= 0 else f"{shown}; {words.sentence('more', f'{rest:,}', f'{len(addresses):,}')}"


def _address(address: Address) -> str:
    name, addr = _text(address.name[:_NAME]), _text(address.addr[:_NAME])
    if not name or not addr:
        return name or addr
    return f"{name} <span>&lt;{addr}&gt;</span>"


def _verdict(verdict: Verdict) -> str:
    """As RFC 8601 section 2.2 writes a result, with the domain that signed, or why there is none."""
    signer = ", ".join(filter(None, (verdict.domain, verdict.selector and f"selector {verdict.selector}")))
    told = f" ({signer})" if signer else ""
    return _text(f"{verdict.method}={verdict.result}{told}{': ' if verdict.reason else ''}{verdict.reason}"[:_FIELD])


def _moment(moment: datetime) -> str:
    """As the sender's clock showed it, and in UTC."""
    there = moment.strftime("%Y-%m-%d %H:%M:%S %z")
    here = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{there[:-2]}:{there[-2:]} <span>({here})</span>" if moment.utcoffset() else here


def _w3c(moment: datetime) -> str:
    """W3C's profile of ISO 8601 (NOTE-datetime), as WeasyPrint reads it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _footer(attachments: Sequence[Attachment], words: Wording) -> str:
    if not attachments:
        return ""
    names = ("name", "type", "size", "sha256")
    head = "".join(f"<th>{words.label(name) if name != 'sha256' else 'SHA-256'}</th>" for name in names)
    rows = "".join(map(_attachment, attachments[:ATTACHMENTS]))
    rest = len(attachments) - ATTACHMENTS
    more = f"<p>{words.sentence('more', f'{rest:,}', f'{len(attachments):,}')}</p>" if rest > 0 else ""
    return (
        f"<footer><h2>{words.label('attachments')} ({len(attachments):,})</h2>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}</footer>"
    )


def _attachment(attachment: Attachment) -> str:
    data = attachment.data()
    digest = hashlib.sha256(data).hexdigest()
    name = _text(attachment.name[:_NAME])
    if attachment.type in _MESSAGES:  # mail programs give them no name
        name = "<br>".join(filter(None, (name, *_embedded(data))))
    kind = "<wbr>".join(map(_text, _KIND.findall(attachment.type[:80])))
    return (
        f"<tr><td>{name or '–'}</td><td>{kind}</td><td>{attachment.size:,}</td>"
        f"<td>{digest[:32]}<br>{digest[32:]}</td></tr>"
    )


def _embedded(data: bytes) -> Iterator[str]:
    """What names an attached message: its subject, who wrote it, when."""
    parsed = parse(data[:_HEAD])
    yield _text(parsed.subject[:_NAME])
    told = [*map(_address, parsed.from_[:1]), *([_moment(parsed.date)] if parsed.date else [])]
    yield ", ".join(told)


def _text(text: str) -> str:
    """Foreign text as HTML that shows all of it and breaks anywhere."""
    return breakable(_clean(text))


def _attribute(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """On one line, every character visible: bidi overrides must not turn a name or an address around."""
    return Signs(fonts.covered).clean(" ".join(text.split()))
