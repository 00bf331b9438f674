"""The configuration: what is read, and that every mistake is told with its line and key, all at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import config
from archiver.errors import AuthError, ConfigError
from archiver.secrets import Secret
from archiver.toml_table import positions

GOOD = """\
[archive]
stores = ["first", "second"]
work = "work"
passphrase_file = "passphrase"

[[account]]
name = "销售"
host = "127.0.0.1"
port = 20143
security = "plain"
user = "sales"
password_env = "SALES_PASSWORD"
skip = ["Junk*", "[!a]*"]

[[account]]
name = "buying"
host = "imap.example.com"
user = "buying@example.com"
password_command = ["printf", "secret\\nsecond line"]
folders = ["INBOX", "Sent*"]
connections = 4
timeout = 20
"""


def load(folder: Path, text: str) -> config.Settings:
    path = folder / "mailark.toml"
    path.write_text(text, "utf-8")
    return config.load(path)


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value)


def test_a_good_file_gives_typed_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert settings.archive.stores == ((tmp_path / "first").as_uri(), (tmp_path / "second").as_uri())
    assert (settings.archive.copies, settings.archive.work) == (2, tmp_path / "work")
    sales, buying = settings.accounts
    assert (sales.name, sales.port, sales.security, sales.connections) == ("销售", 20143, "plain", 2)
    assert (buying.port, buying.security, buying.connections, buying.timeout) == (993, "tls", 4, 20.0)
    assert buying.password.reveal() == "secret"


def test_folders_and_skip_are_globs_over_whole_names(tmp_path: Path) -> None:
    sales, buying = load(tmp_path, GOOD).accounts
    assert [name for name in ("INBOX", "Sent/2024", "Drafts", "inbox") if buying.wants(name)] == ["INBOX", "Sent/2024"]
    assert [name for name in ("archive", "Bin", "Junk", "Junk/old") if sales.wants(name)] == ["archive"]


@pytest.mark.parametrize(("stores", "copies"), [('"a"', 1), ('"a", "b"', 2), ('"a", "b", "c"', 2)])
def test_copies_default_to_two_where_there_are_two_stores(tmp_path: Path, stores: str, copies: int) -> None:
    assert load(tmp_path, f"[archive]\nstores = [{stores}]\n").archive.copies == copies


def test_all_mistakes_are_told_at_once_with_line_and_key(tmp_path: Path) -> None:
    text = """\
[archive]
stores = [
    "a",  # the first ] store
    "./a",
]
copis = 1
copies = 3

[[account]]
name = "sales"
host = "imap.example.com"
prot = 143
user = "sales"
password = "hunter2"

[[account]]
name = "Sales"
host = "imap.example.com"
security = "ssl"
user = 7
password_env = "A"
password_file = "b"
skip = ["[abc"]

