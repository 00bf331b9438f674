"""The sample company's letters, read from letters.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).with_name("letters.toml")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `places`: (login, folder); `day`: days after 1 March 2024; `papers`: names of attachments."""

    places: tuple[tuple[str, str], ...]
    sender: str
    to: str
    day: float
    subject: str
    text: str
    papers: tuple[str, ...]
    charset: str
    html: bool
    newsletter: bool
    flags: tuple[str, ...]


def letters() -> list[Letter]:
    """All of them, in the order of the file."""
    table = tomllib.loads(TEXTS.read_text("utf-8"))
    return [_letter(row, table["people"]) for row in table["letter"]]


def _letter(row: dict[str, Any], people: dict[str, str]) -> Letter:
    places = tuple(tuple(place.split("/", 1)) for place in row["places"])
    return Letter(
        places=places,
        sender=people[row["from"]],
        to=people[row["to"]],
        day=row["day"],
        subject=row["subject"],
        text=row["text"],
        papers=tuple(row.get("papers", ())),
        charset=row.get("charset", "utf-8"),
        html=row.get("html", False),
        newsletter=row.get("newsletter", False),
        flags=tuple(row.get("flags", ("\\Seen",))),
    )
