"""Another judge: what dkimpy and these verdicts say of the same message is the same, whatever the message is."""

from __future__ import annotations

import re

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.authenticity import canonical
from tests.authenticity.signing import MAIL, pair, results, signed

HEAD = MAIL.partition(b"\r\n\r\n")[0]
INK = st.text("ab \t.=,é合", max_size=12).map(lambda text: text.encode())
ENDS = st.sampled_from([b"\r\n", b"\r\n\r\n", b" \r\n", b"\t\r\n", b"\n", b"\r\r\n"])
BODIES = st.lists(st.tuples(INK, ENDS), max_size=12).map(lambda lines: b"".join(map(b"".join, lines)))
FORMS = st.sampled_from(["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])


def _agrees(mail: bytes) -> None:
    try:
        theirs = dkim.verify(mail, dnsfunc=lambda name, timeout=5: pair().record)
    except Exception:  # dkimpy meets defects of its own in headers that are none
        theirs = False
    assert (results(mail) == ["pass"]) == theirs


@given(BODIES, FORMS)
@settings(max_examples=60, deadline=None)
def test_both_pass_what_was_signed(body: bytes, forms: str) -> None:
    mail = signed(HEAD + b"\r\n\r\n" + body, forms)
    assert results(mail) == ["pass"]
    _agrees(mail)


@given(BODIES, FORMS, st.data())
@settings(max_examples=60, deadline=None)
def test_both_judge_alike_what_was_altered(body: bytes, forms: str, data: st.DataObject) -> None:
    mail = signed(HEAD + b"\r\n\r\n" + body, forms)
    start = mail.index(b"\r\nFrom:") + 2  # how freely a signature field may be written, dkimpy takes less exactly
    at = data.draw(st.integers(start, len(mail)))
    change = data.draw(st.sampled_from([b" ", b"\t", b"\r\n", b"x", b"\r\n ", b""]))
    altered = mail[:at] + change + mail[at + (not change) :]
    if b"\n" not in altered[-1:]:
        return  # blanks at the end of a body without a line end: RFC 6376 can be read either way
    head = altered.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    if b"\r" in head:
        return  # bare CRs: dkimpy takes them for blanks, here they are content
    if any(line[:1] not in (b" ", b"\t") and b":" not in re.split(rb"[ \t]", line)[0] for line in head.split(b"\n")):
        return  # lines that are no header fields: dkimpy gives up, here they are passed over; blanks before a colon
    _agrees(altered)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
@given(body=BODIES, relaxed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_body_is_the_same_in_pieces_of_any_size(piece: int, body: bytes, relaxed: bool) -> None:
    whole = b"".join(canonical.canonical(body, 0, relaxed=relaxed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "PIECE", piece)
        assert b"".join(canonical.canonical(body, 0, relaxed=relaxed)) == whole
