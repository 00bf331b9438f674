"""export as Maildir, sealed, and straight to a bucket, a Drive, a remote: as a user types it."""

from __future__ import annotations

import csv
import hashlib
import mailbox
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.places import QUERY, Later, contents, in_bucket, left, plain, unsealed
from tests.cli.sandbox import PROGRAM, Done, Sandbox, company
from tests.servers import rclone_s3 as rclone_server
from tests.servers.dovecot import Dovecot
from tests.servers.drive import DriveServer
from tests.servers.s3_faults import Hang, S3Proxy

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


@pytest.fixture
def backed_up(sandbox: Sandbox) -> Sandbox:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    return sandbox


@pytest.fixture(scope="module")
def backed_up_once(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, template: Path) -> Sandbox:
    """For tests that change nothing."""
    made = company(tmp_path_factory.mktemp("company"), dovecot, template)
    made.init()
    assert made.run("backup").code == 0
    return made


@pytest.fixture
def proxy(bucket: tuple[rclone_server.RcloneS3, S3Proxy]) -> S3Proxy:
    bucket[1].faults.clear()
    bucket[1].requests.clear()
    return bucket[1]


@pytest.fixture
def url(bucket: tuple[rclone_server.RcloneS3, S3Proxy], proxy: S3Proxy) -> str:
    """Of a place in a new bucket, through the proxy."""
    return bucket[0].url(bucket[0].bucket(), port=proxy.port)


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """A recipient as age makes it, and the file with its key."""
    if shutil.which("age-keygen") is None:
        pytest.skip("needs the program age")
    subprocess.run(["age-keygen", "-o", tmp_path / "key.txt"], check=True, capture_output=True)
    done = subprocess.run(["age-keygen", "-y", tmp_path / "key.txt"], check=True, capture_output=True, text=True)
    return done.stdout.strip(), tmp_path / "key.txt"


def test_maildir_and_every_place(backed_up: Sandbox) -> None:
    done = backed_up.run(*QUERY, "maildir", "--to", "mail")
    assert (done.code, done.last) == (0, "complete: 6 messages written, 0 there already, 0 failed")
    found = mailbox.Maildir(backed_up.home / "mail" / "sales" / "INBOX", create=False)
    assert "R" in {message.get_flags() for message in found}  # the Chinese contract was answered
    assert (backed_up.home / "mail" / "sales" / "项目" / "合同" / "cur").is_dir()
    again = backed_up.run(*QUERY, "maildir", "--to", "mail", "--json")
    assert (again.json["written"], again.json["skipped"], again.json["to"]) == (0, 6, "mail")
    for form, files in (("maildir", 7), ("eml", 7), ("mbox", 4)):
        every = backed_up.run(*QUERY, form, "--to", f"every-{form}", "--every-place", "--json")
        assert (every.json["written"], len(every.json["files"])) == (6, files)
    assert backed_up.run(*QUERY, "pdf", "--to", "x", "--every-place").code == 2


@pytest.mark.parametrize("form", ["eml", "mbox", "maildir"])
def test_an_index_lies_beside_with_places_and_flags(backed_up: Sandbox, form: str) -> None:
    plain(backed_up, form)
    (index,) = (backed_up.home / "plain").glob("index*.csv")
    with index.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7  # one message is in both accounts
    assert {row["flags"] for row in rows if row["subject"] == "Invoice INV-2024-7"} == {"\\Seen", "\\Flagged"}
    assert all((backed_up.home / "plain" / row["file"]).is_file() for row in rows)


@pytest.mark.parametrize("form", ["eml", "mbox", "maildir"])
def test_sealed_into_one_file_that_age_and_tar_open(
    backed_up: Sandbox, key: tuple[str, Path], form: str, tmp_path: Path
) -> None:
    recipient, secret = key
    done = backed_up.run(*QUERY, form, "--to", "out", "--seal", recipient)
    (file,) = (backed_up.home / "out").iterdir()
    told = "6 messages written, 0 there already, 0 failed; 1 sealed file carried to out, 0 there already"
    assert (done.code, done.last) == (0, f"complete: {told}")
    assert file.name.startswith("mailark-") and file.name.endswith(".tar.age")
    assert unsealed(file, secret, tmp_path / "opened") == plain(backed_up, form)
    before = file.read_bytes()
    again = backed_up.run(*QUERY, form, "--to", "out", "--seal", recipient, "--json")
    assert (again.code, again.json["written"], again.json["skipped"], again.json["there"]) == (0, 0, 6, 1)
    assert [path.read_bytes() for path in (backed_up.home / "out").iterdir()] == [before]
    assert left(backed_up) == []


