"""Logins to Google Drive: a person's, by browser and by device code; a service account's; and their files."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import keyring
import keyring.backends.fail
import keyring.core
import pytest
from keyring.backend import KeyringBackend

from archiver.errors import AuthError, ConfigError, ConnectError, StoreError
from archiver.stores.drive import DriveStore
from archiver.stores.drive_auth import SCOPE, credentials
from archiver.stores.drive_calls import Limits
from archiver.stores.drive_login import login
from archiver.stores.drive_url import parse
from tests.servers.drive import DriveServer

FAST = Limits(timeout=60.0, tries=2, wait=0.002, longest_wait=0.02)


@pytest.fixture
def url(drive: DriveServer, tmp_path: Path) -> str:
    """A URL with an OAuth client and without a login."""
    client = tmp_path / "client.json"
    client.write_text(json.dumps(drive.tokens.client()))
    url = drive.url(tmp_path / "keep", client=str(client))
    parse(url).token.unlink()
    return url


class Browser:
    """A person at a browser: opens the address that is shown, allows or refuses, and follows the way back."""

    def __init__(self, drive: DriveServer, refuse: bool = False, forge: bool = False) -> None:
        self.drive = drive
        self.refuse = refuse
        self.forge = forge
        self.said: list[str] = []
        self.query: dict[str, str] = {}

    def __call__(self, line: str) -> None:
        self.said.append(line)
        if "/auth?" in line:
            self.query = {key: values[0] for key, values in parse_qs(urlsplit(line.split()[-1]).query).items()}
            threading.Thread(target=self.answer, daemon=True).start()

    def answer(self) -> None:
        back, state = self.query["redirect_uri"], self.query["state"]
        if self.forge:
            with pytest.raises(HTTPError):
                urllib.request.urlopen(f"{back}/?state=forged&code=evil", timeout=5)
        self.drive.tokens.codes["code-1"] = self.query["code_challenge"]
        given = "error=access_denied" if self.refuse else "code=code-1"
        urllib.request.urlopen(f"{back}/?state={state}&{given}", timeout=5).read()


@pytest.mark.parametrize("forge", [False, True])
def test_login_by_browser(drive: DriveServer, url: str, forge: bool) -> None:
    browser = Browser(drive, forge=forge)
    login(url, browser, patience=10)
    assert browser.query["scope"] == SCOPE
    assert (browser.query["access_type"], browser.query["code_challenge_method"]) == ("offline", "S256")
    assert browser.query["redirect_uri"].startswith("http://127.0.0.1:")
    assert parse(url).token.stat().st_mode & 0o777 == 0o600
    assert drive.tokens.refresh not in "".join(browser.said)
    assert DriveStore.create(url, "a", FAST).archive() == "a"


def test_login_by_device_code(drive: DriveServer, url: str) -> None:
    said: list[str] = []
    drive.tokens.pending = ["authorization_pending", "authorization_pending"]
    login(url, said.append, device=True, patience=10)
    assert "https://g.example/device" in said[0]
    assert "ABCD-EFGH" in said[0]
    assert drive.tokens.asked[0] == {"client_id": "client", "scope": SCOPE}
    assert DriveStore.create(url, "a", FAST).archive() == "a"


def test_logins_that_are_refused_or_not_in_time(drive: DriveServer, url: str) -> None:
    with pytest.raises(AuthError, match="not allowed"):
        login(url, Browser(drive, refuse=True), patience=10)
    with pytest.raises(AuthError, match="in time"):
        login(url, lambda line: None, patience=0.1)
    drive.tokens.pending = ["access_denied"]
    with pytest.raises(AuthError, match="access_denied"):
        login(url, lambda line: None, device=True, patience=10)
    drive.tokens.pending = ["authorization_pending"] * 100_000
    with pytest.raises(AuthError, match="in time"):
        login(url, lambda line: None, device=True, patience=0.1)
    drive.tokens.refused = "invalid_client"
    with pytest.raises(AuthError, match="invalid_client"):
        login(url, Browser(drive), patience=10)
    assert not parse(url).token.exists()


def test_login_needs_a_client_and_a_network(drive: DriveServer, url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no OAuth client"):
        login(drive.url(tmp_path / "keep"), lambda line: None)
    for content, message in [
        ("{}", "not the file of an OAuth client"),
        ("x", "not a JSON file"),
        ("[]", "JSON object"),
    ]:
        (tmp_path / "client.json").write_text(content)
        with pytest.raises(ConfigError, match=message):
            login(url, lambda line: None)
    client = drive.tokens.client()
    client["installed"]["token_uri"] = "http://127.0.0.1:9/token"
    (tmp_path / "client.json").write_text(json.dumps(client))
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1"):
        login(url, lambda line: None, device=True)


def test_a_login_others_can_read_is_refused_and_a_damaged_one_told(drive: DriveServer, tmp_path: Path) -> None:
    url = drive.url(tmp_path / "keep")
    token = parse(url).token
    token.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        DriveStore.create(url, "a", FAST)
    token.chmod(0o600)
    token.write_text("{}")
    with pytest.raises(AuthError, match="damaged"):
        DriveStore.create(url, "a", FAST)


class MemoryKeyring(KeyringBackend):
    """A keyring like any other, without the desktop."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.mark.parametrize("where", ["login=keyring", "keep=/proc/nowhere"])
