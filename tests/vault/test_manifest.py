"""Manifests: one spelling, signed, chained; an auditor checks them with openssl, sed, awk and sha256sum alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import IntegrityError
from archiver.vault import manifest as room
from archiver.vault.manifest import FIRST_PREV, Link, Manifest, Note, ObjectRef, parse, sign, verify, verify_chain

KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
PUBLIC = KEY.public_key()
ARCHIVE, WRITER = "a" * 32, "b" * 16
WHEN = datetime(2026, 11, 23, 11, 0, 0, tzinfo=UTC)


def stored(data: bytes, era: str = "mail-2026") -> ObjectRef:
    sha256 = hashlib.sha256(data).hexdigest()
    return ObjectRef(sha256, len(data), f"packs/{era}/{sha256[:2]}/{sha256}.age")


def commit(
    seq: int = 1, prev: str = FIRST_PREV, *, objects: Sequence[ObjectRef] = (), notes: Sequence[Note] = ()
) -> Manifest:
    return Manifest(ARCHIVE, WRITER, seq, prev, WHEN, 3, "c" * 64, tuple(objects), tuple(notes))


def chain(length: int) -> list[bytes]:
    made: list[bytes] = []
    for seq in range(1, length + 1):
        prev = hashlib.sha256(made[-1]).hexdigest() if made else FIRST_PREV
        made.append(sign(commit(seq, prev, objects=[stored(b"%d" % seq)]), KEY))
    return made


def resigned(body: bytes) -> bytes:
    """A body of any form, properly signed by the writer."""
    return body + b"\nsignature " + base64.b64encode(KEY.sign(body)) + b"\n"


def test_the_form_of_a_manifest() -> None:
    data = sign(commit(objects=[stored(b"y"), stored(b"x")], notes=[Note("colour", "red", optional=True)]), KEY)
    assert data.decode().splitlines()[:-1] == [
        "mailark manifest 1",
        f"archive {ARCHIVE}",
        f"writer {WRITER}",
        "seq 1",
        f"prev {FIRST_PREV}",
        "time 2026-11-23T11:00:00Z",
        "messages 3",
        f"root {'c' * 64}",
        "optional colour red",
        *sorted(
            (f"object {ref.sha256} {ref.size} {ref.name}" for ref in (stored(b"x"), stored(b"y"))),
            key=lambda line: line.rsplit(" ")[-1],
        ),
        "",
    ]
    assert commit().name == f"manifests/{WRITER}/0000000001"


def test_times_are_kept_in_whole_seconds_of_utc() -> None:
    local = WHEN.astimezone(timezone(timedelta(hours=8))).replace(microsecond=5)
    assert replace(commit(), time=local) == commit()


digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.from_regex(r"(packs|catalog|state)/[a-z]{1,9}(-[0-9]{4})?/[A-Za-z0-9_-]{1,20}", fullmatch=True)
refs = st.builds(ObjectRef, digests, st.integers(0, 10**14), names)
notes = st.builds(
    Note,
    st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    st.from_regex(r"[!-~]([ -~]{0,40}[!-~])?", fullmatch=True),
    st.just(True),
)
manifests = st.builds(
    Manifest,
    st.just(ARCHIVE),
    st.just(WRITER),
    st.integers(2, 10**9),
    digests.filter(lambda text: text != FIRST_PREV),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda when: when.replace(tzinfo=UTC)),
    st.integers(0, 10**11),
    digests,
    st.lists(refs, max_size=5, unique_by=lambda ref: ref.name).map(tuple),
    st.lists(notes, max_size=3).map(tuple),
)


@given(manifests)
@settings(max_examples=100, deadline=None)
def test_reading_is_the_reverse_of_writing(manifest: Manifest) -> None:
    data = sign(manifest, KEY)
    assert parse(data) == verify(data, PUBLIC) == manifest
    assert sign(parse(data), KEY) == data


def test_no_bit_can_be_flipped_and_no_byte_cut_off_or_added() -> None:
    good = sign(commit(objects=[stored(b"x"), stored(b"y")], notes=[Note("colour", "red", optional=True)]), KEY)
    variants = [
        good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for at in range(len(good)) for bit in range(8)
    ]
    variants += [good[:size] for size in range(len(good))]
    variants += [good + more for more in (b"\n", b" ", b"\0", b"signature x\n", good)]
    accepted = 0
    for data in variants:
        with pytest.raises(IntegrityError):
            verify(data, PUBLIC)
            accepted += 1
    print(f"{len(variants)} damaged manifests, {accepted} accepted")
    assert accepted == 0


GOOD = commit(objects=[stored(b"x"), stored(b"y")]).body()
LAST = GOOD.splitlines()[-1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"manifest 1", b"manifest 2"),
        (b"seq 1\n", b"seq 0\n"),
        (b"seq 1\n", b"seq 01\n"),
        (b"seq 1\n", b"seq 2\n"),
        (b"seq 1\n", b"seq 1 \n"),
        (b"prev 00", b"prev 01"),
        (b"archive a", b"archive A"),
        (b"archive", b"repository"),
        (b"11:00:00Z", b"11:00:00+00:00"),
        (b"11:00:00Z", b"25:00:00Z"),
        (b"11:00:00Z", b"11:00:60Z"),
        (b"2026-11-23", b"2026-02-30"),
        (b"2026-11-23", "２０２６-11-23".encode()),
        (b"messages 3", b"messages 03"),
        (b"messages 3", b"messages -3"),
        (b"root", b"Root"),
        (b"object", b"Object"),
        (b"object", b"delete"),
        (b"\nobject", b"\r\nobject"),
        (b"object ", b"object  "),
        (b" 1 packs", b" 01 packs"),
        (b" packs/", b" /packs/"),
        (b" packs/", b" packs/../"),
        (b" packs/", b" packs//"),
        (b" packs/", b" pa cks/"),
        (b".age", b".age\t"),
        (LAST + b"\n", LAST + b"\n" + LAST + b"\n"),
        (LAST + b"\n", LAST + b"\noptional colour red\n"),
        (LAST + b"\n", LAST + b"\n\n"),
        (LAST + b"\n", LAST + b"\nunknown line\n"),
        (LAST + b"\n", b""),
        (hashlib.sha256(b"x").hexdigest().encode(), b"0" * 64),
    ],
)
def test_other_spellings_are_refused_even_when_signed(old: bytes, new: bytes) -> None:
    assert verify(resigned(GOOD), PUBLIC)
    body = GOOD.replace(old, new, 1)
    assert body != GOOD
    if new == b"":
        assert verify(resigned(body), PUBLIC) != verify(resigned(GOOD), PUBLIC), "one object less is another manifest"
        return
    with pytest.raises(IntegrityError):
        verify(resigned(body), PUBLIC)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=2), st.integers(0, 2))
@settings(max_examples=1_000, deadline=None)
def test_there_is_one_spelling_even_for_the_writer(at: int, put: bytes, instead: int) -> None:
    """Whatever is signed is refused, or is what writing its content again gives."""
    data = resigned(GOOD[:at] + put + GOOD[at + instead :])
    try:
        found = verify(data, PUBLIC)
    except IntegrityError:
        return
    assert sign(found, KEY) == data


def test_objects_out_of_order_are_refused() -> None:
    lines = GOOD.splitlines(keepends=True)
    with pytest.raises(IntegrityError, match="not in order"):
        parse(resigned(b"".join([*lines[:-2], lines[-1], lines[-2]])))


@pytest.mark.parametrize(
    "broken",
    [
        replace(commit(), archive="a b"),
        replace(commit(), seq=0),
        replace(commit(), root="C" * 64),
        replace(commit(), messages=-1),
        commit(objects=[stored(b"x"), stored(b"x")]),
        commit(objects=[ObjectRef("a" * 64, 1, "line\nbreak")]),
        commit(objects=[ObjectRef("a" * 64, 1, "packs/été")]),
        commit(notes=[Note("colour", "red\nobject x", optional=True)]),
        commit(notes=[Note("Colour", "red", optional=True)]),
        commit(notes=[Note("colour", "", optional=True)]),
    ],
)
def test_what_has_no_spelling_cannot_be_signed(broken: Manifest) -> None:
    with pytest.raises(IntegrityError):
        sign(broken, KEY)


def test_a_note_of_an_unknown_kind_stops_a_reader_unless_it_is_optional() -> None:
    data = sign(commit(notes=[Note("hold", "case 7")]), KEY)
    with pytest.raises(IntegrityError, match="note of kind hold"):
        verify(data, PUBLIC)
    assert verify(data, PUBLIC, kinds={"hold"}).notes == (Note("hold", "case 7"),)
    assert verify(sign(commit(notes=[Note("hold", "case 7", optional=True)]), KEY), PUBLIC).notes[0].kind == "hold"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sign(commit(objects=[stored(b"x")]), KEY)
    monkeypatch.setattr(room, "MAX_LINES", 8)
    with pytest.raises(IntegrityError):
        parse(data)
    monkeypatch.setattr(room, "MAX_BYTES", len(data) - 1)
    with pytest.raises(IntegrityError, match="longer than it may be"):
        parse(data)


def test_another_writers_signature_is_refused() -> None:
    with pytest.raises(IntegrityError, match="signature is wrong"):
        verify(sign(commit(), Ed25519PrivateKey.generate()), PUBLIC)


# -- the chain

START = Link()


def follow(manifests: Sequence[bytes], after: Link = START) -> list[int]:
    return [found.seq for found in verify_chain(manifests, WRITER, PUBLIC, archive=ARCHIVE, after=after)]


def test_a_chain_from_its_start_and_from_a_known_link() -> None:
    made = chain(5)
    assert follow([]) == [] and follow(made) == [1, 2, 3, 4, 5]
    assert follow(made[3:], Link(3, hashlib.sha256(made[2]).hexdigest())) == [4, 5]


def forked(made: list[bytes]) -> bytes:
    return sign(commit(3, hashlib.sha256(made[1]).hexdigest(), objects=[stored(b"another")]), KEY)


@pytest.mark.parametrize(
    ("break_it", "number", "reason"),
    [
        (lambda made: made[1:], 1, "is missing, 2 comes next"),
        (lambda made: made[:2] + made[3:], 3, "is missing, 4 comes next"),
        (lambda made: [*made[:3], forked(made), made[3]], 4, "3 comes again: the chain is forked"),
        (lambda made: [*made[:3], made[2]], 4, "3 comes again"),
        (lambda made: [*made[:2], forked(made), *made[3:]], 4, "does not follow the manifest before"),
        (lambda made: [made[0], sign(commit(2, "e" * 64), KEY)], 2, "does not follow the manifest before"),
        (lambda made: [sign(replace(commit(), archive="e" * 32), KEY)], 1, "another archive or writer"),
        (lambda made: [sign(replace(commit(), writer="e" * 16), KEY)], 1, "another archive or writer"),
        (lambda made: [made[0], made[1][:-2] + b"\n"], 2, "no signature"),
        (lambda made: [made[0], made[1].replace(b"messages 3", b"messages 4")], 2, "signature is wrong"),
    ],
)
def test_a_broken_chain_is_named(break_it, number: int, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IntegrityError, match=f"manifests/{WRITER}/{number:010d}: .*{reason}"):
        follow(break_it(chain(5)))
