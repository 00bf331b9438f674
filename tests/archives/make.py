"""Makes the golden archive of this format version: `python -m tests.archives.make v1`. Run once a version, never again.

What it wrote is read by every later release (tests/test_golden.py). The keys in it are for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from archiver.backup import Options, backup
from archiver.config import ArchiveSettings, Settings
from archiver.monitor import Silent
from archiver.opening import open_archive
from archiver.setup import create_archive
from examples.imap_mailbox import Mailbox
from tests.authenticity.signing import NAME, pair, signed
from tests.servers.dns import dns_server
from tests.servers.scripted import ScriptedServer

HERE = Path(__file__).parent
QUERIES = ("合同", "contract", "filename:quotation", "dkim:pass", "dkim:none")
PASSPHRASE = "golden archive, opened by every release"


def mailbox() -> Mailbox:
    """A few messages of each kind: plain, Chinese, GBK, signed, with a shared attachment, its own, in two folders."""
    box, chance = Mailbox(), random.Random(1)
    shared, when = chance.randbytes(9_000), datetime(2024, 8, 15, 2, 30, tzinfo=UTC)
    for number in range(1, 9):
        head = f"From: Li Lei <li@example.com>\r\nTo: anna@example.com\r\nMessage-ID: <{number}@example.com>\r\n"
        head += f"Date: Thu, 15 Aug 2024 10:3{number}:00 +0800\r\nMIME-Version: 1.0\r\n"
        body = f"采购合同 PI-2024-08{number:02}，请查收。 Sales contract no. {number}.\r\n" * 3
        if number == 2:
            raw = head.encode() + "Subject: 合同\r\nContent-Type: text/plain; charset=gbk\r\n\r\n".encode("gbk")
            box.append("INBOX", raw + body.encode("gbk"), {"\\Seen"}, when)
            continue
        data = {3: shared, 4: shared, 5: chance.randbytes(6_000)}.get(number)
        box.append("INBOX", _with_attachment(head, body, data, number), {"\\Seen"} if number % 2 else (), when)
    box.append("INBOX", signed(), (), when)
    box.append("合同/2024", box.bodies("INBOX")[2], {"\\Flagged"}, when)
    return box


def main(version: str) -> None:
    target = HERE / version
    with (
        ScriptedServer(mailbox=mailbox()) as server,
        dns_server() as names,
        tempfile.TemporaryDirectory() as scratch,
    ):
        names.publish(NAME, pair().record)
        account = server.settings(name="golden")
        archive = ArchiveSettings((str(target / "store"),), 1, Path(scratch) / "work", None, dns=(names.address,))
        settings = Settings(Path(scratch) / "mailark.toml", archive, (account,))
        create_archive(settings, PASSPHRASE, classic=False, generated=False)
        for change in (None, _second_day, _third_day):
            if change is not None:
                change(server.mailbox)
            with open_archive(settings, PASSPHRASE) as opened:
                assert backup(opened, Options(), Silent()).exit_code == 0
        with open_archive(settings, PASSPHRASE) as opened:
            messages = sorted(message for message, _ in opened.catalog.messages())
            found = {query: len(opened.catalog.search(query)) for query in QUERIES}
            places = [[f.folder, f.epoch, list(f.places)] for f in opened.catalog.live_folders()]
    expected = {"passphrase": PASSPHRASE, "messages": messages, "found": found, "live": places}
    (target / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(hashlib.sha256(json.dumps(expected).encode()).hexdigest(), len(messages), "messages")


def _with_attachment(head: str, body: str, data: bytes | None, number: int) -> bytes:
    if data is None:
        return f"{head}Subject: Quotation {number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}".encode()
    text = base64.encodebytes(data).replace(b"\n", b"\r\n").decode()
    return (
        f'{head}Subject: PI {number}\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n--b\r\n"
        f'Content-Type: application/pdf; name="quotation-{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{text}--b--\r\n"
    ).encode()


def _second_day(box: Mailbox) -> None:
    """Flags change, a message goes, another comes with an attachment that is archived already."""
    box.flag("INBOX", 1, {"\\Answered", "\\Seen"})
    box.expunge("INBOX", 6)
    attachment = box.box("INBOX").find(3).body
    box.append("INBOX", b"X-Forwarded: yes\r\n" + attachment, ())


def _third_day(box: Mailbox) -> None:
    """The folder is rebuilt: a new epoch."""
    box.renew("合同/2024")


if __name__ == "__main__":
    main(sys.argv[1])
