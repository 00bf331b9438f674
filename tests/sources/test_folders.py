"""Which folders are walked, and what one round trip tells of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from archiver.errors import AuthError, ConnectError, ProtocolError
from archiver.model import Folder, FolderStatus
from archiver.sources.imap import ImapSource
from archiver.sources.providers import GENERIC, PROVIDERS, provider_of
from tests.servers.imap_faults import Lines, Replies, ShortList
from tests.servers.scripted import PLAIN, QRESYNC, Fault, ScriptedServer
from tests.sources.imap_run import quick


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(QRESYNC) as server:
        yield server


def folders(server: ScriptedServer, **settings: object) -> list[Folder]:
    with closing(ImapSource(server.settings(**settings), quick())) as source:
        return source.folders()


def names(server: ScriptedServer, **settings: object) -> list[str]:
    return [folder.name for folder in folders(server, **settings)]


def test_folders_that_hold_no_messages_are_left_out(server: ScriptedServer) -> None:
    server.mailbox.create("[Gmail]", "\\HasChildren \\Noselect")
    server.mailbox.create("old", "\\NonExistent")
    server.mailbox.create("new")
    assert names(server) == ["INBOX", "new"]


def test_the_settings_choose(server: ScriptedServer) -> None:
    for name in ("合同/2024", "合同/2025", "Junk"):
        server.mailbox.create(name)
    assert names(server, folders=("合同/*",)) == ["合同/2024", "合同/2025"]
    assert names(server, skip=("Junk", "*2025")) == ["INBOX", "合同/2024"]


def gmail(server: ScriptedServer) -> None:
    server.extensions |= {"X-GM-EXT-1"}
    for name, attribute in (("[Gmail]/Trash", "\\Trash"), ("[Gmail]/Spam", "\\Junk"), ("[Gmail]/Sent", "\\Sent")):
        server.mailbox.create(name, attribute)
    server.mailbox.create("label")


def test_gmail_is_walked_once(server: ScriptedServer) -> None:
    gmail(server)
    server.mailbox.create("[Gmail]/All Mail", "\\HasNoChildren \\All")
    assert names(server) == ["[Gmail]/All Mail", "[Gmail]/Spam", "[Gmail]/Trash"]


def test_gmail_that_hides_all_mail_is_told_and_walked_by_label(server: ScriptedServer) -> None:
    gmail(server)
    with closing(ImapSource(server.settings(), quick())) as source:
        assert len(source.folders()) == 5
        assert any("Show in IMAP" in note for note in source.notes)


def test_an_all_folder_elsewhere_changes_nothing(server: ScriptedServer) -> None:
    server.mailbox.create("virtual/All", "\\All")
    assert names(server) == ["INBOX", "virtual/All"]


def test_names_that_read_alike_stay_apart(server: ScriptedServer) -> None:
    server.mailbox.create("发件箱")
    server.mailbox.create("发件箱".encode())
    found = names(server)
    assert len(found) == len(set(found)) == 3 and "发件箱" in found


@pytest.mark.parametrize("extensions", [PLAIN, QRESYNC], ids=["status", "list-status"])
def test_a_thousand_folders_take_few_round_trips(extensions: frozenset[str]) -> None:
    with ScriptedServer(extensions) as server:
        for number in range(1000):
            server.mailbox.append(f"项目/{number}", b"Subject: x\r\n\r\n")
        started = time.monotonic()
        found = folders(server)
        assert time.monotonic() - started < 3
        assert len(found) == 1001
        assert all(f.status and f.status.messages == 1 and f.status.uidnext == 2 for f in found[1:])
        assert server.count("STATUS") == (1001 if extensions == PLAIN else 0)


def test_a_folder_whose_status_is_refused_is_listed_without_it() -> None:
    class Refuses(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            refused = command.name == "STATUS" and b"locked" in command.args
            return [b"%s NO [UNAVAILABLE] locked\r\n" % command.tag] if refused else chunks

    with ScriptedServer(PLAIN) as server:
        server.mailbox.create("locked")
        server.mailbox.create("open")
        server.faults = [Refuses()]
        found = {folder.name: folder.status for folder in folders(server)}
    assert found["locked"] is None
    assert isinstance(found["open"], FolderStatus) and isinstance(found["INBOX"], FolderStatus)


def test_literal_names(server: ScriptedServer) -> None:
    server.mailbox.create("with space")
    literal = b"{10}\r\nwith space"
    server.faults = [Lines("LIST", lambda line: line.replace(b'"with space"', literal))]
    found = {folder.name: folder for folder in folders(server)}
    assert found["with space"].status


def test_a_name_nobody_can_say_fails_by_name(server: ScriptedServer) -> None:
    server.extensions = PLAIN
    literal = b"{4}\r\na\r\nb"
    server.faults = [
        Lines("LIST", lambda line: line + b'* LIST () "/" ' + literal + b"\r\n" if b"INBOX" in line else line)
    ]
    found = {folder.name: folder for folder in folders(server)}
    with closing(ImapSource(server.settings(), quick())) as source, pytest.raises(ProtocolError, match="control"):
        source.listing(found["a\r\nb"], None)
    assert found["INBOX"].status


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_a_list_cut_short_is_completed(server: ScriptedServer, keep: int) -> None:
    wanted = {"INBOX", "合同", "合同/2024", "合同/2024/出口", "a%b", "a%b/c", "deep/er/and/deeper", "z"}
    for name in wanted:
        server.mailbox.create(name)
    server.faults = [ShortList(keep)]
    with closing(ImapSource(server.settings(), quick(), replace(provider_of("outlook", ""), oauth=False))) as source:
        found = source.folders()
    assert {folder.name for folder in found} == wanted and len(found) == len(wanted)
    assert all(folder.status for folder in found)


def test_subscriptions_tell_of_folders_that_no_list_shows(server: ScriptedServer) -> None:
    class Hides(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            wild = command.name == "LIST" and (b"*" in command.args or b"%" in command.args)
            return [chunk for chunk in chunks if not wild or b"hidden" not in chunk]

    server.mailbox.create("hidden")
    server.mailbox.subscribed = [b"hidden", b"deleted long ago", b"INBOX"]
    server.faults = [Hides()]
    with closing(ImapSource(server.settings(), quick(), replace(provider_of("outlook", ""), oauth=False))) as source:
        assert [folder.name for folder in source.folders()] == ["INBOX", "hidden"]


def test_a_server_that_heeds_no_pattern_is_not_asked_for_ever(server: ScriptedServer) -> None:
    class Same(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            return [b'* LIST () "/" "x"\r\n', chunks[-1]] if command.name == "LIST" else chunks

    server.faults = [Same()]
    with closing(ImapSource(server.settings(), quick(), replace(provider_of("outlook", ""), oauth=False))) as source:
        assert [folder.name for folder in source.folders()] == ["x"]
    assert server.count("LIST") == 3


def test_childless_folders_are_not_asked_again(server: ScriptedServer) -> None:
    for number in range(20):
        server.mailbox.create(f"f{number}", "\\HasNoChildren")
    with closing(ImapSource(server.settings(), quick(), replace(provider_of("outlook", ""), oauth=False))) as source:
        assert len(source.folders()) == 21
    assert server.count("LIST") == 3, "all, the first level, and what is below INBOX"


def test_starttls_is_never_left_out(server: ScriptedServer) -> None:
    with pytest.raises(ConnectError, match="STARTTLS"):
        folders(server, security="starttls")
    assert server.count("LOGIN") == 0


def test_list_status_refused_falls_back(server: ScriptedServer) -> None:
    server.faults = [Replies("LIST", b"BAD no RETURN here", most=1)]
    assert [bool(folder.status) for folder in folders(server)] == [True]


def test_no_folders_is_an_error(server: ScriptedServer) -> None:
    server.faults = [Lines("LIST", lambda line: b"" if line.startswith(b"* LIST") else line)]
    with pytest.raises(ProtocolError):
        folders(server)


def test_providers() -> None:
    assert provider_of(None, "imap.QQ.com").name == "tencent"
    assert provider_of("netease", "mail.example.com").identify
    assert provider_of(None, "mail.example.com") == GENERIC
    assert len({row.name for row in PROVIDERS}) == len(PROVIDERS)
    hosts = [host for row in PROVIDERS for host in row.hosts]
    assert len(set(hosts)) == len(hosts)


def test_netease_is_told_who_asks_before_the_login(server: ScriptedServer) -> None:
    folders(server, provider="netease")
    sent = [command.name for command in server.commands]
    assert sent.index("ID") < sent.index("LOGIN")


def test_a_password_the_server_repeats_is_masked(server: ScriptedServer) -> None:
    server.faults = [Replies("LOGIN", b'NO bad command: LOGIN "scripted" "pw"')]
    with pytest.raises(AuthError) as caught:
        folders(server)
    assert "pw" not in str(caught.value)


def test_passwords_that_no_quoted_string_holds(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = server.settings()
    monkeypatch.setenv("MAILARK_TEST_PASSWORD", "密码")
    with pytest.raises(AuthError, match="offers no way"):
        ImapSource(settings, quick()).folders()
    server.extensions |= {"AUTH=PLAIN"}
    with closing(ImapSource(settings, quick())) as source:
        assert source.folders()
    assert server.passwords == ["\0scripted\0密码"]
