"""The recovery sheet says all that is needed, loads nothing, and is safe whatever it is given."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.vault import age, keys, sheet
from archiver.vault.sheet import Sheet
from tests.vault.terminal import at_terminal

CHOSEN = "correct horse battery"


@pytest.fixture(scope="module")
def archive() -> keys.NewArchive:
    return keys.create(CHOSEN, classic=True, generated=False, first_year=2026, years=1, log_n=4)


def page(archive: keys.NewArchive, **changes: object) -> Sheet:
    values: dict[str, object] = {
        "archive": archive.archive,
        "fingerprint": archive.fingerprint,
        "stores": ("/srv/mail archive", "s3://key:geheim@bucket/mail"),
        "made": date(2026, 11, 23),
        "passphrase": keys.new_passphrase(),
        **changes,
    }
    return Sheet(**values)  # type: ignore[arg-type]


class Page(HTMLParser):
    """Collects the text, the tags and their attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("form", [sheet.text, lambda given: Page(sheet.html(given)).text])
def test_both_forms_tell_everything(archive: keys.NewArchive, form: object) -> None:
    given_page = page(archive)
    shown = form(given_page)  # type: ignore[operator]
    assert given_page.passphrase in shown
    assert archive.archive in shown
    assert "2026-11-23" in shown
    assert archive.fingerprint[:4] + " " + archive.fingerprint[4:8] in shown
    assert archive.fingerprint in re.sub(r"\s|Root fingerprint:?", "", shown)
    assert "mailark recover --store '/srv/mail archive'" in shown
    assert "s3://bucket/mail" in shown
    assert "geheim" not in shown
    for command in ("age -d keys/recovery.age", "zstd -d | tar x", "openssl pkey"):
        assert command in shown


def test_the_qr_code_is_of_the_passphrase_as_written(archive: keys.NewArchive) -> None:
    given_page = page(archive)
    assert given_page.passphrase is not None
    assert segno.make(given_page.passphrase, error="m", micro=False).svg_inline(scale=4) in sheet.html(given_page)


def test_a_chosen_passphrase_is_never_printed(archive: keys.NewArchive) -> None:
    given_page = page(archive, passphrase=None)
    assert "svg" not in Page(sheet.html(given_page)).tags
    assert "____" in sheet.text(given_page)
    assert "by hand" in sheet.html(given_page)


def test_the_needed_version_of_age_is_told(archive: keys.NewArchive) -> None:
    assert "1.3 or newer" in sheet.text(page(archive))
    assert "1.3 or newer" not in sheet.text(page(archive, classic=True))


def test_lines_fit_the_paper(archive: keys.NewArchive) -> None:
    assert max(map(len, sheet.text(page(archive)).splitlines())) <= 100


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_nothing_escapes_into_markup(archive: keys.NewArchive, url: str, passphrase: str) -> None:
    plain = Page(sheet.html(page(archive)))
    hostile = Page(sheet.html(page(archive, stores=(f"<script>{url}", f'"><img src={url}>'), passphrase=passphrase)))
    assert hostile.tags == plain.tags
    assert {name for name, _ in hostile.attributes} == {name for name, _ in plain.attributes}


def test_nothing_is_loaded(archive: keys.NewArchive) -> None:
    source = sheet.html(page(archive))
    assert "default-src 'none'" in source
    assert not {"src", "href", "data", "action"} & {name for name, _ in Page(source).attributes}
    assert "url(" not in source
    assert "@import" not in source


def test_control_characters_do_not_reach_the_paper(archive: keys.NewArchive) -> None:
    shown = sheet.text(page(archive, stores=("/srv/\x1b[31m\u202ereversed\r\nmore",)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", shown)


def test_no_passphrase_in_a_repr(archive: keys.NewArchive) -> None:
    given_page = page(archive)
    assert given_page.passphrase is not None
    assert given_page.passphrase not in repr(given_page)


@pytest.mark.skipif(not all(map(shutil.which, ("age", "zstd", "tar"))), reason="age, zstd or tar is not installed")
def test_the_printed_commands_bring_a_message_back(archive: keys.NewArchive, tmp_path: Path) -> None:
    """The commands of the sheet as printed, the first one at a terminal."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.eml").write_bytes(b"Subject: hello\r\n\r\nworld")
    packed = subprocess.run(
        ["sh", "-c", "tar c m/a.eml | zstd"], cwd=tmp_path, capture_output=True, timeout=30, check=True
    )
    (tmp_path / "m" / "a.eml").unlink()
    name = f"packs/mail-2026/aa/{'aa' * 32}.age"
    sealed = age.encrypt(packed.stdout, [archive.machine.recipient("mail-2026")])
    for path, data in {**archive.objects, name: sealed}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    shown = sheet.text(page(archive, classic=True)).replace("YEAR", "2026")
    commands = re.findall(r"^ {7}((?:age -d|for p in|openssl).*)$", shown, re.MULTILINE)
    assert len(commands) == 4
    at_terminal(["sh", "-c", commands[0]], tmp_path, CHOSEN)
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands[1:])], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    assert (tmp_path / "m" / "a.eml").read_bytes() == b"Subject: hello\r\n\r\nworld"
    assert archive.fingerprint in done.stdout