[[account]]
name = "nobody"
host = "imap.example.com"
user = "nobody"
security = "plain"
timeout = 0
"""
    told = mistakes(tmp_path, text)
    expected = [
        "13 mistakes",
        f"line 2: archive.stores: {tmp_path / 'a'} is named twice",
        'line 6: archive.copis: is not a key of this table (did you mean "copies"?)',
        "line 7: archive.copies: 3 copies need as many stores, and there are 2",
        'line 12: account.prot: is not a key of this table (did you mean "port"?)',
        "line 14: account.password: a secret does not belong into this file; use password_command, password_file",
        'line 17: account.name: a second account "Sales"',
        'line 19: account.security: "ssl" is not known; one of: plain, starttls, tls',
        "line 20: account.user: must be a text in quotes, not a number",
        "line 21: account.password_env: a second source beside password_file; keep one",
        'line 23: account.skip: "[abc" has a [ that is not closed',
        "line 25: account: no source of the password: give password_command",
        'line 29: account.security: "plain" sends the password readable to all',
        "line 30: account.timeout: must be a whole number from 1 to 3600, not 0",
    ]
    assert [part for part in expected if part not in told] == []
    assert len(told.splitlines()) == len(expected)
    assert "hunter2" not in told


ACCOUNT = """[archive]
stores = ["a"]
[[account]]
name = "sales"
host = "HOST"
user = "sales"
password_env = "A"
"""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "archive: is missing"),
        ("archive = 1", "line 1: archive: must be a table: [archive]"),
        ("[archive]\nstores = []", "line 2: archive.stores: names no store"),
        ("[archive]\nstores = 'a'", "line 2: archive.stores: must be a list of texts"),
        ("[archive]\n", "line 1: archive.stores: is missing"),
        (
            '[archive]\nstores = ["a"]\n\n[acount]',
            'line 4: acount: is not a key of this table (did you mean "account"?)',
        ),
        ('[archive]\nstores = ["a"]\n[account]\nname="x"', "line 3: account: accounts are written as [[account]]"),
        ('[archive]\nstores = ["a"]\nstores = ["b"]', "not TOML"),
        ('[archive]\nstores = ["a"\n[account]', "line 3: not TOML"),
        ('[archive]\nstores = ["ftp://bucket"]', 'line 2: archive.stores: "ftp" is not a kind of store'),
        ('[archive]\nstores = ["a", "file://FOLDER/a"]', "line 2: archive.stores: "),
        (
            '[archive]\nstores = ["a", "a/b"]\nwork = "c"',
            "line 2: archive.stores: FOLDER/a/b lies in the store FOLDER/a;",
        ),
        ('[archive]\nstores = ["a"]\nwork = "a"', "line 3: archive.work: FOLDER/a lies in the store FOLDER/a;"),
        (
            '[archive]\nstores = ["a"]\nwork = "a/work"',
            "line 3: archive.work: FOLDER/a/work lies in the store FOLDER/a;",
        ),
        ('[archive]\nstores = ["a"]\ndkim = "yes"', "line 3: archive.dkim: must be true or false, not a text"),
        (ACCOUNT.replace("HOST", "h:993"), "line 5: account.host: is the name of the server alone"),
        (ACCOUNT.replace("HOST", "imaps://h/"), "line 5: account.host: is the name of the server alone"),
        ('[archive]\nstores = ["a"]\nupload_limit = "20MB"', 'line 3: archive.upload_limit: must be like "20MB/s"'),
        ('[archive]\nstores = ["a"]\nwindow = "22-6"', 'line 3: archive.window: must be like "22:00-06:00"'),
        ('[archive]\nstores = ["a"]\nstraggler_wait = -1', "line 3: archive.straggler_wait: must be a whole number"),
        ('[archive]\nstores = ["a"]\ncopies = true', "line 3: archive.copies: must be a whole number from 1 to 100"),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, text: str, part: str) -> None:
    told = mistakes(tmp_path, text.replace("FOLDER", str(tmp_path)))
    assert part.replace("FOLDER", str(tmp_path)) in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("host", ["imap.example.com", "192.0.2.1", "2001:db8::1", "邮件.example"])
def test_names_and_addresses_of_servers_are_taken(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, ACCOUNT.replace("HOST", host)).accounts[0].host == host


def test_hours_and_bandwidth_of_the_nightly_run(tmp_path: Path) -> None:
    text = '[archive]\nstores = ["a"]\nupload_limit = "1.5MB/s"\nwindow = "22:00-06:30"\nstraggler_wait = 0\n'
    archive = load(tmp_path, text).archive
    assert (archive.upload_limit, str(archive.window), archive.straggler_wait) == (1_500_000, "22:00-06:30", 0)
    archive = load(tmp_path, '[archive]\nstores = ["a"]\n').archive
    assert (archive.upload_limit, archive.window, archive.straggler_wait) == (None, None, 3600)


def test_signatures_and_who_is_asked_for_their_keys(tmp_path: Path) -> None:
    archive = load(tmp_path, '[archive]\nstores = ["a"]\n').archive
    assert (archive.dkim, archive.dns) == (True, ())
    archive = load(tmp_path, '[archive]\nstores = ["a"]\ndkim = false\ndns = ["9.9.9.9", "[::1]:53"]\n').archive
    assert (archive.dkim, archive.dns) == (False, ("9.9.9.9", "[::1]:53"))
    told = mistakes(tmp_path, '[archive]\nstores = ["a"]\ndkim = "no"\ndns = ["resolver"]\n')
    assert "line 3: archive.dkim: must be true or false" in told
    assert 'line 4: archive.dns: "resolver" must be an address' in told


def test_a_store_reached_by_a_link_keeps_its_name_and_counts_once(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert load(tmp_path, '[archive]\nstores = ["link"]').archive.stores == ((tmp_path / "link").as_uri(),)
    assert f"{tmp_path / 'link'} and {tmp_path / 'disk'} are one place" in mistakes(
        tmp_path, '[archive]\nstores = ["link", "disk"]'
    )


def test_a_provider_gives_host_and_connections(tmp_path: Path) -> None:
    account = '[[account]]\nname = "a"\nuser = "a"\npassword_env = "A"\n'
    text = f'[archive]\nstores = ["a"]\n{account}provider = "gmail"\n'
    (gmail,) = load(tmp_path, text).accounts
    assert (gmail.provider, gmail.host, gmail.port, gmail.connections) == ("gmail", "imap.gmail.com", 993, 2)
    (netease,) = load(tmp_path, f'{text.replace("gmail", "netease")}host = "imap.qiye.163.com"\n').accounts
    assert (netease.host, netease.connections) == ("imap.qiye.163.com", 1)
    assert 'account.provider: "gmial" is not known (did you mean "gmail"?)' in mistakes(
        tmp_path, text.replace("gmail", "gmial")
    )
    assert "account.host: is missing" in mistakes(tmp_path, text.replace("gmail", "exchange"))


def test_a_missing_file_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILARK_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"there is no configuration at .*none\.toml") as caught:
        config.load()
    assert "--config" in caught.value.hint


def test_without_a_name_the_platform_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILARK_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert config.default_path() == tmp_path / "mailark" / "mailark.toml"


def test_a_file_others_can_read_is_refused_before_anything_starts(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    secret.chmod(0o644)
    assert "line 4: archive.passphrase_file" in mistakes(tmp_path, GOOD)
    secret.chmod(0o600)
    passphrase = load(tmp_path, GOOD).archive.passphrase
    assert passphrase is not None
    assert passphrase.reveal() == "correct horse"
    secret.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        passphrase.reveal()


@pytest.mark.parametrize(
    ("secret", "error", "part"),
    [
        (Secret("x", "command", "exit 3"), AuthError, "exit status 3"),
        (Secret("x", "command", ("/no/such/program",)), ConfigError, "cannot be run"),
        (Secret("x", "command", ("true",)), AuthError, "gave an empty secret"),
        (Secret("x", "command", "printf '\\377\\n'"), ConfigError, "not UTF-8"),
        (Secret("x", "env", "MAILARK_NO_SUCH_VARIABLE"), ConfigError, "is not set"),
        (Secret("x", "file", "/no/such/file"), ConfigError, "cannot read"),
    ],
)
def test_a_secret_that_cannot_be_had_says_why(secret: Secret, error: type[Exception], part: str) -> None:
    with pytest.raises(error, match=part):
        secret.reveal()


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archiver.secrets.TIMEOUT", 0.2)
    with pytest.raises(AuthError, match="did not end within"):
        Secret("x", "command", ("sleep", "30")).reveal()


def test_a_secret_is_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_PASSWORD", "hunter2")
    secret = Secret("account sales", "env", "SALES_PASSWORD")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in repr(secret)
    assert "hunter2" not in repr(Secret("x", "command", "echo hunter2"))


def test_the_keyring_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    with pytest.raises(ConfigError, match="needs an extra") as caught:
        Secret("account sales", "keyring", ("mail", "sales")).reveal()
    assert "mailark[keyring]" in caught.value.hint


Line = tuple[str, str, str]
KEYS = st.sampled_from(["a", "b-1", '"quoted = [key"', "'x#y'", "d.e", 'd."f.g"'])
VALUES = st.sampled_from(
    [
        "1",
        '"text # no comment"',
        "'[['",
        '["a",\n  # ]\n  "b]",\n]',
        '"""\n[x]\ny = 1\n"""',
        "'''\n\"\n'''",
        "{ k = [1] }",
        '""',
    ]
)
LINES = st.lists(
    st.tuples(KEYS, VALUES, st.sampled_from(["", " # = [", "\n\n# [c]"])), max_size=4, unique_by=lambda row: row[0]
)


@given(st.lists(LINES, min_size=1, max_size=4), LINES)
def test_every_key_is_found_on_its_line(
    tables: list[list[tuple[str, str, str]]], top: list[tuple[str, str, str]]
) -> None:
    text, wanted = "", {}
    for index, rows in enumerate([top, *tables]):
        if index:
            wanted[("t", index - 1)] = text.count("\n") + 1
            text += "[[t]]  # table\n"
        for key, value, rest in rows:
            path = (*(("t", index - 1) if index else ()), *_parts(key))
            wanted[path] = text.count("\n") + 1
            text += f"{key} = {value}{rest}\n"
    tomllib.loads(text)
    assert positions(text) == wanted


def _parts(key: str) -> tuple[str, ...]:
    named = {'"quoted = [key"': ("quoted = [key",), "'x#y'": ("x#y",), "d.e": ("d", "e"), 'd."f.g"': ("d", "f.g")}
    return named.get(key, (key,))
