"""The bench's mail: the same each time, as many messages as asked for, understood by the standard library."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

from tests.benchmarks import corpus


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*,S=*")}


def test_same_messages_every_time_and_more_of_them(tmp_path: Path) -> None:
    first, again = corpus.write(tmp_path / "a", messages=120), corpus.write(tmp_path / "b", messages=120)
    assert first == again
    before = everything(tmp_path / "a")
    assert before == everything(tmp_path / "b")
    assert len(before) == 120
    corpus.write(tmp_path / "a", messages=30, first=first.next_thread)
    after = everything(tmp_path / "a")
    assert len(after) == 150
    assert before.items() <= after.items()


def test_sizes_in_names_and_contents(tmp_path: Path) -> None:
    made = corpus.write(tmp_path, messages=120, accounts=2)
    raws = everything(tmp_path)
    for name, raw in raws.items():
        wire = len(raw) + raw.count(b"\n")
        assert f",S={len(raw)},W={wire}:2," in name
        parsed = message_from_bytes(raw, policy=policy.default)
        assert parsed["Subject"]
        assert all(not part.defects for part in parsed.walk()), name
    assert made.size == sum(len(raw) + raw.count(b"\n") for raw in raws.values())
