"""One connection of the scripted server: what an archiver speaks of IMAP4rev1, QRESYNC, CONDSTORE, LIST-STATUS."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from archiver.sources.names import encode, unquote
from tests.servers.imap_mailbox import Box, Mail, Mailbox

_COMMAND = re.compile(rb"(\S+) ((?:UID )?[A-Za-z]+) ?(.*)", re.DOTALL)
_STRING = re.compile(rb'"((?:\\.|[^"\\])*)"')
_PIECE = re.compile(rb"BODY(?:\.PEEK)?\[\]<(\d+)\.(\d+)>")


@dataclass(frozen=True)
class Command:
    """What a client sent: `name` in capitals ("UID FETCH"), `args` as they came, the literal of an APPEND apart."""

    tag: bytes
    name: str
    args: bytes
    literal: bytes = b""


class Conversation:
    """Answers commands: a list of chunks, one response each, the tagged one last; faults may change them."""

    def __init__(self, mailbox: Mailbox, extensions: frozenset[str]) -> None:
        self.mailbox = mailbox
        self.extensions = extensions
        self.qresync = False
        self.box: Box | None = None
        self.row: Callable[[int, Mail, bytes, bytes], bytes] = lambda _number, _mail, _items, row: row

    def offers(self, extension: str) -> bool:
        """Whether the extension is switched on."""
        return extension in self.extensions

    def answer(self, command: Command) -> list[bytes]:
        """The chunks of the answer."""
        handler = getattr(self, "_" + command.name.lower().replace(" ", "_"), None)
        if handler is None:
            return [b"%s BAD what is that\r\n" % command.tag]
        with self.mailbox.lock:
            lines: list[bytes] = handler(command)
        return lines if lines and lines[-1].startswith(command.tag) else [*lines, _ok(command)]

    def _capability(self, _command: Command) -> list[bytes]:
        return [b"* CAPABILITY IMAP4rev1 %s\r\n" % " ".join(sorted(self.extensions)).encode()]

    def _login(self, _command: Command) -> list[bytes]:
        return []

    _noop = _subscribe = _authenticate = _login

    def _logout(self, _command: Command) -> list[bytes]:
        return [b"* BYE\r\n"]

    def _id(self, _command: Command) -> list[bytes]:
        return [b'* ID ("name" "scripted")\r\n']

    def _enable(self, command: Command) -> list[bytes]:
        self.qresync = b"QRESYNC" in command.args.upper() and self.offers("QRESYNC")
        return [b"* ENABLED %s\r\n" % command.args]

    def _namespace(self, _command: Command) -> list[bytes]:
        return [b'* NAMESPACE (("" "/")) NIL NIL\r\n']

    def _list(self, command: Command) -> list[bytes]:
        if command.args.startswith(b'"" ""'):
            return [b'* LIST (\\Noselect) "/" ""\r\n']
        match = re.match(rb'"" ("(?:\\.|[^"\\])*")', command.args)
        pattern = re.escape(unquote(match[1]) if match else b"*").replace(rb"\*", b".*").replace(b"%", b"[^/]*")
        lines: list[bytes] = [
            b'* LIST (\\NonExistent \\HasChildren) "/" %s\r\n' % _quoted(parent)
            for parent in _ancestors(self.mailbox.boxes)
            if parent not in self.mailbox.boxes and re.fullmatch(pattern, parent)
        ]
        for box in self.mailbox.boxes.values():
            if not re.fullmatch(pattern, box.raw, re.DOTALL):
                continue
            lines.append(b'* LIST (%s) "/" %s\r\n' % (box.attributes.encode(), _quoted(box.raw)))
            if b"STATUS" in command.args:
                lines.append(self._status_of(box))
        return lines

    def _lsub(self, _command: Command) -> list[bytes]:
        return [b'* LSUB () "/" %s\r\n' % _quoted(raw) for raw in self.mailbox.subscribed]

    def _status(self, command: Command) -> list[bytes]:
        box = self._named(command.args)
        return [self._status_of(box)] if box else [_no(command)]

    def _create(self, command: Command) -> list[bytes]:
        if self._named(command.args):
            return [_no(command)]
        self.mailbox.create(_first(command.args))
        return []

    def _append(self, command: Command) -> list[bytes]:
        box = self._named(command.args)
        if box is None:
            return [b"%s NO [TRYCREATE] no such folder\r\n" % command.tag]
        flags = re.search(rb"\(([^)]*)\)", command.args[len(_quoted(box.raw)) :])
        self.mailbox.append(box.raw, command.literal, flags[1].decode().split() if flags else ())
        return []

    def _examine(self, command: Command) -> list[bytes]:
        self.box = box = self._named(command.args)
        if box is None:
            return [_no(command)]
        lines = [b"* FLAGS (\\Seen)\r\n", b"* %d EXISTS\r\n" % len(box.mails), b"* 0 RECENT\r\n"]
        lines.append(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % box.uidvalidity)
        lines.append(b"* OK [UIDNEXT %d] Predicted next UID\r\n" % box.uidnext)
        if self.offers("CONDSTORE"):
            lines.append(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % box.modseq)
        since = re.search(rb"\(QRESYNC \((\d+) (\d+)", command.args)
        if since and self.qresync and int(since[1]) == box.uidvalidity:
            lines += self._resynced(box, int(since[2]))
        return [*lines, b"%s OK [READ-ONLY] done\r\n" % command.tag]

    _select = _examine

    def _resynced(self, box: Box, modseq: int) -> list[bytes]:
        gone = [b"%d" % uid for uid, when in box.gone if when > modseq]
        lines = [b"* VANISHED (EARLIER) %s\r\n" % b",".join(gone)] if gone else []
        items = b"(UID FLAGS MODSEQ)"
        return lines + [self._row(n, mail, items) for n, mail in enumerate(box.mails, 1) if mail.modseq > modseq]

    def _uid_fetch(self, command: Command) -> list[bytes]:
        assert self.box is not None
        wanted, items = command.args.split(b" ", 1)
        taken = _members(wanted, [mail.uid for mail in self.box.mails])
        since = re.search(rb"\(CHANGEDSINCE (\d+)", items)
        floor = int(since[1]) if since else 0
        pairs = [(n, m) for n, m in enumerate(self.box.mails, 1) if m.uid in taken and m.modseq > floor]
        return [self._row(number, mail, items) for number, mail in pairs]

    def _fetch(self, command: Command) -> list[bytes]:
        assert self.box is not None
        wanted, items = command.args.split(b" ", 1)
        numbers = range(1, len(self.box.mails) + 1)
        taken = _members(wanted, numbers)
        return [self._row(n, self.box.mails[n - 1], items) for n in numbers if n in taken]

    def _row(self, number: int, mail: Mail, items: bytes) -> bytes:
        return self.row(number, mail, items, fetch_row(number, mail, items))

    def _status_of(self, box: Box) -> bytes:
        values = b"MESSAGES %d UIDNEXT %d UIDVALIDITY %d" % (len(box.mails), box.uidnext, box.uidvalidity)
        if self.offers("CONDSTORE"):
            values += b" HIGHESTMODSEQ %d" % box.modseq
        return b"* STATUS %s (%s)\r\n" % (_quoted(box.raw), values)

    def _named(self, args: bytes) -> Box | None:
        return self.mailbox.boxes.get(_first(args))


def read_command(stream: BinaryIO, ready: Callable[[], object]) -> Command | None:
    """The next command, or None at the end of the connection; `ready` asks for a literal or a SASL answer."""
    line = stream.readline()
    match = _COMMAND.match(line.rstrip(b"\r\n"))
    if match is None:
        return None
    tag, name, args = match.groups()
    literal = b""
    if size := re.search(rb" ?\{(\d+)\}$", args):
        ready()
        literal = stream.read(int(size[1]))
        stream.readline()
        args = args[: size.start()]
    elif name.upper() == b"AUTHENTICATE":
        ready()
        literal = base64.b64decode(stream.readline())
    return Command(tag, name.decode().upper(), args, literal)


def fetch_row(number: int, mail: Mail, items: bytes) -> bytes:
    """A FETCH response as a good server writes it."""
    parts = [b"UID %d" % mail.uid]
    if b"X-GM-LABELS" in items:
        parts.insert(0, b"X-GM-LABELS (%s)" % b" ".join(map(_label, sorted(mail.labels))))
    if b"FLAGS" in items:
        parts.append(b"FLAGS (%s)" % " ".join(sorted(mail.flags)).encode())
    if b"INTERNALDATE" in items:
        parts.append(f'INTERNALDATE "{mail.date:%d-%b-%Y %H:%M:%S %z}"'.encode())
    if b"RFC822.SIZE" in items:
        parts.append(b"RFC822.SIZE %d" % len(mail.body))
    if b"MODSEQ" in items:
        parts.append(b"MODSEQ (%d)" % mail.modseq)
    if piece := _PIECE.search(items):
        start, size = int(piece[1]), int(piece[2])
        parts.append(_literal(b"BODY[]<%d>" % start, mail.body[start : start + size]))
    elif fields := re.search(rb"HEADER\.FIELDS \(([^)]*)\)", items):
        names = b"|".join(fields[1].split())
        head = re.split(rb"\r?\n\r?\n", mail.body, maxsplit=1)[0] + b"\r\n"
        found = re.finditer(rb"(?im)^(?:%b):.*\r?\n(?:[ \t].*\r?\n)*" % names, head)
        parts.append(_literal(b"BODY[%b]" % fields[0], b"".join(line[0] for line in found) + b"\r\n"))
    elif b"BODY" in items:
        parts.append(_literal(b"BODY[]", mail.body))
    return b"* %d FETCH (%s)\r\n" % (number, b" ".join(parts))


def _ancestors(raws: Iterable[bytes]) -> list[bytes]:
    """Every level above a folder, whether or not it is a folder itself."""
    return sorted({raw[: found.start()] for raw in raws for found in re.finditer(b"/", raw)})


def _label(name: str) -> bytes:
    """As Gmail writes labels: an atom where it can be one, else a quoted string."""
    raw = encode(name)
    return raw if re.fullmatch(rb"[A-Za-z0-9&+,/-]+", raw) else _quoted(raw)


def _literal(key: bytes, data: bytes) -> bytes:
    return b"%s {%d}\r\n%s" % (key, len(data), data)


def _members(wanted: bytes, there: Sequence[int]) -> set[int]:
    last = max(there, default=0)
    taken: set[int] = set()
    for part in wanted.split(b","):
        ends = [last if end == b"*" else int(end) for end in part.split(b":")]
        taken |= {number for number in there if min(ends) <= number <= max(ends)}
    return taken


def _first(args: bytes) -> bytes:
    match = _STRING.match(args)
    return unquote(match[0]) if match else args.split(b" ")[0]


def _quoted(raw: bytes) -> bytes:
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _ok(command: Command) -> bytes:
    return b"%s OK done\r\n" % command.tag


def _no(command: Command) -> bytes:
    return b"%s NO [NONEXISTENT] no such folder\r\n" % command.tag
