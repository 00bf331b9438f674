"""Two places for one object: a pack under its own name, or straight in the folder of its era.

    packs/mail-2026/3f/3f9c….age      its name, and where it lies in most stores
    packs/mail-2026/3f9c….age         where it lies in Google Drive, and in a folder downloaded from there

In Drive every folder costs a write, and one may hold 500,000 files (developers.google.com/workspace/drive/api/guides/
folder, "File and folder limits"), so that a level of 256 folders a year helps nobody. No object has a name of the
second form (docs/format.md), so each place tells one name; where both are taken, one counts.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(packs/[^/]+)/([0-9a-f]{2})/(\2[0-9a-f]{62}\.age)")
_FLAT = re.compile(r"(packs/[^/]+)/(([0-9a-f]{2})[0-9a-f]{62}\.age)")
_ERA = re.compile(r"packs/[^/]+")
_BELOW = re.compile(r"(packs/[^/]+/[0-9a-f]{2})/.*")


def flat(name: str) -> str:
    """The place of a pack straight in the folder of its era; for every other object its name."""
    found = _NAME.fullmatch(name)
    return f"{found[1]}/{found[3]}" if found else name


def name_at(place: str) -> str:
    """The name of the object that lies at either place."""
    found = _FLAT.fullmatch(place)
    return f"{found[1]}/{found[3]}/{found[2]}" if found else place


def places(name: str) -> tuple[str, ...]:
    """Every place of the object, its own name first."""
    return (name,) if flat(name) == name else (name, flat(name))


def leads_to(prefix: str) -> str:
    """What the places of all names with this prefix begin with; that of a few other names may begin so, too."""
    found = _BELOW.fullmatch(prefix)
    return found[1] if found else prefix


def has_two_places(folder: str) -> bool:
    """Whether what lies in and below the folder may be at either place: the packs of an era."""
    return _ERA.fullmatch(folder) is not None
