"""The fields of a load file, and what they say of a message and of what is attached to it.

A record is a dict of every field of `FIELDS` to text; "" where nothing is known. Several values in one field are joined
by "; ". Dates are ISO 8601.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC

from archiver.mime import Parsed, parse
from archiver.mime.fields import parse_id, parse_ids
from archiver.mime.headers import one_line, split
from archiver.model import Address, Verdict
from exporters.interface import Outgoing
from exporters.production.family import MESSAGES, Child, Family
from exporters.production.order import Order, Search, moment
from exporters.rendition.interface import Rendition, Tier

Record = dict[str, str]

FIELDS = (
    *("CONTROLNUMBER", "BEGBATES", "ENDBATES", "BEGATTACH", "ENDATTACH", "PARENTID", "ATTACHIDS", "CUSTODIAN"),
    *("ALLCUSTODIANS", "ALLPATHS", "DOCTYPE", "FROM", "TO", "CC", "BCC", "ENVELOPE_RCPT", "SUBJECT", "DATESENT"),
    *("TIMESENT", "TZ", "DATESENT_UTC", "DATERECEIVED", "MESSAGEID", "INREPLYTO", "REFERENCES", "THREADID"),
    *("ATTACHCOUNT", "ATTACHNAMES", "FILENAME", "FILEEXT", "MIMETYPE", "FILESIZE", "MD5HASH", "SHA256HASH", "EDRMMIH"),
    *("PDFPATH", "NATIVEPATH", "TEXTPATH", "ARCHIVEID", "INGESTDATE_UTC", "RETENTIONCLASS", "LEGALHOLD", "REDACTED"),
    *("PRIVILEGE", "PAGECOUNT", "PDFTIER", "CLIPPED", "REMOTEIMG", "GLYPHSUBST", "RENDERER", "PDFSHA256", "DKIM"),
    *("ARC", "EXCEPTION"),
)
JOIN = "; "
_RECIPIENT = re.compile(
    rb"^(?:delivered-to|x-original-to|envelope-to|x-envelope-to|x-rcpt-to)[ \t]*:[ \t]*([^\r\n]{1,1000})",
    re.IGNORECASE | re.MULTILINE,
)
_TIERS = {Tier.TEXT: "PDF shows the text only (tier 2)", Tier.HEADER: "PDF shows the header block only (tier 3)"}


def message_record(message: Outgoing, family: Family, order: Order, search: Search) -> Record:
    """All fields of a message that do not depend on its number. Of one that is withheld only what says nothing of its
    content. DATERECEIVED is INTERNALDATE, the moment at which the first account's server took the message.
    """
    record = dict.fromkeys(FIELDS, "")
    record |= _held(message, order, search) | {"DOCTYPE": "E-mail"}
    if family.ground:
        return record | {"PRIVILEGE": family.ground.basis or family.ground.reason}
    parsed, raw = family.parsed, bytes(message.raw)
    received = next((place.date for place in message.places if place.date), None)
    record |= _said(parsed, raw, order)
    record |= {
        "DATERECEIVED": moment(received),
        "ATTACHNAMES": JOIN.join(child.attachment.name for child in family.children),
        "FILEEXT": "eml",
        "MIMETYPE": "message/rfc822",
        "FILESIZE": str(len(raw)),
        "MD5HASH": md5(raw),
        "SHA256HASH": message.id,
        "DKIM": _verdicts(message.verdicts, "dkim"),
        "ARC": _verdicts(message.verdicts, "arc"),
        "REDACTED": "" if family.clean else "Y",
        "EXCEPTION": JOIN.join(f"parse: {defect}" for defect in parsed.defects),
    }
    return record


def child_record(parent: Record, child: Child, withheld: bool, order: Order) -> Record:
    """All fields of an attachment that do not depend on its number; of an attached message its headers, too. withheld:
    with its whole family.
    """
    inherited = ("CUSTODIAN", "ALLCUSTODIANS", "ALLPATHS", "ARCHIVEID", "INGESTDATE_UTC", "RETENTIONCLASS", "LEGALHOLD")
    record = dict.fromkeys(FIELDS, "") | {name: parent[name] for name in inherited} | {"DOCTYPE": child.kind}
    if withheld:
        return record | {"PRIVILEGE": parent["PRIVILEGE"]}
    if child.ground:
        marks = {"PRIVILEGE": child.ground.basis} if child.ground.basis else {"REDACTED": "Y"}
        return record | marks | {"FILENAME": child.attachment.name, "SHA256HASH": child.digest}
    data = child.attachment.data()
    if child.attachment.type in MESSAGES:
        record |= _said(parse(data), data, order)
    return record | {
        "FILENAME": child.attachment.name,
        "FILEEXT": child.suffix,
        "MIMETYPE": child.attachment.type,
        "FILESIZE": str(len(data)),
        "MD5HASH": md5(data),
        "SHA256HASH": child.digest,
        "EXCEPTION": child.unopened,
    }


def rendered(record: Record, rendition: Rendition, renderer: str) -> None:
    """Note of a message how its PDF came out."""
    notes = rendition.notes
    record |= {
        "PDFTIER": rendition.tier.value,
        "CLIPPED": "Y" if rendition.clipped else "N",
        "REMOTEIMG": str(notes.remote_images),
        "GLYPHSUBST": str(notes.substituted),
        "RENDERER": renderer,
    }
    for wrong in (
        _TIERS.get(rendition.tier, ""),
        "PDF: text lies outside the page" if rendition.clipped else "",
        "PDF: the end of the body is not shown" if notes.truncated else "",
        "PDF: images of the message not shown" if notes.missing_images else "",
    ):
        note(record, wrong)


def note(record: Record, exception: str) -> None:
    """Add an exception to a record; each stands there once."""
    known = exceptions(record)
    if exception and exception not in known:
        record["EXCEPTION"] = JOIN.join((*known, exception))


def exceptions(record: Record) -> list[str]:
    """The exceptions of a record."""
    return record["EXCEPTION"].split(JOIN) if record["EXCEPTION"] else []


def people(addresses: Iterable[Address]) -> str:
    """Addresses as a header shows them."""
    return JOIN.join(f"{a.name} <{a.addr}>" if a.name and a.addr else a.name or a.addr for a in addresses)


def edrm_mih(message_id: str) -> str:
    """The EDRM Message Identification Hash (EDRM, version 1.0 of 2023): MD5 of the Message-ID with its angle brackets;
    "" without one.
    """
    return md5(f"<{message_id}>".encode()) if message_id else ""


def md5(data: bytes) -> str:
    """MD5, which load files carry for comparing; nothing is proved by it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _held(message: Outgoing, order: Order, search: Search) -> Record:
    """Where the archive has it from, and how it keeps it."""
    holders, kept = order.holders(message.places), search.kept(message.id)
    first = min((place.first_seen for place in message.places), default=None)
    paths = dict.fromkeys(f"{order.custodian(place.account)}/{place.folder}" for place in message.places)
    return {
        "CUSTODIAN": holders[0],
        "ALLCUSTODIANS": JOIN.join(holders),
        "ALLPATHS": JOIN.join(paths),
        "ARCHIVEID": message.id,
        "INGESTDATE_UTC": moment(first),
        "RETENTIONCLASS": kept.retention,
        "LEGALHOLD": kept.hold,
    }


