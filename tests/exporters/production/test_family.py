"""Families, and what of them may go out."""

from __future__ import annotations

import hashlib

from exporters.production.family import Family, family
from exporters.production.lists import Ground, Lists
from tests.exporters.production.kit import attached, mail, part

SECRET = b"the secret price list"
WHY = Ground("trade secret")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def taken(raw: bytes, **lists: dict[str, Ground]) -> Family:
    return family(digest(raw), raw, Lists(**lists))


def grounds(whole: Family) -> dict[str, bool]:
    return {child.attachment.name: child.ground is not None for child in whole.children}


def test_children_stand_behind_their_parents() -> None:
    inner = mail("inner", parts=[part("deep.txt", b"deep")])
    whole = taken(mail(parts=[part("a.pdf", b"a"), attached(inner), part("b.zip", b"b")]))
    assert [(child.attachment.name, child.parent, child.kind) for child in whole.children] == [
        ("a.pdf", 0, "Attachment"),
        ("inner.eml", 0, "Attached e-mail"),
        ("deep.txt", 2, "Attachment"),
        ("b.zip", 0, "Attachment"),
    ]
    assert whole.clean


def test_pictures_of_the_text_are_no_documents() -> None:
    picture = part("logo.png", b"png", "image/png", "Content-ID: <logo@x>\r\n").replace(b"attachment;", b"inline;")
    page = b"Content-Type: text/html\r\n\r\n<p><img alt=x src='cid:Logo%40x'></p>"
    assert (taken(mail(parts=[page, picture])).children, taken(mail(parts=[page, picture])).inline) == ((), 1)


def test_what_nobody_looked_into_is_said() -> None:
    parts = [part("winmail.dat", b"1"), part("smime.p7m", b"2", "application/pkcs7-mime"), part("x.ZIP", b"3")]
    assert [child.unopened for child in taken(mail(parts=[*parts, part("a.pdf", b"4")])).children] == [
        "TNEF (winmail.dat) not opened",
        "S/MIME content not opened: encrypted, or signed and wrapped",
        "container (zip) not opened",
        "",
    ]


def test_a_redacted_attachment_leaves_nothing_of_itself() -> None:
    for key in (digest(SECRET), "prices.txt"):
        whole = taken(mail(parts=[part("prices.txt", SECRET), part("b.txt", b"b")]), redacted={key: WHY})
        assert grounds(whole) == {"prices.txt": True, "b.txt": False}
        assert not whole.clean
        assert SECRET not in b"".join(found.data() for found in whole.parsed.attachments)


def test_a_redacted_picture_becomes_a_document() -> None:
    picture = part("logo.png", b"png", "image/png", "Content-ID: <logo@x>\r\n").replace(b"attachment;", b"inline;")
    assert grounds(taken(mail(parts=[picture]), redacted={"logo.png": WHY})) == {"logo.png": True}


def test_the_message_around_a_redacted_attachment_is_not_handed_out() -> None:
    inner = mail("inner", parts=[part("prices.txt", SECRET), part("c.txt", b"c")])
    whole = taken(mail(parts=[attached(inner), part("b.txt", b"b")]), redacted={"prices.txt": WHY})
    assert grounds(whole) == {"inner.eml": True, "prices.txt": True, "c.txt": False, "b.txt": False}


def test_what_lies_in_a_withheld_message_is_withheld() -> None:
    inner = mail("inner", parts=[part("c.txt", b"c")])
    whole = taken(mail(parts=[attached(inner), part("c.txt", b"c"), part("d", b"d")]), withheld={digest(inner): WHY})
    assert grounds(whole) == {"inner.eml": True, "c.txt": True, "d": False}
    assert [child.ground is not None for child in whole.children] == [True, True, True, False], "the same content too"


def test_a_withheld_message_takes_its_family_with_it() -> None:
    raw = mail(parts=[part("b.txt", b"b")])
    whole = taken(raw, withheld={digest(raw): WHY})
    assert whole.ground == WHY and len(whole.children) == 1
