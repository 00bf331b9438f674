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
