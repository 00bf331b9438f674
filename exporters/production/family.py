"""A family: a message and what is attached to it, each a document of its own, a child always behind its parent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote

from archiver.mime import Attachment, Parsed, parse
from archiver.mime.contents import embedders, without
from archiver.model import MessageId
from exporters.production.lists import Ground, Lists

NOTICE = b"[REDACTED: this attachment is not produced]"
MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_DRAWN = frozenset({"image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/bmp", "image/webp"})
_SHOWN_AS = re.compile(r"\bsrc\s{0,9}=\s{0,9}[\"']?\s{0,9}cid:([^\"'\s<>]{1,1000})", re.IGNORECASE)
_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,10})$")
_CONTAINERS = frozenset(
    {"zip", "rar", "7z", "tar", "gz", "tgz", "bz2", "xz", "pst", "ost", "mbox", "iso", "msg", "eml", "mht", "mhtml"}
)
_SEALED = {
    "application/ms-tnef": "TNEF (winmail.dat) not opened",
    "application/vnd.ms-tnef": "TNEF (winmail.dat) not opened",
    "application/pkcs7-mime": "S/MIME content not opened: encrypted, or signed and wrapped",
    "application/x-pkcs7-mime": "S/MIME content not opened: encrypted, or signed and wrapped",
    "application/pgp-encrypted": "PGP encrypted, not opened",
}


@dataclass(frozen=True, slots=True)
class Child:
    """An attachment as a document. parent: its index in the family, where 0 is the message; an attached message may
    have children of its own. ground: why it is not handed out, also when that is only because of something inside it.
    """

    attachment: Attachment
    parent: int
    digest: str
    ground: Ground | None

    @property
    def kind(self) -> str:
        """What sort of document it is."""
        return "Attached e-mail" if self.attachment.type in MESSAGES else "Attachment"

    @property
    def suffix(self) -> str:
        """The end of its file's name without dot, lower case."""
        if self.attachment.type in MESSAGES:
            return "eml"
        return suffix(self.attachment.name) or "bin"

    @property
    def unopened(self) -> str:
        """Why nobody looked into it; "" when there is nothing to look into."""
        name = self.attachment.name.lower()
        if name == "winmail.dat":
            return _SEALED["application/ms-tnef"]
        if name.endswith(".p7m"):
            return _SEALED["application/pkcs7-mime"]
        known = _SEALED.get(self.attachment.type, "")
        sealed = self.suffix in _CONTAINERS and self.attachment.type not in MESSAGES
        return known or (f"container ({self.suffix}) not opened" if sealed else "")


@dataclass(frozen=True, slots=True)
class Family:
    """What is known of a message before it is rendered.

    ground: why all of it is withheld. children: in the order of the message. inline: images that its HTML shows and
    that are therefore no documents of their own. raw: what is rendered and read for text: the message, or where an
    attachment is not handed out a copy without it; the message itself must not go out then (`clean` is False).
    """

    parsed: Parsed
    ground: Ground | None
    children: tuple[Child, ...]
    inline: int
    raw: bytes
    clean: bool


def family(message: MessageId, raw: bytes, lists: Lists) -> Family:
    """The family of a message. Raises ValueError when what may not go out cannot be taken out of it."""
    parsed = parse(raw)
    hashed = [(found, hashlib.sha256(found.data()).hexdigest()) for found in parsed.attachments]
    ground = lists.message(message)
    inside = embedders(parsed.attachments)
    grounds = _spread([lists.attachment(digest, found.name) for found, digest in hashed], hashed, inside)
    shown = _shown(parsed)
    documents = [not _drawn(found, shown) or grounds[number] is not None for number, (found, _) in enumerate(hashed)]
    place: dict[int | None, int] = {None: 0}
    children: list[Child] = []
    for number, (found, digest) in enumerate(hashed):
        if documents[number]:
            children.append(Child(found, place.get(inside[number], 0), digest, grounds[number]))
            place[number] = len(children)
    named = {digest for (_, digest), why in zip(hashed, grounds, strict=True) if why}
    clean = not named
    if ground is None and named:
        raw = without(raw, lambda _, digest: digest in named, NOTICE)
        parsed = parse(raw)
    return Family(parsed, ground, tuple(children), documents.count(False), raw, clean)


def _spread(
    grounds: list[Ground | None], hashed: Sequence[tuple[Attachment, str]], inside: Sequence[int | None]
) -> list[Ground | None]:
    """The grounds with all they entail: what lies in an attached message that is not handed out is not either, nor is
    the same content elsewhere in the family, nor, last, an attached message that holds such content.
    """
    for number, outer in enumerate(inside):  # an outer message stands before what lies in it
        grounds[number] = grounds[number] or (grounds[outer] if outer is not None else None)
    same = {digest: why for (_, digest), why in zip(hashed, grounds, strict=True) if why}
    grounds = [why or same.get(digest) for (_, digest), why in zip(hashed, grounds, strict=True)]
    for number in range(len(grounds) - 1, -1, -1):
        outer = inside[number]
        if outer is not None:
            grounds[outer] = grounds[outer] or grounds[number]
    return grounds


def _shown(parsed: Parsed) -> set[str]:
    """The Content-IDs of the pictures that the HTML shows, in small letters."""
    return {unquote(unescape(name)).lower() for name in _SHOWN_AS.findall(parsed.html)}


def _drawn(attachment: Attachment, shown: set[str]) -> bool:
    """Whether it is a picture in the text of the message: one that only says so (Apple Mail's in plain text) or that no
    page can show (TIFF) would be nowhere.
    """
    return attachment.inline and attachment.type in _DRAWN and attachment.content_id.lower() in shown


def suffix(name: str) -> str:
    """The extension of a name as a safe one in lower case, else ""."""
    match = _SUFFIX.search(name)
    return match[1].lower() if match else ""
