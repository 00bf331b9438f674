"""The report of a bundle as a page of HTML, to be laid out as PDF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from archiver import __version__
from exporters.production.order import Order, Search, moment
from exporters.production.report_text import LIMITS, NO_CLAIM, STATEMENT
from exporters.production.seal import Seal, told
from exporters.production.tally import RULE, Tally, beginning
from exporters.production.volumes import Volumes
from exporters.rendition.language import language

_PAGE = "@page { @bottom-left { content: string(identity) !important } }"
_STYLE = (
    _PAGE
    + """
body > main h2 { font-size: 11.5pt; margin: 6mm 0 1.5mm; break-after: avoid }
body > main p, body > main li { font-size: 9.5pt; margin: 1mm 0; overflow-wrap: break-word }
body > main table { table-layout: fixed; width: 100%; border-collapse: collapse; font-size: 8.5pt }
body > main td, body > main th { text-align: left; vertical-align: top; padding: 0.8mm 2mm 0.8mm 0;
  border-bottom: 0.4pt solid #c3c9d0; overflow-wrap: break-word }
body > main th { color: #5a6470; font-weight: 400 }
body > main table.pairs th { width: 44mm }
body > main p.sum { font-size: 12pt; font-weight: 700; border: 1pt solid #16191d; padding: 2mm 3mm }
body > main p.draft { margin-left: 6mm }
body > main table + table { margin-top: 3mm }
"""
)
_UNBROKEN = 40


def report(order: Order, search: Search, tally: Tally, seal: Seal | None, renderer: str) -> str:
    """export-report.pdf as a whole HTML document; everything in it depends on the bundle alone, not on the clock."""
    title = f"Export report: {order.case}"
    sections = (
        _section("The order", _pairs(_ordered(order, search))),
        _section("Reconciliation", f'<p class="sum">{_text(tally.equation)}</p><p>{_text(RULE)}</p>'),
        _section("What was found", _pairs(_found(tally)) + _custodians(tally)),
        _section("Volumes", _volumes(order, tally)),
        _section("Renditions and exceptions", _renditions(tally)),
        _section("Integrity", _pairs(_integrity(tally, seal)) + _paragraphs((NO_CLAIM,))),
        _section("Custody", _custody(order, search, tally, seal)),
        _section("What a rendition and this production cannot show", _list(LIMITS)),
        _section("Software", _pairs((("Program", f"mailark {__version__}"), ("Renderer", renderer or "none")))),
        _section("Statement under FRE 902(14)", _statement(tally)),
    )
    running = escape(title, quote=True)
    tag = language(" ".join((order.matter, search.query, *tally.custodians)), b"")
    return (
        f'<!DOCTYPE html><html lang="{tag}"><head><meta charset="utf-8"><title>{running}</title><style>{_STYLE}</style>'
        f'</head><body><header data-subject="{running}" data-identity="{escape(order.case)}" data-page="">'
        f"<h1>{_text(title)}</h1></header><main>{''.join(sections)}</main></body></html>"
    )


def slip(headline: str, reason: str) -> str:
    """One page that stands for a document which is not handed out, as a whole HTML document."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(headline)}</title>'
        f"<style>{_PAGE}</style></head><body><main><h1>{_text(headline)}</h1><p>{_text(reason)}</p></main></body></html>"
    )


def _ordered(order: Order, search: Search) -> Iterable[tuple[str, str]]:
    yield "Case", order.case
    yield "Matter", order.matter or "not stated"
    yield "Requested by", order.requester or "not stated"
    yield "Approved by", order.approver or "not stated"
    yield "Operator", order.operator or "not stated"
    yield "Query", search.query
    yield "Time zone of dates", order.zone_name
    for name, value in search.state.items():
        yield f"Archive: {name}", str(value)
    yield "Archive as of", moment(search.as_of) or "not known"
    yield "Ids and places found, SHA-256", search.digest()


def _found(tally: Tally) -> Iterable[tuple[str, str]]:
    yield "Sent, earliest", tally.earliest or "none"
    yield "Sent, latest", tally.latest or "none"
    yield "Messages", f"{tally.exported + tally.withheld + tally.failed} different ones"
    yield "Attachments", _attachments(tally)
    yield "Images within messages", f"{tally.inline}, no documents of their own"
    yield "Near-duplicates", f"{tally.near_duplicates} messages share a Message-ID with another, all produced"
    if tally.unused:
        yield "List entries that match nothing", f"{len(tally.unused)}, named in exceptions.csv"


def _attachments(tally: Tally) -> str:
    return (
        f"{tally.attachments} as documents, of them {tally.redacted} redacted and {tally.withheld_attachments} withheld"
    )


def _custodians(tally: Tally) -> str:
    rows = ((name or "(no account)", str(count)) for name, count in sorted(tally.custodians.items()))
    return _table(("Custodian", "Messages, copies included"), rows)


def _volumes(order: Order, tally: Tally) -> str:
    head = ("Volume", "First number", "Last number", "Documents", "Pages", "Files", "Bytes")
    rows = (
        (
            f"{order.case}_{Volumes.name(volume.number)}",
            *(volume.first, volume.last),
            *(str(count) for count in (volume.documents, volume.pages, volume.files, volume.size)),
        )
        for volume in tally.volumes
    )
    hashes = (
        (f"{Volumes.name(volume.number)}: {path}", value)
        for volume in tally.volumes
        for path, value in sorted(volume.hashes.items())
    )
    return (
        _paragraphs(
            (f"Bates numbers: {beginning(tally.volumes) or 'none'}; one a page, one a document without pages.",)
        )
        + _table(head, rows)
        + _table(("Load file", "SHA-256"), hashes)
    )


def _renditions(tally: Tally) -> str:
    tiers = ((f"Tier {tier}", str(count)) for tier, count in sorted(tally.tiers.items()))
    exceptions = ((kind, str(count)) for kind, count in sorted(tally.exceptions.items()))
    return _table(("Renditions", "Messages"), tiers) + _table(("Exception", "Documents"), exceptions)


def _integrity(tally: Tally, seal: Seal | None) -> Iterable[tuple[str, str]]:
    signature, timestamp = told(seal)
    yield "Hashed anew", f"{tally.exported + tally.withheld} messages, all equal to the SHA-256 at ingest"
    yield "Produced as .eml", f"{tally.natives}, each the archived bytes"
    yield "Not produced", f"{tally.failed} failed, named in exceptions.csv"
    yield "Signature", signature
    yield "Time-stamp", timestamp


def _custody(order: Order, search: Search, tally: Tally, seal: Seal | None) -> str:
    rows = [
        (f"{first} to {last}", "collected from the mail server", f"{custodian or '-'} (account {account})")
        for (custodian, account), (first, last) in sorted(tally.collected.items())
    ]
    as_of = f"archive as of {moment(search.as_of)}" if search.as_of else "archive"
    actor = order.operator or "operator not stated"
    rows += [
        (as_of, "searched", f"{tally.hits} hits; {actor}"),
        (as_of, "read, hashed anew, numbered, packed", f"{tally.messages} messages; {actor}"),
        ("see signature and time-stamp", "sealed", "; ".join(told(seal))),
    ]
    return _table(("When", "What", "Who and how many"), rows) + _paragraphs(
        ("Each step with its hashes: custody.jsonl.",)
    )


def _statement(tally: Tally) -> str:
    hashed = tally.exported + tally.withheld
    counts = {"hashed": hashed, "natives": tally.natives, "withheld": tally.withheld, "failed": tally.failed}
    return "".join(f'<p class="draft">{_text(line.format(**counts))}</p>' for line in STATEMENT)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{body}</section>"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in pairs)
    return f'<table class="pairs"><tbody>{rows}</tbody></table>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in rows)
    if not body:
        return ""
    top = "".join(f"<th>{_text(name)}</th>" for name in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{_text(line)}</p>" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _text(text: str) -> str:
    """Escaped, without lone surrogates, with breaks allowed in long words: layout is quadratic in them."""
    text = text.encode(errors="replace").decode()
    return " ".join(
        "<wbr>".join(escape(word[at : at + _UNBROKEN]) for at in range(0, len(word), _UNBROKEN))
        for word in text.split()
    )
