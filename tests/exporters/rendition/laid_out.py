"""Pages as the layout engine hands them on, and messages to go with them."""

from __future__ import annotations

import functools
import hashlib
import io
import subprocess
from pathlib import Path

from PIL import Image

from archiver.mime import parse
from exporters.interface import Outgoing
from exporters.rendition import engine
from exporters.rendition.interface import Tier
from exporters.rendition.pdfa import finish

RENDERER = "Mailark 0 (test)"
PICTURE = "cid:picture"
RAW = (
    b"From: =?utf-8?b?5byg5Lyf?= <zhang@example.cn>\r\nTo: li@example.com\r\nSubject: PI 2024-118 & <contract>\r\n"
    b"Message-ID: <118@example.cn>\r\nDate: Mon, 4 Mar 2024 09:30:00 +0800\r\n\r\nSee the proforma invoice.\r\n"
)


def message(raw: bytes = RAW, subject: str | None = None) -> Outgoing:
    parsed = parse(raw)
    name = hashlib.sha256(raw).hexdigest()
    return Outgoing(name, raw, (), parsed.subject if subject is None else subject, parsed.date)


@functools.cache
def pages(body: str = "<p>Plain</p>") -> bytes:
    return engine.lay_out(
        f"<html lang=en><head><title>x</title></head><body>{body}</body></html>", {PICTURE: picture()}
    )


def picture() -> bytes:
    """A half transparent image."""
    target = io.BytesIO()
    Image.new("RGBA", (12, 8), (200, 0, 0, 128)).save(target, "PNG")
    return target.getvalue()


def rich_pages() -> bytes:
    """Emoji, Chinese, Japanese, Hebrew, Arabic, Devanagari, a transparent image and layer, links, headings, two
    pages.
    """
    return pages(
        "<h1>Quote 😀 👍🏽</h1><p>合同 发票 日本語 שלום مرحبا क्षत्रिय <a href='https://example.com/x'>link</a> "
        "<a href='mailto:a@example.com'>mail</a> <a href='#end'>jump</a></p>"
        f"<img src='{PICTURE}'><div style='opacity:.5'>faint</div>"
        "<p style='page-break-before:always' id=end>second page</p>",
    )


@functools.cache
def rendition(body: str = "<p>Plain</p>", raw: bytes = RAW) -> bytes:
    return finish(pages(body), message(raw), Tier.HTML, RENDERER)


@functools.cache
def rich_rendition() -> bytes:
    return finish(rich_pages(), message(), Tier.HTML, RENDERER)


def qpdf_problems(pdf: bytes, folder: Path) -> str:
    """What `qpdf --check` says, "" when it finds nothing."""
    file = folder / "checked.pdf"
    file.write_bytes(pdf)
    done = subprocess.run(["qpdf", "--check", str(file)], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
