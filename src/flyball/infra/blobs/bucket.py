"""A bucket that speaks S3, as the blobs' store reaches it: by Arrow's own client, which is installed anyway.

fsspec loads it when an address begins with s3://. Credentials and endpoint are those of the environment (`AWS_...`).
"""

import os
from typing import Any

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow import fs


class BucketFiles(ArrowFSWrapper):  # type: ignore[misc]  # its base has no types
    """The file system of all buckets that the environment's credentials open."""

    protocol = "s3"

    def __init__(self, **options: Any) -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        store = fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL") or None, region=region)
        super().__init__(store, **options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).removeprefix("s3://").rstrip("/")
