"""Stores are added to and taken out of a configuration; everything else in it stays."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.toml_edit import with_store, without_store, write_over

LONG = """\
# our archive\u2028 is old
[archive]
stores = [   # three places
    "first",      # the disk, see [stores]
    'C:\\second', # a # in a comment
    "third"       # the NAS
]
copies = 2

[[account]]
name = "stores = [1]"
"""


def test_a_store_is_added_on_a_line_of_its_own() -> None:
    changed = with_store(LONG, "s3://bucket/mail?region=eu")
    assert changed == LONG.replace(
        '    "third"       # the NAS\n', '    "third",       # the NAS\n    "s3://bucket/mail?region=eu"\n'
    )
    comma = LONG.replace('"third"  ', '"third", ')
    assert with_store(comma, "x") == comma.replace("# the NAS\n", '# the NAS\n    "x",\n')


def test_a_store_is_taken_out_with_its_comment() -> None:
    assert without_store(LONG, "third".__eq__) == LONG.replace('    "third"       # the NAS\n', "")
    assert without_store(LONG, "first".__eq__) == LONG.replace('    "first",      # the disk, see [stores]\n', "")
    assert without_store(LONG, "C:\\second".__eq__) == LONG.replace("    'C:\\second', # a # in a comment\n", "")


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ('stores = ["a"]', 'stores = ["a", "new"]'),
        ('stores = ["a", "b", ]', 'stores = ["a", "b", "new", ]'),
        ("stores=['a']#x", "stores=['a', \"new\"]#x"),
        ('stores = ["a",\n  "b"]', 'stores = ["a",\n  "b", "new"]'),
        ("stores = []", 'stores = ["new"]'),
        ('"stores" = ["a"]', '"stores" = ["a", "new"]'),
    ],
)
def test_on_one_line(before: str, added: str) -> None:
    text = f"[archive]\n{before}\nwork = 'w'\n"
    changed = with_store(text, "new")
    assert changed == f"[archive]\n{added}\nwork = 'w'\n"
    again = without_store(changed, "new".__eq__)
    assert again is not None
    assert tomllib.loads(again) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        'archive = { stores = ["a"] }\n',
        '[archive]\nstores = ["""a"b"""]\n',
        '[archive]\r\nstores = ["a"]\r\n',
        '\ufeff[archive]\nstores = ["a"]\n',
        '[archive]\nwork = "stores = [1]"\n',
        "[archive]\nx = [1, 2]\n",
    ],
)
def test_what_is_not_understood_is_left_alone(text: str) -> None:
    assert with_store(text, "new") is None
    assert without_store(text, "a".__eq__) is None


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NAMES = st.lists(WORDS, max_size=4, unique=True)
EDGES = st.sampled_from(["", " ", "\n", "\n  ", " # [\n"])
JOINTS = st.sampled_from([", ", ",", ",\n  ", ', # x, "y" ]\n', "\n,\n"])


@given(NAMES, JOINTS, EDGES, st.booleans(), st.data())
def test_whatever_the_list_looks_like(
    names: list[str], joint: str, edge: str, comma: bool, data: st.DataObject
) -> None:
    """Either the list is what was wanted and all other lines are the same, or nothing is changed."""
    quoted = [json.dumps(name, ensure_ascii=False) for name in names]
    inner = joint.join(quoted) + ("," if comma and names else "")
    text = f"# before\n[archive]\nstores = [{edge}{inner}{edge}]\n# after ]\nwork = 'w'\n"
    assert tomllib.loads(text)["archive"]["stores"] == names
    changed = with_store(text, "the new one")
    assert changed is not None
    assert tomllib.loads(changed)["archive"] == {"stores": [*names, "the new one"], "work": "w"}
    assert changed.startswith("# before\n[archive]\nstores = [")
    assert changed.endswith("]\n# after ]\nwork = 'w'\n")
    if names:
        gone = data.draw(st.sampled_from(names))
        less = without_store(text, gone.__eq__)
        assert less is not None
        assert tomllib.loads(less)["archive"]["stores"] == [name for name in names if name != gone]
        assert less.endswith("]\n# after ]\nwork = 'w'\n")


def test_a_file_is_replaced_with_its_permissions_and_through_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert write_over(link, "新")
    assert (real.read_text("utf-8"), stat.S_IMODE(real.stat().st_mode), link.is_symlink()) == ("新", 0o640, True)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["link.toml", "real.toml"]
    assert not write_over(tmp_path / "none" / "x.toml", "text")
