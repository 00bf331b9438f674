"""Header fields as they are hashed: byte for byte, and nothing that is none."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from archiver.authenticity.checker import _has_bare
from archiver.authenticity.fields import split

PIECES = [b"From", b"X-Y", b":", b" ", b"\t", b"\r\n", b"\r\n ", b"\r", b"a=b;", b"\xff"]


def by_lines(head: bytes) -> list[tuple[bytes, bytes]]:
    """(name, field) of a header block, by its lines (RFC 5322 section 2.2)."""
    found: list[list[bytes]] = []
    for line in head.removesuffix(b"\r\n").split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if found:
                found[-1].append(line)
        else:
            found.append([line])
    named = [(lines[0].partition(b":"), b"\r\n".join(lines)) for lines in found]
    return [
        (name.rstrip(b" \t").lower(), raw)
        for (name, colon, _), raw in named
        if colon and name.rstrip(b" \t") and all(33 <= byte <= 126 for byte in name.rstrip(b" \t"))
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
@example(b"From: a\r\n b\r\nX-Y:\r\n\t\r\n")
@example(b"From\r\n\t: a\r\n")
@example(b" a: b\r\nFrom : c\r\n")
@example(b"From: a\r\r\nX-Y: b\r\n")
def test_fields_are_what_their_lines_say(head: bytes) -> None:
    fields = split(head)
    assert [(one.name, one.raw) for one in fields] == by_lines(head)
    assert _has_bare(fields) == any(b"\r" in one.raw.replace(b"\r\n", b"") for one in fields)
