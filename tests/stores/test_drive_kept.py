"""How a login to Google Drive is kept: encrypted, under a key that lies elsewhere."""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import AuthError, ConfigError, MailarkError
from archiver.stores.drive import DriveStore
from archiver.stores.drive_kept import Login, keep, kept
from archiver.stores.drive_login import login
from archiver.stores.drive_url import Place, identity, parse
from tests.servers.drive import DriveServer
from tests.stores.on_drive import FAST

LOGIN = Login("1//refresh-me", "robot.apps", "GOCSPX-whisper", "https://oauth2.example/token")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """With folders that are not there yet, and nobody logged in."""
    return parse(f"drive://Mail?keep={tmp_path / 'state' / 'drive'}&key_file={tmp_path / 'config' / 'drive.key'}")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def shows(data: bytes, word: str) -> bool:
    """Whether the bytes hold the word: as it is, or in base64 at any of its three offsets."""
    size = len(word.encode())
    encoded = [base64.urlsafe_b64encode(b"-" * shift + word.encode()) for shift in range(3)]
    whole = [text[-(-shift * 8 // 6) : (shift + size) * 8 // 6] for shift, text in enumerate(encoded)]
    return any(form in data for form in (word.encode(), *whole))


def test_the_search_for_words_finds_them() -> None:
    for word in (LOGIN.refresh_token, LOGIN.client_secret, "secret"):
        for shift in range(3):
            assert shows(base64.urlsafe_b64encode(b"x" * shift + LOGIN.text().encode()), word)
        assert not shows(Fernet(Fernet.generate_key()).encrypt(LOGIN.text().encode()), word)


def test_a_login_by_the_command_lies_encrypted_and_opens_the_store(drive: DriveServer, tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text(json.dumps(drive.tokens.client()))
    drive.tokens.refresh = "1//very-long-lasting-refresh-token"
    state, key = tmp_path / "state" / "drive", tmp_path / "config" / "drive.key"
    url = f"drive://Mail?client={client}&endpoint={drive.address}&keep={state}&key_file={key}"
    said: list[str] = []
    login(url, said.append, device=True, patience=10)
    assert "encrypted" in said[-1] and str(key) in said[-1]
    assert files(tmp_path / "config") + files(tmp_path / "state") == [key, parse(url).token]
    for path in (key, parse(url).token):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert not any(shows(path.read_bytes(), word) for word in (drive.tokens.refresh, "secret", "refresh_token"))
    assert key.read_bytes().strip() not in parse(url).token.read_bytes()
    assert DriveStore.create(url, "a", FAST).archive() == "a"


def test_each_folder_alone_gives_nothing_away(place: Place, tmp_path: Path) -> None:
    keep(place, LOGIN)
    for path in files(tmp_path):
        assert not any(shows(path.read_bytes(), word) for word in (LOGIN.refresh_token, LOGIN.client_secret))
    thief = tmp_path / "thief"
    shutil.copytree(place.keep, thief / "state")
    stolen = replace(place, keep=thief / "state", key_file=thief / "drive.key")
    with pytest.raises(AuthError, match="the key of its login is not in"):
        kept(stolen)
    assert not stolen.key_file.exists(), "reading makes no key"
    assert kept(replace(place, keep=thief / "elsewhere")) is None


@given(st.builds(Login, *[st.text(max_size=200)] * 4))
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, any_login: Login) -> None:
    folder = tmp_path_factory.getbasetemp() / "round"
    there = parse(f"drive://Mail?keep={folder / 'state'}&key_file={folder / 'drive.key'}")
    keep(there, any_login)
    assert kept(there) == any_login


def test_accounts_share_one_key_which_is_never_written_over(place: Place, tmp_path: Path) -> None:
    other = replace(place, keep=tmp_path / "second")
    keep(place, LOGIN)
    key = place.key_file.read_bytes()
    keep(other, replace(LOGIN, refresh_token="of the second"))
    keep(place, replace(LOGIN, refresh_token="once more"))
    assert place.key_file.read_bytes() == key
    assert [found and found.refresh_token for found in (kept(place), kept(other))] == ["once more", "of the second"]


def test_first_logins_at_the_same_time_agree_on_one_key(place: Place, tmp_path: Path) -> None:
    places = [replace(place, keep=tmp_path / f"keep-{number}") for number in range(8)]
    together = threading.Barrier(len(places))

    def first(there: Place) -> None:
        together.wait()
        keep(there, LOGIN)

    threads = [threading.Thread(target=first, args=(there,)) for there in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept(there) for there in places] == [LOGIN] * len(places)
    assert files(place.key_file.parent) == [place.key_file], "nothing is left of those that came second"


def test_an_unencrypted_login_is_read_and_encrypted_at_once(place: Place) -> None:
    place.keep.mkdir(parents=True)
    place.token.write_text(LOGIN.text())
    place.token.chmod(0o600)
    assert kept(place) == LOGIN
    assert not any(shows(place.token.read_bytes(), word) for word in (LOGIN.refresh_token, LOGIN.client_secret))
    assert place.token.stat().st_mode & 0o777 == place.key_file.stat().st_mode & 0o777 == 0o600
    assert kept(place) == LOGIN
    assert files(place.keep) == [place.token]


def test_an_unencrypted_login_others_can_read_is_refused_first(place: Place) -> None:
    place.keep.mkdir(parents=True)
    place.token.write_text(LOGIN.text())
    place.token.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        kept(place)
    assert place.token.read_text() == LOGIN.text()


def _removed(key: Path) -> None:
    key.unlink()


def _of_another(key: Path) -> None:
    key.write_bytes(Fernet.generate_key())


def _readable(key: Path) -> None:
    key.chmod(0o640)


def _cut(key: Path) -> None:
    key.write_bytes(key.read_bytes()[:20])


def _emptied(key: Path) -> None:
    key.write_bytes(b"")


def _a_folder(key: Path) -> None:
    key.unlink()
    key.mkdir(mode=0o700)


@pytest.mark.parametrize(
    ("harm", "kind", "told", "hint"),
    [
        (_removed, AuthError, "the key of its login is not in", "Log in: mailark store login 'drive://Mail?"),
        (_of_another, AuthError, "damaged, or .* is not its key", "Log in: mailark store login 'drive://Mail?"),
        (_readable, ConfigError, "can be read by others", "chmod 600 "),
        (_cut, ConfigError, "not a key of logins", "Move it away, then log in: mailark store login 'drive://Mail?"),
        (_emptied, ConfigError, "not a key of logins", "Move it away, then log in: mailark store login 'drive://Mail?"),
        (_a_folder, ConfigError, "cannot read", ""),
    ],
)
def test_a_key_that_cannot_be_used(
    place: Place, harm: Callable[[Path], None], kind: type[MailarkError], told: str, hint: str
) -> None:
    keep(place, LOGIN)
    key = place.key_file.read_bytes().decode().strip()
    harm(place.key_file)
    before = place.token.read_bytes()
    with pytest.raises(kind, match=told) as caught:
        kept(place)
    assert caught.value.hint.startswith(hint)
    assert key not in str(caught.value) + caught.value.hint
    assert place.token.read_bytes() == before


def test_after_the_loss_of_the_key_a_new_login_is_enough(place: Place) -> None:
    keep(place, LOGIN)
    place.key_file.unlink()
    keep(place, LOGIN)
    assert kept(place) == LOGIN


def test_a_damaged_key_stops_the_login_before_the_person_is_asked(drive: DriveServer, tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text(json.dumps(drive.tokens.client()))
    url = drive.url(tmp_path / "keep", client=str(client))
    parse(url).key_file.write_text("0123456789")
    said: list[str] = []
    with pytest.raises(ConfigError, match="not a key of logins"):
        login(url, said.append, device=True)
    assert said == []
    assert parse(url).key_file.read_text() == "0123456789", "it may be somebody else's file"


def test_every_damage_of_the_login_is_told(place: Place) -> None:
    keep(place, LOGIN)
    good = place.token.read_bytes()
    fernet = Fernet(place.key_file.read_bytes().strip())
    bad = [good[:size] for size in range(0, len(good), 7)]
    bad += [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 3)]
    bad += [b"[]", b"null", b'"fernet"', b'{"fernet": null}', b"\xff\xfe", b'{"refresh_token": "x"}']
    bad += [json.dumps({"fernet": fernet.encrypt(text).decode()}).encode() for text in (b"", b"{}", b"[1]", b"\xff")]
    for data in bad:
        place.token.write_bytes(data)
        with pytest.raises(AuthError, match="damaged") as caught:
            kept(place)
        assert "mailark store login" in caught.value.hint
        assert place.token.read_bytes() == data


def test_where_the_key_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert parse("drive://Mail").key_file == tmp_path / ".config" / "mailark" / "drive.key"
    assert parse("drive://Mail?key_file=~/k").key_file == tmp_path / "k"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert parse("drive://Mail").key_file == tmp_path / "other" / "mailark" / "drive.key"
    assert identity("drive://Mail?key_file=/k") == identity("drive://Mail"), "the key is no part of the store's name"


def test_a_key_beside_the_logins_is_refused(place: Place) -> None:
    beside = replace(place, key_file=place.keep / "drive.key")
    with pytest.raises(ConfigError, match="must not lie where the logins lie") as caught:
        keep(beside, LOGIN)
    assert "key_file=" in caught.value.hint
    assert files(place.keep) == []


def test_a_place_for_the_key_that_cannot_be_written_is_told(place: Place) -> None:
    with pytest.raises(ConfigError, match="/proc/nowhere") as caught:
        keep(replace(place, key_file=Path("/proc/nowhere/drive.key")), LOGIN)
    assert "key_file=" in caught.value.hint


def test_a_credential_of_a_systemd_service_is_a_key(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has mode 0440, the mask of its ACL, in a folder that nobody else can enter, and cannot be written."""
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    made = replace(place, key_file=credentials / "drive.key")
    made.key_file.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    made.key_file.chmod(0o440)
    with pytest.raises(ConfigError, match="can be read by others"):
        keep(made, LOGIN)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    keep(made, LOGIN)
    assert kept(made) == LOGIN
