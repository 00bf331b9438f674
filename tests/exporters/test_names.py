"""Names that are valid and different everywhere."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.names import FOLDER_LIMIT, Directory, folded, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Re: PI-118/2024", "Re_ PI-118_2024"),
        ("..", "_"),
        ("con", "_con"),
        ("Aux.txt", "_Aux.txt"),
        ("com¹ .x", "_com¹ .x"),
        ("console", "console"),
        ("trailing. . ", "trailing"),
        (" 合同\t\n2024 ", "合同 2024"),
        ("e\u0301", "é"),
        ("e\u200d\u0301", "é"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_safe_name(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.text(), st.integers(10, 120))
def test_every_name_is_valid(text: str, limit: int) -> None:
    name = safe_name(text, limit)
    assert 0 < len(name.encode()) <= limit
    assert name not in (".", "..")
    assert not set(name) & set('<>:"/\\|?*') and name.isprintable()
    assert unicodedata.is_normalized("NFC", name)
    assert safe_name(name, limit) == name


@given(
    st.lists(
        st.tuples(st.text("aAbBß./~ é", min_size=1, max_size=4), st.text("aAbB/. é\u0301", max_size=9)),
        max_size=25,
        unique=True,
    )
)
def test_no_two_folders_share_a_directory_or_a_file(folders: list[tuple[str, str]]) -> None:
    directory = Directory("index.csv")
    paths: dict[PurePosixPath, tuple[str, ...]] = {}
    names: dict[str, PurePosixPath] = {}
    for account, folder in folders:
        for path in (directory.path(account, folder), directory.file(account, folder, ".mbox")):
            levels = (account, *[level for level in folder.split("/") if level], path.suffix == ".mbox" and "file")
            assert paths.setdefault(path, levels) == levels
            assert names.setdefault(folded(str(path)), path) == path
            assert all(len(part.encode()) <= FOLDER_LIMIT + 15 for part in path.parts)
            assert directory.path(account, folder) == directory.path(account, folder)


def test_deep_folders_are_joined() -> None:
    assert len(Directory().path("a", "x/" * 500).parts) == 13
