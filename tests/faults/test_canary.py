"""Secrets of a person's environment and in URLs: after every command, whether it went well or not,
and with `--debug`, they are nowhere: in no file, in no answer, in no traceback."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from datacat.cli.commands import ENTRIES
from tests.faults.killable import Killable
from tests.trees import content, file, write_tree

SECRETS = {
    name: f"canary/{number}+Zz=="
    for number, name in enumerate(
        (
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AZURE_STORAGE_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "GIT_TOKEN",
            "HF_TOKEN",
            "PGPASSWORD",
            "SSHPASS",
        )
    )
}
IN_TEXT = {
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=me;AccountKey=canary/azure+Zz==",
    "HTTPS_PROXY": "http://me:canary-proxy@127.0.0.1:9",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "http.extraHeader",
    "GIT_CONFIG_VALUE_0": "Authorization: Basic canary-header",
}
AWAY = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", "AWS_ACCESS_KEY_ID": "k"}

DONE = {
    "add": ["add", "work", "-m", "first"],
    "pull": ["pull", "work", "-d", "copy"],
    "ls": ["ls", "--json"],
    "show": ["show", "work"],
    "status": ["status", "work"],
    "diff": ["diff", "work@v1", "work@v2"],
    "log": ["log", "work"],
    "head": ["head", "work/t.csv"],
    "sql": ["sql", "select * from versions"],
    "lineage": ["lineage", "work"],
    "alias": ["alias", "work@v1", "gold"],
    "edit": ["edit", "work", "--description", "what it is"],
    "rename": ["rename", "work", "works"],
    "rm": ["rm", "works@v2", "--force"],
    "restore": ["restore", "works@v2"],
    "init": ["init", "{home}/other", "--yes"],
    "copy": ["copy", "works@v1", "--to", "{home}/other"],
    "clone": ["clone", "{home}/other", "{home}/twin"],
    "scan": ["scan", "{home}/work"],
    "du": ["du"],
    "verify": ["verify", "--all"],
    "repair": ["repair", "--dry-run"],
    "gc": ["gc", "--yes"],
    "config": ["config"],
    "doctor": ["doctor"],
    "completion": ["completion", "bash"],
}
"""One run of each command that succeeds, in this order."""

FAILING = {
    "clone": ["clone", "{home}/none", "{home}/twin"],
    "init": ["init", "{home}/none/other", "--yes"],
    "scan": ["scan", "{home}/none"],
    "config": ["config", "get", "none"],
    "completion": ["completion", "none"],
    "sql": ["sql", "select none from none"],
    "add": ["add", "none"],
    "status": ["status", "none"],
    "alias": ["alias", "none@v9", "gold"],
    "edit": ["edit", "none", "--tag", "t"],
    "rename": ["rename", "none", "other"],
    "gc": ["gc", "--older-than", "none"],
    "du": ["du", "none@v7"],
    "doctor": ["--store", "{home}/none", "doctor"],
    "ls": ["--store", "s3://bucket/away", "ls"],
}
"""One that fails; of all others it is `NAME none@v9`."""

URLS = (
    "s3://key:canary-url@bucket/x",
    "s3://bucket/x?X-Amz-Signature=canary-query",
    "sftp://me:canary-url@127.0.0.1:9/x",
    "https://me:canary-url@127.0.0.1:9/x",
)


def forms(secret: str) -> set[bytes]:
    """Ways in which a secret may be written down."""
    raw = secret.encode()
    return {raw, quote(secret).encode(), quote(secret, safe="").encode(), base64.b64encode(raw)}


WANTED = {form for secret in (*SECRETS.values(), "canary") for form in forms(secret)}


@pytest.fixture
def person(tmp_path: Path) -> Killable:
    """Somebody whose environment is full of secrets, and whose code lies in a repository that
    was cloned with a password."""
    home = tmp_path / "home"
    environment = {**SECRETS, **IN_TEXT, **AWAY, "DATACAT_STORE": str(tmp_path / "store")}
    repository = home / "code"
    plain = {"PATH": os.environ["PATH"], "HOME": str(home)}
    for command in (
        ["init", "-q", str(repository)],
        ["-C", str(repository), "remote", "add", "origin", "https://me:canary-git@host/x.git"],
    ):
        subprocess.run(["git", *command], check=True, env=plain)
    write_tree(home / "work", {"t.csv": file(b"a,b\n1,2\n"), "w": file(content(300_000, 1))})
    return Killable(home, environment)


def assert_unseen(said: str, arguments: list[str]) -> None:
    found = [form for form in WANTED if form in said.encode()]
    assert not found, (arguments, found, said[-2000:])


def test_no_secret_is_kept_or_shown(person: Killable, tmp_path: Path) -> None:
    commands = ENTRIES.keys() - {"serve"}
    assert commands <= DONE.keys(), "a command that nobody tried with secrets"
    home = str(person.home)

    def run(arguments: list[str]) -> int:
        ended = person.run("--debug", "--no-input", *(a.format(home=home) for a in arguments))
        assert_unseen(ended.out + ended.err, arguments)
        return ended.code

    assert run(["init", str(tmp_path / "store"), "--yes"]) == 0
    for name, arguments in DONE.items():
        if name not in commands:
            continue
        assert run(arguments) == 0, arguments
        if name == "add":
            (person.home / "work" / "t.csv").write_text("a,b\n1,3\n")
            assert run(arguments) == 0
    for name in sorted(commands):
        assert run(FAILING.get(name, [name, "none@v9"])) != 0, name
        assert run(["--store", URLS[len(name) % len(URLS)], *DONE.get(name, [name])]) in range(8)
    for url in URLS:
        assert run(["config", "set", "store", url]) == 2
        assert run(["init", url, "--yes"]) in {2, 4}
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(kept) > 20
    for path in kept:
        data = path.read_bytes()
        assert not [form for form in WANTED if form in data], path
