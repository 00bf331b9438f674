"""The sample mail is what the demo's story needs, and the same every time."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from examples import papers, samples
from examples.letters import letters


def test_the_same_bytes_every_time() -> None:
    first, again = (
        {name: hashlib.sha256(raw).hexdigest() for name, raw in samples.files(samples.accounts())} for _ in range(2)
    )
    assert first == again
    assert len(first) == 67
    assert len(set(first.values())) < len(first)  # some lie in two folders or two logins


def test_every_message_but_the_broken_one_says_what_was_written() -> None:
    charsets = set()
    for letter in letters():
        raw = samples.message(letter, 1)
        assert b"\n" not in raw.replace(b"\r\n", b"")
        parsed = message_from_bytes(raw, policy=policy.default)
        assert parsed["Subject"] == letter.subject
        body = parsed.get_body(("plain",))
        assert body is not None
        assert body.get_content().split() == letter.text.split()
        assert {part.get_filename() for part in parsed.iter_attachments()} == set(letter.papers)
        charsets.add(body.get_content_charset())
    assert charsets == {"utf-8", "gb2312", "gb18030", "big5"}


def test_documents_are_what_they_say(tmp_path: Path) -> None:
    sheet = zipfile.ZipFile(io.BytesIO(samples.paper("报价单 QT-2024-0121.xlsx")))
    assert sheet.testzip() is None
    assert "单价 USD" in sheet.read("xl/sheet1.xml").decode()
    page = tmp_path / "page.pdf"
    page.write_bytes(papers.pdf("Invoice (copy)", "USD 7,056.00"))
    try:
        shown = subprocess.run(["pdftotext", page, "-"], capture_output=True, check=True, timeout=30).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")
    assert shown.split() == [b"Invoice", b"[copy]", b"USD", b"7,056.00"]
