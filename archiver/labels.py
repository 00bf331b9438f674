"""Labels of a message (Gmail's X-GM-LABELS) as flags of its place: "label:" and the label's name.

Flags are kept as text between spaces, so in the name every white space, every character that cannot be shown, and "%"
are written as the bytes of their UTF-8, %XX each (the way of RFC 3986 section 2.1). A label of Gmail's own keeps its
backslash: label:\\Inbox. https://developers.google.com/workspace/gmail/imap/imap-extensions
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

PREFIX = "label:"

_FOLDERS = {
    "\\inbox": "INBOX",
    "\\sent": "Sent",
    "\\draft": "Drafts",
    "\\drafts": "Drafts",
    "\\trash": "Trash",
    "\\spam": "Junk",
    "\\junk": "Junk",
}


def flag_of(label: str) -> str:
    """The flag that stands for a label."""
    return PREFIX + "".join(char if _plain(char) else _escaped(char) for char in label)


def label_of(flag: str) -> str | None:
    """The label a flag stands for; None for any other flag."""
    if not flag.startswith(PREFIX):
        return None
    return unquote_to_bytes(flag.removeprefix(PREFIX)).decode("utf-8", "surrogatepass")


def parted(flags: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(flags of IMAP, names of labels)."""
    flags = tuple(flags)
    labels = tuple(label for flag in flags if (label := label_of(flag)) is not None)
    return tuple(flag for flag in flags if not flag.startswith(PREFIX)), labels


def folders_of(labels: Iterable[str]) -> tuple[str, ...]:
    """Folders that stand for labels elsewhere; \\Important, \\Starred and their like have none."""
    found = [_FOLDERS.get(label.lower(), "") if label.startswith("\\") else label for label in labels]
    return tuple(dict.fromkeys(filter(None, found)))


def _plain(char: str) -> bool:
    return char.isprintable() and not char.isspace() and char != "%"


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
