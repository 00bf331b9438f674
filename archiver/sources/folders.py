"""Which folders an account has: LIST with STATUS in one round trip (RFC 5819), else LIST and pipelined STATUS."""

from __future__ import annotations

import re
from dataclasses import replace

from archiver.errors import ProtocolError
from archiver.model import Body, Folder, FolderStatus
from archiver.sources import names
from archiver.sources.limits import printable
from archiver.sources.session import LABELLED, Reply, Session

_LIST = re.compile(
    rb'\((?P<attributes>[^)]*)\) +(?P<delimiter>"(?:\\.|[^"\\])*"|NIL) +(?P<name>"(?:\\.|[^"\\])*"|\{\d+\+?\}|.*)',
    re.IGNORECASE | re.DOTALL,
)
_STATUS = re.compile(
    rb'(?P<name>"(?:\\.|[^"\\])*"|\{\d+\+?\}|.*?) *\((?P<items>[^()]*(?:\([^()]*\)[^()]*)*)\) *', re.DOTALL
)
_ITEM = re.compile(rb"(MESSAGES|UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ) +(-?\d+)", re.IGNORECASE)
_CLOSED = {"\\noselect", "\\nonexistent"}
_CHILDLESS = {"\\hasnochildren", "\\noinferiors"}
_LEVELS = 100
"""Folders nested more deeply are not looked for."""


def folders(session: Session) -> list[Folder]:
    """Folders that can hold messages, each name once, INBOX first. Raises ProtocolError when the server lists none."""
    by_list = session.offers("LIST-STATUS") and session.provider.status_by_list
    reply = _list_with_status(session) if by_list else session.run("LIST", b'""', b'"*"')
    if reply.kind != "OK" and by_list:
        by_list, reply = False, session.run("LIST", b'""', b'"*"')
    found = _listed_in(reply)
    if not session.provider.list_whole:
        found += [*_by_level(session), *_subscribed(session, found)]
    found = _distinct(found)
    if reply.kind != "OK" or not found:
        raise ProtocolError(f"the server lists no folders: {printable(reply.text)}")
    found = _walked([folder for folder in found if not _CLOSED & _lowered(folder)], session.offers("X-GM-EXT-1"))
    told = _statuses(reply) if by_list else {}
    return [replace(folder, status=told.get(folder.raw)) for folder in found] if by_list else found


def with_status(session: Session, found: list[Folder]) -> list[Folder]:
    """The folders with the statuses that are missing asked for, fifty under way at a time."""
    unknown = [folder for folder in found if folder.status is None and names.speakable(folder.raw)]
    commands = [(names.quote(folder.raw), _items(session)) for folder in unknown]
    told: dict[bytes, FolderStatus] = {}
    for folder, reply in zip(unknown, session.run_all("STATUS", commands), strict=True):
        if reply.kind == "OK":  # a folder whose status is refused is opened to see
            told[folder.raw] = next(iter(_statuses(reply).values()), FolderStatus(0, 0, 0))
    return [replace(folder, status=folder.status or told.get(folder.raw)) for folder in found]


def hides_mail(session: Session, found: list[Folder]) -> bool:
    """Whether Gmail keeps its "All Mail" folder from IMAP, so that every label must be walked."""
    return session.offers("X-GM-EXT-1") and not any("\\all" in _lowered(folder) for folder in found)


def _items(session: Session) -> bytes:
    return b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)" if session.condstore else b"(MESSAGES UIDNEXT UIDVALIDITY)"


def _list_with_status(session: Session) -> Reply:
    wanted = b"SPECIAL-USE " if session.offers("SPECIAL-USE") else b""
    return session.run("LIST", b'""', b'"*"', b"RETURN", b"(%sSTATUS %s)" % (wanted, _items(session)))


