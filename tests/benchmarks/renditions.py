"""`make bench-pdf`: our renditions against headless Chromium and wkhtmltopdf, on the same mails, in one run.

python -m tests.benchmarks.renditions [--messages 60] [--all] [--json FILE]

The mails are taken from ../shared/corpus, always the same for the same number; `--all` sends the whole of it through
two workers, which is where the tiers and the throughput are counted. The peers get the body as an HTML file, plain text
in <pre>: no header block, no attachments, no sanitising.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import io
import json
import math
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pikepdf

from archiver.mime import parse
from exporters.interface import Outgoing
from exporters.rendition.interface import Tier
from exporters.rendition.renderer import Renderer
from exporters.rendition.structure import check
from tests.benchmarks.pdf_peers import Peer, peers

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
SEED = "mails"
COLD = 6
"""Mails that are also rendered by a process started for each."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message, and its body as a page for the peers."""

    message: Outgoing
    page: Path
    html: bool


@dataclass(frozen=True, slots=True)
class Side:
    """What one program did. wall, cpu: milliseconds a mail · the rest in mails."""

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    made: int
    valid: int
    embedding: int
    deterministic: bool

    def row(self) -> tuple[str, ...]:
        """The line of the table."""
        return (
            self.name,
            f"{statistics.geometric_mean(self.wall):,.0f}",
            f"{statistics.geometric_mean([max(ms, 1.0) for ms in self.cpu]):,.0f}",
            f"{percentile(self.wall, 0.99):,.0f}",
            f"{self.made}/{len(self.wall)}",
            f"{self.valid}",
            f"{self.embedding}",
            "yes" if self.deterministic else "no",
        )


HEADINGS = ("", "ms a mail", "CPU ms", "p99 ms", "made", "PDF/A-3u", "original inside", "same bytes again")


