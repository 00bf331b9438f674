"""Messages as Maildir folders, opened by Dovecot, notmuch, mu, mbsync and Python."""

from __future__ import annotations

import csv
import hashlib
import imaplib
import mailbox
import os
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archiver.model import Place
from exporters.maildir import MaildirExporter, letters
from tests.contracts.exporter import ARRIVED, BODIES, ExporterContract, outgoing, place
from tests.servers.dovecot import HOST, MAIL_UID, Dovecot, quoted

FLAGGED = ("$Forwarded", "Junk", "\\Answered", "\\Flagged", "\\Seen", "label:合同")


class TestMaildir(ExporterContract):
    forbidden = '<>"\\|?*\0\n'

    @pytest.fixture
    def exporter(self) -> MaildirExporter:
        return MaildirExporter()

    def read_back(self, target: Path) -> Iterator[bytes]:
        return (path.read_bytes() for path in target.rglob("cur/*") if path.is_file())


def test_names_flags_time_and_folders(tmp_path: Path) -> None:
    message = outgoing(BODIES[0], place(folder="客户/2024"))
    flagged = outgoing(BODIES[1], _flagged(place()))
    report = MaildirExporter().export([message, flagged], tmp_path)
    first, second = report.files
    seconds = int(ARRIVED.timestamp())
    assert first == Path(f"li@example.cn/客户/2024/cur/{seconds}.{message.id[:32]}.mailark:2,S")
    assert second.name == f"{seconds}.{flagged.id[:32]}.mailark:2,FPRS"
    assert (tmp_path / first).stat().st_mtime == ARRIVED.timestamp()
    assert all((tmp_path / "li@example.cn" / "客户" / "2024" / part).is_dir() for part in ("cur", "new", "tmp"))
    with (tmp_path / "index-maildir.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["flags"]) for row in rows] == [(str(first), "\\Seen"), (str(second), " ".join(FLAGGED))]


def test_letters() -> None:
    assert letters(("\\Deleted", "\\Draft", "\\Flagged", "\\Answered", "\\SEEN", "$forwarded", "x")) == "DFPRST"


def test_what_a_mail_program_changed_is_there_already(tmp_path: Path) -> None:
    messages = [outgoing(raw, place(uid=uid)) for uid, raw in enumerate(BODIES)]
    first, second, *_ = MaildirExporter().export(messages, tmp_path).files
    (tmp_path / first).rename((tmp_path / first).with_name(first.name.replace(":2,S", ":2,FST")))
    folder = tmp_path / second.parent.parent
    (tmp_path / second).rename(folder / "new" / second.name.partition(":")[0])
    again = MaildirExporter().export(messages, tmp_path)
    assert (again.written, again.skipped) == (0, len(BODIES))
    assert sum(path.is_file() for path in folder.rglob("*/*")) == len(BODIES)


def test_subfolders_named_like_parts_of_a_maildir(tmp_path: Path) -> None:
    names = ["INBOX", "INBOX/cur", "INBOX/new", "INBOX/TMP", "cur", "INBOX/cur/x"]
    messages = [outgoing(b"Subject: %d\n\n" % n, place(folder=name)) for n, name in enumerate(names)]
    report = MaildirExporter().export(messages, tmp_path)
    assert report.written == len({path.parent for path in report.files}) == len(names)
    for path in report.files:
        assert [part for part in path.parts if part.lower() in ("cur", "new", "tmp")] == ["cur"]


def test_at_every_place(tmp_path: Path) -> None:
    report = MaildirExporter(every_place=True).export([outgoing(BODIES[0], place(), place(folder="Sent"))], tmp_path)
    assert (report.written, [path.parts[1] for path in report.files]) == (1, ["INBOX", "Sent"])


def business(number: int, folder: str) -> bytes:
    text = f"From: li@example.cn\r\nSubject: 合同 {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{folder}\r\nFrom here\r\n"
    return text.encode()


TREE = {"INBOX": 3, "Sent": 1, "项目/合同": 2, "项目/合同/2024": 1, "dots.in.names": 1, "A&B": 1}


@pytest.fixture
def account(tmp_path: Path) -> tuple[Path, dict[str, Counter[bytes]]]:
    """An exported account, and the messages in each of its folders."""
    messages, held = [], {}
    for folder, count in TREE.items():
        raws = [business(number, folder) for number in range(count)]
        messages += [outgoing(raw, _flagged(place(folder=folder, uid=n))) for n, raw in enumerate(raws)]
        held[folder] = Counter(raws)
    MaildirExporter().export(messages, tmp_path / "export")
    return tmp_path / "export" / "li@example.cn", held


def test_dovecot_serves_it(account: tuple[Path, dict[str, Counter[bytes]]], dovecot: Dovecot) -> None:
    """Every folder, byte for byte, with flags and INTERNALDATE; by the mail_location that the module tells."""
    root, held = account
    served = dovecot.dir / "served"
    shutil.copytree(root, served)
    for path in (served, *served.rglob("*")):
        os.chown(path, MAIL_UID, MAIL_UID)
    location = f"mail_location=maildir:{served}:LAYOUT=fs:UTF-8:INBOX={served}/INBOX"
    as_mail = f"setpriv --reuid={MAIL_UID} --regid={MAIL_UID} --clear-groups env USER=reader HOME=/ ".split()
    program = ["/usr/lib/dovecot/imap", "-c", str(dovecot.dir / "dovecot.conf"), "-o", location]
    try:
        session = imaplib.IMAP4_stream(shlex.join([*as_mail, *program]))
        for folder, messages in held.items():
            assert session.select(quoted(folder), readonly=True)[0] == "OK", folder
            _, found = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
            parts = [part for part in found if isinstance(part, tuple)]
            assert Counter(part[1] for part in parts) == messages
            flags = [{*imaplib.ParseFlags(part[0])} - {b"\\Recent"} for part in parts]
            assert flags == [{b"\\Answered", b"\\Flagged", b"\\Seen"}] * len(parts)
            moments = [time.mktime(imaplib.Internaldate2tuple(part[0])) for part in parts]  # type: ignore[arg-type]
            assert moments == [ARRIVED.timestamp()] * len(parts)
        session.logout()
    finally:
        shutil.rmtree(served)


def test_mbsync_carries_it_into_an_account(
    account: tuple[Path, dict[str, Counter[bytes]]], dovecot: Dovecot, tmp_path: Path
) -> None:
    if shutil.which("mbsync") is None:
        pytest.skip("needs Debian's isync")
    root, held = account
    user = dovecot.user("carried")
    session = dovecot.session(user)
    (tmp_path / "mbsyncrc").write_text(
        f"IMAPStore far\nHost {HOST}\nPort {dovecot.port}\nUser {user}\nPass {dovecot.password}\n"
        "SSLType None\nAuthMechs LOGIN\n\n"
        f"MaildirStore near\nPath {root}/\nInbox {root}/INBOX\nSubFolders Verbatim\n\n"
        'Channel all\nFar :far:\nNear :near:\nPatterns "INBOX" "Sent"\n'
        "Create Far\nSync Push\nSyncState *\n"
    )
    command = ["mbsync", "-c", str(tmp_path / "mbsyncrc"), "all"]
    done = subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for folder in ("INBOX", "Sent"):
        session.select(quoted(folder), readonly=True)
        kind, found = session.fetch("1:*", "(FLAGS BODY.PEEK[])")
        bodies = Counter(part[1] for part in found if isinstance(part, tuple))
        assert {_without_marks(raw): n for raw, n in bodies.items()} == dict(held[folder])
        assert kind == "OK" and all(b"\\Flagged" in part[0] for part in found if isinstance(part, tuple))


def _without_marks(raw: bytes) -> bytes:
    """mbsync adds a header of its own to what it uploads."""
    return b"".join(line for line in raw.splitlines(keepends=True) if not line.startswith(b"X-TUID:"))


@pytest.mark.parametrize("program", ["notmuch", "mu"])
def test_an_indexer_reads_the_whole_tree(
    program: str, account: tuple[Path, dict[str, Counter[bytes]]], tmp_path: Path
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}")
    root, held = account
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "NOTMUCH_CONFIG": str(tmp_path / "c"),
    }
    if program == "notmuch":
        (tmp_path / "c").write_text(f"[database]\npath={root}\n[user]\nprimary_email=a@b\n")
        commands = [["notmuch", "new"], ["notmuch", "search", "--output=files", "*"]]
    else:
        commands = [["mu", "init", f"--maildir={root}"], ["mu", "index"], ["mu", "find", "--fields", "l", ""]]
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    found = Counter(hashlib.sha256(Path(line).read_bytes()).hexdigest() for line in done.stdout.decode().splitlines())
    expected: Counter[str] = Counter()
    for messages in held.values():
        expected.update({hashlib.sha256(raw).hexdigest(): count for raw, count in messages.items()})
    assert found == expected


def test_python_reads_it(account: tuple[Path, dict[str, Counter[bytes]]]) -> None:
    root, held = account
    for folder, messages in held.items():
        found = mailbox.Maildir(root / folder, create=False)
        assert Counter(found.get_bytes(key) for key in found.keys()) == messages  # noqa: SIM118
        assert {message.get_flags() for message in found} == {"FPRS"}


def _flagged(where: Place) -> Place:
    return replace(where, flags=FLAGGED)
