"""The recovery sheet: one page to print and lock away, which brings the archive back in anybody's hands."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

TITLE = "Mailark recovery sheet"
_USERINFO = re.compile(r"(?<=//)[^/@]*@")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STYLE = """
body { font: 11pt/1.45 sans-serif; color: #000; background: #fff; max-width: 17cm; margin: 1.5cm auto; }
h1 { font-size: 18pt; margin: 0 0 .3cm; } h2 { font-size: 12pt; margin: .6cm 0 .2cm; }
code, pre { font-family: monospace; font-size: 10pt; } pre { border-left: 3px solid #999; padding-left: .3cm; }
pre, td { white-space: pre-wrap; overflow-wrap: anywhere; }
th { text-align: left; vertical-align: top; padding-right: .5cm; white-space: nowrap; font-weight: normal; }
.secret { border: 1.5pt solid #000; padding: .4cm; } .secret code { font-size: 15pt; font-weight: bold; }
.secret svg { float: right; margin-left: .4cm; } .secret::after { content: ""; display: block; clear: both; }
li { margin-bottom: .15cm; } @page { size: A4; margin: 1.5cm; } @media print { body { margin: 0 auto; } }
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the page tells.

    archive: 32 hex digits · fingerprint: of the root key, 64 hex digits · stores: their URLs · made: the day ·
    passphrase: the generated one; None leaves a line to fill in by hand · classic: no post-quantum keys.
    """

    archive: str
    fingerprint: str
    stores: tuple[str, ...]
    made: date
    passphrase: str | None
    classic: bool = False

    def __repr__(self) -> str:
        return f"Sheet({self.archive})"


def text(sheet: Sheet) -> str:
    """The sheet as plain text, wrapped at 96 columns (commands and store addresses excepted), lines ended by LF."""
    lines = [TITLE.upper(), "", *_wrapped("", _warning(sheet)), ""]
    lines += ["PASSPHRASE", "", f"    {sheet.passphrase or '_' * 50}", ""]
    lines += [f"{label and label + ':':<18}{value}" for label, value in _facts(sheet)]
    for heading, steps in _ways(sheet):
        lines += ["", heading.upper(), ""]
        for number, (step, commands) in enumerate(steps, 1):
            lines += [*_wrapped(f"{number}. ", step), *(f"       {command}" for command in commands)]
    return "\n".join(lines) + "\n"


def html(sheet: Sheet) -> str:
    """The sheet as one page of HTML that loads nothing from anywhere, with a QR code of the passphrase."""
    passphrase = f"<code>{_safe(sheet.passphrase)}</code>" if sheet.passphrase else "_" * 40
    facts = "".join(f"<tr><th>{_safe(label)}</th><td>{_safe(value)}</td></tr>" for label, value in _facts(sheet))
    ways = "".join(f"<h2>{_safe(heading)}</h2><ol>{_list(steps)}</ol>" for heading, steps in _ways(sheet))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{TITLE}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{TITLE}</h1><p>{_safe(_warning(sheet))}</p>"
        f'<div class="secret">{_qr_code(sheet.passphrase)}<p>Passphrase</p><p>{passphrase}</p></div>'
        f"<table>{facts}</table>{ways}</body></html>\n"
    )


def public_url(url: str) -> str:
    """A store's URL without any user name or password in it, and without characters that do not print."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", _USERINFO.sub("", url))


def _wrapped(lead: str, words: str) -> list[str]:
    return textwrap.wrap(words, 96, initial_indent=lead, subsequent_indent=" " * len(lead))


def _warning(sheet: Sheet) -> str:
    if sheet.passphrase is None:
        return "Write the passphrase below by hand. Without it nobody, not even its makers, can open the archive."
    return "Whoever holds this page can read all mail. Without it nobody can. Keep two copies in two safe places."


def _facts(sheet: Sheet) -> list[tuple[str, str]]:
    groups = " ".join(sheet.fingerprint[start : start + 4] for start in range(0, len(sheet.fingerprint), 4))
    facts = [
        ("Archive", sheet.archive),
        ("Root fingerprint", groups[:39]),
        ("", groups[40:]),
        ("Keys", "X25519" if sheet.classic else "post-quantum hybrid (ML-KEM-768 and X25519)"),
        ("Made on", sheet.made.isoformat()),
    ]
    return facts + [(f"Store {number}", public_url(url)) for number, url in enumerate(sheet.stores, 1)]


_Steps = list[tuple[str, Sequence[str]]]


def _ways(sheet: Sheet) -> list[tuple[str, _Steps]]:
    url = shlex.quote(public_url(sheet.stores[0])) if sheet.stores else "URL"
    age = "age" if sheet.classic else "age (1.3 or newer)"
    mailark: _Steps = [
        ("Install Mailark on a clean machine:", ["pip install mailark"]),
        (
            "Bring everything back from any one store; type the passphrase when asked:",
            [f"mailark recover --store {url}"],
        ),
        ("It shows the root fingerprint. Go on only if it is the one printed above.", []),
        ("Find mail and take it out:", ["mailark search QUERY", "mailark --help"]),
    ]
    tools: _Steps = [
        (f"Copy the store to a disk. Install {age}, zstd, tar. FORMAT.txt in the store explains every file.", []),
        ("Open the recovery key; type the passphrase exactly as printed:", ["age -d keys/recovery.age > recovery.key"]),
        ("Open the key of the year:", ["age -d -i recovery.key keys/era/mail-YEAR.1.age > year.key"]),
        (
            "Unpack every pack of the year:",
            ["for p in packs/mail-YEAR/*/*.age; do age -d -i year.key $p | zstd -d | tar x; done"],
        ),
        ("Messages lie in m/. FORMAT.txt tells how large attachments go back in; reader.py in the store does it.", []),
        ("Compare the root fingerprint:", ["openssl pkey -pubin -in keys/root.pem -outform DER | sha256sum"]),
        ("Delete recovery.key and year.key when done.", []),
    ]
    return [("Recovery with Mailark", mailark), ("Recovery with standard tools alone", tools)]


def _list(steps: _Steps) -> str:
    return "".join(
        f"<li>{_safe(step)}{'<pre>' + _safe(chr(10).join(commands)) + '</pre>' if commands else ''}</li>"
        for step, commands in steps
    )


def _safe(value: str) -> str:
    return escape(value, quote=True)


def _qr_code(passphrase: str | None) -> str:
    if passphrase is None:
        return ""
    import segno

    picture: str = segno.make(passphrase, error="m", micro=False).svg_inline(scale=4)
    return picture
