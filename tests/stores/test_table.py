"""URLs of stores."""

from pathlib import Path

import pytest

from archiver.errors import ConfigError, StoreError
from archiver.stores.table import create_store, open_store


@pytest.mark.parametrize("folder", ["plain", "with space", "档案", "100%25", "a#b?c"])
def test_a_path_and_its_url_open_the_same_store(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder
    made = create_store(str(path), "a")
    assert made.url == path.as_uri()
    assert open_store(path.as_uri()).url == open_store(str(path)).url == made.url
    assert open_store(path.as_uri().replace("file:///", "file://localhost/")).url == made.url
    made.put_if_absent("one", b"1")
    assert (path / "one").read_bytes() == b"1"


def test_a_folder_that_is_no_store_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a store"):
        open_store(str(tmp_path))


@pytest.mark.parametrize("url", ["ftp://host/x", "", "file://server/share", "file://", "gopher://x", "drive:x://y"])
def test_what_is_not_known_is_refused_and_the_known_kinds_named(url: str) -> None:
    for call in (lambda: open_store(url), lambda: create_store(url, "a")):
        with pytest.raises(ConfigError) as caught:
            call()
        assert "file:///" in caught.value.hint
