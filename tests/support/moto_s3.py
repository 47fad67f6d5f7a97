"""S3 of this machine: objects put with boto3 into a moto server."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import boto3

from tests.support.moto_logs import REGION

BUCKET = "logs-of-bodo"


def client(endpoint: str) -> Any:
    """Return a client of the server."""
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def bucket(endpoint: str, name: str = BUCKET) -> Any:
    """Make a bucket unless it is there; return a client."""
    made = client(endpoint)
    with suppress(made.exceptions.BucketAlreadyOwnedByYou):
        made.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


def put(endpoint: str, key: str, content: bytes, *, name: str = BUCKET, zipped: bool = True) -> None:
    """Put one object."""
    bucket(endpoint, name).put_object(Bucket=name, Key=key, Body=gzip.compress(content) if zipped else content)
