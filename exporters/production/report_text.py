"""The fixed sentences of a report."""

from __future__ import annotations

LIMITS = (
    "The .eml file is the record; its PDF is a rendition of it. Where both differ, the .eml counts.",
    "Remote images are never fetched, so they are not shown; tracking pixels are left out. Scripts and forms "
    "are not shown. Fonts are those of the rendering machine; a character that none of them has stands as its code.",
    "Tier 1 shows the message's HTML or text, 1b the same on a wider page scaled back, 2 the text alone, 3 the header "
    "block and the list of attachments. The tier of each document stands in the field PDFTIER.",
    "Attachments are produced as they are, not as pages. Images that a message's HTML shows are part of its PDF and "
    "its .eml and are no documents of their own.",
    "What lies in containers (zip and the like, .eml of no message type), in TNEF (winmail.dat) and in encrypted parts "
    "was not looked into; such documents are named in exceptions.csv.",
    "Withheld and redacted documents are stood for by a page with their control number. Where an attachment is not "
    "produced, neither is the .eml of its message, which holds it; the PDF is then made from a copy without it.",
    "The load file's DAT form cannot write three signs; fields it alters are named in EXCEPTION and stand exactly in "
    "manifest.jsonl. The CSV is for spreadsheets: a mark (') before what they take for a formula, long cells cut.",
)

STATEMENT = (
    "DRAFT for review by counsel. Not signed by any person; to be completed by the person who certifies.",
    "I, [name], am [position] of [organisation]. I am qualified to make this certification by [training, experience].",
    "The electronic copies in this production were made by the process described in this report from an archive to "
    "which each message was added by an automated process that recorded the SHA-256 hash of its bytes at that time.",
    "When this production was made, each message was read from the archive and its SHA-256 hash was computed anew; "
    "{hashed} messages gave the hash recorded at ingest, of which {natives} are produced as .eml files and {withheld} "
    "are withheld; {failed} messages did not, could not be read, or could not be produced without what is not handed "
    "out, and are named in exceptions.csv.",
    "A copy whose SHA-256 hash equals that of the original is, for all practical purposes, identical to it. The hashes "
    "of the files stand in manifest-sha256.txt and in the field SHA256HASH.",
    "I make this certification for the purpose of Rule 902(13) and (14) of the Federal Rules of Evidence.  "
    "Date: ____________  Signature: ____________",
)

NO_CLAIM = (
    "This report claims no conformance with any law or rule. What was checked is what it says was checked: the hash of "
    "each message, the sum of the reconciliation, and the hash of each file."
)
