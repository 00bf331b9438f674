"""Base64 decoded where it stands in a message."""

from __future__ import annotations

import base64

from hypothesis import example, given
from hypothesis import strategies as st

from archiver.mime.transfer import decode, decode_base64


def lines(data: bytes, width: int, end: bytes) -> bytes:
    coded = base64.b64encode(data)
    return end.join(coded[at : at + width] for at in range(0, len(coded), width))


@given(
    st.binary(min_size=1, max_size=400),
    st.sampled_from([4, 8, 60, 76]),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"x\n", b"=\n\n", b"YWJj\n"]),
    st.sampled_from([b"", b"\r\n", b"\n" * 300, b" \n\t"]),
    st.sampled_from([b"", b"YWJj\n", b"=", b"--b--"]),
)
@example(b"a", 4, b"\n", b"x\n", b"\n", b"=")
def test_a_part_is_decoded_between_its_bounds(
    data: bytes, width: int, end: bytes, before: bytes, blank: bytes, after: bytes
) -> None:
    body = lines(data, width, end) + blank
    raw = before + body + after
    assert decode("base64", raw, len(before), len(before) + len(body)) == (data, True)


@given(
    st.binary(min_size=30, max_size=300), st.integers(0, 400), st.sampled_from([b"", b"=", b"-", b"\n", b"A", b"\x00"])
)
def test_damage_is_met_in_the_same_way_in_and_outside_of_a_message(data: bytes, at: int, damage: bytes) -> None:
    body = lines(data, 60, b"\r\n")
    body = body[:at] + damage + body[at + 1 :]
    inside = decode("base64", b"=\n" + body + b"=", 2, 2 + len(body))
    assert inside == decode("base64", body, 0, len(body))
    assert inside[0] == decode_base64(body)[0]