def _by_level(session: Session) -> list[Folder]:
    """Folders by one LIST "parent/%" for each that may have children, for servers that cut a long LIST short."""
    found: dict[bytes, Folder] = {}
    patterns = [b"%"]
    for _ in range(_LEVELS):
        replies = session.run_all("LIST", [(b'""', names.quote(pattern)) for pattern in patterns])
        level = {folder.raw: folder for reply in replies for folder in _listed_in(reply) if folder.raw not in found}
        found |= level
        patterns = [below for folder in level.values() if (below := _children(folder))]
        if not patterns:
            break
    return list(found.values())


def _children(folder: Folder) -> bytes:
    """The pattern for what lies directly below a folder; nothing when there can be nothing."""
    if not folder.delimiter or _CHILDLESS & _lowered(folder) or not names.speakable(folder.raw):
        return b""
    return folder.raw + folder.delimiter.encode("utf-8") + b"%"


def _subscribed(session: Session, found: list[Folder]) -> list[Folder]:
    """Subscribed folders that were not listed; only those that LIST knows, for a subscription outlives its folder."""
    known = {folder.raw for folder in found}
    asked = [folder.raw for folder in _listed_in(session.run("LSUB", b'""', b'"*"'), "LSUB")]
    commands = [(b'""', names.quote(raw)) for raw in asked if raw not in known and names.speakable(raw)]
    return [folder for reply in session.run_all("LIST", commands) for folder in _listed_in(reply)]


def _listed_in(reply: Reply, word: str = "LIST") -> list[Folder]:
    return [folder for kind, parts in reply.lines if kind == word and (folder := _listed(parts))]


def _listed(parts: list[Body]) -> Folder | None:
    match = _LIST.match(bytes(parts[0]))
    if match is None:
        return None
    raw = bytes(parts[1]) if len(parts) > 1 else _name(match["name"])
    delimiter = names.unquote(match["delimiter"]).decode("ascii", "replace")
    attributes = tuple(word.decode("ascii", "replace") for word in match["attributes"].split())
    return names.folder(raw, delimiter, attributes) if raw else None


def _name(text: bytes) -> bytes:
    """A quoted name without its quotes; of an unquoted one everything, spaces included, up to extended data."""
    return names.unquote(text) if text.startswith(b'"') else text.rstrip()


def _distinct(found: list[Folder]) -> list[Folder]:
    """Each raw name once; of two that read alike the second shows its raw name as well."""
    taken: dict[str, bytes] = {}
    kept: dict[bytes, Folder] = {}
    for folder in sorted(found, key=lambda folder: (folder.name != "INBOX", folder.name, folder.raw)):
        if folder.raw in kept:
            continue
        if taken.setdefault(folder.name, folder.raw) != folder.raw:
            folder = replace(folder, name=f"{folder.name} ({folder.raw.decode('latin-1')})")
        kept[folder.raw] = folder
    return list(kept.values())


def _walked(found: list[Folder], gmail: bool) -> list[Folder]:
    """Gmail's labels all show the messages of "All Mail" again; only spam and bin are apart."""
    if gmail and any("\\all" in _lowered(folder) for folder in found):
        return [folder for folder in found if LABELLED & _lowered(folder)]
    return found


def _lowered(folder: Folder) -> set[str]:
    return {attribute.lower() for attribute in folder.attributes}


def _statuses(reply: Reply) -> dict[bytes, FolderStatus]:
    found: dict[bytes, FolderStatus] = {}
    for word, parts in reply.lines:
        text = bytes(parts[0]) + bytes(parts[2] if len(parts) > 2 else b"")
        if word == "STATUS" and (match := _STATUS.fullmatch(text)):
            values = {key.upper(): max(0, int(value)) for key, value in _ITEM.findall(match["items"])}
            raw = bytes(parts[1]) if len(parts) > 1 else _name(match["name"])
            numbers = [values.get(key, 0) for key in (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES", b"HIGHESTMODSEQ")]
            found[raw] = FolderStatus(*numbers)
    return found
