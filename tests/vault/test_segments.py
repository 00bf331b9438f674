"""Splitting and joining: every message comes back to the byte, whatever it is made of, in linear time."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.errors import IntegrityError
from archiver.vault import segments
from archiver.vault.recipe import Recipe
from archiver.vault.segments import MIN_RUN, Split, join, split

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
PACK = f"packs/mail-2026/ab/{'ab' * 32}.age"


def name_of(data: bytes) -> str:
    return hashlib.sha256(b"name" + data).hexdigest()


def encoded(data: bytes, line: int = 76, eol: bytes = b"\r\n") -> bytes:
    text = base64.b64encode(data)
    return eol.join(text[start : start + line] for start in range(0, len(text), line))


def check(raw: bytes) -> Split | None:
    """Split, write the recipe, read it, join: the bytes must be those of `raw`."""
    found = split(raw, name_of)
    if found is None:
        assert not list(segments._runs(raw)), "a run was found, and did not come back"
    else:
        recipe = Recipe.parse(found.recipe.to_json())
        assert recipe == found.recipe
        assert join(found.skeleton, recipe, found.segments.__getitem__) == raw
        assert all(name_of(data) == name for name, data in found.segments.items())
    return found


@pytest.mark.parametrize("line", [40, 60, 64, 72, 76, 996])
@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("size", [9_000, 9_001, 9_002, 57 * 400, 30_000, 200_000])
def test_an_attachment_becomes_one_segment_of_its_bytes(line: int, eol: bytes, size: int) -> None:
    data = random.Random(size).randbytes(size)
    raw = b"Subject: x" + eol * 2 + encoded(data, line, eol) + eol + b"--end--" + eol
    found = check(raw)
    assert found is not None
    assert list(found.segments.values()) == [data]
    assert found.skeleton == b"Subject: x" + eol * 3 + b"--end--" + eol


@pytest.mark.parametrize("before", [b"", b"\r\n", b"x\r\n", b"A" * 2040 + b"\r\n\r\n", b"word " * 900 + b"\r\n\r\n"])
@pytest.mark.parametrize("after", [b"", b"\r\n", b"\r\n\r\n--b\r\n", b"\r\n" + b"text " * 1000])
def test_the_same_attachment_is_the_same_segment_wherever_it_stands(before: bytes, after: bytes) -> None:
    data = random.Random(1).randbytes(10_000)
    found = check(before + encoded(data) + after)
    assert found is not None and list(found.segments.values()) == [data]


def test_line_length_and_line_ends_do_not_make_another_segment() -> None:
    data = random.Random(2).randbytes(50_000)
    raw = b"\r\n\r\n".join((encoded(data), encoded(data, 72, b"\n"), encoded(data, 60)))
    found = check(raw)
    assert found is not None and list(found.segments.values()) == [data]
    assert [part.line for part in found.recipe.parts] == [76, 72, 60]
    assert len(found.skeleton) == 8


def test_short_runs_stay_where_they_are() -> None:
    assert split(b"\r\n" + encoded(bytes(2900)) + b"\r\n", name_of) is None
    assert split(b"", name_of) is None
    assert split(b"\n" * 100_000, name_of) is None
    found = check(b"\r\n" + encoded(bytes(MIN_RUN)) + b"\r\n")
    assert found is not None and found.skeleton == b"\r\n\r\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"\r\n", b"\n", 30).replace(b"\n", b"\r\n", 7),
        lambda text: text[:9000] + b"!" + text[9001:],
        lambda text: text[:9000] + b"=" + text[9001:],
        lambda text: text[:9000] + b"\r\n" + text[9002:],
        lambda text: text[:9000] + b"\n" + text[9001:],
        lambda text: text[:9000] + b" " + text[9000:],
        lambda text: text[:-1] + b"=",
        lambda text: text.rstrip(b"=") + b"\r\n",
        lambda text: text + b"\r\nQR==\r\n",
        lambda text: text + b"\r\n====\r\n",
    ],
)
def test_what_decoding_and_encoding_would_change_is_kept_as_it_is(spoil) -> None:  # type: ignore[no-untyped-def]
    text = encoded(random.Random(3).randbytes(20_000))
    found = check(b"To: a\r\n\r\n" + spoil(text))
    assert found is not None and sum(map(len, found.segments.values())) > 4_000


def test_a_long_last_line_with_padding_and_none_after_it() -> None:
    data = random.Random(4).randbytes(57 * 120 - 1)
    found = check(b"\n\n" + encoded(data, 76, b"\n") + b"\n" + encoded(b"more", 76, b"\n") + b"\n")
    assert found is not None and list(found.segments.values()) == [data]


def test_a_wrong_name_function_cannot_lose_a_message() -> None:
    one, two = (random.Random(seed).randbytes(8_000) for seed in (5, 6))
    raw = b"\r\n" + encoded(one) + b"\r\n\r\n" + encoded(two) + b"\r\n"
    assert split(raw, lambda data: "0" * 64) is None


def hostile(rng: random.Random) -> bytes:
    """A mail-like message from pieces that begin, break or end runs in every way we can think of."""
    eol = rng.choice((b"\r\n", b"\n"))
    pieces = []
    for _ in range(rng.randrange(1, 7)):
        data = rng.randbytes(rng.choice((0, 1, 56, 57, 3100, 4096, 6000, rng.randrange(20_000))))
        text = encoded(data, rng.choice((40, 60, 64, 72, 76, 76, 76, 996)), rng.choice((eol, eol, b"\r\n", b"\n")))
        kind = rng.randrange(8)
        if kind == 0 and text:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice((b"!", b"=", b"\r", b"\n", b"\r\n", b"", b"\x00")) + text[at + 1 :]
        elif kind == 1:
            text = b"a" * rng.choice((76, 78, 4096, 10_000))
        elif kind == 2:
            text = (b"b" * 76 + eol) * rng.randrange(200)
        elif kind == 3:
            text = b"".join(b"c" * rng.choice((72, 76)) + eol for _ in range(rng.randrange(200)))
        elif kind == 4:
            text = rng.randbytes(5000)
        pieces += [text, rng.choice((eol, eol * 2, b"", b"--b" + eol, b"\r", b"====", b"QQ==" + eol))]
    return b"".join(pieces)


@pytest.mark.parametrize("seed", range(12))
def test_ten_thousand_made_up_messages_come_back(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = Counter(check(hostile(rng)) is not None for _ in range(1_000))
    print(f"seed {seed}: {outcomes[True]} split, {outcomes[False]} kept verbatim")
    assert outcomes[True] > 300 and outcomes[False] > 100


@given(st.binary(max_size=12_000), st.lists(st.integers(0, 20_000), max_size=6), st.sampled_from((b"\r\n", b"\n")))
@settings(max_examples=500, deadline=None)
def test_any_bytes_around_any_cuts_of_a_run_come_back(data: bytes, cuts: list[int], eol: bytes) -> None:
    text = encoded(data, 76, eol)
    for cut in cuts:
        text = text[:cut] + data[cut % 97 : cut % 97 + cut % 5] + text[cut:]
    check(data[:50] + text + data[-50:])


def test_every_message_of_the_corpus_comes_back() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    found = [check(path.read_bytes()) for path in files]
    print(f"{len(files)} files, {sum(one is not None for one in found)} with segments")
    assert sum(one is not None for one in found) > 20


HOSTILE = {
    "one letter": b"a" * 2_000_000,
    "lines of one letter": (b"a" * 76 + b"\r\n") * 25_000,
    "line ends": b"\r\n" * 1_000_000,
    "alternating lengths": (b"a" * 76 + b"\n" + b"b" * 72 + b"\n") * 13_000,
    "short runs": ((b"a" * 76 + b"\n") * 26 + b"x\n") * 1_000,
    "broken every 5 KB": ((b"a" * 76 + b"\n") * 66 + b"a" * 75 + b"!\n") * 400,
    "broken every 400 B": ((b"a" * 76 + b"\n") * 5 + b"a" * 75 + b"!\n") * 4_000,
    "padded lines": (b"a" * 74 + b"==\n") * 26_000,
    "stray line ends": ((b"a" * 36 + b"\r\n" + b"a" * 38 + b"\r\n") * 2 + (b"a" * 76 + b"\r\n") * 60) * 400,
    "shortest lines": (b"a" * 40 + b"\n") * 48_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_is_linear_whatever_the_message(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in bytes decoded or looked at by windows, not by the clock: at most a few times the message."""
    work = Counter[str]()

    def counting(name: str, size) -> None:  # type: ignore[no-untyped-def]
        real = getattr(segments, name)

        def counted(*args):  # type: ignore[no-untyped-def]
            work[name] += size(*args)
            return real(*args)

        monkeypatch.setattr(segments, name, counted)

    counting("_probe", lambda raw, at, floor: 2 * segments.MAX_LINE)
    counting("_decode", lambda raw, start, lines, line, eol: lines * (line + len(eol)))
    counting("_first_line", lambda raw, start, floor, line, eol: segments.STRIDE + 2 * segments.MAX_LINE)
    raw = HOSTILE[kind]
    split(raw, name_of)
    print(f"{kind}: {sum(work.values()) / len(raw):.2f} bytes of work a byte")
    assert sum(work.values()) < 6 * len(raw)


