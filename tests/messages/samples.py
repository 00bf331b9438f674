"""Small messages, ordinary and hostile. Every function returns the raw bytes of one."""

from __future__ import annotations

import base64
import random

CHINESE = "采购合同 2024-118：请确认付款条件，货物将于下周三在宁波港装船。谢谢！"


def message(headers: str | bytes = "", body: str | bytes = "Hello.\n", *, eol: bytes = b"\r\n") -> bytes:
    """Headers (without the usual three, unless stated) and a body; LF in either becomes `eol`."""
    head = headers.encode() if isinstance(headers, str) else headers
    usual = b"From: Li Wei <li@example.cn>\nTo: office@example.com\nDate: Mon, 4 Mar 2024 09:30:00 +0800\n"
    names = {line.partition(b":")[0].lower() for line in head.split(b"\n")}
    kept = b"".join(line + b"\n" for line in usual.splitlines() if line.partition(b":")[0].lower() not in names)
    content = body.encode() if isinstance(body, str) else body
    raw = kept + (head.rstrip(b"\n") + b"\n" if head else b"") + b"\n" + content
    return raw.replace(b"\r\n", b"\n").replace(b"\n", eol)


def word(text: str | bytes, charset: str = "utf-8", encoding: str = "B") -> str:
    """One RFC 2047 encoded word."""
    data = text if isinstance(text, bytes) else text.encode(charset)
    if encoding == "B":
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?="
    return f"=?{charset}?Q?{''.join(f'={byte:02X}' for byte in data)}?="


def attachment(data: bytes, name: str | bytes = "a.pdf", *, kind: str = "application/pdf") -> bytes:
    """A multipart/mixed message with a text and one base64 attachment."""
    raw_name = name if isinstance(name, bytes) else name.encode()
    return message(
        "Subject: with attachment\nContent-Type: multipart/mixed; boundary=b1\n",
        f"--b1\nContent-Type: text/plain\n\nSee the file.\n--b1\nContent-Type: {kind}\n".encode()
        + b'Content-Disposition: attachment; filename="'
        + raw_name
        + b'"\nContent-Transfer-Encoding: base64\n\n'
        + base64.encodebytes(data)
        + b"--b1--\n",
    )


def business(size: int = 6_000, seed: int = 1) -> bytes:
    """A typical business mail: Chinese subject, plain and HTML alternatives, quoted-printable, about `size` bytes."""
    import quopri

    rng = random.Random(seed)
    words = (
        "shipment",
        "contract",
        "price",
        "payment",
        "合同",
        "发票",
        "装船",
        "确认",
        "quantity",
        "invoice",
        "PI-2024-118",
    )
    lines = [" ".join(rng.choice(words) for _ in range(11)) for _ in range(max(4, size // 330))]
    html = "<html><head><style>p{margin:0}</style></head><body>" + "".join(
        f'<p class=MsoNormal><span style="font-size:10.5pt">{line}<o:p></o:p></span></p>\n' for line in lines
    )
    parts = "".join(
        f"--=_b\nContent-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        + quopri.encodestring(text.encode()).decode()
        + "\n"
        for kind, text in (("plain", "\n".join(lines)), ("html", html + "</body></html>"))
    )
    received = "".join(
        f"Received: from mx{i}.example.com (mx{i}.example.com [192.0.2.{i}])\n"
        f"\tby mx{i + 1}.example.com with ESMTPS id {i}abc\n"
        f"\tfor <office@example.com>; Mon, 4 Mar 2024 09:30:0{i} +0800\n"
        for i in range(5)
    )
    return message(
        received
        + f"Subject: {word(CHINESE[:12])}\n {word(CHINESE[12:24])}\n"
        + f"To: {word('王芳')} <wang@example.com>, Peter Smith <peter@example.org>\n"
        + "Message-ID: <118.1709516@example.cn>\nReferences: <1@example.cn> <2@example.cn>\nMIME-Version: 1.0\n"
        + 'Content-Type: multipart/alternative; boundary="=_b"\nX-Mailer: Foxmail 7.2\n',
        parts + "--=_b--\n",
    )


def nested(depth: int) -> bytes:
    """multipart in multipart, `depth` levels, a text in the innermost."""
    head = "".join(f'Content-Type: multipart/mixed; boundary="n{i}"\n\n--n{i}\n' for i in range(depth))
    return b"Subject: nested\n" + head.encode() + b"Content-Type: text/plain\n\ninnermost\n"


def forwarded(depth: int) -> bytes:
    """message/rfc822 in message/rfc822, `depth` levels."""
    return b"Subject: outer\nContent-Type: message/rfc822\n\n" * depth + b"Subject: inner\n\ninnermost\n"


def recipients(count: int) -> bytes:
    """A message to `count` people, folded as mail programs do."""
    people = ",\n ".join(f'"Person {i}" <p{i}@example.com>' for i in range(count))
    return message(f"Subject: all\nTo: {people}\n")


HOSTILE_HTML = {
    "open angles": "<" * 200_000,
    "open tags": "<a " * 100_000,
    "open comments": "<!-- " * 60_000,
    "open styles": "<style>" * 50_000,
    "closed nothing": "</" * 150_000,
    "hidden in hidden": '<div style="display:none">' * 20_000,
    "hidden without tag": "display:none" * 30_000,
    "entities": "&" * 300_000,
    "long number": "&#" + "9" * 300_000 + ";",
    "many long numbers": ("&#" + "9" * 5_000 + ";") * 60,
    "pre": "<pre>" * 60_000,
    "quotes": '<a title="' * 40_000,
    "line ends": "<br>" * 100_000,
    "spaces": " " * 500_000 + "<p" + " " * 500_000,
}
"""HTML that makes careless scanners quadratic."""

HOSTILE_ADDRESSES = {
    "quotes": '"' * 100_001,
    "masked quotes": '"' + '\\"' * 60_000,
    "backslashes": "\\" * 100_000,
    "angles": "<" * 200_000,
    "comments": "(" * 200_000,
    "commas": "," * 300_000,
    "words": "=?utf-8?q?" * 30_000,
    "half words": "=?" * 150_000,
    "colons": "a:" * 100_000,
    "names": "a b," * 60_000,
}
"""Address lists that make careless parsers quadratic."""