def test_sealed_to_several_and_to_a_file_of_recipients(
    backed_up: Sandbox, key: tuple[str, Path], tmp_path: Path
) -> None:
    other = subprocess.run(["age-keygen"], check=True, capture_output=True, text=True).stdout
    (tmp_path / "other").write_text(other)
    public = next(line.split()[-1] for line in other.splitlines() if "public" in line)
    (backed_up.home / "lawyers.txt").write_text(f"# both of them\n\n{public}\n")
    done = backed_up.run(*QUERY, "eml", "--to", "out", "--seal", key[0], "--seal-to", "lawyers.txt", "--json")
    assert (done.code, done.json["sealed"], len(done.json["files"])) == (0, True, 1)
    sealed = backed_up.home / "out" / done.json["files"][0]
    opened = [unsealed(sealed, secret, tmp_path / f"by {secret.name}") for secret in (key[1], tmp_path / "other")]
    assert opened[0] == opened[1] == plain(backed_up, "eml")


@pytest.mark.parametrize("wrong", ["age1nobody", "AGE-SECRET-KEY-1QQQQQQQQ", "ssh-ed25519 AAAA", ""])
def test_what_is_no_recipient_is_refused_in_one_line_and_not_repeated(backed_up: Sandbox, wrong: str) -> None:
    done = backed_up.run(*QUERY, "eml", "--to", "out", "--seal", wrong)
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --seal: not an age recipient")
    assert not wrong or wrong not in done.err
    (backed_up.home / "nobody.txt").write_text("# none\n")
    assert backed_up.run(*QUERY, "eml", "--to", "out", "--seal-to", "nobody.txt").code == 2
    assert not (backed_up.home / "out").exists()


def test_an_export_that_lacks_something_is_not_taken_for_the_whole(
    backed_up: Sandbox, key: tuple[str, Path], tmp_path: Path
) -> None:
    ids = backed_up.run("search", "--ids", "from:anna").out
    command = ("export", "--from", "-", "--format", "eml", "--to", "out", "--seal", key[0], "--json")
    partly = [backed_up.run(*command, stdin=ids + "0" * 64 + "\n") for _ in range(2)]
    assert [(done.code, done.json["sent"]) for done in partly] == [(3, 1), (3, 0)]
    whole = backed_up.run(*command, stdin=ids)
    assert (whole.code, whole.json["sent"]) == (0, 1)
    assert whole.json["files"] != partly[0].json["files"]


def test_straight_into_a_bucket(
    backed_up: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy], url: str, proxy: S3Proxy
) -> None:
    done = backed_up.run(*QUERY, "eml", "--to", url)
    assert done.code == 0
    assert done.last.endswith(f"; 7 files carried to {url.partition('?')[0]}, 0 there already")
    assert in_bucket(bucket[0], url) == plain(backed_up, "eml")
    proxy.requests.clear()
    again = backed_up.run(*QUERY, "eml", "--to", url, "--json")
    assert (again.code, again.json["sent"], again.json["there"], again.json["to"]) == (0, 0, 7, url)
    assert proxy.count("PUT") == 0
    assert left(backed_up) == []


def test_folders_of_a_bucket_have_any_name(
    backed_up_once: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy]
) -> None:
    place, _, options = bucket[0].url(bucket[0].bucket()).partition("?")
    for folder in ("案件/case%207", "案件/case 7"):
        done = backed_up_once.run(*QUERY, "eml", "--to", f"{place}/{folder}?{options}", "--json")
        assert done.code == 0, done.err
        assert f"export: 7 files in {place}/{folder}\n" in done.err, "one count, and no options"
        assert (done.json["sent"], done.json["there"]) == ((0, 7) if " " in folder else (7, 0))


