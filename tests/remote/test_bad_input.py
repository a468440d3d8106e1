"""Buckets that are not as they should be: a verb is forbidden, nobody answers, others use it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from datacat.backend import open_backend
from datacat.errors import DatacatError, NoStore
from datacat.opened import Client
from datacat.store import Store
from tests.remote.test_store import content
from tests.servers.gcs import BUCKET as GCS_BUCKET
from tests.servers.gcs import GcsServer
from tests.servers.proxy import Proxy
from tests.servers.s3 import BUCKET

Clients = Callable[..., Client]


def is_listing(method: str, target: str) -> bool:
    return method == "GET" and "list-type=2" in target


VERBS: dict[str, Callable[[str, str], bool]] = {
    "PutObject": lambda method, target: method in ("PUT", "POST"),
    "GetObject": lambda method, target: method == "GET" and not is_listing(method, target),
    "ListBucket": is_listing,
    "DeleteObject": lambda method, target: method == "DELETE",
}


@pytest.mark.parametrize("verb", VERBS)
def test_one_verb_is_forbidden(
    url: str, proxy: Proxy, client: Clients, tmp_path: Path, verb: str
) -> None:
    """What does not need it goes on, and what does names it. Nothing is half done."""
    source = tmp_path / "cmr"
    source.mkdir()
    (source / "labels.csv").write_text("first")
    with Store.create(url, client=client()) as store:
        store.add(source)
    (source / "labels.csv").write_text("edited")
    works: dict[str, bool] = {}
    refusals: list[DatacatError] = []

    def attempt(name: str, call: Callable[[], object]) -> None:
        before = len(refusals)
        try:
            call()
        except DatacatError as error:
            refusals.append(error)
        works[name] = len(refusals) == before

    proxy.choose = lambda method, target: (
        (403, "AccessDenied") if VERBS[verb](method, target) else None
    )
    with Store.open(url, client=client()) as store:
        attempt("ls", store.ls)
        attempt("add", lambda: store.add(source))
        attempt("du", store.du)
    # With an empty cache everything of the catalog has to be read.
    attempt("pull", lambda: Store.open(url, client=client("bob")).pull("cmr", dest=tmp_path / "x"))
    expected = {
        "PutObject": {"ls": True, "add": False, "du": True, "pull": True},
        "GetObject": {"ls": False, "add": False, "du": False, "pull": False},
        "ListBucket": {"ls": True, "add": True, "du": False, "pull": False},
        "DeleteObject": {"ls": True, "add": True, "du": True, "pull": True},
    }
    assert works == expected[verb]
    for refused in refusals:
        assert (refused.kind, refused.exit_code) == ("storage_denied", 4)
        assert f"s3:{verb}" in str(refused.hint)
    proxy.choose = lambda method, target: None
    with Store.open(url, client=client("carol")) as store:
        assert len(store.versions("cmr")) == 1 + works["add"]


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_server_that_never_answers_is_given_up(
    kind: str,
    request: pytest.FixtureRequest,
    client: Clients,
    monkeypatch: pytest.MonkeyPatch,
    gcs: GcsServer,
) -> None:
    import aiohttp

    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    for module in ("s3", "gcs_requests"):
        monkeypatch.setattr(f"datacat.backend.{module}.SILENT_SECONDS", 0.4)
        monkeypatch.setattr(f"datacat.backend.{module}.CONNECT_SECONDS", 0.4)
    monkeypatch.setattr(
        "datacat.backend.gcs_requests._TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.4)
    )
    endpoint = request.getfixturevalue("s3").endpoint if kind == "s3" else gcs.endpoint
    with Proxy(endpoint).running() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        proxy.choose = lambda method, target: "hang"
        place = {"s3": f"s3://{BUCKET}/x", "gcs": f"gs://{GCS_BUCKET}/x"}[kind]
        with pytest.raises(NoStore) as caught:
            Store.open(place, client=client())
        assert caught.value.kind == "store_unreachable"
        # On a busy machine a try may be over before the proxy heard of it.
        assert 1 <= len(proxy.requests) <= 5


def test_ctrl_c_when_google_hangs(gcs: GcsServer, source: Path, tmp_path: Path) -> None:
    with Proxy(gcs.endpoint).running() as proxy:
        proxy.choose = lambda method, target: "hang"
        running = subprocess.Popen(
            [sys.executable, "-m", "datacat", "-s", f"gs://{GCS_BUCKET}/x", "add", str(source)],
            env={
                "STORAGE_EMULATOR_HOST": proxy.endpoint,
                "PATH": os.defpath,
                "HOME": str(tmp_path),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert proxy.hanging.wait(60)
        asked = time.monotonic()
        running.terminate()
        _, err = running.communicate(timeout=60)
        assert time.monotonic() - asked < 2
    assert running.returncode == 130
    assert b"Traceback" not in err


def test_what_others_have_in_the_bucket_is_never_listed(
    url: str, proxy: Proxy, client: Clients, source: Path, tmp_path: Path
) -> None:
    """However much that is: nothing asks for keys outside of the store, most for none at all."""
    own = url.removeprefix(f"s3://{BUCKET}/") + "/"
    foreign = open_backend(f"{url}-of-others")
    for number in range(40):
        foreign.write(f"packs/{number}.pack", b"theirs")
        foreign.write(f"catalog/log/0000000/{number:020d}.json", b"theirs")

    def listed() -> list[str]:
        asked = [r.target for r in proxy.requests if is_listing(r.method, r.target)]
        proxy.requests.clear()
        return [parse_qs(urlsplit(target).query)["prefix"][0] for target in asked]

    listed()
    with Store.create(url, client=client()) as store:
        assert set(listed()) == {own}  # is anything there, and is the bucket
        # A client that knows nothing yet looks behind the end of the log.
        store.ls()
        assert all(prefix.startswith(f"{own}catalog/log/") for prefix in listed())
        store.add(source)
        store.ls()
        store.log("cmr")
        store.pull("cmr", dest=tmp_path / "one")
        assert content(tmp_path / "one") == content(source)
        looked = listed()
        assert set(looked) <= {f"{own}copies/"}  # who has it
        usage = store.du()
        assert usage.unused_bytes == 0
        assert all(found.ok for found in store.verify())
        store.gc()
        looked = listed()
        assert looked
        assert all(prefix.startswith(own) for prefix in looked)
    assert sum(1 for _ in foreign.keys("")) == 80
