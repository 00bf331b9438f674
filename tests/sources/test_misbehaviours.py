"""What real servers do wrong, one test each: nothing is lost, nothing hangs, what cannot be had is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from archiver.errors import AuthError, ConnectError, ProtocolError, QuotaError
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.sources.providers import GENERIC, provider_of
from tests.servers.imap_faults import (
    Around,
    AscendingOnly,
    ExamineLies,
    Greets,
    Hangup,
    Lines,
    Replies,
    Rows,
    Shuffled,
    Stops,
    UnsafeLogin,
    Vanishes,
)
from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, Fault, ScriptedServer, Signal
from tests.sources.imap_run import Memory, Waits, find, quick, run

ALLOWED = {"CAPABILITY", "LOGIN", "ID", "ENABLE", "LIST", "STATUS", "EXAMINE", "UID FETCH", "FETCH", "LOGOUT"}
COUNT = 25


@pytest.fixture(params=[PLAIN, CONDSTORE, QRESYNC], ids=["plain", "condstore", "qresync"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """25 messages in INBOX. Whatever happens, only harmless commands may have been sent."""
    with ScriptedServer(request.param) as server:
        for number in range(1, COUNT + 1):
            server.mailbox.append("INBOX", body(number), ["\\Seen"] if number % 2 else [])
        yield server
        assert {command.name for command in server.commands} <= ALLOWED
        sent = b" ".join(command.args for command in server.commands)
        assert not re.search(rb"BODY\[|RFC822(?!\.SIZE)|ENVELOPE|BODYSTRUCTURE|BINARY|REV2", sent.upper())


def body(number: int) -> bytes:
    return b"Message-ID: <%d@x>\r\nSubject: %d\r\n\r\n" % (number, number) + b"* OK line\r\n" * number


def archive(
    server: ScriptedServer,
    *faults: Fault,
    memory: Memory | None = None,
    limits: Limits | None = None,
    wait: float = 5.0,
) -> Memory:
    """One run against the misbehaving server."""
    server.faults = list(faults)
    memory = memory or Memory()
    with closing(ImapSource(server.settings(timeout=wait), limits or quick())) as source:
        run(source, memory)
    return memory


def complete(memory: Memory, *missing: int) -> bool:
    """Whether every message but these was archived, byte for byte, and these were refused."""
    wanted = {number: body(number) for number in range(1, COUNT + 1) if number not in missing}
    assert memory.bodies == wanted
    assert set(memory.refused) == set(missing)
    return True


def test_01_unsafe_login_without_id(server: ScriptedServer) -> None:
    fault = UnsafeLogin()
    assert complete(archive(server, fault))
    assert fault.times == 1


def test_02_status_empty_and_no_uidnext(server: ScriptedServer) -> None:
    def empty(line: bytes) -> bytes:
        return re.sub(rb"(\* STATUS \S+) \(.*\)", rb"\1 ()", line)

    def dropped(line: bytes) -> bytes:
        return b"" if b"[UIDNEXT" in line else line

    faults = [Lines("STATUS", empty), Lines("LIST", empty), Lines("EXAMINE", dropped)]
    memory = archive(server, *faults)
    assert complete(memory)
    assert memory.status and memory.status.uidnext == COUNT + 1
    server.mailbox.expunge("INBOX", COUNT)
    memory = archive(server, *faults, memory=memory)
    assert memory.epochs == 1  # the last message went: no reason to begin anew
    assert sorted(memory.bodies) == list(range(1, COUNT))


def test_03_descending_sets_are_bad(server: ScriptedServer) -> None:
    memory = archive(server, AscendingOnly())
    for uid in (3, 4, 9):
        server.mailbox.flag("INBOX", uid, ["\\Flagged"])
    assert complete(archive(server, AscendingOnly(), memory=memory))


def test_06_messages_claimed_and_none_listed(server: ScriptedServer) -> None:
    nothing = [Lines(name, lambda line: b"" if b" FETCH (" in line else line) for name in ("UID FETCH", "FETCH")]
    with pytest.raises(ProtocolError, match="claims 25 messages"):
        archive(server, *nothing)


def test_06_uid_ranges_that_leave_messages_out(server: ScriptedServer) -> None:
    def half(line: bytes) -> bytes:
        return b"" if b"RFC822.SIZE" in line and re.search(rb"UID \d*[02468] ", line) else line

    assert complete(archive(server, Lines("UID FETCH", half)))


def test_07_a_line_of_more_than_a_million_bytes() -> None:
    with ScriptedServer(QRESYNC) as server:
        server.mailbox.append("INBOX", body(1))
        memory = archive(server)
        uid = server.mailbox.append("INBOX", body(2))
        server.mailbox.expunge("INBOX", 1)
        long = b"* VANISHED (EARLIER) 1,%s\r\n" % b",".join(b"%d" % n for n in range(10_000_000, 10_150_000))
        assert len(long) > 1_000_000
        memory = archive(server, Lines("EXAMINE", lambda line: long if b"VANISHED" in line else line), memory=memory)
        assert memory.bodies == {uid: body(2)}


def test_08_rows_without_uid_of_other_messages(server: ScriptedServer) -> None:
    row = b"* 7 FETCH (FLAGS (\\Answered \\Flagged))\r\n"
    memory = archive(server, Around(row), Lines("EXAMINE", lambda line: row + line))
    assert complete(memory)
    assert not any("\\Answered" in flags for flags in memory.flags.values())


@pytest.mark.parametrize("most", [1, 4])
def test_09_data_then_no(server: ScriptedServer, most: int) -> None:
    line = b"NO Some of the requested messages no longer exist"
    fault = Replies("UID FETCH", line, most=most, rows=True, bodies=True)
    assert complete(archive(server, fault))
    assert fault.times == most


def test_09_always_no_for_one_message(server: ScriptedServer) -> None:
    class Refuses(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            marked = any(b"(UID 13 " in chunk for chunk in chunks) and b"BODY" in command.args
            return [b"%s NO [SERVERBUG] cannot read\r\n" % command.tag] if marked else chunks

    memory = archive(server, Refuses())
    assert complete(memory, 13)
    assert "[SERVERBUG] cannot read" in memory.refused[13]


def test_10_throttled_with_milliseconds(server: ScriptedServer) -> None:
    line = b"BAD Request is throttled. Suggested Backoff Time: 250 milliseconds"
    limits = quick()
    assert complete(archive(server, Replies("UID FETCH", line, most=1, bodies=True), limits=limits))
    assert isinstance(limits.sleep, Waits)
    assert 0.25 in limits.sleep.seconds


def test_10_throttled_for_ever(server: ScriptedServer) -> None:
    line = b"BAD Request is throttled. Suggested Backoff Time: 250 milliseconds"
    with pytest.raises(QuotaError):
        archive(server, Replies("UID FETCH", line, bodies=True))


def test_10_daily_limit(server: ScriptedServer) -> None:
    with pytest.raises(QuotaError, match="OVERQUOTA"):
        archive(server, Replies("UID FETCH", b"NO [OVERQUOTA] Account exceeded bandwidth limits", bodies=True))


def test_11_literal_longer_than_the_data_hangs(server: ScriptedServer) -> None:
    fault = Stops(8, 1 << 20, Signal.HANG, grow=100)
    memory = archive(server, fault, wait=0.15)
    assert complete(memory, 8)
    assert 2 <= fault.times <= 4


@pytest.mark.parametrize("keep", [0, 10, 60, 90])
def test_12_cut_inside_a_message_once(server: ScriptedServer, keep: int) -> None:
    fault = Stops(8, keep, most=1)
    assert complete(archive(server, fault))
    assert fault.times == 1


@pytest.mark.parametrize("keep", [0, 10, 90])
def test_12_cut_inside_a_message_always(server: ScriptedServer, keep: int) -> None:
    assert complete(archive(server, Stops(8, keep)), 8)


def test_12_bye_inside_a_command(server: ScriptedServer) -> None:
    fault = Hangup()
    assert complete(archive(server, fault))
    assert server.connections == 2


def test_13_an_absurd_literal_is_not_believed(server: ScriptedServer) -> None:
    absurd = Rows(lambda row, _mail: re.sub(rb"\{\d+\}", b"{99999999999}", row), uid=5, bodies=True, pieces=False)
    assert complete(archive(server, absurd))  # had in pieces


@pytest.mark.parametrize("instead", [b"BODY[] NIL)\r\n", b"X-NOTHING 1)\r\n"])
def test_14_no_body(server: ScriptedServer, instead: bytes) -> None:
    def without(row: bytes, _mail: object) -> bytes:
        return row[: row.index(b"BODY[]")] + instead

    memory = archive(server, Rows(without, uid=20, bodies=True))
    assert complete(memory, 20)
    assert "no body" in memory.refused[20]
    assert complete(archive(server, memory=memory))  # the next run tries again


def test_14_no_answer_at_all_for_a_message_that_is_there(server: ScriptedServer) -> None:
    memory = archive(server, Rows(lambda row, mail: b"" if b"BODY[]" in row else row, uid=20))
    assert complete(memory, 20)
    assert "no body" in memory.refused[20]


def test_15_quoted_body(server: ScriptedServer) -> None:
    uid = server.mailbox.append("INBOX", b'Subject: a "quoted" \\ one')
    quoted = b'BODY[] "Subject: a \\"quoted\\" \\\\ one")\r\n'
    memory = archive(server, Rows(lambda row, _mail: row[: row.index(b"BODY[]")] + quoted, uid=uid, bodies=True))
    assert memory.bodies[uid] == b'Subject: a "quoted" \\ one'
    assert len(memory.bodies) == COUNT + 1


@pytest.mark.parametrize("empty", [b"BODY[] {0}\r\n", b'BODY[] ""'])
def test_15_empty_messages(server: ScriptedServer, empty: bytes) -> None:
    uid = server.mailbox.append("INBOX", b"")
    change = Rows(lambda row, _mail: row.replace(b"BODY[] {0}\r\n", empty), uid=uid, bodies=True)
    memory = archive(server, change)
    assert memory.bodies.pop(uid) == b"" and complete(memory)


@pytest.mark.parametrize("size", [b"0", b"1", b"99999999", b"-1", b"12.0", b"NIL"])
def test_16_20_size_is_wrong(server: ScriptedServer, size: bytes) -> None:
    wrong = Rows(lambda row, _mail: re.sub(rb"RFC822.SIZE \d+", b"RFC822.SIZE " + size, row))
    assert complete(archive(server, wrong))


@pytest.mark.parametrize(
    "line", [b"\r\n", b"\0* 1 RECENT\r\n", b"*  1 RECENT\r\n", b"1 RECENT\r\n", b"+ stray\r\n", b"* ok\r\n"]
)
def test_17_odd_lines_are_read_past(server: ScriptedServer, line: bytes) -> None:
    assert complete(archive(server, Around(line)))
    assert server.connections == 1


def test_17_lower_case_fetch_and_missing_star(server: ScriptedServer) -> None:
    lower = Rows(lambda row, _mail: row.replace(b" FETCH (", b" fetch (").replace(b"FLAGS", b"flags"))
    starless = Rows(lambda row, _mail: row[2:], uid=6)
    assert complete(archive(server, lower, starless))
    assert server.connections == 1


def test_17_server_unavailable(server: ScriptedServer) -> None:
    assert complete(archive(server, Around(b"Server Unavailable. 15\r\n", most=1)))
    assert server.connections == 2


def test_17_server_unavailable_for_ever_ends(server: ScriptedServer) -> None:
    for number in range(200):
        server.mailbox.append("INBOX", body(number))
    memory = archive(server, Around(b"Server Unavailable. 15\r\n"))
    assert len(memory.refused) == COUNT + 200 and not memory.bodies
    assert server.connections <= 25
    server.faults.clear()
    assert len(archive(server, memory=memory).bodies) == COUNT + 200


def test_17_literal_shorter_than_the_data(server: ScriptedServer) -> None:
    """What follows is read as IMAP then; a message must not be able to forge answers."""
    forged = b"Subject: x\r\n\r\n)\r\n* 2 FETCH (UID 2 FLAGS () BODY[] {4}\r\nEVIL)\r\n"
    uid = server.mailbox.append("INBOX", forged)
    short = Rows(lambda row, _mail: re.sub(rb"\{\d+\}", b"{12}", row), uid=uid, bodies=True)
    memory = archive(server, short)
    assert b"EVIL" not in memory.bodies.values()
    assert uid in memory.refused or memory.bodies[uid] == forged
    assert [memory.bodies[number] for number in range(1, COUNT + 1)] == [body(n) for n in range(1, COUNT + 1)]


def test_18_ok_without_text(server: ScriptedServer) -> None:
    def bare(line: bytes) -> bytes:
        return re.sub(rb"^(\S+ OK)(?! \[).*\r\n$", rb"\1\r\n", line) if not line.startswith(b"*") else line

    assert complete(archive(server, *(Lines(name, bare) for name in ALLOWED - {"CAPABILITY"})))


def test_19_response_codes_without_text(server: ScriptedServer) -> None:
    memory = archive(server, Lines("EXAMINE", lambda line: re.sub(rb"(\* OK \[.*\]).*\r\n", rb"\1\r\n", line)))
    assert complete(memory)
    assert memory.status and (memory.status.uidnext, memory.status.highestmodseq > 0) == (
        COUNT + 1,
        server.extensions != PLAIN,
    )


@pytest.mark.parametrize("value", [b"-1", b"0"])
def test_20_modseq_minus_one(server: ScriptedServer, value: bytes) -> None:
    def minus(line: bytes) -> bytes:
        return re.sub(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ " + value, line)

    faults = [Lines(name, minus) for name in ("EXAMINE", "STATUS", "LIST")]
    memory = archive(server, *faults)
    server.mailbox.flag("INBOX", 4, ["\\Flagged"])
    server.mailbox.expunge("INBOX", 5)
    memory = archive(server, *faults, memory=memory)
    assert memory.flags[4] == ("\\Flagged",) and 5 not in memory.flags


@pytest.mark.parametrize("line", [b"", b"* OK [UIDVALIDITY 0] zero\r\n"])
def test_21_uidvalidity_zero_or_missing_is_a_new_epoch(server: ScriptedServer, line: bytes) -> None:
    fault = Lines("EXAMINE", lambda told: line if b"UIDVALIDITY" in told else told)
    memory = archive(server, fault)
    assert complete(archive(server, fault, memory=memory))
    assert memory.epochs == 2


def test_21_uidnext_falls(server: ScriptedServer) -> None:
    memory = archive(server)
    box = server.mailbox.box("INBOX")
    box.mails, box.uidnext = [], 1  # rebuilt under the same UIDVALIDITY: UID 1 is another message now
    server.mailbox.append("INBOX", b"Subject: another\r\n\r\n")
    memory = archive(server, memory=memory)
    assert memory.epochs == 2 and memory.bodies == {1: b"Subject: another\r\n\r\n"}
    assert len(memory.archived) == COUNT + 1


def test_22_several_exists(server: ScriptedServer) -> None:
    assert complete(archive(server, Lines("EXAMINE", lambda line: line.replace(b"* FLAGS", b"* 3 EXISTS\r\n* FLAGS"))))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"&broken", "&broken"),
        (b"&ZZ-", "&ZZ-"),
        ("发件箱".encode(), "发件箱"),
        ("已删除".encode("gb18030"), "已删除"),
        (b"&XfJT0ZAB-", "已发送"),
        (b'a "quoted\\name', 'a "quoted\\name'),
    ],
)
def test_23_24_folder_names(server: ScriptedServer, raw: bytes, name: str) -> None:
    server.mailbox.append(raw, body(1))
    memory = Memory()
    with closing(ImapSource(server.settings(), quick())) as source:
        assert [folder.name for folder in source.folders()] == ["INBOX", name]
        run(source, memory, find(source, name))
    assert memory.bodies == {1: body(1)}


def test_25_list_names_with_unquoted_spaces(server: ScriptedServer) -> None:
    server.mailbox.append("Sent Messages", body(1))
    bare = Lines("LIST", lambda line: line.replace(b'"Sent Messages"', b"Sent Messages"))
    server.faults = [bare, Lines("STATUS", lambda line: line.replace(b'"Sent Messages"', b"Sent Messages"))]
    memory = Memory()
    with closing(ImapSource(server.settings(), quick())) as source:
        run(source, memory, find(source, "Sent Messages"))
    assert memory.bodies == {1: body(1)}


def test_26_nil_names_and_numeric_flags(server: ScriptedServer) -> None:
    nil = Lines("LIST", lambda line: b'* LIST () "/" NIL\r\n' + line if b"INBOX" in line else line)
    memory = archive(server, nil, Rows(lambda row, _mail: re.sub(rb"FLAGS \([^)]*\)", b"FLAGS (12 NIL)", row)))
    assert complete(memory)
    assert set(memory.flags.values()) == {("12", "NIL")}


def test_29_literal8(server: ScriptedServer) -> None:
    assert complete(archive(server, Rows(lambda row, _mail: row.replace(b"BODY[] {", b"BODY[] ~{"), bodies=True)))


def test_30_a_date_that_does_not_exist(server: ScriptedServer) -> None:
    broken = Rows(lambda row, _mail: re.sub(rb'DATE "[^"]*"', b'DATE "00-Jan-0000 00:00:00 +0000"', row))
    server.faults = [broken]
    with closing(ImapSource(server.settings(), quick())) as source:
        folder = find(source)
        rows = source.listing(folder, None).rows
        assert {row.date for row in rows} == {None}
        assert {item.date for item in source.fetch(folder, rows)} == {None}  # type: ignore[union-attr]


def test_31_descending_and_twice(server: ScriptedServer) -> None:
    memory = archive(server, Shuffled())
    server.mailbox.append("INBOX", body(COUNT + 1))
    memory = archive(server, Shuffled(), memory=memory)
    assert sorted(memory.bodies) == list(range(1, COUNT + 2))


def test_32_malformed_vanished_is_not_believed() -> None:
    with ScriptedServer(QRESYNC) as server:
        for number in range(1, COUNT + 1):
            server.mailbox.append("INBOX", body(number))
        memory = archive(server)
        everything = b"* VANISHED (EARLIER) 1:4294967295\r\n"
        fault = Lines("EXAMINE", lambda line: line + everything if b"EXISTS" in line else line)
        assert complete(archive(server, fault, memory=memory))


def test_33_authenticated_but_not_connected(server: ScriptedServer) -> None:
    class NotConnected(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            self.times += command.name == "LOGIN"
            bad = b"%s BAD User is authenticated but not connected.\r\n" % command.tag
            return [bad] if self.times and command.name != "LOGIN" else chunks

    with pytest.raises(AuthError, match="not connected"):
        archive(server, NotConnected())


def test_34_too_many_connections(server: ScriptedServer) -> None:
    greets = Greets(b"* BYE Too many connections from your address\r\n", most=2)
    assert complete(archive(server, greets))
    with pytest.raises(QuotaError):
        archive(server, Replies("LOGIN", b"NO [LIMIT] Too many simultaneous connections"))


def test_login_refused_is_not_repeated(server: ScriptedServer) -> None:
    fault = Replies("LOGIN", b"NO [AUTHENTICATIONFAILED] wrong for pw")
    with pytest.raises(AuthError) as caught:
        archive(server, fault)
    assert fault.times == 1 and caught.value.hint


def test_35_seen_despite_peek_is_told(server: ScriptedServer) -> None:
    class Marks(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            return [c.replace(b"FLAGS ()", b"FLAGS (\\Seen)") for c in chunks] if b"BODY" in command.args else chunks

    server.faults = [Marks()]
    with closing(ImapSource(server.settings(), quick())) as source:
        run(source, Memory())
        assert any("\\Seen" in note for note in source.notes)


def test_36_folder_deleted_in_mid_run(server: ScriptedServer) -> None:
    gone = Vanishes(lambda: server.mailbox.delete("INBOX"))
    cut = Stops(22, 0, most=1)
    with pytest.raises(ProtocolError, match="INBOX"):
        archive(server, gone, cut)


def test_36_folder_renewed_in_mid_run(server: ScriptedServer) -> None:
    """UIDs of another life must not be taken for those asked for."""
    with pytest.raises(ProtocolError, match="UIDVALIDITY changed"):
        archive(server, Vanishes(lambda: server.mailbox.renew("INBOX")), Stops(22, 0, most=1))


def test_36_messages_expunged_in_mid_run(server: ScriptedServer) -> None:
    def expunge() -> None:
        for uid in range(11, 16):
            server.mailbox.expunge("INBOX", uid)

    memory = archive(server, Vanishes(expunge))
    assert set(memory.bodies) >= set(range(1, 11)) and not memory.refused
    memory = archive(server, memory=memory)
    assert sorted(memory.bodies) == [*range(1, 11), *range(16, COUNT + 1)]


def test_37_throttled_on_ok(server: ScriptedServer) -> None:
    limits = quick()
    slow = Lines("UID FETCH", lambda line: re.sub(rb"^(\S+ OK) done", rb"\1 Success [THROTTLED]", line))
    assert complete(archive(server, slow, limits=limits))
    assert isinstance(limits.sleep, Waits) and 1.0 in limits.sleep.seconds


@pytest.mark.parametrize("extensions", [PLAIN, QRESYNC], ids=["plain", "qresync"])
def test_38_examine_differs_from_select(extensions: frozenset[str]) -> None:
    """With a switch an account: SELECT, and never a command that would change the folder."""
    with ScriptedServer(extensions) as server:
        for number in range(5):
            server.mailbox.append("INBOX", body(number), ["\\Seen"])
        server.faults = [ExamineLies()]
        generic, courier = Memory(), Memory()
        for memory, provider in ((generic, GENERIC), (courier, provider_of("courier", ""))):
            server.commands.clear()
            for _ in range(3):
                with closing(ImapSource(server.settings(), quick(), provider)) as source:
                    run(source, memory)
        assert (generic.epochs, courier.epochs, len(courier.bodies)) == (3, 1, 5)
        assert {command.name for command in server.commands} <= (ALLOWED - {"EXAMINE"}) | {"SELECT"}


def test_server_goes_away_for_good(server: ScriptedServer) -> None:
    with closing(ImapSource(server.settings(), quick())) as source:
        folder = find(source)
        server.stop()
        with pytest.raises(ConnectError):
            source.listing(folder, None)


def test_cut_at_any_byte(server: ScriptedServer) -> None:
    """Wherever the connection breaks, a run ends complete, with nothing refused."""
    for size in range(0, 12_000, 43):
        server.cut_after(size)
        assert complete(archive(server))
    server.cut_after(None)
