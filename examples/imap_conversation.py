"""One connection to an account in memory: what an archiver speaks of IMAP4rev1 (RFC 3501) and of its extensions.

CONDSTORE and QRESYNC (RFC 7162), LIST-STATUS (RFC 5819) and X-GM-EXT-1 are spoken as far as an archiver needs them.
Changes of other connections are seen at once and not told, which is enough for clients that go by UIDs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import cast

from examples.imap_grammar import Argument, Command, SyntaxMistakeError, arguments, chosen, pattern, quoted, read_date
from examples.imap_mailbox import Box, Mail, Mailbox
from examples.imap_values import found, row

BEFORE_LOGIN = {"CAPABILITY", "ID", "NOOP", "LOGOUT", "LOGIN", "AUTHENTICATE"}
Login = Callable[[str, str], Mailbox | None]
Change = Callable[[int, Mail, bytes, bytes], bytes]


class No(Exception):  # noqa: N818  (it is IMAP's word)
    """The command cannot be done; the server answers NO."""


class Conversation:
    """Answers commands. The command NAME is the method `_name`; it gives what stands after OK and fills `lines`.

    login: the account of a user and a password, None when it is refused. mailbox: the account, without a login.
    change: may replace a FETCH response; it is given the number, the message, the items asked for, and the response.
    """

    def __init__(
        self,
        login: Login,
        extensions: frozenset[str],
        mailbox: Mailbox | None = None,
        change: Change = lambda _number, _mail, _items, row: row,
    ) -> None:
        self.login, self.extensions, self.mailbox, self.change = login, extensions, mailbox, change
        self.qresync = False
        self.box: Box | None = None
        self.lines: list[bytes] = []

    def answer(self, command: Command) -> list[bytes]:
        """The whole answer, one response each, the tagged one last."""
        self.lines = []
        try:
            done = b"OK " + self._perform(command)
        except No as error:
            done = b"NO " + str(error).encode("ascii")
        except (SyntaxMistakeError, TypeError, ValueError) as error:
            done = b"BAD " + b" ".join(str(error).encode("ascii", "replace").split())
        return [*self.lines, b"%b %b\r\n" % (command.tag, done)]

    def _perform(self, command: Command) -> bytes:
        method: Callable[..., bytes] | None = getattr(self, "_do_" + command.name.lower().replace(" ", "_"), None)
        if method is None:
            raise SyntaxMistakeError("no such command")
        given = arguments(command.pieces)
        if self.mailbox is None:
            if command.name not in BEFORE_LOGIN:
                raise SyntaxMistakeError("log in first")
            return method(*given)
        with self.mailbox.lock:
            return method(*given)

    def _tell(self, line: bytes) -> None:
        self.lines.append(b"* " + line + b"\r\n")

    # -- any time

    def _do_capability(self) -> bytes:
        self._tell(b"CAPABILITY " + " ".join(["IMAP4rev1", *sorted(self.extensions)]).encode("ascii"))
        return b"these"

    def _do_id(self, _client: Argument) -> bytes:
        self._tell(b'ID ("name" "mail in memory")')
        return b"pleased"

    def _do_noop(self) -> bytes:
        return b"nothing done"

    def _do_logout(self) -> bytes:
        self._tell(b"BYE until next time")
        return b"logged out"

    def _do_login(self, user: bytes, password: bytes) -> bytes:
        mailbox = self.login(user.decode(), password.decode())
        if mailbox is None:
            raise No("[AUTHENTICATIONFAILED] wrong user or password")
        self.mailbox = mailbox
        return b"welcome"

    def _do_authenticate(self, mechanism: bytes, answer: bytes) -> bytes:
        """PLAIN: nothing, user and password with NUL between them (RFC 4616)."""
        if mechanism.upper() != b"PLAIN":
            raise No("[CANNOT] no such mechanism")
        _authorized, user, password = answer.split(b"\0")
        return self._do_login(user, password)

    # -- logged in

    def _do_enable(self, *names: bytes) -> bytes:
        enabled = [name for name in names if name.decode("ascii").upper() in self.extensions]
        self.qresync |= b"QRESYNC" in [name.upper() for name in enabled]
        self._tell(b" ".join([b"ENABLED", *enabled]))
        return b"enabled"

    def _do_namespace(self) -> bytes:
        self._tell(b'NAMESPACE (("" "/")) NIL NIL')
        return b"one"

    def _do_list(self, reference: bytes, name: bytes, *options: Argument) -> bytes:
        if not name:
            self._tell(b'LIST (\\Noselect) "/" ""')
            return b"the separator"
        wanted, boxes = pattern(reference + name), self._account.boxes
        for parent in _ancestors(boxes):
            if parent not in boxes and wanted.fullmatch(parent):
                self._tell(b'LIST (\\NonExistent \\HasChildren) "/" ' + quoted(parent))
        for box in boxes.values():
            if wanted.fullmatch(box.raw):
                self._tell(b'LIST (%b) "/" ' % box.attributes.encode("ascii") + quoted(box.raw))
                if status := _status_of(options):
                    self._tell(self._status(box, status))
        return b"all"

    def _do_lsub(self, _reference: bytes, _name: bytes) -> bytes:
        for raw in self._account.subscribed:
            self._tell(b'LSUB () "/" ' + quoted(raw))
        return b"subscribed"

    def _do_subscribe(self, name: bytes) -> bytes:
        self._find(name)
        return b"every folder is"

    def _do_create(self, name: bytes) -> bytes:
        if name in self._account.boxes:
            raise No("[ALREADYEXISTS] it is there")
        self._account.create(name.rstrip(b"/"))
        return b"made"

    def _do_status(self, name: bytes, items: list[bytes]) -> bytes:
        self._tell(self._status(self._find(name), items))
        return b"that is it"

    def _do_append(self, name: bytes, *rest: Argument) -> bytes:
        flags: list[str] = []
        date = datetime.now(UTC)
        for argument in rest[:-1]:
            if isinstance(argument, list):
                flags = [flag.decode("ascii") for flag in cast(list[bytes], argument)]
            else:
                date = read_date(argument)
        box = self._find(name, "TRYCREATE")
        self._account.append(box.raw, cast(bytes, rest[-1]), flags, date)
        return b"appended"

    def _do_select(self, name: bytes, *options: Argument) -> bytes:
        self._open(name, options)
        return b"[READ-WRITE] opened"

    def _do_examine(self, name: bytes, *options: Argument) -> bytes:
        self._open(name, options)
        return b"[READ-ONLY] opened"

    # -- in a folder

    def _do_close(self) -> bytes:
        self.box = None
        return b"closed"

    _do_unselect = _do_close

    def _do_fetch(self, numbers: bytes, items: Argument) -> bytes:
        among = chosen(numbers, range(1, len(self._open_box.mails) + 1))
        self._fetched([pair for pair in self._numbered if pair[0] in among], _items(items))
        return b"done"

    def _do_uid_fetch(self, uids: bytes, items: Argument, since: Argument = b"") -> bytes:
        """With (CHANGEDSINCE n), only what changed after that, and its MODSEQ (RFC 7162 section 3.1.4.1)."""
        wanted, floor = _items(items), 0
        if since:
            word, number = cast(list[bytes], since)
            if word.upper() != b"CHANGEDSINCE":
                raise SyntaxMistakeError(f"no fetch modifier {word!r}")
            wanted, floor = _items([*wanted, b"MODSEQ"]), int(number)
        among = chosen(uids, self._uids)
        pairs = [pair for pair in self._numbered if pair[1].uid in among and pair[1].modseq > floor]
        self._fetched(pairs, _items([b"UID", *wanted]))
        return b"done"

    def _do_search(self, *keys: bytes) -> bytes:
        self._tell(b"SEARCH" + b"".join(b" %d" % number for number, _mail in found(self._numbered, keys)))
        return b"searched"

    def _do_uid_search(self, *keys: bytes) -> bytes:
        self._tell(b"SEARCH" + b"".join(b" %d" % mail.uid for _number, mail in found(self._numbered, keys)))
        return b"searched"

    def _fetched(self, pairs: Iterable[tuple[int, Mail]], items: list[bytes]) -> None:
        asked = b"(" + b" ".join(items) + b")"
        for number, mail in pairs:
            self.lines.append(self.change(number, mail, asked, row(number, mail, items) + b"\r\n"))

    @property
    def _account(self) -> Mailbox:
        return cast(Mailbox, self.mailbox)

    @property
    def _open_box(self) -> Box:
        if self.box is None:
            raise SyntaxMistakeError("no folder is open")
        return self.box

    @property
    def _numbered(self) -> list[tuple[int, Mail]]:
        return list(enumerate(self._open_box.mails, 1))

    @property
    def _uids(self) -> list[int]:
        return [mail.uid for mail in self._open_box.mails]

    def _find(self, name: bytes, code: str = "NONEXISTENT") -> Box:
        box = self._account.boxes.get(b"INBOX" if name.upper() == b"INBOX" else name)
        if box is None:
            raise No(f"[{code}] no such folder")
        return box

    def _status(self, box: Box, items: list[bytes]) -> bytes:
        values = {
            b"MESSAGES": len(box.mails),
            b"RECENT": 0,
            b"UIDNEXT": box.uidnext,
            b"UIDVALIDITY": box.uidvalidity,
            b"UNSEEN": sum("\\Seen" not in mail.flags for mail in box.mails),
        }
        if "CONDSTORE" in self.extensions:
            values[b"HIGHESTMODSEQ"] = box.modseq
        if unknown := [item for item in items if item.upper() not in values]:
            raise SyntaxMistakeError(f"no status item {unknown[0]!r}")
        told = b" ".join(item.upper() + b" %d" % values[item.upper()] for item in items)
        return b"STATUS " + quoted(box.raw) + b" (" + told + b")"

    def _open(self, name: bytes, options: tuple[Argument, ...]) -> None:
        self.box = None
        box = self._find(name)
        self._tell(b"FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self._tell(b"%d EXISTS" % len(box.mails))
        self._tell(b"0 RECENT")
        self._tell(b"OK [UIDVALIDITY %d] its life" % box.uidvalidity)
        self._tell(b"OK [UIDNEXT %d] the next" % box.uidnext)
        if "CONDSTORE" in self.extensions:
            self._tell(b"OK [HIGHESTMODSEQ %d] the latest change" % box.modseq)
        self.box = box
        match options:
            case ([b"QRESYNC", [uidvalidity, modseq, *_known]],) if self.qresync:
                if int(cast(bytes, uidvalidity)) == box.uidvalidity:
                    self._resync(box, int(cast(bytes, modseq)))

    def _resync(self, box: Box, modseq: int) -> None:
        """What happened since (RFC 7162 section 3.2.5)."""
        if gone := [b"%d" % uid for uid, when in box.gone if when > modseq]:
            self._tell(b"VANISHED (EARLIER) " + b",".join(gone))
        changed = [pair for pair in self._numbered if pair[1].modseq > modseq]
        self._fetched(changed, [b"UID", b"FLAGS", b"MODSEQ"])


def _items(items: Argument) -> list[bytes]:
    """What FETCH asks for, each once."""
    return list(dict.fromkeys(cast(list[bytes], items if isinstance(items, list) else [items])))


def _status_of(options: tuple[Argument, ...]) -> list[bytes]:
    """The items of RETURN (… STATUS (items)); none when STATUS is not asked for."""
    match options:
        case (b"RETURN", [*_others, b"STATUS", [*items]]):
            return cast(list[bytes], items)
    return []


def _ancestors(raws: Iterable[bytes]) -> list[bytes]:
    """Every level above a folder, whether or not it is a folder itself."""
    return sorted({raw[: found.start()] for raw in raws for found in re.finditer(b"/", raw)})
