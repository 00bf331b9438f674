"""URLs of S3 stores, what each object is put with, and the policy for the nightly machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from archiver.cli import main
from archiver.errors import ConfigError
from archiver.stores.s3_place import Place, parse_place
from archiver.stores.s3_policy import policy
from archiver.stores.table import KINDS, open_store

URL = (
    "s3://company-mail/archive/one?endpoint=https://s3.example.com:9000/&region=cn-north-1&profile=nightly"
    "&storage_class=GLACIER_IR&sse=aws:kms&kms_key=arn:aws:kms:x&retention=10y&lock=compliance&addressing=virtual"
)


def test_every_option_is_understood() -> None:
    assert parse_place(URL) == Place(
        url=URL,
        bucket="company-mail",
        prefix="archive/one/",
        endpoint="https://s3.example.com:9000",
        region="cn-north-1",
        profile="nightly",
        addressing="virtual",
        storage_class="GLACIER_IR",
        sse="aws:kms",
        kms_key="arn:aws:kms:x",
        lock="compliance",
        years=10,
    )
    plain = parse_place("s3://company-mail")
    assert (plain.prefix, plain.key("FORMAT.txt"), plain.parameters("packs/x")) == ("", "FORMAT.txt", {})
    assert parse_place("s3://company-mail/a/").key("b") == "a/b"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://", "bucket"),
        ("s3://UPPER/x", "bucket"),
        ("s3://bucket/../x", "name"),
        ("s3://bucket/x#y", "#"),
        ("s3://AKIA:secret@bucket/x", "credentials"),
        ("s3://bucket?endpoint=https://AKIA:secret@host", "credentials"),
        ("s3://bucket?endpoint=host:9000", "endpoint"),
        ("s3://bucket?endpoint=ftp://host", "endpoint"),
        ("s3://bucket?regoin=eu", "regoin"),
        ("s3://bucket?region=", "empty"),
        ("s3://bucket?region=a&region=b", "twice"),
        ("s3://bucket?sse=yes", "AES256"),
        ("s3://bucket?kms_key=x", "kms"),
        ("s3://bucket?retention=10", "10y"),
        ("s3://bucket?retention=0y", "10y"),
        ("s3://bucket?lock=compliance", "retention"),
        ("s3://bucket?retention=1y&lock=soft", "governance"),
        ("s3://bucket?storage_class=cold", "STANDARD_IA"),
        ("s3://bucket?secret_access_key=hush", "unknown option"),
        ("s3://Bucket?secret_access_key=hush", "bucket"),
        ("s3://bucket/x?region=hush&region=hush", "twice"),
        ("s3://bucket/x?kms_key=hush", "kms"),
        ("s3://bucket/x?profile=hush&lock=compliance", "retention"),
        ("s3://bucket/x?profile=hush#y", "#"),
        ("s3://bucket/case 7", "name of a folder"),
        ("s3://bucket/案件", "name of a folder"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(url: str, told: str) -> None:
    with pytest.raises(Exception, match=told) as caught:
        parse_place(url)
    assert getattr(caught.value, "exit_code", 0) == 2
    assert not any(word in str(caught.value) for word in ("secret@", "AKIA", "hush"))


@pytest.mark.parametrize("folder", ["case 7", "case%207", "案件/7", "/案件/7/"])
def test_an_export_goes_into_a_folder_of_any_name(folder: str) -> None:
    assert parse_place(f"s3://bucket/{folder}", shelf=True).prefix in ("case 7/", "案件/7/")


@pytest.mark.parametrize("folder", ["a/../b", "a//b", ".", "%2e%2e", "a%00b", "x" * 256])
def test_an_export_climbs_out_of_no_folder(folder: str) -> None:
    with pytest.raises(ConfigError, match="name of a folder for an export"):
        parse_place(f"s3://bucket/{folder}", shelf=True)


NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("packs/mail-2026/ab/abc.age", 2037),
        ("catalog/mail-2025/abc.age", 2036),
        ("keys/era/mail-2035.1.age", 2046),
        ("keys/era/long-mail-2035.1.age", 2046),
        ("manifests/w-2020/0000000001", 2038),
        ("keys/recovery.age", 2038),
        ("FORMAT.txt", 2038),
    ],
)
def test_retention_ends_with_the_era_and_its_years(name: str, year: int) -> None:
    told = parse_place(URL).parameters(name, NOW)
    assert told["ObjectLockRetainUntilDate"] == datetime(year, 1, 1, tzinfo=UTC)
    assert told["ObjectLockMode"] == "COMPLIANCE"
    assert told["ServerSideEncryption"] == "aws:kms"
    assert told["SSEKMSKeyId"] == "arn:aws:kms:x"
    assert ("StorageClass" in told) == name.startswith("packs/")


def actions(document: dict[str, list[dict[str, object]]]) -> set[str]:
    return {str(action) for statement in document["Statement"] for action in statement["Action"]}  # type: ignore[attr-defined]


def test_the_policy_allows_to_look_read_and_add_and_nothing_else() -> None:
    document = policy(parse_place("s3://company-mail/archive"))
    assert document["Version"] == "2012-10-17"
    assert actions(document) == {
        "s3:ListBucket",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketVersioning",
        "s3:GetObject",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:PutObject",
        "s3:PutObjectLegalHold",
    }
    by_name = {statement["Sid"]: statement for statement in document["Statement"]}
    assert by_name["ListTheArchive"]["Resource"] == "arn:aws:s3:::company-mail"
    assert by_name["ListTheArchive"]["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["archive/*"]}}
    assert by_name["AddObjects"]["Resource"] == "arn:aws:s3:::company-mail/archive/*"
    assert by_name["AddObjects"]["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert by_name["HoldObjects"]["Condition"] == {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}, "never lifts"
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    assert not any("Delete" in action or "*" in action for action in actions(document))


def test_the_policy_follows_the_options() -> None:
    document = policy(parse_place(URL))
    assert {"s3:PutObjectRetention", "kms:GenerateDataKey", "kms:Decrypt"} <= actions(document)
    by_name = {statement["Sid"]: statement for statement in document["Statement"]}
    assert "Condition" not in by_name["AddObjects"]  # other services do not know AWS's condition keys
    assert by_name["ListTheArchive"]["Resource"] == "arn:aws-cn:s3:::company-mail"
    assert by_name["UseTheKey"]["Resource"] == "arn:aws:kms:x"


def test_the_policy_lets_ask_back_from_a_cold_class() -> None:
    assert "s3:RestoreObject" in actions(policy(parse_place("s3://company-mail?storage_class=DEEP_ARCHIVE")))
    assert "s3:RestoreObject" not in actions(policy(parse_place("s3://company-mail?storage_class=GLACIER_IR")))


def test_the_command_prints_the_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["store", "policy", "s3://company-mail/archive"]) == 0
    assert json.loads(capsys.readouterr().out) == policy(parse_place("s3://company-mail/archive"))
    assert main.run(["store", "policy", "/srv/mailark"]) == 2
    assert "s3://" in capsys.readouterr().err


def test_without_boto3_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(ConfigError) as caught:
        open_store("s3://company-mail/archive")
    assert caught.value.hint == "pip install 'mailark[s3]'"


def test_the_table_names_the_kinds() -> None:
    assert {"file", "s3", "rclone"} <= set(KINDS)
    for name in ("s3", "rclone"):
        assert KINDS[name].example.startswith(f"{name}://")
