"""Messages as associated files of a PDF (ISO 19005-3 annex E, ISO 32000-1 section 7.11)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from exporters.interface import Outgoing
from exporters.rendition.xmp import pdf_date

EMBEDDED_LIMIT = 25 * 1024 * 1024
"""Bytes up to which a message is embedded in its rendition."""


def embeds(message: Outgoing) -> bool:
    """Whether the message is small enough to be embedded."""
    return len(message.raw) <= EMBEDDED_LIMIT


def embed_message(document: pikepdf.Pdf, message: Outgoing) -> None:
    """Make the message's exact bytes the document's one associated file: the source of what the pages show."""
    raw = bytes(message.raw)
    params = Dictionary(Size=len(raw), CheckSum=String(hashlib.md5(raw, usedforsecurity=False).digest()))
    if message.date is not None:
        params.CreationDate = params.ModDate = String(pdf_date(message.date))
    content = document.make_stream(raw, Type=Name.EmbeddedFile, Subtype=Name("/message/rfc822"), Params=params)
    name = f"{message.id[:16]}.eml"
    specification = Dictionary(
        Type=Name.Filespec,
        F=String(name),
        UF=String(name),
        EF=Dictionary(F=content, UF=content),
        AFRelationship=Name.Source,
        Desc=String(f"The message itself, SHA-256 {message.id}"),
    )
    set_files(document, {name: document.make_indirect(specification)})


def files(document: pikepdf.Pdf) -> dict[str, pikepdf.Object]:
    """The file specifications that `set_files` wrote, by name."""
    names = document.Root.get(Name.Names, Dictionary()).get(Name.EmbeddedFiles, Dictionary()).get(Name.Names, Array())
    entries = list(names.as_list())
    return {str(entries[at]): entries[at + 1] for at in range(0, len(entries), 2)}


def set_files(document: pikepdf.Pdf, specifications: Mapping[str, pikepdf.Object]) -> None:
    """Let these be the document's embedded and associated files. The names are ASCII, so their order as text is the
    order that a name tree needs (ISO 32000-1 section 7.9.6).
    """
    in_order = sorted(specifications.items())
    if not in_order:
        return
    tree = Array([entry for name, specification in in_order for entry in (String(name), specification)])
    document.Root.Names = Dictionary(EmbeddedFiles=document.make_indirect(Dictionary(Names=tree)))
    document.Root.AF = document.make_indirect(Array([specification for _, specification in in_order]))
