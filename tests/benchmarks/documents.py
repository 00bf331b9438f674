"""Attachments as they travel in business mail: bytes that look and compress like PDF, office, picture and CSV files."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from functools import lru_cache

from tests.benchmarks import words

MEDIAN_SIZE = 36_000
LARGEST = 14_000_000
LOGOS = 60
SHARED = 40


@dataclass(frozen=True, slots=True)
class Document:
    """One file to attach; the same document goes out in several messages."""

    name: str
    type: str
    data: bytes


def _pdf(rng: random.Random, size: int) -> bytes:
    pages = []
    for number in range(1 + size // 60_000):
        body = rng.randbytes(min(size, 60_000))
        pages.append(b"%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n" % (number + 4, len(body)) + body)
    return b"%PDF-1.5\n" + b"\nendstream\nendobj\n".join(pages) + b"\ntrailer << /Root 1 0 R >>\n%%EOF\n"


def _office(rng: random.Random, size: int) -> bytes:
    entries = []
    for name in (b"[Content_Types].xml", b"docProps/app.xml", b"xl/workbook.xml", b"xl/worksheets/sheet1.xml"):
        body = rng.randbytes(size // 4)
        head = struct.pack(
            "<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, rng.getrandbits(32), len(body), len(body) * 5, len(name), 0
        )
        entries.append(head + name + body)
    return b"".join(entries) + b"PK\x05\x06" + bytes(18)


def _jpeg(rng: random.Random, size: int) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + rng.randbytes(size).replace(b"\xff", b"\xff\x00") + b"\xff\xd9"


def _csv(rng: random.Random, size: int) -> bytes:
    rows = ["item,description,quantity,price"]
    for number in range(min(size, 400_000) // 60):
        what = " ".join(rng.choices(words.ENGLISH_WORDS, k=4))
        rows.append(f"{number:05d},{what},{rng.randrange(1, 5000)},{rng.randrange(100, 90_000) / 100:.2f}")
    return "\r\n".join(rows).encode()


_KINDS = (
    (0.46, "pdf", "application/pdf", _pdf),
    (0.70, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _office),
    (0.80, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", _office),
    (0.95, "jpg", "image/jpeg", _jpeg),
    (1.01, "csv", "text/csv", _csv),
)


def document(rng: random.Random, year: int, language: str) -> Document:
    """A new document: sizes are log-normal around 36 kB, seldom above 5 MB, never above 14 MB (20 MB in base64)."""
    size = min(LARGEST, int(MEDIAN_SIZE * math.exp(rng.gauss(0, 1.6))))
    draw = rng.random()
    _limit, suffix, kind, make = next(row for row in _KINDS if draw < row[0])
    title = words.reference(rng, year) + (
        rng.choice((" 合同", " 发票", " 报价单", " 装箱单")) if language == "zh" else ""
    )
    return Document(f"{title}.{suffix}", kind, make(rng, size))


@lru_cache(maxsize=SHARED)
def shared(number: int) -> Document:
    """One of the catalogues, price lists and company profiles that are sent to many customers."""
    rng = random.Random(f"shared document {number}")
    return Document(f"catalogue-{number:02d}.pdf", "application/pdf", _pdf(rng, rng.randint(80_000, 700_000)))


@lru_cache(maxsize=LOGOS)
def logo(number: int) -> Document:
    """The picture in a company's signature, 4 to 14 kB."""
    rng = random.Random(f"logo {number}")
    picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + rng.randbytes(rng.randint(4_000, 14_000)) + b"IEND\xaeB`\x82"
    return Document(f"image{number:03d}.png", "image/png", picture)