def test_a_cut_is_gone_on_with_and_nothing_is_sent_twice(
    backed_up: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy], url: str, proxy: S3Proxy
) -> None:
    """A service that refuses ends the export with 8, one that is full with 6."""
    for number in range(30):
        raw = f"From: Bo <bo@example.com>\r\nSubject: 发票 {number}\r\n\r\n{number}\r\n".encode()
        backed_up.server.append(backed_up.users["sales"], "INBOX", raw)
    backed_up.run("backup")
    command = ("export", "from:bo", "--format", "maildir", "--to", url)
    for code, answer in ((8, "AccessDenied"), (6, "QuotaExceeded")):
        proxy.faults[:] = [Later(method="PUT", path="cur/", status=403, code=answer, times=99)]
        done = backed_up.run(*command)
        assert done.code == code, done.err
        assert "发票" not in done.err
        assert left(backed_up) == []
    there = len(in_bucket(bucket[0], url))
    assert 10 <= there < 31
    proxy.faults.clear()
    proxy.requests.clear()
    done = backed_up.run(*command, "--json")
    assert (done.code, done.json["sent"], done.json["there"]) == (0, 31 - there, there)
    assert proxy.count("PUT") <= 31 - there + 1  # and one to see whether the service keeps conditions
    assert len(in_bucket(bucket[0], url)) == 31


def test_a_killed_export_leaves_nothing_plain_for_longer_than_to_the_next_command(
    backed_up: Sandbox, url: str, proxy: S3Proxy
) -> None:
    hang = Hang(method="PUT")
    proxy.faults.append(hang)
    program = subprocess.Popen([PROGRAM, *QUERY, "eml", "--to", url], cwd=backed_up.home, env=backed_up.environment)
    deadline = time.monotonic() + 60
    while not proxy.count("PUT") and time.monotonic() < deadline:
        time.sleep(0.02)
    (folder,) = left(backed_up)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.eml"))
    os.kill(program.pid, signal.SIGKILL)
    program.wait(timeout=10)
    hang.release()
    proxy.faults.clear()
    assert backed_up.run("search", "合同").code == 0
    assert left(backed_up) == []


def test_sealed_into_a_bucket(
    backed_up: Sandbox,
    bucket: tuple[rclone_server.RcloneS3, S3Proxy],
    url: str,
    key: tuple[str, Path],
    tmp_path: Path,
) -> None:
    done = backed_up.run(*QUERY, "maildir", "--to", url, "--seal", key[0], "--json")
    ((name, data),) = in_bucket(bucket[0], url).items()
    assert (done.code, done.json["files"], done.json["sent"]) == (0, [name], 1)
    (tmp_path / "sealed").write_bytes(data)
    assert unsealed(tmp_path / "sealed", key[1], tmp_path / "opened") == plain(backed_up, "maildir")
    again = backed_up.run(*QUERY, "maildir", "--to", url, "--seal", key[0], "--json")
    assert (again.json["sent"], again.json["there"]) == (0, 1)


def test_into_a_drive_in_the_short_spelling(backed_up: Sandbox, tmp_path: Path) -> None:
    with DriveServer() as drive:
        url = drive.url(tmp_path / "keep", name="出口 2024").replace("drive://", "drive:")
        done = backed_up.run(*QUERY, "mbox", "--to", url, "--json")
        assert (done.code, done.json["there"]) == (0, 0), done.err
        assert done.json["to"].startswith("drive://")
        found = {name.removeprefix("出口 2024/"): data for name, data in drive.files.tree().items()}
        assert found == plain(backed_up, "mbox")
        assert backed_up.run(*QUERY, "mbox", "--to", url, "--json").json["sent"] == 0


def test_into_a_remote_of_rclone(backed_up: Sandbox, tmp_path: Path) -> None:
    if reason := rclone_server.missing():
        pytest.skip(reason)
    (tmp_path / "box").mkdir()
    (tmp_path / "rclone.conf").write_text(f"[box]\ntype = alias\nremote = {tmp_path / 'box'}\n")
    for sent in (7, 0):
        done = backed_up.run(
            *QUERY, "eml", "--to", "rclone://box:导出/2024", "--json", RCLONE_CONFIG=str(tmp_path / "rclone.conf")
        )
        assert (done.code, done.json["sent"]) == (0, sent), done.err
    assert contents(tmp_path / "box" / "导出" / "2024") == plain(backed_up, "eml")


