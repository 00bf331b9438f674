"""`init` where something is in the way: what it leaves behind must not be in the way of the next attempt."""

from __future__ import annotations

import pytest

from tests.cli.sandbox import Sandbox

STORES = 'stores = ["first", "{other}"]\nwork = "work"\npassphrase_file = "passphrase"\n'


@pytest.mark.parametrize(
    ("other", "code", "told"),
    [
        ("s3://bucket/mail?endpoint=http://127.0.0.1:9&addressing=path", 8, "EndpointConnectionError"),
        ("drive://Mail?keep={home}/keep", 4, "nobody is logged in"),
    ],
)
def test_a_store_that_does_not_answer_leaves_no_half_archive_in_the_others(
    sandbox: Sandbox, other: str, code: int, told: str
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
    sandbox.write_config(STORES.format(other=other.format(home=sandbox.home)))
    refused = sandbox.run("init", "--generate-passphrase", **keys)
    assert (refused.code, told in refused.err) == (code, True), refused
    assert not (sandbox.home / "first").exists()
    assert not (sandbox.home / "passphrase").exists()
    sandbox.write_config()
    again = sandbox.run("init", "--generate-passphrase")
    assert again.code == 0, again


def test_without_a_passphrase_it_is_said_how_to_have_one(sandbox: Sandbox) -> None:
    sandbox.write_config()
    refused = sandbox.run("init")
    assert refused.code == 2
    assert "--generate-passphrase" in refused.err
    assert not (sandbox.home / "recovery-sheet.txt").exists()


def test_recover_tells_what_an_existing_configuration_must_say(sandbox: Sandbox) -> None:
    sandbox.write_config()
    assert sandbox.run("init", "--generate-passphrase").code == 0
    before = sandbox.config.read_text("utf-8")
    done = sandbox.run("recover", "--store", "first", "--work", "other", "--passphrase-file", "passphrase")
    assert done.code == 0, done
    assert f'stores = ["{(sandbox.home / "first").as_uri()}"]\nwork = "{sandbox.home / "other"}"\n' in done.err
    assert sandbox.config.read_text("utf-8") == before
