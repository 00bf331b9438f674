"""The layout within the limits of OneDrive and SharePoint, computed for the longest names and for ten years of mail.

Limits: support.microsoft.com, "Restrictions and limitations in OneDrive and SharePoint" (400 characters of a decoded
path, 255 of a name in it, reserved names, 300,000 files to synchronise); rclone.org/onedrive, "Limitations" (50,000
files in a folder were seen to work, 100,000 not).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from archiver.stores.interface import checked_name
from archiver.stores.marker import MARKER
from archiver.stores.memory import MemoryStore
from archiver.stores.rclone_process import PART
from archiver.vault.keys import _ERA_NAME
from tests.small_archive import build, new_keys

PATH, SEGMENT, FILES_IN_A_FOLDER, FILES = 400, 255, 50_000, 300_000
DOCUMENTED = 115
RESERVED = re.compile(r"(?i)\.lock|con|prn|aux|nul|com\d|lpt\d|desktop\.ini|~\$.*|.*_vti_.*|.*[. ]|[. ].*")

NIGHTS = 3653
TEN_YEARS = 10**12
"""Bytes stored: 100 GB a year, which is some 300 GB of mail."""

LONGEST_ERA = f"{'x' * 32}-2026"
"""A class has at most 32 letters; the only one there is, "mail", has four."""


def longest() -> list[str]:
    """The longest name of each kind."""
    digest, writer = "f" * 64, "f" * 16
    return [
        f"packs/{LONGEST_ERA}/ff/{digest}.age",
        f"catalog/{LONGEST_ERA}/{digest}.age",
        f"manifests/{writer}/{'9' * 10}",
        f"keys/era/{LONGEST_ERA}.9999.age",
        f"keys/writers/{writer}.pub",
        "keys/recovery.age",
        "FORMAT.txt",
        MARKER,
    ]


def shape(name: str) -> str:
    """A name with its variable parts taken out."""
    return re.sub(r"[0-9a-f]{64}|[0-9a-f]{16}|\d{10}|[a-z]+-\d{4}|/[0-9a-f]{2}(?=/)|\.\d+(?=\.age)", "*", name)


def test_names_leave_most_of_the_path_to_the_folder() -> None:
    sizes = {name: len(name) + len(".12345678" + PART) for name in longest()}
    for name in longest():
        assert checked_name(name) == name
        assert all(len(part) <= SEGMENT and not RESERVED.fullmatch(part) for part in name.split("/"))
        assert not re.search(r'["*:<>?\\|]', name)
    assert max(map(len, sizes)) <= DOCUMENTED
    left = PATH - max(sizes.values())
    assert left >= 250
    print(f"longest name {max(map(len, sizes))}, under way {max(sizes.values())}: {left} characters for the folder")


def test_an_archive_has_no_names_of_other_kinds() -> None:
    store = MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), [store], new_keys(), commits=2, each=4)
    known = {shape(name) for name in [*longest(), "keys/root.pem"]}
    assert {shape(stat.name) for stat in store.list()} <= known
    assert _ERA_NAME.fullmatch(longest()[3])


def test_ten_years_fit_into_any_folder() -> None:
    """At most 4 + bytes / 32 MiB objects a night (see test_side_by_side.py), wherever they lie."""
    packs = TEN_YEARS // (32 << 20)
    objects = 4 * NIGHTS + packs
    assert objects < FILES_IN_A_FOLDER < FILES, "all of them in one folder would do"
    in_a_folder = packs / 10 / 256
    assert in_a_folder < 20
    manifests = 2 * NIGHTS
    assert manifests < FILES_IN_A_FOLDER
    print(f"{objects:,} objects; {in_a_folder:.0f} packs a folder; {manifests:,} manifests of two commits a night")