def sample() -> Split:
    found = split(b"\r\n" + encoded(random.Random(7).randbytes(9_000)) + b"\r\n", name_of)
    assert found is not None
    return found


def test_join_refuses_what_does_not_belong_together() -> None:
    found = sample()
    get = found.segments.__getitem__
    with pytest.raises(IntegrityError, match="do not belong together"):
        join(found.skeleton + b" ", found.recipe, get)
    with pytest.raises(IntegrityError, match="another SHA-256"):
        join(b" " * len(found.skeleton), found.recipe, get)
    with pytest.raises(IntegrityError, match="another SHA-256"):
        join(found.skeleton, found.recipe, lambda name: bytes(9_000))
    with pytest.raises(IntegrityError, match="where the recipe says"):
        join(found.skeleton, found.recipe, lambda name: bytes(8_999))


def test_a_recipe_names_the_earlier_packs_of_its_segments() -> None:
    found = sample()
    (name,) = found.segments
    assert found.recipe.packs() == {name: ""}
    located = found.recipe.located({name: PACK, "f" * 64: "elsewhere"})
    assert Recipe.parse(located.to_json()).packs() == {name: PACK}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipe", 2),
        ("sha256", "A" * 64),
        ("size", -1),
        ("size", 10),
        ("size", 1.0),
        ("segments", []),
        ("at", -1),
        ("at", True),
        ("at", 2**40),
        ("name", "../../etc/passwd"),
        ("size_", 2**60),
        ("line", 0),
        ("line", 75),
        ("line", 4_000_000_000),
        ("eol", "\r"),
        ("eol", "\u2028"),
        ("pack", "packs/../../x"),
        ("pack", 5),
        ("extra", 1),
    ],
)
def test_recipes_out_of_bounds_are_refused(key: str, value: object) -> None:
    recipe = json.loads(sample().recipe.located({}).to_json())
    target = recipe if key in ("recipe", "sha256", "size", "segments") else recipe["segments"][0]
    target[key.rstrip("_")] = value
    with pytest.raises(IntegrityError):
        Recipe.parse(json.dumps(recipe, separators=(",", ":")).encode())


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_recipe_is_refused_or_leads_to_the_same_message(data: st.DataObject) -> None:
    """No change of a byte can make another message of it: the recipe says what the whole hashes to."""
    found = sample()
    good = found.recipe.to_json()
    at, byte = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 255))
    bad = good[:at] + bytes([byte]) + good[at + 1 :]
    if bad != good:
        with pytest.raises((IntegrityError, KeyError)):
            join(found.skeleton, Recipe.parse(bad), found.segments.__getitem__)


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b"null", b"1", b"\xff", b"[" * 100_000, b'{"recipe":1}'])
def test_junk_is_no_recipe(junk: bytes) -> None:
    with pytest.raises(IntegrityError):
        Recipe.parse(junk)