@pytest.mark.slow
def test_a_bundle_is_sealed_a_volume_a_file(backed_up: Sandbox, key: tuple[str, Path], tmp_path: Path) -> None:
    order = ("--case", "CASE-7", "--volume-size", "600B", "--no-pdf")
    done = backed_up.run(*QUERY, "bundle", *order, "--to", "out", "--seal", key[0], "--json", seconds=300)
    assert done.code == 0, done.err
    volumes = sorted((backed_up.home / "out").iterdir())
    assert len(volumes) == len(done.json["files"]) > 1
    assert all("CASE" not in path.name for path in volumes)
    for number, path in enumerate(volumes, 1):
        opened = tmp_path / f"opened {number}"
        unsealed(path, key[1], opened)
        (volume,) = opened.iterdir()
        assert volume.name == f"CASE-7_VOL{number:03d}"
        check = ["sha256sum", "--quiet", "-c", "manifest-sha256.txt"]
        subprocess.run(check, cwd=volume, check=True, capture_output=True)
    again = backed_up.run(*QUERY, "bundle", *order, "--to", "out", "--seal", key[0], "--json", seconds=300)
    assert (again.code, again.json["sent"], again.json["there"]) == (0, 0, 1)


@pytest.mark.slow
def test_a_bundle_in_a_bucket_is_made_once(
    backed_up: Sandbox, bucket: tuple[rclone_server.RcloneS3, S3Proxy], url: str, tmp_path: Path
) -> None:
    """Signed again it would have other bytes: what lies there is taken for what it is."""
    order = ("--case", "CASE-7", "--volume-size", "600B", "--no-pdf", "--to", url, "--json")
    done = backed_up.run(*QUERY, "bundle", *order, seconds=300)
    assert done.code == 0, done.err
    there = in_bucket(bucket[0], url)
    for name, data in there.items():
        (tmp_path / "fetched" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fetched" / name).write_bytes(data)
    for volume in (tmp_path / "fetched").iterdir():
        check = ["sha256sum", "--quiet", "-c", "manifest-sha256.txt"]
        subprocess.run(check, cwd=volume, check=True, capture_output=True)
    again = backed_up.run(*QUERY, "bundle", *order, seconds=300)
    assert (again.code, again.json["sent"], again.json["there"]) == (0, 0, len(there)), again.err


@pytest.mark.parametrize("below", ["", "/packs/mine"])
def test_a_store_of_the_archive_is_no_place_for_an_export(backed_up: Sandbox, below: str) -> None:
    before = contents(backed_up.home / "first")
    done: Done = backed_up.run(*QUERY, "eml", "--to", f"first{below}")
    assert (done.code, "a store of an archive" in done.err) == (2, True)
    assert contents(backed_up.home / "first") == before


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("form", ["eml", "bundle"])
@pytest.mark.parametrize("where", ["mailark.toml", "mailark.toml/below", "/proc/x", "work/exports"])
def test_a_folder_that_cannot_be_is_told_once_before_anything_is_read(
    backed_up_once: Sandbox, where: str, form: str, sealed: bool
) -> None:
    """Not once for every message."""
    seal = ("--seal", RECIPIENT) if sealed else ()
    case = ("--case", "C", "--no-pdf") if form == "bundle" else ()
    done = backed_up_once.run(*QUERY, form, "--to", where, *case, *seal)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 2), done.err
    assert not (backed_up_once.home / "work/exports").exists()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("s3://Bad_Bucket", "not the name of a bucket"),
        ("rclone://nowhere", "not a configured remote"),
        ("s3:x", "s3://x"),
        ("s3://bucket/x?access_key=SECRET", "unknown option 'access_key'"),
        ("drive://x?token=SECRET", 'drive://x: unknown option "token"'),
        ("drive://?client=SECRET", "it names no folder"),
        ("ftp://me:SECRET@host/x", "ftp://: unknown kind"),
        ("file://host/x?token=SECRET", "with three slashes"),
    ],
)
def test_a_place_that_cannot_be_is_told_in_a_line(backed_up_once: Sandbox, where: str, told: str) -> None:
    done = backed_up_once.run(*QUERY, "eml", "--to", where)
    assert (done.code, told in done.err) == (2, True), done.err
    assert "SECRET" not in done.err


def test_the_exact_bytes_come_back_from_a_sealed_export(
    backed_up: Sandbox, key: tuple[str, Path], tmp_path: Path
) -> None:
    ids = set(backed_up.run("search", "--ids", "from:anna").out.split())
    backed_up.run(*QUERY, "eml", "--to", "out", "--seal", key[0])
    (file,) = (backed_up.home / "out").iterdir()
    found = unsealed(file, key[1], tmp_path / "opened")
    assert {hashlib.sha256(data).hexdigest() for name, data in found.items() if name.endswith(".eml")} == ids