def _said(parsed: Parsed, raw: bytes, order: Order) -> Record:
    """What the headers of a message say."""
    local = parsed.date.astimezone(order.zone or UTC) if parsed.date else None
    return _threading(raw, parsed.message_id) | {
        "FROM": people(parsed.from_),
        "TO": people(parsed.to),
        "CC": people(parsed.cc),
        "BCC": people(parsed.bcc),
        "SUBJECT": parsed.subject,
        "DATESENT": f"{local:%Y-%m-%d}" if local else "",
        "TIMESENT": f"{local:%H:%M:%S}" if local else "",
        "TZ": order.zone_name if local else "",
        "DATESENT_UTC": moment(parsed.date),
    }


def _threading(raw: bytes, message_id: str) -> Record:
    """THREADID is the first message of References, the thread's root (RFC 5322 section 3.6.4), else the message."""
    block = split(raw, 0, len(raw))
    references = parse_ids(block.fields.get("references", ()))
    reply = parse_id(block.first("in-reply-to"))
    envelope = dict.fromkeys(
        one_line(found.decode(errors="replace")).strip() for found in _RECIPIENT.findall(raw, 0, block.body)
    )
    return {
        "MESSAGEID": message_id,
        "INREPLYTO": reply,
        "REFERENCES": JOIN.join(references),
        "THREADID": references[0] if references else reply or message_id,
        "EDRMMIH": edrm_mih(message_id),
        "ENVELOPE_RCPT": JOIN.join(envelope),
    }


def _verdicts(verdicts: Iterable[Verdict], method: str) -> str:
    return JOIN.join(
        " ".join(filter(None, (verdict.result, verdict.domain, verdict.reason and f"({verdict.reason})")))
        for verdict in verdicts
        if verdict.method == method
    )
