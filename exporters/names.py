"""Names of files and folders that are valid, and different, on every platform a file may be copied to.

Rules: Windows (Naming Files, Paths, and Namespaces: reserved signs and names, no trailing dot or blank), macOS and
Windows (case does not distinguish), Linux (255 bytes a name), archives and sync tools (Unicode NFC).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

LIMIT = 120
"""UTF-8 bytes of a file name."""
FOLDER_LIMIT = 80
"""UTF-8 bytes of a folder name."""
LEVELS = 12
"""Folder levels that are kept; deeper ones are joined into the last."""
PATH_LIMIT = 200
"""UTF-16 units of a whole path below the target: Windows takes 259 (Maximum Path Length Limitation), and the target's
own path must fit too.
"""
FOLDERS_LIMIT = 100
"""UTF-16 units of the folders in a path; where more levels come than fit, the rest is joined and cut."""

_SIGN = 9
_REST = 16

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)


def safe_name(text: str, limit: int = LIMIT, *, empty: str = "_") -> str:
    """One path component made from any text: at most `limit` bytes of UTF-8, NFC, never empty, never "." or ".."."""
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = unicodedata.normalize("NFC", text)
    text = " ".join(_FORBIDDEN.sub("_", text).split()).strip(" .")
    text = text.encode()[:limit].decode(errors="ignore").strip(" .")
    if _RESERVED.match(text):
        text = ("_" + text).encode()[:limit].decode(errors="ignore").strip(" .")
    return text or empty


def units(text: str) -> int:
    """UTF-16 units, by which Windows counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def room_below(parent: PurePosixPath) -> int:
    """UTF-16 units, and bytes, that a file's name may have in this folder: at least 80."""
    return min(LIMIT, PATH_LIMIT - units(str(parent)) - 1)


def folded(name: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class Directory:
    """Which folder of an account lies in which directory of the export, so that no two share one by accident.

    Names that differ by case only, or that became alike by making them safe or shorter, are told apart by a sign made
    from the original. taken: names at the top that are not to be used; reserved: names in every folder.
    """

    def __init__(self, *taken: str, reserved: Iterable[str] = ()) -> None:
        self._owners: dict[tuple[str, str], tuple[str, ...]] = {("", folded(name)): ("", name) for name in taken}
        self._reserved = frozenset(folded(name) for name in reserved)
        self._paths: dict[tuple[str, ...], PurePosixPath] = {}

    def path(self, account: str, folder: str) -> PurePosixPath:
        """The directory of a folder (levels joined by "/"), relative to the target."""
        levels = [level for level in folder.split("/") if level] or ["_"]
        levels[LEVELS - 1 :] = ["/".join(levels[LEVELS - 1 :])] if len(levels) >= LEVELS else []
        path, above = PurePosixPath(), (account, *levels)
        for depth in range(1, len(above) + 1):
            room = FOLDERS_LIMIT - (units(str(path)) + 1 if depth > 1 else 0)
            if depth < len(above) and units(_folder_name(above[depth - 1], FOLDER_LIMIT)) > room - _REST:
                return self._below(path, _folder_name("/".join(above[depth - 1 :]), room), above)
            path = self._below(path, _folder_name(above[depth - 1], room), above[:depth])
        return path

    def file(self, account: str, folder: str, suffix: str) -> PurePosixPath:
        """The file that stands for a whole folder, beside the directories of its subfolders."""
        path = self.path(account, folder)
        return path.parent / self._claim(str(path.parent), path.name, suffix, (account, folder, suffix))

    def _below(self, parent: PurePosixPath, name: str, owner: tuple[str, ...]) -> PurePosixPath:
        if owner not in self._paths:
            above = "" if parent == PurePosixPath() else str(parent)
            self._paths[owner] = parent / self._claim(above, name, "", owner)
        return self._paths[owner]

    def _claim(self, parent: str, name: str, suffix: str, owner: tuple[str, ...]) -> str:
        """`name` + `suffix` if nobody else has it in this parent, else with a sign of the owner in between."""
        sign = ""
        while (found := folded(name + sign + suffix)) in self._reserved or (
            self._owners.setdefault((parent, found), owner) != owner
        ):
            digest = hashlib.sha256("\0".join(owner).encode(errors="surrogatepass")).hexdigest()
            sign = f"~{digest[: max(4, len(sign) * 2)]}"
        return name + sign + suffix


def _folder_name(text: str, room: int) -> str:
    """A folder's name of at most `room` UTF-16 units, a sign for it apart."""
    name = safe_name(text, FOLDER_LIMIT)
    return name if units(name) <= room - _SIGN else safe_name(name, max(1, room - _SIGN))
