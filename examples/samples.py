"""The sample mail: about sixty messages of a small trading company in two logins, the same bytes every time.

python -m examples.samples FOLDER       # writes them as .eml files: FOLDER/login/folder/0001.eml
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr
from html import escape
from itertools import groupby
from pathlib import Path

from examples import papers
from examples.imap_mailbox import Mailbox
from examples.letters import Letter, letters

PASSWORD = "demo"  # of every sample login
FIRST_DAY = datetime(2024, 3, 1, 8, 0, tzinfo=timezone(timedelta(hours=8)))
NEWLINES = compat32.clone(linesep="\r\n")

BROKEN = (
    b"From: scanner@ocean-lighting.example\r\nTo: buying@ocean-lighting.example\r\nSubject: =?gb2312?B?yajD6MX8\r\n"
    b"Date: Mon, 99 Foo 2024 77:00:00\r\nContent-Type: multipart/mixed; boundary=never-there\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n--another\r\n\xc9\xa8\xc3\xe8\x00\xff not base64 at all ===\r\n"
)
"""A message no program should have sent: a torn header, an impossible date, a boundary that never comes, raw bytes."""


def accounts() -> dict[str, Mailbox]:
    """The two logins with their mail, and `restored`, which is empty."""
    found = {name: Mailbox() for name in ("sales", "buying", "restored")}
    for number, letter in enumerate(letters(), 1):
        raw, date = message(letter, number), when(letter)
        for login, folder in letter.places:
            found[login].append(folder, raw, letter.flags, date)
    found["buying"].append("INBOX", BROKEN, (), FIRST_DAY + timedelta(days=30))
    return found


def when(letter: Letter) -> datetime:
    """The time the letter was sent and received."""
    return FIRST_DAY + timedelta(days=letter.day)


def message(letter: Letter, number: int) -> bytes:
    """The raw message with CRLF line ends; `number` makes its Message-ID and boundaries."""
    body = _body(letter, number)
    if letter.papers:
        whole = MIMEMultipart("mixed", boundary=f"=_mixed_{number:04d}")
        for part in (body, *map(_attachment, letter.papers)):
            whole.attach(part)
        body = whole
    body["From"] = _address(letter.sender, letter.charset)
    body["To"] = _address(letter.to, letter.charset)
    body["Subject"] = Header(letter.subject, letter.charset, header_name="Subject").encode()
    body["Date"] = format_datetime(when(letter))
    body["Message-ID"] = f"<{number:04d}.{when(letter):%Y%m%d}@{parseaddr(letter.sender)[1].partition('@')[2]}>"
    if letter.newsletter:
        body["List-Unsubscribe"] = f"<https://trade-weekly.example/leave/{number}>"
        body["Precedence"] = "bulk"
    return body.as_bytes(policy=NEWLINES)


def _body(letter: Letter, number: int) -> MIMEBase:
    charset = Charset(letter.charset)
    charset.body_encoding = QP if letter.text.isascii() else BASE64
    plain = MIMEText(letter.text + "\n", "plain")
    _recode(plain, letter.text + "\n", charset)
    if not letter.html:
        return plain
    rich = MIMEText("", "html")
    _recode(rich, _html(letter.text), charset)
    both = MIMEMultipart("alternative", boundary=f"=_both_{number:04d}")
    both.attach(plain)
    both.attach(rich)
    return both


def _html(text: str) -> str:
    """A text as an office program sends it: paragraphs, and a table where lines have a "|"."""
    pieces = []
    for is_row, lines in groupby(filter(None, text.split("\n")), lambda line: "|" in line):
        if is_row:
            pieces.append('<table border="1" cellspacing="0" cellpadding="4">')
            cells = ("".join(f"<td>{escape(cell.strip())}</td>" for cell in row.split("|")) for row in lines)
            pieces += (f"<tr>{row}</tr>" for row in cells)
            pieces.append("</table>")
        else:
            pieces += (f"<p>{escape(line)}</p>" for line in lines)
    return f'<html><body style="font-family:Calibri,宋体,sans-serif">{"".join(pieces)}</body></html>\n'


def _recode(part: MIMEText, text: str, charset: Charset) -> None:
    del part["Content-Transfer-Encoding"]
    part.set_payload(text, charset)


def _address(text: str, charset: str) -> str:
    return formataddr(parseaddr(text), charset)


def _attachment(name: str) -> MIMEApplication:
    kinds = {"pdf": "pdf", "csv": "octet-stream", "xlsx": "vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
    part = MIMEApplication(paper(name), kinds[name.rpartition(".")[2]])
    part.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
    return part


def paper(name: str) -> bytes:
    """The document of this name: always the same bytes, so that every copy of it is a copy."""
    title, _dot, kind = name.rpartition(".")
    number = "".join(char for char in title if char.isascii()).strip()
    quantity = 100 + sum(name.encode()) % 1900
    rows = [(f"OL-{210 + 10 * line}", quantity // (line + 1), 4.2 + line) for line in range(40)]
    if kind == "xlsx":
        return papers.xlsx([("型号", "数量", "单价 USD"), *rows])
    if kind == "csv":
        return papers.csv([("型号", "数量", "单价"), *rows])
    lines = [f"{model:<10}  {count:>6} pcs   USD {price:8.2f}" for model, count, price in rows]
    return papers.pdf("OCEAN LIGHTING CO., LTD., NINGBO", f"Document {number}", "", *lines, "", "Signed and stamped")


def files(found: dict[str, Mailbox]) -> Iterator[tuple[str, bytes]]:
    """Every message as (relative path, bytes)."""
    for login, mailbox in found.items():
        for folder in mailbox.names():
            for mail in mailbox.box(folder).mails:
                yield f"{login}/{folder}/{mail.uid:04d}.eml", mail.body


def main() -> None:
    """Write the sample mail as files."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m examples.samples FOLDER")
    root, count = Path(sys.argv[1]), 0
    for name, raw in files(accounts()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        count += 1
    print(f"{count} messages written to {root}")


if __name__ == "__main__":
    main()
