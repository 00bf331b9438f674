"""Raw messages put together by hand: the standard library's generator would take a minute where this takes seconds."""

from __future__ import annotations

import binascii
import html
import random
from dataclasses import dataclass
from email.utils import formatdate

import pybase64

from tests.benchmarks.documents import Document

CHARSETS = {"utf-8": "utf-8", "gb18030": "gb18030", "gb2312": "gb18030", "big5": "big5", "us-ascii": "ascii"}
HTML_STYLE = "font-family:'Microsoft YaHei',Calibri,sans-serif;font-size:10.5pt;margin:0cm"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message says; `text` is Unicode, `charset` the name written into the header."""

    sender: str
    sender_name: str
    receiver: str
    receiver_name: str
    subject: str
    message_id: str
    references: tuple[str, ...]
    time: int
    charset: str
    text: str
    quoted: str
    logo: Document | None = None
    attachments: tuple[Document, ...] = ()
    newsletter: bool = False


def encoded_word(text: str, charset: str) -> str:
    """RFC 2047: the words of a header that is not ASCII, each below 75 characters."""
    if text.isascii():
        return text
    pieces = (text[start : start + 12] for start in range(0, len(text), 12))
    encode = [pybase64.b64encode(piece.encode(CHARSETS[charset], "replace")).decode() for piece in pieces]
    return "\n ".join(f"=?{charset.upper()}?B?{word}?=" for word in encode)


def wrapped(data: bytes, width: int) -> bytes:
    """Base64 in lines of `width` characters."""
    if width == 76:
        return pybase64.encodebytes(data)
    coded = pybase64.b64encode(data)
    return b"\n".join([coded[start : start + width] for start in range(0, len(coded), width)]) + b"\n"


def build(draft: Draft, rng: random.Random, width: int) -> bytes:
    """The message with LF line ends, as a Maildir holds it; `width` is the line length of base64 attachments."""
    content = _alternative(draft, rng)
    if draft.logo is not None:
        cid = f"Content-ID: <{draft.logo.name}@inline>\nContent-Disposition: inline; filename={draft.logo.name}\n"
        content = _multipart("related", rng, [content, _attachment(draft.logo, 76, cid)])
    if draft.attachments:
        parts = [_attachment(document, width, _disposition(document)) for document in draft.attachments]
        content = _multipart("mixed", rng, [content, *parts])
    return _headers(draft, rng).encode() + content


def _headers(draft: Draft, rng: random.Random) -> str:
    date, charset = formatdate(draft.time, localtime=False), draft.charset if draft.charset != "us-ascii" else "utf-8"
    domain = draft.sender.partition("@")[2]
    hops = "".join(
        f"Received: from mx{rng.randrange(90)}.{domain} (unknown [10.{rng.randrange(250)}.7.{hop}])\n\tby mail{hop}."
        f"example.com (Postfix) with ESMTPS id {rng.getrandbits(60):015X}\n\tfor <{draft.receiver}>; {date}\n"
        for hop in range(3)
    )
    signature = pybase64.encodebytes(rng.randbytes(256)).decode().strip().replace("\n", "\n\t")
    lines = [
        f"Return-Path: <{draft.sender}>\n{hops}Authentication-Results: mail.example.com; dkim=pass header.i=@{domain}\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s1; h=from:to:subject;\n\tb={signature}",
        f"From: {encoded_word(draft.sender_name, charset)} <{draft.sender}>",
        f"To: {encoded_word(draft.receiver_name, charset)} <{draft.receiver}>",
        f"Subject: {encoded_word(draft.subject, charset)}",
        f"Date: {date}\nMessage-ID: {draft.message_id}",
    ]
    if draft.references:
        lines += [f"In-Reply-To: {draft.references[-1]}", "References: " + "\n ".join(draft.references)]
    if draft.newsletter:
        lines.append(f"List-Unsubscribe: <https://news.example.net/u/{rng.getrandbits(128):032x}>\nPrecedence: bulk")
    lines.append("X-Mailer: Foxmail 7.2.25.365[cn]\nMIME-Version: 1.0\n")
    return "\n".join(lines)


def _alternative(draft: Draft, rng: random.Random) -> bytes:
    plain = draft.text + ("\n\n" + draft.quoted if draft.quoted else "")
    if draft.newsletter:
        return _text(_newsletter(draft), "html", draft.charset, rng)
    if rng.random() < 0.5:
        return _text(plain, "plain", draft.charset, rng)
    return _multipart(
        "alternative", rng, [_text(plain, "plain", draft.charset, rng), _text(_html(draft), "html", draft.charset, rng)]
    )


def _html(draft: Draft) -> str:
    def block(text: str) -> str:
        return "".join(
            f'<p class="MsoNormal" style="{HTML_STYLE}">{html.escape(line)}</p>\n' for line in text.split("\n") if line
        )

    image = f'<img src="cid:{draft.logo.name}@inline" width="160">' if draft.logo else ""
    quote = f'<blockquote style="border-left:1px solid #ccc">{block(draft.quoted)}</blockquote>' if draft.quoted else ""
    return f'<html><head><meta charset="{draft.charset}"></head><body>{block(draft.text)}{image}{quote}</body></html>'


def _newsletter(draft: Draft) -> str:
    cell = 'align="center" bgcolor="#ffffff" style="padding:12px 24px;font-family:Arial;line-height:22px;color:#333333"'
    rows = "".join(
        f'<table width="600" cellpadding="0" cellspacing="0" border="0"><tr><td {cell}>'
        f'<a href="https://news.example.net/c/{binascii.crc32(piece.encode()):016x}" style="color:#0b5ed7">'
        f"{html.escape(piece)}</a></td></tr></table>\n"
        for piece in draft.text.split("\n\n")
    )
    style = "".join(
        f".c{number}{{width:{number}px;padding:{number % 24}px;mso-table-lspace:0pt}}\n" for number in range(60)
    )
    return f'<html><head><style type="text/css">{style}</style></head><body bgcolor="#f4f4f4">{rows}</body></html>'


def _text(text: str, subtype: str, charset: str, rng: random.Random) -> bytes:
    if charset == "us-ascii" and not text.isascii():
        charset = "utf-8"
    data = text.encode(CHARSETS[charset], "replace")
    kind = f'Content-Type: text/{subtype}; charset="{charset}"\nContent-Transfer-Encoding: '.encode()
    if charset != "us-ascii" and rng.random() < 0.7:
        return kind + b"base64\n\n" + pybase64.encodebytes(data)
    if charset == "us-ascii" and subtype == "plain":
        return kind + b"7bit\n\n" + data + b"\n"
    return kind + b"quoted-printable\n\n" + binascii.b2a_qp(data) + b"\n"


def _attachment(document: Document, width: int, more: str) -> bytes:
    kind = f'Content-Type: {document.type}; name="{encoded_word(document.name, "utf-8")}"\n'
    return f"{kind}Content-Transfer-Encoding: base64\n{more}\n".encode() + wrapped(document.data, width)


def _disposition(document: Document) -> str:
    return f'Content-Disposition: attachment; filename="{encoded_word(document.name, "utf-8")}"\n'


def _multipart(subtype: str, rng: random.Random, parts: list[bytes]) -> bytes:
    boundary = f"----=_001_NextPart{rng.getrandbits(48):012d}_=----"
    line = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{subtype};\n\tboundary="{boundary}"\n\n'.encode()
    return head + b"".join(line + b"\n" + part + b"\n" for part in parts) + line + b"--\n"
