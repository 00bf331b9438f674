"""Bags, as two strangers see them: sha256sum and the Library of Congress's bagit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exporters.production import bag
from tests.exporters.production.kit import Production, mail, outgoing, part, place


def validates(root: Path) -> bool:
    """What the reference implementation says."""
    return not subprocess.run([sys.executable, "-m", "bagit", "--validate", root], capture_output=True).returncode


def sums(root: Path) -> bool:
    """What sha256sum says of both lists."""
    lists = ("tagmanifest-sha256.txt", "manifest-sha256.txt")
    return all(
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", name], cwd=root, capture_output=True).returncode == 0
        for name in lists
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = Production(tmp_path, [outgoing(mail(parts=[part("合同 %.txt", b"x")]), place("sales"), place("buying"))])
    made.run()
    return made.volume()


def test_a_bundle_is_a_bag(root: Path) -> None:
    assert validates(root) and sums(root) and list(bag.problems(root)) == []
    assert (root / "bagit.txt").read_bytes() == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    info = dict(line.split(": ", 1) for line in (root / "bag-info.txt").read_text("utf-8").splitlines())
    payload = [path for path in (root / "data").rglob("*") if path.is_file()]
    assert info["Payload-Oxum"] == f"{sum(path.stat().st_size for path in payload)}.{len(payload)}"
    assert (info["Time-Stamp"], info["Bag-Count"]) == ("not timestamped", "1 of 1")


def test_one_changed_byte_in_any_file_is_found(root: Path) -> None:
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size]
    assert len(files) > 12
    for path in files:
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            found = bool(list(bag.problems(root)))
            if path.name != "tagmanifest-sha256.txt":
                assert not sums(root), path
            assert found, path
        path.write_bytes(whole)
    assert validates(root)


def test_missing_and_added_files_are_found(root: Path) -> None:
    added = root / "data/NATIVES/other.eml"
    added.write_bytes(b"x")
    assert list(bag.problems(root)) == ["data/NATIVES/other.eml is in no list"] and not validates(root)
    added.unlink()
    native = next((root / "data/NATIVES").iterdir())
    native.unlink()
    assert list(bag.problems(root)) == [f"data/NATIVES/{native.name} is missing or unreadable"]


def test_a_torn_list_is_found(root: Path) -> None:
    (root / "manifest-sha256.txt").write_bytes(b"nonsense\n")
    assert any("no line of hashes" in problem for problem in bag.problems(root))
    (root / "tagmanifest-sha256.txt").unlink()
    assert any("tagmanifest-sha256.txt is missing" in problem for problem in bag.problems(root))


def test_values_of_bag_info_stay_on_their_line() -> None:
    assert bag.info({"A": "one\r\nB: two", "C": " "}) == b"A: one B: two\n"
