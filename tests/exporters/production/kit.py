"""Messages as they come out of an archive, a press that makes plain pages at once, and a bundle made of both."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf

from archiver.mime import parse
from archiver.model import Place
from exporters.bundle import BundleExporter, Press
from exporters.interface import Outgoing, Report
from exporters.production.evidence import Evidence
from exporters.production.order import Order, Search
from exporters.production.seal import Seal
from exporters.rendition.interface import Notes, Rendition, Tier

START = datetime(2024, 3, 1, 8, 30, tzinfo=UTC)


def place(account: str, folder: str = "INBOX", uid: int = 1, day: int = 0) -> Place:
    """A place first seen so many days after the start."""
    return Place(account, folder, 1, uid, ("\\Seen",), START, START + timedelta(days=day), None)


def outgoing(raw: bytes, *places: Place) -> Outgoing:
    """A message as the archive gives it."""
    parsed = parse(raw)
    return Outgoing(hashlib.sha256(raw).hexdigest(), raw, places or (place("sales"),), parsed.subject, parsed.date, ())


def mail(
    subject: str = "PI 2024-7", text: str = "Please find it attached.", parts: Sequence[bytes] = (), **headers: str
) -> bytes:
    """A message with CRLF; `parts` are whole MIME parts behind the text; `Message_ID` and the like replace headers."""
    known = {
        "From": "Anna Li <anna@example.com>",
        "Date": "Fri, 01 Mar 2024 16:30:00 +0800",
        "Message_ID": f"<{_sign(subject.encode(), text.encode()).decode()}@example.com>",
    }
    lines = [f"Subject: {subject}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in (known | headers).items()]
    head = "\r\n".join(lines).encode()
    body = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    body += text.encode() + b"\r\n"
    if not parts:
        return head + b"\r\n" + body
    sign = _sign(body, *parts)
    whole = b"".join(b"--" + sign + b"\r\n" + part + b"\r\n" for part in (body, *parts)) + b"--" + sign + b"--\r\n"
    return head + b'\r\nContent-Type: multipart/mixed; boundary="' + sign + b'"\r\n\r\n' + whole


def _sign(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16].encode()


def part(name: str, content: bytes, kind: str = "application/octet-stream", extra: str = "") -> bytes:
    """An attachment in base64."""
    head = f'Content-Type: {kind}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n{extra}'
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


def attached(message: bytes) -> bytes:
    """A message as an attachment of another."""
    return b"Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=inner.eml\r\n\r\n" + message


def many(count: int) -> list[Outgoing]:
    """Messages of several lengths, some with attachments, some held by two custodians."""
    made = []
    for number in range(count):
        chance = random.Random(number)
        parts = [part(f"{n}.txt", chance.randbytes(300)) for n in range(chance.randrange(3))]
        raw = mail(f"Message {number}", "word " * chance.randrange(200), parts)
        places = [place("sales", uid=number)] + [place("buying", uid=number, day=1)] * (number % 3 == 0)
        made.append(outgoing(raw, *places))
    return made


def pdf(pages: int, text: str = "") -> bytes:
    """A PDF of empty pages that says `text` in its metadata."""
    document = pikepdf.new()
    for _ in range(pages):
        document.add_blank_page()
    document.docinfo[pikepdf.Name.Title] = pikepdf.String(text)
    target = io.BytesIO()
    document.save(target, deterministic_id=True)
    return target.getvalue()


def page(html: str, title: str) -> bytes:
    """A page made from HTML: another text, other bytes."""
    return pdf(1, title + hashlib.sha256(html.encode()).hexdigest())


def stamp(data: bytes, labels: Sequence[str]) -> bytes:
    """Labels in the metadata; as many as pages."""
    with pikepdf.open(io.BytesIO(data)) as document:
        assert len(document.pages) == len(labels)
        return data + "".join(f"\n%{label}" for label in labels).encode()


@dataclass
class PlainRenderer:
    """A page for each 200 bytes of text, with the message inside, some read ahead like the real one."""

    ahead: int = 5
    rendered: list[str] = field(default_factory=list)

    def render(self, messages: Iterable[Outgoing]) -> Iterator[tuple[Outgoing, Rendition]]:
        """In order."""
        waiting: list[Outgoing] = []
        for message in messages:
            waiting.append(message)
            if len(waiting) >= self.ahead:
                yield self._one(waiting.pop(0))
        yield from map(self._one, waiting)

    def _one(self, message: Outgoing) -> tuple[Outgoing, Rendition]:
        self.rendered.append(message.id)
        pages = 1 + len(parse(bytes(message.raw)).text) // 200
        data = pdf(pages, message.id) + b"\n%" + base64.b64encode(message.raw)
        return message, Rendition(data, pages, Tier.HTML, False, Notes(remote_images=2))


@dataclass
class Production:
    """A bundle to be made from messages; every part can be replaced."""

    target: Path
    messages: Sequence[Outgoing]
    order: Order = field(default_factory=lambda: Order("CASE-1", matter="Contract 2024", operator="Op Erator"))
    seal: Seal | None = None
    evidence: Evidence = field(default_factory=Evidence)
    renderer: PlainRenderer | None = field(default_factory=PlainRenderer)
    search: Search | None = None

    def run(self, messages: Iterable[Outgoing] | None = None) -> Report:
        """Make it, or go on with it."""
        search = self.search or Search("contract", self.messages, {"id": "a1"}, START)
        press = Press(
            pages=lambda html, title: pdf(1, title + html[-40:]), stamp=stamp, renderer=self.renderer, name="plain 1"
        )
        exporter = BundleExporter(self.order, search, press, seal=self.seal, evidence=self.evidence)
        return exporter.export(self.messages if messages is None else messages, self.target)

    def volume(self, number: int = 1) -> Path:
        """The root of a volume."""
        return self.target / f"{self.order.case}_VOL{number:03d}"

    def dat(self, number: int = 1) -> list[dict[str, str]]:
        """The records of a volume."""
        return read_dat((self.volume(number) / f"data/DATA/VOL{number:03d}.dat").read_bytes())

    def rows(self, name: str) -> list[dict[str, str]]:
        """A list of the report."""
        with (self.volume() / "data/REPORT" / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def query(self) -> dict[str, object]:
        """query.json."""
        found: dict[str, object] = json.loads((self.volume() / "data/REPORT/query.json").read_bytes())
        return found

    def contents(self) -> dict[str, bytes]:
        """Every file below the target."""
        return {
            path.relative_to(self.target).as_posix(): path.read_bytes()
            for path in sorted(self.target.rglob("*"))
            if path.is_file()
        }


def read_dat(data: bytes) -> list[dict[str, str]]:
    """A Concordance DAT, read by the rules of the form and by nothing of ours: a line a record, ended by CRLF; U+0014
    between fields, each enclosed in U+00FE, a doubled U+00FE inside stands for one; U+00AE is a line end.
    """
    text = data.decode("utf-8")
    assert text.startswith("\ufeff")
    rows: list[list[str]] = []
    for line in text[1:].removesuffix("\r\n").split("\r\n"):
        assert line.startswith("\xfe") and line.endswith("\xfe") and "\n" not in line
        cells = line[1:-1].split("\xfe\x14\xfe")
        rows.append([cell.replace("\xfe\xfe", "\xfe").replace("\xae", "\n") for cell in cells])
    head, *records = rows
    assert all(len(record) == len(head) for record in records)
    return [dict(zip(head, record, strict=True)) for record in records]
