"""`doctor` of stores behind a network: what one may do there, what would eat it, how fast it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat.backend import open_backend
from datacat.backend.s3_rules import aging_rules
from datacat.model import Check, CheckState, Diagnosis
from datacat.store import Store
from tests.conftest import make_client
from tests.remote.places import place_of
from tests.servers.proxy import Proxy
from tests.servers.s3 import BUCKET, KEY, SECRET, S3Server


def of(found: Diagnosis, check_id: str) -> list[Check]:
    return [check for check in found.checks if check.id == check_id]


@pytest.mark.parametrize("kind", ["s3", "sftp", "gcs", "azure"])
def test_a_healthy_store_behind_a_network(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = Store.create(place_of(kind, tmp_path, request), client=make_client(tmp_path))
    before = {found.key for found in open_backend(store.url).keys("")}
    found = store.doctor()
    assert found.ok, [check for check in found.checks if check.state is CheckState.FAIL]
    (permissions,) = of(found, "permissions")
    assert permissions.message == "you may read, list, create, replace, delete"
    (atomic,) = of(found, "atomic")
    assert atomic.message == "the server refuses a second create of the same key"
    assert "agree" in of(found, "clock")[0].message
    (speed,) = of(found, "speed")
    assert "a request takes" in speed.message
    assert "MB/s up" in speed.message
    assert {found.key for found in open_backend(store.url).keys("")} == before


def test_a_permission_that_is_missing_is_named(url: str, proxy: Proxy, tmp_path: Path) -> None:
    store = Store.create(url, client=make_client(tmp_path))
    proxy.choose = lambda method, target: (403, "AccessDenied") if method == "DELETE" else None
    found = store.doctor()
    notes = [check for check in of(found, "permissions") if check.state is CheckState.NOTE]
    assert [check.message.partition(":")[0] for check in notes] == ["you may not delete"]
    assert "s3:DeleteObject" in str(notes[0].fix)


def test_a_rule_that_would_eat_the_store(s3: S3Server, url: str, tmp_path: Path) -> None:
    from botocore.session import Session

    store = Store.create(url, client=make_client(tmp_path))
    prefix = url.partition(f"{BUCKET}/")[2] + "/"
    assert [check.state for check in of(store.doctor(), "lifecycle")] == [CheckState.OK]
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=s3.endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    rule = {
        "ID": "tidy",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix + "packs/"},
        "Expiration": {"Days": 30},
    }
    client.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
    )
    try:
        (check,) = of(store.doctor(), "lifecycle")
    finally:
        client.delete_bucket_lifecycle(Bucket=BUCKET)
        client.close()
    assert check.state is CheckState.FAIL
    assert "deletes files after 30 days" in check.message


@pytest.mark.parametrize(
    ("rule", "harms"),
    [
        ({"Expiration": {"Days": 1}}, True),
        ({"Prefix": "", "Expiration": {"Days": 1}}, True),
        ({"Prefix": "team/datacat/packs", "Expiration": {"Days": 1}}, True),
        ({"Prefix": "team/", "Expiration": {"Date": "2027-01-01T00:00:00Z"}}, True),
        ({"Filter": {"Prefix": "team"}, "Transitions": [{"StorageClass": "GLACIER"}]}, True),
        ({"Filter": {"And": {"Prefix": "team"}}, "Expiration": {"Days": 1}}, True),
        ({"Prefix": "photos/", "Expiration": {"Days": 1}}, False),
        ({"Status": "Disabled", "Expiration": {"Days": 1}}, False),
        ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}}, False),
        ({"Transitions": [{"StorageClass": "STANDARD_IA", "Days": 30}]}, False),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}, False),
        ({"Expiration": {"ExpiredObjectDeleteMarker": True}}, False),
    ],
)
def test_which_rules_harm_a_store(rule: dict[str, object], harms: bool) -> None:
    found = aging_rules([{"Status": "Enabled", **rule}], "team/datacat/")
    assert bool(found) == harms
