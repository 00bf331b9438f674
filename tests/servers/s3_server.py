"""What the S3 servers of the tests have in common: one key, an endpoint, buckets, and stores in them."""

from __future__ import annotations

import itertools
import os
from typing import Any
from urllib.parse import quote

from tests.servers.programs import HOST

KEY, SECRET = "mailarktest", "mailarktestsecret"


class S3Server:
    """A server at `port`. Its credentials go into this process's environment, where boto3 finds them."""

    _numbers = itertools.count(1)
    port = 0

    def trust(self) -> None:
        """Let boto3's chain find the server's key, and nothing else."""
        os.environ.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_EC2_METADATA_DISABLED="true")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    def client(self) -> Any:
        """A boto3 client of the tests' own."""
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        config = Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"})
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", config=config, **keys)

    def bucket(self, *, versioned: bool = False, locked: bool = False) -> str:
        """The name of a new bucket."""
        name, client = f"bucket-{os.getpid()}-{next(self._numbers)}", self.client()
        client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locked else {}))
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def url(self, bucket: str, options: str = "", port: int = 0) -> str:
        """The URL of a store in the bucket, below a new prefix; `port`: of a proxy before the server."""
        endpoint = quote(f"http://{HOST}:{port or self.port}", safe=":/")
        return (
            f"s3://{bucket}/company/{next(self._numbers)}?endpoint={endpoint}&region=us-east-1&addressing=path{options}"
        )