def test_nobody_goes_through_a_login_that_could_not_be_kept(
    drive: DriveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", keyring.backends.fail.Keyring())
    client = tmp_path / "client.json"
    client.write_text(json.dumps(drive.tokens.client()))
    said: list[str] = []
    with pytest.raises((AuthError, ConfigError)):
        login(f"drive://Mail?client={client}&endpoint={drive.address}&{where}", said.append, device=True)
    assert said == []


def test_a_login_in_the_keyring(drive: DriveServer, url: str) -> None:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    try:
        with pytest.raises(AuthError, match="nobody is logged in"):
            DriveStore.create(f"{url}&login=keyring", "a", FAST)
        said: list[str] = []
        login(f"{url}&login=keyring", said.append, device=True, patience=10)
        assert "keyring" in said[-1]
        assert DriveStore.create(f"{url}&login=keyring", "a", FAST).archive() == "a"
        assert not parse(url).token.exists()
        backend.entries = dict.fromkeys(backend.entries, "rubbish")
        with pytest.raises(AuthError, match="damaged"):
            DriveStore.create(f"{url}&login=keyring", "a", FAST)
    finally:
        keyring.set_keyring(before)


def test_without_a_login_the_command_is_named(url: str) -> None:
    with pytest.raises(AuthError, match="nobody is logged in") as created:
        DriveStore.create(url, "a", FAST)
    with pytest.raises(StoreError, match="nobody is logged in") as opened:
        DriveStore.open(url, FAST)
    assert "mailark store login" in created.value.hint
    assert opened.value.hint == created.value.hint


@pytest.fixture
def key(drive: DriveServer, tmp_path: Path) -> Path:
    path = tmp_path / "robot.json"
    path.write_text(json.dumps(drive.tokens.service_account()))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("named", ["by the URL", "by the environment"])
def test_a_service_account_and_a_shared_drive(tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with DriveServer("0AShared") as drive:
        path = tmp_path / "robot.json"
        path.write_text(json.dumps(drive.tokens.service_account()))
        path.chmod(0o600)
        url = drive.url(tmp_path / "keep", shared_drive="0AShared", service_account=str(path))
        if named == "by the environment":
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
            url = drive.url(tmp_path / "keep", shared_drive="0AShared")
            parse(url).token.unlink()
        store = DriveStore.create(url, "a", FAST)
        assert store.put_if_absent("FORMAT.txt", b"x")
        assert {asked["grant_type"] for asked in drive.tokens.asked} == {"urn:ietf:params:oauth:grant-type:jwt-bearer"}


def test_a_service_account_without_a_shared_drive_is_refused_before_it_fails(
    drive: DriveServer, key: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no space of its own") as caught:
        DriveStore.create(drive.url(tmp_path / "keep", service_account=str(key)), "a", FAST)
    assert "shared_drive" in caught.value.hint


def test_key_files_that_cannot_be_used(drive: DriveServer, key: Path, tmp_path: Path) -> None:
    place = parse(drive.url(tmp_path / "keep", shared_drive="0AShared", service_account=str(key)))
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        credentials(place)
    key.chmod(0o600)
    key.write_text(json.dumps({"type": "service_account", "private_key": "very secret"}))
    with pytest.raises(ConfigError, match="not the key file") as caught:
        credentials(place)
    assert "very secret" not in str(caught.value)
    key.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        credentials(place)


@pytest.mark.parametrize("package", ["google.oauth2", "googleapiclient"])
def test_a_missing_extra_names_the_command_that_installs_it(
    drive: DriveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: object, **how: object) -> object:
        if name.startswith(package):
            raise ImportError(name)
        return real(name, *arguments, **how)  # type: ignore[arg-type]

    url = drive.url(tmp_path / "keep")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as caught:
        DriveStore.create(url, "a", FAST)
    assert caught.value.hint == "pip install 'mailark[drive]'"


def test_the_table_of_stores_imports_nothing_of_googles() -> None:
    code = (
        "import sys, archiver.stores.table, archiver.stores.drive_url; print([m for m in sys.modules if 'google' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.stdout.strip() == "[]"
