"""Catalog lines that wait compressed come out as if they had been written when everything was known."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.backup import drafts
from archiver.backup.drafts import Completion, Drafts, frames
from archiver.backup.understanding import Here
from archiver.catalog import lines
from archiver.model import Entry, GoneEntry, MessageEntry, Verdict
from archiver.vault import zstd

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PACK = f"packs/mail-2026/ab/{'ab' * 32}.age"
LINE = '{"t":"message","id":"' + "a" * 64 + '","size":1,"pack":""'
TEXTS = st.text(max_size=40) | st.sampled_from(['"pack":""', "\n" + LINE, LINE, "\\", "合同", "\ud800"])
VERDICTS = st.lists(st.builds(Verdict, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple)


def message(text: str, subject: str) -> MessageEntry:
    id_ = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return MessageEntry(id_, len(text), "", subject, text=text)


MESSAGES = st.builds(message, TEXTS, TEXTS)
ENTRIES = st.lists(MESSAGES | st.builds(lambda name, uid: GoneEntry("a", name, 1, uid, NOW), TEXTS, st.integers(1, 9)))


def completed(entry: Entry, verdicts: dict[str, tuple[Verdict, ...]]) -> Entry:
    if not isinstance(entry, MessageEntry):
        return entry
    return replace(entry, pack=PACK, verdicts=verdicts.get(entry.id, ()))


class Late:
    """The line of a message that is not there until it is waited for."""

    line = None

    def __init__(self, entry: MessageEntry) -> None:
        self._entry = entry

    def wait(self) -> bytes:
        return lines.dump([self._entry])


@settings(max_examples=200)
@given(ENTRIES, st.sampled_from([1, 300, drafts.PIECE]), st.data())
def test_a_name_and_verdicts_that_come_late_stand_where_they_belong(
    entries: list[Entry], piece: int, data: st.DataObject
) -> None:
    verdicts = {one.id: data.draw(VERDICTS) for one in entries if isinstance(one, MessageEntry)}
    wanted = lines.dump(completed(one, verdicts) for one in entries)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drafts, "PIECE", piece)
        waiting = Drafts()
        waiting.add(entries)
    for _ in range(2):
        assert b"".join(waiting.documents(Completion(PACK, verdicts))) == wanted
        assert b"".join(waiting.documents()) == lines.dump(entries)


@settings(max_examples=100)
@given(st.lists(MESSAGES), st.sampled_from([1, 300, drafts.PIECE]), st.data())
def test_lines_that_are_not_there_yet_come_in_their_order(
    messages: list[MessageEntry], piece: int, data: st.DataObject
) -> None:
    verdicts = {one.id: data.draw(VERDICTS) for one in messages}
    wanted = lines.dump(completed(one, verdicts) for one in messages)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drafts, "PIECE", piece)
        waiting = Drafts()
        assert not waiting
        for one in messages:
            waiting.expect(Late(one) if data.draw(st.booleans()) else Here(lines.dump([one])))
        assert bool(waiting) == bool(messages)
        assert b"".join(waiting.documents(Completion(PACK, verdicts))) == wanted


def test_pieces_and_frames_hold_every_line_once_and_in_order() -> None:
    entries = [MessageEntry(hashlib.sha256(b"%d" % n).hexdigest(), n, "", text=f"{n} " * 3000) for n in range(6000)]
    waiting = Drafts()
    waiting.add(entries)
    size = len(lines.dump(entries))
    documents = list(waiting.documents(Completion(PACK, {})))
    assert all(document.endswith(b"\n") for document in documents)
    assert max(map(len, documents)) < 2 * drafts.PIECE
    stored = list(frames(waiting.documents(Completion(PACK, {}))))
    unfolded = [zstd.decompress(frame, limit=2 * drafts.FRAME) for frame in stored]
    assert b"".join(unfolded) == b"".join(documents)
    assert list(lines.load(b"".join(documents))) == [replace(one, pack=PACK) for one in entries]
    print(f"{size / 1e6:.0f} MB of lines wait in {waiting.held / 1e6:.1f} MB, {len(stored)} frames")
    assert waiting.held < size / 3