def main() -> int:
    """The command line shown above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60)
    parser.add_argument("--all", action="store_true", help="the whole corpus through two workers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not CORPUS.exists():
        print(f"missing: the mails in {CORPUS}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-pdf.") as folder:
        mails = sample(options.messages, Path(folder))
        sides = [ours(mails), ours_cold(mails[:COLD]), *(theirs(peer, mails) for peer in present(Path(folder)))]
    print(table([HEADINGS, *(side.row() for side in sides)]))
    print(classes(sides[0], mails))
    throughput = workers(list(everything()) if options.all else [mail.message for mail in mails])
    print(throughput)
    if options.json:
        options.json.write_text(json.dumps([asdict(side) for side in sides] + [throughput], indent=2) + "\n")
    return 0


def present(folder: Path) -> Iterator[Peer]:
    """The peers that are installed; the others are named."""
    for peer in peers(folder):
        if peer.missing():
            print(f"missing: {peer.name}", file=sys.stderr)
        else:
            yield peer


def everything() -> Iterator[Outgoing]:
    """Every message of the corpus, and every HTML file of it as a message."""
    for path in sorted(CORPUS.rglob("*")):
        if path.suffix in (".html", ".htm"):
            head = "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
            yield outgoing(f"Subject: {path.name}\r\n{head}\r\n\r\n".encode() + path.read_bytes())
        elif path.is_file() and path.name not in ("README.md", "MANIFEST.jsonl") and path.parts[-2] != "html":
            yield outgoing(path.read_bytes())


def outgoing(raw: bytes) -> Outgoing:
    """A message as an export gives it."""
    parsed = parse(raw)
    return Outgoing(hashlib.sha256(raw).hexdigest(), raw, (), parsed.subject, parsed.date)


def sample(count: int, folder: Path) -> list[Mail]:
    """The same mails for the same count; their bodies are written into the folder."""
    every = [path for path in sorted(CORPUS.rglob("*.eml")) if path.is_file()]
    chosen = random.Random(SEED).sample(every, min(count, len(every)))
    mails = []
    for number, path in enumerate(chosen):
        message = outgoing(path.read_bytes())
        parsed = parse(bytes(message.raw))
        body = parsed.html or f"<pre>{html.escape(parsed.text)}</pre>"
        page = folder / f"{number}.html"
        page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{body}", "utf-8", errors="replace")
        mails.append(Mail(message, page, bool(parsed.html)))
    return mails


def ours(mails: Sequence[Mail]) -> Side:
    """One warm process, the job that workers do, at tier 1."""
    from exporters.rendition import renderer_job

    renderer_job.prepare()
    sys.setrecursionlimit(20_000)

    def render(mail: Mail) -> tuple[bytes, float]:
        begun = time.process_time()
        pdf = renderer_job.render(mail.message, Tier.HTML, bare=False).pdf
        return pdf, time.process_time() - begun

    render(mails[0])
    return measured("Mailark, warm", mails, render)


def ours_cold(mails: Sequence[Mail]) -> Side:
    """A renderer started for each mail, as `show --pdf` does without its cache."""

    def render(mail: Mail) -> tuple[bytes, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Renderer(1) as renderer:
            ((_, rendition),) = renderer.render([mail.message])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return rendition.pdf, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return measured("Mailark, cold", mails, render)


def theirs(peer: Peer, mails: Sequence[Mail]) -> Side:
    """A peer on the bodies of the same mails."""
    try:
        peer.pdf(mails[0].page)
        return measured(peer.name, mails, lambda mail: peer.pdf(mail.page))
    finally:
        peer.close()


def measured(name: str, mails: Sequence[Mail], render: Callable[[Mail], tuple[bytes, float]]) -> Side:
    """Every mail once, and the first few once more for their bytes."""
    wall, cpu, made = [], [], []
    for mail in mails:
        begun = time.monotonic()
        pdf, seconds = render(mail)
        wall.append((time.monotonic() - begun) * 1000)
        cpu.append(seconds * 1000)
        made.append(pdf)
    time.sleep(1.1)  # dates in a PDF have seconds
    same = all(render(mail)[0] == pdf for mail, pdf in list(zip(mails, made, strict=True))[:3])
    valid = sum(len(pdf) > 10 and not check(pdf) for pdf in made)
    embedding = sum(embeds(pdf, mail.message) for mail, pdf in zip(mails, made, strict=True))
    return Side(name, tuple(wall), tuple(cpu), sum(len(pdf) > 10 for pdf in made), valid, embedding, same)


def embeds(pdf: bytes, message: Outgoing) -> bool:
    """Whether the message is in the PDF, byte for byte."""
    if len(pdf) <= 10:
        return False
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return any(document.attachments[name].get_file().read_bytes() == message.raw for name in document.attachments)


def classes(side: Side, mails: Sequence[Mail]) -> str:
    """Our processor time for plain and for HTML mails."""
    found = []
    for word, wanted in (("plain", False), ("HTML", True)):
        cpu = [ms for ms, mail in zip(side.cpu, mails, strict=True) if mail.html is wanted]
        found.append(
            f"{word}: {len(cpu)} mails, p50 {statistics.median(cpu):.0f} ms CPU, p99 {percentile(cpu, 0.99):.0f}"
        )
    return "; ".join(found)


def workers(messages: Sequence[Outgoing]) -> str:
    """All of them through two workers, the way an export does it."""
    tiers: Counter[str] = Counter()
    clipped = 0
    begun = time.monotonic()
    with Renderer(2) as renderer:
        for _message, rendition in renderer.render(messages):
            tiers[rendition.tier] += 1
            clipped += rendition.clipped
    seconds = time.monotonic() - begun
    counted = ", ".join(f"tier {tier}: {count}" for tier, count in sorted(tiers.items()))
    rate = f"{len(messages) / seconds:.1f} messages/s with 2 workers, start included"
    return f"{len(messages)} messages: {rate}; {counted}; text cut off in {clipped}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the others lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    first, *others = widths
    lines = (
        [row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))] for row in rows
    )
    return "\n".join("  ".join(line) for line in lines)


if __name__ == "__main__":
    sys.exit(main())
